// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/pickle_vocabulary.h"

#include <algorithm>
#include <iterator>

namespace tamis::io
{
namespace
{
using tensor::DType;
// All the Python objects that may be named. A storage type only says how the elements are stored; the others with no
// callable are values of their own.
constexpr PickleGlobal kGlobals[] = {
    {"collections.OrderedDict", PickleCallable::OrderedDict, {}},
    {"torch._utils._rebuild_tensor_v2", PickleCallable::Tensor, {}},
    {"torch._utils._rebuild_parameter", PickleCallable::Parameter, {}},
    {"torch.Size", PickleCallable::Size, {}},
    {"torch.device", PickleCallable::Device, {}},
    {"_codecs.encode", PickleCallable::Encode, {}},
    {"torch.DoubleStorage", PickleCallable::None, DType::F64},
    {"torch.FloatStorage", PickleCallable::None, DType::F32},
    {"torch.HalfStorage", PickleCallable::None, DType::F16},
    {"torch.BFloat16Storage", PickleCallable::None, DType::BF16},
    {"torch.LongStorage", PickleCallable::None, DType::I64},
    {"torch.IntStorage", PickleCallable::None, DType::I32},
    {"torch.ShortStorage", PickleCallable::None, DType::I16},
    {"torch.CharStorage", PickleCallable::None, DType::I8},
    {"torch.ByteStorage", PickleCallable::None, DType::U8},
    {"torch.BoolStorage", PickleCallable::None, DType::Bool},
    {"torch.float64", PickleCallable::None, {}},
    {"torch.float32", PickleCallable::None, {}},
    {"torch.float16", PickleCallable::None, {}},
    {"torch.bfloat16", PickleCallable::None, {}},
    {"torch.int64", PickleCallable::None, {}},
    {"torch.int32", PickleCallable::None, {}},
};

struct Refused {
    std::uint8_t code;
    std::string_view name;
};
constexpr Refused kRefused[] = {{'i', "INST"},        {'o', "OBJ"},          {0x81, "NEWOBJ"},
                                {0x92, "NEWOBJ_EX"},  {0x82, "EXT1"},        {0x83, "EXT2"},
                                {0x84, "EXT4"},       {'P', "PERSID"},       {'I', "INT"},
                                {'L', "LONG"},        {'F', "FLOAT"},        {'S', "STRING"},
                                {'V', "UNICODE"},     {'d', "DICT"},         {'l', "LIST"},
                                {'g', "GET"},         {'p', "PUT"},          {'0', "POP"},
                                {'1', "POP_MARK"},    {'2', "DUP"},          {0x8b, "LONG4"},
                                {0x8f, "EMPTY_SET"},  {0x90, "ADDITEMS"},    {0x91, "FROZENSET"},
                                {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"}};
} // namespace

const PickleGlobal* findPickleGlobal(std::string_view name) noexcept
{
    const auto found = std::find_if(std::begin(kGlobals), std::end(kGlobals),
                                    [&](const PickleGlobal& each) { return each.name == name; });
    return found == std::end(kGlobals) ? nullptr : found;
}

std::string_view refusedPickleInstruction(std::uint8_t code) noexcept
{
    const auto found =
        std::find_if(std::begin(kRefused), std::end(kRefused), [&](const Refused& each) { return each.code == code; });
    return found == std::end(kRefused) ? std::string_view() : found->name;
}

std::size_t utf8Sequence(std::string_view text, std::uint32_t& point) noexcept
{
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || length > text.size())
        return 0;
    point = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (byte(i) & 0x3fu);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    return overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? 0 : length;
}

} // namespace tamis::io

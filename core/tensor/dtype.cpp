// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tensor/dtype.h"

#include <array>

namespace tamis::tensor {
namespace {
struct Description {
    DType type;
    std::string_view name;
    std::size_t size;
    bool floating;
};
// In the order of the enumeration.
constexpr std::array kDescriptions{
    Description{DType::F64, "F64", 8, true},  Description{DType::F32, "F32", 4, true},
    Description{DType::F16, "F16", 2, true},  Description{DType::BF16, "BF16", 2, true},
    Description{DType::I64, "I64", 8, false}, Description{DType::I32, "I32", 4, false},
    Description{DType::I16, "I16", 2, false}, Description{DType::I8, "I8", 1, false},
    Description{DType::U8, "U8", 1, false},   Description{DType::Bool, "BOOL", 1, false},
};
constexpr const Description& describe(DType type)
{
    return kDescriptions[static_cast<std::size_t>(type)];
}
} // namespace

std::string_view dtypeName(DType type) noexcept
{
    return describe(type).name;
}

std::optional<DType> parseDType(std::string_view safetensorsName) noexcept
{
    for (const Description& description : kDescriptions)
        if (description.name == safetensorsName)
            return description.type;
    return std::nullopt;
}

std::size_t dtypeSize(DType type) noexcept
{
    return describe(type).size;
}

bool isFloating(DType type) noexcept
{
    return describe(type).floating;
}

} // namespace tamis::tensor

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a pickle may name (core/io/restricted_pickle.h): the Python objects on the list, and the instructions that are
// known but refused.
#include "core/tensor/dtype.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tamis::io
{

/// What calling an object makes.
enum class PickleCallable { None, OrderedDict, Tensor, Parameter, Size, Device, Encode };

struct PickleGlobal {
    std::string_view name;
    PickleCallable callable = PickleCallable::None;
    std::optional<tensor::DType> storage; ///< of a storage type, how its elements are stored
};

/// nullptr for what is not on the list.
const PickleGlobal* findPickleGlobal(std::string_view name) noexcept;

/// pickletools' name of an instruction that exists but is not executed, "" for any other byte.
std::string_view refusedPickleInstruction(std::uint8_t code) noexcept;

/// Length of the UTF-8 sequence that begins `text` (not empty), with its code point; 0 for an invalid one.
std::size_t utf8Sequence(std::string_view text, std::uint32_t& point) noexcept;

} // namespace tamis::io

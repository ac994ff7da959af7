// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tensor/dtype.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

/// Where one tensor of a checkpoint lies. Readers guarantee: dimensions are not negative, their product does not
/// overflow, bytes = elements * dtypeSize(dtype), and, but in an archive, [offset, offset + bytes) is inside the file.
struct TensorEntry {
    std::string name;
    tensor::DType dtype = tensor::DType::F32;
    std::vector<std::int64_t> shape;
    std::uint64_t bytes = 0;  ///< checked against dtype and shape
    std::size_t file = 0;     ///< index into Checkpoint::files()
    std::uint64_t offset = 0; ///< absolute byte offset in that file (of the archive's member in an .npz)
    std::uint64_t elements() const noexcept; ///< product of the shape, 1 for a scalar
    bool operator==(const TensorEntry&) const = default;
};

/// "[768, 3, 16, 16]", for messages.
std::string shapeText(const std::vector<std::int64_t>& shape);

/// Bytes of a tensor of that shape, checked: Error{MalformedFile} for a negative dimension or a product over 2^63 - 1,
/// Error{LimitExceeded} for more than kMaximumRank dimensions. `subject` names file and tensor.
std::uint64_t checkedTensorBytes(tensor::DType dtype, const std::vector<std::int64_t>& shape, const std::string& subject);

inline constexpr std::size_t kMaximumRank = 8;
inline constexpr std::size_t kMaximumTensors = 1'000'000;
inline constexpr std::size_t kMaximumNameBytes = 4096;

/// Natural order: runs of digits compare as numbers, everything else by bytes ("h.2" before "h.10").
bool naturalLess(std::string_view a, std::string_view b) noexcept;

} // namespace tamis::io

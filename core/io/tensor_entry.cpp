// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/tensor_entry.h"

#include "core/base/error.h"

#include <algorithm>
#include <limits>

namespace tamis::io {
namespace {
bool isDigit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

// The run of digits at `at`, without leading zeros.
std::string_view digitsAt(std::string_view text, std::size_t& at) noexcept
{
    while (at < text.size() && text[at] == '0')
        ++at;
    const std::size_t begin = at;
    while (at < text.size() && isDigit(text[at]))
        ++at;
    return text.substr(begin, at - begin);
}
} // namespace

std::uint64_t TensorEntry::elements() const noexcept
{
    std::uint64_t product = 1;
    for (const std::int64_t dimension : shape)
        product *= static_cast<std::uint64_t>(dimension);
    return product;
}

std::string shapeText(const std::vector<std::int64_t>& shape)
{
    std::string text = "[";
    for (const std::int64_t dimension : shape)
        text += (text.size() > 1 ? ", " : "") + std::to_string(dimension);
    return text + "]";
}

std::uint64_t checkedTensorBytes(tensor::DType dtype, const std::vector<std::int64_t>& shape, const std::string& subject)
{
    if (shape.size() > kMaximumRank)
        throw Error(ErrorCode::LimitExceeded,
                    "has " + std::to_string(shape.size()) + " dimensions, at most " + std::to_string(kMaximumRank) + " are read", subject);
    // Every partial product of the non-zero dimensions must fit, so that no order of the dimensions overflows.
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    std::uint64_t bytes = tensor::dtypeSize(dtype);
    bool empty = false;
    for (const std::int64_t dimension : shape) {
        if (dimension < 0)
            throw Error(ErrorCode::MalformedFile, "has a negative dimension: " + shapeText(shape), subject);
        if (dimension == 0)
            empty = true;
        else if (bytes > kMost / static_cast<std::uint64_t>(dimension))
            throw Error(ErrorCode::MalformedFile, "has a shape whose size overflows: " + shapeText(shape), subject);
        else
            bytes *= static_cast<std::uint64_t>(dimension);
    }
    return empty ? 0 : bytes;
}

bool naturalLess(std::string_view a, std::string_view b) noexcept
{
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (isDigit(a[i]) && isDigit(b[j])) {
            const std::string_view left = digitsAt(a, i), right = digitsAt(b, j);
            if (left.size() != right.size())
                return left.size() < right.size();
            if (left != right)
                return left < right;
        } else if (a[i] != b[j]) {
            return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
        } else {
            ++i;
            ++j;
        }
    }
    if (i < a.size() || j < b.size())
        return i >= a.size();
    return a < b; // equal but for leading zeros
}

} // namespace tamis::io

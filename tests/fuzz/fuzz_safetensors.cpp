// SPDX-License-Identifier: GPL-3.0-or-later
// The header of a safetensors file. Half of the inputs are a whole file; of the others the first bytes give a file size
// much larger than what is at hand, as of a sparse file.
#include "core/base/error.h"
#include "core/io/safetensors.h"

#include <cstdlib>
#include <cstring>
#include <unordered_set>

using namespace tamis;

namespace {
// What parseSafetensorsHeader promises.
void check(const io::SafetensorsHeader& header, std::uint64_t fileSize)
{
    std::unordered_set<std::string> names;
    std::uint64_t total = 0, end = 0;
    for (const io::TensorEntry& entry : header.tensors) {
        const bool holds = names.insert(entry.name).second && entry.offset >= end && entry.offset <= fileSize && entry.bytes <= fileSize - entry.offset &&
                           entry.bytes == entry.elements() * tensor::dtypeSize(entry.dtype);
        if (!holds)
            std::abort();
        end = entry.offset + entry.bytes;
        total += entry.bytes;
    }
    if (total > fileSize)
        std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(input), size);
    std::uint64_t fileSize = size;
    if (size > 9 && input[size - 1] == 0xff) { // a claimed size at the end
        std::memcpy(&fileSize, input + size - 9, 8);
        bytes = bytes.first(size - 9);
    }
    try {
        check(io::parseSafetensorsHeader(bytes, fileSize, "fuzz"), fileSize);
    } catch (const Error&) {
    }
    return 0;
}

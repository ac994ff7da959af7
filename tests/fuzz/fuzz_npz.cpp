// SPDX-License-Identifier: GPL-3.0-or-later
// A whole .npz with small limits, so that no input may make the reader use more memory than they say.
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/tensor/dtype.h"

#include <cstdlib>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(input), size);
    constexpr io::NpzLimits kLimits{.members = 100, .memberBytes = 1u << 20, .totalBytes = 4u << 20, .ratio = 100, .ratioFreeBytes = 1u << 16};
    try {
        const auto archive = io::NpzArchive::parse(bytes, "fuzz", kLimits);
        for (const io::NpzMember& member : archive->members()) {
            if (member.inflatedBytes > kLimits.memberBytes || member.dataOffset > size || member.storedBytes > size - member.dataOffset)
                std::abort();
            try {
                const io::NpyArray array = archive->read(member);
                if (array.bytes.size() != array.elements() * tensor::dtypeSize(array.dtype) || array.bytes.size() > member.inflatedBytes)
                    std::abort();
            } catch (const Error&) {
            }
        }
    } catch (const Error&) {
    }
    return 0;
}

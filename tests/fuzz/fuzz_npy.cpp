// SPDX-License-Identifier: GPL-3.0-or-later
// A whole .npy. What is read must have the size that its shape says, and writing it back must give the same values.
#include "core/base/error.h"
#include "core/io/npy.h"
#include "core/tensor/dtype.h"

#include <cstdlib>
#include <cstring>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(input), size);
    try {
        const io::NpyArray array = io::parseNpy(bytes, "fuzz");
        if (array.bytes.size() != array.elements() * tensor::dtypeSize(array.dtype) || array.bytes.size() > size)
            std::abort();
        const std::vector<double> values = array.toDoubles();
        if (values.size() != array.elements() || array.toFloats().size() != array.elements())
            std::abort();
        const std::string written = io::formatNpy(values, array.shape);
        const std::vector<double> again = io::parseNpy(std::as_bytes(std::span(written.data(), written.size())), "again").toDoubles();
        if (again.size() != values.size() || (!again.empty() && std::memcmp(again.data(), values.data(), values.size() * sizeof(double)) != 0))
            std::abort();
    } catch (const Error&) {
    }
    return 0;
}

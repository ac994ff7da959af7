// SPDX-License-Identifier: GPL-3.0-or-later
// A PyTorch file as a whole, and its pickle alone: checksums keep most changes of the zip from reaching it.
#include "core/base/error.h"
#include "core/io/torch_zip.h"

#include <cstdlib>

using namespace tamis;

namespace
{
constexpr io::PickleLimits kLimits{.bytes = 1u << 16, .values = 10'000, .depth = 16};

// Every index leads somewhere, and no path through containers is longer than the limit.
void walk(const io::Pickle& pickle, std::uint32_t index, std::size_t depth)
{
    if (index >= pickle.values.size() || depth > kLimits.depth)
        std::abort();
    const io::PickleValue& value = pickle.values[index];
    if (value.kind == io::PickleKind::Tensor && value.tensor >= pickle.tensors.size())
        std::abort();
    if (value.kind == io::PickleKind::Dictionary && value.items.size() % 2 != 0)
        std::abort();
    if (!value.items.empty()) // the first only: shared values make the number of paths exponential
        walk(pickle, value.items.front(), depth + 1);
}

void readTensors(const io::TorchFile& file, std::size_t size)
{
    for (const io::PickleValue& value : file.pickle().values) {
        if (value.kind != io::PickleKind::Tensor)
            continue;
        const io::PickleTensor& tensor = file.pickle().tensors[value.tensor];
        std::uint64_t elements = 1;
        for (const std::int64_t side : tensor.shape)
            elements = elements > size ? elements : elements * static_cast<std::uint64_t>(side);
        if (elements > size)
            continue; // an expanded tensor has more elements than its storage
        std::vector<float> values(elements);
        try {
            file.read(tensor, values, "fuzz");
        } catch (const Error&) {
        }
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(input), size);
    try {
        const io::Pickle pickle = io::parsePickle(bytes, "fuzz", kLimits);
        walk(pickle, pickle.root, 0);
    } catch (const Error&) {
    }
    try {
        const auto file = io::TorchFile::parse(bytes, "fuzz", kLimits);
        walk(file->pickle(), file->pickle().root, 0);
        readTensors(*file, 1u << 16);
    } catch (const Error&) {
    }
    return 0;
}

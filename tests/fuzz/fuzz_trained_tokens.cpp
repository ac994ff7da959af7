// SPDX-License-Identifier: GPL-3.0-or-later
// Files of trained parts. An input that begins with '{' is the header's JSON and what follows it up to the first NUL: its length is put before
// it, so that what is behind the container is reached.
#include "core/base/error.h"
#include "core/tokens/trained_parts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

using namespace tamis;

namespace {
std::string withLength(std::string_view input)
{
    const std::uint64_t length = std::min(input.find('\0'), input.size());
    std::string file(reinterpret_cast<const char*>(&length), sizeof length);
    file += input.substr(0, length);
    if (length < input.size())
        file += input.substr(length + 1);
    return file;
}

// What readTrainedParts promises.
void check(const tokens::TrainedParts& parts)
{
    if (parts.method.empty() || parts.model.size() != 64 || !parts.losses.empty() || !parts.warnings.empty())
        std::abort();
    for (const auto& tensor : parts.tensors) {
        std::size_t elements = 1;
        for (const auto side : tensor.shape)
            elements *= static_cast<std::size_t>(side);
        if (elements == 0 || elements != tensor.values.size() || !tensor.integers.empty())
            std::abort();
        for (const float value : tensor.values)
            if (!std::isfinite(value))
                std::abort();
        if (parts.floats(tensor.name, tensor.shape).name != tensor.name)
            std::abort();
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::string_view given(reinterpret_cast<const char*>(input), size);
    const std::string file = given.starts_with('{') ? withLength(given) : std::string(given);
    const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, file.data(), file.size()) != static_cast<ssize_t>(file.size()))
        std::abort();
    try {
        check(tokens::readTrainedParts("/proc/self/fd/" + std::to_string(descriptor)));
    } catch (const Error&) {
    }
    close(descriptor);
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/memory_estimate.h"

#include "core/base/error.h"

#include <fstream>
#include <string>

namespace tamis {

std::uint64_t availableMemory()
{
    std::ifstream stream("/proc/meminfo");
    for (std::string key; stream >> key;) {
        std::uint64_t kibibytes = 0;
        if (key == "MemAvailable:" && stream >> kibibytes)
            return kibibytes * 1024;
        std::getline(stream, key);
    }
    return 0;
}

void requireMemory(std::uint64_t bytes, std::string_view what)
{
    const std::uint64_t available = availableMemory();
    if (available == 0 || bytes <= available / 10 * 9)
        return;
    const auto mebibytes = [](std::uint64_t b) { return std::to_string(b >> 20) + " MiB"; };
    throw Error(ErrorCode::OutOfMemory, "needs about " + mebibytes(bytes) + ", but only " + mebibytes(available) + " are free",
                std::string(what));
}

} // namespace tamis

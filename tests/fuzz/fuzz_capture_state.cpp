// SPDX-License-Identifier: GPL-3.0-or-later
// The state of an interrupted capture. An input that begins with "TAMISCAP" is the file as it is; of any other, pieces of two
// bytes of length and that many bytes become records with checksums that hold, so that what is behind them is reached.
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/measure/capture_state.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

using namespace tamis;

namespace {
constexpr std::string_view kMagic = "TAMISCAP";

void append(std::string& file, std::uint64_t value) { file.append(reinterpret_cast<const char*>(&value), sizeof value); }

std::string withChecksums(std::string_view input)
{
    std::vector<std::string_view> records;
    while (input.size() >= 2) {
        const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(input[0]) + 256u * static_cast<unsigned char>(input[1]), input.size() - 2);
        records.push_back(input.substr(2, length));
        input.remove_prefix(2 + length);
    }
    std::string file(kMagic);
    append(file, 1);
    append(file, records.size());
    for (const std::string_view record : records) {
        append(file, record.size());
        file += record;
        file += sha256(std::as_bytes(std::span(record.data(), record.size())));
    }
    return file;
}

// What readCaptureState promises.
void check(const measure::CaptureState& state)
{
    for (const auto& sums : state.sums) {
        const auto content = sums.state();
        const auto n = static_cast<std::size_t>(sums.features());
        if (n == 0 || content.sum.size() != n || content.gram.size() != n * n || content.samples.size() % n != 0 || content.heldOut.size() % n != 0)
            std::abort();
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::string_view given(reinterpret_cast<const char*>(input), size);
    const std::string file = given.starts_with(kMagic) ? std::string(given) : withChecksums(given);
    const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, file.data(), file.size()) != static_cast<ssize_t>(file.size()))
        std::abort();
    try {
        check(measure::readCaptureState("/proc/self/fd/" + std::to_string(descriptor), {}));
    } catch (const Error&) {
    }
    close(descriptor);
    return 0;
}

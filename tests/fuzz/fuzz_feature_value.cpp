// SPDX-License-Identifier: GPL-3.0-or-later
// A value from a remote store: a first byte that is odd puts the right checksum behind the rest, which nothing random would have. What is read must be written again to the same bytes, and read again.
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/remote/feature_value.h"

#include <cstdint>
#include <cstdlib>
#include <span>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    static const std::string key = remote::keyText("tamis", {"model", "inputs"});
    if (size == 0)
        return 0;
    std::string value(reinterpret_cast<const char*>(input + 1), size - 1);
    if (input[0] % 2 == 1) {
        const std::string both = key + "\n" + value;
        value += sha256(std::as_bytes(std::span(both.data(), both.size())));
    }
    remote::Features features;
    try {
        features = remote::decodeValue(key, value);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::MalformedFile)
            std::abort();
        return 0;
    }
    const std::string written = remote::encodeValue(key, features);
    if (written != value || remote::encodeValue(key, remote::decodeValue(key, written)) != written)
        std::abort();
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/shard_index.h"

#include <cstdlib>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    try {
        const io::ShardIndex index = io::parseShardIndex({reinterpret_cast<const char*>(input), size}, "fuzz");
        for (const auto& [tensor, file] : index.weightMap) // no name leads out of the directory
            if (tensor.empty() || file >= index.files.size() || index.files[file].find('/') != std::string::npos || index.files[file] == "..")
                std::abort();
    } catch (const Error&) {
    }
    return 0;
}

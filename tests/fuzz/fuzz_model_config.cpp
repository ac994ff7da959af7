// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/model_config.h"

#include <cstdlib>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    try {
        const io::ModelConfig config = io::parseModelConfig({reinterpret_cast<const char*>(input), size}, "fuzz");
        for (const auto& field : {config.hiddenSize, config.layers, config.heads, config.keyValueHeads, config.headDim, config.intermediateSize})
            if (field && (*field < 1 || *field > 2147483647))
                std::abort();
    } catch (const Error&) {
    }
    return 0;
}

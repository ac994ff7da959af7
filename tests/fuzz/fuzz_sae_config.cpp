// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/sae_config.h"

#include <cstdlib>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    for (const io::SaeLayout layout : {io::SaeLayout::Sparsify, io::SaeLayout::SaeLens}) {
        try {
            const io::SaeConfig config =
                io::parseSaeConfig({reinterpret_cast<const char*>(input), size}, layout, "fuzz");
            if (config.k < 0 || (config.width && *config.width < 1) || (config.latents && *config.latents < 1) ||
                config.layout != layout)
                std::abort();
            if (config.width && config.latents) { // what can be written reads back the same
                const std::string text = io::formatSaeConfig(config, "float32");
                const io::SaeConfig again = io::parseSaeConfig(text, layout, "again");
                if (again.k != config.k || again.activation != config.activation || again.latents != config.latents)
                    std::abort();
            }
        } catch (const Error& error) {
            if (error.subject() == "again")
                std::abort();
        }
    }
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
// The small files beside a model. The first byte of the input says which: labels, class names, token ids (text or array),
// image settings of the two kinds.
#include "core/base/error.h"
#include "core/inputs/image_preprocess_config.h"
#include "core/inputs/label_file.h"
#include "core/inputs/token_file.h"

#include <cstdlib>
#include <span>
#include <string_view>

using namespace tamis;
using namespace tamis::inputs;

namespace {
void check(const TokenSequences& sequences)
{
    for (const auto& sequence : sequences) {
        if (sequence.empty())
            std::abort();
        for (const std::int32_t id : sequence)
            if (id < 0 || id >= 1000)
                std::abort();
    }
}
void check(const ImagePreprocess& settings)
{
    checkImagePreprocess(settings, "fuzz"); // would throw again
    if (settings.values() > static_cast<std::size_t>(3 * kMaximumImagePixels))
        std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(input) + 1, size - 1);
    try {
        switch (input[0] % 6) {
        case 0:
            for (const auto& entry : parseImageLabels(text, 1000, "fuzz").entries)
                if (entry.classIndex < 0 || entry.classIndex >= 1000 || entry.file.empty())
                    std::abort();
            break;
        case 1:
            for (const std::string& name : parseClassNames(text, "fuzz"))
                if (name.empty())
                    std::abort();
            break;
        case 2: check(parseTokenText(text, 1000, "fuzz")); break;
        case 3: check(parseTokenArray(std::as_bytes(std::span(text.data(), text.size())), 1000, "fuzz")); break;
        case 4: check(parsePreprocessorConfig(text, "fuzz")); break;
        default: check(parseModelImageConfig(text, "fuzz")); break;
        }
    } catch (const Error&) {
    }
    return 0;
}

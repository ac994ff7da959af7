// SPDX-License-Identifier: GPL-3.0-or-later
// A tokenizer.json, and what it makes of a text: the first bytes of the input up to a NUL are the text, the rest is the file.
// Without a NUL the whole input is the file and a part of it the text.
#include "core/base/error.h"
#include "core/inputs/tokenizer.h"
#include "core/inputs/utf8.h"

#include <cstdlib>
#include <string_view>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::string_view whole(reinterpret_cast<const char*>(input), size);
    const std::size_t nul = whole.find('\0');
    const std::string_view text = nul == std::string_view::npos ? whole.substr(0, 200) : whole.substr(0, nul);
    try {
        const auto tokenizer = inputs::Tokenizer::parse(nul == std::string_view::npos ? whole : whole.substr(nul + 1), "fuzz");
        const auto ids = tokenizer->encode(text, true);
        for (const std::int32_t id : ids)
            if (id < 0 || id >= tokenizer->vocabularySize())
                std::abort();
        if (!inputs::isValidUtf8(tokenizer->decode(ids, true)) || !inputs::isValidUtf8(tokenizer->decode(ids)))
            std::abort();
    } catch (const Error&) {
    }
    return 0;
}

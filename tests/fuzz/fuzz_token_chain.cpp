// SPDX-License-Identifier: GPL-3.0-or-later
// Any text is either refused with an Error inside of it or a chain of methods that survives being printed and read again.
#include "core/base/error.h"
#include "core/tokens/chain_links.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using namespace tamis;
    std::vector<tokens::Link> links;
    try {
        links = tokens::parseLinks({reinterpret_cast<const char*>(bytes), size});
    } catch (const Error& error) {
        if (error.offset().value_or(0) > size)
            std::abort();
        return 0;
    }
    const std::string text = tokens::printLinks(links);
    if (!(tokens::parseLinks(text) == links) || tokens::printLinks(tokens::parseLinks(text)) != text)
        std::abort();
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/trace_names.h"

#include "core/io/byte_stream.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace tamis::app {
namespace {
constexpr std::size_t kMostBytes = std::size_t{64} << 20U, kMostObjects = 500'000, kLongest = 200;

bool ends(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ';'; }

std::string_view unquoted(std::string_view text)
{
    return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}
} // namespace

std::uint64_t keyId(std::string_view key) noexcept
{
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : key)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return hash;
}

std::map<std::uint64_t, std::string> traceNames(const std::filesystem::path& file, const cache::Trace& trace, const RunContext& context)
{
    std::map<std::uint64_t, std::string> names;
    if (trace.ids.size() > kMostObjects)
        return names;
    std::vector<std::uint64_t> wanted = trace.ids;
    std::ranges::sort(wanted);
    const auto stream = io::ByteStream::open(file);
    std::vector<std::byte> block(std::size_t{1} << 18U);
    std::string field;
    const auto take = [&] {
        const std::string_view key = unquoted(field);
        if (!key.empty() && key.size() <= kLongest)
            if (const std::uint64_t id = keyId(key); std::ranges::binary_search(wanted, id))
                names.try_emplace(id, key);
        field.clear();
    };
    for (std::size_t done = 0; done < kMostBytes && names.size() < wanted.size();) {
        context.throwIfStopped();
        const std::size_t read = stream->read(block);
        for (std::size_t i = 0; i < read; ++i) {
            const char c = static_cast<char>(block[i]);
            if (ends(c))
                take();
            else if (field.size() <= kLongest + 2)
                field += c;
        }
        done += read;
        if (read < block.size())
            break;
    }
    take();
    return names;
}

} // namespace tamis::app

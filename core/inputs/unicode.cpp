// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/unicode.h"

#include "core/inputs/unicode_tables.h"
#include "core/inputs/utf8.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <vector>

namespace tamis::inputs {
namespace {

constexpr char32_t kLimit = 0x110000;

// Hangul syllables, section 3.12 of the Unicode standard.
constexpr char32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTrails = 28, kSyllables = kLeads * kVowels * kTrails;

bool isWhiteSpace(char32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

std::uint8_t combiningClass(char32_t c)
{
    const auto* end = tables::kCombiningRuns + tables::kCombiningRunsCount;
    const auto* after = std::upper_bound(tables::kCombiningRuns, end, c, [](char32_t value, std::uint32_t run) { return value < run >> 8; });
    return static_cast<std::uint8_t>(after[-1] & 0xFF);
}

const tables::Decomposition* decompositionOf(char32_t c)
{
    const auto* end = tables::kDecompositions + tables::kDecompositionsCount;
    const auto* found = std::lower_bound(tables::kDecompositions, end, c, [](const auto& entry, char32_t value) { return entry.codePoint < value; });
    return found != end && found->codePoint == c ? found : nullptr;
}

void appendDecomposed(std::u32string& text, char32_t c)
{
    if (c >= kSyllable && c < kSyllable + kSyllables) {
        const char32_t index = c - kSyllable;
        text.push_back(kLead + index / (kVowels * kTrails));
        text.push_back(kVowel + index % (kVowels * kTrails) / kTrails);
        if (index % kTrails != 0)
            text.push_back(kTrail + index % kTrails);
        return;
    }
    if (const tables::Decomposition* entry = decompositionOf(c)) {
        appendDecomposed(text, entry->first); // the table is a finite tree: Unicode's decompositions nest at most four deep
        if (entry->second != 0)
            appendDecomposed(text, entry->second);
        return;
    }
    text.push_back(c);
}

/// The character that NFC makes of the two, or 0.
char32_t compositionOf(char32_t first, char32_t second)
{
    if (first >= kLead && first < kLead + kLeads && second >= kVowel && second < kVowel + kVowels)
        return kSyllable + ((first - kLead) * kVowels + (second - kVowel)) * kTrails;
    const bool open = first >= kSyllable && first < kSyllable + kSyllables && (first - kSyllable) % kTrails == 0;
    if (open && second > kTrail && second < kTrail + kTrails)
        return first + (second - kTrail);
    static const std::unordered_map<std::uint64_t, char32_t> pairs = [] {
        std::unordered_map<std::uint64_t, char32_t> map;
        for (std::size_t i = 0; i < tables::kDecompositionsCount; ++i)
            if (const tables::Decomposition& entry = tables::kDecompositions[i]; entry.composes != 0)
                map.emplace(std::uint64_t{entry.first} << 32 | entry.second, entry.codePoint);
        return map;
    }();
    const auto found = pairs.find(std::uint64_t{first} << 32 | second);
    return found != pairs.end() ? found->second : 0;
}

bool isAscii(const std::u32string& text)
{
    return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
}

char32_t lowerOf(char32_t c)
{
    const auto* end = tables::kLowerRuns + tables::kLowerRunsCount;
    const auto* run = std::lower_bound(tables::kLowerRuns, end, c, [](const auto& each, char32_t value) { return each.last < value; });
    if (run == end || c < run->first || (c - run->first) % static_cast<char32_t>(run->step) != 0)
        return c;
    return static_cast<char32_t>(static_cast<std::int32_t>(c) + run->delta);
}

} // namespace

const std::uint8_t* detail::characterTable()
{
    static const std::vector<std::uint8_t> table = [] {
        std::vector<std::uint8_t> values(kLimit);
        for (std::size_t run = 0; run < tables::kClassRunsCount; ++run) {
            const std::uint32_t start = tables::kClassRuns[run] >> 3;
            const std::uint32_t end = run + 1 < tables::kClassRunsCount ? tables::kClassRuns[run + 1] >> 3 : kLimit;
            std::fill(values.begin() + start, values.begin() + end, static_cast<std::uint8_t>(tables::kClassRuns[run] & 7));
        }
        for (char32_t c = 0; c <= 0x3000; ++c)
            if (isWhiteSpace(c))
                values[c] |= 8;
        return values;
    }();
    return table.data();
}

std::u32string lowercased(const std::u32string& text)
{
    std::u32string result;
    result.reserve(text.size());
    for (const char32_t c : text) {
        if (c < 0x80)
            result.push_back(c >= 'A' && c <= 'Z' ? c + 32 : c);
        else if (c == 0x130)
            result.append(U"i\u0307");
        else
            result.push_back(lowerOf(c));
    }
    return result;
}

std::u32string decomposed(const std::u32string& text)
{
    if (isAscii(text))
        return text;
    std::u32string result;
    result.reserve(text.size() + text.size() / 4);
    for (const char32_t c : text)
        appendDecomposed(result, c);
    // Runs of marks (class over 0) are sorted by class, equal ones in their order.
    for (std::size_t at = 0; at < result.size();) {
        if (combiningClass(result[at]) == 0) {
            ++at;
            continue;
        }
        std::size_t end = at + 1;
        while (end < result.size() && combiningClass(result[end]) != 0)
            ++end;
        std::stable_sort(result.begin() + static_cast<std::ptrdiff_t>(at), result.begin() + static_cast<std::ptrdiff_t>(end),
                         [](char32_t a, char32_t b) { return combiningClass(a) < combiningClass(b); });
        at = end;
    }
    return result;
}

std::u32string composed(const std::u32string& text)
{
    if (isAscii(text))
        return text;
    std::u32string result = decomposed(text);
    std::size_t written = 0, starter = std::u32string::npos; // positions in `result`
    int lastClass = -1;                                      // of the characters kept after the starter
    for (const char32_t c : std::u32string(result)) {
        const int combining = combiningClass(c);
        // A character is blocked from the starter by one in between of the same or a higher class.
        if (starter != std::u32string::npos && lastClass < combining) {
            if (const char32_t both = compositionOf(result[starter], c)) {
                result[starter] = both;
                continue;
            }
        }
        if (combining == 0)
            starter = written;
        lastClass = combining == 0 ? -1 : combining;
        result[written++] = c;
    }
    result.resize(written);
    return result;
}

std::string composedUtf8(std::string_view text)
{
    // Characters below U+0300 (bytes below CC) are starters, in form C, and never the second of a pair: only one of them before
    // a run of others can change with it.
    const auto isLow = [&](std::size_t i) { return static_cast<unsigned char>(text[i]) < 0xCC; };
    std::string result;
    result.reserve(text.size());
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (isLow(at)) { // continuation bytes among them
            ++at;
            continue;
        }
        std::size_t start = at; // back to the character before
        while (start > copied && (static_cast<unsigned char>(text[--start]) & 0xC0) == 0x80) {
        }
        while (at < text.size() && !isLow(at))
            at += codePointAt(text, at).bytes;
        result.append(text.substr(copied, start - copied)).append(toUtf8(composed(codePoints(text.substr(start, at - start)))));
        copied = at;
    }
    return result.append(text.substr(copied));
}

} // namespace tamis::inputs

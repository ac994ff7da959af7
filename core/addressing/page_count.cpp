// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/page_count.h"

#include "core/base/error.h"

#include <algorithm>
#include <vector>

namespace tamis::addressing {
namespace {
/// Different pages of ranges that are ascending and do not overlap.
std::uint64_t pagesOf(std::span<const ByteRange> sorted)
{
    std::uint64_t pages = 0, next = 0; // pages before `next` are counted
    for (const ByteRange& range : sorted) {
        const std::uint64_t first = std::max(range.offset / kPageBytes, next), end = (range.offset + range.bytes + kPageBytes - 1) / kPageBytes;
        if (end > first) {
            pages += end - first;
            next = end;
        }
    }
    return pages;
}
} // namespace

PageCount countPages(const EmbedTable& table, std::span<const std::int32_t> tokens, std::size_t batch)
{
    if (batch == 0)
        throw Error(ErrorCode::InvalidParameter, "found a batch of no tokens, expected at least 1", "batch");
    PageCount count;
    std::vector<std::int32_t> distinct;
    std::vector<ByteRange> ranges;
    for (std::size_t first = 0; first < tokens.size(); first += batch) {
        const auto piece = tokens.subspan(first, std::min(batch, tokens.size() - first));
        distinct.assign(piece.begin(), piece.end());
        std::ranges::sort(distinct);
        distinct.erase(std::ranges::unique(distinct).begin(), distinct.end());
        if (distinct.front() < 0 || distinct.back() >= table.shape().tokens)
            throw Error(ErrorCode::InvalidParameter, "found the token " + std::to_string(distinct.front() < 0 ? distinct.front() : distinct.back()) + ", the table has rows for 0 to " + std::to_string(table.shape().tokens - 1), "tokens");
        ranges.clear();
        for (const std::int32_t token : distinct)
            table.appendRanges(token, ranges);
        std::ranges::sort(ranges, {}, &ByteRange::offset);
        count.tokens += piece.size();
        count.usefulBytes += piece.size() * table.shape().tokenBytes();
        count.readBytes += distinct.size() * table.shape().tokenBytes();
        count.pages += pagesOf(ranges);
    }
    return count;
}

} // namespace tamis::addressing

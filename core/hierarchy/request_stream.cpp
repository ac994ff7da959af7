// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/request_stream.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/cache/trace.h"

#include <algorithm>

namespace tamis::hierarchy {

RequestStream loadRequests(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context)
{
    constexpr std::size_t kStretch = 65536; ///< requests
    const auto reader = io::TraceReader::open(file, options);
    RequestStream stream;
    stream.name = file.filename().string();
    cache::ObjectNumbers numbers;
    std::vector<io::TraceEntry> entries(kStretch);
    for (std::size_t got = kStretch; got == kStretch;) {
        context.throwIfStopped();
        got = reader->read(entries, context.stopToken());
        if (stream.objects.capacity() < stream.objects.size() + got)
            requireMemory(18 * (stream.objects.size() + got) + 48 * numbers.count(), "a trace of " + std::to_string(stream.requests()) + " requests or more");
        for (const io::TraceEntry& entry : std::span(entries).first(got)) {
            stream.objects.push_back(numbers.of(entry.id));
            if (reader->sized())
                stream.sizes.push_back(entry.size);
            if (reader->marksWrites())
                stream.writes.push_back(entry.write ? 1 : 0);
        }
        context.setFraction(reader->progress());
    }
    if (stream.objects.empty())
        throw Error(ErrorCode::MalformedFile, "found no request, expected one at least", file.string());
    stream.ids = numbers.takeIds();
    return stream;
}

PrefetchTable neighbouringIds(std::span<const std::uint64_t> ids, int degree, const RunContext& context)
{
    constexpr std::size_t kStretch = 65536; ///< objects, and comparisons, between looks at the stop
    PrefetchTable table{.each = static_cast<std::size_t>(degree), .byObject = true, .candidates = {}};
    std::vector<std::uint32_t> order;
    requireMemory(sizeof(std::uint32_t) * ids.size() * (table.each + 1), "the neighbours of " + std::to_string(ids.size()) + " objects");
    table.candidates.reserve(ids.size() * table.each);
    order.reserve(ids.size());
    while (order.size() < ids.size()) {
        context.throwIfStopped();
        for (const std::size_t end = std::min(order.size() + kStretch, ids.size()); order.size() < end;)
            order.push_back(static_cast<std::uint32_t>(order.size()));
        table.candidates.resize(order.size() * table.each, cache::kNever);
    }
    std::size_t compared = 0;
    std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
        if (++compared % kStretch == 0)
            context.throwIfStopped();
        return ids[a] < ids[b];
    });
    for (std::size_t place = 0; place < order.size(); ++place) {
        if (place % kStretch == 0)
            context.throwIfStopped();
        for (std::size_t ahead = place + 1; ahead < order.size() && ids[order[ahead]] - ids[order[place]] <= static_cast<std::uint64_t>(degree); ++ahead)
            table.candidates[order[place] * table.each + (ids[order[ahead]] - ids[order[place]] - 1)] = order[ahead];
    }
    return table;
}

} // namespace tamis::hierarchy

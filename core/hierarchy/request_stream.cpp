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

PrefetchTable neighbouringIds(std::span<const std::uint64_t> ids, int degree)
{
    PrefetchTable table{.each = static_cast<std::size_t>(degree), .byObject = true, .candidates = std::vector<std::uint32_t>(ids.size() * static_cast<std::size_t>(degree), cache::kNever)};
    std::vector<std::uint32_t> order(ids.size());
    for (std::uint32_t i = 0; i < order.size(); ++i)
        order[i] = i;
    std::ranges::sort(order, {}, [&](std::uint32_t object) { return ids[object]; });
    for (std::size_t place = 0; place < order.size(); ++place)
        for (std::size_t ahead = place + 1; ahead < order.size() && ids[order[ahead]] - ids[order[place]] <= static_cast<std::uint64_t>(degree); ++ahead)
            table.candidates[order[place] * table.each + (ids[order[ahead]] - ids[order[place]] - 1)] = order[ahead];
    return table;
}

} // namespace tamis::hierarchy

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/load_trace.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <algorithm>
#include <array>

namespace tamis::cache {
namespace {
constexpr std::size_t kStretch = 65536; ///< requests

void number(std::span<const io::TraceEntry> entries, ObjectNumbers& numbers, std::span<std::uint32_t> objects)
{
    std::array<std::uint64_t, 4096> ids;
    for (std::size_t first = 0; first < entries.size(); first += ids.size()) {
        const std::size_t count = std::min(ids.size(), entries.size() - first);
        std::ranges::transform(entries.subspan(first, count), ids.begin(), &io::TraceEntry::id);
        numbers.of(std::span<const std::uint64_t>(ids).first(count), objects.subspan(first));
    }
}

void requireRoom(const Trace& trace, const ObjectNumbers& numbers)
{
    const std::uint64_t bytes = trace.objects.capacity() * sizeof(std::uint32_t) + trace.sizes.capacity() * sizeof(std::uint32_t) + trace.times.capacity() * sizeof(std::int64_t) + (trace.costs.capacity() + trace.uniqueness.capacity()) * sizeof(float) +
                                numbers.count() * 24;
    requireMemory(2 * bytes, "a trace of " + std::to_string(trace.requests()) + " requests or more");
}
} // namespace

Trace loadTrace(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context)
{
    const auto reader = io::TraceReader::open(file, options);
    Trace trace;
    trace.name = file.filename().string();
    ObjectNumbers numbers;
    std::vector<io::TraceEntry> entries(kStretch);
    for (std::size_t got = kStretch; got == kStretch;) {
        context.throwIfStopped();
        got = reader->read(entries, context.stopToken());
        const std::size_t first = trace.objects.size();
        if (trace.objects.capacity() < first + got)
            requireRoom(trace, numbers);
        trace.objects.resize(first + got);
        number(std::span(entries).first(got), numbers, std::span(trace.objects).subspan(first));
        for (std::size_t i = 0; i < got; ++i) {
            if (reader->sized())
                trace.sizes.push_back(entries[i].size);
            if (reader->timed())
                trace.times.push_back(entries[i].time);
            if (reader->costed())
                trace.costs.push_back(entries[i].cost);
            if (reader->tellsUniqueness())
                trace.uniqueness.push_back(entries[i].uniqueness);
        }
        context.setFraction(reader->progress());
    }
    if (trace.objects.empty())
        throw Error(ErrorCode::MalformedFile, "found no request, expected one at least", file.string());
    trace.ids = numbers.takeIds();
    return trace;
}

std::uint64_t streamTrace(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context,
                          const std::function<void(const Requests&, std::size_t objects)>& take)
{
    const auto reader = io::TraceReader::open(file, options);
    ObjectNumbers numbers;
    std::vector<io::TraceEntry> entries(kStretch);
    std::vector<std::uint32_t> objects(kStretch), sizes(kStretch);
    std::vector<float> costs(kStretch), uniqueness(kStretch);
    std::uint64_t requests = 0;
    for (std::size_t got = kStretch; got == kStretch;) {
        context.throwIfStopped();
        got = reader->read(entries, context.stopToken());
        number(std::span(entries).first(got), numbers, objects);
        if (reader->sized())
            std::ranges::transform(entries, sizes.begin(), &io::TraceEntry::size);
        if (reader->costed())
            std::ranges::transform(entries, costs.begin(), &io::TraceEntry::cost);
        if (reader->tellsUniqueness())
            std::ranges::transform(entries, uniqueness.begin(), &io::TraceEntry::uniqueness);
        const auto told = [got]<class T>(bool there, const std::vector<T>& of) { return there ? std::span<const T>(of).first(got) : std::span<const T>(); };
        take({.objects = std::span(objects).first(got), .sizes = told(reader->sized(), sizes), .next = {}, .costs = told(reader->costed(), costs), .uniqueness = told(reader->tellsUniqueness(), uniqueness)},
             numbers.count());
        requests += got;
        context.setFraction(reader->progress());
    }
    if (requests == 0)
        throw Error(ErrorCode::MalformedFile, "found no request, expected one at least", file.string());
    return requests;
}

} // namespace tamis::cache

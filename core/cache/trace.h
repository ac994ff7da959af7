// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A list of requests in memory: 4 bytes each, and what the trace says of sizes and times.
#include "core/cache/policy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::cache {

/// One request as a file has it.
struct TraceRecord {
    std::uint64_t id = 0;
    std::uint32_t size = 1;
    std::int64_t time = 0;
};

struct Trace {
    std::string name;
    std::vector<std::uint32_t> objects; ///< [requests], 0 .. ids.size() - 1 in the order of the first request
    std::vector<std::uint64_t> ids;     ///< [objects] as in the file
    std::vector<std::uint32_t> sizes;   ///< [requests] bytes; empty: the trace has none, every object counts 1
    std::vector<std::int64_t> times;    ///< [requests] seconds; empty: none
    std::vector<float> costs;           ///< [requests] of computing or fetching it anew, in a unit of the trace's own; empty: the trace has none
    std::vector<float> uniqueness;      ///< [requests] 1 / number of similar objects, or another weight of that kind; empty: the trace has none, all 1
    bool sized() const noexcept { return !sizes.empty(); }
    bool costed() const noexcept { return !costs.empty(); }
    std::size_t requests() const noexcept { return objects.size(); }
    Requests view() const noexcept { return {objects, sizes, {}, costs, uniqueness}; }
    std::uint64_t workingSet() const; ///< bytes of all objects at their last size; objects where sizes are not known
};

/// Numbers for ids, in the order in which they come. 12 bytes an id and slot, grown by doubling.
class ObjectNumbers {
public:
    ObjectNumbers();
    std::uint32_t of(std::uint64_t id); ///< throws Error{LimitExceeded} beyond 4,000,000,000
    /// As of() one after another, with the memory of the next ones asked for ahead: three times as fast where the table is larger than the cache. `numbers` is as long as `ids`, or longer.
    void of(std::span<const std::uint64_t> ids, std::span<std::uint32_t> numbers);
    std::size_t count() const noexcept { return m_ids.size(); }
    const std::vector<std::uint64_t>& ids() const noexcept { return m_ids; }
    std::vector<std::uint64_t> takeIds() noexcept { return std::move(m_ids); }
    std::size_t bytesHeld() const noexcept { return m_ids.capacity() * sizeof(std::uint64_t) + m_slots.capacity() * sizeof(std::uint32_t); }
    void prefetch(std::uint64_t id) const noexcept;

private:
    std::uint32_t find(std::uint64_t id, std::uint64_t hash);
    void grow();
    std::vector<std::uint64_t> m_ids;
    std::vector<std::uint32_t> m_slots; ///< number + 1; 0: free
    std::uint64_t m_mask = 0;
};

/// [requests]: the request at which the same object comes again, or kNever.
std::vector<std::uint32_t> nextRequests(const Trace& trace);

} // namespace tamis::cache

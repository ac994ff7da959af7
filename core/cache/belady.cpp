// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/belady.h"

#include "core/cache/heap_policy.h"
#include "core/cache/sampled_policy.h"

#include <limits>

namespace tamis::cache {
namespace {
std::string nextText(std::uint32_t next) { return next == kNever ? "does not come again" : "comes again at request " + std::to_string(next); }

/// The farthest next request first.
class Belady final : public HeapPolicy<Belady, std::uint32_t> {
public:
    using HeapPolicy::HeapPolicy;
    bool touch(const Request& request)
    {
        if (!heap().contains(request.object))
            return false;
        heap().set(request.object, kNever - request.next);
        return true;
    }
    void insert(const Request& request) { enter(request, kNever - request.next); }
    std::string standing(std::uint32_t object) const override { return heap().contains(object) ? nextText(kNever - heap().key(object)) : std::string(); }
};

struct Entry {
    std::uint32_t object = 0, size = 1, next = kNever;
};

/// The largest size x time until the next request first, looked for among all that is held; what never comes again is not taken in.
class BeladySize final : public SampledPolicy<BeladySize, Entry> {
public:
    explicit BeladySize(std::uint64_t capacity) : SampledPolicy(capacity, std::numeric_limits<std::size_t>::max(), 0) {}
    bool touch(const Request& request)
    {
        ++m_now;
        Entry* entry = find(request.object);
        if (!entry)
            return false;
        entry->next = request.next;
        if (request.next == kNever) {
            tellEvicted(request.object);
            erase(request.object);
        }
        return true;
    }
    bool admits(const Request& request) const noexcept { return request.next != kNever && SampledPolicy::admits(request); }
    void insert(const Request& request) { put({request.object, request.size, request.next}); }
    double worth(const Entry& entry) const noexcept { return -static_cast<double>(entry.size) * (static_cast<double>(entry.next) - static_cast<double>(m_now)); }
    std::string standing(std::uint32_t object) const override
    {
        const Entry* entry = find(object);
        return entry ? nextText(entry->next) + ", size " + std::to_string(entry->size) : std::string();
    }

private:
    std::int64_t m_now = -1;
};
} // namespace

Method beladyMethod()
{
    Method method;
    method.declaration = {.id = "cache.belady", .lab = "cache", .title = "Belady's MIN (unit size only)", .reference = "Belady 1966: the farthest next request leaves; the least misses there can be where all objects are of one size and every newcomer is taken in", .schema = {}};
    method.knowsFuture = method.limit = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Belady>(inputs.capacity); };
    return method;
}

Method beladySizeMethod()
{
    Method method;
    method.declaration = {.id = "cache.belady-size", .lab = "cache", .title = "Belady by size and distance", .reference = "the largest size x time until the next request leaves: better than MIN where sizes differ, not proven best", .schema = {}};
    method.knowsFuture = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<BeladySize>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/trace.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace tamis::cache {
std::uint64_t Trace::workingSet() const
{
    if (!sized())
        return ids.size();
    std::vector<std::uint32_t> last(ids.size(), 0);
    for (std::size_t i = 0; i < objects.size(); ++i)
        last[objects[i]] = sizes[i];
    return std::accumulate(last.begin(), last.end(), std::uint64_t{0});
}

ObjectNumbers::ObjectNumbers() : m_slots(1024, 0), m_mask(1023) {}

void ObjectNumbers::prefetch(std::uint64_t id) const noexcept { __builtin_prefetch(&m_slots[mixedBits(id) & m_mask]); }

std::uint32_t ObjectNumbers::of(std::uint64_t id) { return find(id, mixedBits(id)); }

void ObjectNumbers::of(std::span<const std::uint64_t> ids, std::span<std::uint32_t> numbers)
{
    constexpr std::size_t kFar = 24, kNear = 12, kRing = 32; // requests ahead: the slot, then the id that the slot names
    std::array<std::uint64_t, kRing> hashes{};
    const std::size_t count = ids.size();
    for (std::size_t i = 0; i < std::min(kFar, count); ++i) {
        hashes[i] = mixedBits(ids[i]);
        __builtin_prefetch(&m_slots[hashes[i] & m_mask]);
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (i + kFar < count) {
            const std::uint64_t hash = mixedBits(ids[i + kFar]);
            hashes[(i + kFar) % kRing] = hash;
            __builtin_prefetch(&m_slots[hash & m_mask]);
        }
        if (i + kNear < count)
            if (const std::uint32_t number = m_slots[hashes[(i + kNear) % kRing] & m_mask]; number != 0)
                __builtin_prefetch(&m_ids[number - 1]);
        numbers[i] = find(ids[i], hashes[i % kRing]);
    }
}

std::uint32_t ObjectNumbers::find(std::uint64_t id, std::uint64_t hash)
{
    for (std::uint64_t slot = hash & m_mask;; slot = (slot + 1) & m_mask) {
        const std::uint32_t number = m_slots[slot];
        if (number != 0) {
            if (m_ids[number - 1] == id)
                return number - 1;
            continue;
        }
        if (m_ids.size() >= 4'000'000'000U)
            throw Error(ErrorCode::LimitExceeded, "found more than 4,000,000,000 objects, expected fewer", "trace");
        m_ids.push_back(id);
        m_slots[slot] = static_cast<std::uint32_t>(m_ids.size());
        if (2 * m_ids.size() > m_slots.size())
            grow();
        return static_cast<std::uint32_t>(m_ids.size() - 1);
    }
}

void ObjectNumbers::grow()
{
    m_slots.assign(2 * m_slots.size(), 0);
    m_mask = m_slots.size() - 1;
    for (std::size_t number = 0; number < m_ids.size(); ++number) {
        std::uint64_t slot = mixedBits(m_ids[number]) & m_mask;
        while (m_slots[slot] != 0)
            slot = (slot + 1) & m_mask;
        m_slots[slot] = static_cast<std::uint32_t>(number + 1);
    }
}

std::vector<std::uint32_t> nextRequests(const Trace& trace)
{
    if (trace.requests() >= kNever)
        throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(trace.requests()) + " requests, expected fewer than 4,294,967,295 to look ahead", trace.name);
    std::vector<std::uint32_t> next(trace.requests(), kNever), seen(trace.ids.size(), kNever);
    for (std::size_t i = trace.requests(); i-- > 0;) {
        next[i] = seen[trace.objects[i]];
        seen[trace.objects[i]] = static_cast<std::uint32_t>(i);
    }
    return next;
}

} // namespace tamis::cache

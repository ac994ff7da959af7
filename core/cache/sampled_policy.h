// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Policies whose order changes while nobody asks, so that no heap can hold it: the least worth of a sample leaves; and what such ones remember. Private to the lab.
#include "core/base/split_mix.h"
#include "core/cache/object_lists.h"
#include "core/cache/policy.h"

#include <algorithm>

namespace tamis::cache {

/// Entry has std::uint32_t object, size. Derived has double worth(const Entry&) const, and may hide gone(const Entry&), told of what is about to
/// leave. All that is held is looked at where it is no more than the sample; else draws with replacement. Equal: the first that was looked at.
template <class Derived, class Entry> class SampledPolicy : public EvictingPolicy<Derived> {
public:
    SampledPolicy(std::uint64_t capacity, std::size_t sample, std::uint64_t seed) : EvictingPolicy<Derived>(capacity), m_sample(sample), m_state(seed) {}
    void know(std::size_t objects) override
    {
        if (objects > m_places.size())
            m_places.resize(objects, kNoObject);
    }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_places[object], 1); }
    void evict()
    {
        const bool all = m_held.size() <= m_sample;
        std::size_t worst = 0;
        double least = 0;
        for (std::size_t i = 0; i < (all ? m_held.size() : m_sample); ++i) {
            const std::size_t place = all ? i : static_cast<std::size_t>(nextBits(m_state) % m_held.size());
            const double worth = self().worth(m_held[place]);
            if (i == 0 || worth < least) {
                least = worth;
                worst = place;
            }
        }
        const std::uint32_t object = m_held[worst].object;
        self().gone(m_held[worst]);
        this->tellEvicted(object);
        erase(object);
    }
    bool erase(std::uint32_t object) override
    {
        const std::uint32_t place = m_places[object];
        if (place == kNoObject)
            return false;
        m_bytes -= m_held[place].size;
        m_places[object] = kNoObject;
        m_held[place] = m_held.back();
        m_held.pop_back();
        if (place < m_held.size())
            m_places[m_held[place].object] = place;
        return true;
    }
    bool canErase() const noexcept override { return true; }
    std::string standing(std::uint32_t object) const override
    {
        const Entry* entry = find(object);
        return entry ? "worth " + std::to_string(static_cast<const Derived&>(*this).worth(*entry)) + ", the least of a sample leaves" : std::string();
    }
    void gone(const Entry&) const noexcept {}
    std::uint64_t occupied() const noexcept override { return m_bytes; }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::pair<double, std::uint32_t>> sorted;
        for (const Entry& each : m_held)
            sorted.emplace_back(-static_cast<const Derived&>(*this).worth(each), each.object);
        std::ranges::sort(sorted);
        std::vector<std::uint32_t> held;
        for (const auto& each : sorted)
            held.push_back(each.second);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_places.capacity() * sizeof(std::uint32_t) + m_held.capacity() * sizeof(Entry); }

protected:
    /// nullptr: not held.
    Entry* find(std::uint32_t object) noexcept { return m_places[object] == kNoObject ? nullptr : &m_held[m_places[object]]; }
    const Entry* find(std::uint32_t object) const noexcept { return m_places[object] == kNoObject ? nullptr : &m_held[m_places[object]]; }
    void put(const Entry& entry)
    {
        m_bytes += entry.size;
        m_places[entry.object] = static_cast<std::uint32_t>(m_held.size());
        m_held.push_back(entry);
    }
    const std::vector<Entry>& held() const noexcept { return m_held; }

private:
    Derived& self() noexcept { return static_cast<Derived&>(*this); }
    std::vector<Entry> m_held;
    std::vector<std::uint32_t> m_places;
    std::size_t m_sample;
    std::uint64_t m_bytes = 0, m_state;
};

/// One that remembers objects whether it holds them or not: a Past each, as it is made at first.
template <class Derived, class Entry, class Past> class RememberingPolicy : public SampledPolicy<Derived, Entry> {
    using Base = SampledPolicy<Derived, Entry>;

public:
    using Base::Base;
    void know(std::size_t objects) override
    {
        Base::know(objects);
        if (objects > m_pasts.size())
            m_pasts.resize(objects);
    }
    std::size_t stateBytes() const noexcept override { return Base::stateBytes() + m_pasts.capacity() * sizeof(Past); }

protected:
    Past& past(std::uint32_t object) noexcept { return m_pasts[object]; }
    const Past& past(std::uint32_t object) const noexcept { return m_pasts[object]; }

private:
    std::vector<Past> m_pasts; ///< [objects]
};

} // namespace tamis::cache

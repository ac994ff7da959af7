// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/random_eviction.h"

#include "core/base/split_mix.h"
#include "core/cache/object_lists.h"

namespace tamis::cache {
namespace {
class RandomEviction final : public EvictingPolicy<RandomEviction> {
public:
    RandomEviction(std::uint64_t capacity, std::uint64_t seed) : EvictingPolicy(capacity), m_state(seed) {}
    void know(std::size_t objects) override
    {
        if (objects > m_places.size()) {
            m_places.resize(objects, kNoObject);
            m_sizes.resize(objects);
        }
    }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_places[object], 1); }
    bool touch(const Request& request) const noexcept { return m_places[request.object] != kNoObject; }
    void evict()
    {
        const std::uint32_t object = m_held[static_cast<std::size_t>(nextBits(m_state) % m_held.size())];
        tellEvicted(object);
        erase(object);
    }
    bool erase(std::uint32_t object) override
    {
        const std::uint32_t place = m_places[object];
        if (place == kNoObject)
            return false;
        m_bytes -= m_sizes[object];
        m_places[object] = kNoObject;
        m_held[place] = m_held.back();
        m_held.pop_back();
        if (place < m_held.size())
            m_places[m_held[place]] = place;
        return true;
    }
    bool canErase() const noexcept override { return true; }
    void insert(const Request& request)
    {
        m_sizes[request.object] = request.size;
        m_bytes += request.size;
        m_places[request.object] = static_cast<std::uint32_t>(m_held.size());
        m_held.push_back(request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_bytes; }
    std::vector<std::uint32_t> contents() const override { return m_held; }
    std::size_t stateBytes() const noexcept override { return (m_places.capacity() + m_sizes.capacity() + m_held.capacity()) * sizeof(std::uint32_t); }
    std::string standing(std::uint32_t) const override { return "as likely to leave as any of the " + std::to_string(m_held.size()) + " held"; }

private:
    std::vector<std::uint32_t> m_held, m_places, m_sizes;
    std::uint64_t m_bytes = 0, m_state;
};
} // namespace

Method randomMethod()
{
    Method method;
    method.declaration = {.id = "cache.random", .lab = "cache", .title = "Random", .reference = "any object leaves, all alike", .schema = {}};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<RandomEviction>(inputs.capacity, inputs.seed); };
    return method;
}

} // namespace tamis::cache

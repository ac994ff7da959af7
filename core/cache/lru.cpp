// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/lru.h"

#include "core/cache/queue_policy.h"

namespace tamis::cache {
namespace {
/// By the last request: the oldest leaves (LRU), or the newest (MRU).
template <bool Newest> class ByRecency final : public QueuePolicy<ByRecency<Newest>> {
    using Base = QueuePolicy<ByRecency<Newest>>;

public:
    using Base::Base;
    bool touch(const Request& request) noexcept
    {
        if (this->queue()[request.object].list == 0)
            return false;
        this->queue().moveToFront(request.object);
        return true;
    }
    std::uint32_t victim() noexcept { return Newest ? this->queue().front(Base::kQueue) : this->queue().back(Base::kQueue); }
    std::string standing(std::uint32_t object) const override { return "by recency " + placeText(this->queue(), object); }
    std::vector<std::uint32_t> contents() const override
    {
        const std::vector<std::uint32_t> held = Base::contents();
        return Newest ? std::vector<std::uint32_t>(held.rbegin(), held.rend()) : held;
    }
};
} // namespace

Method lruMethod()
{
    Method method;
    method.declaration = {.id = "cache.lru", .lab = "cache", .title = "Least recently used", .reference = "the object whose last request is the oldest leaves", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<ByRecency<false>>(inputs.capacity); };
    return method;
}

Method mruMethod()
{
    Method method;
    method.declaration = {.id = "cache.mru", .lab = "cache", .title = "Most recently used", .reference = "the object whose last request is the newest leaves: right for loops longer than the cache", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<ByRecency<true>>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/sieve.h"

#include "core/cache/queue_policy.h"

namespace tamis::cache {
namespace {
class Sieve final : public QueuePolicy<Sieve> {
public:
    using QueuePolicy::QueuePolicy;
    bool touch(const Request& request) noexcept
    {
        ObjectNode& node = queue()[request.object];
        if (node.list == 0)
            return false;
        node.mark = 1;
        return true;
    }
    /// The hand goes from the back to the front and stays where it took one away.
    std::uint32_t victim() noexcept
    {
        std::uint32_t object = m_hand == kNoObject ? queue().back(kQueue) : m_hand;
        while (queue()[object].mark != 0) {
            queue()[object].mark = 0;
            object = queue()[object].towardsFront == kNoObject ? queue().back(kQueue) : queue()[object].towardsFront;
        }
        m_hand = queue()[object].towardsFront;
        return object;
    }
    void leaving(std::uint32_t object) noexcept
    {
        if (m_hand == object)
            m_hand = queue()[object].towardsFront;
    }
    std::string standing(std::uint32_t object) const override { return queue()[object].mark != 0 ? "requested since the hand came by" : "not requested since the hand came by"; }

private:
    std::uint32_t m_hand = kNoObject;
};
} // namespace

Method sieveMethod()
{
    Method method;
    method.declaration = {.id = "cache.sieve", .lab = "cache", .title = "SIEVE", .reference = "Zhang et al. 2024: one bit an object, newcomers at the front, a hand that stays where it evicted", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Sieve>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache

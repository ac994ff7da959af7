// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/fifo.h"

#include "core/cache/queue_policy.h"

namespace tamis::cache {
namespace {
class Fifo final : public QueuePolicy<Fifo> {
public:
    using QueuePolicy::QueuePolicy;
    bool touch(const Request& request) noexcept { return queue()[request.object].list != 0; }
    std::uint32_t victim() noexcept { return queue().back(kQueue); }
    std::string standing(std::uint32_t object) const override { return "the queue's " + placeText(queue(), object); }
};
} // namespace

Method fifoMethod()
{
    Method method;
    method.declaration = {.id = "cache.fifo", .lab = "cache", .title = "First in, first out", .reference = "the object that was put in first leaves first", .schema = {}};
    method.policy = [](const PolicyInputs& inputs, const Parameters&) { return std::make_unique<Fifo>(inputs.capacity); };
    return method;
}

} // namespace tamis::cache

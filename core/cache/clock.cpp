// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/clock.h"

#include "core/cache/queue_policy.h"

#include <algorithm>

namespace tamis::cache {
namespace {
class Clock final : public QueuePolicy<Clock> {
public:
    Clock(std::uint64_t capacity, int bits) : QueuePolicy(capacity), m_most(static_cast<std::uint16_t>((1U << static_cast<unsigned>(bits)) - 1U)) {}
    bool touch(const Request& request) noexcept
    {
        ObjectNode& node = queue()[request.object];
        if (node.list == 0)
            return false;
        node.count = std::min<std::uint16_t>(static_cast<std::uint16_t>(node.count + 1), m_most);
        return true;
    }
    std::uint32_t victim() noexcept
    {
        std::uint32_t object = queue().back(kQueue);
        for (; queue()[object].count > 0; object = queue().back(kQueue)) {
            --queue()[object].count;
            queue().moveToFront(object);
        }
        return object;
    }
    std::string standing(std::uint32_t object) const override
    {
        const std::uint16_t rounds = queue()[object].count;
        return rounds == 0 ? "no second chance left" : "to be passed over " + timesText(rounds);
    }

private:
    std::uint16_t m_most;
};
} // namespace

Method clockMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.clock",
        .lab = "cache",
        .title = "Clock (second chance)",
        .reference = "Corbato 1968: who was requested since goes round once more; with n bits up to 2^n - 1 times",
        .schema = ParameterSchema({{.name = "bits", .title = "Bits", .type = ParameterType::Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 8, .unit = "bits",
                                    .help = "Of the counter of requests"}})};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        return std::make_unique<Clock>(inputs.capacity, static_cast<int>(clockMethod().declaration.schema.complete(given).integer("bits")));
    };
    return method;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/object_sample.h"

#include "core/base/split_mix.h"

#include <cmath>

namespace tamis::cache {

ObjectSample sampleObjects(const Trace& trace, double rate, std::uint64_t salt, std::uint64_t warmUp, const RunContext& context)
{
    const double limit = std::ldexp(rate, 53);
    std::vector<std::uint32_t> numbers(trace.ids.size(), kNever);
    ObjectSample sample;
    sample.trace.name = trace.name;
    for (std::size_t object = 0; object < trace.ids.size(); ++object)
        if (static_cast<double>(mixedBits(trace.ids[object] ^ mixedBits(salt + kSplitMixStep)) >> 11U) < limit)
            numbers[object] = 0; // named by its turn below
    std::uint32_t next = 0;
    std::vector<bool> named(trace.ids.size(), false);
    for (std::size_t i = 0; i < trace.requests(); ++i) {
        if (i % 65536 == 0)
            context.throwIfStopped();
        const std::uint32_t object = trace.objects[i];
        if (numbers[object] == kNever)
            continue;
        if (!named[object]) {
            named[object] = true;
            numbers[object] = next++;
            sample.trace.ids.push_back(trace.ids[object]);
        }
        sample.trace.objects.push_back(numbers[object]);
        if (trace.sized())
            sample.trace.sizes.push_back(trace.sizes[i]);
        if (trace.costed())
            sample.trace.costs.push_back(trace.costs[i]);
        if (!trace.uniqueness.empty())
            sample.trace.uniqueness.push_back(trace.uniqueness[i]);
        sample.warmUp += i < warmUp ? 1U : 0U;
    }
    return sample;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/training_samples.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <map>

namespace tamis::lowrank {
namespace {
constexpr std::size_t kCacheBytes = std::size_t{512} << 20;

std::size_t bytesOf(const measure::LoadedSample& sample) { return 4 * (sample.image.size() + sample.tokens.size() + sample.tokenTypes.size()); }
} // namespace

TrainingSamples::TrainingSamples(std::shared_ptr<const measure::SampleSource> source, std::size_t checked, std::uint64_t seed)
    : m_source(std::move(source))
{
    const std::size_t count = m_source ? m_source->count() : 0;
    if (count == 0)
        throw Error(ErrorCode::InvalidParameter, "there is no sample, expected photos or text to train on", "samples");
    const std::size_t held = std::min(checked, count / 5);
    train::SampleOrder order(static_cast<std::int64_t>(count), seed);
    for (std::size_t i = 0; i < count; ++i)
        (i < held ? m_checked : m_training).push_back(static_cast<std::size_t>(order.at(static_cast<std::int64_t>(i))));
    std::ranges::sort(m_checked);
    std::ranges::sort(m_training);
    m_order = std::make_unique<train::SampleOrder>(static_cast<std::int64_t>(m_training.size()), seed + 1);
    m_cache.resize(count);
}

std::span<const measure::LoadedSample> TrainingSamples::load(const std::vector<std::size_t>& indices, const RunContext& context)
{
    m_current.resize(indices.size());
    parallelFor(context, indices.size(), [&](std::size_t i) {
        if (const auto& kept = m_cache[indices[i]])
            m_current[i] = *kept;
        else
            m_source->load(indices[i], m_current[i]);
    });
    for (std::size_t i = 0; i < indices.size(); ++i) {
        if (m_cache[indices[i]] || m_cachedBytes + bytesOf(m_current[i]) > kCacheBytes)
            continue;
        m_cache[indices[i]] = std::make_unique<const measure::LoadedSample>(m_current[i]);
        m_cachedBytes += bytesOf(m_current[i]);
    }
    return m_current;
}

std::span<const measure::LoadedSample> TrainingSamples::batch(std::int64_t step, std::int64_t batch, const RunContext& context)
{
    std::vector<std::size_t> indices;
    for (std::int64_t i = 0; i < batch; ++i)
        indices.push_back(m_training[static_cast<std::size_t>(m_order->at(step * batch + i))]);
    return load(indices, context);
}

std::span<const measure::LoadedSample> TrainingSamples::checked(std::size_t begin, std::size_t count, const RunContext& context)
{
    return load({m_checked.begin() + static_cast<std::ptrdiff_t>(begin), m_checked.begin() + static_cast<std::ptrdiff_t>(begin + count)}, context);
}

std::vector<std::vector<std::size_t>> groupsOfOneLength(std::span<const measure::LoadedSample> samples)
{
    std::map<std::size_t, std::vector<std::size_t>> byLength;
    for (std::size_t i = 0; i < samples.size(); ++i)
        byLength[samples[i].tokens.size()].push_back(i);
    std::vector<std::vector<std::size_t>> groups;
    for (auto& [length, group] : byLength)
        groups.push_back(std::move(group));
    return groups;
}

} // namespace tamis::lowrank

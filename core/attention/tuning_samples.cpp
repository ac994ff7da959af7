// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/tuning_samples.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <string>

namespace tamis::attention {
namespace {
constexpr std::size_t kKeptBytes = std::size_t{512} << 20U;
} // namespace

TuningSamples::TuningSamples(const nn::Model& model, const measure::SampleSource& source, double share, std::int64_t length) : m_model(model), m_source(source), m_length(length)
{
    const std::size_t count = source.count();
    if (count < 2)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(count) + " samples, expected two at least: one to train on and one kept apart", source.description());
    const auto apart = std::clamp<std::size_t>(static_cast<std::size_t>(share * static_cast<double>(count)), 1, count - 1);
    for (std::size_t i = 0, next = 0; i < count; ++i) { // spread evenly: the end of a text is of one subject, of a folder of one class
        const bool check = next < apart && i == (2 * next + 1) * count / (2 * apart);
        (check ? m_checked : m_trained).push_back(i);
        next += check ? 1 : 0;
    }
    m_kept.resize(count);
}

std::vector<const measure::LoadedSample*> TuningSamples::at(std::span<const std::size_t> places, const RunContext& context)
{
    m_passing.clear();
    m_passing.resize(places.size());
    parallelFor(context, places.size(), [&](std::size_t i) {
        if (m_kept[places[i]])
            return;
        auto loaded = std::make_unique<measure::LoadedSample>();
        measure::loadChecked(m_source, places[i], m_model, *loaded);
        if (m_length > 0 && static_cast<std::int64_t>(loaded->tokens.size()) > m_length)
            loaded->tokens.resize(static_cast<std::size_t>(m_length));
        m_passing[i] = std::move(loaded);
    });
    std::vector<const measure::LoadedSample*> samples;
    for (std::size_t i = 0; i < places.size(); ++i) {
        auto& kept = m_kept[places[i]];
        if (m_passing[i] && !kept) {
            const std::size_t bytes = 4 * (m_passing[i]->image.size() + m_passing[i]->tokens.size());
            if (m_bytes + bytes <= kKeptBytes) {
                m_bytes += bytes;
                kept = std::move(m_passing[i]);
            }
        }
        samples.push_back(kept ? kept.get() : m_passing[i].get());
    }
    return samples;
}

} // namespace tamis::attention

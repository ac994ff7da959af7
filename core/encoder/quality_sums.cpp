// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/quality_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::encoder {
namespace {
using report::TokenOutcome;

struct CountedRecall {
    double recall;
    std::int64_t tokens;
};

/// The ceil(percent n / 100)-th smallest of n recalls, the smallest for 0 percent. `rising` is in order.
double nearestRank(const std::vector<CountedRecall>& rising, std::int64_t n, int percent)
{
    // n / 100 and the rest apart: 100 n may not fit
    std::int64_t rank = std::max<std::int64_t>(1, n / 100 * percent + (n % 100 * percent + 99) / 100);
    for (const CountedRecall& each : rising)
        if ((rank -= each.tokens) <= 0)
            return each.recall;
    return rising.back().recall;
}
} // namespace

QualitySums::QualitySums(std::shared_ptr<const Dictionary> dictionary, std::int64_t tokens, std::int64_t outcomes)
    : m_dictionary(std::move(dictionary)), m_planned(tokens), m_mostOutcomes(std::min(tokens, std::max<std::int64_t>(outcomes, 1)))
{
    const auto latents = static_cast<std::size_t>(m_dictionary->latents());
    m_missed.resize(latents);
    m_active.resize(latents);
    m_place.assign(latents, -1);
    double energy = 0;
    for (const double norm : m_dictionary->rowNorms())
        energy += norm * norm;
    m_rowScale = std::sqrt(energy / static_cast<double>(latents) / static_cast<double>(m_dictionary->width()));
    m_leastMargin = std::numeric_limits<double>::infinity();
}

TokenOutcome QualitySums::compare(std::span<const std::int32_t> wanted, std::span<const float> wantedValues, std::span<const std::int32_t> got, std::span<const float> gotValues)
{
    const auto placeOf = [this](std::int32_t latent) -> std::int32_t& { return m_place[static_cast<std::size_t>(latent)]; };
    for (std::size_t i = got.size(); i-- > 0;) // of one listed twice the first counts
        placeOf(got[i]) = static_cast<std::int32_t>(i);
    TokenOutcome outcome;
    outcome.exact = static_cast<std::int64_t>(wanted.size());
    double error = 0, energy = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto latent = static_cast<std::size_t>(wanted[i]);
        ++m_active[latent];
        const std::int32_t place = m_place[latent];
        if (place < 0) {
            ++m_missed[latent];
            continue;
        }
        ++outcome.found;
        const double value = static_cast<double>(wantedValues[i]), difference = static_cast<double>(gotValues[static_cast<std::size_t>(place)]) - value;
        error += difference * difference;
        energy += value * value;
    }
    for (const std::int32_t latent : got)
        placeOf(latent) = -1;
    m_error.add(error);
    m_energy.add(energy);
    if (outcome.exact > 0) {
        outcome.recall = static_cast<double>(outcome.found) / static_cast<double>(outcome.exact);
        ++m_recalls[{outcome.exact, outcome.found}];
    }
    return outcome;
}

/// Bounds are told over the spread that scores have where rows point anywhere: rms |w| |x| / sqrt(D).
void QualitySums::addCertificate(const TokenCertificate& certificate, std::span<const float> x, TokenOutcome& outcome)
{
    ++m_certified;
    m_candidates += certificate.candidates;
    m_mostCandidates = std::max<std::int64_t>(m_mostCandidates, certificate.candidates);
    m_dense += certificate.dense;
    m_leastMargin = std::min(m_leastMargin, static_cast<double>(certificate.margin));
    outcome.candidates = certificate.candidates;
    outcome.margin = static_cast<double>(certificate.margin);
    outcome.dense = certificate.dense;
    outcome.failure = static_cast<double>(certificate.failure);
    double length = 0;
    for (const float value : x)
        length += static_cast<double>(value) * static_cast<double>(value);
    if (const double spread = m_rowScale * std::sqrt(length); spread > 0)
        outcome.bound = static_cast<double>(certificate.bound) / spread;
}

void QualitySums::keep(const CodedTokens& tokens, std::int64_t at, const TokenOutcome& outcome)
{
    m_outcomes.push_back(outcome);
    const auto row = tokens.prepared.row(at);
    m_keptRows.insert(m_keptRows.end(), row.begin(), row.end());
    const auto latents = tokens.exact->latentsOf(at);
    const auto values = tokens.exact->valuesOf(at);
    m_keptExact.latents.insert(m_keptExact.latents.end(), latents.begin(), latents.end());
    m_keptExact.values.insert(m_keptExact.values.end(), values.begin(), values.end());
    m_keptExact.first.push_back(m_keptExact.latents.size());
}

void QualitySums::add(const CodedTokens& tokens)
{
    const bool certified = tokens.trace && !tokens.trace->certificates.empty();
    for (std::int64_t t = 0; t < tokens.prepared.rows; ++t, ++m_tokens) {
        TokenOutcome outcome = compare(tokens.exact->latentsOf(t), tokens.exact->valuesOf(t), tokens.codes->latentsOf(t), tokens.codes->valuesOf(t));
        if (certified)
            addCertificate(tokens.trace->certificates[static_cast<std::size_t>(t)], tokens.prepared.row(t), outcome);
        const auto next = static_cast<std::int64_t>(m_outcomes.size());
        if (next < m_mostOutcomes && m_tokens == next * m_planned / m_mostOutcomes)
            keep(tokens, t, outcome);
    }
    m_activeCodes += static_cast<std::int64_t>(tokens.codes->latents.size());
    m_activeExact += static_cast<std::int64_t>(tokens.exact->latents.size());
    if (tokens.trace)
        m_rowsScored.add(tokens.trace->rowsScored * static_cast<double>(tokens.prepared.rows));
}

void QualitySums::fillRecall(report::EncoderQuality& quality) const
{
    if (m_recalls.empty())
        return;
    std::vector<CountedRecall> rising;
    std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> bySize; // exact -> tokens, found in all
    std::int64_t tokens = 0;
    for (const auto& [set, count] : m_recalls) {
        rising.push_back({static_cast<double>(set.second) / static_cast<double>(set.first), count});
        bySize[set.first].first += count;
        bySize[set.first].second += count * set.second;
        tokens += count;
    }
    std::ranges::sort(rising, {}, &CountedRecall::recall);
    CompensatedSum sum;
    for (const auto& [exact, counted] : bySize)
        sum.add(static_cast<double>(counted.second) / static_cast<double>(exact));
    quality.recallMean = sum.value() / static_cast<double>(tokens);
    quality.recallP5 = nearestRank(rising, tokens, 5);
    quality.recallP1 = nearestRank(rising, tokens, 1);
    quality.recallMin = rising.front().recall;
    if (m_energy.value() > 0)
        quality.valueError = std::sqrt(m_error.value() / m_energy.value());
}

std::vector<report::MissedLatent> QualitySums::mostMissed(std::size_t most) const
{
    std::vector<report::MissedLatent> missed;
    for (std::size_t i = 0; i < m_missed.size(); ++i)
        if (m_missed[i] > 0)
            missed.push_back({static_cast<std::int32_t>(i), m_missed[i], m_active[i]});
    std::ranges::sort(missed, [](const auto& a, const auto& b) { return a.count != b.count ? a.count > b.count : a.latent < b.latent; });
    missed.resize(std::min(missed.size(), most));
    return missed;
}

void QualitySums::fill(report::EncoderReport& report, std::size_t missed) const
{
    const auto tokens = static_cast<double>(m_tokens);
    report.tokens = m_tokens;
    fillRecall(report.quality);
    report.missed = mostMissed(missed);
    report.quality.meanActive = static_cast<double>(m_activeCodes) / tokens;
    report.quality.meanActiveExact = static_cast<double>(m_activeExact) / tokens;
    report.outcomes = m_outcomes;
    report.exactLatents = m_keptExact.latents;
    report.certified = m_certified > 0;
    if (!report.certified)
        return;
    report.certificate = {static_cast<double>(m_candidates) / static_cast<double>(m_certified), m_mostCandidates, m_dense, m_leastMargin};
    const double rows = m_rowsScored.value() / tokens; // what its exact scores took on these tokens, which no shape foretells
    report.cost.macs += rows * static_cast<double>(report.width);
    report.cost.bytesRead += rows * 4 * static_cast<double>(report.width + 1);
}

tensor::MatrixView<const float> QualitySums::keptRows() const noexcept
{
    const std::int64_t width = m_dictionary->width();
    return {m_keptRows.data(), static_cast<std::int64_t>(m_outcomes.size()), width, width};
}

} // namespace tamis::encoder

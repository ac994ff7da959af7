// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an encoder found of the exact sets, added up over tokens that come a few at a time. Private to the lab.
#include "core/encoder/dictionary.h"
#include "core/encoder/running_sums.h"
#include "core/encoder/topk_encoder.h"
#include "core/report/encoder_report.h"

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace tamis::encoder {

/// Tokens in their order; prepared [n, D], codes of n tokens.
struct CodedTokens {
    tensor::MatrixView<const float> prepared;
    const SparseCodes* exact = nullptr;
    const SparseCodes* codes = nullptr;
    const EncodeTrace* trace = nullptr; ///< of `codes`; may be null
};

/// In memory that does not grow with the tokens: counters of latents, the count of each (size of the exact set, latents found), from which
/// means and percentiles of recall follow exactly, and of at most `outcomes` evenly spread tokens what a report says of single ones.
class QualitySums {
public:
    /// `tokens`: how many there will be in all.
    QualitySums(std::shared_ptr<const Dictionary> dictionary, std::int64_t tokens, std::int64_t outcomes);
    void add(const CodedTokens& tokens);
    std::int64_t tokens() const noexcept { return m_tokens; } ///< so far
    /// Recall, value error, active latents, what is missed, outcomes, certificates; the exact scores of certified encoders are added to
    /// `report.cost`. `missed`: latents listed at most.
    void fill(report::EncoderReport& report, std::size_t missed) const;
    /// Of the tokens that outcomes are kept of, so far: prepared [n, D], and their exact sets.
    tensor::MatrixView<const float> keptRows() const noexcept;
    const SparseCodes& keptExact() const noexcept { return m_keptExact; }

private:
    report::TokenOutcome compare(std::span<const std::int32_t> wanted, std::span<const float> wantedValues, std::span<const std::int32_t> got, std::span<const float> gotValues);
    void addCertificate(const TokenCertificate& certificate, std::span<const float> x, report::TokenOutcome& outcome);
    void keep(const CodedTokens& tokens, std::int64_t at, const report::TokenOutcome& outcome);
    void fillRecall(report::EncoderQuality& quality) const;
    std::vector<report::MissedLatent> mostMissed(std::size_t most) const;

    std::shared_ptr<const Dictionary> m_dictionary;
    std::int64_t m_planned, m_mostOutcomes, m_tokens = 0;
    double m_rowScale = 0; ///< rms |w| / sqrt(D)
    std::vector<std::int64_t> m_missed, m_active; ///< [M]
    std::vector<std::int32_t> m_place;            ///< [M], -1: scratch of compare()
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> m_recalls; ///< (exact, found) -> tokens; without empty exact sets
    CompensatedSum m_error, m_energy, m_rowsScored;
    std::int64_t m_activeCodes = 0, m_activeExact = 0; ///< latents of all codes
    std::int64_t m_certified = 0, m_candidates = 0, m_mostCandidates = 0, m_dense = 0;
    double m_leastMargin = 0;
    std::vector<report::TokenOutcome> m_outcomes;
    std::vector<float> m_keptRows;
    SparseCodes m_keptExact;
};

} // namespace tamis::encoder

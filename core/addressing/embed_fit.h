// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A table for DeepEmbed fitted in closed form: what scale of each feature, token by token, brings the output of a cheaper feed-forward part back to
// that of the whole one.
#include "core/addressing/embed_table.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::addressing {

struct EmbedFitSettings {
    double ridge = 1;         ///< how many mean rows of calibration the scale 1 (of a token: the shared scale) weighs; at least 0
    bool shared = true;       ///< tokens shrink to the feature's shared scale instead of 1
    std::size_t samples = 0;  ///< of the source; 0: all
};

/// Squared errors of one layer over the calibration tokens, relative to the squares of the whole model's output.
struct EmbedFitErrors {
    double before = 0, shared = 0, after = 0; ///< scale 1; one scale a feature; one a feature and token
};

/// s_vj = argmin sum over t with token v of (s c_tj - o_tj)^2 + ridge m_j (s - s_j)^2, m_j the mean over all t of c_tj^2, o the whole model's output, c the
/// cheaper one's on the same input: s_vj = (sum c o + ridge m_j s_j) / (sum c^2 + ridge m_j). s_j is the same over all tokens, shrunk to 1, or 1.
/// A token that was never seen has s_j. In double, rounded once.
class EmbedFit {
public:
    std::int64_t layers() const noexcept { return m_layers; }
    std::int64_t tokens() const noexcept { return m_tokens; }
    std::int64_t width() const noexcept { return m_width; }
    std::span<const float> row(std::int64_t layer, std::int64_t token) const noexcept; ///< [width]
    std::span<const float> shared(std::int64_t layer) const noexcept;                  ///< [width]
    const std::vector<std::uint64_t>& seen() const noexcept { return m_seen; }         ///< [tokens] rows of each token
    const std::vector<EmbedFitErrors>& errors() const noexcept { return m_errors; }    ///< [layers]

private:
    friend EmbedFit fitDeepEmbed(const nn::Model&, const nn::Model&, const measure::SampleSource&, const EmbedFitSettings&, const RunContext&);
    std::int64_t m_layers = 0, m_tokens = 0, m_width = 0;
    std::vector<float> m_rows, m_shared;
    std::vector<std::uint64_t> m_seen;
    std::vector<EmbedFitErrors> m_errors;
};

/// `cheaper` has the blocks of `whole` with other feed-forward parts; both read the whole model's inputs. Throws Error{InvalidParameter (other blocks, a
/// ridge below 0), LimitExceeded (sums of more than 4 GiB), OutOfMemory, NonFinite, Cancelled} and as visitMlps().
EmbedFit fitDeepEmbed(const nn::Model& whole, const nn::Model& cheaper, const measure::SampleSource& source, const EmbedFitSettings& settings, const RunContext& context);

} // namespace tamis::addressing

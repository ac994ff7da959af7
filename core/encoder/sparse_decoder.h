// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The decoder of an autoencoder as training sees it: sums of a few of its rows, before its bias and whatever is done to the output after.
// Private to the lab.
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"

#include <cstdint>
#include <memory>
#include <span>

namespace tamis::encoder {

/// y = sum_j v_j d_j over the codes of a token; v_j is what the autoencoder makes of the score z_j that Dictionary selects by:
/// scale_j (z_j + max(threshold_j, 0)) + bias_j, not below 0 for gated ones, z_j itself for most. Immutable.
class SparseDecoder {
public:
    explicit SparseDecoder(std::shared_ptr<const Dictionary> dictionary);
    std::int64_t width() const noexcept { return m_dictionary->width(); }
    std::int64_t latents() const noexcept { return m_dictionary->latents(); }
    std::span<const float> row(std::int32_t latent) const { return m_dictionary->autoencoder().decoder.view().row(latent); }
    double value(std::int32_t latent, double score) const;
    double slope(std::int32_t latent, double score) const; ///< d value / d score
    /// [tokens, D], sums in double. Throws Error{Cancelled}.
    tensor::Matrix<float> decoded(const SparseCodes& codes, const RunContext& context = {}) const;
    /// Targets of the same space: prepared - decoder bias. False for autoencoders that decode into another site or add a skip connection.
    bool decodesItsInput() const noexcept;
    tensor::Matrix<float> inputsAsTargets(tensor::MatrixView<const float> prepared) const;

private:
    std::shared_ptr<const Dictionary> m_dictionary;
};

} // namespace tamis::encoder

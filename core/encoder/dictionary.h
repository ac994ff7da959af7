// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every encoder of the lab scores: z = W x + b over M latents, of which the k largest positive ones count. The one form that
// autoencoders of all file formats are brought to: the decoder's bias that is subtracted from the input is folded into b.
#include "core/base/run_context.h"
#include "core/encoder/topk_autoencoder.h"
#include "core/io/sae_checkpoint.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::encoder {

/// Immutable.
class Dictionary {
public:
    /// Of an autoencoder whose activation is TopK, or with `k` > 0 of any that scores max(h, 0): then the k largest are taken (of
    /// JumpRelu: of h - threshold, so that z > 0 where the latent fires; its values have the threshold added back). Throws
    /// Error{InvalidParameter} for k < 0 or k > M, or none to be had; Error{UnsupportedFeature} for SignedTopK and GroupMax.
    static std::shared_ptr<const Dictionary> of(std::shared_ptr<const io::SparseAutoencoder> autoencoder, std::int64_t k = 0);

    std::int64_t width() const noexcept { return m_autoencoder->width(); }     ///< D
    std::int64_t latents() const noexcept { return m_autoencoder->latents(); } ///< M
    std::int64_t k() const noexcept { return m_k; }
    tensor::MatrixView<const float> rows() const noexcept { return m_autoencoder->encoder.view(); } ///< [M, D]
    /// [M]: encoder bias, less row . decoder bias where that is subtracted (summed in double), less the threshold.
    const std::vector<float>& bias() const noexcept { return m_bias; }
    const std::vector<double>& rowNorms() const noexcept { return m_rowNorms; } ///< [M]
    const io::SparseAutoencoder& autoencoder() const noexcept { return *m_autoencoder; }

    /// Inputs as the rows see them: normalised as the autoencoder's configuration says, nothing subtracted. [tokens, D]. Throws
    /// Error{InvalidParameter} for another width, Error{NonFinite} naming the first row that holds no numbers.
    tensor::Matrix<float> prepared(tensor::MatrixView<const float> inputs) const;
    /// Reconstructions [tokens, D] from codes of `inputs` (as given, not prepared).
    tensor::Matrix<float> decoded(const SparseCodes& codes, tensor::MatrixView<const float> inputs, const RunContext& context = {}) const;
    /// What the decoder's rows are multiplied by, one for each entry of the codes.
    std::vector<float> activations(const SparseCodes& codes) const;

private:
    Dictionary() = default;
    std::shared_ptr<const io::SparseAutoencoder> m_autoencoder;
    std::int64_t m_k = 0;
    std::vector<float> m_bias;
    std::vector<double> m_rowNorms;
};

} // namespace tamis::encoder

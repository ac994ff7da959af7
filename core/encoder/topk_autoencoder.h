// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The exact arithmetic of a sparse autoencoder: every latent of every token is scored. It is what the cheaper encoders
// are held against. References: Gao et al., "Scaling and evaluating sparse autoencoders" (2024); the encode and decode
// of EleutherAI's sparsify and of SAELens.
#include "core/base/run_context.h"
#include "core/io/sae_checkpoint.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::encoder
{

/// The active latents of a list of tokens. Of token t: [first[t], first[t + 1]) of latents and values, in descending
/// order of |value|, at equal ones the lower latent first. No value is 0: where fewer than k pre-activations are
/// positive there are fewer than k entries. Values are the scores that latents are selected by; latentValues() has what
/// the autoencoder multiplies its decoder rows with, which few formats tell apart.
struct SparseCodes {
    std::vector<std::size_t> first{0}; ///< tokens + 1 entries
    std::vector<std::int32_t> latents;
    std::vector<float> values;

    std::int64_t tokens() const noexcept { return static_cast<std::int64_t>(first.size()) - 1; }
    std::span<const std::int32_t> latentsOf(std::int64_t token) const
    {
        return std::span(latents).subspan(begin(token), count(token));
    }
    std::span<const float> valuesOf(std::int64_t token) const
    {
        return std::span(values).subspan(begin(token), count(token));
    }

private:
    std::size_t begin(std::int64_t token) const { return first[static_cast<std::size_t>(token)]; }
    std::size_t count(std::int64_t token) const { return first[static_cast<std::size_t>(token) + 1] - begin(token); }
};

/// Inputs after the configuration's normalisation, nothing subtracted. Throws Error{InvalidParameter} for another width.
tensor::Matrix<float> normalisedInputs(const io::SparseAutoencoder& autoencoder, tensor::MatrixView<const float> inputs);

/// Codes of `inputs` [tokens, D]. Pre-activations are float products over D in an order that depends on neither the
/// number of threads nor the neighbouring tokens' values. Throws Error{InvalidParameter} for another width,
/// Error{Cancelled}.
SparseCodes encode(const io::SparseAutoencoder& autoencoder, tensor::MatrixView<const float> inputs,
                   const RunContext& context = {});

/// Reconstructions [tokens, D] from codes. `inputs` are the rows that were encoded: a skip connection and the undoing
/// of a normalisation need them. Sums are taken in double. Throws Error{InvalidParameter} for codes that do not fit,
/// Error{Cancelled}.
tensor::Matrix<float> decode(const io::SparseAutoencoder& autoencoder, const SparseCodes& codes,
                             tensor::MatrixView<const float> inputs, const RunContext& context = {});

/// The values of the codes' latents, one each: io::SparseAutoencoder's v_i of the score. Throws
/// Error{InvalidParameter} for codes that do not fit.
std::vector<float> latentValues(const io::SparseAutoencoder& autoencoder, const SparseCodes& codes);

/// 1 - sum |x_t - y_t|^2 / sum |x_t - mean|^2, the mean over all tokens; a ratio of sums, in double. FVU is 1 minus it.
/// 1 for an exact reconstruction of constant targets, minus infinity for another one.
/// Throws Error{InvalidParameter} for shapes that differ or no token.
double explainedVariance(tensor::MatrixView<const float> targets, tensor::MatrixView<const float> reconstructions);

/// How an autoencoder does on some tokens.
struct AutoencoderQuality {
    double explainedVariance = 0;
    double meanActive = 0;        ///< L0: active latents a token
    std::int64_t deadLatents = 0; ///< active for none of these tokens
};
/// `codes` and `reconstructions` of `targets`; `latents` the autoencoder's M.
AutoencoderQuality measureAutoencoder(std::int64_t latents, const SparseCodes& codes,
                                      tensor::MatrixView<const float> targets,
                                      tensor::MatrixView<const float> reconstructions);

} // namespace tamis::encoder

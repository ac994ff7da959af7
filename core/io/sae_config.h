// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// cfg.json of a sparse autoencoder, in the two spellings in use: EleutherAI's sparsify (old files with "signed" too)
// and SAELens (version 6, and the older flat one with activation_fn_str).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io
{

enum class SaeLayout { Sparsify, SaeLens };

/// What becomes of the pre-activations h = W_enc x + b_enc of a token.
enum class SaeActivation {
    TopK,       ///< the k largest of max(h, 0)
    SignedTopK, ///< the k largest of |h|, with their signs
    GroupMax,   ///< latents in k equal groups, the largest of max(h, 0) in each
    Relu,       ///< max(h, 0)
    JumpRelu,   ///< max(h, 0) where h > threshold
    Gated       ///< max(v, 0) where h > 0, v = a h + b with a and b of the latent
};

/// What is done to an input before all else, and undone after decoding.
enum class SaeNormalisation {
    None,
    ConstantNorm, ///< x sqrt(D) / |x|
    LayerNorm     ///< (x - mean) / (deviation + 1e-5), with the unbiased deviation
};

/// The fields that decide what the numbers in the weight file mean. Sizes are as stated: nullopt where the file says
/// nothing.
struct SaeConfig {
    SaeLayout layout = SaeLayout::Sparsify;
    SaeActivation activation = SaeActivation::TopK;
    SaeNormalisation normalisation = SaeNormalisation::None;
    std::int64_t k = 0; ///< 0 for Relu, JumpRelu and Gated
    std::optional<std::int64_t> width, latents;
    bool subtractDecoderBias = true;      ///< from the input, before the encoder
    bool rescaleByDecoderNorm = false;    ///< pre-activations count times the length of their decoder row
    bool transcodes = false;              ///< decodes into another site than it reads (sparsify "transcode")
    bool skips = false;                   ///< adds x W_skip^T
    bool scalesInput = false;             ///< by one number that the configuration does not hold (folded in on reading)
    bool scalesValues = false;            ///< by a number a latent, `scaling_factor` (folded in on reading)
    std::string model, site;              ///< as stated, may be empty
    std::vector<std::string> unknownKeys; ///< quoted, of no known meaning
};

/// "sparsify", "saelens".
std::string_view saeLayoutName(SaeLayout layout) noexcept;
/// "topk", "signed topk", "groupmax", "relu", "jumprelu", "gated".
std::string_view saeActivationName(SaeActivation activation) noexcept;

/// Unknown keys are listed, missing ones have the defaults of the library that writes them. Throws
/// Error{MalformedFile} for a field of the wrong kind or range, Error{UnsupportedFeature} for an architecture,
/// activation or normalisation that is not computed here (transcoders of SAELens), Error{LimitExceeded}.
SaeConfig parseSaeConfig(std::string_view json, SaeLayout layout, const std::string& subject);

/// The text of cfg.json. `width`, `latents` must be there. Throws Error{InvalidParameter} for what the layout cannot
/// say: sparsify knows TopK, SignedTopK and GroupMax without normalisation; SAELens knows TopK, Relu and JumpRelu
/// without a skip or a transcoder.
std::string formatSaeConfig(const SaeConfig& config, std::string_view dtype);

} // namespace tamis::io

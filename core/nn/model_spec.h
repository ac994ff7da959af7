// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The architecture of a model: numbers and options, no weights. Read from config.json and tensor names.
#include "core/io/layout.h"
#include "core/kernels/activation.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::nn {

enum class Task { ImageClassification, ImageFeatures, CausalLanguage, MaskedLanguage, SequenceClassification, TextFeatures };
std::string_view taskName(Task task) noexcept;

enum class NormKind { None, LayerNorm, RmsNorm };

struct NormSpec {
    NormKind kind = NormKind::LayerNorm;
    float epsilon = 1e-6f;
    bool bias = true;
};

enum class RopeScaling { None, Linear, Dynamic, Llama3, Yarn };

struct RopeSpec {
    bool enabled = false;
    double theta = 10000;
    std::int64_t dimensions = 0; ///< rotated features of a head (headDim, or less for partial rotation)
    RopeScaling scaling = RopeScaling::None;
    double factor = 1, lowFrequencyFactor = 1, highFrequencyFactor = 4, betaFast = 32, betaSlow = 1;
    double attentionFactor = 0; ///< yarn's; 0: 0.1 ln(factor) + 1
    std::int64_t originalPositions = 0, maxPositions = 0;
};

struct AttentionSpec {
    std::int64_t heads = 0, keyValueHeads = 0, headDim = 0;
    float scale = 0;                ///< of the scores, 1 / sqrt(headDim) as a rule
    bool causal = false;
    std::int64_t slidingWindow = 0; ///< 0: none
    bool fusedQkv = false;          ///< one projection [q; k; v]
    bool qkvBias = false, outputBias = false;
    NormSpec queryKeyNorm{NormKind::None}; ///< over a head's features
    RopeSpec rope;
    std::int64_t window = 0, shift = 0; ///< Swin, in rows of the grid; window 0: attention over all tokens
    std::int64_t windowAcross = 0, shiftAcross = -1; ///< in columns; 0 and -1: as in rows
    std::int64_t windowColumns() const noexcept { return windowAcross > 0 ? windowAcross : window; }
    std::int64_t shiftColumns() const noexcept { return shiftAcross >= 0 ? shiftAcross : shift; }
    bool shiftBeforePadding = false;    ///< Swin of timm; Hugging Face pads the grid to whole windows first
};

struct MlpSpec {
    std::int64_t hidden = 0; ///< 0: the block has no MLP (identity)
    bool gated = false;      ///< down(activation(gate x) * up x)
    bool bias = false;
    kernels::Activation activation = kernels::Activation::Gelu;
};

struct BlockSpec {
    std::int64_t width = 0;
    std::int64_t gridHeight = 0, gridWidth = 0; ///< Swin: the token grid; 0 elsewhere
    AttentionSpec attention;
    MlpSpec mlp;
    NormSpec norm;
    bool postNorm = false;   ///< x = norm(x + f(x)) (BERT) instead of x + f(norm(x))
    bool layerScale = false;
    bool mergeAfter = false; ///< Swin: 2 x 2 patches become one of twice the width before the next block
};

struct PatchSpec {
    std::int64_t channels = 3, patchHeight = 0, patchWidth = 0;
    std::int64_t imageHeight = 0, imageWidth = 0; ///< what the model is fed
    std::int64_t gridHeight = 0, gridWidth = 0;   ///< patches
    std::int64_t tableHeight = 0, tableWidth = 0; ///< grid of the stored position table; differs when it is interpolated
    std::int64_t prefixTokens = 0;                ///< class, distillation and register tokens
    bool classToken = false, distillationToken = false;
    std::int64_t registerTokens = 0;
    bool positionsOnPrefix = true; ///< false: timm's no_embed_class
    bool bias = true;
    bool positions = true;         ///< false: none (Swin)
    bool norm = false;             ///< Swin: after the patches
};

struct TextSpec {
    std::int64_t vocabulary = 0, maxPositions = 0;
    std::int64_t positionOffset = 0; ///< OPT 2, RoBERTa padding + 1
    std::int64_t tokenTypes = 0;
    std::int64_t embeddingWidth = 0; ///< OPT-350m: before project_in
    bool learnedPositions = false, tiedHead = false, embeddingNorm = false;
};

enum class Pool { ClassToken, Mean, ClassAndMean, None };

struct ModelSpec {
    io::Family family = io::Family::Unknown;
    std::string architecture; ///< as config.json says: "vit_tamis20_patch4_64", "LlamaForCausalLM"
    Task task = Task::ImageFeatures;
    std::int64_t width = 0;   ///< of the first block
    PatchSpec patch;          ///< vision
    TextSpec text;            ///< language
    NormSpec preNorm{NormKind::None}, finalNorm, poolNorm{NormKind::None};
    Pool pool = Pool::ClassToken;
    std::int64_t classes = 0; ///< outputs of the head; 0: no head
    bool headBias = false, distillationHead = false, pooler = false;
    std::vector<BlockSpec> blocks;

    bool vision() const noexcept { return task == Task::ImageClassification || task == Task::ImageFeatures; }
    /// Tokens that enter the first block: patches and prefix tokens, or `textTokens`.
    std::int64_t tokens(std::int64_t textTokens) const noexcept;
};

/// One linear operator of the architecture.
struct OperatorShape {
    std::string name; ///< tensor name without ".weight": also the calibration site's name
    int layer = -1;   ///< block, -1 outside
    io::Role role = io::Role::Other;
    std::int64_t out = 0, in = 0;
    bool bias = false;
};

} // namespace tamis::nn

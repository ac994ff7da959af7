// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A step that leaves a transformer fewer tokens: it looks at the tokens of one image and says where each goes.
#include "core/nn/model.h"
#include "core/tokens/token_set.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

enum class Place {
    BeforeBlock,    ///< DynamicViT
    BetweenBranches ///< after attention and its residual, before the MLP: ToMe, EViT, ATS
};

/// What a step may look at. Views are valid during the call only.
struct Look {
    int block = 0;
    const nn::Block& layer;
    const nn::AttentionInput* attention; ///< q, k, v of this block, rows as x; null before the block and behind another step at the place
    kernels::ConstRows x;                ///< [tokens, width]
    const TokenSet& set;
    std::span<const float> image;        ///< as the model is fed it
    std::span<const float> remembered;   ///< [tokens] scores of the step before, where it left the tokens as they were; else empty
    const tensor::Matrix<float>* rollout = nullptr;    ///< [tokens, source tokens], where the chain asks for it: rows sum to 1
    const tensor::Matrix<float>* imageScores = nullptr; ///< [blocks, source tokens], of the chain's scorer
    nn::Scratch& scratch;
};

/// Where each token goes.
struct Assignment {
    std::vector<std::int32_t> to;  ///< [tokens]: row afterwards, -1: pruned; rows are 0 .. count - 1, each with one token at least
    std::int64_t count = 0;
    std::vector<float> weights;    ///< [tokens] of the mean that a row becomes; empty: the sizes (ToMe)
    std::vector<std::uint8_t> sum; ///< [count] 1: the weighted sum instead of the mean (EViT's fused token); empty: all means
    std::vector<float> scores;     ///< [tokens] what was gone by, for pictures; empty: nothing
    std::vector<float> keyShares;  ///< [tokens] factor at which a token's key weight goes into its row's; empty: 1
    std::uint64_t macs = 0;        ///< multiply-adds that the choice took, where they are worth counting
    std::string remark;            ///< what was decided for this image, for people; empty: nothing to say
};

/// What can be said of an image's source tokens by looking at the whole model first. Immutable, shared between threads.
class ImageScorer {
public:
    virtual ~ImageScorer() = default;
    /// [blocks, source tokens]. `image` as the model is fed it. Throws Error{Cancelled, InvalidParameter}.
    virtual tensor::Matrix<float> score(std::span<const float> image, const RunContext& context) const = 0;
};

/// Immutable, shared between threads.
class Reduction {
public:
    virtual ~Reduction() = default;
    virtual Assignment assign(const Look& look) const = 0;
};
using ReductionPtr = std::shared_ptr<const Reduction>;

struct Step {
    int block = 0;
    Place place = Place::BetweenBranches;
    ReductionPtr reduction;
};

class Route;

/// Steps in the order of their places; of one place in the order given.
struct Chain {
    std::vector<Step> steps;
    std::shared_ptr<const Route> route; ///< instead of steps: goes its own way; null as a rule
    bool proportionalAttention = false; ///< log of the key's size is added to the scores (ToMe)
    bool rollout = false;               ///< steps look at attention rollout
    std::shared_ptr<const ImageScorer> imageScorer; ///< null: none; called once an image
    bool weightedPool = true;           ///< a mean over patches counts each token by its size (ToMe); false: all alike
    std::string scoreTitle;             ///< what the steps' scores are, with unit; empty: none
};

} // namespace tamis::tokens

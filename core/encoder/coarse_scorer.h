// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Approximate scores of every latent, for less than the dense product costs: what coarse encoders take the best of.
#include "core/base/run_context.h"
#include "core/encoder/best_scores.h"
#include "core/encoder/topk_encoder.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace tamis::encoder {

/// Latents are scored in slabs of this many, the last one shorter.
inline constexpr std::int64_t kSlabLatents = 2048;
/// Tokens that are scored together.
inline constexpr std::int64_t kTileTokens = 64;

/// Immutable and safe to use from several threads. What it gives for a token depends on no other token and on no number of threads.
class CoarseScorer {
public:
    virtual ~CoarseScorer() = default;
    virtual std::int64_t width() const noexcept = 0;   ///< D
    virtual std::int64_t latents() const noexcept = 0; ///< M
    virtual EncoderCost cost() const noexcept = 0;     ///< of scoring all latents of one token
    /// What slab() reads of some tokens, made once for all slabs: [tokens, any]. `prepared` is [tokens, D].
    virtual tensor::Matrix<float> reduced(tensor::MatrixView<const float> prepared) const = 0;
    /// scores [tokens, size of the slab]: of the latents from `slab` * kSlabLatents on, bias included.
    virtual void slab(tensor::MatrixView<const float> reduced, std::int64_t slab, tensor::MatrixView<float> scores) const = 0;

    std::int64_t slabs() const noexcept { return (latents() + kSlabLatents - 1) / kSlabLatents; }
    std::int64_t slabSize(std::int64_t index) const noexcept;
};

using ScorerPtr = std::shared_ptr<const CoarseScorer>;

/// Called for one token of `prepared` and its best latents, from several threads at once.
using TokenFound = std::function<void(std::int64_t token, const std::vector<kernels::Scored>& best)>;

struct Selection {
    std::size_t count = 0;
    float above = 0;
    Order order = Order::Falling;
};

/// The latents of every token that bestScores() selects of its coarse scores. Few tokens spread over the threads by slabs, many by tiles.
/// Throws Error{InvalidParameter} for another width, Error{Cancelled}.
void forBest(const CoarseScorer& scorer, tensor::MatrixView<const float> prepared, const Selection& selection, const RunContext& context, const TokenFound& found);

/// Scores of all latents of few tokens: [tokens, M].
tensor::Matrix<float> allScores(const CoarseScorer& scorer, tensor::MatrixView<const float> prepared, const RunContext& context = {});

/// The place of each latent of `codes` in the coarse order of its token, 0 for the first, as often as `codes` has entries.
std::vector<std::int32_t> coarseRanks(const CoarseScorer& scorer, tensor::MatrixView<const float> prepared, const SparseCodes& codes,
                                      const RunContext& context = {});

/// An encoder whose latents come from a coarse order: views and sweeps ask for it.
class CoarseEncoder : public TopKEncoder {
public:
    virtual const ScorerPtr& scorer() const noexcept = 0;
    std::int64_t width() const noexcept override { return scorer()->width(); }
    std::int64_t latents() const noexcept override { return scorer()->latents(); }
};

/// Takes the k largest positive coarse scores themselves. Throws Error{InvalidParameter} for k < 1 or k > M.
std::shared_ptr<const CoarseEncoder> coarseOnly(ScorerPtr scorer, std::int64_t k);

} // namespace tamis::encoder

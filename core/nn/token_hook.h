// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where a lab changes the tokens of a block while it runs. One object a sample; called from the thread that runs it.
#include "core/nn/model.h"

#include <cstdint>
#include <span>

namespace tamis::nn {

struct PatchTurns;

class TokenHook {
public:
    virtual ~TokenHook() = default;
    /// x [tokens, width] enters the block and may be changed in place. Returns the rows left, the first of x: 1 at least.
    virtual std::int64_t beforeBlock(int /*block*/, const Block& /*layer*/, kernels::Rows x, Scratch& /*scratch*/) { return x.rows; }
    /// [tokens], added to the scores of each key, whatever the query and the head; null: nothing. Valid until the block ends.
    virtual const float* keyBias(int /*block*/, std::int64_t /*tokens*/) { return nullptr; }
    /// The token that holds each of the model's own tokens, [embedded tokens], -1: none. Models with rotary or relative positions place the tokens by it:
    /// those of several sources between them. Empty: the tokens are the model's own. Valid until the block ends.
    virtual std::span<const std::int32_t> heldBy(int /*block*/, std::int64_t /*tokens*/) { return {}; }
    /// Rotary positions of tokens that are not made of the model's own patches, as PatchEmbedding gives them; null: as heldBy says. Valid until the block ends.
    virtual const PatchTurns* turns(int /*block*/, std::int64_t /*tokens*/) { return nullptr; }
    /// As beforeBlock, for x behind the attention and its residual. `input` holds what the attention saw, its rows those of x; `layer` the attention as it was for them.
    virtual std::int64_t betweenBranches(int /*block*/, const Block& /*layer*/, const AttentionInput& /*input*/, kernels::Rows x, Scratch& /*scratch*/) { return x.rows; }
};

} // namespace tamis::nn

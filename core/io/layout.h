// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which tensor is what: families, layers and roles read from tensor names.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

struct TensorEntry;
struct ModelConfig;

enum class Family { Unknown, TimmVit, HfVit, Llama, Mistral, Qwen2, Qwen3, Gpt2, Opt, Bert, Swin };
std::string_view familyName(Family family) noexcept; ///< "timm-vit", "hf-vit", "llama", ..., "unknown"

enum class Role { Query, Key, Value, QueryKeyValue, Output, Up, Gate, Down, Patch, Embedding, Position, Head, Other };
std::string_view roleName(Role role) noexcept; ///< "q", "k", "v", "qkv", "o", "up", "gate", "down", "patch", "embedding", "position", "head", "other"

/// A weight matrix, seen as [out, in]. Tensors of rank 2 are taken as they are. Of higher ranks, leading dimensions of 1
/// go first ([1, 257, 128], a position table, becomes 257 x 128); the rest is flattened to [first, all others]: a patch
/// convolution [128, 3, 4, 4] is the matrix 128 x 48 that multiplies flattened patches. Other convolutions and stacks of
/// matrices open flattened too, but not as linear operators. Vectors ([1, 1, 128]) and tensors without elements are left out.
struct MatrixRef {
    std::string name;       ///< tensor name without ".weight": also the calibration site's name
    std::string tensor;     ///< full tensor name
    int layer = -1;         ///< block number, -1 outside the blocks
    Role role = Role::Other;
    std::int64_t rows = 0;  ///< outputs
    std::int64_t cols = 0;  ///< inputs
    bool transposed = false; ///< stored as [in, out] (GPT-2's Conv1D)
    bool linear = true;      ///< a linear operator that a low-rank pair may replace (not embeddings or positions)
};

/// The factors of an exported operator (<name>.lowrank_a [r, in], <name>.lowrank_b [out, r]) are matrices with its role.
struct ModelLayout {
    Family family = Family::Unknown;
    int layers = 0;
    /// Every tensor that is a matrix: patch, embedding and position first, then block after block (q, k, v, qkv, o, up,
    /// gate, down, others), then what lies outside the blocks; by natural order of names within.
    std::vector<MatrixRef> matrices;
};

/// Names decide; config.json's model_type settles what names leave open (LLaMA, Mistral and Qwen share them). Unknown
/// names give plain matrices with Role::Other and the layer number found in the name (its first part that is a number),
/// linear when they are of rank 2 and of a floating type. `layers` is the highest layer number plus one.
ModelLayout recogniseLayout(const std::vector<TensorEntry>& tensors, const ModelConfig& config);

} // namespace tamis::io

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

enum class Family { Unknown, TimmVit, HfVit, Llama, Mistral, Qwen2, Qwen3, Gpt2, Opt, Bert };
std::string_view familyName(Family family) noexcept; ///< "timm-vit", "hf-vit", "llama", ..., "unknown"

enum class Role { Query, Key, Value, QueryKeyValue, Output, Up, Gate, Down, Patch, Embedding, Position, Head, Other };
std::string_view roleName(Role role) noexcept; ///< "q", "k", "v", "qkv", "o", "up", "gate", "down", "patch", "embedding", "position", "head", "other"

/// A weight matrix, seen as [out, in].
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

struct ModelLayout {
    Family family = Family::Unknown;
    int layers = 0;
    std::vector<MatrixRef> matrices; ///< every tensor of rank >= 2 that is a matrix, in layer order
};

/// Names decide; config.json's model_type settles what names leave open (LLaMA, Mistral and Qwen share them). Unknown
/// names give plain matrices with Role::Other and the layer number found in the name.
ModelLayout recogniseLayout(const std::vector<TensorEntry>& tensors, const ModelConfig& config);

} // namespace tamis::io

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// DeepEmbed: out * E[layer][token] on the output of a block's feed-forward part (RWKV v8, first demonstration: rwkv_v8_rc00_demo.py).
// A linear operator sees rows, not tokens: what the rows of a sample stand for is said beside it, for the thread that runs the sample.
#include "core/addressing/embed_table.h"
#include "core/nn/model.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::addressing {

/// The rows of one sample's tokens, all layers, decoded: each different token once. Immutable.
class TokenScales {
public:
    /// Reads them, in one batch. Throws Error{InvalidParameter (a token beyond the table), NonFinite} and what reading throws.
    TokenScales(const EmbedTable& table, RowReader& reader, std::span<const std::int32_t> tokens);
    /// From memory: values(layer, token).
    TokenScales(std::int64_t layers, std::int64_t width, std::span<const std::int32_t> tokens, const RowValues& values);

    std::int64_t tokens() const noexcept { return static_cast<std::int64_t>(m_rowOf.size()); }
    std::int64_t layers() const noexcept { return m_layers; }
    std::int64_t width() const noexcept { return m_width; }
    /// [width]
    std::span<const float> row(std::int64_t layer, std::int64_t position) const noexcept;

private:
    std::vector<std::int32_t> distinct(std::span<const std::int32_t> tokens);
    std::int64_t m_layers = 0, m_width = 0;
    std::vector<std::size_t> m_rowOf; ///< [tokens] index among the different tokens
    std::vector<float> m_values;      ///< [different tokens][layers][width]
};

/// While it lives, models of withDeepEmbed() that this thread runs take their rows from `scales`, which must outlive it. Nested ones hide outer ones.
class ScaleScope {
public:
    explicit ScaleScope(const TokenScales& scales) noexcept;
    ~ScaleScope();
    ScaleScope(const ScaleScope&) = delete;
    ScaleScope& operator=(const ScaleScope&) = delete;

private:
    const TokenScales* m_outer;
};

/// y = base + scale * ((x W^T + b) * E[layer][token of the row]). Running it without a ScaleScope, or with rows of another number or width than
/// that of the scope, throws Error{InvalidParameter}; so does an epilogue with a factor of its own. Its tensors are those of `inner`: the table is a file of its own.
nn::LinearPtr scaledByToken(nn::LinearPtr inner, std::int64_t layer);

/// The model with the down projection of every block scaled by token: layer i of the table is block i. Throws Error{UnsupportedFeature} for a
/// model that reads images and one with a block without a feed-forward part.
std::shared_ptr<const nn::Model> withDeepEmbed(const nn::Model& model);
/// Throws Error{InvalidParameter} for a table of other layers, width, or fewer tokens than the model's vocabulary.
void requireTableFor(const nn::Model& model, const EmbedTable& table);

} // namespace tamis::addressing

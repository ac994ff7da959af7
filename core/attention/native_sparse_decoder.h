// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Generating token by token: keys and values are kept, one query a step is answered. Sparse, and exact from the same memory.
#include "core/attention/native_sparse_rule.h"
#include "core/base/run_context.h"
#include "core/nn/model_spec.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::attention {

/// One token: what nn::AttentionInput has of it.
struct DecoderToken {
    const float* q = nullptr; ///< [heads dim]
    const float* k = nullptr; ///< [key-value heads dim]
    const float* v = nullptr;
    const float* x = nullptr; ///< [width]; not read where gates are fixed
};

/// One sequence of one block; not thread-safe. A step gives, bit for bit, the row that nativeSparseAttention() gives the token in its sequence.
class NativeSparseDecoder {
public:
    /// Throws Error{InvalidParameter} unless the rule is causal.
    explicit NativeSparseDecoder(std::shared_ptr<const NativeSparseRule> rule);
    /// Appends the token and writes its mixed values, out [heads dim]. `parallel`: key-value heads on the threads of the current arena.
    void step(const DecoderToken& token, float* out, bool parallel);
    /// Appends without a query: a prompt whose output is not wanted.
    void append(const float* k, const float* v);
    std::int64_t tokens() const noexcept { return m_heads.front().tokens(); }
    const NativeSparseReads& lastReads() const noexcept { return m_heads.front().reads(); } ///< tokens, alike for all key-value heads
    std::uint64_t lastBytes() const noexcept;  ///< of keys and values, all heads, branch by branch
    std::int64_t cacheBytes() const noexcept;

private:
    std::shared_ptr<const NativeSparseRule> m_rule;
    std::vector<NativeSparseHead> m_heads;
    std::vector<float> m_gates;
    RunContext m_context;
};

/// Exact causal attention from the same kind of cache and with the same tiles; every block is read once for all heads of the group.
class ExactDecoder {
public:
    /// Throws Error{UnsupportedFeature} for windows. `blockTokens`: of one piece of memory.
    explicit ExactDecoder(const nn::AttentionSpec& spec, std::int64_t blockTokens = 256);
    void step(const DecoderToken& token, float* out, bool parallel);
    void append(const float* k, const float* v);
    std::int64_t tokens() const noexcept { return m_heads.front().cache.tokens(); }
    std::uint64_t lastBytes() const noexcept; ///< of keys and values

private:
    struct Head {
        PanelCache cache;
        SegmentAttention attention;
        std::vector<Segment> segments;
    };
    nn::AttentionSpec m_spec;
    std::vector<Head> m_heads;
    RunContext m_context;
};

} // namespace tamis::attention

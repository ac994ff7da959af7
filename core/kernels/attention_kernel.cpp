// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/attention_kernel.h"

#include "core/kernels/elementwise.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/online_softmax.h"
#include "core/kernels/tile_buffers.h"
#include "core/kernels/tiled_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::kernels {

namespace {
/// This thread's buffer, kept for its life; one for this call alone where it is in use: a thread that waits for its workers may be given another
/// task, which comes through here.
class LentBuffer {
public:
    LentBuffer() : m_own(!s_kept.lent) { s_kept.lent = true; }
    ~LentBuffer()
    {
        if (m_own)
            s_kept.lent = false;
    }
    LentBuffer(const LentBuffer&) = delete;
    LentBuffer& operator=(const LentBuffer&) = delete;
    std::span<float> floats(std::size_t count) { return {(m_own ? s_kept.memory : m_other).ensure(count), count}; }

private:
    struct Kept {
        TileBuffer memory;
        bool lent = false;
    };
    static thread_local Kept s_kept;
    TileBuffer m_other;
    bool m_own;
};
thread_local LentBuffer::Kept LentBuffer::s_kept;

/// Queries of a map between two looks whether to stop: against 65,536 keys of 64 features some 10 ms.
constexpr std::int64_t kStopQueries = 64;
} // namespace

void softmaxAttention(const AttentionShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, bool parallel)
{
    static const RunContext neverStopped;
    softmaxAttention(shape, q, k, v, out, parallel, neverStopped);
}

void softmaxAttention(const AttentionShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, bool parallel, const RunContext& context)
{
    checkAttentionShapes(shape, q, k, v.rows, v.cols);
    const std::size_t workers = tiledAttentionWorkers(shape, {}, q.rows, parallel);
    LentBuffer buffer;
    tiledAttention(shape, {}, q, k, v, out, workers, buffer.floats(workers * tiledAttentionFloats(shape, {}, q.rows, k.rows)), context);
}

void attentionProbabilities(const AttentionShape& shape, ConstRows q, ConstRows k, std::int64_t head, Rows probabilities, const RunContext& context)
{
    checkAttentionShapes(shape, q, k, k.rows, k.cols);
    const std::int64_t d = shape.headDim, keyHead = head / (shape.heads / shape.keyValueHeads);
    const PackedMatrix keys(ConstRows{k.data + keyHead * d, k.rows, d, k.stride});
    for (std::int64_t i = 0; i < q.rows; ++i) {
        if (i % kStopQueries == 0) {
            context.throwIfStopped();
            const std::int64_t count = std::min(kStopQueries, q.rows - i);
            multiply(ConstRows{q.data + i * q.stride + head * d, count, d, q.stride}, keys, {}, {probabilities.data + i * probabilities.stride, count, probabilities.cols, probabilities.stride}, false);
        }
        const auto row = probabilities.row(i);
        kernels().scaleCopy(row.data(), shape.scale, row.data(), k.rows);
        if (shape.bias)
            kernels().add(shape.bias + head * shape.biasHeadStride + i * shape.biasRowStride, row.data(), k.rows);
        const KeyRange seen = visibleKeys(shape, q.rows, k.rows, i);
        std::fill(row.begin(), row.begin() + seen.begin, 0.0f);
        std::fill(row.begin() + seen.end, row.end(), 0.0f);
        if (seen.empty())
            continue;
        const auto own = row.subspan(static_cast<std::size_t>(seen.begin), static_cast<std::size_t>(seen.end - seen.begin));
        if (std::ranges::any_of(own, [](float score) { return std::isnan(score); }))
            std::ranges::fill(own, std::numeric_limits<float>::quiet_NaN());
        else if (std::ranges::all_of(own, [](float score) { return score == -std::numeric_limits<float>::infinity(); }))
            std::ranges::fill(own, 0.0f);
        else
            softmaxRow(own);
    }
}

} // namespace tamis::kernels

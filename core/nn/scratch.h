// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Memory for the intermediate activations of one forward pass: taken in stack order, reused pass after pass, so that
// nothing is allocated in the token loop once the first pass has shown how much is needed.
#include "core/base/run_context.h"
#include "core/kernels/packed_matrix.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tamis::nn {

/// One a worker; not thread-safe. `parallel` tells operators whether they may spread over threads themselves (one sample
/// at a time) or are already one of many workers (a batch).
class Scratch {
public:
    explicit Scratch(bool parallel = true, RunContext context = {}) : m_parallel(parallel), m_context(std::move(context)) {}
    void setContext(const RunContext& context) { m_context = context; }
    const RunContext& context() const noexcept { return m_context; } ///< models look for a stop between operators, long operators within
    bool parallel() const noexcept { return m_parallel; }
    std::size_t peakFloats() const noexcept { return m_peak; } ///< most floats in use at once so far

    /// Releases what was taken since its construction.
    class Frame {
    public:
        explicit Frame(Scratch& scratch) : m_scratch(scratch), m_block(scratch.m_block), m_used(scratch.m_used), m_live(scratch.m_live) {}
        ~Frame() { m_scratch.m_block = m_block; m_scratch.m_used = m_used; m_scratch.m_live = m_live; }
        Frame(const Frame&) = delete;
        Frame& operator=(const Frame&) = delete;
        /// Uninitialised [rows, cols], contiguous, 64-byte aligned; lives as long as the frame.
        kernels::Rows take(std::int64_t rows, std::int64_t cols) { return m_scratch.take(rows, cols); }

    private:
        Scratch& m_scratch;
        std::size_t m_block, m_used, m_live;
    };

private:
    kernels::Rows take(std::int64_t rows, std::int64_t cols);
    struct Block {
        std::unique_ptr<float[]> values;
        float* start = nullptr;
        std::size_t size = 0;
    };
    std::vector<Block> m_blocks;
    std::size_t m_block = 0, m_used = 0, m_live = 0, m_peak = 0;
    bool m_parallel;
    RunContext m_context;
};

} // namespace tamis::nn

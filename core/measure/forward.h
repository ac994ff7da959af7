// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One sample through a model, as capture and evaluation need it.
#include "core/base/error.h"
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/tensor/matrix.h"

#include <memory>
#include <mutex>
#include <vector>

namespace tamis::measure {

/// Scratch memory for the workers of a parallel loop: as many as ever ran at once.
class ScratchPool {
public:
    ScratchPool(bool parallel, const RunContext& context) : m_parallel(parallel), m_context(context) {}
    class Lease {
    public:
        explicit Lease(ScratchPool& pool) : m_pool(pool), m_scratch(pool.take()) {}
        ~Lease() { m_pool.giveBack(std::move(m_scratch)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        nn::Scratch& operator*() const { return *m_scratch; }

    private:
        ScratchPool& m_pool;
        std::unique_ptr<nn::Scratch> m_scratch;
    };

private:
    std::unique_ptr<nn::Scratch> take();
    void giveBack(std::unique_ptr<nn::Scratch> scratch) noexcept;
    bool m_parallel;
    RunContext m_context;
    std::mutex m_mutex;
    std::vector<std::unique_ptr<nn::Scratch>> m_free;
};

/// Asks for a stop at every linear input, so that a long forward pass leaves soon.
class StoppingObserver : public nn::Observer {
public:
    explicit StoppingObserver(const RunContext& context) : m_context(context) {}
    void linearInput(std::size_t, const nn::LinearSlot&, kernels::ConstRows) override { m_context.throwIfStopped(); }

protected:
    const RunContext& context() const noexcept { return m_context; }

private:
    RunContext m_context; ///< its own: it may outlive the one that it was given
};

/// Source's sample `index`, loaded and checked against the model. Errors say which sample it was.
void loadChecked(const SampleSource& source, std::size_t index, const nn::Model& model, LoadedSample& sample);

/// True where one sample gives many rows of logits, so that the head is applied to a slice of rows at a time.
bool headBySlices(const nn::Model& model) noexcept;

/// The whole forward pass for an observer; the output is not kept. Every input is reported once, in whole, also where the head
/// runs on slices.
void observe(const nn::Model& model, const LoadedSample& sample, nn::Scratch& scratch, nn::Observer& observer);

/// A forward pass whose logits are asked for in slices of rows, so that those of a long text need not be in memory at once.
class ModelOutput {
public:
    /// Runs the model. Model, scratch and observer must outlive the object; the observer sees the head at every slice.
    ModelOutput(const nn::Model& model, const LoadedSample& sample, nn::Scratch& scratch, nn::Observer& observer);
    std::int64_t rows() const noexcept { return m_kept.rows(); }
    std::int64_t width() const noexcept { return m_model.outputWidth(); }
    /// Rows that slice() may be asked for at once.
    std::int64_t sliceRows() const noexcept;
    /// Logits [count, width] of rows [first, first + count); valid until the next call.
    kernels::ConstRows slice(std::int64_t first, std::int64_t count);

private:
    const nn::Model& m_model;
    nn::Scratch& m_scratch;
    nn::Observer& m_observer;
    bool m_head; ///< m_kept is the head's input, not its output
    tensor::Matrix<float> m_kept, m_logits;
};

} // namespace tamis::measure

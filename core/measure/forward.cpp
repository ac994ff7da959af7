// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/forward.h"

#include <algorithm>

namespace tamis::measure {
namespace {
constexpr std::int64_t kSliceLogits = 1 << 20; // 4 MiB of logits at a time
} // namespace

std::unique_ptr<nn::Scratch> ScratchPool::take()
{
    const std::lock_guard lock(m_mutex);
    if (m_free.empty())
        return std::make_unique<nn::Scratch>(m_parallel, m_context);
    auto scratch = std::move(m_free.back());
    m_free.pop_back();
    return scratch;
}

void ScratchPool::giveBack(std::unique_ptr<nn::Scratch> scratch) noexcept
{
    try {
        const std::lock_guard lock(m_mutex);
        m_free.push_back(std::move(scratch));
    } catch (const std::bad_alloc&) { // one fewer to reuse
    }
}

void loadChecked(const SampleSource& source, std::size_t index, const nn::Model& model, LoadedSample& sample)
{
    source.load(index, sample);
    try {
        model.check(sample.view());
    } catch (const Error& error) {
        throw Error(error.code(), error.subject().empty() ? error.message() : error.subject() + ": " + error.message(), source.name(index));
    }
}

bool headBySlices(const nn::Model& model) noexcept
{
    return model.spec().task == nn::Task::CausalLanguage && model.head();
}

namespace {
std::int64_t hiddenWidth(const nn::Model& model) { return model.spec().blocks.back().width; }

std::int64_t rowsOfASlice(const nn::Model& model, std::int64_t rows)
{
    return std::clamp<std::int64_t>(kSliceLogits / std::max<std::int64_t>(1, model.outputWidth()), 1, rows);
}

kernels::ConstRows rowsOf(kernels::ConstRows x, std::int64_t first, std::int64_t count)
{
    return {x.data + first * x.stride, count, x.cols, x.stride};
}

/// Puts the slices of the head's inputs together again.
class SliceCollector : public nn::Observer {
public:
    explicit SliceCollector(std::int64_t rows) : m_rows(rows) {}
    void linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        auto found = std::ranges::find(m_inputs, &slot, &Input::slot);
        if (found == m_inputs.end())
            found = m_inputs.insert(m_inputs.end(), {&slot, tensor::Matrix<float>(m_rows, x.cols), 0});
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::ranges::copy(x.row(i), found->values.data() + (found->filled + i) * x.cols);
        found->filled += x.rows;
    }
    void report(nn::Observer& observer) const
    {
        for (const Input& input : m_inputs)
            observer.linearInput(0, *input.slot, input.values.view());
    }

private:
    struct Input {
        const nn::LinearSlot* slot;
        tensor::Matrix<float> values;
        std::int64_t filled;
    };
    std::int64_t m_rows;
    std::vector<Input> m_inputs;
};
} // namespace

void observe(const nn::Model& model, const LoadedSample& sample, nn::Scratch& scratch, nn::Observer& observer)
{
    const nn::Sample view = sample.view();
    nn::Scratch::Frame frame(scratch);
    const std::int64_t rows = model.outputRows(view);
    if (!headBySlices(model)) {
        model.run(view, frame.take(rows, model.outputWidth()), scratch, 0, &observer);
        return;
    }
    const kernels::Rows hidden = frame.take(model.hiddenTokens(view), hiddenWidth(model));
    model.runHidden(view, hidden, scratch, 0, &observer);
    const std::int64_t slice = rowsOfASlice(model, rows);
    const kernels::Rows logits = frame.take(slice, model.outputWidth());
    SliceCollector head(rows);
    for (std::int64_t first = 0; first < rows; first += slice) {
        scratch.context().throwIfStopped();
        const std::int64_t count = std::min(slice, rows - first);
        model.runHead(rowsOf(hidden, first, count), {logits.data, count, logits.cols, logits.stride}, scratch, 0, &head);
    }
    head.report(observer);
}

ModelOutput::ModelOutput(const nn::Model& model, const LoadedSample& sample, nn::Scratch& scratch, nn::Observer& observer)
    : m_model(model), m_scratch(scratch), m_observer(observer), m_head(headBySlices(model)),
      m_kept(m_head ? model.hiddenTokens(sample.view()) : model.outputRows(sample.view()), m_head ? hiddenWidth(model) : model.outputWidth())
{
    if (m_head)
        model.runHidden(sample.view(), m_kept.view(), scratch, 0, &observer);
    else
        model.run(sample.view(), m_kept.view(), scratch, 0, &observer);
}

std::int64_t ModelOutput::sliceRows() const noexcept { return m_head ? rowsOfASlice(m_model, rows()) : rows(); }

kernels::ConstRows ModelOutput::slice(std::int64_t first, std::int64_t count)
{
    const kernels::ConstRows kept = rowsOf(m_kept.view(), first, count);
    if (!m_head)
        return kept;
    if (m_logits.rows() < count)
        m_logits = tensor::Matrix<float>(sliceRows(), width());
    const kernels::Rows logits{m_logits.data(), count, width(), width()};
    m_model.runHead(kept, logits, m_scratch, 0, &m_observer);
    return logits;
}

} // namespace tamis::measure

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/sequential_statistics.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/linalg/gemm.h"
#include "core/linalg/gram_update.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;
constexpr std::size_t kMostSamplesAtOnce = 64;

/// One sample on its way through the blocks: [tokens, width] of the residual stream on each path.
struct Traveller {
    std::string name;
    bool heldOut = false;
    Matrix<float> dense, compressed, reference;
};

/// Copies the input of one operator.
class InputCopy : public measure::StoppingObserver {
public:
    InputCopy(const std::string& site, Matrix<float>& copy, const RunContext& context) : StoppingObserver(context), m_site(site), m_copy(copy) {}
    void linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        StoppingObserver::linearInput(sample, slot, x);
        if (slot.name != m_site)
            return;
        m_copy = Matrix<float>(x.rows, x.cols);
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::ranges::copy(x.row(i), m_copy.data() + i * x.cols);
    }

private:
    const std::string& m_site;
    Matrix<float>& m_copy;
};

/// Squared norms of the drift and of the dense path, in double.
struct Squares {
    double drift = 0, dense = 0;
    double relative() const { return dense > 0 ? std::sqrt(drift / dense) : std::numeric_limits<double>::quiet_NaN(); }
};

Squares squaresOf(const Matrix<float>& x, const Matrix<float>& dense)
{
    Squares sums;
    for (std::size_t i = 0; i < dense.size(); ++i) {
        const double value = dense.values()[i], shift = static_cast<double>(x.values()[i]) - value;
        sums.dense += value * value;
        sums.drift += shift * shift;
    }
    return sums;
}

/// Upper triangles of h and drift, all of delta.
void add(const Matrix<float>& dense, const Matrix<float>& compressed, DriftMoments& sums, const RunContext& context)
{
    const Matrix<double> x = linalg::toDouble(compressed.view());
    Matrix<double> e = linalg::toDouble(dense.view());
    bool drifted = false;
    for (std::size_t i = 0; i < e.size(); ++i) {
        e.values()[i] -= x.values()[i];
        drifted = drifted || e.values()[i] != 0;
    }
    sums.tokens += static_cast<std::uint64_t>(x.rows());
    linalg::addGramUpper(1.0, compressed.view(), linalg::Side::Columns, sums.h.view(), context);
    if (!drifted)
        return;
    linalg::addGramUpper(1.0, e.view(), linalg::Side::Columns, sums.drift.view(), context);
    linalg::gemm(Op::Transpose, Op::None, 1.0, e.view(), x.view(), 1.0, sums.delta.view(), context);
}

void requireFinite(const Matrix<float>& x, const std::string& site, const std::string& sample)
{
    if (!std::ranges::all_of(x.values(), [](float value) { return std::isfinite(value); }))
        throw Error(ErrorCode::NonFinite, "gives NaN or infinity at the input of " + site, sample);
}

bool isHeldOut(std::size_t index, double share)
{
    return std::floor(static_cast<double>(index + 1) * share) > std::floor(static_cast<double>(index) * share);
}
} // namespace

struct ModelPaths::State {
    std::shared_ptr<const nn::Model> dense;
    PathOptions options;
    std::vector<Traveller> travellers;
    int block = 0;

    void runAll(const RunContext& context, std::size_t first, std::size_t count, const std::function<void(std::size_t, nn::Scratch&)>& body) const;
    void load(const measure::SampleSource& source, const RunContext& context);
};

/// body(i, scratch) for count samples from `first` on: in parallel, or one after the other with parallel operators where there
/// are fewer samples than threads.
void ModelPaths::State::runAll(const RunContext& context, std::size_t first, std::size_t count,
                               const std::function<void(std::size_t, nn::Scratch&)>& body) const
{
    const bool several = count >= static_cast<std::size_t>(threadCount());
    measure::ScratchPool pool(!several, context);
    const auto one = [&](std::size_t i) {
        const measure::ScratchPool::Lease scratch(pool);
        body(first + i, *scratch);
    };
    if (several)
        return parallelFor(context, count, one);
    for (std::size_t i = 0; i < count; ++i) {
        context.throwIfStopped();
        one(i);
    }
}

void ModelPaths::State::load(const measure::SampleSource& source, const RunContext& context)
{
    const std::size_t all = source.count(), count = options.samples > 0 ? std::min(options.samples, all) : all;
    if (count == 0)
        throw Error(ErrorCode::InvalidParameter, "has no samples to run the model on", source.description());
    travellers.resize(count);
    const auto width = dense->spec().blocks.front().width;
    measure::LoadedSample first;
    measure::loadChecked(source, 0, *dense, first);
    const std::uint64_t paths = options.reference ? 3 : 2;
    requireMemory(paths * sizeof(float) * static_cast<std::uint64_t>(width * dense->embeddedTokens(first.view())) * count,
                  "the hidden states of " + std::to_string(count) + " samples");
    runAll(context, 0, count, [&](std::size_t i, nn::Scratch& scratch) {
        measure::LoadedSample sample;
        const std::size_t index = i * all / count;
        measure::loadChecked(source, index, *dense, sample);
        Traveller& one = travellers[i];
        one.name = source.name(index);
        one.heldOut = isHeldOut(i, options.heldOut);
        one.dense = Matrix<float>(dense->embeddedTokens(sample.view()), width);
        dense->embed(sample.view(), one.dense.view(), scratch);
        one.compressed = one.dense;
        if (options.reference)
            one.reference = one.dense;
    });
}

ModelPaths::ModelPaths(std::shared_ptr<const nn::Model> dense, const measure::SampleSource& source, const PathOptions& options, const RunContext& context)
    : m_state(std::make_unique<State>())
{
    if (!(options.heldOut >= 0 && options.heldOut <= 0.5))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(options.heldOut) + ", expected a share from 0 to 0.5", "held-out");
    for (const nn::Block& block : dense->blocks())
        if (block.merge)
            throw Error(ErrorCode::UnsupportedFeature, "merges patches between blocks; found " + block.merge.name +
                                                           ", expected a model whose residual stream keeps its shape", dense->spec().architecture);
    m_state->dense = std::move(dense);
    m_state->options = options;
    m_state->load(source, context);
}

ModelPaths::~ModelPaths() = default;
int ModelPaths::block() const noexcept { return m_state->block; }
std::size_t ModelPaths::samples() const noexcept { return m_state->travellers.size() - heldOutSamples(); }
std::size_t ModelPaths::heldOutSamples() const noexcept
{
    return static_cast<std::size_t>(std::ranges::count(m_state->travellers, true, &Traveller::heldOut));
}

InputMoments ModelPaths::measure(const std::string& site, const nn::Model& compressed, const RunContext& context)
{
    State& state = *m_state;
    const nn::LinearSlot* slot = state.dense->find(site);
    if (!slot || !*slot || slot->layer != state.block)
        throw Error(ErrorCode::InvalidParameter, "is no linear operator of block " + std::to_string(state.block), site);
    const std::int64_t features = slot->op->inFeatures();
    InputMoments sums{DriftMoments(features), DriftMoments(heldOutSamples() > 0 ? features : 0)};
    const std::size_t count = state.travellers.size();
    const std::uint64_t largest = static_cast<std::uint64_t>(std::ranges::max(state.travellers, {}, [](const Traveller& t) { return t.dense.rows(); }).dense.rows());
    const std::uint64_t bytes = 2 * sizeof(float) * largest * static_cast<std::uint64_t>(features);
    const auto batch = static_cast<std::size_t>(std::clamp<std::uint64_t>(state.options.bufferBytes / std::max<std::uint64_t>(1, bytes), 1, kMostSamplesAtOnce));
    std::vector<Matrix<float>> dense(batch), drifted(batch);
    for (std::size_t first = 0; first < count; first += batch) {
        const std::size_t now = std::min(batch, count - first);
        state.runAll(context, first, now, [&](std::size_t i, nn::Scratch& scratch) {
            const Traveller& one = state.travellers[i];
            const auto inputOf = [&](const nn::Model& model, Matrix<float> x, Matrix<float>& copy) {
                InputCopy observer(site, copy, context);
                model.runBlock(state.block, x.view(), scratch, 0, &observer);
                requireFinite(copy, site, one.name);
            };
            inputOf(*state.dense, one.dense, dense[i - first]);
            inputOf(compressed, one.compressed, drifted[i - first]);
        });
        for (std::size_t i = 0; i < now; ++i) // in the order of the samples, whoever ran them
            add(dense[i], drifted[i], state.travellers[first + i].heldOut ? sums.heldOut : sums.calibration, context);
        context.setFraction(static_cast<double>(first + now) / static_cast<double>(count));
    }
    for (DriftMoments* one : {&sums.calibration, &sums.heldOut}) {
        linalg::mirrorUpper(one->h.view());
        linalg::mirrorUpper(one->drift.view());
    }
    return sums;
}

ModelPaths::Errors ModelPaths::advance(const nn::Model& compressed, const nn::Model* reference, const RunContext& context)
{
    State& state = *m_state;
    if (state.options.reference && !reference)
        throw Error(ErrorCode::InvalidParameter, "found no model for the reference path, expected one");
    const std::size_t count = state.travellers.size();
    std::vector<Squares> first(count), second(count);
    state.runAll(context, 0, count, [&](std::size_t i, nn::Scratch& scratch) {
        Traveller& one = state.travellers[i];
        measure::StoppingObserver observer(context);
        state.dense->runBlock(state.block, one.dense.view(), scratch, 0, &observer);
        compressed.runBlock(state.block, one.compressed.view(), scratch, 0, &observer);
        first[i] = squaresOf(one.compressed, one.dense);
        if (state.options.reference) {
            reference->runBlock(state.block, one.reference.view(), scratch, 0, &observer);
            second[i] = squaresOf(one.reference, one.dense);
        }
    });
    const auto summed = [&](const std::vector<Squares>& each) {
        Squares sums[2];
        for (std::size_t i = 0; i < count; ++i) {
            Squares& to = sums[state.travellers[i].heldOut ? 1 : 0];
            to.drift += each[i].drift;
            to.dense += each[i].dense;
        }
        return PathError{sums[0].relative(), sums[1].relative()};
    };
    ++state.block;
    context.finish();
    return {summed(first), summed(second)};
}

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/mlp_rows.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/measure/forward.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::addressing {
namespace {
using tensor::Matrix;

/// Finds the operators of the blocks by their place in the model, which outlives the run.
class MlpObserver final : public measure::StoppingObserver {
public:
    MlpObserver(const RunContext& context, const nn::Model& model, const MlpVisitor& visit) : StoppingObserver(context), m_model(model), m_visit(visit), m_scratch(true, context) {}
    void start(std::size_t sample, std::span<const std::int32_t> tokens)
    {
        m_sample = sample;
        m_tokens = tokens;
    }
    void linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        StoppingObserver::linearInput(sample, slot, x);
        for (std::size_t b = 0; b < m_model.blocks().size(); ++b) {
            const nn::Block& block = m_model.blocks()[b];
            if (&slot == &block.up) {
                m_input = Matrix<float>(x.rows, x.cols);
                for (std::int64_t i = 0; i < x.rows; ++i)
                    std::ranges::copy(x.row(i), m_input.view().row(i).begin());
            } else if (&slot == &block.down) {
                m_output = Matrix<float>(x.rows, slot.op->outFeatures());
                slot.op->apply(x, {}, m_output.view(), m_scratch);
                m_visit({m_sample, static_cast<int>(b), m_input.view(), x, m_output.view(), m_tokens});
            }
        }
    }

private:
    const nn::Model& m_model;
    const MlpVisitor& m_visit;
    nn::Scratch m_scratch;
    std::size_t m_sample = 0;
    std::span<const std::int32_t> m_tokens;
    Matrix<float> m_input, m_output;
};

void requireText(const nn::Model& model)
{
    if (model.spec().vision())
        throw Error(ErrorCode::UnsupportedFeature, "reads images, expected a model that reads tokens", model.spec().architecture);
}

/// The best W ~ U (U^T W) of a rank, or (W V) V^T where W has fewer columns than rows; the operator as it is where factors save nothing.
nn::LinearPtr truncated(const nn::LinearPtr& op, double keep, const RunContext& context)
{
    const Matrix<float> weight = op->dense();
    const std::int64_t out = weight.rows(), in = weight.cols();
    const auto rank = std::max<std::int64_t>(1, std::llround(keep * static_cast<double>(out) * static_cast<double>(in) / static_cast<double>(out + in)));
    if (rank >= std::min(out, in))
        return op;
    const linalg::Side side = out <= in ? linalg::Side::Rows : linalg::Side::Columns;
    const auto eigen = linalg::symmetricEigen(linalg::gramUpper(weight.view(), side, context), context);
    const linalg::ConstView basis{eigen.vectors.data(), rank, eigen.vectors.cols(), eigen.vectors.cols()}; // rows are vectors
    const Matrix<double> wide = linalg::toDouble(weight.view());
    Matrix<float> b(out, rank), a(rank, in);
    const auto rounded = [](const Matrix<double>& from, Matrix<float>& to) { std::ranges::transform(from.values(), to.values().begin(), [](double value) { return static_cast<float>(value); }); };
    if (side == linalg::Side::Rows) {
        rounded(linalg::product(basis, wide.view(), context), a);
        for (std::int64_t i = 0; i < out; ++i)
            for (std::int64_t r = 0; r < rank; ++r)
                b(i, r) = static_cast<float>(basis(r, i));
    } else {
        rounded(linalg::product(linalg::Op::None, linalg::Op::Transpose, wide.view(), basis, context), b);
        for (std::int64_t r = 0; r < rank; ++r)
            for (std::int64_t j = 0; j < in; ++j)
                a(r, j) = static_cast<float>(basis(r, j));
    }
    return nn::factorsOp(b.view(), a.view(), op->bias());
}

/// Rows `kept` of an operator's matrix; the other outputs are its bias.
nn::LinearPtr withRows(const nn::LinearPtr& op, const std::vector<std::int64_t>& kept)
{
    const Matrix<float> weight = op->dense();
    Matrix<float> part(static_cast<std::int64_t>(kept.size()), weight.cols());
    std::vector<std::int64_t> places(static_cast<std::size_t>(weight.rows()), 0);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        std::ranges::copy(weight.view().row(kept[i]), part.view().row(static_cast<std::int64_t>(i)).begin());
        places[static_cast<std::size_t>(kept[i])] = static_cast<std::int64_t>(i) + 1;
    }
    return nn::selectedOp(part.view(), std::move(places), {}, weight.cols(), op->bias());
}

nn::LinearPtr withColumns(const nn::LinearPtr& op, const std::vector<std::int64_t>& kept)
{
    const Matrix<float> weight = op->dense();
    Matrix<float> part(weight.rows(), static_cast<std::int64_t>(kept.size()));
    for (std::int64_t i = 0; i < weight.rows(); ++i)
        for (std::size_t j = 0; j < kept.size(); ++j)
            part(i, static_cast<std::int64_t>(j)) = weight(i, kept[j]);
    return nn::selectedOp(part.view(), {}, kept, weight.cols(), op->bias());
}

/// [blocks][hidden]: sum over the samples of h^2.
std::vector<std::vector<double>> hiddenSquares(const nn::Model& model, const measure::SampleSource& source, std::size_t samples, const RunContext& context)
{
    std::vector<std::vector<double>> sums;
    for (const nn::Block& block : model.blocks())
        sums.emplace_back(static_cast<std::size_t>(block.spec.mlp.hidden));
    visitMlps(model, source, samples, [&](const MlpRows& rows) {
        std::vector<double>& of = sums[static_cast<std::size_t>(rows.block)];
        for (std::int64_t t = 0; t < rows.hidden.rows; ++t)
            for (std::size_t j = 0; j < of.size(); ++j) {
                const double h = static_cast<double>(rows.hidden(t, static_cast<std::int64_t>(j)));
                of[j] += h * h;
            }
    }, context);
    return sums;
}

std::vector<std::int64_t> strongest(const nn::Block& block, const std::vector<double>& squares, double keep)
{
    const Matrix<float> down = block.down.op->dense();
    std::vector<double> energy(squares);
    for (std::size_t j = 0; j < energy.size(); ++j) {
        double column = 0;
        for (std::int64_t i = 0; i < down.rows(); ++i)
            column += static_cast<double>(down(i, static_cast<std::int64_t>(j))) * static_cast<double>(down(i, static_cast<std::int64_t>(j)));
        energy[j] *= column;
    }
    std::vector<std::int64_t> kept(energy.size());
    std::iota(kept.begin(), kept.end(), std::int64_t{0});
    std::ranges::stable_sort(kept, [&](std::int64_t a, std::int64_t b) { return energy[static_cast<std::size_t>(a)] > energy[static_cast<std::size_t>(b)]; });
    kept.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, std::llround(keep * static_cast<double>(energy.size())))));
    std::ranges::sort(kept);
    return kept;
}
} // namespace

void applyMlp(const nn::Block& block, kernels::ConstRows x, kernels::Rows out, nn::Scratch& scratch)
{
    nn::Scratch::Frame frame(scratch);
    const kernels::Rows hidden = frame.take(x.rows, block.spec.mlp.hidden);
    if (block.gate) {
        const kernels::Rows gate = frame.take(x.rows, block.spec.mlp.hidden);
        block.gate.op->apply(x, {.activation = block.spec.mlp.activation}, gate, scratch);
        block.up.op->apply(x, {.factor = gate}, hidden, scratch);
    } else {
        block.up.op->apply(x, {.activation = block.spec.mlp.activation}, hidden, scratch);
    }
    block.down.op->apply(hidden, {}, out, scratch);
}

void visitMlps(const nn::Model& model, const measure::SampleSource& source, std::size_t samples, const MlpVisitor& visit, const RunContext& context)
{
    requireText(model);
    const std::size_t count = samples == 0 ? source.count() : std::min(samples, source.count());
    if (count == 0)
        throw Error(ErrorCode::InvalidParameter, "holds no sample, expected at least one", source.description());
    MlpObserver observer(context, model, visit);
    nn::Scratch scratch(true, context);
    measure::LoadedSample sample;
    for (std::size_t index = 0; index < count; ++index) {
        measure::loadChecked(source, index, model, sample);
        observer.start(index, sample.tokens);
        nn::Scratch::Frame frame(scratch);
        const nn::Sample view = sample.view();
        model.runHidden(view, frame.take(model.hiddenTokens(view), model.blocks().back().spec.width), scratch, index, &observer);
        context.setFraction(static_cast<double>(index + 1) / static_cast<double>(count));
    }
}

MlpSamples collectMlpRows(const nn::Model& model, const measure::SampleSource& source, int block, std::size_t rows, const RunContext& context)
{
    requireText(model);
    if (block < 0 || block >= static_cast<int>(model.blocks().size()) || !model.blocks()[static_cast<std::size_t>(block)].down)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(block) + ", expected a block with a feed-forward part, 0 to " + std::to_string(model.blocks().size() - 1), "block");
    const std::int64_t width = model.blocks()[static_cast<std::size_t>(block)].spec.width;
    std::vector<float> input, output;
    MlpSamples all;
    measure::LoadedSample sample;
    std::size_t tokens = 0, samples = 0; // as many samples as it takes
    for (; samples < source.count() && tokens < rows; ++samples) {
        source.load(samples, sample);
        tokens += sample.tokens.size();
    }
    visitMlps(model, source, samples, [&](const MlpRows& seen) {
        if (seen.block != block)
            return;
        all.starts.push_back(all.tokens.size());
        const auto count = std::min<std::size_t>(rows - all.tokens.size(), static_cast<std::size_t>(seen.input.rows));
        for (std::size_t t = 0; t < count; ++t) {
            const auto from = seen.input.row(static_cast<std::int64_t>(t)), to = seen.output.row(static_cast<std::int64_t>(t));
            input.insert(input.end(), from.begin(), from.end());
            output.insert(output.end(), to.begin(), to.end());
            all.tokens.push_back(seen.tokens[t]);
        }
    }, context);
    all.input = Matrix<float>(static_cast<std::int64_t>(all.tokens.size()), width);
    all.output = all.input;
    std::ranges::copy(input, all.input.values().begin());
    std::ranges::copy(output, all.output.values().begin());
    return all;
}

std::shared_ptr<const nn::Model> compressedMlps(const nn::Model& model, MlpCompression compression, double keep, const measure::SampleSource& source, std::size_t samples, const RunContext& context)
{
    requireText(model);
    if (!(keep > 0) || keep > 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(keep) + ", expected more than 0 and at most 1", "keep");
    context.setParts(2);
    std::vector<nn::Model::Replacement> replacements;
    std::vector<std::vector<double>> squares;
    if (compression == MlpCompression::Pruned)
        squares = hiddenSquares(model, source, samples, context.part(1, "hidden features"));
    for (std::size_t b = 0; b < model.blocks().size() && compression != MlpCompression::None; ++b) {
        const nn::Block& block = model.blocks()[b];
        if (!block.down)
            continue;
        const RunContext part = context.part(1.0 / static_cast<double>(model.blocks().size()), "compressing");
        const std::vector<std::int64_t> kept = compression == MlpCompression::Pruned ? strongest(block, squares[b], keep) : std::vector<std::int64_t>();
        for (const nn::LinearSlot* slot : {&block.gate, &block.up, &block.down})
            if (*slot)
                replacements.push_back({slot->name, kept.empty() ? truncated(slot->op, keep, RunContext(part.stopToken())) : slot == &block.down ? withColumns(slot->op, kept) : withRows(slot->op, kept)});
        part.finish();
    }
    return model.replaced(replacements);
}

} // namespace tamis::addressing

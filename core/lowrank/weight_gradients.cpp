// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/weight_gradients.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/block_influence.h"
#include "core/train/decoder_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/vit_on_tape.h"

#include <algorithm>
#include <cmath>

namespace tamis::lowrank {
namespace {
using measure::LoadedSample;

/// Of one sample: its mean loss on the tape, and how many predictions that is over.
template <class T> struct SampleLoss {
    train::Variable<T> mean;
    std::int64_t predictions = 0;
};

template <class T> SampleLoss<T> lossOf(train::VitOnTape<T>& model, train::Tape<T>& tape, const LoadedSample& sample)
{
    const auto& shape = model.shape();
    T* rows = tape.template scratch<T>(shape.patches() * shape.patchValues());
    model.cutPatches(sample.image, rows);
    const auto logits = model.logits(tape, tape.constant({rows, shape.patches(), shape.patchValues(), shape.patchValues()}), 1);
    auto label = static_cast<std::int32_t>(sample.label);
    if (label < 0) {
        const auto row = logits.value().row(0);
        label = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
    }
    return {train::crossEntropy<T>(logits, {&label, 1}), 1};
}

template <class T> SampleLoss<T> lossOf(train::DecoderOnTape<T>& model, train::Tape<T>& tape, const LoadedSample& sample)
{
    auto labels = train::nextTokens(sample.tokens, 1);
    const std::size_t context = std::max<std::size_t>(1, sample.firstScored) - 1; // rows whose next token is not scored
    std::fill_n(labels.begin(), std::min(context, labels.size()), train::kIgnored);
    const auto count = std::ranges::count_if(labels, [](std::int32_t label) { return label != train::kIgnored; });
    return {train::crossEntropy<T>(model.logits(tape, sample.tokens, 1), labels), count};
}

void addGradient(tensor::Matrix<double>& sum, const auto& gradient, double weight)
{
    for (std::int64_t i = 0; i < sum.rows(); ++i)
        for (std::int64_t j = 0; j < sum.cols(); ++j)
            sum(i, j) += weight * static_cast<double>(gradient(i, j));
}

template <class T, class Model>
WeightGradients gradientsOf(Model model, const measure::SampleSource& source, const std::vector<const io::MatrixRef*>& matrices, std::size_t samples,
                            const RunContext& context)
{
    WeightGradients result;
    std::vector<train::Parameter<T>*> parameters;
    std::uint64_t bytes = 0;
    for (const io::MatrixRef* matrix : matrices) {
        auto* parameter = model.parameters().find(matrix->tensor);
        if (!parameter || parameter->values.rows() != matrix->rows || parameter->values.cols() != matrix->cols)
            throw Error(ErrorCode::InvalidParameter, "is no weight of the model on the tape in its own shape, so that it has no gradient here", matrix->name);
        parameters.push_back(parameter);
        bytes += static_cast<std::uint64_t>(matrix->rows * matrix->cols) * sizeof(double);
    }
    requireMemory(bytes, "the gradients of the weights");
    for (const io::MatrixRef* matrix : matrices)
        result.matrices.emplace(matrix->name, tensor::Matrix<double>(matrix->rows, matrix->cols));
    const auto indices = evenIndices(source.count(), samples);
    train::Tape<T> tape(RunContext(context.stopToken()));
    LoadedSample sample;
    for (std::size_t k = 0; k < indices.size(); ++k) {
        source.load(indices[k], sample);
        tape.reset();
        model.parameters().zeroGradients();
        const auto loss = lossOf(model, tape, sample);
        if (loss.predictions == 0)
            continue;
        const auto weight = static_cast<double>(loss.predictions);
        result.loss += weight * static_cast<double>(tape.scalar(loss.mean));
        result.predictions += static_cast<std::uint64_t>(loss.predictions);
        tape.backward(loss.mean);
        for (std::size_t i = 0; i < matrices.size(); ++i) {
            context.throwIfStopped();
            addGradient(result.matrices.at(matrices[i]->name), parameters[i]->gradient, weight);
        }
        context.setFraction(static_cast<double>(k + 1) / static_cast<double>(indices.size()));
    }
    if (result.predictions == 0)
        throw Error(ErrorCode::InvalidParameter, "found nothing to predict, expected at least one labelled image or next token", source.description());
    const double scale = 1 / static_cast<double>(result.predictions);
    result.loss *= scale;
    for (auto& [name, gradient] : result.matrices)
        for (double& value : gradient.values()) {
            value *= scale;
            if (!std::isfinite(value))
                throw Error(ErrorCode::NonFinite, "the gradient of the loss holds NaN or infinity", name);
        }
    return result;
}

template <class T>
WeightGradients gradientsIn(const io::Checkpoint& checkpoint, const measure::SampleSource& source, const std::vector<const io::MatrixRef*>& matrices,
                            std::size_t samples, const RunContext& context)
{
    LoadedSample first;
    source.load(0, first);
    if (!first.tokens.empty())
        return gradientsOf<T>(train::DecoderOnTape<T>::load(checkpoint, context), source, matrices, samples, context);
    auto model = train::VitOnTape<T>::load(checkpoint, context);
    if (model.shape().classes < 1)
        throw Error(ErrorCode::InvalidParameter, "has no head, so that there is no class to have a loss about", checkpoint.path().string());
    return gradientsOf<T>(std::move(model), source, matrices, samples, context);
}

} // namespace

WeightGradients weightGradients(const io::Checkpoint& checkpoint, const measure::SampleSource& source, const std::vector<const io::MatrixRef*>& matrices,
                                const WeightGradientOptions& options, const RunContext& context)
{
    if (source.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected at least one", source.description());
    return options.exact ? gradientsIn<double>(checkpoint, source, matrices, options.samples, context)
                         : gradientsIn<float>(checkpoint, source, matrices, options.samples, context);
}

std::vector<double> lossChanges(const tensor::Matrix<double>& gradient, const spectrum::Factors& factors, const RunContext& context)
{
    const std::int64_t p = factors.a.rows();
    if (gradient.rows() != factors.b.rows() || gradient.cols() != factors.a.cols() || factors.b.cols() != p)
        throw Error(ErrorCode::InvalidParameter, "found a gradient of " + std::to_string(gradient.rows()) + " x " + std::to_string(gradient.cols()) +
                                                     ", expected " + std::to_string(factors.b.rows()) + " x " + std::to_string(factors.a.cols()));
    // Row i of G^T-side product: (a G^T)_i = G a_i, so that its product with column i of b is b_i^T G a_i.
    const auto projected = linalg::product(linalg::Op::None, linalg::Op::Transpose, factors.a.view(), gradient.view(), context);
    std::vector<double> changes(static_cast<std::size_t>(p + 1), 0.0);
    for (std::int64_t i = p; i-- > 0;) {
        double term = 0;
        for (std::int64_t j = 0; j < gradient.rows(); ++j)
            term += factors.b(j, i) * projected(i, j);
        changes[static_cast<std::size_t>(i)] = changes[static_cast<std::size_t>(i) + 1] - term;
    }
    return changes;
}

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/model_site.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"
#include "core/nn/scratch.h"

#include <algorithm>
#include <string>
#include <vector>

namespace tamis::encoder {
namespace {
using measure::LoadedSample;
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kHeadRows = 64; // whose logits are in memory at once

/// x after the block: [tokens, width].
Matrix<float> runTo(const nn::Model& model, int block, const LoadedSample& sample, nn::Scratch& scratch)
{
    Matrix<float> x(model.embeddedTokens(sample.view()), model.spec().width);
    model.embed(sample.view(), x.view(), scratch);
    for (int i = 0; i <= block; ++i)
        model.runBlock(i, x.view(), scratch);
    return x;
}

/// What the head reads of the last rows.
Matrix<float> pooled(const nn::Model& model, const Matrix<float>& hidden)
{
    const nn::Pool pool = model.spec().pool;
    if (pool == nn::Pool::None)
        return hidden;
    const std::int64_t width = hidden.cols(), first = model.spec().patch.prefixTokens;
    Matrix<float> features(1, pool == nn::Pool::ClassAndMean ? 2 * width : width);
    float* out = features.data();
    if (pool != nn::Pool::Mean) {
        std::copy_n(hidden.data(), width, out);
        out += width;
    }
    if (pool != nn::Pool::ClassToken)
        for (std::int64_t j = 0; j < width; ++j) {
            double sum = 0;
            for (std::int64_t t = first; t < hidden.rows(); ++t)
                sum += static_cast<double>(hidden(t, j));
            out[j] = static_cast<float>(sum / static_cast<double>(hidden.rows() - first));
        }
    return features;
}

/// Sums over the predictions of one sample.
struct LossSums {
    double crossEntropy = 0;
    std::int64_t right = 0, predictions = 0;
    int likeliest = -1; ///< class of an image
};

/// From the rows after `block` to the losses; `label`: of an image, -1: its likeliest class.
LossSums scored(const nn::Model& model, int block, Matrix<float> x, const LoadedSample& sample, int label, nn::Scratch& scratch)
{
    for (int i = block + 1; i < static_cast<int>(model.blocks().size()); ++i)
        model.runBlock(i, x.view(), scratch);
    model.finalNorm().apply(x.view(), x.view());
    const Matrix<float> features = pooled(model, x);
    LossSums sums;
    const auto add = [&](std::span<const float> logits, std::int64_t target) {
        const measure::LabelScore score = measure::scoreLabel(logits, target);
        sums.crossEntropy += score.negativeLogLikelihood;
        sums.right += score.top1;
        ++sums.predictions;
    };
    if (model.spec().task == nn::Task::ImageClassification) {
        Matrix<float> logits(1, model.outputWidth());
        model.runHead(features.view(), logits.view(), scratch);
        sums.likeliest = measure::bestClasses(logits.view().row(0), 1).front();
        add(logits.view().row(0), label >= 0 ? label : sums.likeliest);
        return sums;
    }
    const std::int64_t begin = std::max<std::int64_t>(1, static_cast<std::int64_t>(sample.firstScored)) - 1, end = features.rows() - 1;
    for (std::int64_t first = begin; first < end; first += kHeadRows) {
        Matrix<float> logits(std::min(kHeadRows, end - first), model.outputWidth());
        model.runHead({features.data() + first * features.cols(), logits.rows(), features.cols(), features.cols()}, logits.view(), scratch);
        for (std::int64_t i = 0; i < logits.rows(); ++i)
            add(logits.view().row(i), sample.tokens[static_cast<std::size_t>(first + i + 1)]);
    }
    return sums;
}

struct SampleLoss {
    LossSums dense, exact, encoded;
    std::int64_t tokens = 0;
    bool labelled = false;
};

SampleLoss lossOf(const nn::Model& model, int block, const Dictionary& dictionary, const TopKEncoder& exact, const TopKEncoder& encoder, const LoadedSample& sample, nn::Scratch& scratch,
                  const RunContext& context)
{
    const Matrix<float> x = runTo(model, block, sample, scratch);
    const Matrix<float> prepared = dictionary.prepared(x.view());
    SampleLoss loss;
    loss.tokens = x.rows();
    loss.labelled = sample.label >= 0;
    loss.dense = scored(model, block, x, sample, sample.label, scratch);
    const int label = loss.labelled ? sample.label : loss.dense.likeliest;
    const auto through = [&](const TopKEncoder& each) {
        return scored(model, block, dictionary.decoded(each.encode(prepared.view(), context), x.view(), context), sample, label, scratch);
    };
    loss.exact = through(exact);
    loss.encoded = through(encoder);
    return loss;
}

/// body(index, sample, scratch) for all samples, several at a time; errors name the sample.
void forSamples(const nn::Model& model, const measure::SampleSource& samples, const RunContext& context,
                const std::function<void(std::size_t, const LoadedSample&, nn::Scratch&)>& body)
{
    measure::ScratchPool pool(false, context);
    parallelFor(context, samples.count(), [&](std::size_t index) {
        LoadedSample sample;
        measure::loadChecked(samples, index, model, sample);
        const measure::ScratchPool::Lease scratch(pool);
        try {
            body(index, sample, *scratch);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            throw Error(error.code(), error.message(), samples.name(index));
        }
    });
}
} // namespace

void requireSite(const nn::Model& model, int block, std::int64_t width)
{
    const nn::ModelSpec& spec = model.spec();
    if (block < 0 || block >= static_cast<int>(model.blocks().size()))
        throw Error(ErrorCode::InvalidParameter, "found block " + std::to_string(block) + ", expected 0 to " + std::to_string(model.blocks().size() - 1) + " of the model");
    if (spec.task != nn::Task::ImageClassification && spec.task != nn::Task::CausalLanguage)
        throw Error(ErrorCode::UnsupportedFeature, "found a model for " + std::string(nn::taskName(spec.task)) + ", expected one that classifies images or predicts next tokens");
    if (spec.distillationHead || std::ranges::any_of(spec.blocks, [&](const nn::BlockSpec& each) { return each.mergeAfter || each.width != spec.width; }))
        throw Error(ErrorCode::UnsupportedFeature, "found a model with " + std::string(spec.distillationHead ? "a second head" : "blocks of several widths") + ", expected one stream of one width and one head");
    if (spec.width != width)
        throw Error(ErrorCode::InvalidParameter, "found a residual stream of " + std::to_string(spec.width) + " features, expected the " + std::to_string(width) + " that the autoencoder reads");
}

Matrix<float> siteRows(const nn::Model& model, int block, const measure::SampleSource& samples, std::int64_t most, const RunContext& context)
{
    requireSite(model, block, model.spec().width);
    std::vector<Matrix<float>> parts(samples.count());
    const std::int64_t share = std::max<std::int64_t>(1, (most + static_cast<std::int64_t>(samples.count()) - 1) / std::max<std::int64_t>(1, static_cast<std::int64_t>(samples.count())));
    forSamples(model, samples, context, [&](std::size_t index, const LoadedSample& sample, nn::Scratch& scratch) {
        const Matrix<float> x = runTo(model, block, sample, scratch);
        const std::int64_t kept = std::min(share, x.rows());
        parts[index] = Matrix<float>(kept, x.cols());
        for (std::int64_t i = 0; i < kept; ++i)
            std::ranges::copy(x.view().row(i * x.rows() / kept), parts[index].view().row(i).begin());
    });
    std::int64_t total = 0;
    for (const Matrix<float>& part : parts)
        total += part.rows();
    Matrix<float> rows(std::min(total, most), model.spec().width);
    std::int64_t next = 0, seen = 0;
    for (const Matrix<float>& part : parts)
        for (std::int64_t i = 0; i < part.rows(); ++i, ++seen)
            if (next < rows.rows() && next * total / rows.rows() == seen)
                std::ranges::copy(part.view().row(i), rows.view().row(next++).begin());
    return rows;
}

SplicedLoss measureSplicedLoss(const nn::Model& model, int block, const Dictionary& dictionary, const TopKEncoder& exact, const TopKEncoder& encoder,
                               const measure::SampleSource& samples, const RunContext& context)
{
    requireSite(model, block, dictionary.width());
    if (dictionary.autoencoder().config.transcodes)
        throw Error(ErrorCode::InvalidParameter, "found a transcoder, expected an autoencoder whose reconstruction can stand where it reads");
    if (samples.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected at least one", samples.description());
    std::vector<SampleLoss> losses(samples.count());
    forSamples(model, samples, context, [&](std::size_t index, const LoadedSample& sample, nn::Scratch& scratch) {
        losses[index] = lossOf(model, block, dictionary, exact, encoder, sample, scratch, context);
    });
    SplicedLoss result;
    LossSums dense, spliced, encoded;
    const auto add = [](LossSums& sum, const LossSums& each) {
        sum.crossEntropy += each.crossEntropy;
        sum.right += each.right;
        sum.predictions += each.predictions;
    };
    for (const SampleLoss& each : losses) { // in the order of the samples: the same sums for any number of threads
        add(dense, each.dense);
        add(spliced, each.exact);
        add(encoded, each.encoded);
        result.tokens += each.tokens;
        result.labelled = result.labelled || each.labelled;
    }
    const auto mean = [](const LossSums& sum) {
        const auto count = static_cast<double>(sum.predictions);
        return SiteLoss{sum.crossEntropy / count, static_cast<double>(sum.right) / count};
    };
    result.dense = mean(dense);
    result.exact = mean(spliced);
    result.encoded = mean(encoded);
    result.predictions = dense.predictions;
    context.finish();
    return result;
}

} // namespace tamis::encoder

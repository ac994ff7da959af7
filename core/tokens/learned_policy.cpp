// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/learned_policy.h"

#include "core/base/error.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/policy_ops.h"
#include "core/train/token_ops.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

namespace tamis::tokens {
namespace {
using train::Tape;
using train::Variable;
using train::View;
constexpr double kNormEpsilon = 1e-5; // PyTorch's default, which the predictors have
constexpr double kDeviation = 0.02;

/// The places of the patches among rows [images (prefix + patches)].
std::vector<std::int32_t> patchPlaces(std::int64_t images, std::int64_t prefix, std::int64_t patches)
{
    std::vector<std::int32_t> places;
    for (std::int64_t image = 0; image < images; ++image)
        for (std::int64_t i = 0; i < patches; ++i)
            places.push_back(static_cast<std::int32_t>(image * (prefix + patches) + prefix + i));
    return places;
}

/// Scores [rows, 2] of patches [rows, width], before the logarithm of their softmax: the difference of the two is that of the logarithms.
template <class T> Variable<T> predict(Tape<T>& tape, train::ParameterSet<T>& set, std::size_t stage, Variable<T> patches, Variable<T> policy, std::int64_t images)
{
    const auto leaf = [&](const char* name) { return tape.parameter(set.at(std::to_string(stage) + "." + name)); };
    const auto layer = [&](Variable<T> x, const std::string& name, kernels::Activation activation) {
        return train::linear(x, leaf((name + ".weight").c_str()), leaf((name + ".bias").c_str()), activation);
    };
    const std::int64_t half = patches.cols() / 2, count = patches.rows() / images;
    const Variable<T> mixed = layer(train::layerNorm(patches, leaf("norm.weight"), leaf("norm.bias"), kNormEpsilon), "mix", kernels::Activation::Gelu);
    const Variable<T> mean = train::policyMean(tape.window(mixed, half, half), policy, images);
    std::vector<std::int32_t> own(static_cast<std::size_t>(patches.rows()));
    for (std::size_t row = 0; row < own.size(); ++row)
        own[row] = static_cast<std::int32_t>(static_cast<std::int64_t>(row) / count);
    const Variable<T> joined = train::joinColumns(tape.window(mixed, 0, half), train::gatherRows<T>(mean, own));
    return layer(layer(layer(joined, "half", kernels::Activation::Gelu), "quarter", kernels::Activation::Gelu), "keep", kernels::Activation::None);
}

/// One pass with its state between the blocks.
template <class T> class Pass {
public:
    Pass(Tape<T>& tape, train::VitOnTape<T>& model, train::ParameterSet<T>& predictors, const LearnedSettings& settings, std::int64_t images, std::span<const View<const T>> noise)
        : m_tape(tape), m_model(model), m_predictors(predictors), m_settings(settings), m_images(images), m_patches(model.shape().patches()), m_noise(noise),
          m_places(patchPlaces(images, model.shape().prefixTokens, m_patches)), m_ones(column(m_images * m_patches)), m_prefix(column(model.shape().prefixTokens))
    {
    }

    LearnedPass<T> run(View<const T> patchRows, std::span<const std::int32_t> labels)
    {
        const Variable<T> pixels = m_tape.constant(patchRows);
        Variable<T> whole, last;
        train::ForwardHooks<T> hooks;
        hooks.observeBlock = [&](std::size_t, Variable<T> output) { last = output; };
        const Variable<T> teacher = m_model.logits(m_tape, pixels, m_images, hooks);
        whole = last;
        hooks.attentionPolicy = [this](std::size_t block, Variable<T> x) { return policyBefore(static_cast<int>(block), x); };
        m_result.logits = m_model.logits(m_tape, pixels, m_images, hooks);
        m_result.loss = train::add(outputLoss(teacher, labels), train::scale(ratioLoss(), static_cast<T>(m_settings.ratioWeight)));
        if (const Variable<T> features = featureLoss(whole, last))
            m_result.loss = train::add(m_result.loss, train::scale(features, static_cast<T>(m_settings.distilWeight)));
        return std::move(m_result);
    }

private:
    Variable<T> column(std::int64_t rows)
    {
        if (rows == 0)
            return {};
        T* ones = m_tape.template scratch<T>(rows);
        std::fill_n(ones, rows, T{1});
        return m_tape.constant({ones, rows, 1, 1});
    }

    Variable<T> policyBefore(int block, Variable<T> x)
    {
        const std::size_t stage = m_result.decisions.size();
        if (stage < m_settings.blocks.size() && m_settings.blocks[stage] == block) {
            const Variable<T> before = stage == 0 ? m_ones : m_result.decisions.back();
            const Variable<T> scores = predict(m_tape, m_predictors, stage, train::gatherRows<T>(x, m_places), before, m_images);
            m_result.decisions.push_back(m_noise.empty() ? bestOf(scores, before, learnedCount(m_patches, m_settings.keep, stage + 1))
                                                         : train::multiplyElements(train::straightThroughKeep<T>(scores, m_noise[stage]), before));
            m_policy = train::joinTokens<T>(m_prefix, m_result.decisions.back(), {}, m_images);
        }
        return m_policy;
    }

    /// 1 for the `count` best of the patches that are there, of equal ones the first.
    Variable<T> bestOf(Variable<T> scores, Variable<T> before, std::int64_t count)
    {
        T* decisions = m_tape.template scratch<T>(m_images * m_patches);
        std::fill_n(decisions, m_images * m_patches, T{0});
        const View<const T> s = scores.value(), there = before.value();
        for (std::int64_t image = 0; image < m_images; ++image) {
            std::vector<std::int64_t> rows;
            for (std::int64_t row = image * m_patches; row < (image + 1) * m_patches; ++row)
                if (there(row, 0) > T{0})
                    rows.push_back(row);
            std::ranges::stable_sort(rows, [&](std::int64_t a, std::int64_t b) { return s(a, 0) - s(a, 1) > s(b, 0) - s(b, 1); });
            for (std::size_t i = 0; i < std::min(rows.size(), static_cast<std::size_t>(count)); ++i)
                decisions[rows[i]] = 1;
        }
        return m_tape.constant({decisions, m_images * m_patches, 1, 1});
    }

    Variable<T> outputLoss(Variable<T> teacher, std::span<const std::int32_t> labels)
    {
        const Variable<T> logits = m_result.logits;
        if (m_model.shape().classes < 1)
            return train::scale(train::meanSquaredError(logits, teacher), static_cast<T>(m_settings.classWeight + m_settings.distilWeight));
        std::vector<std::int32_t> wanted(labels.begin(), labels.end());
        for (std::size_t i = 0; i < wanted.size(); ++i)
            if (wanted[i] == train::kIgnored) {
                const auto row = teacher.value().row(static_cast<std::int64_t>(i));
                wanted[i] = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
            }
        return train::add(train::scale(train::crossEntropy<T>(logits, wanted), static_cast<T>(m_settings.classWeight)),
                          train::scale(train::distillation(logits, teacher), static_cast<T>(m_settings.distilWeight)));
    }

    Variable<T> ratioLoss()
    {
        Variable<T> sum;
        for (std::size_t stage = 0; stage < m_result.decisions.size(); ++stage) {
            T* target = m_tape.template scratch<T>(1);
            *target = static_cast<T>(-std::pow(m_settings.keep, static_cast<double>(stage + 1)));
            const Variable<T> off = train::addRow(train::meanOfEach(m_result.decisions[stage], m_images), m_tape.constant({target, 1, 1, 1}));
            const Variable<T> one = train::scale(train::sumSquares(off), T{1} / static_cast<T>(m_images));
            sum = sum ? train::add(sum, one) : one;
        }
        return train::scale(sum, T{1} / static_cast<T>(m_result.decisions.size()));
    }

    /// Empty where no patch is left.
    Variable<T> featureLoss(Variable<T> whole, Variable<T> reduced)
    {
        std::vector<std::int32_t> left;
        const View<const T> kept = m_result.decisions.back().value();
        for (std::int64_t row = 0; row < kept.rows; ++row)
            if (kept(row, 0) > T{0.5})
                left.push_back(m_places[static_cast<std::size_t>(row)]);
        if (left.empty())
            return {};
        return train::meanSquaredError(m_model.finalNorm(m_tape, train::gatherRows<T>(reduced, left)), m_model.finalNorm(m_tape, train::gatherRows<T>(whole, left)));
    }

    Tape<T>& m_tape;
    train::VitOnTape<T>& m_model;
    train::ParameterSet<T>& m_predictors;
    const LearnedSettings& m_settings;
    std::int64_t m_images, m_patches;
    std::span<const View<const T>> m_noise;
    std::vector<std::int32_t> m_places;
    Variable<T> m_ones, m_prefix, m_policy;
    LearnedPass<T> m_result;
};
} // namespace

std::vector<PredictorTensor> predictorTensors(std::size_t stage, std::int64_t width)
{
    if (width < 4 || width % 2 != 0)
        throw Error(ErrorCode::UnsupportedFeature, "found tokens of " + std::to_string(width) + " features, expected an even number, 4 at least: a predictor halves them", "tokens.learned");
    const std::string start = std::to_string(stage) + ".";
    std::vector<PredictorTensor> tensors{{start + "norm.weight", {width}}, {start + "norm.bias", {width}}};
    const auto layer = [&](const char* name, std::int64_t out, std::int64_t in) {
        tensors.push_back({start + name + ".weight", {out, in}});
        tensors.push_back({start + name + ".bias", {out}});
    };
    layer("mix", width, width);
    layer("half", width / 2, width);
    layer("quarter", width / 4, width / 2);
    layer("keep", 2, width / 4);
    return tensors;
}

std::int64_t predictorParameters(std::int64_t width)
{
    std::int64_t count = 0;
    for (const PredictorTensor& tensor : predictorTensors(0, width))
        count += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>());
    return count;
}

std::uint64_t predictorMacs(std::int64_t tokens, std::int64_t width)
{
    return static_cast<std::uint64_t>(tokens * (width * width + width / 2 * width + width / 4 * (width / 2) + 2 * (width / 4)));
}

template <class T> void addPredictors(train::ParameterSet<T>& set, std::size_t stages, std::int64_t width, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    const auto uniform = [&] { return (static_cast<double>(random() >> 11U) + 0.5) * 0x1.0p-53; };
    for (std::size_t stage = 0; stage < stages; ++stage)
        for (const PredictorTensor& tensor : predictorTensors(stage, width)) {
            auto& parameter = set.add(tensor.name, tensor.shape, {}, tensor.shape.size() == 2);
            if (tensor.shape.size() == 2)
                for (T& value : parameter.values.values()) // Box, Muller
                    value = static_cast<T>(kDeviation * std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform()));
            else if (tensor.name.ends_with("norm.weight"))
                std::ranges::fill(parameter.values.values(), T{1});
        }
}

std::int64_t learnedCount(std::int64_t patches, double keep, std::size_t stage)
{
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(patches) * std::pow(keep, static_cast<double>(stage))));
}

template <class T>
LearnedPass<T> learnedPass(train::Tape<T>& tape, train::VitOnTape<T>& model, train::ParameterSet<T>& predictors, const LearnedSettings& settings, train::View<const T> patchRows,
                           std::span<const std::int32_t> labels, std::span<const train::View<const T>> noise)
{
    train::require(!settings.blocks.empty() && (noise.empty() || noise.size() == settings.blocks.size()), "learned", "there must be a block to decide before, and noise for all or none");
    return Pass<T>(tape, model, predictors, settings, static_cast<std::int64_t>(labels.size()), noise).run(patchRows, labels);
}

#define TAMIS_LEARNED_POLICY(T)                                                                                                                                        \
    template void addPredictors<T>(train::ParameterSet<T>&, std::size_t, std::int64_t, std::uint64_t);                                                                 \
    template LearnedPass<T> learnedPass<T>(train::Tape<T>&, train::VitOnTape<T>&, train::ParameterSet<T>&, const LearnedSettings&, train::View<const T>,               \
                                           std::span<const std::int32_t>, std::span<const train::View<const T>>)
TAMIS_LEARNED_POLICY(float);
TAMIS_LEARNED_POLICY(double);
#undef TAMIS_LEARNED_POLICY

} // namespace tamis::tokens

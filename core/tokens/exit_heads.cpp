// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/exit_heads.h"

#include "core/base/error.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/packed_matrix.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"
#include "core/tokens/training_photos.h"
#include "core/train/linear_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/router_ops.h"
#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::tokens {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using tensor::Matrix;

/// Mean and deviation of each column over the photos: features of all deviations alike are found in fewer steps.
struct Standard {
    std::vector<double> mean, deviation; ///< a column that does not vary: 1
};

Standard standardOf(const Matrix<float>& features)
{
    const auto columns = static_cast<std::size_t>(features.cols());
    Standard s{std::vector<double>(columns), std::vector<double>(columns)};
    for (std::int64_t photo = 0; photo < features.rows(); ++photo)
        for (std::size_t j = 0; j < columns; ++j)
            s.mean[j] += static_cast<double>(features(photo, static_cast<std::int64_t>(j)));
    for (double& mean : s.mean)
        mean /= static_cast<double>(features.rows());
    for (std::int64_t photo = 0; photo < features.rows(); ++photo)
        for (std::size_t j = 0; j < columns; ++j) {
            const double off = static_cast<double>(features(photo, static_cast<std::int64_t>(j))) - s.mean[j];
            s.deviation[j] += off * off;
        }
    for (double& deviation : s.deviation) {
        deviation = std::sqrt(deviation / static_cast<double>(features.rows()));
        if (deviation < 1e-6) // normed features are of order 1
            deviation = 1;
    }
    return s;
}

Matrix<float> standardised(const Matrix<float>& features, const Standard& s)
{
    Matrix<float> result(features.rows(), features.cols());
    for (std::int64_t photo = 0; photo < features.rows(); ++photo)
        for (std::int64_t j = 0; j < features.cols(); ++j) {
            const auto column = static_cast<std::size_t>(j);
            result(photo, j) = static_cast<float>((static_cast<double>(features(photo, j)) - s.mean[column]) / s.deviation[column]);
        }
    return result;
}

/// All heads on one tape: each has its own part of the loss, so that none changes another's training.
class HeadsOnTape {
public:
    HeadsOnTape(const ExitFeatures& training, const ExitFeatures& heldOut, const ExitTraining& settings) : m_settings(settings)
    {
        m_trainingTargets = exitTargets(training, settings.labels);
        if (heldOut.logits.rows() > 0)
            m_heldOutTargets = exitTargets(heldOut, settings.labels);
        for (std::size_t exit = 0; exit < training.features.size(); ++exit) {
            m_standards.push_back(standardOf(training.features[exit]));
            m_training.push_back(standardised(training.features[exit], m_standards.back()));
            if (heldOut.logits.rows() > 0)
                m_heldOut.push_back(standardised(heldOut.features[exit], m_standards.back()));
            const std::string name = std::to_string(exit);
            m_parameters.add(name + ".weight", {training.logits.cols(), training.features[exit].cols()}, {}, false); // decay is in the loss
            m_parameters.add(name + ".bias", {1, training.logits.cols()}, {}, false);
        }
    }
    train::ParameterSet<float>& parameters() { return m_parameters; }
    bool hasHeldOut() const { return !m_heldOut.empty(); }

    train::Variable<float> trainingLoss(train::Tape<float>& tape) { return loss(tape, m_training, m_trainingTargets, m_settings.decay); }
    double heldOutLoss(const RunContext& context)
    {
        m_tape.setContext(context);
        m_tape.reset();
        return static_cast<double>(m_tape.scalar(loss(m_tape, m_heldOut, m_heldOutTargets, 0))) / static_cast<double>(m_training.size());
    }
    /// With the standardisation folded in: (x - m) / s W^T + b = x (W / s)^T + (b - W m / s).
    ExitHead head(std::size_t exit)
    {
        const auto& weight = m_parameters.at(std::to_string(exit) + ".weight").values;
        const auto& bias = m_parameters.at(std::to_string(exit) + ".bias").values;
        const Standard& s = m_standards[exit];
        ExitHead head{Matrix<float>(weight.rows(), weight.cols()), {}};
        for (std::int64_t c = 0; c < weight.rows(); ++c) {
            double offset = static_cast<double>(bias(0, c));
            for (std::int64_t j = 0; j < weight.cols(); ++j) {
                const auto column = static_cast<std::size_t>(j);
                const double folded = static_cast<double>(weight(c, j)) / s.deviation[column];
                head.weight(c, j) = static_cast<float>(folded);
                offset -= folded * s.mean[column];
            }
            head.bias.push_back(static_cast<float>(offset));
        }
        return head;
    }

private:
    train::Variable<float> loss(train::Tape<float>& tape, const std::vector<Matrix<float>>& features, const Matrix<float>& targets, double decay)
    {
        train::Variable<float> sum;
        for (std::size_t exit = 0; exit < features.size(); ++exit) {
            const std::string name = std::to_string(exit);
            const auto weight = tape.parameter(m_parameters.at(name + ".weight"));
            const auto logits = train::linear(tape.constant(features[exit].view()), weight, tape.parameter(m_parameters.at(name + ".bias")));
            auto one = train::softCrossEntropy(logits, targets.view(), targets.cols());
            if (decay > 0)
                one = train::add(one, train::scale(train::sumSquares(weight), static_cast<float>(decay / 2)));
            sum = sum ? train::add(sum, one) : one;
        }
        return sum;
    }
    const ExitTraining& m_settings;
    std::vector<Standard> m_standards;
    std::vector<Matrix<float>> m_training, m_heldOut;
    Matrix<float> m_trainingTargets, m_heldOutTargets;
    train::ParameterSet<float> m_parameters;
    train::Tape<float> m_tape;
};
} // namespace

std::int64_t exitFeatureCount(const nn::ModelSpec& spec)
{
    return (spec.pool == nn::Pool::ClassAndMean || spec.distillationHead ? 2 : 1) * spec.blocks.back().width;
}

void exitFeatures(const nn::ModelSpec& spec, ConstRows x, std::span<float> features, nn::Scratch& scratch)
{
    nn::Scratch::Frame frame(scratch);
    const bool mean = !spec.distillationHead && spec.pool != nn::Pool::ClassToken;
    const Rows normed = frame.take(mean ? x.rows : (spec.distillationHead ? 2 : 1), x.cols);
    kernels::layerNorm({x.data, normed.rows, x.cols, x.stride}, nullptr, nullptr, spec.blocks.front().norm.epsilon, normed);
    float* out = features.data();
    if (spec.distillationHead || spec.pool != nn::Pool::Mean) {
        const std::int64_t tokens = spec.distillationHead ? 2 : 1;
        for (std::int64_t i = 0; i < tokens; ++i, out += x.cols)
            std::copy_n(normed.data + i * normed.stride, x.cols, out);
    }
    if (!mean)
        return;
    const std::int64_t first = spec.patch.prefixTokens;
    std::fill_n(out, x.cols, 0.0f);
    for (std::int64_t i = first; i < normed.rows; ++i)
        kernels::add({normed.data + i * normed.stride, static_cast<std::size_t>(x.cols)}, {out, static_cast<std::size_t>(x.cols)});
    for (std::int64_t j = 0; j < x.cols; ++j)
        out[j] /= static_cast<float>(normed.rows - first);
}

ExitFeatures captureExits(const nn::Model& model, const measure::SampleSource& source, std::vector<std::string>& warnings, const RunContext& context)
{
    const nn::ModelSpec& spec = model.spec();
    const auto photos = static_cast<std::int64_t>(source.count());
    const std::size_t exits = spec.blocks.size() - 1;
    ExitFeatures all;
    for (std::size_t exit = 0; exit < exits; ++exit)
        all.features.emplace_back(photos, exitFeatureCount(spec));
    all.logits = Matrix<float>(photos, spec.classes);
    all.labels.resize(source.count(), -1);
    measure::ScratchPool pool(false, context);
    const auto run = [&](std::size_t i, measure::LoadedSample& sample) {
        const measure::ScratchPool::Lease scratch(pool);
        requireFitting(model, source, i, sample);
        if (sample.label >= spec.classes)
            throw Error(ErrorCode::InvalidParameter, "found label " + std::to_string(sample.label) + ", expected one of the model's " + std::to_string(spec.classes) + " classes", source.name(i));
        nn::Scratch::Frame frame(*scratch);
        const auto photo = static_cast<std::int64_t>(i);
        const Rows x = frame.take(spec.tokens(0), spec.width);
        model.embed(sample.view(), x, *scratch);
        for (std::size_t block = 0; block <= exits; ++block) {
            model.runBlock(static_cast<int>(block), x, *scratch);
            if (block < exits)
                exitFeatures(spec, x, all.features[block].view().row(photo), *scratch);
        }
        model.runTail(x, {}, {all.logits.data() + photo * spec.classes, 1, spec.classes, spec.classes}, *scratch);
        all.labels[i] = sample.label;
        if (!std::ranges::all_of(all.logits.view().row(photo), [](float value) { return std::isfinite(value); }))
            throw Error(ErrorCode::NonFinite, "found NaN or infinity in the model's output, expected numbers", source.name(i));
    };
    const ReadPhotos read = readPhotos(source, run, context);
    if (read.unread == 0)
        return all;
    warnings.push_back(read.warning());
    return selected(all, {read.places.begin(), read.places.end()});
}

ExitFeatures selected(const ExitFeatures& from, const std::vector<std::size_t>& photos)
{
    const auto rows = [&](const Matrix<float>& all) {
        Matrix<float> some(static_cast<std::int64_t>(photos.size()), all.cols());
        for (std::size_t i = 0; i < photos.size(); ++i)
            std::ranges::copy(all.view().row(static_cast<std::int64_t>(photos[i])), some.view().row(static_cast<std::int64_t>(i)).begin());
        return some;
    };
    ExitFeatures some;
    for (const Matrix<float>& features : from.features)
        some.features.push_back(rows(features));
    some.logits = rows(from.logits);
    for (const std::size_t photo : photos)
        some.labels.push_back(from.labels[photo]);
    return some;
}

TrainedExits trainExits(const ExitFeatures& training, const ExitFeatures& heldOut, const ExitTraining& settings, const RunContext& context)
{
    if (training.features.empty() || training.logits.rows() < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(training.features.size()) + " exits and " + std::to_string(training.logits.rows()) + " photos, expected one at least of each");
    HeadsOnTape heads(training, heldOut, settings);
    TrainedExits result;
    report::Series trainingLoss{.name = "training", .points = {}}, heldOutLoss{.name = "held out", .points = {}, .dashed = true};
    train::TrainingSettings loop;
    loop.optimiser.weightDecay = 0;
    loop.schedule = {.kind = train::ScheduleKind::Cosine, .peak = settings.rate, .floor = 0, .warmUp = 0, .total = settings.steps};
    loop.enough = [&] { return settings.enough.stop_requested(); };
    const std::int64_t every = std::max<std::int64_t>(1, settings.steps / 50);
    const auto exits = static_cast<double>(training.features.size());
    train::train<float>(heads.parameters(), loop, [&](train::Tape<float>& tape, std::int64_t, std::int64_t) { return heads.trainingLoss(tape); }, context,
                        [&](const train::TrainingStep& step) {
                            trainingLoss.points.push_back({static_cast<double>(step.step + 1), step.loss / exits});
                            if (heads.hasHeldOut() && (step.step % every == 0 || step.step + 1 == settings.steps))
                                heldOutLoss.points.push_back({static_cast<double>(step.step + 1), heads.heldOutLoss(context)});
                        });
    for (std::size_t exit = 0; exit < training.features.size(); ++exit)
        result.heads.push_back(heads.head(exit));
    result.losses = {std::move(trainingLoss)};
    if (!heldOutLoss.points.empty())
        result.losses.push_back(std::move(heldOutLoss));
    return result;
}

Matrix<float> exitTargets(const ExitFeatures& photos, bool labels)
{
    Matrix<float> targets(photos.logits.rows(), photos.logits.cols());
    for (std::int64_t photo = 0; photo < targets.rows(); ++photo) {
        if (const int label = photos.labels[static_cast<std::size_t>(photo)]; labels && label >= 0) {
            targets(photo, label) = 1;
            continue;
        }
        const auto logits = photos.logits.view().row(photo);
        const auto largest = static_cast<double>(*std::ranges::max_element(logits));
        double sum = 0;
        for (const float value : logits)
            sum += std::exp(static_cast<double>(value) - largest);
        for (std::int64_t j = 0; j < targets.cols(); ++j)
            targets(photo, j) = static_cast<float>(std::exp(static_cast<double>(logits[static_cast<std::size_t>(j)]) - largest) / sum);
    }
    return targets;
}

double sharpness(const Matrix<float>& logits, const Matrix<float>& targets, const RunContext& context)
{
    // d loss / d factor = sum of (softmax(factor l) - t) l, which rises with the factor: the loss is convex
    const auto slope = [&](double factor) {
        double sum = 0;
        for (std::int64_t photo = 0; photo < logits.rows(); ++photo) {
            context.throwIfStopped();
            const auto row = logits.view().row(photo);
            const auto largest = static_cast<double>(*std::ranges::max_element(row));
            double weights = 0, weighted = 0, wanted = 0, mass = 0;
            for (std::int64_t c = 0; c < logits.cols(); ++c) {
                const double shifted = static_cast<double>(row[static_cast<std::size_t>(c)]) - largest, weight = std::exp(factor * shifted), target = static_cast<double>(targets(photo, c));
                weights += weight;
                weighted += weight * shifted;
                wanted += target * shifted;
                mass += target;
            }
            sum += mass * weighted / weights - wanted;
        }
        return sum;
    };
    double low = 0.01, high = 100;
    while (high > low * (1 + 1e-9)) {
        const double middle = std::sqrt(low * high);
        (slope(middle) < 0 ? low : high) = middle;
    }
    return std::sqrt(low * high);
}

void sharpen(ExitHead& head, double factor)
{
    for (float& weight : head.weight.values())
        weight = static_cast<float>(static_cast<double>(weight) * factor);
    for (float& bias : head.bias)
        bias = static_cast<float>(static_cast<double>(bias) * factor);
}

Matrix<float> exitLogits(const ExitHead& head, const Matrix<float>& features)
{
    Matrix<float> logits(features.rows(), head.weight.rows());
    const kernels::PackedMatrix packed(head.weight.view());
    kernels::multiply(features.view(), packed, {.bias = head.bias.data()}, logits.view(), true);
    return logits;
}

ExitTable exitTable(const ExitFeatures& photos, const std::vector<ExitHead>& heads, ExitRule rule, const RunContext& context)
{
    const std::int64_t count = photos.logits.rows(), exits = static_cast<std::int64_t>(heads.size());
    ExitTable table{Matrix<float>(count, exits), Matrix<std::uint8_t>(count, exits)};
    for (std::int64_t exit = 0; exit < exits; ++exit) {
        const Matrix<float> logits = exitLogits(heads[static_cast<std::size_t>(exit)], photos.features[static_cast<std::size_t>(exit)]);
        for (std::int64_t photo = 0; photo < count; ++photo) {
            context.throwIfStopped();
            const auto row = logits.view().row(photo);
            table.confidence(photo, exit) = static_cast<float>(confidenceOf(rule, row));
            table.agrees(photo, exit) = measure::bestClasses(row, 1) == measure::bestClasses(photos.logits.view().row(photo), 1) ? 1 : 0;
        }
    }
    return table;
}

} // namespace tamis::tokens

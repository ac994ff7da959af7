// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/whole_answers.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/split_mix.h"
#include "core/measure/logit_metrics.h"
#include "core/report/model_report.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::reuse {

namespace {
using Clock = std::chrono::steady_clock;

/// Of every bit of the pixels and their order.
std::uint64_t checksumOf(const std::vector<float>& image)
{
    std::uint64_t sum = image.size();
    for (const float value : image)
        sum = (sum ^ std::bit_cast<std::uint32_t>(value)) * 0x9E3779B97F4A7C15U;
    return nextBits(sum);
}
} // namespace

void labelOf(const Answer& answer, bool classes, int& best, double& probability)
{
    if (!classes)
        return;
    best = measure::bestClasses(answer.output, 1).front();
    const int of[] = {best};
    probability = static_cast<double>(measure::probabilities(answer.output, of).front());
}

void requireFinite(const Answer& answer, const Frame& frame)
{
    const auto finite = [](const std::vector<float>& values) { return std::ranges::all_of(values, [](float value) { return std::isfinite(value); }); };
    if (!finite(answer.pooled) || !finite(answer.output))
        throw Error(ErrorCode::NonFinite, "found an output of the model that is no finite number, expected finite ones", frame.file);
}

std::shared_ptr<const WholeAnswers> runWhole(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, int rounds, const RunContext& context)
{
    checkSequence(sequence, context);
    const TokenModel tokens(model);
    const std::size_t count = sequence.frames.size();
    requireMemory(count * (static_cast<std::size_t>(tokens.width() + std::max<std::int64_t>(model->outputWidth(), 0)) * sizeof(float) + sizeof(Answer) + 32), "the answers of " + std::to_string(count) + " frames");
    auto whole = std::make_shared<WholeAnswers>();
    whole->model = std::move(model);
    whole->classes = tokens.model().spec().task == nn::Task::ImageClassification;
    whole->images.resize(count);
    whole->answers.resize(count);
    whole->milliseconds.assign(count, std::numeric_limits<double>::infinity());
    whole->labels.assign(count, -1);
    whole->probabilities.assign(count, report::kNotMeasured);
    nn::Scratch scratch(true, context);
    tensor::Matrix<float> x(tokens.tokens(), tokens.width());
    const auto all = static_cast<std::size_t>(std::max(rounds, 1));
    for (std::size_t round = 0; round < all; ++round)
        for (std::size_t i = 0; i < count; ++i) {
            context.setFraction(static_cast<double>(i + count * round) / static_cast<double>(count * all));
            const auto start = Clock::now();
            tokens.embed(sequence.frames[i].image, x.view(), scratch);
            for (std::size_t block = 0; block < tokens.model().blocks().size(); ++block)
                tokens.model().runBlock(static_cast<int>(block), x.view(), scratch);
            tokens.answer(x.view(), whole->answers[i], scratch);
            whole->milliseconds[i] = std::min(whole->milliseconds[i], std::chrono::duration<double, std::milli>(Clock::now() - start).count());
            if (round > 0)
                continue;
            requireFinite(whole->answers[i], sequence.frames[i]);
            labelOf(whole->answers[i], whole->classes, whole->labels[i], whole->probabilities[i]);
            whole->images[i] = checksumOf(sequence.frames[i].image);
        }
    return whole;
}

std::shared_ptr<const WholeAnswers> partOf(const WholeAnswers& whole, std::size_t first, std::size_t count)
{
    const auto cut = [&](const auto& values) {
        const auto from = values.begin() + static_cast<std::ptrdiff_t>(first);
        return std::remove_cvref_t<decltype(values)>(from, from + static_cast<std::ptrdiff_t>(count));
    };
    return std::make_shared<const WholeAnswers>(
        WholeAnswers{whole.model, cut(whole.images), cut(whole.answers), cut(whole.milliseconds), cut(whole.labels), cut(whole.probabilities), whole.classes});
}

bool areOf(const WholeAnswers& whole, const nn::Model& model, const FrameSequence& sequence, const RunContext& context)
{
    if (whole.model.get() != &model || whole.images.size() != sequence.frames.size())
        return false;
    for (std::size_t i = 0; i < sequence.frames.size(); ++i) {
        context.throwIfStopped();
        if (whole.images[i] != checksumOf(sequence.frames[i].image))
            return false;
    }
    return true;
}

} // namespace tamis::reuse

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/code_losses.h"

#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace tamis::encoder {
namespace {
using train::GradientTarget;
using train::Tape;
using train::Variable;
using train::View;
constexpr std::int64_t kElementsATask = 65536;

/// each(row), some 64 Ki scores a task: what a task adds up does not depend on the threads.
template <class Each> void eachRow(const RunContext& context, std::int64_t rows, std::int64_t cols, const Each& each)
{
    const std::int64_t size = std::max<std::int64_t>(1, kElementsATask / std::max<std::int64_t>(1, cols));
    parallelFor(context, static_cast<std::size_t>((rows + size - 1) / size), [&](std::size_t task) {
        for (std::int64_t i = static_cast<std::int64_t>(task) * size; i < std::min(rows, (static_cast<std::int64_t>(task) + 1) * size); ++i)
            each(i);
    });
}

template <class T> void requireCodes(const char* operation, Variable<T> scores, const SparseCodes& exact)
{
    if (exact.tokens() != scores.rows() || scores.rows() == 0)
        train::refuseShapes(operation, "scores " + train::shapeOf(scores) + " with the codes of " + std::to_string(exact.tokens()) + " rows", "codes of every row");
    for (const std::int32_t latent : exact.latents)
        train::require(latent >= 0 && latent < scores.cols(), operation, "the codes name a latent that has no score");
}

/// The mean over rows of what lossOf(row, slopes of the row) returns; it writes d loss of the row / d scores to the slopes, all of them.
template <class T, class LossOf> Variable<T> meanLoss(Variable<T> scores, const LossOf& lossOf)
{
    Tape<T>& tape = scores.tape();
    const std::int64_t rows = scores.rows(), cols = scores.cols();
    T* const slopes = tape.template scratch<T>(rows * cols);
    double* const losses = tape.template scratch<double>(rows);
    eachRow(tape.context(), rows, cols, [&](std::int64_t i) { losses[i] = lossOf(i, slopes + i * cols); });
    double sum = 0;
    for (std::int64_t i = 0; i < rows; ++i)
        sum += losses[i];
    const Variable<T> y = tape.output(1, 1, {scores});
    tape.mutableValue(y).data[0] = static_cast<T>(sum / static_cast<double>(rows));
    tape.onBackward(y, [scores, slopes](View<T> gradient) {
        const GradientTarget<T> target = scores.tape().target(scores);
        if (!target)
            return;
        const std::int64_t count = target.view.cols;
        const T share = gradient.data[0] / static_cast<T>(target.view.rows);
        eachRow(scores.tape().context(), target.view.rows, count, [&](std::int64_t i) {
            const T* from = slopes + i * count;
            T* to = target.view.data + i * target.view.stride;
            for (std::int64_t j = 0; j < count; ++j)
                to[j] = target.add ? to[j] + share * from[j] : share * from[j];
        });
    });
    return y;
}

template <class T> struct Chosen {
    T value = 0;
    std::int32_t latent = 0;
};
template <class T> bool before(const Chosen<T>& a, const Chosen<T>& b) { return a.value != b.value ? a.value > b.value : a.latent < b.latent; }

/// The k largest positive of a row, of equal ones the first.
template <class T> std::int64_t largest(std::span<const T> row, std::int64_t k, Chosen<T>* found)
{
    std::int64_t count = 0; // a heap, the worst in front
    for (std::size_t j = 0; j < row.size(); ++j) {
        if (!(row[j] > T{0}) || (count == k && !(row[j] > found->value)))
            continue;
        if (count == k)
            std::pop_heap(found, found + count--, before<T>);
        found[count++] = {row[j], static_cast<std::int32_t>(j)};
        std::push_heap(found, found + count, before<T>);
    }
    std::sort_heap(found, found + count, before<T>);
    return count;
}
} // namespace

template <class T> Variable<T> decodedLargest(Variable<T> scores, std::int64_t k, const SparseDecoder& decoder)
{
    const std::int64_t rows = scores.rows(), latents = scores.cols(), width = decoder.width();
    if (latents != decoder.latents() || k < 1 || k > latents || rows == 0)
        train::refuseShapes("decodedLargest", "scores " + train::shapeOf(scores) + " with k = " + std::to_string(k), "rows of " + std::to_string(decoder.latents()) + " and k from 1 to as many");
    Tape<T>& tape = scores.tape();
    const Variable<T> y = tape.output(rows, width, {scores});
    auto* const chosen = tape.template scratch<Chosen<T>>(rows * k);
    auto* const counts = tape.template scratch<std::int64_t>(rows);
    const View<const T> in = scores.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), rows, latents, [&](std::int64_t i) {
        counts[i] = largest<T>(in.row(i), k, chosen + i * k);
        std::vector<double> sum(static_cast<std::size_t>(width));
        for (std::int64_t c = 0; c < counts[i]; ++c) {
            const Chosen<T>& each = chosen[i * k + c];
            const double value = decoder.value(each.latent, static_cast<double>(each.value));
            const auto row = decoder.row(each.latent);
            for (std::size_t j = 0; j < sum.size(); ++j)
                sum[j] += value * static_cast<double>(row[j]);
        }
        std::ranges::transform(sum, out.row(i).begin(), [](double each) { return static_cast<T>(each); });
    });
    tape.onBackward(y, [scores, chosen, counts, k, from = &decoder](View<T> gradient) {
        const GradientTarget<T> target = scores.tape().target(scores);
        if (!target)
            return;
        eachRow(scores.tape().context(), gradient.rows, target.view.cols, [&](std::int64_t i) {
            T* const to = target.view.data + i * target.view.stride;
            if (!target.add)
                std::fill_n(to, target.view.cols, T{0});
            for (std::int64_t c = 0; c < counts[i]; ++c) {
                const Chosen<T>& each = chosen[i * k + c];
                const auto row = from->row(each.latent);
                double along = 0;
                for (std::size_t j = 0; j < row.size(); ++j)
                    along += static_cast<double>(row[j]) * static_cast<double>(gradient(i, static_cast<std::int64_t>(j)));
                to[each.latent] += static_cast<T>(along * from->slope(each.latent, static_cast<double>(each.value)));
            }
        });
    });
    return y;
}

template <class T> Variable<T> codeError(Variable<T> scores, const SparseCodes& exact, std::int64_t k)
{
    requireCodes("codeError", scores, exact);
    const View<const T> in = scores.value();
    return meanLoss(scores, [&](std::int64_t i, T* slopes) {
        const auto latents = exact.latentsOf(i);
        const auto values = exact.valuesOf(i);
        const T tau = static_cast<std::int64_t>(values.size()) < k ? T{0} : static_cast<T>(values.back());
        const T* s = in.data + i * in.stride;
        for (std::int64_t j = 0; j < in.cols; ++j)
            slopes[j] = std::max(T{0}, s[j] - tau); // halves of the slopes, until the end
        for (std::size_t c = 0; c < latents.size(); ++c)
            slopes[latents[c]] = s[latents[c]] - static_cast<T>(values[c]);
        double sum = 0;
        for (std::int64_t j = 0; j < in.cols; ++j) {
            sum += static_cast<double>(slopes[j]) * static_cast<double>(slopes[j]);
            slopes[j] *= 2;
        }
        return sum;
    });
}

template <class T> Variable<T> valueError(Variable<T> scores, const SparseCodes& exact)
{
    requireCodes("valueError", scores, exact);
    const View<const T> in = scores.value();
    return meanLoss(scores, [&](std::int64_t i, T* slopes) {
        const auto latents = exact.latentsOf(i);
        std::fill_n(slopes, in.cols, T{0});
        double sum = 0;
        for (std::size_t c = 0; c < latents.size(); ++c) {
            const T difference = in(i, latents[c]) - static_cast<T>(exact.valuesOf(i)[c]);
            sum += static_cast<double>(difference) * static_cast<double>(difference);
            slopes[latents[c]] = 2 * difference;
        }
        return sum;
    });
}

template <class T> Variable<T> setDivergence(Variable<T> scores, const SparseCodes& exact, double temperature)
{
    requireCodes("setDivergence", scores, exact);
    train::require(temperature > 0, "setDivergence", "the temperature must be positive");
    const View<const T> in = scores.value();
    return meanLoss(scores, [&](std::int64_t i, T* slopes) {
        const auto latents = exact.latentsOf(i);
        const auto values = exact.valuesOf(i);
        if (latents.empty()) {
            std::fill_n(slopes, in.cols, T{0});
            return 0.0;
        }
        const T* s = in.data + i * in.stride;
        const double most = static_cast<double>(*std::max_element(s, s + in.cols)), top = static_cast<double>(values.front());
        double all = 0, own = 0; // of exp((s - most) / temperature) and exp((z - top) / temperature)
        for (std::int64_t j = 0; j < in.cols; ++j) {
            slopes[j] = static_cast<T>(std::exp((static_cast<double>(s[j]) - most) / temperature));
            all += static_cast<double>(slopes[j]);
        }
        for (const float value : values)
            own += std::exp((static_cast<double>(value) - top) / temperature);
        for (std::int64_t j = 0; j < in.cols; ++j)
            slopes[j] = static_cast<T>(static_cast<double>(slopes[j]) / all / temperature);
        double sum = 0;
        for (std::size_t c = 0; c < latents.size(); ++c) {
            const double logQ = (static_cast<double>(values[c]) - top) / temperature - std::log(own), q = std::exp(logQ);
            sum += q * (logQ - (static_cast<double>(s[latents[c]]) - most) / temperature + std::log(all));
            slopes[latents[c]] -= static_cast<T>(q / temperature);
        }
        return sum;
    });
}

#define TAMIS_CODE_LOSSES(T)                                                                                                  \
    template Variable<T> decodedLargest<T>(Variable<T>, std::int64_t, const SparseDecoder&);                                  \
    template Variable<T> codeError<T>(Variable<T>, const SparseCodes&, std::int64_t);                                         \
    template Variable<T> valueError<T>(Variable<T>, const SparseCodes&);                                                      \
    template Variable<T> setDivergence<T>(Variable<T>, const SparseCodes&, double)
TAMIS_CODE_LOSSES(float);
TAMIS_CODE_LOSSES(double);
#undef TAMIS_CODE_LOSSES

} // namespace tamis::encoder

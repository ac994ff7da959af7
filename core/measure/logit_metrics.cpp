// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/logit_metrics.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace tamis::measure {
namespace {

void requireLogits(std::span<const float> logits)
{
    if (logits.empty())
        throw Error(ErrorCode::InvalidParameter, "found no class, expected at least one", "logits");
    const auto bad = std::ranges::find_if(logits, [](float value) { return !std::isfinite(value); });
    if (bad != logits.end())
        throw Error(ErrorCode::NonFinite, std::string("the model's output ") + std::to_string(bad - logits.begin()) + " is "
                                              + (std::isnan(*bad) ? "NaN" : "infinite") + ", expected a finite number");
}

/// ln sum exp(logits), shifted by the largest.
double logSumExp(std::span<const float> logits)
{
    const double largest = static_cast<double>(*std::ranges::max_element(logits));
    double sum = 0;
    for (const float value : logits)
        sum += std::exp(static_cast<double>(value) - largest);
    return largest + std::log(sum);
}

std::ptrdiff_t best(std::span<const float> logits) { return std::ranges::max_element(logits) - logits.begin(); }

} // namespace

std::vector<int> bestClasses(std::span<const float> logits, std::size_t count)
{
    requireLogits(logits);
    std::vector<int> classes(logits.size());
    std::iota(classes.begin(), classes.end(), 0);
    count = std::min(count, classes.size());
    std::ranges::partial_sort(classes, classes.begin() + static_cast<std::ptrdiff_t>(count), [&](int a, int b) {
        const float left = logits[static_cast<std::size_t>(a)], right = logits[static_cast<std::size_t>(b)];
        return left != right ? left > right : a < b;
    });
    classes.resize(count);
    return classes;
}

std::vector<float> probabilities(std::span<const float> logits, std::span<const int> classes)
{
    requireLogits(logits);
    const double normaliser = logSumExp(logits);
    std::vector<float> values;
    for (const int index : classes)
        values.push_back(static_cast<float>(std::exp(static_cast<double>(logits[static_cast<std::size_t>(index)]) - normaliser)));
    return values;
}

LabelScore scoreLabel(std::span<const float> logits, std::int64_t label)
{
    requireLogits(logits);
    if (label < 0 || label >= static_cast<std::int64_t>(logits.size()))
        throw Error(ErrorCode::InvalidParameter, "found the class " + std::to_string(label) + ", expected 0 to "
                                                     + std::to_string(logits.size() - 1), "label");
    const auto at = static_cast<std::size_t>(label);
    std::size_t before = 0; // classes that come first in the order of bestClasses()
    for (std::size_t i = 0; i < logits.size(); ++i)
        before += logits[i] > logits[at] || (logits[i] == logits[at] && i < at) ? 1 : 0;
    return {before == 0, before < 5, logSumExp(logits) - static_cast<double>(logits[at])};
}

LogitDifference compareLogits(std::span<const float> reference, std::span<const float> other)
{
    if (reference.size() != other.size())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(other.size()) + " classes, expected "
                                                     + std::to_string(reference.size()), "logits");
    requireLogits(reference);
    requireLogits(other);
    LogitDifference difference;
    difference.agree = best(reference) == best(other);
    const double first = logSumExp(reference), second = logSumExp(other);
    double dot = 0, squares = 0, otherSquares = 0;
    for (std::size_t i = 0; i < reference.size(); ++i) {
        const double a = static_cast<double>(reference[i]), b = static_cast<double>(other[i]);
        difference.kl += std::exp(a - first) * ((a - first) - (b - second));
        dot += a * b;
        squares += a * a;
        otherSquares += b * b;
    }
    difference.kl = std::max(difference.kl, 0.0); // rounding of two equal distributions
    if (squares > 0 && otherSquares > 0)
        difference.cosine = dot / (std::sqrt(squares) * std::sqrt(otherSquares));
    else
        difference.cosine = squares == otherSquares ? 1 : 0;
    return difference;
}

} // namespace tamis::measure

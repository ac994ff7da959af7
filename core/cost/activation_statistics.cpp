// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/activation_statistics.h"

#include "core/base/error.h"
#include "core/linalg/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace tamis::cost {
namespace {

constexpr double kOutlierRms = 6;
constexpr double kTopShare = 0.01; ///< of the features

/// The block that a site's name speaks of: its first part that is a number; -1 without one.
int blockOf(const std::string& name)
{
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t end = std::min(name.find('.', at), name.size());
        const std::string part = name.substr(at, end - at);
        if (!part.empty() && part.size() < 7 && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; }))
            return std::stoi(part);
        at = end + 1;
    }
    return -1;
}

/// Mean square of every feature over all tokens.
std::vector<double> meanSquares(const io::CalibrationSite& site)
{
    const std::int64_t n = site.gram.rows();
    if (site.count == 0 || n == 0 || site.gram.cols() != n)
        throw Error(ErrorCode::InvalidParameter,
                    "holds " + std::to_string(site.count) + " tokens and a second moment of " + std::to_string(n) + " x " +
                        std::to_string(site.gram.cols()) + "; expected at least one token and a square matrix", site.name);
    std::vector<double> squares(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
        const double sum = site.gram(i, i);
        if (!std::isfinite(sum) || sum < 0)
            throw Error(ErrorCode::NonFinite, "sum of squares of feature " + std::to_string(i) + " is negative or not finite", site.name);
        squares[static_cast<std::size_t>(i)] = sum / static_cast<double>(site.count);
    }
    return squares;
}

double topShare(std::vector<double> squares)
{
    double total = 0;
    for (const double square : squares)
        total += square;
    if (!(total > 0))
        return 0;
    const auto top = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(kTopShare * static_cast<double>(squares.size()))));
    std::partial_sort(squares.begin(), squares.begin() + static_cast<std::ptrdiff_t>(top), squares.end(), std::greater<>());
    double strongest = 0;
    for (std::size_t i = 0; i < top; ++i)
        strongest += squares[i];
    return strongest / total;
}

/// Two passes: the moments about the mean need the mean first.
void describeSamples(const io::CalibrationSite& site, report::ActivationStatistics& statistics, const RunContext& context)
{
    const std::int64_t rows = site.samples.rows();
    if (rows == 0 || site.samples.cols() == 0) {
        statistics.meanAbsolute = statistics.maximum = statistics.kurtosis = statistics.outlierShare = report::kNotMeasured;
        return;
    }
    const double count = static_cast<double>(site.samples.size());
    double sum = 0, absolute = 0, squares = 0, maximum = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
        context.throwIfStopped();
        for (const double value : site.samples.view().row(i)) {
            sum += value;
            absolute += std::abs(value);
            squares += value * value;
            maximum = std::max(maximum, std::abs(value));
        }
    }
    if (!std::isfinite(squares))
        throw Error(ErrorCode::NonFinite, "sample rows hold NaN or infinity", site.name);
    const double mean = sum / count, limit = kOutlierRms * std::sqrt(squares / count);
    double second = 0, fourth = 0;
    std::uint64_t outliers = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
        context.throwIfStopped();
        for (const double value : site.samples.view().row(i)) {
            const double square = (value - mean) * (value - mean);
            second += square;
            fourth += square * square;
            outliers += std::abs(value) > limit;
        }
    }
    statistics.meanAbsolute = absolute / count;
    statistics.maximum = maximum;
    statistics.kurtosis = second > 0 ? fourth * count / (second * second) : 0;
    statistics.outlierShare = static_cast<double>(outliers) / count;
}

double effectiveRank(const io::CalibrationSite& site, const RunContext& context)
{
    const auto values = linalg::symmetricEigenvalues(site.gram, context);
    double total = 0, entropy = 0;
    for (const double value : values)
        total += std::max(0.0, value); // rounding leaves zeros slightly negative
    if (!(total > 0))
        return 0;
    for (const double value : values)
        if (value > 0)
            entropy -= value / total * std::log(value / total);
    return std::exp(entropy);
}

} // namespace

report::ActivationStatistics activationStatistics(const io::CalibrationSite& site, bool withEffectiveRank, const RunContext& context)
{
    report::ActivationStatistics statistics;
    statistics.name = site.name;
    statistics.block = blockOf(site.name);
    statistics.tokens = site.count;
    const auto squares = meanSquares(site);
    double total = 0;
    for (const double square : squares) {
        total += square;
        statistics.featureRms.push_back(static_cast<float>(std::sqrt(square)));
    }
    statistics.rms = std::sqrt(total / static_cast<double>(squares.size()));
    statistics.topFeatureShare = topShare(squares);
    describeSamples(site, statistics, context);
    if (withEffectiveRank)
        statistics.effectiveRank = effectiveRank(site, context);
    return statistics;
}

} // namespace tamis::cost

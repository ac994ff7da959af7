// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis::spectrum {
namespace {
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> tailSums(const std::vector<double>& terms)
{
    std::vector<double> sums(terms.size() + 1, 0.0);
    for (std::size_t i = terms.size(); i-- > 0;)
        sums[i] = sums[i + 1] + terms[i];
    return sums;
}

std::vector<double> remainders(double total, const std::vector<double>& terms)
{
    std::vector<double> left{total};
    double known = 0;
    for (const double term : terms) {
        known += term;
        left.push_back(std::max(0.0, total - known));
    }
    return left;
}

std::size_t hillCount(std::size_t p) noexcept { return std::max<std::size_t>(5, (p + 9) / 10); }

double hillExponent(const std::vector<double>& s)
{
    const std::size_t k = hillCount(s.size());
    if (s.size() <= k || !(s[k] > 0))
        return kUndefined;
    double sum = 0;
    for (std::size_t i = 0; i < k; ++i)
        sum += 2.0 * std::log(s[i] / s[k]);
    return sum > 0 ? 1.0 + static_cast<double>(k) / sum : kUndefined;
}

void deriveFigures(report::MatrixSpectrum& spectrum, double squaredNorm)
{
    const std::vector<double>& s = spectrum.singularValues;
    const bool zero = s.empty() || !(s.front() > 0);
    spectrum.stableRank = zero ? kUndefined : squaredNorm / (s.front() * s.front());
    // In a preview the eigenvalues that are known are the leading ones of all p.
    if (!spectrum.preview) {
        spectrum.tailExponent = hillExponent(s);
    } else {
        std::vector<double> padded = s;
        padded.resize(static_cast<std::size_t>(std::min(spectrum.rows, spectrum.cols)), 0.0);
        spectrum.tailExponent = hillExponent(padded);
    }
    spectrum.nuclearNorm = spectrum.preview ? kUndefined : std::accumulate(s.begin(), s.end(), 0.0);
    spectrum.condition = zero || spectrum.preview ? kUndefined
                         : s.back() > 0           ? s.front() / s.back()
                                                  : std::numeric_limits<double>::infinity();
    if (zero || spectrum.preview) {
        spectrum.effectiveRank = kUndefined;
        return;
    }
    double entropy = 0;
    for (const double value : s)
        if (value > 0)
            entropy -= value / spectrum.nuclearNorm * std::log(value / spectrum.nuclearNorm);
    spectrum.effectiveRank = std::exp(entropy);
}

} // namespace tamis::spectrum

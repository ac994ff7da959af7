// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/spectrum_series.h"

#include <algorithm>

namespace tamis::report {
namespace {
struct Drawn {
    std::string name;
    std::vector<double> values;
    double firstX = 0;
    bool dashed = false;
    bool baseline = false;
    int group = 0;
};

std::vector<double> scaled(const std::vector<double>& values, double by)
{
    std::vector<double> all(values);
    for (double& v : all)
        v *= by;
    return all;
}

/// A loss curve in the unit of the chart; empty when the curve is not there.
std::vector<double> lossCurve(const std::vector<double>& loss, std::uint64_t tokens, Curve curve)
{
    if (loss.empty())
        return {};
    const double energy = loss.front();
    if (curve == Curve::Loss)
        return scaled(loss, tokens > 0 ? 1.0 / static_cast<double>(tokens) : 1.0);
    auto relative = scaled(loss, energy > 0 ? 1 / energy : 0.0);
    if (curve == Curve::CumulativeEnergy)
        for (double& v : relative)
            v = 1 - v;
    return relative;
}

void addMatrix(std::vector<Drawn>& drawn, const MatrixSpectrum& matrix, int group, const SeriesOptions& options)
{
    if (options.curve == Curve::SingularValues) {
        if (matrix.singularValues.empty())
            return;
        const double top = matrix.singularValues.front();
        drawn.push_back({matrix.name, scaled(matrix.singularValues, options.normalised && top > 0 ? 1 / top : 1.0), 1, false, false, group});
        return;
    }
    const auto add = [&](const std::vector<double>& loss, std::uint64_t tokens, const char* what, bool wanted) {
        if (wanted && !loss.empty())
            drawn.push_back({matrix.name + what, lossCurve(loss, tokens, options.curve), 0, *what != '\0', &loss == &matrix.baselineLoss, group});
    };
    add(matrix.loss, matrix.tokens, "", true);
    add(matrix.heldOutLoss, matrix.heldOutTokens, " (held out)", options.heldOut);
    add(matrix.sampleLoss, matrix.sampleTokens, " (samples)", options.sample);
    add(matrix.baselineLoss, matrix.tokens, " (plain SVD)", options.baseline);
}
} // namespace

std::vector<Series> buildSpectrumSeries(const SpectrumReport& spectra, const std::vector<std::string>& matrices,
                                        const SeriesOptions& options)
{
    std::vector<Drawn> drawn;
    int group = 0;
    for (const auto& name : matrices) {
        const auto found = std::find_if(spectra.matrices.begin(), spectra.matrices.end(), [&](const auto& m) { return m.name == name; });
        if (found != spectra.matrices.end())
            addMatrix(drawn, *found, group++, options);
    }
    std::vector<Series> series;
    const std::size_t share = drawn.empty() ? 0 : std::max<std::size_t>(kSeriesPoints / drawn.size(), 8);
    if (drawn.size() * share > kSeriesPoints)
        drawn.resize(kSeriesPoints / share); // more than 500 curves: nobody can tell them apart
    for (const auto& curve : drawn)
        series.push_back({curve.name, decimate(curve.values, curve.firstX, share), false, curve.dashed, curve.group, curve.baseline});
    return series;
}

} // namespace tamis::report

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/preview.h"

#include "core/spectrum/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::spectrum {
namespace {
constexpr std::int64_t kOversampling = 10;
constexpr int kPowerIterations = 2;
constexpr std::uint64_t kSeed = 20201;
}

std::vector<ParameterSpec> previewParameters()
{
    return {{.name = "preview",
             .title = "Preview",
             .type = ParameterType::Boolean,
             .defaultValue = false,
             .help = "Randomised approximation of the leading values only, with an a-posteriori error; exact when off"},
            {.name = "preview-rank",
             .title = "Preview rank",
             .type = ParameterType::Integer,
             .defaultValue = std::int64_t{64},
             .minimum = 1,
             .maximum = 4096,
             .step = 1,
             .help = "Leading singular values that a preview finds"}};
}

PreviewSettings::PreviewSettings(const Parameters& complete)
    : enabled(complete.boolean("preview")), rank(complete.integer("preview-rank"))
{
}

bool PreviewSettings::applies(std::int64_t rows, std::int64_t cols) const noexcept
{
    return enabled && rank + kOversampling < std::min(rows, cols);
}

linalg::RandomisedOptions PreviewSettings::options() const noexcept
{
    return {.rank = rank, .oversampling = kOversampling, .powerIterations = kPowerIterations, .seed = kSeed};
}

double PreviewSettings::passes() const noexcept { return 2.0 * (kPowerIterations + 2) * static_cast<double>(rank + kOversampling) + 20.0; }

std::uint64_t PreviewSettings::bytes(std::int64_t rowsAndCols) const noexcept
{
    return 8 * 6 * static_cast<std::uint64_t>(rowsAndCols) * static_cast<std::uint64_t>(rank + kOversampling);
}

void fillPreview(report::MatrixSpectrum& entry, const linalg::RandomisedEigen& leading, const std::vector<double>& kept, double total,
                 double squaredNorm)
{
    entry.preview = true;
    entry.singularValues.resize(leading.values.size());
    std::ranges::transform(leading.values, entry.singularValues.begin(), [](double square) { return std::sqrt(square); });
    entry.loss = remainders(total, kept);
    const double largest = entry.singularValues.empty() ? 0.0 : entry.singularValues.front();
    entry.previewError = largest > 0 ? leading.residualNorm / largest : std::numeric_limits<double>::quiet_NaN();
    deriveFigures(entry, squaredNorm);
    entry.warnings.push_back("Preview: the leading " + std::to_string(leading.values.size()) + " of " +
                             std::to_string(std::min(entry.rows, entry.cols)) +
                             " singular values, by a randomised range finder; they are lower bounds.");
}

} // namespace tamis::spectrum

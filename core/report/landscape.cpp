// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/landscape.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::report {
namespace {
double heightOf(const std::vector<double>& values, std::size_t i)
{
    return values[i] > 0 ? std::max(std::log10(values[i] / values.front()), kLandscapeFloor) : kLandscapeFloor;
}

/// Height at a real-valued index from 0, linear between its neighbours; NaN beyond the last.
double heightAt(const std::vector<double>& values, double x)
{
    if (x > static_cast<double>(values.size() - 1) * (1 + 1e-9))
        return std::numeric_limits<double>::quiet_NaN();
    const auto left = std::min(static_cast<std::size_t>(std::max(x, 0.0)), values.size() - 1);
    const std::size_t right = std::min(left + 1, values.size() - 1);
    return heightOf(values, left) + (x - static_cast<double>(left)) * (heightOf(values, right) - heightOf(values, left));
}

void addLogarithmicIndices(LandscapeRole& role, const SpectrumReport& spectra)
{
    const double largest = std::max(role.largestRank, 2);
    for (std::size_t c = 0; c < kLandscapeColumns; ++c)
        role.indices.push_back(std::pow(largest, static_cast<double>(c) / (kLandscapeColumns - 1)));
    role.indices.back() = largest;
    for (auto& row : role.rows) {
        const auto matrix = std::find_if(spectra.matrices.begin(), spectra.matrices.end(),
                                         [&](const auto& m) { return m.name == row.matrix; });
        for (const double index : role.indices)
            row.byIndex.push_back(heightAt(matrix->singularValues, index - 1));
    }
}
} // namespace

Landscape buildLandscape(const SpectrumReport& spectra)
{
    Landscape landscape;
    for (std::size_t c = 0; c < kLandscapeColumns; ++c)
        landscape.position.push_back(static_cast<double>(c) / (kLandscapeColumns - 1));
    for (const auto& matrix : spectra.matrices) {
        const auto& values = matrix.singularValues;
        if (values.empty() || !(values.front() > 0) || matrix.preview)
            continue;
        auto role = std::find_if(landscape.roles.begin(), landscape.roles.end(), [&](const auto& r) { return r.role == matrix.role; });
        if (role == landscape.roles.end())
            role = landscape.roles.insert(role, {.role = matrix.role});
        role->largestRank = std::max(role->largestRank, static_cast<int>(values.size()));
        LandscapeRow row{.layer = matrix.layer, .matrix = matrix.name, .top = std::log10(values.front())};
        for (const double t : landscape.position)
            row.height.push_back(heightAt(values, t * static_cast<double>(values.size() - 1)));
        role->rows.push_back(std::move(row));
    }
    for (auto& role : landscape.roles) {
        std::stable_sort(role.rows.begin(), role.rows.end(), [](const auto& a, const auto& b) { return a.layer < b.layer; });
        addLogarithmicIndices(role, spectra);
    }
    return landscape;
}

} // namespace tamis::report

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/landscape.h"

#include <algorithm>
#include <cmath>

namespace tamis::report {

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
            role = landscape.roles.insert(role, {matrix.role, 0, {}});
        role->largestRank = std::max(role->largestRank, static_cast<int>(values.size()));
        LandscapeRow row{matrix.layer, matrix.name, {}};
        const auto height = [&](std::size_t i) {
            return values[i] > 0 ? std::max(std::log10(values[i] / values.front()), kLandscapeFloor) : kLandscapeFloor;
        };
        for (const double t : landscape.position) {
            const double x = t * static_cast<double>(values.size() - 1);
            const auto left = static_cast<std::size_t>(x);
            const std::size_t right = std::min(left + 1, values.size() - 1);
            row.height.push_back(height(left) + (x - static_cast<double>(left)) * (height(right) - height(left)));
        }
        role->rows.push_back(std::move(row));
    }
    for (auto& role : landscape.roles)
        std::stable_sort(role.rows.begin(), role.rows.end(), [](const auto& a, const auto& b) { return a.layer < b.layer; });
    return landscape;
}

} // namespace tamis::report

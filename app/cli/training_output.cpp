// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/training_output.h"

#include "app/cli/table.h"
#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unistd.h>

namespace tamis::cli {
using nlohmann::ordered_json;

ordered_json seriesJson(const std::vector<report::Series>& series)
{
    ordered_json all = ordered_json::array();
    for (const auto& each : series) {
        ordered_json x = ordered_json::array(), y = ordered_json::array();
        for (const auto& point : each.points) {
            x.push_back(point.x);
            y.push_back(std::isfinite(point.y) ? ordered_json(point.y) : ordered_json(nullptr));
        }
        all.push_back({{"name", each.name}, {"x", std::move(x)}, {"y", std::move(y)}});
    }
    return all;
}

std::string trainingText(const std::vector<report::Series>& series, const std::string& what)
{
    if (series.empty() || series.front().points.empty())
        return {};
    const auto steps = [](const report::Point& point) { return grouped(static_cast<std::uint64_t>(point.x)); };
    const auto heldOut = std::ranges::find(series, "held out", &report::Series::name);
    if (heldOut == series.end() || heldOut->points.empty()) {
        std::string text = "\ntrained for " + steps(series.front().points.back()) + " steps, no " + what + " kept apart";
        for (const auto& each : series)
            if (!each.points.empty())
                text += (&each == &series.front() ? ": " : ", ") + each.name + " " + significant(each.points.front().y) + " -> " + significant(each.points.back().y);
        return text + "\n";
    }
    const auto& checks = heldOut->points;
    const auto best = std::ranges::min(checks, {}, &report::Point::y);
    return "\ntrained for " + steps(checks.back()) + " steps: loss on the " + what + " kept apart " + significant(checks.front().y) + " -> " + significant(best.y) + " at step " + steps(best) +
           (significant(best.y) != significant(checks.back().y) ? ", " + significant(checks.back().y) + " at the end\n" : "\n");
}

void requireWritable(const std::string& path, const std::string& content)
{
    if (path.empty())
        return;
    const std::filesystem::path file(path), folder = file.has_parent_path() ? file.parent_path() : ".";
    std::error_code failure;
    if (!std::filesystem::is_directory(folder, failure))
        throw Error(ErrorCode::IoFailure, "is no directory, expected one to write " + content + " into", folder.string());
    if (access(folder.c_str(), W_OK | X_OK) != 0)
        throw Error(ErrorCode::IoFailure, "cannot be written to, expected a directory to write " + content + " into", folder.string());
    if (std::filesystem::is_directory(file, failure))
        throw Error(ErrorCode::IoFailure, "is a directory, expected a file to write or to replace", file.string());
}

} // namespace tamis::cli

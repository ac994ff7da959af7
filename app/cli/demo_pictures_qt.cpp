// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_pictures.h"

#include "app/cli/offscreen.h"
#include "core/base/error.h"
#include "views/common/chart_figure.h"

namespace tamis::cli {
namespace {
views::ChartDescription description(const DemoChart& chart)
{
    views::ChartDescription drawn;
    drawn.axes.xTitle = QString::fromStdString(chart.xTitle);
    drawn.axes.yTitle = QString::fromStdString(chart.yTitle);
    drawn.axes.logX = chart.logX;
    drawn.axes.logY = chart.logY;
    drawn.series = chart.series;
    drawn.caption = QString::fromStdString(chart.title + "\n" + chart.caption);
    return drawn;
}

} // namespace

bool canDrawPictures() noexcept { return true; }

std::vector<std::filesystem::path> drawPictures(const std::vector<DemoChart>& charts, const std::filesystem::path& directory,
                                                const RunContext& context)
{
    const Offscreen offscreen;
    std::vector<std::filesystem::path> files;
    for (const auto& chart : charts) {
        for (const char* suffix : {".png", ".svg"}) {
            context.throwIfStopped();
            const auto file = directory / (chart.file + suffix);
            if (const auto problem = views::renderChartToFile(description(chart), QString::fromStdString(file.string()), QSize(1200, 640)))
                throw Error(ErrorCode::IoFailure, problem->toStdString(), file.string());
            files.push_back(file);
        }
        context.setFraction(static_cast<double>(files.size()) / (2.0 * static_cast<double>(charts.size())));
    }
    return files;
}

} // namespace tamis::cli

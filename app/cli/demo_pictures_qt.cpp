// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_pictures.h"

#include "core/base/error.h"
#include "views/common/chart_figure.h"
#include "views/common/theme.h"

#include <QApplication>

#include <clocale>
#include <cstdio>
#include <cstdlib>

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

/// Qt's platform plugin warns of what a picture does not need (size hints, a runtime directory); errors are kept.
void sayErrorsOnly(QtMsgType type, const QMessageLogContext&, const QString& text)
{
    if (type == QtCriticalMsg || type == QtFatalMsg)
        std::fprintf(stderr, "%s\n", qPrintable(text));
}
} // namespace

bool canDrawPictures() noexcept { return true; }

std::vector<std::filesystem::path> drawPictures(const std::vector<DemoChart>& charts, const std::filesystem::path& directory,
                                                const RunContext& context)
{
    qInstallMessageHandler(sayErrorsOnly);
    setenv("QT_QPA_PLATFORM", "offscreen", 1);
    int argc = 1;
    char name[] = "tamis-cli";
    char* argv[] = {name, nullptr};
    QApplication application(argc, argv);
    std::setlocale(LC_NUMERIC, "C"); // QApplication took the user's; our numbers do not depend on it
    views::Theme::instance().apply(application, views::Theme::Mode::Light);
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

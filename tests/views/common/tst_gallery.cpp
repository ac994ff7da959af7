// SPDX-License-Identifier: GPL-3.0-or-later
// Every shared widget in one window, in both themes. With TAMIS_SHOTS=<folder> the pictures are kept to be looked at.
#include "sample_table.h"
#include "views/common/chart_canvas.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/parameter_editor.h"
#include "views/common/pareto_chart.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QDir>
#include <QGridLayout>
#include <QHeaderView>
#include <QPainter>
#include <QTest>

#include <set>

using namespace tamis;
using namespace tamis::views;

namespace {
std::vector<report::Series> spectra()
{
    std::vector<report::Series> all;
    for (int s = 0; s < 4; ++s) {
        report::Series one{.name = "blocks." + std::to_string(s) + ".attn.qkv"};
        for (int i = 1; i <= 192; ++i)
            one.points.push_back({static_cast<double>(i), (12.0 - 2 * s) * std::pow(i, -0.6) * std::exp(-i / (60.0 + 15 * s))});
        all.push_back(one);
    }
    report::Series loss{.name = "relative loss, block 0", .secondary = true, .dashed = true};
    for (int i = 1; i <= 192; ++i)
        loss.points.push_back({static_cast<double>(i), std::exp(-i / 40.0)});
    all.push_back(loss);
    return all;
}

ParameterSchema schema()
{
    return ParameterSchema({
        {.name = "ridge", .title = "Ridge", .defaultValue = 1e-3, .minimum = 0, .maximum = 1, .logarithmic = true, .help = "Share of the mean diagonal."},
        {.name = "keep", .title = "Keep", .defaultValue = 0.6, .minimum = 0.05, .maximum = 1, .step = 0.01, .help = "Fraction of the parameters kept."},
        {.name = "alignment", .title = "Rank alignment", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 64, .help = "Ranks are multiples of this."},
        {.name = "budget", .title = "Time budget", .defaultValue = 250.0, .minimum = 0, .maximum = 1000, .step = 10, .unit = "ms", .help = "For each matrix."},
        {.name = "allocation", .title = "Allocation", .type = ParameterType::Choice, .defaultValue = std::string("greedy"), .help = "How one keep becomes ranks.", .choices = {"uniform", "energy", "greedy"}},
        {.name = "centre", .title = "Centre activations", .type = ParameterType::Boolean, .defaultValue = false, .help = "Subtract the mean first."},
        {.name = "layers", .title = "Layers", .type = ParameterType::Text, .defaultValue = std::string("blocks.*"), .help = "Pattern of names."},
    });
}

std::vector<report::OperatingPoint> operatingPoints()
{
    std::vector<report::OperatingPoint> points;
    for (int i = 0; i < 6; ++i) {
        const double keep = 0.4 + 0.1 * i;
        points.push_back({.label = "whitened " + std::to_string(40 + 10 * i) + " %", .settings = "spectrum.whitened, greedy, factors, aligned to 8",
                          .keep = keep, .cost = {static_cast<std::uint64_t>(5.5e6 * keep), static_cast<std::uint64_t>(11e6 * keep), 0},
                          .relativeLoss = 0.4 * std::exp(-7 * keep), .onFront = true});
        points.push_back({.label = "plain " + std::to_string(40 + 10 * i) + " %", .settings = "spectrum.plain, uniform, factors",
                          .keep = keep, .cost = {static_cast<std::uint64_t>(5.5e6 * keep), static_cast<std::uint64_t>(11e6 * keep), 0},
                          .relativeLoss = 0.9 * std::exp(-4 * keep), .baseline = true});
    }
    return points;
}
} // namespace

class TstGallery : public QObject {
    Q_OBJECT
    static void fill(QWidget& window, SampleTable& table)
    {
        auto* grid = new QGridLayout(&window);
        auto* notice = new NoticeBar(&window);
        notice->showNotice(NoticeBar::Severity::Warning, QStringLiteral("Two matrices hold values that are not finite; their spectra are left out."), QStringLiteral("Show them"));
        auto* error = new NoticeBar(&window);
        error->showNotice(NoticeBar::Severity::Error, QStringLiteral("model.safetensors: the header is 4 GB long, which the file (1.2 kB) cannot hold."));
        auto* info = new NoticeBar(&window);
        info->showNotice(NoticeBar::Severity::Information, QStringLiteral("The session of yesterday was restored."));
        grid->addWidget(notice, 0, 0, 1, 2);
        grid->addWidget(error, 1, 0);
        grid->addWidget(info, 1, 1);
        auto* chart = new LineChart(&window);
        chart->setAxes({.xTitle = QStringLiteral("Rank"), .yTitle = QStringLiteral("Singular value"), .rightTitle = QStringLiteral("Relative loss"), .logY = true});
        chart->setSeries(spectra());
        chart->setCursor(64, QStringLiteral("rank 64"));
        grid->addWidget(chart, 2, 0);
        auto* linear = new LineChart(&window);
        linear->setObjectName(QStringLiteral("hovered"));
        linear->setAxes({.xTitle = QStringLiteral("Rank"), .yTitle = QStringLiteral("Singular value"), .rightTitle = {}});
        auto three = spectra();
        three.pop_back();
        linear->setSeries(three);
        linear->setCursor(30);
        linear->setStale(true);
        grid->addWidget(linear, 2, 1);
        auto* pareto = new ParetoChart(&window);
        pareto->setPoints(operatingPoints());
        report::OperatingPoint now = operatingPoints()[4];
        now.cost.parameters += 200000;
        pareto->setCurrent(now);
        grid->addWidget(pareto, 3, 0);
        auto* editor = new ParameterEditor(&window);
        editor->setSchema(schema());
        grid->addWidget(editor, 3, 1);
        auto* view = new CopyableTableView(&window);
        view->setSourceModel(&table);
        view->setItemDelegateForColumn(SampleTable::kParameters, new InlineBarDelegate(view));
        view->setItemDelegateForColumn(SampleTable::kLoss, new InlineBarDelegate(view));
        view->setItemDelegateForColumn(SampleTable::kLock, new LockDelegate(view));
        view->resizeColumnsToContents();
        view->selectRow(1);
        grid->addWidget(view, 4, 0);
        auto* empty = new PlaceholderPanel(QStringLiteral("landscape"), QStringLiteral("No landscape here"), QStringLiteral("This display has no OpenGL 3.2. Everything else works; the pictures of tamis-cli do too."), &window);
        empty->setAction(QStringLiteral("Open a checkpoint…"));
        grid->addWidget(empty, 4, 1);
        for (int row : {2, 3, 4})
            grid->setRowStretch(row, row == 4 ? 2 : 3);
        for (int column : {0, 1})
            grid->setColumnStretch(column, 1);
    }

private slots:
    void bothThemes()
    {
        std::vector<QImage> pictures;
        for (const auto mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
            Theme::instance().apply(*qApp, mode);
            SampleTable table(SampleTable::matrices());
            QWidget window;
            fill(window, table);
            window.resize(1360, 1060);
            window.show();
            QVERIFY(QTest::qWaitForWindowExposed(&window));
            auto* hovered = window.findChild<LineChart*>(QStringLiteral("hovered"));
            QTest::mouseMove(hovered->canvas()->viewport(), hovered->canvas()->toPixel(80, 4).toPoint());
            QTest::qWait(250); // the badge of a stale picture comes after 150 ms
            const QImage picture = window.grab().toImage();
            QVERIFY(picture.width() >= 1360);
            if (const QString folder = qEnvironmentVariable("TAMIS_SHOTS"); !folder.isEmpty())
                QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("gallery-%1-%2x.png")
                    .arg(mode == Theme::Mode::Light ? QStringLiteral("light") : QStringLiteral("dark")).arg(picture.devicePixelRatio()))));
            pictures.push_back(picture);
        }
        QVERIFY(pictures[0] != pictures[1]);
        QVERIFY(pictures[0].pixelColor(2, 2).lightness() > 200);
        QVERIFY(pictures[1].pixelColor(2, 2).lightness() < 60);
    }

    void icons()
    {
        const QDir folder(QStringLiteral(TAMIS_SOURCE_DIR "/resources/icons"));
        const QStringList files = folder.entryList({QStringLiteral("*.svg")});
        QVERIFY(files.size() > 30);
        QImage sheet(48 * 10, 48 * ((static_cast<int>(files.size()) + 9) / 10), QImage::Format_RGB32);
        sheet.fill(Theme::instance().color(Ink::Panel));
        QPainter painter(&sheet);
        for (qsizetype i = 0; i < files.size(); ++i) {
            const QIcon icon = themedIcon(QString(files[i]).remove(QStringLiteral(".svg")));
            QVERIFY2(!icon.isNull(), qPrintable(files[i]));
            const QImage picture = icon.pixmap(QSize(32, 32), 1.0).toImage();
            std::set<QRgb> inks;
            for (int y = 0; y < picture.height(); ++y)
                for (int x = 0; x < picture.width(); ++x)
                    inks.insert(picture.pixel(x, y));
            QVERIFY2(inks.size() > 2, qPrintable(files[i] + QStringLiteral(" is blank")));
            icon.paint(&painter, QRect(48 * static_cast<int>(i % 10) + 8, 48 * static_cast<int>(i / 10) + 8, 32, 32));
        }
        QVERIFY(themedIcon(QStringLiteral("no-such-icon")).isNull());
        QVERIFY(!applicationIcon().isNull());
        painter.drawPixmap(48 * 9, 0, applicationIcon().pixmap(48, 48));
        painter.end();
        if (const QString shots = qEnvironmentVariable("TAMIS_SHOTS"); !shots.isEmpty())
            QVERIFY(sheet.save(QDir(shots).filePath(QStringLiteral("icons.png"))));
    }
};

QTEST_MAIN(TstGallery)
#include "tst_gallery.moc"

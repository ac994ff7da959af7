// SPDX-License-Identifier: GPL-3.0-or-later
// The lab as a user sees it, in both themes. With TAMIS_SHOTS=<folder> the pictures are kept to be looked at.
#include "tests/views/lab_sample.h"
#include "core/report/spectrum_series.h"
#include "views/common/theme.h"
#include "views/jobs/jobs_view.h"
#include "views/jobs/log_view.h"
#include "views/plan/cost_header.h"
#include "views/plan/operating_points.h"
#include "views/spectrum/landscape_view.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/vtk/vtk_widget.h"
#include "views/workspace/workspace_tree.h"

#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QHBoxLayout>
#include <QStandardItemModel>
#include <QTabWidget>
#include <QTest>
#include <QVBoxLayout>

using namespace tamis;
using namespace tamis::views;

namespace {
std::vector<report::OperatingPoint> points()
{
    const auto spectra = sample::spectra();
    std::vector<report::OperatingPoint> all;
    for (const double keep : {0.35, 0.5, 0.6, 0.75, 1.0}) {
        const auto budget = sample::budget(*spectra, keep);
        all.push_back({.label = "whitened " + std::to_string(static_cast<int>(100 * keep + 0.5)) + " %",
                       .settings = "spectrum.whitened, uniform, factors, aligned to 1", .keep = keep, .cost = budget->after,
                       .relativeLoss = budget->predictedRelativeLoss, .onFront = true, .baseline = keep == 1.0});
    }
    return all;
}

void fillJobs(QStandardItemModel& jobs)
{
    jobs.setHorizontalHeaderLabels({"Job", "State", "Progress", "Elapsed", "Remaining", "Result"});
    const auto add = [&](const QStringList& cells, double fraction, bool active) {
        QList<QStandardItem*> row;
        for (const auto& cell : cells) {
            row.append(new QStandardItem(cell));
            row.last()->setData(fraction, JobsView::kProgressRole);
            row.last()->setData(active, JobsView::kActiveRole);
        }
        jobs.appendRow(row);
    };
    add({"Open vit20", "finished", "", "0.3 s", "", "25 matrices"}, 1, false);
    add({"Export factors", "running", "writing blocks.3.mlp.fc1", "2.1 s", "1.4 s", ""}, 0.6, true);
    add({"Sweep keep", "queued", "", "", "", ""}, 0, true);
}
} // namespace

class TstLabGallery : public QObject {
    Q_OBJECT
    QStandardItemModel m_jobs;

    void fill(QWidget& window)
    {
        const auto spectra = sample::spectra();
        auto* column = new QVBoxLayout(&window);
        auto* header = new CostHeader(&window);
        header->setBudget(sample::budget(*spectra, 0.6));
        header->setSettings(0.6, "uniform", "factors", 1);
        column->addWidget(header);
        auto* middle = new QHBoxLayout;
        auto* tree = new WorkspaceTree(&window);
        tree->setOutline(sample::outline(*spectra));
        tree->setFixedWidth(260);
        middle->addWidget(tree);
        auto* panel = new SpectrumPanel(&window);
        panel->setReport(spectra);
        panel->setBudget(sample::budget(*spectra, 0.6));
        panel->setLandscape(std::make_shared<const report::Landscape>(report::buildLandscape(*spectra)));
        panel->setSelection({"blocks.2.attn.qkv", "blocks.4.mlp.fc1"});
        panel->setSeries(report::buildSpectrumSeries(*spectra, {"blocks.2.attn.qkv", "blocks.4.mlp.fc1"}, panel->options()), panel->options());
        middle->addWidget(panel, 1);
        column->addLayout(middle, 1);
        auto* tabs = new QTabWidget(&window);
        tabs->setFixedHeight(230);
        auto* collected = new OperatingPoints(&window);
        collected->setPoints(points());
        collected->setCurrent(points()[2]);
        tabs->addTab(collected, "Operating points");
        auto* jobs = new JobsView(&window);
        jobs->setModel(&m_jobs);
        tabs->addTab(jobs, "Jobs");
        auto* log = new LogView(&window);
        log->append(LogEntry::Level::Information, "Opened vit20: 25 matrices, 6 layers.");
        log->append(LogEntry::Level::Warning, "patch_embed.proj holds 2 values that are not finite; it stays dense.");
        log->append(LogEntry::Level::Error, "calibration.h5: the group sites/head has no gram.");
        tabs->addTab(log, "Log");
        column->addWidget(tabs);
    }

    static void keep(const QImage& picture, const QString& name)
    {
        if (const QString folder = qEnvironmentVariable("TAMIS_SHOTS"); !folder.isEmpty())
            QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("lab-%1-%2x.png").arg(name).arg(picture.devicePixelRatio()))));
    }
private slots:
    void initTestCase() { fillJobs(m_jobs); }

    void bothThemes_data()
    {
        QTest::addColumn<int>("mode");
        QTest::newRow("light") << static_cast<int>(Theme::Mode::Light);
        QTest::newRow("dark") << static_cast<int>(Theme::Mode::Dark);
    }
    void bothThemes()
    {
        QFETCH(int, mode);
        const auto name = QString::fromLatin1(QTest::currentDataTag());
        Theme::instance().apply(*qApp, static_cast<Theme::Mode>(mode));
        QWidget window;
        fill(window);
        window.resize(1500, 980);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        QTest::qWait(300);
        auto* tabs = window.findChild<QTabWidget*>();
        for (int tab = 0; tab < tabs->count(); ++tab) {
            tabs->setCurrentIndex(tab);
            QTest::qWait(50);
            const QImage picture = window.grab().toImage();
            keep(picture, name + QStringLiteral("-%1").arg(tab));
            const int lightness = picture.pixelColor(2, 2).lightness();
            QVERIFY(static_cast<Theme::Mode>(mode) == Theme::Mode::Light ? lightness > 200 : lightness < 60);
        }
    }

    void landscapes_data() { bothThemes_data(); }
    void landscapes()
    {
        QFETCH(int, mode);
        if (!VtkWidget::available())
            QSKIP("no OpenGL 3.2 here");
        const auto name = QString::fromLatin1(QTest::currentDataTag());
        Theme::instance().apply(*qApp, static_cast<Theme::Mode>(mode));
        LandscapeView view;
        view.resize(760, 520);
        view.setLandscape(std::make_shared<const report::Landscape>(report::buildLandscape(*sample::spectra())));
        view.setSelectedLayer(2);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        QTest::qWait(200);
        keep(view.grab().toImage(), QStringLiteral("landscape-") + name);
        view.findChild<QComboBox*>("landscapeIndex")->setCurrentIndex(1);
        view.findChild<QComboBox*>("landscapeHeight")->setCurrentIndex(1);
        QTest::qWait(200);
        keep(view.grab().toImage(), QStringLiteral("landscape-log-") + name);
    }
};

QTEST_MAIN(TstLabGallery)
#include "tst_lab_gallery.moc"

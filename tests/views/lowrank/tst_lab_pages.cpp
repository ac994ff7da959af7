// SPDX-License-Identifier: GPL-3.0-or-later
// The pages of preconditioners and of sensitivities.
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"
#include "views/lowrank/preconditioner_page.h"
#include "views/lowrank/sensitivity_page.h"

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

namespace {
report::MethodFigure figure()
{
    report::MethodFigure made{.id = "preconditioners", .title = "Loss against rank", .xTitle = "rank", .yTitle = "relative loss", .logY = true};
    for (int i = 0; i < 3; ++i) {
        const std::string name = i == 0 ? "Cholesky" : i == 1 ? "Mean |x|" : "Identity";
        report::Series solid{.name = name, .points = {{0, 1}, {1, 0.5 + 0.1 * i}, {2, 0.1 + 0.1 * i}}, .group = i};
        report::Series dashed = solid;
        dashed.name += ", held-out";
        dashed.dashed = true;
        made.series.push_back(solid);
        made.series.push_back(dashed);
    }
    return made;
}

std::shared_ptr<report::SensitivityReport> sensitivities(std::size_t matrices = 3)
{
    auto made = std::make_shared<report::SensitivityReport>();
    made->model = "tiny";
    made->samples = "a text";
    made->method = "spectrum.whitened";
    made->accounting = "factors";
    made->keeps = {0.4, 0.6, 0.8};
    made->planned = 3;
    made->sampleCount = 8;
    made->predictions = 4000;
    for (std::size_t i = 0; i < matrices; ++i) {
        report::MatrixSensitivity matrix{.name = "blocks." + std::to_string(i) + ".qkv", .role = "qkv", .layer = static_cast<int>(i), .rows = 8, .cols = 8, .points = {}};
        for (const double keep : made->keeps)
            if (!(i == 1 && keep == 0.4)) // no rank meets it
                matrix.points.push_back({.keep = keep, .rank = 3, .kl = (1 - keep) * static_cast<double>(i + 1), .nllChange = i == 0 ? -0.1 : 0.2});
        made->matrices.push_back(matrix);
    }
    return made;
}
} // namespace

class TstLabPages : public QObject {
    Q_OBJECT
private slots:
    void curvesAreChosen()
    {
        PreconditionerPage page;
        page.setMatrices({"a", "b"});
        page.setFigure(figure(), "a");
        QCOMPARE(page.chart()->series().size(), std::size_t(6));
        auto* list = page.settings()->findChild<QListWidget*>("preconditionerCurves");
        QCOMPARE(list->count(), 3);
        list->item(1)->setCheckState(Qt::Unchecked);
        QCOMPARE(page.chart()->series().size(), std::size_t(4)); // its held-out curve goes with it
        QCOMPARE(page.chart()->series()[2].name, std::string("Identity"));
        QCOMPARE(page.chart()->series()[2].group, 2); // and the others keep their colours
        page.setFigure(figure(), "b");                // another matrix: the choice stays
        QCOMPARE(page.chart()->series().size(), std::size_t(4));
        page.settings()->findChild<QCheckBox*>("preconditionerHeldOut")->setChecked(false);
        QCOMPARE(page.chart()->series().size(), std::size_t(2));
        page.settings()->findChild<QCheckBox*>("preconditionerLogarithmic")->setChecked(false);
        QVERIFY(!page.chart()->axes().logY);
        page.setRank(2);
        QCOMPARE(page.chart()->cursor().value_or(-1), 2.0);
        page.setFigure(std::nullopt, {});
        QVERIFY(page.chart()->series().empty());
    }
    void theMatrixIsAnIntent()
    {
        PreconditionerPage page;
        page.setMatrices({"a", "b", "c"});
        page.show();
        QSignalSpy chosen(&page, &PreconditionerPage::matrixChosen);
        page.setMatrix("b");
        QCOMPARE(chosen.size(), 0);
        auto* combo = page.findChild<QComboBox*>("preconditionerMatrix");
        combo->setFocus();
        QTest::keyClick(combo, Qt::Key_Down);
        QCOMPARE(chosen.last().first().toString(), QStringLiteral("c"));
        page.setMatrices({"b", "c", "d"});
        QCOMPARE(page.matrix(), QStringLiteral("c"));
    }
    void theGridIsMatrixByKeep()
    {
        const auto grid = sensitivityGrid(*sensitivities(), SensitivityMeasure::Kl);
        QCOMPARE(grid.rows, 3);
        QCOMPARE(grid.columns, 3);
        QCOMPARE(grid.columnLabels, (QStringList{"40\u202f%", "60\u202f%", "80\u202f%"}));
        QCOMPARE(grid.values[0], 0.6);
        QVERIFY(std::isnan(grid.values[3])); // left out
        QVERIFY(std::abs(grid.values[8] - 0.6) < 1e-12);
        QVERIFY(!grid.diverging);
        QVERIFY(sensitivityGrid(*sensitivities(), SensitivityMeasure::NllChange).diverging); // a change has a sign
    }
    void onlyWhatWasMeasuredIsOffered()
    {
        SensitivityPage page;
        page.setReport(sensitivities());
        auto* measure = page.findChild<QComboBox*>("sensitivityMeasure");
        QCOMPARE(measure->count(), 2);
        measure->setCurrentIndex(1);
        QCOMPARE(page.map()->grid().valueTitle, sensitivityTitle(SensitivityMeasure::NllChange));
    }
    void aCellIsItsMatrixEverywhere()
    {
        SensitivityPage page;
        page.resize(1000, 500);
        page.setReport(sensitivities());
        page.show();
        QVERIFY(QTest::qWaitForWindowExposed(&page));
        QSignalSpy told(&page, &SensitivityPage::selectionChanged);
        QTest::mouseClick(page.map(), Qt::LeftButton, {}, page.map()->cellRect(2, 1).center().toPoint());
        QCOMPARE(told.last().first().toStringList(), QStringList{"blocks.2.qkv"});
        QCOMPARE(page.curves()->series().size(), std::size_t(1));
        QCOMPARE(page.curves()->series()[0].points.size(), std::size_t(3));
        page.setSelection({"blocks.2.qkv"}); // the echo keeps the cell
        QCOMPARE(*page.map()->selected(), std::pair(2, 1));
        page.setSelection({"blocks.0.qkv", "blocks.1.qkv"});
        QCOMPARE(page.map()->selected()->first, 0);
        QCOMPARE(page.curves()->series().size(), std::size_t(2));
        QCOMPARE(page.curves()->series()[1].points.size(), std::size_t(2));
        QCOMPARE(told.size(), 1);
    }
    void partialResultsAreCalledSo()
    {
        SensitivityPage page;
        page.show();
        QVERIFY(page.findChild<QWidget*>("sensitivityEmpty")->isVisible());
        QSignalSpy asked(&page, &SensitivityPage::measureRequested);
        QTest::mouseClick(page.findChild<QWidget*>("sensitivityEmpty")->findChild<QPushButton*>("placeholder-action"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        page.setRunning(true);
        page.setReport(sensitivities(2));
        QVERIFY(page.findChild<QLabel*>("sensitivityState")->text().startsWith("2 of 3 matrices ·"));
        page.setRunning(false);
        QVERIFY(page.findChild<QLabel*>("sensitivityState")->text().contains("stopped"));
        page.setDisabledReason("nothing is open");
        QVERIFY(!page.findChild<QPushButton*>("sensitivityAgain")->isEnabled());
    }
};

QTEST_MAIN(TstLabPages)
#include "tst_lab_pages.moc"

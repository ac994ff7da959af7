// SPDX-License-Identifier: GPL-3.0-or-later
// A comparison as it is shown: the table, the charts, one selection in all.
#include "tests/views/low_rank_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/lowrank/compare_page.h"
#include "views/lowrank/comparison_table_model.h"
#include "views/lowrank/trade_off_chart.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTabWidget>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using Model = ComparisonTableModel;

class TstComparePage : public QObject {
    Q_OBJECT
    std::unique_ptr<ComparePage> m_page;

    QString cell(int row, int column) const { return m_page->model()->index(row, column).data().toString(); }
    void showChart(int index) { m_page->findChild<QTabWidget*>("compareCharts")->setCurrentIndex(index); }

private slots:
    void init()
    {
        m_page = std::make_unique<ComparePage>();
        new QAbstractItemModelTester(m_page->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_page.get());
        m_page->resize(1100, 700);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void emptyStateOffersToCompare()
    {
        auto* empty = m_page->findChild<QWidget*>("compareEmpty");
        QVERIFY(empty->isVisible());
        QSignalSpy asked(m_page.get(), &ComparePage::compareRequested);
        QTest::mouseClick(empty->findChild<QPushButton*>("placeholder-action"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_page->setRunning(true);
        QVERIFY(!empty->isVisible());
    }
    void everyRowShowsItsNumbers()
    {
        m_page->setComparison(sample::comparison());
        QCOMPARE(m_page->model()->rowCount(), 6);
        QCOMPARE(cell(2, Model::MethodColumn), QStringLiteral("good"));
        QCOMPARE(cell(2, Model::KeepColumn), QStringLiteral("80\u202f%"));
        QCOMPARE(cell(2, Model::PerplexityColumn), QStringLiteral("21 ± 0.5"));
        QCOMPARE(cell(2, Model::AgreementColumn), QStringLiteral("90.0 ± 1.0\u202f%"));
        QCOMPARE(cell(2, Model::ParametersColumn), QStringLiteral("840\u202fk"));
        QCOMPARE(cell(2, Model::LatencyColumn), QStringLiteral("13.0\u202fms"));
        QCOMPARE(cell(2, Model::HeldOutColumn), QStringLiteral("2.50\u202f%"));
        QCOMPARE(cell(0, Model::KeepColumn), QStringLiteral("–")); // a baseline has no keep
        QCOMPARE(cell(5, Model::PerplexityColumn), QStringLiteral("–"));
        QVERIFY(cell(5, Model::SettingsColumn).contains("singular"));
        QVERIFY(m_page->table()->isColumnHidden(Model::Top1Column)); // nobody has it
        QVERIFY(!m_page->table()->isColumnHidden(Model::PerplexityColumn));
    }
    void baselinesAndFailuresAreMarked()
    {
        m_page->setComparison(sample::comparison());
        QVERIFY(m_page->model()->index(1, Model::MethodColumn).data(Qt::AccessibleTextRole).toString().contains("baseline"));
        QVERIFY(m_page->model()->index(2, Model::MethodColumn).data(Qt::AccessibleTextRole).isNull());
        QVERIFY(m_page->model()->index(5, 0).data(Qt::ForegroundRole).isValid());
        QVERIFY(!m_page->model()->index(4, 0).data(Qt::ForegroundRole).isValid());
    }
    void sortingIsByNumber()
    {
        m_page->setComparison(sample::comparison());
        m_page->table()->sortByColumn(Model::PerplexityColumn, Qt::AscendingOrder);
        std::vector<double> shown;
        for (int row = 0; row < 6; ++row)
            if (const double v = m_page->table()->proxy()->index(row, Model::PerplexityColumn).data(kSortRole).toDouble(); std::isfinite(v))
                shown.push_back(v);
        QCOMPARE(shown, (std::vector<double>{20, 20.1, 21, 25, 2000}));
    }
    void rowsAppearAsTheyFinishAndTheSelectionStays()
    {
        m_page->setRunning(true);
        m_page->setComparison(sample::comparison(3));
        m_page->selectRows({2});
        QSignalSpy resets(m_page->model(), &QAbstractItemModel::modelReset), inserted(m_page->model(), &QAbstractItemModel::rowsInserted);
        m_page->setComparison(sample::comparison(5));
        QCOMPARE(resets.size(), 0);
        QCOMPARE(inserted.size(), 1);
        QCOMPARE(m_page->selectedRows(), QList<int>{2});
        QVERIFY(m_page->findChild<QLabel*>("compareState")->text().startsWith("5 of 6"));
        m_page->setRunning(false);
        QVERIFY(m_page->findChild<QLabel*>("compareState")->text().contains("stopped")); // partial results are kept and called so
        m_page->setComparison(sample::comparison(6));
        QVERIFY(!m_page->findChild<QLabel*>("compareState")->text().contains("stopped"));
        auto other = sample::comparison(2);
        other->model = "/models/other";
        m_page->setComparison(other);
        QVERIFY(m_page->selectedRows().isEmpty());
    }
    void oneSelectionInAllParts()
    {
        m_page->setComparison(sample::comparison());
        QSignalSpy told(m_page.get(), &ComparePage::rowsSelected);
        auto* table = m_page->table();
        const QModelIndex at = table->fromSource(m_page->model()->index(3, 0));
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(at).center());
        QCOMPARE(told.last().first().value<QList<int>>(), QList<int>{3});
        QCOMPARE(m_page->tradeOff()->selectedRows(), QList<int>{3});
        QCOMPARE(m_page->curves()->cursor().value_or(-1), 0.6);
        QCOMPARE(m_page->depth()->series().size(), std::size_t(1));
        QCOMPARE(m_page->depth()->series()[0].points.size(), std::size_t(6));
        // and from the chart back
        QTest::mouseClick(m_page->tradeOff(), Qt::LeftButton, {}, m_page->tradeOff()->toPixel(2).toPoint());
        QCOMPARE(m_page->selectedRows(), QList<int>{2});
        QCOMPARE(table->selectionModel()->selectedRows().size(), 1);
        QCOMPARE(table->toSource(table->selectionModel()->selectedRows().first()).row(), 2);
        QTest::mouseClick(m_page->tradeOff(), Qt::LeftButton, Qt::ControlModifier, m_page->tradeOff()->toPixel(4).toPoint());
        QCOMPARE(m_page->selectedRows(), (QList<int>{2, 4}));
        QCOMPARE(m_page->depth()->series().size(), std::size_t(2));
    }
    void theTradeOffFollowsTheAxes()
    {
        m_page->setComparison(sample::comparison());
        auto* chart = m_page->tradeOff();
        auto* measure = m_page->findChild<QComboBox*>("compareMeasure");
        QCOMPARE(measure->currentText(), QStringLiteral("Perplexity"));
        QCOMPARE(chart->shownPoints(), 5); // the failed one has no place
        QVERIFY(chart->isLogarithmic());   // 20 to 2000
        QVERIFY(chart->toPixel(3).x() < chart->toPixel(2).x()); // cheaper to the left
        QVERIFY(chart->toPixel(3).y() < chart->toPixel(2).y()); // a higher perplexity above
        measure->setCurrentIndex(measure->findText("Agreement"));
        QCOMPARE(chart->measure(), ComparisonMeasure::Agreement);
        QVERIFY(!chart->isLogarithmic());
        QCOMPARE(chart->shownPoints(), 4); // nothing agrees with itself: no dense point
        auto* unit = m_page->findChild<QComboBox*>("compareUnit");
        unit->setCurrentIndex(unit->findText("Bytes"));
        QVERIFY(chart->toPixel(1).x() < chart->toPixel(3).x()); // 8 bit takes fewer bytes than keep 0.6
        QVERIFY(!chart->grab().isNull());
    }
    void theTradeOffIsWalkedWithKeys()
    {
        m_page->setComparison(sample::comparison());
        auto* chart = m_page->tradeOff();
        chart->setFocus();
        QTest::keyClick(chart, Qt::Key_Right);
        QCOMPARE(m_page->selectedRows(), QList<int>{3}); // the cheapest
        QVERIFY(!chart->hoverLines().isEmpty() || !chart->hasFocus());
        QTest::keyClick(chart, Qt::Key_Right);
        QTest::keyClick(chart, Qt::Key_Left);
        QCOMPARE(m_page->selectedRows(), QList<int>{3});
        QTest::keyClick(chart, Qt::Key_Left); // round
        QVERIFY(m_page->selectedRows() != QList<int>{3});
    }
    void theFrontIsOfBothAxes()
    {
        const auto comparison = sample::comparison();
        const auto front = frontOf(*comparison, CostUnit::Parameters, ComparisonMeasure::Perplexity);
        QCOMPARE(front, (std::vector<bool>{true, false, true, true, false, false})); // 8 bit has all the parameters and a little more loss
        const auto bytes = frontOf(*comparison, CostUnit::Bytes, ComparisonMeasure::Perplexity);
        QCOMPARE(bytes, (std::vector<bool>{true, true, false, false, false, false}));
    }
    void curvesNeedTwoKeeps()
    {
        m_page->setComparison(sample::comparison(3));
        QVERIFY(m_page->curves()->series().empty());
        m_page->setComparison(sample::comparison());
        const auto& series = m_page->curves()->series();
        QCOMPARE(series.size(), std::size_t(4)); // good, plain, and the two baselines across
        QCOMPARE(series[0].name, std::string("good"));
        QCOMPARE(series[0].points, (std::vector<report::Point>{{0.6, 25}, {0.8, 21}}));
        QVERIFY(series[2].baseline && series[3].baseline);
        QCOMPARE(series[2].points.front(), (report::Point{0.6, 20}));
        QCOMPARE(series[2].points.back(), (report::Point{0.8, 20}));
    }
    void whatCanBeExported()
    {
        m_page->setComparison(sample::comparison());
        const QStringList lines = m_page->tradeOff()->figureCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 7);
        QCOMPARE(lines[0].count(','), lines[1].count(','));
        QVERIFY(lines[3].startsWith("good,0.8,840000,3360000,420000,13,21,"));
        QVERIFY(m_page->tradeOff()->figureCaption().contains("held-out: another text"));
        QVERIFY(m_page->table()->figureCsv().contains("singular"));
        QSignalSpy exported(m_page.get(), &ComparePage::exportRequested);
        emit m_page->table()->exportRequested(FigureFormat::Csv);
        emit m_page->curves()->exportRequested("svg");
        QCOMPARE(exported.size(), 2);
    }
    void olderSettingsHaveABadge()
    {
        auto* badge = m_page->findChild<QWidget*>("compareStale");
        m_page->setStale(true);
        QVERIFY(!badge->isVisible()); // nothing is there to be stale
        m_page->setComparison(sample::comparison());
        m_page->setStale(true);
        QVERIFY(badge->isVisible());
    }
};

QTEST_MAIN(TstComparePage)
#include "tst_compare_page.moc"

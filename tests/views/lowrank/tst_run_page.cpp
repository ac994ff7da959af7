// SPDX-License-Identifier: GPL-3.0-or-later
// One run as it is shown: the table, planes, notices; the ridge meter.
#include "tests/views/low_rank_sample.h"
#include "views/common/chart_canvas.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/lowrank/figure_view.h"
#include "views/lowrank/matrix_table_model.h"
#include "views/lowrank/ridge_meter.h"
#include "views/lowrank/run_page.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using Model = MatrixTableModel;

class TstRunPage : public QObject {
    Q_OBJECT
    std::unique_ptr<RunPage> m_page;

    QString cell(int row, int column) const { return m_page->model()->index(row, column).data().toString(); }

private slots:
    void init()
    {
        m_page = std::make_unique<RunPage>();
        new QAbstractItemModelTester(m_page->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_page.get());
        m_page->resize(1100, 700);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void everyMatrixShowsItsNumbers()
    {
        m_page->setReport(sample::lowRankReport());
        QCOMPARE(m_page->model()->rowCount(), 4);
        QCOMPARE(cell(0, Model::NameColumn), QStringLiteral("blocks.0.qkv"));
        QCOMPARE(cell(0, Model::ShapeColumn), QStringLiteral("384 × 128"));
        QCOMPARE(cell(1, Model::RankColumn), QStringLiteral("51"));
        QCOMPARE(cell(1, Model::LossColumn), QStringLiteral("2.00\u202f%"));
        QCOMPARE(cell(1, Model::HeldOutColumn), QStringLiteral("4.00\u202f%"));
        QCOMPARE(cell(1, Model::ExcessColumn), QStringLiteral("0.00\u202f%"));
        QCOMPARE(cell(2, Model::ConditionColumn), QStringLiteral("42"));
        QCOMPARE(cell(1, Model::WarningColumn), QStringLiteral("the ridge was raised to 1e-4"));
        QVERIFY(cell(0, Model::WarningColumn).isEmpty());
        QVERIFY(m_page->findChild<QLabel*>("runSummary")->text().contains("achieved 59.7"));
    }
    void aNewReportOfTheSameMatricesKeepsTheSelection()
    {
        m_page->setReport(sample::lowRankReport());
        m_page->setSelection({"blocks.1.fc1"});
        QSignalSpy resets(m_page->model(), &QAbstractItemModel::modelReset), told(m_page.get(), &RunPage::selectionChanged);
        auto other = sample::lowRankReport();
        other->matrices[0].rank = 7;
        m_page->setReport(other);
        QCOMPARE(resets.size(), 0);
        QCOMPARE(cell(0, Model::RankColumn), QStringLiteral("7"));
        QCOMPARE(m_page->table()->selectionModel()->selectedRows().size(), 1);
        m_page->setReport(sample::lowRankReport(6)); // more matrices: the model is reset, the selection stays
        QCOMPARE(m_page->table()->selectionModel()->selectedRows().size(), 1);
        QCOMPARE(m_page->table()->toSource(m_page->table()->selectionModel()->selectedRows().first()).row(), 3);
        QCOMPARE(told.size(), 0); // nothing of it was the user's
    }
    void aClickIsToldByName()
    {
        m_page->setReport(sample::lowRankReport());
        QSignalSpy told(m_page.get(), &RunPage::selectionChanged);
        auto* table = m_page->table();
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(table->fromSource(m_page->model()->index(2, 1))).center());
        QCOMPARE(told.last().first().toStringList(), QStringList{"blocks.1.qkv"});
        QTest::keyClick(table, Qt::Key_Down);
        QCOMPARE(told.last().first().toStringList(), QStringList{"blocks.1.fc1"});
    }
    void planesAreOneFigureALayer()
    {
        const auto figures = planeFigures(*sample::lowRankReport());
        QCOMPARE(figures.size(), std::size_t(2));
        QCOMPARE(figures[0].series.size(), std::size_t(2));
        QVERIFY(figures[0].logY);
        QCOMPARE(figures[0].series[0].name, std::string("query, 2 of 4 kept"));
        QCOMPARE(figures[0].series[1].points[1], (report::Point{2, 3.0 / 8}));
        m_page->setReport(sample::lowRankReport());
        auto* choice = m_page->planes()->findChild<QComboBox*>("figureChoice");
        choice->setCurrentIndex(1);
        m_page->setReport(sample::lowRankReport()); // a rank was dragged
        QCOMPARE(m_page->planes()->figure(), QStringLiteral("planes-1"));
        QCOMPARE(m_page->planes()->chart()->series().size(), std::size_t(1));
    }
    void chartsAndNoticesOfTheMethod()
    {
        m_page->setReport(sample::lowRankReport());
        QCOMPARE(m_page->figures()->figure(), QStringLiteral("beta"));
        QCOMPARE(m_page->figures()->chart()->axes().xTitle, QStringLiteral("beta"));
        QVERIFY(!m_page->figures()->chart()->axes().wholeX); // 0.5
        const QString notices = m_page->findChild<QPlainTextEdit*>("runNotices")->toPlainText();
        QVERIFY(notices.contains("separate factors") && notices.contains("blocks.0.fc1: the ridge") && notices.contains("beta of layer 0: 0.5"));
        auto* tabs = m_page->findChild<QTabWidget*>("runCharts");
        QCOMPARE(tabs->tabText(3), QStringLiteral("Notices (1)"));
        m_page->setReport(nullptr);
        QVERIFY(m_page->figures()->figure().isEmpty());
        QVERIFY(m_page->findChild<QWidget*>("runEmpty")->isVisible());
    }
    void anOlderPictureHasABadge()
    {
        auto* badge = m_page->findChild<QWidget*>("runStale");
        m_page->setReport(sample::lowRankReport());
        QVERIFY(!badge->isVisible());
        m_page->setStale(true);
        QVERIFY(badge->isVisible());
    }
    void theRidgeOfTheLeastHeldOutLossIsMarkedAndTaken()
    {
        auto sweep = std::make_shared<RidgeSweep>();
        sweep->matrix = "blocks.0.qkv";
        sweep->points = {{0, 0.1, 0.5, INFINITY}, {1e-4, 0.11, 0.3, 1e4}, {1e-2, 0.12, 0.2, 1e2}, {1e-1, 0.2, 0.25, 1e1}};
        sweep->present = 1e-4;
        QCOMPARE(leastHeldOut(*sweep)->ridge, 1e-2);
        auto* meter = m_page->ridge();
        m_page->setReport(sample::lowRankReport());
        meter->setSweep(sweep);
        QCOMPARE(meter->chart()->cursor().value_or(-1), 1e-2);
        QCOMPARE(meter->chart()->series().size(), std::size_t(4));
        QCOMPARE(meter->chart()->series()[0].points.size(), std::size_t(3)); // no ridge at all has no place on a logarithmic axis
        QVERIFY(meter->chart()->series()[2].baseline);
        QCOMPARE(meter->chart()->series()[2].points.front(), (report::Point{1e-4, 0.5}));
        QVERIFY(meter->findChild<QLabel*>("ridgeCondition")->text().contains("∞"));
        QVERIFY(meter->findChild<QLabel*>("ridgeCondition")->text().contains("1e+04"));
        QSignalSpy taken(meter, &RidgeMeter::ridgeChosen);
        QTest::mouseClick(meter->findChild<QPushButton*>("takeRidge"), Qt::LeftButton);
        QCOMPARE(taken.last().first().toDouble(), 1e-2);
        auto set = std::make_shared<RidgeSweep>(*sweep);
        set->present = 1e-2;
        meter->setSweep(set);
        QVERIFY(!meter->findChild<QPushButton*>("takeRidge")->isVisible()); // it is set
        meter->setSweep(nullptr);
        QVERIFY(meter->chart()->series().empty());
        QVERIFY(!meter->chart()->cursor());
    }
    void withoutHeldOutRowsNothingIsMarked()
    {
        RidgeSweep sweep;
        sweep.points = {{0, 0.1, std::nan(""), 10}, {1e-2, 0.2, std::nan(""), 5}};
        QCOMPARE(leastHeldOut(sweep), nullptr);
        m_page->ridge()->setSweep(std::make_shared<const RidgeSweep>(sweep));
        QVERIFY(!m_page->ridge()->chart()->cursor());
    }
};

QTEST_MAIN(TstRunPage)
#include "tst_run_page.moc"

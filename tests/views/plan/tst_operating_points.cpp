// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/lab_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/pareto_chart.h"
#include "views/plan/operating_points.h"
#include "views/plan/operating_points_model.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;
using Model = OperatingPointsModel;

class TstOperatingPoints : public QObject {
    Q_OBJECT
    std::unique_ptr<OperatingPoints> m_points;

    static std::vector<report::OperatingPoint> three()
    {
        return {{.label = "b", .settings = "keep 60 %", .keep = 0.6, .cost = {900, 3600, 900}, .relativeLoss = 0.1, .onFront = true},
                {.label = "a", .settings = "keep 100 %", .keep = 1.0, .cost = {1500, 6000, 1500, 2.5}, .relativeLoss = 0, .baseline = true},
                {.label = "c", .settings = "keep 40 %", .keep = 0.4, .cost = {100, 400, 100}, .relativeLoss = 0.4}};
    }
    QPushButton* button(const char* name) const { return m_points->findChild<QPushButton*>(QLatin1String(name)); }
    QPoint spot(int viewRow, int column) const
    {
        m_points->view()->scrollTo(m_points->view()->model()->index(viewRow, column));
        return m_points->view()->visualRect(m_points->view()->model()->index(viewRow, column)).center();
    }
    void click(int viewRow, Qt::KeyboardModifiers keys = {}) const { QTest::mouseClick(m_points->view()->viewport(), Qt::LeftButton, keys, spot(viewRow, 0)); }

private slots:
    void init()
    {
        m_points = std::make_unique<OperatingPoints>();
        m_points->setPoints(three());
        m_points->resize(1200, 300);
        m_points->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_points.get()));
    }
    void cleanup() { m_points.reset(); }

    void theModelIsSound()
    {
        Model model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setPoints(three());
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(model.index(0, Model::LossColumn).data().toString(), QStringLiteral("10.000\u202f%"));
        QCOMPARE(model.index(0, Model::LatencyColumn).data().toString(), QStringLiteral("–"));
        QCOMPARE(model.index(0, Model::FrontColumn).data().toString(), QStringLiteral("on the front"));
        QCOMPARE(model.index(1, Model::FrontColumn).data().toString(), QStringLiteral("baseline"));
        QSignalSpy edited(&model, &Model::labelEdited);
        QVERIFY(model.setData(model.index(0, 0), "  new   name ", Qt::EditRole));
        QCOMPARE(edited[0][1].toString(), QStringLiteral("new name"));
        QVERIFY(!model.setData(model.index(0, 0), "   ", Qt::EditRole));
        QVERIFY(!model.setData(model.index(0, 1), "1", Qt::EditRole));
        QCOMPARE(edited.size(), 1);
        model.setPoints({});
    }

    void buttonsKnowWhatIsPossible()
    {
        QVERIFY(!button("addPoint")->isEnabled());
        QVERIFY(!button("removePoint")->isEnabled() && !button("restorePoint")->isEnabled());
        m_points->setCurrent(three()[0]);
        QVERIFY(button("addPoint")->isEnabled());
        click(0);
        QVERIFY(button("removePoint")->isEnabled() && button("restorePoint")->isEnabled());
        click(2, Qt::ControlModifier);
        QVERIFY(button("removePoint")->isEnabled() && !button("restorePoint")->isEnabled());
    }

    void intentsNameTheCollectionsOwnOrder()
    {
        QSignalSpy add(m_points.get(), &OperatingPoints::addRequested), remove(m_points.get(), &OperatingPoints::removeRequested),
            restore(m_points.get(), &OperatingPoints::restoreRequested);
        m_points->setCurrent(three()[0]);
        QTest::mouseClick(button("addPoint"), Qt::LeftButton);
        QCOMPARE(add.size(), 1);
        m_points->view()->sortByColumn(Model::ParametersColumn, Qt::AscendingOrder); // shown: 2, 0, 1
        click(0);
        QTest::mouseClick(button("restorePoint"), Qt::LeftButton);
        QCOMPARE(restore.last()[0].toInt(), 2);
        click(2);
        QTest::mouseDClick(m_points->view()->viewport(), Qt::LeftButton, {}, spot(2, 0)); // the second half of a double click
        QCOMPARE(restore.last()[0].toInt(), 1);
        click(0);
        click(2, Qt::ControlModifier);
        QTest::mouseClick(button("removePoint"), Qt::LeftButton);
        QCOMPARE(remove.last()[0].value<QList<int>>(), (QList<int>{1, 2}));
    }

    void aLabelIsEditedWithF2()
    {
        QSignalSpy edited(m_points.get(), &OperatingPoints::labelEdited);
        click(2);
        QTest::keyClick(m_points->view(), Qt::Key_F2);
        auto* line = m_points->view()->findChild<QLineEdit*>();
        QVERIFY(line);
        line->selectAll();
        QTest::keyClicks(line, "forty");
        QTest::keyClick(line, Qt::Key_Return);
        QTRY_COMPARE(edited.size(), 1); // Return commits through the event queue
        QCOMPARE(edited[0][0].toInt(), 2);
        QCOMPARE(edited[0][1].toString(), QStringLiteral("forty"));
    }

    void tableAndChartSelectTogether()
    {
        click(1);
        QCOMPARE(m_points->chart()->selected(), 1);
        const QPointF at = m_points->chart()->toPixel(three()[2]);
        QTest::mouseClick(m_points->chart(), Qt::LeftButton, {}, at.toPoint());
        QCOMPARE(m_points->view()->currentIndex().row(), 2);
        QCOMPARE(m_points->chart()->selected(), 2);
        auto same = three();
        same[0].label = "renamed";
        m_points->setPoints(same); // new values, same rows: the selection stays
        QCOMPARE(m_points->chart()->selected(), 2);
        QCOMPARE(m_points->view()->selectionModel()->selectedRows().size(), 1);
        m_points->setPoints({});
        QCOMPARE(m_points->chart()->selected(), -1);
        QVERIFY(!button("removePoint")->isEnabled());
    }

    void theCostAxisIsChosen()
    {
        auto* unit = m_points->findChild<QComboBox*>("paretoUnit");
        unit->setCurrentIndex(unit->findData(static_cast<int>(CostUnit::Bytes)));
        QCOMPARE(m_points->chart()->unit(), CostUnit::Bytes);
    }
};

QTEST_MAIN(TstOperatingPoints)
#include "tst_operating_points.moc"

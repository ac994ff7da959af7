// SPDX-License-Identifier: GPL-3.0-or-later
// Losses while an encoder is trained, how it is ended, and the list of what was trained.
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/line_chart.h"
#include "views/encoder/training_page.h"

#include <QAbstractItemModelTester>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstTrainingPage : public QObject {
    Q_OBJECT
    std::unique_ptr<TrainingPage> m_page;

    template <class T> T* child(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }
    QString state() const { return child<QLabel>("trainingState")->text(); }
    static std::vector<report::Series> losses()
    {
        return {{.name = "training", .points = {{0, 1}, {50, 0.5}, {100, 0.4}}}, {.name = "held out", .points = {{0, 1.1}, {50, 0.6}, {100, 0.7}}, .dashed = true}};
    }
    static std::vector<TrainedRow> rows()
    {
        TrainedRow first, second;
        first.number = 7;
        first.method = "Low rank, trained";
        first.settings = "rank 16";
        first.steps = 2000;
        first.seconds = 12.5;
        first.heldOut = 0.125;
        first.recall = 0.875;
        first.macs = 0.25;
        first.file = "/saves/first.safetensors";
        first.current = true;
        second.number = 3;
        second.method = "Tiled, trained";
        second.settings = "tiles 4";
        return {first, second};
    }

private slots:
    void init()
    {
        m_page = std::make_unique<TrainingPage>();
        m_page->resize(1000, 600);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void nothingRunsAtFirst()
    {
        QVERIFY(!m_page->isRunning());
        QVERIFY(!child<QPushButton>("finishTraining")->isVisible() && !child<QPushButton>("cancelTraining")->isVisible() && !child<QProgressBar>("trainingProgress")->isVisible());
        QSignalSpy asked(m_page.get(), &TrainingPage::trainRequested);
        QTest::mouseClick(child<QPushButton>("trainOnPage"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_page->setTrainReason("Two-stage trains nothing");
        QTest::mouseClick(child<QPushButton>("trainOnPage"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        QVERIFY(child<QPushButton>("trainOnPage")->toolTip().contains("Two-stage trains nothing"));
    }
    void whileItRunsLossesAndWaysToEndIt()
    {
        m_page->setRunning("Low rank, rank 16");
        QVERIFY(child<QPushButton>("finishTraining")->isVisible() && child<QPushButton>("cancelTraining")->isVisible() && !child<QPushButton>("trainOnPage")->isVisible());
        m_page->setLosses(losses());
        m_page->setProgress(0.5, 9);
        QCOMPARE(m_page->chart()->series().size(), std::size_t(2));
        QVERIFY(m_page->chart()->axes().logY);
        QCOMPARE(child<QProgressBar>("trainingProgress")->value(), 500);
        QVERIFY(state().contains("step 100: loss 0.4"));
        QVERIFY(state().contains("held out 0.7, best 0.6 at step 50"));
        QVERIFY(state().contains("left"));
        QSignalSpy finish(m_page.get(), &TrainingPage::finishRequested), cancel(m_page.get(), &TrainingPage::cancelRequested);
        QTest::mouseClick(child<QPushButton>("finishTraining"), Qt::LeftButton);
        QCOMPARE(finish.size(), 1);
        m_page->setFinishing();
        QVERIFY(!child<QPushButton>("finishTraining")->isEnabled());
        QVERIFY(state().startsWith("Finishing Low rank, rank 16"));
        QTest::mouseClick(child<QPushButton>("cancelTraining"), Qt::LeftButton);
        QCOMPARE(cancel.size(), 1);
        m_page->setRunning({});
        QVERIFY(!state().contains("left") && state().contains("best 0.6"));
    }
    void lossesBelowZeroHaveALinearAxis()
    {
        auto below = losses();
        below[0].points[1].y = -0.1;
        m_page->setLosses(below);
        QVERIFY(!m_page->chart()->axes().logY);
    }
    void whatWasTrainedIsListed()
    {
        m_page->setTrained(rows());
        const auto* model = m_page->model();
        const auto text = [&](int row, int column) { return model->index(row, column).data().toString(); };
        QCOMPARE(text(0, TrainedModel::SettingsColumn), QStringLiteral("rank 16"));
        QVERIFY(text(0, TrainedModel::StepsColumn).startsWith("2000 in "));
        QCOMPARE(text(0, TrainedModel::FileColumn), QStringLiteral("first.safetensors"));
        QCOMPARE(text(1, TrainedModel::FileColumn), QStringLiteral("not saved"));
        QVERIFY(model->index(0, 0).data(Qt::FontRole).value<QFont>().bold() && !model->index(1, 0).data(Qt::FontRole).value<QFont>().bold());
        const QAbstractItemModelTester tester(m_page->model(), QAbstractItemModelTester::FailureReportingMode::Fatal);
        auto more = rows();
        more.push_back(more[1]);
        m_page->setTrained(more);
        QCOMPARE(model->rowCount(), 3);
        QVERIFY(figureTable(*m_page->table()).contains("rank 16,2000,0.125,0.875,0.25"));
    }
    void theSelectedOneIsTakenSavedAndForgotten()
    {
        QSignalSpy take(m_page.get(), &TrainingPage::takeRequested), save(m_page.get(), &TrainingPage::saveRequested), forget(m_page.get(), &TrainingPage::forgetRequested),
            open(m_page.get(), &TrainingPage::openRequested);
        QVERIFY(!child<QPushButton>("saveTrained")->isEnabled());
        m_page->setTrained({rows()[0]});
        QCOMPARE(m_page->selected(), std::optional<int>(7)); // there is no other
        m_page->setTrained(rows());
        QVERIFY(!m_page->selected());
        QVERIFY(!child<QPushButton>("takeTrained")->isEnabled());
        m_page->table()->selectRow(1);
        QCOMPARE(m_page->selected(), std::optional<int>(3));
        for (const char* name : {"takeTrained", "saveTrained", "forgetTrained", "openTrained"})
            QTest::mouseClick(child<QPushButton>(name), Qt::LeftButton);
        QCOMPARE(take.last().first().toInt(), 3);
        QCOMPARE(save.last().first().toInt(), 3);
        QCOMPARE(forget.last().first().toInt(), 3);
        QCOMPARE(open.size(), 1);
        emit m_page->table()->activated(m_page->table()->model()->index(0, 0));
        QCOMPARE(take.last().first().toInt(), 7);
        m_page->setOpenReason("no autoencoder is open");
        QVERIFY(!child<QPushButton>("openTrained")->isEnabled());
    }
};

QTEST_MAIN(TstTrainingPage)
#include "tst_training_page.moc"

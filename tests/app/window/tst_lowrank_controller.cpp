// SPDX-License-Identifier: GPL-3.0-or-later
// The low-rank tab in the window, on the bundled model and photos: live runs, comparisons, storing, the session.
#include "app/session/session_file.h"
#include "app/window/lowrank_run_controller.h"
#include "core/base/error.h"
#include "core/plan/plan.h"
#include "tests/app/window/desk.h"
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/lowrank/compare_page.h"
#include "views/lowrank/comparison_table_model.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/lowrank/matrix_table_model.h"
#include "views/lowrank/preconditioner_page.h"
#include "views/lowrank/ridge_meter.h"
#include "views/lowrank/run_page.h"
#include "views/lowrank/sensitivity_page.h"
#include "views/plan/cost_header.h"
#include "views/spectrum/spectrum_panel.h"

#include <QApplication>
#include <QComboBox>
#include <QDeadlineTimer>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
const QString kModel = dataset("vit20"), kPhotos = dataset("photos");

struct LabDesk : Desk {
    LabDesk() { yes = true; }
    bool settled() override { return Desk::settled() && waitFor([this] { return !window.model().isBusy() && !runs().isBusy(); }); }
    /// The Run page, and its first whole picture.
    bool showRun()
    {
        run("lowrank.show");
        panel().showPage("run");
        QTest::qWait(0);
        return waitFor([this] { return runs().picture() && runs().picture()->complete; }) && settled();
    }
    bool complete() { return waitFor([this] { return !runs().isBusy() && runs().picture() && runs().picture()->complete; }); }
    LowRankController& lab() { return window.lowRank(); }
    LowRankRunController& runs() { return window.lowRank().runs(); }
    views::LowRankPanel& panel() { return *window.lowRankViews().panel; }
    const LowRankChoice& choice() { return window.document().state().lowRank; }
    void choose(std::vector<std::string> methods, std::vector<double> keeps)
    {
        window.document().change(QStringLiteral("Compare"), {}, [&](SessionState& state) {
            state.lowRank.compared = methods;
            state.lowRank.keeps = keeps;
            state.lowRank.latency = false;
            state.lowRank.samples = 6;
        });
    }
};

/// The pictures that `runs` shows from now on.
std::shared_ptr<std::vector<std::shared_ptr<const RunPicture>>> shownPictures(LowRankRunController& runs)
{
    auto shown = std::make_shared<std::vector<std::shared_ptr<const RunPicture>>>();
    QObject::connect(&runs, &LowRankRunController::pictureShown, &runs, [&runs, shown] { shown->push_back(runs.picture()); });
    return shown;
}
} // namespace

class TstLowRankController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_lowrank_controller"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void nothingRunsUntilItIsLookedAt()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QCOMPARE(desk.runs().lane().counts().requests, 0);
        QVERIFY(!desk.runs().picture());
        QVERIFY(desk.showRun());
        QCOMPARE(desk.runs().lane().counts().requests, 1);
        QVERIFY(!desk.child<views::CostHeader>("costHeader")->isVisible()); // the lab has its own budget
        const auto& report = *desk.runs().picture()->report;
        QCOMPARE(report.matrices.size(), std::size_t(24)); // qkv, proj, fc1, fc2 of six blocks
        QVERIFY(std::abs(report.achievedKeep - 0.6) < 0.02);
        QVERIFY(report.cost.parameters < report.baselineCost.parameters);
        auto* page = qobject_cast<views::RunPage*>(desk.panel().page("run"));
        QCOMPARE(page->model()->rowCount(), 24);
        savePicture(desk.window, "window-lowrank-run");
    }

    void editsAreUndoableAndRedraw()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        const auto before = desk.runs().picture();
        auto* slider = desk.child<QSlider>("runKeepSlider");
        const int steps = desk.window.document().undoStack().count();
        slider->setSliderDown(true);
        for (int keep = 590; keep >= 400; keep -= 10) {
            slider->setValue(keep);
            QTest::qWait(5);
        }
        slider->setSliderDown(false);
        QVERIFY(QTest::qWaitFor([&] { return desk.runs().picture()->complete && desk.runs().picture()->request.budget.keep == 0.4; }, 60000));
        QCOMPARE(desk.window.document().undoStack().count(), steps + 1); // a drag is one step
        QVERIFY(desk.runs().picture()->report->relativeLoss() > before->report->relativeLoss());
        QVERIFY(!desk.child<QWidget>("runStale")->isVisible());
        desk.window.document().undoStack().undo();
        QCOMPARE(desk.choice().run.budget.keep, 0.6);
        QCOMPARE(slider->value(), 600);
        QVERIFY(QTest::qWaitFor([&] { return desk.runs().picture()->complete && desk.runs().picture()->request.budget.keep == 0.6; }, 60000));
        // The same settings give the same numbers again.
        QCOMPARE(desk.runs().picture()->report->relativeLoss(), before->report->relativeLoss());
        QCOMPARE(desk.window.document().state().settings.budget.keep, SessionState().settings.budget.keep); // the spectrum lab's own is untouched
    }

    void aWorseMethodLosesMore()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        const double best = desk.runs().picture()->report->relativeLoss();
        auto* combo = desk.child<QComboBox>("preconditioner");
        combo->setCurrentText("identity");
        emit combo->textActivated("identity");
        QVERIFY(QTest::qWaitFor([&] { return desk.runs().picture()->complete && desk.runs().picture()->request.parameters.contains("preconditioner"); }, 60000));
        QVERIFY(desk.runs().picture()->report->relativeLoss() > best);
        for (const auto& matrix : desk.runs().picture()->report->matrices)
            if (std::isfinite(matrix.minimumLoss))
                QVERIFY2(matrix.loss >= matrix.minimumLoss * (1 - 1e-6), matrix.name.c_str()); // float32 factors: 1e-6
    }

    void theRidgeMeterFollowsTheFocus()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        auto* meter = qobject_cast<views::RunPage*>(desk.panel().page("run"))->ridge();
        QVERIFY(QTest::qWaitFor([&] { return !desk.runs().isBusy() && meter->chart()->series().size() == 4; }, 60000));
        QVERIFY(meter->chart()->caption().contains("blocks.0.attn.qkv"));
        const auto losses = meter->chart()->series()[0].points;
        QCOMPARE(losses.size(), std::size_t(11));
        for (std::size_t i = 1; i < losses.size(); ++i) // a ridge can only take from the calibration loss's optimum; 1e-6: float32 factors
            QVERIFY(losses[i].y >= losses[i - 1].y * (1 - 1e-6));
        desk.lab().selectMatrices({"blocks.3.mlp.fc2"});
        QVERIFY(QTest::qWaitFor([&] { return meter->chart()->caption().contains("blocks.3.mlp.fc2"); }, 60000));
        QCOMPARE(desk.window.views().panel->selection(), QStringList{"blocks.3.mlp.fc2"}); // one selection in all labs
        const double least = meter->chart()->cursor().value_or(0);
        if (auto* take = meter->findChild<QPushButton*>("takeRidge"); least > 0 && take->isVisible()) {
            QTest::mouseClick(take, Qt::LeftButton);
            QCOMPARE(desk.choice().run.parameters.real("ridge"), least);
        }
    }

    void preconditionersAreDrawnForTheFocus()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        desk.run("lowrank.show");
        desk.panel().showPage("preconditioners");
        auto* page = qobject_cast<views::PreconditionerPage*>(desk.panel().page("preconditioners"));
        QVERIFY(QTest::qWaitFor([&] { return !page->chart()->series().empty(); }, 60000));
        QVERIFY(page->chart()->series().size() >= 8);
        QCOMPARE(page->matrix(), QStringLiteral("blocks.0.attn.qkv"));
        QTest::qWait(100);
        savePicture(desk.window, "window-lowrank-preconditioners");
    }

    void comparingFillsTheTableRowByRow()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        desk.window.open(kPhotos);
        QVERIFY(desk.settled());
        desk.choose({"lowrank.local", "lowrank.local:preconditioner=identity"}, {0.6, 0.3});
        auto* page = qobject_cast<views::ComparePage*>(desk.panel().page("compare"));
        QSignalSpy inserted(page->model(), &QAbstractItemModel::rowsInserted), compared(&desk.lab(), &LowRankController::compared);
        desk.run("lowrank.compare");
        QVERIFY(!desk.lab().compareDisabledReason().isEmpty()); // one at a time
        QTRY_COMPARE_WITH_TIMEOUT(compared.size(), 1, 100000);
        QVERIFY(inserted.size() >= 1);
        const auto& rows = desk.lab().comparison()->rows;
        QCOMPARE(rows.size(), std::size_t(7)); // dense, 8 and 4 bits, two configurations at two keeps
        QCOMPARE(page->model()->rowCount(), 7);
        for (const auto& row : rows)
            QVERIFY2(row.failure.empty(), row.failure.c_str());
        QCOMPARE(rows[3].keep, 0.6);
        QVERIFY(rows[3].relativeLoss < rows[5].relativeLoss); // the optimum loses less than the plain SVD
        QVERIFY(rows[4].relativeLoss < rows[6].relativeLoss);
        QVERIFY(rows[3].fidelity.kl.mean < rows[4].fidelity.kl.mean);
        QVERIFY(rows[1].cost.bytes < rows[0].cost.bytes);
        QVERIFY(std::isnan(rows[3].latencyMs)); // it was not asked for
        QCOMPARE(page->curves()->series().size(), std::size_t(4)); // two methods, 8 and 4 bits
        QVERIFY(!desk.child<QWidget>("compareStale")->isVisible());
        page->selectRows({3, 5});
        QTest::qWait(100);
        savePicture(desk.window, "window-lowrank-compare");
        desk.choose({"lowrank.local"}, {0.6, 0.3});
        QVERIFY(desk.child<QWidget>("compareStale")->isVisible());
    }

    void sensitivitiesFillTheMap()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        desk.window.open(kPhotos);
        QVERIFY(desk.settled());
        QSignalSpy measured(&desk.lab(), &LowRankController::sensitivityMeasured);
        desk.run("lowrank.sensitivity");
        auto* page = qobject_cast<views::SensitivityPage*>(desk.panel().page("sensitivity"));
        QTRY_COMPARE_WITH_TIMEOUT(measured.size(), 1, 100000);
        const auto& grid = page->map()->grid();
        QCOMPARE(grid.rows, 24);
        QCOMPARE(grid.columns, 6);
        for (int row = 0; row < grid.rows; ++row) // the least keep does more harm than the most; KL has no sign
            QVERIFY2(grid.values[static_cast<std::size_t>(6 * row)] > grid.values[static_cast<std::size_t>(6 * row + 5)], qPrintable(grid.rowLabels[row]));
        QVERIFY(desk.lab().sensitivityDisabledReason().isEmpty());
        desk.lab().selectMatrices({"blocks.2.mlp.fc1"});
        QCOMPARE(page->selection(), QStringList{"blocks.2.mlp.fc1"});
        QCOMPARE(page->curves()->series().size(), std::size_t(1));
    }

    void aStoppedComparisonKeepsItsRows()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        desk.window.open(kPhotos);
        QVERIFY(desk.settled());
        desk.choose({"lowrank.local", "lowrank.local:preconditioner=cholesky", "lowrank.local:preconditioner=identity"}, {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2});
        auto* page = qobject_cast<views::ComparePage*>(desk.panel().page("compare"));
        QSignalSpy compared(&desk.lab(), &LowRankController::compared);
        desk.run("lowrank.compare");
        QVERIFY(QTest::qWaitFor([&] { return page->model()->rowCount() >= 3; }, 60000));
        QTest::mouseClick(desk.child<QPushButton>("stopLowRank"), Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(compared.size(), 1, 30000);
        QVERIFY(page->model()->rowCount() >= 3);
        QVERIFY(page->model()->rowCount() < 27);
        QVERIFY(desk.lab().compareDisabledReason().isEmpty());
    }

    void aConfigurationOfTheRunPageJoinsTheComparison()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        desk.window.document().change("Ridge", {}, [](SessionState& state) {
            state.lowRank.run.method = "lowrank.local";
            state.lowRank.run.parameters.set("preconditioner", std::string("cholesky"));
            state.lowRank.run.parameters.set("ridge", 0.01);
            state.lowRank.run.budget.accounting = plan::Accounting::BlockIdentity; // the comparison's is another one
        });
        QVERIFY(desk.complete());
        QTest::mouseClick(desk.child<QPushButton>("runToComparison"), Qt::LeftButton);
        QCOMPARE(desk.panel().page(), QStringLiteral("compare"));
        const std::string id = "lowrank.local:preconditioner=cholesky:ridge=0.01:accounting=block-identity";
        const auto& compared = *desk.choice().compared;
        QVERIFY(std::find(compared.begin(), compared.end(), id) != compared.end());
        auto* list = desk.child<QListWidget>("compareMethods");
        QCOMPARE(list->item(list->count() - 1)->text(), QStringLiteral("Cholesky (SVD-LLM), ridge 0.01, block-identity"));
        QCOMPARE(list->item(list->count() - 1)->checkState(), Qt::Checked);
    }

    void whatRanIsStoredAsAPlan()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(!desk.runs().storeDisabledReason().isEmpty());
        QVERIFY(desk.showRun());
        QCOMPARE(desk.runs().storeDisabledReason(), QString());
        desk.answer = desk.directory.filePath("stored");
        desk.run("lowrank.store");
        QVERIFY(desk.settled());
        QVERIFY2(QFile::exists(desk.answer + "/plan.json"), desk.window.jobs().jobs().empty() ? "no job" : qPrintable(desk.window.jobs().jobs().back().message));
        const auto plan = plan::readPlan((desk.answer + "/plan.json").toStdString());
        QCOMPARE(plan.method, std::string("lowrank.local"));
        QCOMPARE(plan.operators.size(), desk.runs().picture()->compression->operators.size());
        QVERIFY(QFile::exists(desk.answer + "/factors.safetensors"));
    }

    /// Another window, whose settings are others: the spectrum lab keeps its own and works, the plan's operators and costs are shown
    /// although no method ran.
    void aStoredPlanOpens()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        const auto stored = desk.runs().picture();
        desk.answer = desk.directory.filePath("stored");
        desk.run("lowrank.store");
        QVERIFY(desk.settled());
        const QString file = desk.answer + "/plan.json";
        const auto plan = plan::readPlan(file.toStdString());
        for (const bool openBefore : {true, false}) {
            LabDesk other;
            if (openBefore) {
                QVERIFY(other.open(kModel));
                other.window.document().change("Keep", {}, [](SessionState& state) { state.lowRank.run.budget.keep = 0.3; });
            }
            const auto spectrum = other.window.document().state().settings;
            QVERIFY(other.open(file));
            QVERIFY(other.waitFor([&] { return other.runs().picture() && other.settled(); }));
            const auto& now = other.window.document().state().settings;
            QVERIFY(now.method == spectrum.method && now.budget == spectrum.budget);
            QVERIFY(other.window.spectrum().isUpToDate() && other.window.spectrum().picture());
            QCOMPARE(other.choice().run.method, std::string("lowrank.local"));
            QVERIFY(other.choice().run.budget == plan.budget);
            QCOMPARE(other.panel().page(), QStringLiteral("run"));
            QVERIFY(other.panel().isVisible());
            const auto& picture = *other.runs().picture();
            QVERIFY(picture.complete && !other.child<QWidget>("runStale")->isVisible());
            QCOMPARE(other.runs().lane().counts().requests, 0); // it was read, not made anew
            QVERIFY(picture.report->cost == plan.cost || (std::isnan(plan.cost.latencyMs) && picture.report->cost.parameters == plan.cost.parameters));
            QCOMPARE(picture.compression->operators.size(), stored->compression->operators.size());
            QCOMPARE(picture.report->achievedKeep, stored->report->achievedKeep);
            for (std::size_t i = 0; i < picture.report->matrices.size(); ++i) {
                const auto &a = picture.report->matrices[i], &b = stored->report->matrices[i];
                QCOMPARE(a.name, b.name);
                QCOMPARE(a.rank, b.rank);
                QCOMPARE(a.loss, b.loss);
                QVERIFY(std::abs(a.relativeLoss() / b.relativeLoss() - 1) < 1e-12); // the energy is a quotient of two numbers of the plan
            }
            QCOMPARE(other.runs().storeDisabledReason(), QString());
        }
    }

    /// A plan of other weights is one sentence, and changes nothing.
    void aPlanOfAnotherModelIsRefused()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        desk.answer = desk.directory.filePath("stored");
        desk.run("lowrank.store");
        QVERIFY(desk.settled());
        LabDesk other;
        QVERIFY(other.open(dataset("tinylm")));
        const auto before = other.window.document().state();
        QSignalSpy failed(&other.lab(), &LowRankController::failed);
        other.window.open(desk.answer + "/plan.json");
        QTRY_COMPARE_WITH_TIMEOUT(failed.size(), 1, 60000);
        QVERIFY2(failed[0][0].toString().contains("SHA-256") || failed[0][0].toString().contains("model"), qPrintable(failed[0][0].toString()));
        QVERIFY(other.window.document().state().lowRank == before.lowRank && other.window.document().state().settings == before.settings);
    }

    /// A live method measures on the samples to calibrate on, as the command line lets it; edits still show a first picture.
    void liveMethodsGetSamples()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        QVERIFY(!desk.child<QWidget>("runTrainingChoose")->isVisible()); // lowrank.local reads none
        desk.window.document().change("Method", {}, [](SessionState& state) {
            state.lowRank.run.method = "lowrank.joint-vo";
            state.lowRank.run.parameters = {};
        });
        QVERIFY(desk.complete());
        const auto hasCauses = [&] {
            const auto& figures = desk.runs().picture()->report->figures;
            return std::any_of(figures.begin(), figures.end(), [](const auto& figure) { return figure.id == "value-error"; });
        };
        QVERIFY(desk.child<QWidget>("runTrainingChoose")->isVisible());
        QVERIFY(!desk.child<QLabel>("runTraining")->toolTip().isEmpty()); // says what is missing without samples
        QVERIFY(!hasCauses());
        const auto without = desk.runs().picture();
        desk.answer = kPhotos;
        QTest::mouseClick(desk.child<QPushButton>("runTrainingChoose"), Qt::LeftButton);
        QVERIFY(desk.waitFor([&] { return desk.runs().picture()->complete && desk.runs().picture() != without && !desk.runs().isBusy(); }));
        QVERIFY(hasCauses());
        QCOMPARE(desk.runs().picture()->report->cost.parameters, without->report->cost.parameters); // the same operators
        QCOMPARE(desk.runs().picture()->report->matrices.back().loss, without->report->matrices.back().loss);
        QVERIFY(desk.child<QLabel>("runTraining")->toolTip().isEmpty());
        const auto shown = shownPictures(desk.runs());
        desk.child<QSlider>("runKeepSlider")->setValue(450);
        QVERIFY(desk.complete());
        QVERIFY(shown->back()->complete && hasCauses());
    }

    void theSessionRemembersTheLab()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        desk.choose({"lowrank.local:preconditioner=identity"}, {0.5});
        desk.window.document().change("Keep", {}, [](SessionState& state) { state.lowRank.run.budget.keep = 0.45; });
        desk.run("lowrank.show");
        desk.panel().showPage("run");
        desk.window.document().select([](Selection& selection) { selection.lowRankPage = "run"; });
        const QString file = desk.directory.filePath("lab.tamis");
        desk.answer = file;
        desk.run("file.save-as");
        QVERIFY(desk.settled());
        LabDesk other;
        QVERIFY(other.open(file));
        QVERIFY(other.choice() == desk.choice());
        QCOMPARE(other.panel().page(), QStringLiteral("run"));
        QCOMPARE(other.child<QLineEdit>("compareKeeps")->text(), QStringLiteral("0.5"));
        QCOMPARE(other.child<QSlider>("runKeepSlider")->value(), 450);
    }

    void configurationsReadAndWriteAsTheCommandLineDoes()
    {
        const auto made = configuration("lowrank.local:preconditioner=cholesky:ridge=0.01");
        QCOMPARE(made.parameters.text("preconditioner"), std::string("cholesky"));
        QCOMPARE(made.parameters.real("ridge"), 0.01);
        QCOMPARE(configurationId(*made.method, made.parameters), made.id);
        QCOMPARE(configurationId(*made.method, made.method->declaration.schema.defaults()), std::string("lowrank.local"));
        for (const char* wrong : {"lowrank.none", "lowrank.local:", "lowrank.local:ridge", "lowrank.local:rigde=1", "lowrank.local:ridge=-1", "lowrank.local:preconditioner=best", ""})
            QVERIFY_THROWS_EXCEPTION(Error, configuration(wrong));
        const auto own = configuration("lowrank.local:preconditioner=identity:allocate=greedy:accounting=block-identity:unit=bytes");
        QCOMPARE(configurationId(*own.method, own.parameters, own.budget), own.id);
        const auto entries = entriesOf({configuration("lowrank.local"), own}, {0.5}, plan::Allocation::Uniform, plan::Accounting::Factors);
        const auto &shared = entries[entries.size() - 2].budget, &apart = entries.back().budget;
        QVERIFY(shared.allocation == plan::Allocation::Uniform && shared.accounting == plan::Accounting::Factors && shared.unit == plan::BudgetUnit::Parameters);
        QVERIFY(apart.allocation == plan::Allocation::Greedy && apart.accounting == plan::Accounting::BlockIdentity && apart.unit == plan::BudgetUnit::Bytes);
        QVERIFY(entries.back().label.find("greedy") != std::string::npos && entries.back().label.find("block-identity") != std::string::npos);
        for (const char* wrong : {"lowrank.local:allocate=best", "lowrank.local:accounting=", "lowrank.local:unit=miles", "lowrank.local:=1"})
            QVERIFY_THROWS_EXCEPTION(Error, configuration(wrong));
        const auto all = offeredConfigurations();
        for (const auto& each : all) {
            QCOMPARE(configuration(each.id).id, each.id);
            QVERIFY(configuration(each.id).parameters == each.parameters);
        }
        QVERIFY(std::any_of(all.begin(), all.end(), [](const auto& each) { return each.usual; }));
    }

    void anEditShowsAFirstPictureAndThenTheWhole()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        auto* slider = desk.child<QSlider>("runKeepSlider");
        const auto shown = shownPictures(desk.runs());
        std::shared_ptr<const RunPicture> before;
        for (int keep = 550; keep > 300 && shown->size() < 2; keep -= 50) { // a window that gets no time at all sees the last picture only
            shown->clear();
            before = desk.runs().picture();
            slider->setValue(keep);
            QVERIFY(shown->empty() && desk.runs().picture() == before); // the edit itself computes nothing
            QVERIFY(desk.complete());
            QVERIFY(shown->back()->complete);
            for (const auto& picture : *shown) { // each is of the new settings, and says so
                QCOMPARE(picture->request.budget.keep, keep / 1000.0);
                QCOMPARE(picture->report->keep, keep / 1000.0);
                QCOMPARE(picture->report->matrices.size(), before->report->matrices.size());
            }
        }
        QVERIFY(shown->size() >= 2);
        QVERIFY(!shown->front()->complete);
        // The first one has some matrices as the whole will have them, and the others as they were.
        const auto rankOf = [](const RunPicture& picture, std::size_t at) { return picture.report->matrices[at].rank; };
        int renewed = 0;
        for (std::size_t at = 0; at < before->report->matrices.size(); ++at) {
            const auto now = rankOf(*shown->front(), at), old = rankOf(*before, at), wanted = rankOf(*shown->back(), at);
            QCOMPARE(shown->front()->report->matrices[at].name, before->report->matrices[at].name);
            QVERIFY(wanted < old && (now == old || now == wanted));
            renewed += now == wanted;
        }
        QVERIFY(renewed > 0);
    }

    void theNewestOfManyEditsWins()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        auto* slider = desk.child<QSlider>("runKeepSlider");
        const auto shown = shownPictures(desk.runs());
        const int finals = desk.runs().lane().counts().finals;
        slider->setSliderDown(true);
        for (int keep = 590; keep > 300; keep -= 10) {
            slider->setValue(keep);
            QTest::qWait(1);
        }
        slider->setSliderDown(false);
        QVERIFY(desk.complete());
        for (std::size_t i = 1; i < shown->size(); ++i) // none is of older settings than the one before it
            QVERIFY((*shown)[i]->request.budget.keep <= (*shown)[i - 1]->request.budget.keep);
        QVERIFY(shown->back()->complete);
        QCOMPARE(shown->back()->request.budget.keep, 0.31);
        QCOMPARE(shown->back()->report->keep, 0.31);
        const auto wholes = std::count_if(shown->begin(), shown->end(), [](const auto& picture) { return picture->complete; });
        QCOMPARE(desk.runs().lane().counts().finals, finals + static_cast<int>(wholes));
        QTest::qWait(50);
        QVERIFY(shown->back() == desk.runs().picture()); // nothing comes after it
    }

    void picturesAreMadeWhileTheWindowsThreadIsBusy()
    {
        LabDesk desk;
        QVERIFY(desk.open(kModel));
        QVERIFY(desk.showRun());
        auto* slider = desk.child<QSlider>("runKeepSlider");
        bool worked = false;
        for (int keep = 590; keep > 300 && !worked; keep -= 10) { // one may be over before it is seen
            slider->setValue(keep);
            const QDeadlineTimer patience(2000);
            while (!worked && !patience.hasExpired()) // this thread handles no event
                worked = desk.runs().lane().fraction() > 0;
            QVERIFY(desk.complete());
        }
        QVERIFY(worked);
    }
};

QTEST_MAIN(TstLowRankController)
#include "tst_lowrank_controller.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// The token lab's part of the plan in the window: put in and taken out with undo, saved, opened again, run by tamis-cli.
#include "core/plan/plan.h"
#include "tests/app/window/desk.h"
#include "views/common/notice_bar.h"
#include "views/plan/cost_header.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/tokens/layers_page.h"
#include "views/tokens/overlay_page.h"
#include "views/tokens/token_overlay_view.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_settings.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QProcess>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <QToolTip>
#include <QUndoStack>

#include <cmath>
#include <utility>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct PlanDesk : Desk {
    TokensController& lab() { return window.tokens(); }
    views::TokenPanel& panel() { return window.tokenPanel(); }
    const SessionState& state() { return window.document().state(); }
    bool shown()
    {
        return waitFor([this] { return lab().isUpToDate() && !lab().isBusy(); });
    }
    bool openAll()
    {
        if (!Desk::open(dataset("vit20")) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        window.model().openPhotos(dataset("photos"));
        window.showLab(&panel());
        return shown();
    }
    bool choose(const char* method, const char* name, const ParameterValue& value)
    {
        window.document().change("choose", {}, [&](SessionState& now) {
            now.tokens.setting = {method, {}};
            now.tokens.setting.parameters.set(name, value);
        });
        return shown();
    }
    void press(const char* button) { QTest::mouseClick(child<QAbstractButton>(button), Qt::LeftButton); }
    QString planned() { return child<QLabel>("plannedTokens")->text(); }
};

/// tamis-cli, 0 for success; what it said on standard output.
std::pair<int, QByteArray> runCli(const QStringList& arguments)
{
    QProcess process;
    process.start(QStringLiteral(TAMIS_CLI_PROGRAM), arguments);
    return process.waitForFinished(120'000) ? std::pair(process.exitCode(), process.readAllStandardOutput()) : std::pair(-1, QByteArray());
}
} // namespace

class TstTokensPlan : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_tokens_plan"); }

private slots:
    void putIntoThePlanAndTakenOut()
    {
        PlanDesk desk;
        QVERIFY(desk.openAll());
        QVERIFY(desk.choose("tokens.tome", "r", std::int64_t{20}));
        QVERIFY(desk.waitFor([&] { return desk.lab().isFolderUpToDate(); }));
        auto* line = desk.child<QWidget>("tokensLine");
        QVERIFY(line->isHidden() && !desk.state().plannedTokens);
        desk.press("planTokens");
        QVERIFY(desk.state().plannedTokens.has_value());
        const auto planned = *desk.state().plannedTokens;
        QCOMPARE(planned.method, std::string("tokens.tome"));
        QCOMPARE(planned.parameters.integer("r"), std::int64_t{20});
        QCOMPARE(planned.schedule, (std::vector<double>{237, 217, 197, 177, 157, 137})); // of 20 photos, the same in each
        QVERIFY2(desk.planned().contains("r 20") && desk.planned().contains("257 tokens become 137"), qPrintable(desk.planned()));
        QVERIFY(!desk.child<QPushButton>("planTokens")->isEnabled()); // is what the plan has
        savePicture(desk.window, "tokens-planned");
        desk.window.showLab(desk.window.views().panel);
        QVERIFY(line->isVisible());
        QVERIFY(desk.child<QLabel>("tokensOfPlan")->text().contains("r 20"));
        savePicture(desk.window, "plan-with-tokens");
        desk.press("removeTokensOfPlan");
        QVERIFY(!desk.state().plannedTokens && line->isHidden());
        desk.run("edit.undo");
        QVERIFY(desk.state().plannedTokens == planned && line->isVisible());
        desk.run("edit.undo");
        QVERIFY(!desk.state().plannedTokens);
        desk.run("edit.redo");
        QVERIFY(desk.state().plannedTokens == planned);
        // Another setting in the lab is not the plan's; what the plan has comes back, or goes.
        desk.window.showLab(&desk.panel());
        QVERIFY(desk.choose("tokens.evit", "keep", 0.5));
        QVERIFY(desk.child<QPushButton>("planTokens")->isEnabled());
        desk.run("plan.take-tokens");
        QCOMPARE(desk.state().tokens.setting.method, std::string("tokens.tome"));
        QVERIFY(desk.shown());
        desk.press("unplanTokens");
        QVERIFY(!desk.state().plannedTokens);
    }
    /// Saved, run by tamis-cli, opened in another window, kept by its session.
    void aPlanGoesRound()
    {
        PlanDesk desk;
        QVERIFY(desk.openAll());
        QVERIFY(desk.choose("tokens.evit", "keep", 0.5));
        desk.run("plan.put-tokens");
        QVERIFY(desk.state().plannedTokens && desk.state().plannedTokens->schedule.size() == 6);
        desk.window.document().change("keep", {}, [](SessionState& state) { state.settings.budget.keep = 0.5; });
        QVERIFY(desk.settled());
        desk.answer = desk.path("plan.json");
        desk.run("plan.save");
        QVERIFY(desk.settled());
        const auto plan = plan::readPlan(desk.answer.toStdString());
        QVERIFY(plan.tokens && *plan.tokens == *desk.state().plannedTokens);
        QVERIFY(!plan.operators.empty());
        const auto [status, output] = runCli({"run", "tokens.evit", "--model", dataset("vit20"), "--images", dataset("photos"), "--plan", desk.answer, "--no-latency", "--json", "-"});
        QCOMPARE(status, 0);
        const auto json = QJsonDocument::fromJson(output).object();
        QCOMPARE(json["parameters"].toObject()["keep"].toDouble(), 0.5);
        const auto layers = json["tokensPerLayer"].toArray();
        QCOMPARE(layers.size(), static_cast<int>(plan.tokens->schedule.size()));
        for (int block = 0; block < layers.size(); ++block)
            QCOMPARE(layers[block].toDouble(), plan.tokens->schedule[static_cast<std::size_t>(block)]);

        QTemporaryDir kept;
        const QString session = kept.filePath("mine.tamis");
        {
            PlanDesk other; // nothing is open: the plan says which model
            other.window.open(desk.answer);
            QVERIFY(other.waitFor([&] { return other.window.workspaces().workspace() != nullptr; }));
            QVERIFY(other.settled());
            QVERIFY(other.state().plannedTokens == desk.state().plannedTokens);
            QCOMPARE(other.state().tokens.setting.method, std::string("tokens.evit"));
            QCOMPARE(other.state().tokens.setting.parameters.real("keep"), 0.5);
            QCOMPARE(other.state().settings.budget.keep, 0.5);
            QVERIFY2(other.window.notice().text().contains("EViT") && other.window.notice().text().contains("token lab is set"), qPrintable(other.window.notice().text()));
            other.answer = session;
            other.run("file.save");
        }
        PlanDesk third;
        QVERIFY(third.Desk::open(session));
        QVERIFY(third.state().plannedTokens == desk.state().plannedTokens);
        // Opened on top of what is open it is one step of the history; a plan without tokens takes them away.
        third.window.document().change("another", {}, [](SessionState& state) {
            state.tokens.setting = {"tokens.tome", {}};
            state.plannedTokens.reset();
        });
        third.window.open(desk.answer);
        QVERIFY(third.state().plannedTokens == desk.state().plannedTokens);
        QCOMPARE(third.state().tokens.setting.method, std::string("tokens.evit"));
        third.run("edit.undo");
        QVERIFY(!third.state().plannedTokens);
        QCOMPARE(third.state().tokens.setting.method, std::string("tokens.tome"));
    }
    /// What tamis-cli run --save-plan writes replaces no operator: it opens, and the plan that the window saves is the same in tokens and operators.
    void aPlanOfTokensAlone()
    {
        PlanDesk desk;
        const QString file = desk.path("tokens.json");
        QCOMPARE(runCli({"run", "tokens.tome", "--model", dataset("vit20"), "--images", dataset("photos"), "--samples", "2", "--set", "r=12", "--no-latency", "--save-plan", file}).first, 0);
        desk.window.open(file);
        QVERIFY(desk.waitFor([&] { return desk.window.workspaces().workspace() != nullptr; }));
        QVERIFY(desk.settled());
        QCOMPARE(desk.state().tokens.setting.parameters.integer("r"), std::int64_t{12});
        QCOMPARE(desk.state().settings.budget.keep, 1.0);
        desk.answer = desk.path("again.json");
        desk.run("plan.save");
        QVERIFY(desk.settled());
        const auto before = plan::readPlan(file.toStdString()), after = plan::readPlan(desk.answer.toStdString());
        QVERIFY(before.tokens && before.tokens == after.tokens);
        for (const auto& op : after.operators)
            QCOMPARE(op.layout, std::string("dense"));
        // A method that there is not is refused whole.
        QFile source(file), wrong(desk.path("wrong.json"));
        QVERIFY(source.open(QIODevice::ReadOnly) && wrong.open(QIODevice::WriteOnly));
        wrong.write(source.readAll().replace("tokens.tome", "tokens.rows"));
        wrong.close();
        const auto state = desk.state();
        QSignalSpy failed(&desk.window.workspaces(), &WorkspaceController::failed);
        desk.window.open(wrong.fileName());
        QCOMPARE(failed.size(), 1);
        QVERIFY(failed[0][0].toString().contains("tokens.rows"));
        QVERIFY(desk.state() == state);
    }
    /// Methods with a way of their own take no patches by hand, and those that were asked for elsewhere are left out, not refused.
    void methodsThatTakeNoWishesSayWhy()
    {
        PlanDesk desk;
        QVERIFY(desk.openAll());
        QVERIFY(desk.choose("tokens.evit", "keep", 0.5));
        auto& photo = *desk.panel().overlays()->reduced();
        QVERIFY(photo.isWishable() && photo.toolTip().isEmpty());
        const auto click = [&](int patch) { QTest::mouseClick(&photo, Qt::LeftButton, {}, photo.patchRect(patch).center().toPoint()); };
        click(9);
        QVERIFY(desk.shown());
        const auto hands = desk.state().tokens.hands;
        QCOMPARE(hands.size(), std::size_t{1});
        QVERIFY(desk.choose("tokens.mixed-patches", "keep", 0.5));
        QVERIFY(!photo.isWishable());
        QVERIFY2(photo.toolTip().contains("by hand"), qPrintable(photo.toolTip()));
        QVERIFY(desk.child<QLabel>("tokenWishes")->text().contains(photo.toolTip()));
        click(20);
        QCOMPARE(QToolTip::text(), photo.toolTip());
        photo.setFocus();
        QTest::keyClick(&photo, Qt::Key_Space);
        QVERIFY(desk.state().tokens.hands == hands);
        QVERIFY(desk.waitFor([&] { return desk.lab().isFolderUpToDate(); })); // that photo among them
        QVERIFY(desk.choose("tokens.evit", "keep", 0.5));
        QVERIFY(photo.isWishable());
        QCOMPARE(photo.wish(9), report::TokenWish::Keep);
    }
    /// Shown instead of offered: what rows sum to, and why that is no score.
    void rowSumsAreShown()
    {
        PlanDesk desk;
        QVERIFY(desk.openAll());
        const auto& range = desk.lab().result()->attention;
        QVERIFY(range.leastRow <= range.mostRow && std::abs(range.leastRow - 1) < 258 * 6e-8 && std::abs(range.mostRow - 1) < 258 * 6e-8); // roundings of 257 terms
        QVERIFY(range.mostReceived > 2 * range.leastReceived);
        desk.panel().showPage("layers");
        auto* sums = desk.child<QLabel>("tokenRowSums");
        QVERIFY(sums->isVisible());
        QVERIFY2(sums->text().contains("not offered as a score"), qPrintable(sums->text()));
        savePicture(desk.window, "tokens-row-sums");
        desk.window.model().closePhotos();
        QVERIFY(sums->isHidden());
    }
};

QTEST_MAIN(TstTokensPlan)
#include "tst_tokens_plan.moc"

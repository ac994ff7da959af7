// SPDX-License-Identifier: GPL-3.0-or-later
// The attention lab in the window: vit20 with its photos and tinylm with its text, from opening to sliders, own choices with undo, jobs, plans.
#include "core/attention/attention_study.h"
#include "core/lowrank/method.h"
#include "core/plan/plan.h"
#include "tests/app/window/desk.h"
#include "views/attention/attention_compare_page.h"
#include "views/attention/attention_frontier.h"
#include "views/attention/attention_lab_panel.h"
#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/attention/attention_maps_page.h"
#include "views/attention/attention_settings.h"
#include "views/attention/head_comparison_model.h"
#include "views/attention/heads_page.h"
#include "views/attention/length_page.h"
#include "views/common/class_bars.h"
#include "views/common/heat_map.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/spectrum/spectrum_panel.h"

#include <QAbstractSpinBox>
#include <QComboBox>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QUndoStack>

#include <algorithm>
#include <cmath>
#include <set>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct AttentionDesk : Desk {
    AttentionLabController& controller() { return window.attentionLab(); }
    views::AttentionLabPanel& panel() { return window.attentionPanel(); }
    const report::AttentionReport& report() { return *controller().picture()->report; }
    const AttentionChoice& choice() { return window.document().state().attention; }
    bool shown()
    {
        return waitFor([this] { return controller().isUpToDate() && !controller().isBusy(); });
    }
    bool openAll(const char* model)
    {
        if (!Desk::open(dataset(model)) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        if (QLatin1String(model) == QLatin1String("vit20"))
            window.model().openPhotos(dataset("photos"));
        window.showLab(&panel());
        return shown();
    }
    template <class T> T* part(const char* name) { return window.findChild<T*>(QLatin1String(name)); }
    void choose(const char* combo, const QString& data)
    {
        auto* box = part<QComboBox>(combo);
        box->setFocus();
        const int row = box->findData(data);
        for (int i = 0; i < box->count() && box->currentIndex() != row; ++i)
            QTest::keyClick(box, box->currentIndex() < row ? Qt::Key_Down : Qt::Key_Up);
        QCOMPARE(box->currentIndex(), row);
    }
    void chooseScope(int row)
    {
        auto* box = part<QComboBox>("attentionScope");
        box->setFocus();
        for (int i = 0; i < 4 && box->currentIndex() != row; ++i)
            QTest::keyClick(box, box->currentIndex() < row ? Qt::Key_Down : Qt::Key_Up);
    }
    bool idle(int seconds = 120)
    {
        return QTest::qWaitFor([this] { return !window.jobs().isRunning(); }, seconds * 1000);
    }
};
} // namespace

class TstAttentionLab : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_attention_lab"); }

private slots:
    /// One window for most of them: vit20 with its photos, at the lab's first choice.
    void initTestCase()
    {
        m_desk = std::make_unique<AttentionDesk>();
        QVERIFY(!m_desk->part<QPushButton>("measureLengths")->isEnabled()); // nothing is open
        QVERIFY(m_desk->openAll("vit20"));
    }
    void init()
    {
        m_desk->window.document().change("defaults", {}, [](SessionState& state) { state.attention = {}; });
        m_desk->window.document().select([](Selection& selection) {
            selection.attentionPage = "maps";
            selection.attentionLayer = 0;
            selection.attentionHead = selection.attentionSample = 0;
        });
        QVERIFY(m_desk->shown());
    }
    void cleanupTestCase() { m_desk.reset(); }

    void thePictureIsWhatCoreSays()
    {
        const auto& sources = *m_desk->controller().sources();
        attention::AttentionStudy study(sources.model, sources.samples->source);
        attention::AttentionRequest asked{.choices = headChoices({}, headsOf(sources.model->spec()))};
        const auto expected = study.whole(asked, {});
        const auto& shown = m_desk->report();
        QCOMPARE(shown.heads.size(), expected.heads.size());
        for (std::size_t i = 0; i < shown.heads.size(); ++i)
            QCOMPARE(shown.heads[i].map, expected.heads[i].map);
        QVERIFY(shown.view.approximate == expected.view.approximate);
        QCOMPARE(m_desk->panel().heads()->heads().rowCount(), int(expected.heads.size()));
        QVERIFY(!m_desk->panel().maps()->classes()->rows().empty());
        QVERIFY(!shown.effect.before.front().name.empty());
    }

    void aSliderMovesTheViewedHeadFirst()
    {
        auto& undo = m_desk->window.document().undoStack();
        const int start = undo.index(); // the arrow keys take every method on the way
        m_desk->choose("attentionMethod", "attention.nystrom");
        QVERIFY(m_desk->shown());
        const double before = m_desk->report().view.errors.map;
        auto* slider = m_desk->panel().settings()->findChild<QSlider*>("landmarks-slider");
        QVERIFY(slider);
        QSignalSpy pictures(&m_desk->controller(), &AttentionLabController::pictureShown);
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Home);
        QVERIFY(m_desk->shown());
        QVERIFY(pictures.size() > 1 && !pictures.first().first().toBool()); // the viewed head came before the rest
        QVERIFY2(m_desk->report().view.errors.map > before, "one landmark is worse than many");
        undo.undo();
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->report().view.errors.map, before);
        undo.setIndex(start);
        QCOMPARE(m_desk->part<QComboBox>("attentionMethod")->currentData().toString(), "attention.band");
        QVERIFY(m_desk->shown());
    }

    void ownChoicesByButtonScopeAndUndo()
    {
        auto* heads = m_desk->panel().heads();
        m_desk->panel().showPage("heads");
        m_desk->window.document().select([](Selection& selection) { selection.attentionPage = "heads"; });
        QTest::mouseClick(heads->map(), Qt::LeftButton, {}, heads->map()->cellRect(1, 2).center().toPoint());
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->report().view.layer, 2);
        QCOMPARE(m_desk->report().view.head, 1);
        const auto others = m_desk->report().heads;
        QTest::mouseClick(m_desk->part<QPushButton>("labExactHead"), Qt::LeftButton);
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->report().view.errors.map, 0.0);
        QVERIFY(m_desk->report().view.exact == m_desk->report().view.approximate);
        for (std::size_t i = 0; i < others.size(); ++i)
            if (others[i].layer != 2 || others[i].head != 1)
                QCOMPARE(m_desk->report().heads[i].map, others[i].map);
        QVERIFY(m_desk->part<QLabel>("labOwnChoice")->isVisible());
        QCOMPARE(heads->map()->badges().size(), std::size_t{1});
        // Another method for this head alone, by the form.
        m_desk->chooseScope(2);
        const int start = m_desk->window.document().undoStack().index();
        m_desk->choose("attentionMethod", "attention.mean-value");
        QVERIFY(m_desk->shown());
        QVERIFY(m_desk->report().view.errors.map > 0);
        QCOMPARE(m_desk->choice().places.size(), std::size_t{1});
        QCOMPARE(m_desk->choice().places[0].method, std::string("attention.mean-value"));
        QVERIFY(m_desk->choice().method.empty() || m_desk->choice().method == "attention.band"); // the others stay
        m_desk->window.document().undoStack().setIndex(start);
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->report().view.errors.map, 0.0);
        QTest::mouseClick(m_desk->part<QPushButton>("labForgetHead"), Qt::LeftButton);
        QVERIFY(m_desk->shown());
        QVERIFY(m_desk->choice().places.empty());
        m_desk->chooseScope(0);
    }

    void blocksAreReplacedThatAreChecked()
    {
        QTest::mouseClick(m_desk->part<QToolButton>("attentionBlock0"), Qt::LeftButton);
        QVERIFY(m_desk->shown());
        QVERIFY((*m_desk->choice().blocks == std::vector<int>{1, 2, 3, 4, 5}));
        for (const auto& head : m_desk->report().heads)
            QCOMPARE(head.layer == 0, head.method.empty());
        QTest::mouseClick(m_desk->part<QPushButton>("attentionAllBlocks"), Qt::LeftButton);
        QVERIFY(!m_desk->choice().blocks);
        QVERIFY(m_desk->shown());
    }

    void effectsAndSuitedMethodsFillTheHeads()
    {
        auto* model = &m_desk->panel().heads()->heads();
        QVERIFY(std::isnan(views::headValue(*model->head(0), views::HeadComparisonModel::EffectColumn)));
        m_desk->window.commands().trigger("attention.effects");
        QVERIFY(m_desk->idle());
        QVERIFY(m_desk->waitFor([&] { return std::isfinite(model->head(23)->logits); }));
        for (int row = 0; row < 24; ++row)
            QVERIFY(model->head(row)->logits >= 0);
        QCOMPARE(m_desk->controller().takeDisabledReason(), QString("suited methods have not been searched"));
        m_desk->window.commands().trigger("attention.suited");
        QVERIFY(m_desk->idle(240));
        QVERIFY(m_desk->waitFor([&] { return m_desk->controller().candidates().has_value(); }));
        int found = 0;
        for (int row = 0; row < 24; ++row)
            found += model->head(row)->suited.empty() ? 0 : 1;
        QVERIFY(found > 0);
        const auto* first = model->head(0);
        QVERIFY(!first->suited.empty());
        m_desk->controller().chooseHead(0, 0);
        m_desk->controller().takeSuited({0, 0});
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->choice().places[0].method, m_desk->panel().heads()->heads().head(0)->suited);
        m_desk->controller().takeAllSuited();
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->choice().method, std::string(kExactAttention));
        QVERIFY(m_desk->report().attentionMacs <= m_desk->report().wholeAttentionMacs / 2 + m_desk->report().wholeAttentionMacs / 100);
        QVERIFY(!std::isfinite(model->head(0)->logits)); // effects were of other choices
    }

    void aPlanTakesTheChoicesAndGivesThemBack()
    {
        m_desk->controller().exactHere({1, -1});
        m_desk->controller().exactHere({2, 3});
        QVERIFY(m_desk->shown());
        const auto wanted = m_desk->controller().planned();
        QVERIFY(wanted.size() >= 6);
        m_desk->window.document().change("seed", {}, [](SessionState& state) { state.attention.seed = 7; });
        QVERIFY(m_desk->shown());
        QTemporaryDir directory;
        const QString file = directory.filePath("plan.json");
        m_desk->window.questions().save = [file](const QString&, const QString&, const QString&) { return file; };
        QVERIFY(m_desk->waitFor([&] { return m_desk->window.exports().disabledReason().isEmpty(); }));
        m_desk->window.exports().savePlan();
        QVERIFY(m_desk->idle());
        plan::Plan saved = plan::readPlan(file.toStdString());
        QVERIFY(saved.attention == wanted);
        QCOMPARE(saved.attentionSeed, std::int64_t{7});
        const auto comesBack = [&](const QString& from) {
            m_desk->window.document().change("defaults", {}, [](SessionState& state) { state.attention = {}; });
            if (m_desk->controller().planned() == wanted)
                return false;
            m_desk->window.open(from);
            return m_desk->controller().planned() == wanted && m_desk->choice().seed == 7;
        };
        QVERIFY(comesBack(file));
        QVERIFY(m_desk->shown());
        // A plan that says nothing else, as tamis-cli saves one, and one of the low-rank lab.
        const QString alone = directory.filePath("alone.json"), lowRank = directory.filePath("low-rank.json");
        saved.method = lowrank::methods().front().declaration.id;
        saved.parameters = {};
        plan::writePlan(lowRank.toStdString(), saved);
        saved.method.clear();
        saved.operators.clear();
        plan::writePlan(alone.toStdString(), saved);
        QVERIFY(comesBack(alone));
        QVERIFY(comesBack(lowRank));
        m_desk->window.jobs().cancelAll();
        m_desk->window.showLab(&m_desk->panel());
        QVERIFY(m_desk->idle() && m_desk->shown());
    }

    void nothingIsComputedOutOfSight()
    {
        m_desk->window.showLab(m_desk->window.views().panel);
        const int requests = m_desk->controller().lane().counts().requests;
        m_desk->window.document().change("method", {}, [](SessionState& state) { state.attention.method = "attention.zero"; });
        QTest::qWait(50);
        QCOMPARE(m_desk->controller().lane().counts().requests, requests);
        m_desk->window.commands().trigger("attention.show");
        QVERIFY(m_desk->shown());
        QVERIFY(m_desk->controller().lane().counts().requests > requests);
    }

    void aTextShowsItsWords()
    {
        AttentionDesk desk;
        QVERIFY(desk.openAll("tinylm"));
        const auto& view = desk.report().view;
        QVERIFY(view.causal);
        QCOMPARE(view.tokenLabels.size(), std::size_t(view.tokens));
        QVERIFY(desk.part<QListWidget>("labTexts")->count() > 1);
        const auto* methods = desk.part<QComboBox>("attentionMethod");
        const int pooled = methods->findData("attention.nystrom");
        QVERIFY(!(methods->model()->flags(methods->model()->index(pooled, 0)) & Qt::ItemIsEnabled)); // is not for causal attention
        auto* list = desk.part<QListWidget>("labTexts");
        list->setFocus();
        QTest::keyClick(list, Qt::Key_Down);
        QVERIFY(desk.waitFor([&] { return desk.report().view.sampleIndex == 1; }));
    }

    /// Blocks that a sparse operator reads are those that core names for the head, on their page; an operator without any leaves it empty.
    void aSparseOperatorShowsItsBlocks()
    {
        AttentionDesk desk;
        QVERIFY(desk.openAll("tinylm"));
        desk.window.document().change("method", {}, [](SessionState& state) {
            state.attention.method = "attention.quest";
            state.attention.parameters.set("selected", std::int64_t{3});
        });
        desk.window.document().select([](Selection& selection) { selection.attentionPage = "sparse"; });
        QVERIFY(desk.shown());
        const report::BlockMap& blocks = desk.report().view.blocks;
        QCOMPARE(blocks.queries, desk.report().view.tokens);
        std::int64_t most = 0;
        for (std::int64_t query = 0; query < blocks.queries; ++query) {
            const auto row = blocks.selected.begin() + query * blocks.blocks;
            most = std::max<std::int64_t>(most, std::count(row, row + blocks.blocks, std::uint8_t{1}));
        }
        QCOMPARE(most, std::int64_t{3}); // as it was asked for
        QVERIFY(desk.part<QWidget>("blockMap")->isVisible());
        desk.window.document().change("method", {}, [](SessionState& state) { state.attention.method = "attention.linear"; state.attention.parameters = {}; });
        QVERIFY(desk.shown());
        QCOMPARE(desk.report().view.blocks.queries, std::int64_t{0});
        QVERIFY(!desk.part<QWidget>("blockMap")->isVisible() && desk.part<QWidget>("sparseEmpty")->isVisible());
    }
    /// The button of the page, a job, and curves of the block's operator beside exact attention, whose memory grows as its formula says.
    void lengthsAreMeasured()
    {
        auto& desk = *m_desk;
        desk.window.document().change("method", {}, [](SessionState& state) { state.attention.method = "attention.band"; state.attention.parameters.set("reach", std::int64_t{8}); });
        desk.window.document().select([](Selection& selection) { selection.attentionPage = "length"; });
        QVERIFY(desk.shown());
        QTest::mouseClick(desk.part<QPushButton>("measureLengths"), Qt::LeftButton);
        QVERIFY(desk.idle(300));
        const auto curves = desk.panel().length()->curves();
        QVERIFY(curves && curves->size() >= 2);
        const auto band = std::ranges::find(*curves, std::string("attention.band"), &report::AttentionCostCurve::method);
        QVERIFY(band != curves->end());
        QCOMPARE(curves->front().rows.front().tokens, std::int64_t{65});
        QCOMPARE(curves->front().rows.back().tokens, std::int64_t{16'385});
        const auto& row = band->rows.back();
        QVERIFY(row.ms > 0 && row.ms < curves->front().rows.back().ms); // 17 of 16,384 keys
    }
    /// Every method on some photos, by the page's button: exact attention loses nothing there, the mean of the values a lot, and a click on a point takes its settings.
    void methodsAreCompared()
    {
        auto& desk = *m_desk;
        desk.window.document().select([](Selection& selection) { selection.attentionPage = "compare"; });
        QTest::mouseClick(desk.part<QPushButton>("compareAttention"), Qt::LeftButton);
        QVERIFY(desk.idle(300));
        const auto& comparison = desk.controller().comparison();
        QVERIFY(comparison && comparison->points.size() > 20);
        std::set<std::string> methods;
        double mean = 0, window = 0;
        for (const auto& point : comparison->points) {
            methods.insert(point.method);
            if (point.method == "attention.mean-value")
                mean = point.outputError;
            if (point.method == "attention.joint-qk")
                window = std::max(window, point.outputError);
        }
        QVERIFY2(methods.size() >= 15, qPrintable(QString::number(methods.size())));
        QVERIFY2(mean > 0.5 && window < mean, qPrintable(QStringLiteral("%1, %2").arg(mean).arg(window)));
        const auto at = std::ranges::find(comparison->points, std::string("attention.linear"), &report::AttentionPoint::method);
        QVERIFY(at != comparison->points.end());
        emit desk.panel().compare()->pointTaken(static_cast<int>(at - comparison->points.begin()));
        QCOMPARE(desk.choice().method, std::string("attention.linear"));
    }

    /// With TAMIS_SHOTS=<folder> alone: every page with real values, in the theme of TAMIS_THEME (1 light, 2 dark).
    void picturesOfThePages()
    {
        if (!qEnvironmentVariableIsSet("TAMIS_SHOTS"))
            QSKIP("pictures are taken on request");
        views::Theme::instance().apply(*qApp, static_cast<views::Theme::Mode>(qEnvironmentVariableIntValue("TAMIS_THEME")));
        const auto shot = [](AttentionDesk& desk, const char* page, const QString& name) {
            desk.window.document().select([&](Selection& selection) { selection.attentionPage = page; });
            QTest::qWait(300);
            savePicture(desk.window, name);
        };
        auto& desk = *m_desk;
        makeRoom(desk.window);
        desk.window.notice().clear();
        desk.window.document().change("method", {}, [](SessionState& state) {
            state.attention.method = "attention.nystrom";
            state.attention.parameters.set("landmarks", std::int64_t{16});
        });
        desk.controller().chooseHead(3, 1);
        desk.controller().exactHere({4, -1});
        desk.controller().useHere({1, 2});
        QVERIFY(desk.shown());
        shot(desk, "maps", "attention-lab-maps");
        desk.controller().measureEffects();
        QVERIFY(desk.idle());
        desk.controller().findSuited();
        QVERIFY(desk.idle(300));
        desk.window.notice().clear();
        shot(desk, "heads", "attention-lab-heads");
        desk.controller().measureLengths();
        QVERIFY(desk.idle(300));
        desk.window.notice().clear();
        shot(desk, "length", "attention-lab-length");
        desk.controller().compare();
        QVERIFY(desk.idle(600));
        desk.window.notice().clear();
        shot(desk, "compare", "attention-lab-compare");
        AttentionDesk text;
        makeRoom(text.window);
        QVERIFY(text.openAll("tinylm"));
        text.window.document().change("method", {}, [](SessionState& state) {
            state.attention.method = "attention.native-sparse";
            for (const auto& [name, value] : {std::pair("selected", 4), {"compressed-block", 8}, {"stride", 4}, {"selected-block", 8}, {"window", 32}})
                state.attention.parameters.set(name, std::int64_t{value});
        });
        text.controller().chooseHead(2, 1);
        QVERIFY(text.shown());
        text.window.notice().clear();
        shot(text, "sparse", "attention-lab-sparse");
        shot(text, "maps", "attention-lab-text");
    }

private:
    std::unique_ptr<AttentionDesk> m_desk;
};

QTEST_MAIN(TstAttentionLab)
#include "tst_attention_lab.moc"

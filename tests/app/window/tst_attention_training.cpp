// SPDX-License-Identifier: GPL-3.0-or-later
// Training around attention in the window: refused with a reason, run with its losses shown, ended with the best so far or given up, saved, opened again with the same worth, and
// drawn beside the methods; samples to fit to are the session's.
#include "core/attention/attention_study.h"
#include "core/attention/comparison.h"
#include "tests/app/window/desk.h"
#include "views/attention/attention_compare_page.h"
#include "views/attention/attention_lab_panel.h"
#include "views/attention/attention_training_page.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/common/training_view.h"

#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QPushButton>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct TrainingDesk : Desk {
    AttentionTrainingController& controller() { return window.attentionTraining(); }
    views::AttentionTrainingPage& page() { return *window.attentionPanel().training(); }
    QString ids(const char* name, int count, unsigned seed) const
    {
        QFile file(path(name));
        if (!file.open(QIODevice::WriteOnly))
            return {};
        for (int i = 0; i < count; ++i) {
            seed = seed * 1664525U + 1013904223U;
            file.write(QByteArray::number((seed >> 8) % 300) + ' ');
        }
        return path(name);
    }
    /// tinylm on a short text, with a window of attention in every block and a short training.
    bool ready(const char* method)
    {
        if (!Desk::open(dataset("tinylm")) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        window.showLab(&window.attentionPanel());
        const QString text = ids("looked.ids", 512, 3);
        window.attentionLab().openText(text);
        window.document().change("choices", {}, [&](SessionState& state) {
            state.attention.method = method;
            state.attentionTraining.samples = ids("train.ids", 1024, 4).toStdString();
            for (const auto& [name, value] : {std::pair{"steps", 10}, {"batch", 4}, {"length", 48}, {"check-every", 1}})
                state.attentionTraining.parameters.set(name, std::int64_t{value});
            // Tokens drawn at random: by labels a few steps teach which of them there are.
            for (const auto& [name, value] : {std::pair{"teacher", 0.0}, {"labels", 1.0}, {"learning-rate", 1e-3}, {"warm-up", 0.0}})
                state.attentionTraining.parameters.set(name, value);
        });
        return waitFor([&] { return window.attentionLab().sources() && window.attentionLab().sources()->samples->path == text.toStdString() && controller().openDisabledReason().isEmpty(); });
    }
    bool idle() { return QTest::qWaitFor([this] { return !window.jobs().isRunning() && !controller().isTraining(); }, 240'000); }
    void setSteps(std::int64_t steps)
    {
        window.document().change("steps", {}, [&](SessionState& state) { state.attentionTraining.parameters.set("steps", steps); });
    }
};
} // namespace

class TstAttentionTraining : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_attention_training"); }

private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }

    void trainedSavedAndOpenedAgain()
    {
        TrainingDesk desk;
        QCOMPARE(desk.controller().trainDisabledReason(), QString("no model is open"));
        QVERIFY(desk.ready("attention.band"));
        QCOMPARE(desk.child<QLabel>("attentionTrainingSamples")->text(), QString("train.ids"));
        QVERIFY(!desk.child<QPushButton>("saveTrainedAttention")->isEnabled());
        desk.run("attention.train");
        QVERIFY(desk.controller().isTraining() && desk.page().training()->isRunning());
        QCOMPARE(desk.window.attentionPanel().page(), QString("training"));
        QVERIFY(desk.idle());
        const auto trained = desk.controller().trained();
        QVERIFY(trained);
        QCOMPARE(trained->tuned.steps, std::int64_t{10});
        QVERIFY(trained->tuned.bestLoss < trained->tuned.startLoss);
        QCOMPARE(trained->worth.points.size(), std::size_t{3});
        QVERIFY(trained->worth.points[2].perplexity < trained->worth.points[1].perplexity); // other tokens, drawn the same way
        QVERIFY(desk.child<QLabel>("attentionTrainingOutcome")->text().contains("perplexity"));
        makeRoom(desk.window);
        QTest::qWait(50);
        savePicture(desk.window, "attention-training");
        // Drawn beside the exact one.
        const auto& comparison = desk.window.attentionLab().comparison();
        QVERIFY(comparison && comparison->points.size() == 3 && comparison->points[2].tuned && comparison->points[2].method == "attention.band");
        // As core does, without the window.
        const auto& sources = *desk.window.attentionLab().sources();
        report::AttentionPoint exact;
        auto request = lookedRequest(sources.samples->path, *sources.model);
        const auto samples = openSamples(request, sources.runnable->workspace()->outline.modelPath, *sources.model, {});
        attention::measurePoint(exact, *sources.model, nullptr, *samples, 0, {});
        QCOMPARE(trained->worth.points[0].perplexity, exact.perplexity);
        // Saved, and opened again: the same worth.
        desk.saveAs = desk.path("tuned");
        QTest::mouseClick(desk.child<QPushButton>("saveTrainedAttention"), Qt::LeftButton);
        QVERIFY(desk.idle() && QFile::exists(desk.path("tuned.safetensors")));
        desk.answer = desk.path("tuned.safetensors");
        QTest::mouseClick(desk.child<QPushButton>("openTrainedAttention"), Qt::LeftButton);
        QVERIFY(desk.idle());
        QVERIFY(desk.controller().trained() != trained);
        QCOMPARE(desk.controller().trained()->worth.points[2].perplexity, trained->worth.points[2].perplexity);
        QCOMPARE(desk.window.attentionLab().comparison()->points.size(), std::size_t{3}); // not twice
        // Another text: what was trained is not of it.
        desk.window.attentionLab().openText(desk.ids("other.ids", 512, 8));
        QVERIFY(desk.waitFor([&] { return desk.controller().trained() == nullptr; }));
        QVERIFY(desk.child<QLabel>("attentionTrainingOutcome")->isHidden());
    }

    /// The weights that the tab looks at: as they were trained, maps, heads and output are what core says of the trained model.
    void trainedWeightsAreLookedAt()
    {
        TrainingDesk desk;
        QVERIFY(desk.ready("attention.linear"));
        auto* weights = desk.child<QComboBox>("attentionWeights");
        QVERIFY(weights && weights->parentWidget()->isHidden()); // nothing was trained
        desk.run("attention.train");
        QVERIFY(desk.idle());
        const auto trained = desk.controller().trained();
        QVERIFY(trained && !weights->parentWidget()->isHidden());
        auto& lab = desk.window.attentionLab();
        QVERIFY(desk.waitFor([&] { return lab.isUpToDate(); }));
        const auto before = lab.picture()->report;
        desk.window.attentionPanel().showPage(QStringLiteral("maps"));
        weights->setFocus();
        QTest::keyClick(weights, Qt::Key_Down);
        QVERIFY(lab.trainedWeights() == trained->model);
        QVERIFY(desk.waitFor([&] { return lab.isUpToDate() && lab.picture()->request.tuned == trained->model; }));
        const auto& sources = *lab.sources();
        QCOMPARE(&sources, trained->sources.get()); // samples and model stay open
        attention::AttentionStudy study(sources.model, sources.samples->source, nullptr, trained->model);
        const auto expected = study.whole({.choices = trained->tuned.choices}, {});
        const auto& shown = *lab.picture()->report;
        QVERIFY(shown.view.exact == expected.view.exact && shown.view.approximate == expected.view.approximate && shown.view.exact != before->view.exact);
        QCOMPARE(shown.heads.size(), expected.heads.size());
        for (std::size_t i = 0; i < shown.heads.size(); ++i)
            QCOMPARE(shown.heads[i].output, expected.heads[i].output);
        QCOMPARE(shown.effect.kl, expected.effect.kl);
        QVERIFY(shown.effect.kl != before->effect.kl);
        savePicture(desk.window, "attention-trained-weights");
        // A comparison is of the trained weights, with what was trained in it.
        lab.compare();
        QVERIFY(desk.waitFor([&] { return lab.comparison() && lab.comparison()->points.size() > 2; }));
        lab.stop();
        QVERIFY(desk.idle());
        QVERIFY(lab.comparison()->model.find("trained weights") != std::string::npos);
        QVERIFY(lab.comparison()->points[1].tuned && lab.comparison()->points[1].method == "attention.linear");
        QTest::keyClick(weights, Qt::Key_Up);
        QVERIFY(desk.waitFor([&] { return lab.isUpToDate() && !lab.picture()->request.tuned; }));
        QVERIFY(lab.picture()->report->view.exact == before->view.exact);
        // Trained ones go with the samples that they were measured on.
        QTest::keyClick(weights, Qt::Key_Down);
        lab.openText(desk.ids("other.ids", 512, 8));
        QVERIFY(desk.waitFor([&] { return lab.isUpToDate(); }));
        QVERIFY(!lab.trainedWeights() && weights->parentWidget()->isHidden());
    }

    /// The bundled photos have no labels: the teacher alone.
    void photosAreTrainedOn()
    {
        TrainingDesk desk;
        QVERIFY(desk.Desk::open(dataset("vit20")) && desk.waitFor([&] { return desk.window.model().report() != nullptr; }));
        desk.window.model().openPhotos(dataset("photos"));
        desk.window.showLab(&desk.window.attentionPanel());
        desk.window.document().change("choices", {}, [&](SessionState& state) {
            state.attention.method = "attention.linear";
            state.attention.blocks = std::vector<int>{4, 5};
            state.attentionTraining.samples = dataset("photos").toStdString();
            for (const auto& [name, value] : {std::pair{"steps", 4}, {"batch", 2}, {"check-every", 2}})
                state.attentionTraining.parameters.set(name, std::int64_t{value});
            state.attentionTraining.parameters.set("learning-rate", 1e-3);
            state.attentionTraining.parameters.set("warm-up", 0.0);
            state.attentionTraining.parameters.set("trained", std::string("projections"));
        });
        QVERIFY(desk.waitFor([&] { return desk.controller().trainDisabledReason().isEmpty(); }));
        QCOMPARE(desk.child<QLabel>("attentionTrainingSamples")->text(), QString("photos"));
        desk.run("attention.train");
        QVERIFY(desk.idle());
        const auto trained = desk.controller().trained();
        QVERIFY(trained && trained->tuned.steps == 4 && trained->tuned.bestLoss < trained->tuned.startLoss);
        QCOMPARE(trained->worth.points.size(), std::size_t{3});
        QVERIFY(trained->worth.points[2].kl < trained->worth.points[1].kl); // nearer to the whole model than the operators alone
        QVERIFY(!trained->tuned.weights.empty());
        for (const auto& tensor : trained->tuned.weights)
            QVERIFY(QString::fromStdString(tensor.name).contains(QRegularExpression("blocks\\.[45]\\.attn\\.")));
        QVERIFY(desk.child<QLabel>("attentionTrainingOutcome")->text().contains("agreement"));
    }

    void endedWithTheBestOrGivenUp()
    {
        TrainingDesk desk;
        QVERIFY(desk.ready("attention.linear"));
        desk.setSteps(100'000);
        desk.run("attention.train");
        QVERIFY(desk.waitFor([&] { return !desk.page().training()->chart()->series().empty(); })); // losses are seen
        desk.controller().finish();
        QVERIFY(desk.idle());
        const auto kept = desk.controller().trained();
        QVERIFY(kept && kept->tuned.steps < 100'000);
        desk.run("attention.train");
        desk.run("attention.stop");
        QVERIFY(desk.idle());
        QCOMPARE(desk.controller().trained(), kept); // given up: what was there stays
    }

    void refusedWithAReason()
    {
        TrainingDesk desk;
        QVERIFY(desk.ready("attention.quest"));
        QSignalSpy failed(&desk.controller(), &AttentionTrainingController::failed);
        QVERIFY(desk.controller().trainDisabledReason().contains("cannot be trained around"));
        desk.controller().train();
        QVERIFY(failed.size() == 1 && !desk.controller().isTraining());
    }

    void samplesToFitToAreTheSessions()
    {
        TrainingDesk desk;
        QVERIFY(desk.ready("attention.joint-qk"));
        desk.answer = desk.ids("fit.ids", 512, 9);
        desk.window.attentionLab().askFitted();
        QCOMPARE(desk.window.document().state().attention.fitted, desk.answer.toStdString());
        QVERIFY(desk.waitFor([&] { return desk.window.attentionLab().sources() && desk.window.attentionLab().sources()->fitting && desk.window.attentionLab().isUpToDate(); }));
        QVERIFY(desk.window.attentionLab().sources()->fitting->description().find("fit.ids") != std::string::npos);
        QCOMPARE(desk.child<QLabel>("attentionFitted")->text(), QString("fit.ids"));
        desk.window.document().undoStack().undo();
        QVERIFY(desk.waitFor([&] { return desk.window.attentionLab().sources() && !desk.window.attentionLab().sources()->fitting; }));
        QCOMPARE(desk.child<QLabel>("attentionFitted")->text(), QString("the first samples"));
    }
};

QTEST_MAIN(TstAttentionTraining)
#include "tst_attention_training.moc"

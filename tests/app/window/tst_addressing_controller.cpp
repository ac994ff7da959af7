// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse addressing in the window: refused with a reason where nothing can be read, measured on the tab's text as core does, told when it is of
// other settings, forgotten with the text.
#include "core/addressing/method.h"
#include "tests/app/window/desk.h"
#include "views/addressing/addressing_bench.h"
#include "views/addressing/addressing_page.h"
#include "views/addressing/grouped_bars.h"
#include "views/attention/attention_lab_panel.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct AddressingDesk : Desk {
    AddressingController& controller() { return window.addressing(); }
    views::AddressingBench& bench() { return *window.attentionPanel().addressing(); }
    bool openAll(const char* model)
    {
        if (!Desk::open(dataset(model)) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        window.showLab(&window.attentionPanel());
        window.document().select([](Selection& selection) { selection.attentionPage = "addressing"; });
        return true;
    }
    /// Token ids in a file: `count` of them, the later ones seldom.
    QString ids(const char* name, int count, unsigned seed) const
    {
        QFile file(path(name));
        if (!file.open(QIODevice::WriteOnly))
            return {};
        for (int i = 0; i < count; ++i) {
            seed = seed * 1664525U + 1013904223U;
            const unsigned a = (seed >> 8) % 300;
            file.write(QByteArray::number(a * a / 100) + ' ');
        }
        return path(name);
    }
    bool readyOn(const QString& text)
    {
        window.attentionLab().openText(text);
        return waitFor([&] { return window.attentionLab().sources() && window.attentionLab().sources()->samples->path == text.toStdString(); });
    }
    QString reason() { return child<QLabel>("addressingReason")->text(); }
    bool idle() { return QTest::qWaitFor([this] { return !window.jobs().isRunning(); }, 240'000); }
    bool offered() { return window.commands().action(QStringLiteral("attention.addressing"))->isEnabled(); }
};
} // namespace

class TstAddressingController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_addressing_controller"); }

private slots:
    void refusedWithAReason()
    {
        AddressingDesk desk;
        QCOMPARE(desk.controller().disabledReason(), QString("no model is open"));
        QVERIFY(!desk.child<QPushButton>("measureAddressing")->isEnabled());
        QVERIFY(desk.openAll("vit20"));
        desk.window.model().openPhotos(dataset("photos"));
        QVERIFY(desk.waitFor([&] { return desk.reason().contains("images"); }));
        QVERIFY(desk.child<QLabel>("addressingReason")->isVisible());
        QVERIFY(!desk.child<QPushButton>("measureAddressing")->isEnabled() && !desk.offered());
        QSignalSpy failed(&desk.controller(), &AddressingController::failed);
        desk.controller().measure();
        QVERIFY(failed.size() == 1 && failed[0][0].toString().contains("images"));
        QVERIFY(!desk.window.jobs().isRunning());
    }

    void measuredAsCoreDoes()
    {
        AddressingDesk desk;
        QVERIFY(desk.openAll("tinylm"));
        QVERIFY(desk.waitFor([&] { return desk.window.attentionLab().sources() != nullptr; }));
        QCOMPARE(desk.child<QLabel>("addressingCalibration")->text(), QString("calibration.npy")); // stands beside the model
        QVERIFY(desk.offered());
        QVERIFY(desk.readyOn(desk.ids("held-out.ids", 512, 3)));
        desk.answer = desk.ids("fit.ids", 2048, 4);
        QTest::mouseClick(desk.child<QPushButton>("chooseAddressingCalibration"), Qt::LeftButton);
        QCOMPARE(desk.child<QLabel>("addressingCalibration")->text(), QString("fit.ids"));
        QVERIFY(!desk.controller().report());
        QTest::mouseClick(desk.child<QPushButton>("measureAddressing"), Qt::LeftButton);
        QVERIFY(desk.child<QPushButton>("stopAddressing")->isVisible() && !desk.offered()); // one at a time
        QVERIFY(desk.idle());
        QVERIFY(desk.waitFor([&] { return desk.controller().report() != nullptr; }));
        const auto& found = *desk.controller().report();
        QVERIFY(desk.controller().isUpToDate() && desk.child<QPushButton>("stopAddressing")->isHidden());
        QCOMPARE(found.model, std::string("tinylm"));
        QCOMPARE(found.traceTokens, std::uint64_t{512});
        QVERIFY(!found.latencies.empty());
        QVERIFY(desk.child<QLabel>("addressingSummary")->text().contains("512 tokens"));
        QVERIFY(!desk.bench().page()->reads()->rows().empty());
        // The same inputs without the window.
        const auto& sources = *desk.window.attentionLab().sources();
        addressing::Inputs inputs{.model = sources.model, .samples = sources.samples->source, .calibration = nullptr, .table = {}, .save = {}, .directory = {}, .seed = 0, .latency = false};
        SampleRequest fit = lookedRequest(desk.answer.toStdString(), *sources.model);
        inputs.calibration = openSamples(fit, sources.runnable->workspace()->outline.modelPath, *sources.model, {});
        const auto expected = addressing::findMethod("addressing.deep-embed")->run(inputs, {}, {});
        QCOMPARE(found.tablePerplexity, expected.tablePerplexity);
        QCOMPARE(found.wholePerplexity, expected.wholePerplexity);
        QCOMPARE(found.unseenTokens, expected.unseenTokens);
        QCOMPARE(found.tables.size(), expected.tables.size());
        for (std::size_t i = 0; i < found.tables.size(); ++i)
            QCOMPARE(found.tables[i].pagesPerToken, expected.tables[i].pagesPerToken);
        savePicture(desk.window, "addressing");
        // Of other settings: pale until they are back or measured again.
        auto* keep = desk.bench().findChild<QWidget*>("keep-slider");
        QVERIFY(keep && desk.bench().page()->reads()->isEnabled());
        QTest::keyClick(keep, Qt::Key_Home);
        QVERIFY(!desk.controller().isUpToDate() && !desk.bench().page()->reads()->isEnabled());
        // Another text: what was measured is not of it.
        QVERIFY(desk.readyOn(desk.ids("other.ids", 600, 5)));
        QVERIFY(!desk.controller().report());
        QVERIFY(desk.controller().disabledReason().isEmpty()); // still fitted to what was chosen
        QCOMPARE(desk.child<QLabel>("addressingCalibration")->text(), QString("fit.ids"));
    }

    /// What is chosen is the session's: undone and done again, and shown as it is there.
    void choicesAreOfTheSession()
    {
        AddressingDesk desk;
        QVERIFY(desk.openAll("tinylm"));
        QVERIFY(desk.waitFor([&] { return desk.window.attentionLab().sources() != nullptr; }));
        auto& document = desk.window.document();
        const int before = document.undoStack().index();
        desk.answer = desk.ids("fit.ids", 2048, 4);
        desk.controller().askCalibration();
        QCOMPARE(document.state().addressing.calibration, desk.answer.toStdString());
        auto* method = desk.child<QComboBox>("addressingMethod");
        method->setFocus();
        QTest::keyClick(method, Qt::Key_Down);
        QCOMPARE(document.state().addressing.method, std::string("addressing.product-key"));
        auto* cells = desk.bench().findChild<QWidget*>("k-slider");
        QVERIFY(cells);
        QTest::keyClick(cells, Qt::Key_Home);
        QCOMPARE(document.state().addressing.parameters.at("addressing.product-key").integer("k"), std::int64_t{1});
        QTest::keyClick(desk.child<QCheckBox>("timeReaders"), Qt::Key_Space);
        QVERIFY(!document.state().addressing.readers);
        QVERIFY(document.undoStack().index() == before + 4);
        for (int i = 0; i < 4; ++i)
            document.undoStack().undo();
        QVERIFY(document.state().addressing == AddressingChoice{});
        QCOMPARE(method->currentData().toString(), QString("addressing.deep-embed"));
        QVERIFY(desk.child<QCheckBox>("timeReaders")->isChecked());
        QCOMPARE(desk.child<QLabel>("addressingCalibration")->text(), QString("calibration.npy")); // beside the model again
        document.undoStack().redo();
        QCOMPARE(desk.child<QLabel>("addressingCalibration")->text(), QString("fit.ids"));
    }

    void stoppedByItsCommandAndButton()
    {
        AddressingDesk desk;
        QVERIFY(desk.openAll("tinylm"));
        QVERIFY(desk.waitFor([&] { return desk.window.attentionLab().sources() != nullptr; }));
        auto* method = desk.child<QComboBox>("addressingMethod");
        method->setFocus();
        QTest::keyClick(method, Qt::Key_Down);
        QCOMPARE(method->currentData().toString(), QString("addressing.product-key"));
        for (const bool byButton : {true, false}) {
            desk.run("attention.addressing");
            QVERIFY(desk.window.jobs().isRunning());
            byButton ? QTest::mouseClick(desk.child<QPushButton>("stopAddressing"), Qt::LeftButton) : desk.run("attention.stop");
            QVERIFY(desk.idle());
            QVERIFY(!desk.controller().report() && desk.child<QPushButton>("measureAddressing")->isVisible() && desk.offered());
        }
    }

    /// With TAMIS_SHOTS=<folder> alone: the page with the bundled model's own figures, in the theme of TAMIS_THEME (1 light, 2 dark).
    void pictureOfThePage()
    {
        if (!qEnvironmentVariableIsSet("TAMIS_SHOTS"))
            QSKIP("pictures are taken on request");
        views::Theme::instance().apply(*qApp, static_cast<views::Theme::Mode>(qEnvironmentVariableIntValue("TAMIS_THEME")));
        AddressingDesk desk;
        makeRoom(desk.window);
        QVERIFY(desk.openAll("tinylm"));
        QVERIFY(desk.waitFor([&] { return desk.offered(); }));
        for (const char* method : {"addressing.deep-embed", "addressing.mixture"}) {
            desk.controller().setMethod(method);
            desk.controller().measure();
            QVERIFY(desk.idle());
            QVERIFY(desk.waitFor([&] { return desk.controller().isUpToDate(); }));
            desk.window.notice().clear();
            QTest::qWait(300);
            savePicture(desk.window, QStringLiteral("attention-lab-") + QString(method).section(QLatin1Char('.'), 1));
        }
    }
};

QTEST_MAIN(TstAddressingController)
#include "tst_addressing_controller.moc"

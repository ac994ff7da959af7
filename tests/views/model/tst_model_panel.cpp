// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/model/activation_statistics_view.h"
#include "views/model/cost_table.h"
#include "views/model/evaluation_view.h"
#include "views/model/layer_chain.h"
#include "views/model/model_panel.h"
#include "views/model/roofline_plot.h"
#include "views/model/roofline_view.h"

#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QSplitter>
#include <QTabWidget>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstModelPanel : public QObject {
    Q_OBJECT
    std::unique_ptr<ModelPanel> m_panel;

    template <class W> W* find(const char* name) const { return m_panel->findChild<W*>(QLatin1String(name)); }
    void clickBox(const QString& name)
    {
        auto* chain = m_panel->chain();
        for (int box = 0; box < static_cast<int>(chain->chainLayout().boxes.size()); ++box)
            if (chain->boxText(box).startsWith(name + '\n')) {
                QTest::mouseClick(chain->viewport(), Qt::LeftButton, {}, chain->boxOnScreen(box).center().toPoint());
                return;
            }
        QFAIL(qPrintable(name));
    }

private slots:
    void init()
    {
        m_panel = std::make_unique<ModelPanel>();
        m_panel->setPresets({sample::machine(), {.name = "Desktop", .gflops = 1000, .gigabytesPerSecond = 50}});
        m_panel->setReport(sample::vit20(40));
        m_panel->setEvaluation(sample::evaluation(true));
        m_panel->setActivations(sample::activations(*sample::vit20()), "512 photos");
        m_panel->resize(1400, 860);
        m_panel->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_panel.get()));
    }
    void cleanup() { m_panel.reset(); }

    void oneSelectionInAllParts()
    {
        QSignalSpy selected(m_panel.get(), &ModelPanel::selectionChanged);
        clickBox("blocks.3.mlp.fc1");
        const QStringList wanted{"blocks.3.mlp.fc1"};
        QCOMPARE(selected.size(), 1);
        QCOMPARE(selected[0][0].toStringList(), wanted);
        QCOMPARE(m_panel->costs()->selection(), wanted);
        QCOMPARE(m_panel->roofline()->plot()->selection(), wanted);
        QCOMPARE(m_panel->activations()->selection(), wanted);
        QCOMPARE(m_panel->evaluation()->chart()->cursor().value_or(-1), 3.0);
        m_panel->setSelection({"blocks.1.attn.qkv"}); // brushed in another lab
        QCOMPARE(selected.size(), 1);
        QCOMPARE(m_panel->chain()->selection(), QStringList{"blocks.1.attn.qkv"});
        QCOMPARE(m_panel->evaluation()->heads()->markedColumn(), 1);
        m_panel->showPage(m_panel->evaluation());
        QTest::qWait(20);
        QTest::mouseClick(m_panel->evaluation()->heads(), Qt::LeftButton, {}, m_panel->evaluation()->heads()->cellRect(1, 4).center().toPoint());
        QCOMPARE(selected.last()[0].toStringList(), QStringList{"blocks.4.attention"});
        QCOMPARE(m_panel->chain()->selection(), QStringList{"blocks.4.attention"});
        QCOMPARE(m_panel->activations()->current(), QStringLiteral("blocks.1.attn.qkv")); // an attention has no site
    }

    void theSelectionSurvivesNewReports()
    {
        clickBox("blocks.0.attn.proj");
        m_panel->setReport(sample::vit20(20));
        QCOMPARE(m_panel->selection(), QStringList{"blocks.0.attn.proj"});
        QCOMPARE(m_panel->costs()->selection(), m_panel->selection());
        m_panel->setReport(sample::swin());
        QVERIFY(m_panel->selection().isEmpty());
    }

    void actionsAreIntents()
    {
        QSignalSpy evaluate(m_panel.get(), &ModelPanel::evaluateRequested), capture(m_panel.get(), &ModelPanel::captureRequested),
            measure(m_panel.get(), &ModelPanel::measureRequested), stop(m_panel.get(), &ModelPanel::stopRequested);
        QTest::mouseClick(find<QPushButton>("evaluateModel"), Qt::LeftButton);
        QTest::mouseClick(find<QPushButton>("captureModel"), Qt::LeftButton);
        QTest::mouseClick(find<QPushButton>("measureModel"), Qt::LeftButton);
        QCOMPARE(evaluate.size() + capture.size() + measure.size(), 3);
        auto* stopButton = find<QPushButton>("stopModel");
        m_panel->setRunning({});
        QVERIFY(!stopButton->isVisible());
        m_panel->setRunning("Evaluating");
        QTest::mouseClick(stopButton, Qt::LeftButton);
        QCOMPARE(stop.size(), 1);
        QCOMPARE(find<QLabel>("modelRunning")->text(), QStringLiteral("Evaluating…"));
        m_panel->setDisabledReasons("the model has no head", {}, {});
        QTest::mouseClick(find<QPushButton>("evaluateModel"), Qt::LeftButton);
        QCOMPARE(evaluate.size(), 1);
        QCOMPARE(find<QPushButton>("evaluateModel")->toolTip(), QStringLiteral("the model has no head"));
        m_panel->setDisabledReasons({}, {}, {});
        QVERIFY(find<QPushButton>("evaluateModel")->toolTip().startsWith("Accuracy"));
    }

    void tokensAndBatch()
    {
        QSignalSpy edited(m_panel.get(), &ModelPanel::shapeEdited);
        m_panel->setTokensRange(1, 4096, 512);
        QCOMPARE(edited.size(), 0);
        auto* tokens = find<QSpinBox>("modelTokens");
        tokens->selectAll();
        QTest::keyClicks(tokens, "1024");
        QCOMPARE(edited.size(), 0); // not for every digit
        QTest::keyClick(tokens, Qt::Key_Return);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toInt(), 1024);
        QTest::keyClick(find<QSpinBox>("modelBatch"), Qt::Key_Up);
        QCOMPARE(edited.last()[1].toInt(), 2);
        m_panel->setTokensRange(65, 65, 65);
        QVERIFY(!tokens->isEnabled());
        QCOMPARE(tokens->value(), 65);
    }

    void foldingSuitsTheModel()
    {
        auto* folding = find<QComboBox>("chainFolding");
        QCOMPARE(folding->currentData().toInt(), static_cast<int>(ChainFolding::Expanded));
        m_panel->setReport(sample::llama());
        QCOMPARE(m_panel->chain()->folding(), ChainFolding::Repeated);
        folding->setFocus();
        QTest::keyClick(folding, Qt::Key_Down);
        QCOMPARE(m_panel->chain()->folding(), ChainFolding::Folded);
        m_panel->setReport(sample::llama()); // the same model with other numbers: the user's choice stays
        QCOMPARE(m_panel->chain()->folding(), ChainFolding::Folded);
        auto* measure = find<QComboBox>("chainMeasure");
        measure->setFocus();
        QTest::keyClick(measure, Qt::Key_Home);
        QCOMPARE(m_panel->chain()->measure(), LayerMeasure::Parameters);
    }

    void summaryAndWarnings()
    {
        QCOMPARE(find<QLabel>("modelTitle")->text(), QStringLiteral("6 blocks, width 128, 4 heads"));
        QVERIFY(find<QLabel>("modelSummary")->toolTip().contains("measured"));
        auto report = sample::llama();
        report->warnings = {"One.", "Two."};
        m_panel->setReport(report);
        QVERIFY(find<QLabel>("modelSummary")->toolTip().contains("KV cache 256"));
        QVERIFY(find<QLabel>("modelSummary")->toolTip().contains("predicted"));
        QCOMPARE(find<QLabel>("modelWarnings")->text(), QStringLiteral("2 warnings"));
        QCOMPARE(find<QLabel>("modelWarnings")->toolTip(), QStringLiteral("One.\nTwo."));
    }

    void emptyStateSaysWhy()
    {
        m_panel->setReport(nullptr);
        m_panel->setEmptyState("This checkpoint cannot be run", "config.json has no model_type.");
        auto* empty = find<QWidget>("modelEmpty");
        QVERIFY(empty->isVisible());
        QVERIFY(!m_panel->chain()->isVisible());
        QCOMPARE(empty->accessibleName(), QStringLiteral("This checkpoint cannot be run"));
        QVERIFY(find<QLabel>("modelSummary")->text().isEmpty());
        m_panel->setReport(sample::swin());
        QVERIFY(!empty->isVisible() && m_panel->chain()->isVisible());
    }

    void everyFigureLeavesThroughOneSignal()
    {
        QStringList names;
        connect(m_panel.get(), &ModelPanel::exportRequested, this, [&](Figure* figure, FigureFormat, const QString& name) {
            names << name;
            QVERIFY(figure->figureCsv().count('\n') > 1);
        });
        for (auto* button : m_panel->findChildren<ExportButton*>())
            for (auto* action : button->menu()->actions())
                if (action->objectName() == "export-csv")
                    action->trigger();
        names.sort();
        QCOMPARE(names, (QStringList{"activations-over-depth", "attention-map-error", "error-over-depth", "layers", "roofline"}));
    }

    void layoutComesBack()
    {
        auto* tabs = find<QTabWidget>("modelTabs");
        tabs->setCurrentIndex(2);
        const QByteArray state = m_panel->layoutState();
        tabs->setCurrentIndex(0);
        QVERIFY(m_panel->restoreLayoutState(state));
        QCOMPARE(tabs->currentIndex(), 2);
        QVERIFY(!m_panel->restoreLayoutState("rubbish"));
        QVERIFY(!m_panel->restoreLayoutState({}));
    }

    void everyControlHasAName()
    {
        for (auto* widget : m_panel->findChildren<QWidget*>())
            if (widget->focusPolicy() != Qt::NoFocus && (qobject_cast<QComboBox*>(widget) || qobject_cast<QAbstractSpinBox*>(widget)))
                QVERIFY2(!widget->accessibleName().isEmpty(), qPrintable(widget->objectName()));
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        auto* tabs = find<QTabWidget>("modelTabs");
        for (const bool dark : {false, true}) {
            Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
            m_panel->setRunning(dark ? "Capturing" : "");
            m_panel->setSelection({"blocks.2.attn.qkv"});
            for (int tab = 0; tab < tabs->count(); ++tab) {
                tabs->setCurrentIndex(tab);
                QTest::qWait(60);
                const QImage picture = m_panel->grab().toImage();
                QVERIFY(!picture.isNull());
                if (!folder.isEmpty())
                    QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("panel-%1-%2-%3x.png").arg(tab).arg(dark).arg(picture.devicePixelRatio()))));
            }
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstModelPanel)
#include "tst_model_panel.moc"

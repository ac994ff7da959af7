// SPDX-License-Identifier: GPL-3.0-or-later
// The token lab's tab: what it says, depth in all of its views, settings, blocks and kept counts.
#include "tests/views/token_sample.h"
#include "views/common/line_chart.h"
#include "views/encoder/histogram_chart.h"
#include "views/tokens/layers_page.h"
#include "views/tokens/overlay_page.h"
#include "views/tokens/token_overlay_view.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_photo_model.h"
#include "views/tokens/token_settings.h"

#include <QAbstractSpinBox>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QStackedWidget>
#include <QTabBar>
#include <QTabWidget>
#include <QTest>

#include <numeric>

using namespace tamis;
using namespace tamis::views;

class TstTokenPanel : public QObject {
    Q_OBJECT
    std::unique_ptr<TokenPanel> m_panel;
    const TokenPicture m_whole{sample::wholeOverlay(), sample::tokenPhoto()}, m_reduced{sample::tokenOverlay(), sample::tokenPhoto()};

    QString text(const char* label) const { return m_panel->findChild<QLabel*>(label)->text(); }
    /// As the dock does.
    static void showAlone(TokenSettings* settings)
    {
        settings->setParent(nullptr);
        settings->resize(300, 600);
        settings->show();
        QVERIFY(QTest::qWaitForWindowExposed(settings));
        settings->activateWindow();
    }
    static std::vector<OfferedMethod> methods()
    {
        ParameterSpec r;
        r.name = "r";
        r.title = "Merged a block";
        r.type = ParameterType::Integer;
        r.defaultValue = std::int64_t{8};
        r.minimum = 0;
        r.maximum = 32;
        r.step = 1;
        return {{"tokens.tome", "ToMe", "Bolya et al.", false, {}, ParameterSchema({r})},
                {"tokens.dynamicvit", "DynamicViT", "Rao et al.", true, {}, ParameterSchema()},
                {"tokens.evit", "EViT", "Liang et al.", false, "the model has no class token", ParameterSchema()}};
    }

    void open()
    {
        m_panel->setSummary("vit · 3 blocks");
        m_panel->setPictures(m_whole, m_reduced, "Example, r 3");
    }

private slots:
    void init()
    {
        m_panel = std::make_unique<TokenPanel>();
        m_panel->resize(1200, 760);
        m_panel->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_panel.get()));
    }
    void cleanup() { m_panel.reset(); }

    void nothingOpenSaysWhatToDo()
    {
        QSignalSpy asked(m_panel.get(), &TokenPanel::openRequested);
        auto* button = m_panel->findChild<QWidget*>("tokenEmpty")->findChild<QPushButton*>();
        QVERIFY(button->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        open();
        QVERIFY(!button->isVisible());
    }
    void theHeadHasTheNumbers()
    {
        open();
        const QString numbers = text("tokenNumbers");
        QVERIFY(numbers.contains("10 of 17 tokens reach the head"));
        QVERIFY(numbers.contains("16.1")); // 260 of 310 MMAC
        QVERIFY(numbers.contains("features moved by 0.125"));
        QVERIFY(numbers.contains("the class changed"));
        m_panel->setPictures(m_whole, m_whole, "Whole");
        QVERIFY(!text("tokenNumbers").contains("changed"));
    }
    void depthIsOneEverywhere()
    {
        open();
        QSignalSpy depth(m_panel.get(), &TokenPanel::depthChanged);
        auto* slider = m_panel->findChild<QSlider*>("tokenDepth");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Left);
        QCOMPARE(depth.last().first().toInt(), 2);
        QCOMPARE(m_panel->layers()->chart()->cursor(), std::optional(1.0)); // behind block 1
        QCOMPARE(m_panel->photos().depth(), 2);
        m_panel->showPage("layers");
        QTest::qWait(1);
        auto* chart = m_panel->layers()->chart();
        const QPoint from = chart->toPixel(1, 12).toPoint(), to = chart->toPixel(0, 12).toPoint();
        auto* canvas = chart->childAt(from);
        QVERIFY(canvas);
        QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->mapFrom(chart, from));
        QTest::mouseMove(canvas, canvas->mapFrom(chart, to));
        QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->mapFrom(chart, to));
        QCOMPARE(m_panel->overlays()->depth(), 1);
        QCOMPARE(depth.last().first().toInt(), 1);
        slider->setValue(0); // before the first block there is no cursor
        QVERIFY(!chart->cursor());
    }
    void blocksHaveTheirTokensAndMacs()
    {
        open();
        const auto& series = m_panel->layers()->chart()->series();
        QCOMPARE(series.size(), 3u);
        QCOMPARE(series[0].points[2].y, 14.0); // in the attention of block 2
        QCOMPARE(series[1].points[2].y, 10.0); // in its MLP
        QCOMPARE(series[2].points[2].y, 60.0); // MMAC
        QVERIFY(series[2].secondary);
        QVERIFY(text("tokensSaved").contains("cat.jpg"));
    }
    void blocksThatWereNotRunAreSaid()
    {
        open();
        const TokenPicture early(sample::earlyOverlay(), sample::tokenPhoto());
        m_panel->setPictures(early, early, "Leave early");
        m_panel->setDepth(3);
        const auto& series = m_panel->layers()->chart()->series();
        for (const auto& each : series)
            QCOMPARE(each.points[2].y, 0.0);
        QVERIFY(text("tokensSaved").contains("left behind block 1"));
        QVERIFY(text("tokenNumbers").contains("left behind block 1"));
        QVERIFY(text("tokenNumbers").contains("14 of 17"));
    }
    void keptCountsAreBinned()
    {
        const std::vector<std::int64_t> counts{40, 41, 41, 44, 40};
        const auto [edges, heights] = countBins(counts);
        QCOMPARE(heights, (std::vector<std::int64_t>{2, 2, 0, 0, 1}));
        QCOMPARE(edges.front(), 39.5);
        QCOMPARE(edges.back(), 44.5);
        std::vector<std::int64_t> many(500);
        std::iota(many.begin(), many.end(), 10);
        const auto [wide, sums] = countBins(many);
        QVERIFY(sums.size() <= 24);
        QCOMPARE(std::accumulate(sums.begin(), sums.end(), std::int64_t{0}), std::int64_t{500});
        QVERIFY(countBins({}).second.empty());
        open();
        m_panel->photos().setNames({"a", "b", "c"});
        m_panel->photos().setResult(0, m_reduced);
        m_panel->photos().setResult(2, m_whole);
        m_panel->refreshKept();
        QCOMPARE(m_panel->layers()->histogram()->histogram().counts.front(), std::int64_t{1}); // 10 tokens
        QCOMPARE(m_panel->layers()->histogram()->histogram().counts.back(), std::int64_t{1});  // 17
        QVERIFY(text("tokensSpread").contains("2 photos keep 10 to 17"));
    }
    void pagesAreShown()
    {
        open();
        QSignalSpy shown(m_panel.get(), &TokenPanel::pageShown);
        auto* bar = m_panel->findChild<QTabWidget*>("tokenPages")->tabBar();
        QTest::mouseClick(bar, Qt::LeftButton, {}, bar->tabRect(2).center());
        QCOMPARE(shown.last().first().toString(), QStringLiteral("compare"));
        m_panel->showPage("tokens");
        m_panel->showPage("nowhere");
        QCOMPARE(m_panel->page(), QStringLiteral("tokens"));
        QCOMPARE(shown.size(), 1);
    }
    void parametersAreSliders()
    {
        const std::unique_ptr<TokenSettings> settings(m_panel->settings());
        showAlone(settings.get());
        settings->setMethods(methods());
        Parameters chosen;
        chosen.set("r", std::int64_t{4});
        settings->setChoice("tokens.tome", chosen);
        QVERIFY(settings->findChild<QSlider*>("r-slider"));
        auto* box = settings->findChild<QAbstractSpinBox*>("r");
        QVERIFY(box);
        QSignalSpy edited(settings.get(), &TokenSettings::parameterEdited), method(settings.get(), &TokenSettings::methodEdited);
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Up);
        QCOMPARE(edited.last()[0].toString(), QStringLiteral("r"));
        QCOMPARE(std::get<std::int64_t>(edited.last()[1].value<ParameterValue>()), std::int64_t{5});
        auto* choice = settings->findChild<QComboBox*>("tokenMethod");
        choice->setFocus();
        QTest::keyClick(choice, Qt::Key_Down);
        QCOMPARE(method.last().first().toString(), QStringLiteral("tokens.dynamicvit"));
        QVERIFY(settings->findChild<QPushButton*>("trainTokens")->isVisibleTo(settings.get()));
        QTest::keyClick(choice, Qt::Key_Down); // the next cannot run
        QCOMPARE(settings->method(), QStringLiteral("tokens.dynamicvit"));
        QVERIFY(choice->itemData(2, Qt::ToolTipRole).toString().contains("no class token"));
    }
    void wishesAreCountedAndForgotten()
    {
        const std::unique_ptr<TokenSettings> settings(m_panel->settings());
        QSignalSpy asked(settings.get(), &TokenSettings::clearWishesRequested);
        auto* clear = settings->findChild<QPushButton*>("clearWishes");
        QVERIFY(!clear->isEnabled());
        settings->setWishes(2, 1);
        QCOMPARE(settings->findChild<QLabel*>("tokenWishes")->text(), QStringLiteral("2 kept, 1 dropped"));
        showAlone(settings.get());
        QTest::mouseClick(clear, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
    }
    void whatRunsCanBeStopped()
    {
        open();
        auto* stop = m_panel->findChild<QPushButton*>("stopTokens");
        QVERIFY(!stop->isVisible());
        m_panel->setRunning("Reducing 300 photos");
        QSignalSpy asked(m_panel.get(), &TokenPanel::stopRequested);
        QTest::mouseClick(stop, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
    }
};

QTEST_MAIN(TstTokenPanel)
#include "tst_token_panel.moc"

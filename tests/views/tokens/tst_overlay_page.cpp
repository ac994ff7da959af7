// SPDX-License-Identifier: GPL-3.0-or-later
// Two overlays side by side: linked pointer, zoom and depth, what stands beside, the classes of both.
#include "tests/views/token_sample.h"
#include "views/common/class_bars.h"
#include "views/common/figure_export.h"
#include "views/tokens/overlay_page.h"
#include "views/tokens/token_overlay_view.h"

#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>
#include <QToolButton>
#include <QWheelEvent>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstOverlayPage : public QObject {
    Q_OBJECT
    std::unique_ptr<OverlayPage> m_page;
    const TokenPicture m_whole{sample::wholeOverlay(), sample::tokenPhoto()}, m_reduced{sample::tokenOverlay(), sample::tokenPhoto()};

    TokenOverlayView* left() const { return m_page->other(); }
    TokenOverlayView* right() const { return m_page->reduced(); }

private slots:
    void init()
    {
        m_page = std::make_unique<OverlayPage>();
        m_page->resize(1100, 480);
        m_page->setWhole(m_whole);
        m_page->setReduced(m_reduced, "Example");
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void startsWhereTheModelEnds()
    {
        QCOMPARE(m_page->depth(), 3);
        QCOMPARE(left()->depth(), 3);
        QCOMPARE(right()->depth(), 3);
        m_page->setDepth(1);
        m_page->setReduced(m_reduced, "Example"); // the same model: the depth stays
        QCOMPARE(m_page->depth(), 1);
    }
    void theSliderWalksThroughBothPhotos()
    {
        QSignalSpy depth(m_page.get(), &OverlayPage::depthChanged);
        auto* slider = m_page->findChild<QSlider*>("tokenDepth");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Left);
        QCOMPARE(depth.last().first().toInt(), 2);
        QCOMPARE(left()->depth(), 2);
        QCOMPARE(right()->depth(), 2);
        left()->setFocus();
        QTest::keyClick(left(), Qt::Key_PageUp); // on either photo
        QCOMPARE(m_page->depth(), 1);
        QCOMPARE(right()->depth(), 1);
        QCOMPARE(depth.last().first().toInt(), 1);
        m_page->setDepth(3); // no signal
        QCOMPARE(depth.size(), 2);
    }
    void whatTheMethodDidIsSaidBelowThePhoto()
    {
        m_page->setReduced({sample::earlyOverlay(), sample::tokenPhoto()}, "Leave early");
        m_page->setDepth(3);
        auto* text = m_page->findChild<QLabel*>("tokenDepthText");
        QVERIFY(text);
        QCOMPARE(text->text(), QStringLiteral("block 2 of 0–2 was not run"));
        QCOMPARE(m_page->reduced()->whereText(), QStringLiteral("block 2 was not run · left behind block 1"));
        QVERIFY(m_page->reduced()->figureCaption().contains("left behind block 1"));
        m_page->setDepth(2);
        QCOMPARE(m_page->reduced()->whereText(), QStringLiteral("behind block 1 · left behind block 1"));
    }
    void pointerAndZoomAreOne()
    {
        QTest::mouseMove(left(), left()->patchRect(5).center().toPoint());
        QCOMPARE(right()->pointed(), 5);
        QVERIFY(right()->statusLine().contains("group of 4"));
        QVERIFY(left()->statusLine().contains("alone"));
        QTest::mouseMove(left(), {1, 1});
        QCOMPARE(right()->pointed(), -1);
        const QPointF over = right()->patchRect(5).center();
        QWheelEvent event(over, right()->mapToGlobal(over), {}, {0, 360}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(right(), &event);
        QVERIFY(right()->view().width() < 1);
        QCOMPARE(left()->view(), right()->view());
        right()->setFocus();
        QTest::keyClick(right(), Qt::Key_Right); // the keys' patch is pointed at beside
        QCOMPARE(left()->pointed(), right()->focused());
    }
    /// Mixed patches have cells of half the side: 8 x 8 beside the whole model's 4 x 4.
    void aFinerGridIsPointedAtByPlace()
    {
        m_page->setReduced({sample::mixedOverlay(), sample::tokenPhoto()}, "Mixed");
        QCOMPARE(right()->picture().rows(), 8);
        QTest::mouseMove(left(), left()->patchRect(15).center().toPoint()); // row 3, column 3: the cells of rows and columns 6 and 7
        QCOMPARE(right()->pointed(), 7 * 8 + 7);
        QVERIFY(right()->patchRect(right()->pointed()).width() > 0);
        const QPointF over = right()->patchRect(2 * 8 + 5).center();
        QTest::mouseMove(right(), over.toPoint());
        QCOMPARE(left()->pointed(), 1 * 4 + 2);
        QTest::mouseMove(right(), {1, 1});
        QCOMPARE(left()->pointed(), -1);
    }
    void onlyTheReducedPhotoTakesWishes()
    {
        QSignalSpy asked(m_page.get(), &OverlayPage::wishRequested);
        QTest::mouseClick(left(), Qt::LeftButton, {}, left()->patchRect(9).center().toPoint());
        QVERIFY(asked.isEmpty());
        QTest::mouseClick(right(), Qt::LeftButton, {}, right()->patchRect(9).center().toPoint());
        QCOMPARE(asked.size(), 1);
        QCOMPARE(asked[0][0].toInt(), 10);
    }
    void classesOfBothAreShown()
    {
        const auto& rows = m_page->classes()->rows();
        QCOMPARE(rows.size(), 4u); // dog, cat, class 8, and bird that the reduced model lost
        QCOMPARE(rows[0].name, QStringLiteral("dog"));
        QCOMPARE(rows[0].before, 0.2);
        QCOMPARE(rows[0].after, 0.5);
        QCOMPARE(rows[2].name, QStringLiteral("class 8"));
        QVERIFY(std::isnan(rows[2].before));
        QVERIFY(std::isnan(rows[3].after));
        QVERIFY(m_page->classes()->isChanged());
        const auto bars = [&](int row, bool after) { return m_page->classes()->barRect(row, after); };
        QVERIFY(std::abs(bars(0, true).width() / bars(0, false).width() - 2.5) < 0.05); // 0.5 to 0.2, to the pixel that bars have at least
        QVERIFY(bars(2, false).isEmpty());
        QVERIFY(m_page->classes()->figureCsv().contains("5,dog,0.2,0.5\n"));
        QVERIFY(m_page->classes()->accessibleDescription().contains("dog"));
    }
    void settingsArePinned()
    {
        QSignalSpy pin(m_page.get(), &OverlayPage::pinRequested), beside(m_page.get(), &OverlayPage::besideChanged);
        m_page->setBeside(Beside::Pinned); // nothing is
        QCOMPARE(m_page->beside(), Beside::Whole);
        QTest::mouseClick(m_page->findChild<QToolButton*>("pinTokens"), Qt::LeftButton);
        QCOMPARE(pin.size(), 1);
        m_page->setPinned(m_reduced, "EViT, keep 0.7");
        m_page->setBeside(Beside::Pinned);
        QCOMPARE(left()->picture().tokens(3), 10);
        QVERIFY(!m_page->classes()->isChanged()); // the same class as the pinned settings
        auto* choice = m_page->findChild<QComboBox*>("tokenBeside");
        choice->setFocus();
        QTest::keyClick(choice, Qt::Key_Down);
        QCOMPARE(beside.last().first().value<Beside>(), Beside::Nothing);
        QVERIFY(!left()->isVisible());
        m_page->setBeside(Beside::Pinned);
        m_page->setPinned({}, {});
        QCOMPARE(m_page->beside(), Beside::Whole);
        QCOMPARE(left()->picture().tokens(3), 17);
        QVERIFY(left()->isVisible());
    }
    void bothShowTheSameShade()
    {
        QSignalSpy shade(m_page.get(), &OverlayPage::shadeChanged);
        auto* choice = m_page->findChild<QComboBox*>("tokenShade");
        choice->setFocus();
        QTest::keyClick(choice, Qt::Key_Down);
        QCOMPARE(shade.size(), 1);
        QCOMPARE(left()->shade(), TokenShade::Scores);
        QCOMPARE(right()->shade(), TokenShade::Scores);
        QVERIFY(std::abs(left()->plotArea().height() - right()->plotArea().height()) < 3); // they stand side by side
    }
    void figuresAreOffered()
    {
        QSignalSpy figure(m_page.get(), &OverlayPage::exportRequested), json(m_page.get(), &OverlayPage::jsonRequested);
        auto* menu = m_page->findChild<ExportButton*>("exportTokens")->menu();
        for (QAction* action : menu->actions())
            if (action->objectName() == "export-svg" || action->objectName() == "export-json" || action->objectName() == "export-classes")
                action->trigger();
        QCOMPARE(json.size(), 1);
        QCOMPARE(figure.size(), 2);
        QCOMPARE(figure[0][0].value<Figure*>(), static_cast<Figure*>(right()));
        QCOMPARE(figure[1][1].value<FigureFormat>(), FigureFormat::Csv);
    }
    void nothingIsEmpty()
    {
        m_page->setWhole({});
        m_page->setReduced({}, {});
        QVERIFY(m_page->classes()->rows().empty());
        QVERIFY(!m_page->findChild<QSlider*>("tokenDepth")->isEnabled());
        QVERIFY(!m_page->grab().isNull());
    }
};

QTEST_MAIN(TstOverlayPage)
#include "tst_overlay_page.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// The overlay of one photo: what pointer and keys do, what is said, what leaves it.
#include "tests/views/token_sample.h"
#include "views/common/figure_export.h"
#include "views/tokens/token_overlay_view.h"

#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QToolTip>
#include <QWheelEvent>

using namespace tamis;
using namespace tamis::views;
using report::TokenWish;

class TstTokenOverlayView : public QObject {
    Q_OBJECT
    std::unique_ptr<TokenOverlayView> m_view;

    QPoint at(int patch) const { return m_view->patchRect(patch).center().toPoint(); }
    void wheel(const QPointF& position, int delta)
    {
        QWheelEvent event(position, m_view->mapToGlobal(position), {}, {0, delta}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(m_view.get(), &event);
    }

private slots:
    void init()
    {
        m_view = std::make_unique<TokenOverlayView>();
        m_view->resize(420, 440);
        m_view->setPicture(TokenPicture(sample::tokenOverlay(), sample::tokenPhoto()));
        m_view->setDepth(3);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void patchesCoverThePlot()
    {
        QRectF all;
        for (int patch = 0; patch < 16; ++patch) {
            QCOMPARE(m_view->patchAt(m_view->patchRect(patch).center()), patch);
            all |= m_view->patchRect(patch);
        }
        QVERIFY(std::abs(all.width() - m_view->plotArea().width()) < 1e-6);
        QVERIFY(std::abs(all.width() - all.height()) < 1e-6); // square patches
        QCOMPARE(m_view->patchAt({1, 1}), -1);
    }
    void hoverTellsGroupScoreAndSources()
    {
        QSignalSpy pointed(m_view.get(), &TokenOverlayView::patchPointed);
        m_view->setDepth(2);
        QTest::mouseMove(m_view.get(), at(5));
        QCOMPARE(m_view->pointed(), 5);
        QCOMPARE(pointed.last().first().toInt(), 5);
        const QString hint = m_view->hoverLines().join('\n');
        QVERIFY(hint.contains("row 2, column 2"));
        QVERIFY(hint.contains("group of 4 patches, size 4"));
        QVERIFY(hint.contains("1·1, 1·2, 2·1, 2·2"));
        QVERIFY(hint.contains("score 0.5 in block 1"));
        QTest::mouseMove(m_view.get(), at(10));
        QVERIFY(m_view->hoverLines().join('\n').contains("alone"));
        m_view->setDepth(3);
        QTest::mouseMove(m_view.get(), at(14));
        QVERIFY(m_view->hoverLines().join('\n').contains("pruned in block 2"));
        QVERIFY(m_view->statusLine().contains("pruned"));
        QTest::mouseMove(m_view.get(), {2, 2});
        QCOMPARE(m_view->pointed(), -1);
        QVERIFY(m_view->hoverLines().isEmpty());
    }
    void aClickAsksForTheNextWish()
    {
        QSignalSpy asked(m_view.get(), &TokenOverlayView::wishRequested);
        std::vector<TokenWish> wishes(17);
        for (const auto next : {TokenWish::Keep, TokenWish::Drop, TokenWish::None}) {
            QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, at(6));
            QCOMPARE(asked.last()[0].toInt(), 7); // the class token is source 0
            QCOMPARE(asked.last()[1].value<TokenWish>(), next);
            wishes[7] = next;
            m_view->setWishes(wishes);
            QCOMPARE(m_view->wish(6), next);
        }
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, at(6));
        QTest::mouseDClick(m_view.get(), Qt::LeftButton, {}, at(6)); // the second of two quick clicks is one, too
        QTest::mouseRelease(m_view.get(), Qt::LeftButton, {}, at(6));
        QCOMPARE(asked.size(), 5);
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, {2, 2});
        QTest::mouseClick(m_view.get(), Qt::RightButton, {}, at(6));
        m_view->setWishable(false);
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, at(6));
        QCOMPARE(asked.size(), 5);
    }
    /// A method that takes none: neither button nor keys ask, and both say why.
    void whereNoWishIsTakenItIsSaidWhy()
    {
        QSignalSpy asked(m_view.get(), &TokenOverlayView::wishRequested);
        const QString why = "Leave early has its own way.";
        m_view->setWishable(false, why);
        QCOMPARE(m_view->toolTip(), why);
        QVERIFY(m_view->accessibleDescription().endsWith(why));
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, at(6));
        QCOMPARE(QToolTip::text(), why);
        QToolTip::hideText();
        QTRY_VERIFY(!QToolTip::isVisible());
        m_view->setFocused(5);
        m_view->setFocus();
        for (const auto key : {Qt::Key_Space, Qt::Key_Return}) {
            QTest::keyClick(m_view.get(), key);
            QTRY_COMPARE(QToolTip::text(), why);
            QToolTip::hideText();
            QTRY_VERIFY(!QToolTip::isVisible());
        }
        QVERIFY(asked.isEmpty());
        m_view->setWishable(true);
        QVERIFY(m_view->toolTip().isEmpty());
        QTest::keyClick(m_view.get(), Qt::Key_Space);
        QCOMPARE(asked.size(), 1);
    }
    void unmergedFeaturesAreAHeatMap()
    {
        const QImage tokens = m_view->grab().toImage();
        m_view->setShade(TokenShade::Unmerged);
        QVERIFY(!m_view->colorBar().isEmpty());
        const QImage map = m_view->grab().toImage();
        QVERIFY(map != tokens);
        m_view->setDepth(1); // the features are those at the end, and the tokens those of the depth
        QVERIFY(m_view->barTitle().contains("cosine"));
        QTest::mouseMove(m_view.get(), at(4));
        QVERIFY(m_view->hoverLines().join('\n').contains("moved by 0.25"));
        QVERIFY(m_view->statusLine().contains("0.25"));
        m_view->setPicture(TokenPicture(sample::mixedOverlay(), sample::tokenPhoto()));
        QVERIFY(m_view->barTitle().contains("not lie on the model's grid"));
    }
    void aWishIsSeen()
    {
        const QImage before = m_view->grab().toImage();
        std::vector<TokenWish> wishes(17);
        wishes[7] = TokenWish::Keep;
        m_view->setWishes(wishes);
        const QImage kept = m_view->grab().toImage();
        wishes[7] = TokenWish::Drop;
        m_view->setWishes(wishes);
        const QImage dropped = m_view->grab().toImage();
        const QRect cell = m_view->patchRect(6).toRect();
        QVERIFY(before.copy(cell) != kept.copy(cell));
        QVERIFY(kept.copy(cell) != dropped.copy(cell));
        QCOMPARE(before.copy(m_view->patchRect(9).toRect()), kept.copy(m_view->patchRect(9).toRect()));
    }
    void arrowsWalkFromTokenToToken()
    {
        QSignalSpy asked(m_view.get(), &TokenOverlayView::wishRequested);
        m_view->setDepth(2);
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QCOMPARE(m_view->focused(), 0);
        QTest::keyClick(m_view.get(), Qt::Key_Right); // past the rest of the group
        QCOMPARE(m_view->focused(), 2);
        QTest::keyClick(m_view.get(), Qt::Key_Left);
        QCOMPARE(m_view->focused(), 1);
        QTest::keyClick(m_view.get(), Qt::Key_Left); // nothing else there
        QCOMPARE(m_view->focused(), 1);
        QTest::keyClick(m_view.get(), Qt::Key_Left, Qt::ControlModifier); // patch by patch
        QCOMPARE(m_view->focused(), 0);
        QTest::keyClick(m_view.get(), Qt::Key_Down);
        QCOMPARE(m_view->focused(), 8);
        QTest::keyClick(m_view.get(), Qt::Key_Return);
        QCOMPARE(asked.last()[0].toInt(), 9);
        QTest::keyClick(m_view.get(), Qt::Key_Space);
        QCOMPARE(asked.size(), 2);
        m_view->setDepth(3); // pruned patches stand for themselves
        QTest::keyClick(m_view.get(), Qt::Key_Down);
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QCOMPARE(m_view->focused(), 13);
        QVERIFY(m_view->accessibleDescription().contains("pruned in block 2"));
        QTest::keyClick(m_view.get(), Qt::Key_Escape);
        QCOMPARE(m_view->focused(), -1);
        QTest::keyClick(m_view.get(), Qt::Key_Space);
        QCOMPARE(asked.size(), 2); // nothing is focused
    }
    void pagesWalkThroughDepth()
    {
        QSignalSpy depth(m_view.get(), &TokenOverlayView::depthRequested);
        m_view->setDepth(1);
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_PageDown);
        QCOMPARE(depth.last().first().toInt(), 2);
        QTest::keyClick(m_view.get(), Qt::Key_PageUp);
        QCOMPARE(depth.last().first().toInt(), 0);
        m_view->setDepth(99);
        QCOMPARE(m_view->depth(), 3);
    }
    void wheelZoomsAroundThePointer()
    {
        QSignalSpy view(m_view.get(), &TokenOverlayView::viewChanged);
        const QPointF over = m_view->patchRect(5).center();
        wheel(over, 240);
        QVERIFY(m_view->view().width() < 1);
        QCOMPARE(view.size(), 1);
        const QPointF now = m_view->patchRect(5).center();
        QVERIFY(std::hypot(now.x() - over.x(), now.y() - over.y()) < 1e-6); // what is under the pointer stays there
        for (int i = 0; i < 40; ++i)
            wheel(over, 240);
        QVERIFY(m_view->view().width() >= 1.0 / 16 - 1e-12);
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_0);
        QCOMPARE(m_view->view(), QRectF(0, 0, 1, 1));
        QTest::keyClick(m_view.get(), Qt::Key_Plus);
        QVERIFY(m_view->view().width() < 1);
        QTest::keyClick(m_view.get(), Qt::Key_Minus);
        QCOMPARE(m_view->view().width(), 1.0);
    }
    void draggingPansAndAsksForNothing()
    {
        QSignalSpy asked(m_view.get(), &TokenOverlayView::wishRequested);
        m_view->setView({0.25, 0.25, 0.5, 0.5});
        const QPoint from = m_view->plotArea().center().toPoint();
        QTest::mousePress(m_view.get(), Qt::LeftButton, {}, from);
        QTest::mouseMove(m_view.get(), from + QPoint(40, 20));
        QTest::mouseRelease(m_view.get(), Qt::LeftButton, {}, from + QPoint(40, 20));
        QVERIFY(std::abs(m_view->view().left() - (0.25 - 0.5 * 40 / m_view->plotArea().width())) < 1e-9);
        QVERIFY(asked.isEmpty());
        m_view->setView({-3, 0.9, 0.5, 0.5}); // stays on the photo
        QCOMPARE(m_view->view(), QRectF(0, 0.5, 0.5, 0.5));
    }
    void focusBeyondTheViewIsBroughtIn()
    {
        m_view->setView({0, 0, 0.25, 0.25});
        m_view->setFocused(0);
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QVERIFY(m_view->plotArea().contains(m_view->patchRect(m_view->focused()).center()));
    }
    void theBarIsTitled()
    {
        QVERIFY(m_view->colorBar().isEmpty());
        m_view->setShade(TokenShade::Scores);
        QVERIFY(!m_view->colorBar().isEmpty());
        QCOMPARE(m_view->barTitle(), QStringLiteral("attention received, block 2"));
        m_view->setDepth(1);
        QVERIFY(m_view->barTitle().startsWith("No scores"));
        QVERIFY(!m_view->grab().isNull());
    }
    void anotherGridForgetsZoomAndFocus()
    {
        m_view->setView({0.25, 0.25, 0.5, 0.5});
        m_view->setFocused(15);
        m_view->setPicture(TokenPicture(sample::wholeOverlay(), sample::tokenPhoto()));
        QCOMPARE(m_view->focused(), 15);
        QCOMPARE(m_view->view().width(), 0.5);
        auto wide = sample::tokenOverlay();
        wide->gridCols = 8;
        wide->gridRows = 2;
        m_view->setPicture(TokenPicture(wide, sample::tokenPhoto()));
        QCOMPARE(m_view->focused(), -1);
        QCOMPARE(m_view->view().width(), 1.0);
        QVERIFY(m_view->plotArea().width() > 3 * m_view->plotArea().height());
        m_view->setPicture({});
        QVERIFY(m_view->isEmpty());
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, {200, 200});
        QVERIFY(!m_view->grab().isNull());
    }
    void exportsCarryTheirSettings()
    {
        QTemporaryDir folder;
        m_view->setCaption("Example, r 3");
        const QString png = folder.filePath("a.png"), svg = folder.filePath("a.svg"), csv = folder.filePath("a.csv");
        QVERIFY(!writeFigure(*m_view, FigureFormat::Png, png));
        QVERIFY(!writeFigure(*m_view, FigureFormat::Svg, svg));
        QVERIFY(!writeFigure(*m_view, FigureFormat::Csv, csv));
        const QImage read(png);
        QVERIFY(read.width() == 840 && read.height() > 880); // twice the size, and the caption below
        QVERIFY(read.text("Description").contains("cat.jpg, behind block 2, 10 of 17 tokens"));
        QFile drawing(svg);
        QVERIFY(drawing.open(QIODevice::ReadOnly));
        const QByteArray text = drawing.readAll();
        QVERIFY(text.contains("Example, r 3") && text.contains("<image"));
        QFile table(csv);
        QVERIFY(table.open(QIODevice::ReadOnly));
        QVERIFY(table.readAll().startsWith("# cat.jpg, behind block 2, 10 of 17 tokens\n# Example, r 3\ntoken,row,column,"));
    }
    void readersHearWhatIsShown()
    {
        m_view->setTitle("ToMe");
        QCOMPARE(m_view->accessibleName(), QStringLiteral("Tokens of a photo, ToMe"));
        QVERIFY(m_view->accessibleDescription().contains("10 of 17 tokens leave block 2"));
        m_view->setDepth(0);
        QVERIFY(m_view->accessibleDescription().contains("17 tokens enter the first block"));
    }
};

QTEST_MAIN(TstTokenOverlayView)
#include "tst_token_overlay_view.moc"

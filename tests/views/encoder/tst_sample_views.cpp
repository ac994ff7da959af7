// SPDX-License-Identifier: GPL-3.0-or-later
// Where a latent fires on a photo and in a text: places, colours, marks, mouse and keys.
#include "tests/views/encoder_sample.h"
#include "views/common/theme.h"
#include "views/encoder/photo_latent_view.h"
#include "views/encoder/text_latent_view.h"

#include <QPainter>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include <set>

using namespace tamis;
using namespace tamis::views;

namespace {
template <class View> void press(View& view, int at) { QTest::mouseClick(&view, Qt::LeftButton, {}, view.tokenRect(at).center().toPoint()); }

QImage painted(LatentSampleView& view)
{
    QImage picture(view.size(), QImage::Format_RGB32);
    QPainter painter(&picture);
    view.paintFigure(painter);
    return picture;
}

/// Colours in the middle half of a token's cell.
std::set<QRgb> colours(const QImage& picture, const QRectF& cell)
{
    std::set<QRgb> found;
    const QRect inner = cell.adjusted(cell.width() / 4, cell.height() / 4, -cell.width() / 4, -cell.height() / 4).toAlignedRect();
    for (int y = inner.top(); y <= inner.bottom(); ++y)
        for (int x = inner.left(); x <= inner.right(); ++x)
            found.insert(picture.pixel(x, y));
    return found;
}
} // namespace

class TstSampleViews : public QObject {
    Q_OBJECT
    std::unique_ptr<PhotoLatentView> m_photo;
    std::unique_ptr<TextLatentView> m_text;

    bool showText() // alone: the pointer is the screen's
    {
        m_photo->hide();
        m_text->show();
        return QTest::qWaitForWindowExposed(m_text.get());
    }

private slots:
    void initTestCase() { Theme::instance().apply(*qApp, Theme::Mode::Dark); }
    void init()
    {
        m_photo = std::make_unique<PhotoLatentView>();
        m_photo->resize(640, 420);
        QImage picture(64, 48, QImage::Format_RGB32);
        picture.fill(Qt::darkGray);
        m_photo->setPhoto(picture);
        m_photo->setSample(sample::photoPlaces(), 0);
        m_photo->setLatents(sample::sampleLatents(0, 13));
        m_photo->setCut(4);
        m_photo->setToken(0);
        m_photo->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_photo.get()));
        m_text = std::make_unique<TextLatentView>();
        m_text->resize(640, 420);
        m_text->setSample(sample::textPlaces(), 0);
        m_text->setLatents(sample::sampleLatents(0, 7));
        m_text->setCut(4);
        m_text->setToken(0);
    }
    void patchesLieOnThePhotoRowByRow()
    {
        const QRectF photo = m_photo->photoRect();
        for (int row = 0; row < 3; ++row)
            for (int column = 0; column < 4; ++column) {
                const QRectF cell = m_photo->tokenRect(1 + 4 * row + column);
                QVERIFY(std::abs(cell.center().x() - (photo.left() + (column + 0.5) * photo.width() / 4)) < 0.5);
                QVERIFY(std::abs(cell.center().y() - (photo.top() + (row + 0.5) * photo.height() / 3)) < 0.5);
            }
        QVERIFY(m_photo->tokenRect(0).right() < photo.left()); // the class token stands beside
        QVERIFY(!m_photo->tokenRect(0).isEmpty() && m_photo->tokenRect(13).isEmpty());
        QVERIFY(m_photo->rect().contains(photo.toAlignedRect()));
    }
    void coloursAreTheValues()
    {
        QVERIFY(!m_photo->tokenColor(1).isValid()); // no latent is chosen
        m_photo->setLatent(10);
        QCOMPARE(m_photo->map().fires, std::int64_t(12));
        QCOMPARE(m_photo->map().most, 14.0F);
        QCOMPARE(m_photo->tokenColor(12), Theme::sequentialColor(1));
        QCOMPARE(m_photo->tokenColor(0), Theme::sequentialColor(2.0 / 14));
        QVERIFY(!m_photo->tokenColor(2).isValid());
        const QImage picture = painted(*m_photo);
        QCOMPARE(colours(picture, m_photo->tokenRect(7)).size(), std::size_t(1)); // found: an even colour
    }
    void whatIsMissedIsHatched()
    {
        m_photo->setLatent(20);
        QCOMPARE(m_photo->map().missing, std::int64_t(7)); // place 6 is beyond the cut of 4
        QVERIFY(colours(painted(*m_photo), m_photo->tokenRect(7 - 1)).size() > 1);
        m_photo->setCut(6); // the cut has it: no hatching
        QCOMPARE(m_photo->map().missing, std::int64_t(0));
        QCOMPARE(colours(painted(*m_photo), m_photo->tokenRect(7 - 1)).size(), std::size_t(1));
        m_photo->setLatent(30); // only the encoder has it, at the third token
        QCOMPARE(m_photo->map().alone, std::int64_t(1));
        const QImage picture = painted(*m_photo);
        QCOMPARE(QColor(picture.pixel(m_photo->tokenRect(2).center().toPoint())), Theme::instance().color(Ink::Warning));
        QVERIFY(QColor(picture.pixel(m_photo->tokenRect(3).center().toPoint())) != Theme::instance().color(Ink::Warning));
    }
    void thePointerSaysTheLargestLatents()
    {
        m_photo->setLatent(20);
        QVERIFY(m_photo->hoverLines().isEmpty());
        QTest::mouseMove(m_photo.get(), m_photo->tokenRect(7).center().toPoint());
        QTRY_VERIFY(!m_photo->hoverLines().isEmpty());
        QVERIFY(m_photo->hoverLines().first().contains("row 1, column 2") && m_photo->hoverLines().first().contains("token 7"));
        QVERIFY(m_photo->hoverLines()[1].contains("latent 10: 9") && m_photo->hoverLines()[1].contains("encoder 8.5"));
        QTest::mouseMove(m_photo.get(), m_photo->tokenRect(6).center().toPoint());
        QTRY_VERIFY(m_photo->hoverLines().first().contains("row 1, column 1"));
        QVERIFY(m_photo->hoverLines()[2].contains("latent 20") && m_photo->hoverLines()[2].contains("missed: place 6"));
        QTest::mouseMove(m_photo.get(), m_photo->tokenRect(0).center().toPoint());
        QTRY_VERIFY(m_photo->hoverLines().first().contains("class token"));
    }
    void aClickMakesAPatchTheToken()
    {
        m_photo->setSample(sample::photoPlaces(), 1);
        QSignalSpy chosen(m_photo.get(), &LatentSampleView::tokenChosen);
        press(*m_photo, 6);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(13 + 6));
        QTest::mouseClick(m_photo.get(), Qt::RightButton, {}, m_photo->tokenRect(3).center().toPoint());
        QTest::mouseClick(m_photo.get(), Qt::LeftButton, {}, QPoint(3, 3)); // no token is there
        QCOMPARE(chosen.size(), 1);
    }
    void arrowsWalkOverTheGrid()
    {
        QSignalSpy chosen(m_photo.get(), &LatentSampleView::tokenChosen), stepped(m_photo.get(), &LatentSampleView::sampleStepped);
        connect(m_photo.get(), &LatentSampleView::tokenChosen, m_photo.get(), &LatentSampleView::setToken);
        m_photo->setFocus();
        const auto after = [&](Qt::Key key) {
            QTest::keyClick(m_photo.get(), key);
            return m_photo->current();
        };
        QCOMPARE(after(Qt::Key_Right), 1); // from the class token onto the photo
        QCOMPARE(after(Qt::Key_Right), 2);
        QCOMPARE(after(Qt::Key_Down), 6);
        QCOMPARE(after(Qt::Key_Down), 10);
        QCOMPARE(after(Qt::Key_Down), 10); // the last row
        QCOMPARE(after(Qt::Key_Up), 6);
        QCOMPARE(after(Qt::Key_Left), 5);
        QCOMPARE(after(Qt::Key_Left), 0); // off the grid: the class token
        QCOMPARE(after(Qt::Key_End), 12);
        QCOMPARE(after(Qt::Key_Right), 12);
        QCOMPARE(chosen.size(), 8); // keys that lead nowhere choose nothing
        QTest::keyClick(m_photo.get(), Qt::Key_PageDown);
        QTest::keyClick(m_photo.get(), Qt::Key_PageUp);
        QCOMPARE(stepped.size(), 2);
        QCOMPARE(stepped.first().first().toInt(), 1);
    }
    void theTokenOfAnotherSampleIsNotOutlined()
    {
        m_photo->setToken(20);
        QCOMPARE(m_photo->current(), -1);
        m_photo->setSample(sample::photoPlaces(), 1);
        QCOMPARE(m_photo->current(), 7);
        m_photo->setLatents(sample::sampleLatents(0, 13)); // of the other photo
        m_photo->setLatent(10);
        QVERIFY(m_photo->map().exact.empty());
        m_photo->setLatents(sample::sampleLatents(13, 13));
        QVERIFY(!m_photo->map().exact.empty());
    }
    void theValuesAreExported()
    {
        m_photo->setLatent(20);
        const QStringList lines = m_photo->figureCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 14);
        QCOMPARE(lines[1], QStringLiteral("0,class token,20,1.5,0,1"));
        QCOMPARE(lines[2], QStringLiteral("1,\"row 0, column 0\",20,0,0,0"));
        m_photo->setCaption("low-rank, rank 8");
        QVERIFY(m_photo->figureCaption().contains("rank 8") && m_photo->figureCaption().contains("a.jpg") && m_photo->figureCaption().contains("latent 20"));
    }
    void wordsFlowLineByLine()
    {
        QVERIFY(showText());
        for (int at = 1; at < 6; ++at)
            QVERIFY(m_text->tokenRect(at).left() > m_text->tokenRect(at - 1).right() || m_text->tokenRect(at).top() > m_text->tokenRect(at - 1).top());
        QVERIFY(m_text->tokenRect(6).top() > m_text->tokenRect(5).top()); // behind the end of a line
        QVERIFY(m_text->tokenRect(1).left() - m_text->tokenRect(0).right() > m_text->tokenRect(2).left() - m_text->tokenRect(1).right()); // a space apart
        QTest::mouseMove(m_text.get(), m_text->tokenRect(4).center().toPoint());
        QTRY_VERIFY(!m_text->hoverLines().isEmpty());
        QVERIFY(m_text->hoverLines().first().contains(QStringLiteral("“<E2>”")) && m_text->hoverLines().first().contains("position 4 of 7"));
    }
    void wordsAreColouredAndChosen()
    {
        QVERIFY(showText());
        m_text->setLatent(10);
        QCOMPARE(m_text->tokenColor(6), Theme::sequentialColor(1));
        QCOMPARE(painted(*m_text).pixel((m_text->tokenRect(6).bottomLeft() + QPointF(2, -2)).toPoint()), Theme::sequentialColor(1).rgb());
        QSignalSpy chosen(m_text.get(), &LatentSampleView::tokenChosen);
        press(*m_text, 4);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(4));
        m_text->setToken(4);
        QCOMPARE(m_text->current(), 4);
        m_text->setFocus();
        QTest::keyClick(m_text.get(), Qt::Key_Left);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(3));
        QTest::keyClick(m_text.get(), Qt::Key_Down); // the next line
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(6));
    }
    void aLongTextScrollsToTheToken()
    {
        QVERIFY(showText());
        auto places = sample::textPlaces();
        places->samples = {{"long", 0, 600, std::vector<std::string>(600, " something")}};
        m_text->setSample(places, 0);
        m_text->setToken(0);
        QVERIFY(m_text->overflow() > 0);
        QVERIFY(!m_text->tokenRect(0).isEmpty() && m_text->tokenRect(599).isEmpty());
        m_text->setToken(599);
        QVERIFY(m_text->tokenRect(0).isEmpty() && !m_text->tokenRect(599).isEmpty());
        const QPointF middle = m_text->rect().center();
        QWheelEvent up(middle, m_text->mapToGlobal(middle), {}, QPoint(0, 12000), Qt::NoButton, {}, Qt::NoScrollPhase, false);
        QCoreApplication::sendEvent(m_text.get(), &up);
        QVERIFY(!m_text->tokenRect(0).isEmpty());
    }
    void nothingIsShownWithoutASample()
    {
        m_photo->setSample(nullptr, 0);
        QCOMPARE(m_photo->tokens(), 0);
        QSignalSpy chosen(m_photo.get(), &LatentSampleView::tokenChosen);
        QTest::mouseClick(m_photo.get(), Qt::LeftButton, {}, m_photo->rect().center());
        m_photo->setFocus();
        QTest::keyClick(m_photo.get(), Qt::Key_Right);
        QVERIFY(chosen.isEmpty());
        QVERIFY(!painted(*m_photo).isNull());
        QCOMPARE(m_photo->figureCsv().count('\n'), 1);
    }
};

QTEST_MAIN(TstSampleViews)
#include "tst_sample_views.moc"

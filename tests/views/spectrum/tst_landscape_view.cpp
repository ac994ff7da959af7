// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/lab_sample.h"
#include "views/common/theme.h"
#include "views/spectrum/landscape_view.h"
#include "views/vtk/vtk_widget.h"

#include <QApplication>
#include <QComboBox>
#include <QSignalSpy>
#include <QTest>

#include <set>

using namespace tamis;
using namespace tamis::views;

class TstLandscapeView : public QObject {
    Q_OBJECT
    std::unique_ptr<LandscapeView> m_view;

    QImage picture() const { return m_view->snapshot(); }
    QRgb at(const QImage& image, const QPointF& logical) const
    {
        const double ratio = m_view->devicePixelRatioF();
        return image.pixel(static_cast<int>(logical.x() * ratio), static_cast<int>(logical.y() * ratio));
    }
    /// Pixels that are neither the ground nor grey: surface, tube and bar.
    static int coloured(const QImage& image, const QRect& part)
    {
        int count = 0;
        for (int y = part.top(); y <= part.bottom(); ++y)
            for (int x = part.left(); x <= part.right(); ++x)
                count += image.pixelColor(x, y).hslSaturation() > 90 ? 1 : 0;
        return count;
    }
    void drag(const QPoint& from, const QPoint& to)
    {
        auto* scene = m_view->sceneWidget();
        QTest::mousePress(scene, Qt::LeftButton, {}, from);
        for (int i = 1; i <= 8; ++i)
            QTest::mouseMove(scene, from + (to - from) * i / 8);
        QTest::mouseRelease(scene, Qt::LeftButton, {}, to);
    }
    void choose(const char* combo, int index) { m_view->findChild<QComboBox*>(combo)->setCurrentIndex(index); }

private slots:
    void init()
    {
        if (!VtkWidget::available())
            QSKIP("no OpenGL 3.2 here");
        Theme::instance().apply(*qApp, Theme::Mode::Light);
        m_view = std::make_unique<LandscapeView>();
        m_view->resize(700, 480);
        m_view->setLandscape(std::make_shared<const report::Landscape>(report::buildLandscape(*sample::spectra())));
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
        picture();
    }
    void cleanup() { m_view.reset(); }

    void theFirstRoleOfSeveralLayersIsShown()
    {
        QCOMPARE(m_view->role(), QStringLiteral("qkv"));
        const auto* combo = m_view->findChild<QComboBox*>("landscapeRole");
        QStringList roles;
        for (int i = 0; i < combo->count(); ++i)
            roles << combo->itemText(i);
        QCOMPARE(roles, (QStringList{"qkv", "o", "up", "down"})); // the patch embedding has no spectrum
    }

    void heightsHaveViridisColours()
    {
        const QImage image = picture();
        const QColor high(at(image, m_view->toPixel(2, 3))), low(at(image, m_view->toPixel(4, 120)));
        QVERIFY2(high.red() > 120 && high.green() > 120 && high.blue() < 90, qPrintable(high.name())); // yellow
        QVERIFY2(low.blue() > low.red() && low.lightness() < 130, qPrintable(low.name()));             // blue
    }

    void theWholeBoxIsInView()
    {
        const QRect inside = m_view->sceneWidget()->rect();
        for (const std::size_t row : {0U, 5U})
            for (const std::size_t column : {0U, 127U})
                QVERIFY(inside.contains(m_view->toPixel(row, column).toPoint()));
        m_view->resize(360, 260); // and stays so in a smaller widget, as long as nobody has turned it
        QTest::qWait(50);
        picture();
        const QRect smaller = m_view->sceneWidget()->rect();
        QVERIFY(smaller.width() < inside.width());
        for (const std::size_t row : {0U, 5U})
            for (const std::size_t column : {0U, 127U})
                QVERIFY(smaller.contains(m_view->toPixel(row, column).toPoint()));
    }

    void clickingTheSurfacePicksTheLayer()
    {
        QSignalSpy picked(m_view.get(), &LandscapeView::layerPicked);
        for (const std::size_t row : {1U, 4U}) {
            QTest::mouseClick(m_view->sceneWidget(), Qt::LeftButton, {}, m_view->toPixel(row, 60).toPoint());
            QCOMPARE(picked.size(), 1);
            QCOMPARE(picked[0][0].toInt(), static_cast<int>(row));
            QCOMPARE(picked[0][1].toString(), QStringLiteral("qkv"));
            QCOMPARE(picked[0][2].toString(), QStringLiteral("blocks.%1.attn.qkv").arg(row));
            QCOMPARE(m_view->selectedLayer(), static_cast<int>(row));
            picked.clear();
        }
        QTest::mouseClick(m_view->sceneWidget(), Qt::LeftButton, {}, QPoint(3, 3)); // beside it
        QCOMPARE(picked.size(), 0);
    }

    void theSelectedLayerIsHighlighted()
    {
        const QPointF on = m_view->toPixel(3, 64);
        const QRgb before = at(picture(), on);
        m_view->setSelectedLayer(3);
        const QColor tube(at(picture(), on));
        QVERIFY(tube.rgb() != before);
        QVERIFY2(tube.red() > tube.green() + 60 && tube.red() > tube.blue() + 60, qPrintable(tube.name())); // Ink::Loss
        m_view->setSelectedLayer(-1);
        QCOMPARE(at(picture(), on), before);
    }

    void turningAndResetting()
    {
        QSignalSpy picked(m_view.get(), &LandscapeView::layerPicked);
        const QImage before = picture();
        const QPointF corner = m_view->toPixel(0, 0);
        drag(QPoint(200, 200), QPoint(330, 150));
        QCOMPARE(picked.size(), 0);
        const QImage turned = picture();
        QVERIFY((m_view->toPixel(0, 0) - corner).manhattanLength() > 20);
        // The colour bar has its own strip: not a pixel of it depends on how the scene is turned.
        const double ratio = m_view->devicePixelRatioF();
        const QRect strip(before.width() - static_cast<int>(80 * ratio), 0, static_cast<int>(80 * ratio), before.height());
        QCOMPARE(turned.copy(strip), before.copy(strip));
        QVERIFY(coloured(before, strip) > 500);
        QApplication::setActiveWindow(m_view.get()); // no window manager does it here, and shortcuts ask for it
        m_view->sceneWidget()->setFocus();
        QTest::keyClick(m_view->sceneWidget(), Qt::Key_0);
        QVERIFY((m_view->toPixel(0, 0) - corner).manhattanLength() < 1);
        QCOMPARE(picture(), before);
    }

    void theScenesLettersDoNothing()
    {
        const QImage before = picture();
        for (const auto key : {Qt::Key_W, Qt::Key_3, Qt::Key_S, Qt::Key_P, Qt::Key_F})
            QTest::keyClick(m_view->sceneWidget(), key);
        QCOMPARE(picture(), before);
    }

    void indexAndHeightCanBeSwitched()
    {
        const QImage before = picture();
        choose("landscapeIndex", 1);
        const QImage logarithmic = picture();
        QVERIFY(logarithmic != before);
        choose("landscapeHeight", 1);
        QVERIFY(picture() != logarithmic);
        choose("landscapeIndex", 0);
        choose("landscapeHeight", 0);
        QCOMPARE(picture(), before);
    }

    void aLoneLayerIsARibbon()
    {
        auto one = *sample::spectra();
        one.matrices = {one.matrices[1]};
        m_view->setLandscape(std::make_shared<const report::Landscape>(report::buildLandscape(one)));
        const QImage image = picture();
        const int width = image.width() - static_cast<int>(90 * m_view->devicePixelRatioF());
        QVERIFY(coloured(image, QRect(0, 0, width, image.height())) > image.height() * width / 20);
        QSignalSpy picked(m_view.get(), &LandscapeView::layerPicked);
        QTest::mouseClick(m_view->sceneWidget(), Qt::LeftButton, {}, m_view->toPixel(0, 60).toPoint());
        QCOMPARE(picked.size(), 1);
        QCOMPARE(picked[0][0].toInt(), 0);
    }

    void raggedSpectraLeaveABlank()
    {
        auto two = *sample::spectra();
        two.matrices = {sample::matrix("short", 0, "x", 16, 16, 6), sample::matrix("long", 1, "x", 256, 256, 6),
                        sample::matrix("longer", 2, "x", 256, 256, 6)};
        m_view->setLandscape(std::make_shared<const report::Landscape>(report::buildLandscape(two)));
        choose("landscapeIndex", 1);
        picture();
        QSignalSpy picked(m_view.get(), &LandscapeView::layerPicked);
        const auto between = [&](std::size_t a, std::size_t b) { return ((m_view->toPixel(a, 120) + m_view->toPixel(b, 120)) / 2).toPoint(); };
        QTest::mouseClick(m_view->sceneWidget(), Qt::LeftButton, {}, between(1, 2));
        QCOMPARE(picked.size(), 1); // index 120 of 128 in the logarithm: only the long ones reach it
    }

    void nothingToShow()
    {
        m_view->setLandscape(nullptr);
        const QImage image = picture();
        std::set<QRgb> inks;
        for (int x = 0; x < image.width(); x += 3)
            for (int y = 0; y < image.height(); y += 3)
                inks.insert(image.pixel(x, y));
        QCOMPARE(inks.size(), std::size_t{1});
    }

    void colourOfTheGroundFollowsTheTheme()
    {
        QCOMPARE(QColor(picture().pixel(2, 2)), Theme::instance().color(Ink::Panel));
        Theme::instance().apply(*qApp, Theme::Mode::Dark);
        const QColor dark(picture().pixel(2, 2));
        QVERIFY(dark.lightness() < 60);
        // Channels pass through OpenGL as floats: one step of 255 may be lost.
        const QColor wanted = Theme::instance().color(Ink::Panel);
        QVERIFY(std::abs(dark.red() - wanted.red()) <= 1 && std::abs(dark.green() - wanted.green()) <= 1 && std::abs(dark.blue() - wanted.blue()) <= 1);
    }
};

QTEST_MAIN(TstLandscapeView)
#include "tst_landscape_view.moc"

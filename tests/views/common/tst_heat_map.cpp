// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/heat_map.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QDir>
#include <QPainter>
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <limits>

using namespace tamis::views;

class TstHeatMap : public QObject {
    Q_OBJECT
    std::unique_ptr<HeatMap> m_map;

    static HeatGrid grid(bool diverging = false)
    {
        HeatGrid g{.rows = 4, .columns = 6, .rowTitle = "head", .columnTitle = "block", .valueTitle = "map error", .diverging = diverging};
        for (int i = 0; i < 24; ++i)
            g.values.push_back(diverging ? (i - 8) * 0.01 : 0.02 + 0.01 * i);
        return g;
    }
    QColor pixel(int row, int column) const
    {
        const QImage picture = m_map->grab().toImage();
        const double ratio = picture.devicePixelRatio();
        const QRectF cell = m_map->cellRect(row, column); // a corner: numbers stand in the middle
        return picture.pixelColor(static_cast<int>((cell.left() + 3) * ratio), static_cast<int>((cell.top() + 3) * ratio));
    }
    QPoint spot(int row, int column) const { return m_map->cellRect(row, column).center().toPoint(); }

private slots:
    void init()
    {
        m_map = std::make_unique<HeatMap>();
        m_map->setObjectName("map");
        m_map->setGrid(grid());
        m_map->resize(520, 260);
        m_map->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_map.get()));
    }
    void cleanup() { m_map.reset(); }

    void colorsAreThoseOfTheMap()
    {
        QCOMPARE(m_map->range(), std::pair(0.0, 0.25));
        for (const auto& [row, column] : {std::pair{0, 0}, {1, 3}, {3, 5}}) {
            const auto rgb = Theme::viridis((0.02 + 0.01 * (6 * row + column)) / 0.25);
            const QColor shown = pixel(row, column);
            QVERIFY(std::abs(shown.redF() - rgb[0]) < 0.01 && std::abs(shown.greenF() - rgb[1]) < 0.01 && std::abs(shown.blueF() - rgb[2]) < 0.01);
        }
    }

    void aDivergingMapIsSymmetric()
    {
        m_map->setGrid(grid(true));
        QCOMPARE(m_map->range(), std::pair(-0.15, 0.15));
        QCOMPARE(pixel(1, 2), Theme::instance().color(Ink::Panel)); // zero
        QCOMPARE(pixel(3, 5), Theme::instance().seriesColor(1));    // the largest
        for (const bool dark : {false, true}) { // the two ends stay apart, also in grey
            Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
            QVERIFY(Theme::instance().divergingColor(0) != Theme::instance().divergingColor(1));
            QCOMPARE(Theme::instance().divergingColor(-3), Theme::instance().divergingColor(0));
            QCOMPARE(Theme::instance().divergingColor(NAN), Theme::instance().divergingColor(0.5));
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }

    void numbersInCellsCanBeRead()
    {
        // White and a black of luminance 0.007 meet at sqrt(1.05 / 0.057) = 4.29 : 1.
        for (const bool dark : {false, true}) {
            Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
            for (int i = 0; i <= 100; ++i)
                for (const QColor& ground : {Theme::sequentialColor(i / 100.0), Theme::instance().divergingColor(i / 100.0)})
                    QVERIFY2(contrastRatio(ground, Theme::instance().textOn(ground)) >= 4.2, qPrintable(ground.name()));
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }

    void aMissingValueIsAnEmptyCell()
    {
        auto g = grid();
        g.values[7] = std::numeric_limits<double>::quiet_NaN();
        g.values[23] = std::numeric_limits<double>::infinity();
        m_map->setGrid(g);
        QCOMPARE(pixel(1, 1), Theme::instance().color(Ink::Grid));
        QCOMPARE(m_map->range().second, 0.24);
        QVERIFY(m_map->figureCsv().contains("\n1,1,\n"));
    }

    void hoverAndClick()
    {
        QSignalSpy selected(m_map.get(), &HeatMap::cellSelected);
        QTest::mouseMove(m_map.get(), spot(2, 4));
        QCOMPARE(m_map->hoverLines(), (QStringList{"head 2, block 4", "map error  0.18"}));
        QTest::mouseClick(m_map.get(), Qt::LeftButton, {}, spot(2, 4));
        QCOMPARE(selected.size(), 1);
        QCOMPARE(m_map->selected(), std::optional(std::pair(2, 4)));
        QTest::mouseClick(m_map.get(), Qt::LeftButton, {}, QPoint(2, 2)); // beside the cells
        QCOMPARE(selected.size(), 1);
        QEvent leave(QEvent::Leave);
        QApplication::sendEvent(m_map.get(), &leave);
        QVERIFY(m_map->hoverLines().isEmpty());
    }

    void keysWalk()
    {
        QSignalSpy selected(m_map.get(), &HeatMap::cellSelected), cleared(m_map.get(), &HeatMap::selectionCleared);
        m_map->setFocus();
        for (const auto key : {Qt::Key_Right, Qt::Key_Right, Qt::Key_Down, Qt::Key_Left, Qt::Key_Left, Qt::Key_Left})
            QTest::keyClick(m_map.get(), key);
        QCOMPARE(m_map->selected(), std::optional(std::pair(1, 0)));
        QCOMPARE(selected.size(), 6);
        QVERIFY(m_map->accessibleDescription().contains("head 1, block 0: 0.08"));
        QTest::keyClick(m_map.get(), Qt::Key_Escape);
        QVERIFY(!m_map->selected());
        QCOMPARE(cleared.size(), 1);
    }

    void selectionFromOutsideIsQuietAndChecked()
    {
        QSignalSpy selected(m_map.get(), &HeatMap::cellSelected);
        m_map->setSelected({{3, 5}});
        QVERIFY(m_map->selected());
        auto smaller = grid();
        smaller.rows = 2;
        smaller.values.resize(12);
        m_map->setGrid(smaller);
        QVERIFY(!m_map->selected());
        m_map->setSelected({{2, 0}});
        QVERIFY(!m_map->selected());
        QCOMPARE(selected.size(), 0);
    }

    void aGridOfTheWrongSizeShowsNothing()
    {
        auto broken = grid();
        broken.values.pop_back();
        m_map->setGrid(broken);
        QVERIFY(m_map->isEmpty());
        m_map->grab();
        QTest::mouseClick(m_map.get(), Qt::LeftButton, {}, QPoint(200, 100));
        QTest::keyClick(m_map.get(), Qt::Key_Down);
        QVERIFY(!m_map->selected());
        QCOMPARE(m_map->figureCsv().count('\n'), 1);
    }

    void manyCells()
    {
        HeatGrid g{.rows = 64, .columns = 200, .rowTitle = "head", .columnTitle = "block", .valueTitle = "error"};
        for (int i = 0; i < 12800; ++i)
            g.values.push_back(std::sin(0.01 * i));
        g.diverging = true;
        m_map->setGrid(g);
        m_map->resize(300, 200); // cells below two pixels
        m_map->grab();
        QTest::mouseMove(m_map.get(), spot(63, 199));
        QVERIFY(m_map->hoverLines().value(0).startsWith("head 63, block 199"));
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        for (const bool dark : {false, true}) {
            Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
            for (const bool diverging : {false, true}) {
                m_map->setGrid(grid(diverging));
                m_map->setSelected({{1, 3}});
                const QImage picture = m_map->grab().toImage();
                QVERIFY(dark ? picture.pixelColor(5, 5).lightness() < 80 : picture.pixelColor(5, 5).lightness() > 200);
                if (!folder.isEmpty())
                    QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("heat-%1-%2-%3x.png").arg(diverging).arg(dark).arg(picture.devicePixelRatio()))));
            }
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstHeatMap)
#include "tst_heat_map.moc"

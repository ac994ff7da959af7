// SPDX-License-Identifier: GPL-3.0-or-later
// Maps with cells that are no numbers: drawn in a colour of their own, and without a say in the scale.
#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"

#include <QTest>

#include <cmath>
#include <limits>

using namespace tamis::views;

class TstMapNumbers : public QObject {
    Q_OBJECT
    static constexpr int kTokens = 6;
    std::vector<float> m_exact, m_approximate;
    std::unique_ptr<AttentionMaps> m_maps;

    static QColor drawn(AttentionMapView* map, TokenPair pair)
    {
        const QImage shot = map->grab().toImage();
        const QPointF at = map->toPixel(pair) * shot.devicePixelRatio();
        return shot.pixelColor(static_cast<int>(at.x()), static_cast<int>(at.y()));
    }

private slots:
    void init()
    {
        m_exact.assign(kTokens * kTokens, 1.0F / kTokens);
        m_exact[2] = 0.5F;
        m_approximate = m_exact;
        for (int key = 0; key < kTokens; ++key)
            m_approximate[static_cast<std::size_t>(3 * kTokens + key)] = std::numeric_limits<float>::quiet_NaN();
        m_approximate[1] = std::numeric_limits<float>::infinity();
        m_approximate[4] = -std::numeric_limits<float>::infinity();
        m_maps = std::make_unique<AttentionMaps>();
        m_maps->resize(900, 320);
        m_maps->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_maps.get()));
        m_maps->setMaps({kTokens, false, m_exact, m_approximate}, QStringLiteral("approximate"), {});
    }
    void cleanup() { m_maps.reset(); }

    void theScaleIsThatOfFiniteNumbers()
    {
        QCOMPARE(m_maps->exactGrid().most, 0.5);
        QCOMPARE(m_maps->approximateGrid().most, 0.5);
    }
    void cellsThatAreNoNumbersHaveAColourOfTheirOwn()
    {
        const QColor none = AttentionMapView::noNumberColor();
        for (const ColorScale scale : {ColorScale::Linear, ColorScale::Root, ColorScale::Logarithmic}) {
            m_maps->setScale(scale);
            for (auto* map : {m_maps->approximate(), m_maps->difference()}) {
                QCOMPARE(drawn(map, {3, 4}), none);
                QCOMPARE(drawn(map, {0, 1}), none);
                QCOMPARE(drawn(map, {0, 4}), none);
                const QColor seen = drawn(map, {5, 5});
                QVERIFY(seen != none);
                const QColor expected = map->colorOf(*map->value({5, 5}));
                QVERIFY(std::abs(seen.red() - expected.red()) + std::abs(seen.green() - expected.green()) + std::abs(seen.blue() - expected.blue()) < 9); // a table of 256
            }
            QVERIFY(drawn(m_maps->exact(), {3, 4}) != none);
        }
        for (int i = 0; i <= 100; ++i)
            for (auto* map : {m_maps->exact(), m_maps->difference()}) {
                const QColor value = map->colorOf(0.005 * i);
                QVERIFY(std::abs(value.red() - none.red()) + std::abs(value.green() - none.green()) + std::abs(value.blue() - none.blue()) > 60);
            }
    }
    void theHoverSaysSo()
    {
        m_maps->approximate()->setPointed(TokenPair{3, 2});
        QVERIFY(m_maps->approximate()->hoverLines().last().contains(QStringLiteral("no finite number")));
        m_maps->approximate()->setPointed(TokenPair{2, 2});
        QVERIFY(!m_maps->approximate()->hoverLines().last().contains(QStringLiteral("no finite number")));
    }
    void theLensDoesLikewise()
    {
        AttentionLens lens;
        lens.setLayout({.prefixTokens = 0, .gridHeight = 2, .gridWidth = 3}, {});
        lens.resize(500, 300);
        lens.setMaps(m_maps->exactGrid(), m_maps->approximateGrid(), QStringLiteral("approximate"));
        lens.setQuery(0);
        QCOMPARE(lens.tokenColor(true, 1), AttentionMapView::noNumberColor());
        QVERIFY(lens.tokenColor(true, 2) == lens.tokenColor(false, 2)); // the same number on the same finite scale
        QVERIFY(lens.tokenColor(true, 2) != lens.tokenColor(true, 3));
        QVERIFY(!lens.tokenColor(true, kTokens).isValid());
    }
};

QTEST_MAIN(TstMapNumbers)
#include "tst_map_numbers.moc"

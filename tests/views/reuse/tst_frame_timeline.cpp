// SPDX-License-Identifier: GPL-3.0-or-later
// What is saved and lost over time: points at the heights of their numbers, marks where they belong, clicks, drags and keys that go to a frame.
#include "tests/views/reuse/reuse_sample.h"
#include "views/common/figure_export.h"
#include "views/reuse/frame_timeline.h"

#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstFrameTimeline : public QObject {
    Q_OBJECT
    std::unique_ptr<FrameTimeline> m_line;
    QPoint at(int frame) const { return {static_cast<int>(std::lround(m_line->xOf(frame))), static_cast<int>(m_line->stripArea(1).center().y())}; }

private slots:
    void init()
    {
        m_line = std::make_unique<FrameTimeline>();
        m_line->resize(900, 260);
        m_line->setRuns(shownRuns(test::sampleReuse()), 0, -1);
        m_line->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_line.get()));
    }
    void cleanup() { m_line.reset(); }

    void heightsAreInProportion()
    {
        const QRectF errors = m_line->stripArea(FrameTimeline::ErrorStrip), macs = m_line->stripArea(FrameTimeline::MacsStrip);
        const auto above = [](const QRectF& area, const QPointF& point) { return area.bottom() - point.y(); };
        // Errors of 0.09 and 0.03, on an axis from zero.
        QVERIFY(std::abs(above(errors, m_line->pointOf(FrameTimeline::ErrorStrip, 9)) / above(errors, m_line->pointOf(FrameTimeline::ErrorStrip, 3)) - 3) < 1e-9);
        QCOMPARE(above(errors, m_line->pointOf(FrameTimeline::ErrorStrip, 0)), 0.0);
        // MACs of 23 % against a key frame's 100 %.
        QVERIFY(std::abs(above(macs, m_line->pointOf(FrameTimeline::MacsStrip, 3)) / above(macs, m_line->pointOf(FrameTimeline::MacsStrip, 5)) - 0.23) < 1e-9);
        for (int strip = 0; strip < FrameTimeline::kStrips; ++strip)
            for (int frame = 0; frame < 10; ++frame) {
                QVERIFY(m_line->stripArea(strip).adjusted(0, -0.01, 0, 0.01).contains(m_line->pointOf(strip, frame)));
                QCOMPARE(m_line->pointOf(strip, frame).x(), m_line->xOf(frame)); // linked
            }
        QVERIFY(m_line->stripArea(0).bottom() < m_line->stripArea(1).top() && m_line->stripArea(1).bottom() < m_line->stripArea(2).top());
    }

    void marks()
    {
        QCOMPARE(m_line->keyFrames(), (std::vector<int>{0, 5}));
        QCOMPARE(m_line->flips(), (std::vector<int>{7}));
        m_line->setRuns(shownRuns(test::sampleReuse()), 1, 0);
        QVERIFY(m_line->flips().empty()); // of the other run
    }

    void clickAndDragGoToAFrame()
    {
        QSignalSpy chosen(m_line.get(), &FrameTimeline::frameChosen);
        QTest::mousePress(m_line.get(), Qt::LeftButton, {}, at(3));
        QCOMPARE(chosen.size(), 1);
        QCOMPARE(chosen[0][0].toInt(), 3);
        QCOMPARE(chosen[0][1].toBool(), false);
        QTest::mouseMove(m_line.get(), at(6));
        QTRY_COMPARE(m_line->frame(), 6);
        QTest::mouseRelease(m_line.get(), Qt::LeftButton, {}, at(8));
        QCOMPARE(m_line->frame(), 8);
        QCOMPARE(chosen.last()[0].toInt(), 8);
        QCOMPARE(chosen.last()[1].toBool(), true);
        // Beside the strips nothing is chosen.
        const auto before = chosen.size();
        QTest::mouseClick(m_line.get(), Qt::LeftButton, {}, QPoint(m_line->width() - 4, 100));
        QCOMPARE(chosen.size(), before);
    }

    void keysGoToAFrame()
    {
        m_line->setFocus();
        QSignalSpy chosen(m_line.get(), &FrameTimeline::frameChosen);
        for (const auto& [key, frame] : {std::pair(Qt::Key_Right, 1), std::pair(Qt::Key_End, 9), std::pair(Qt::Key_Right, 9), std::pair(Qt::Key_Left, 8), std::pair(Qt::Key_PageUp, 0), std::pair(Qt::Key_PageDown, 9), std::pair(Qt::Key_Home, 0)}) {
            QTest::keyClick(m_line.get(), key);
            QCOMPARE(m_line->frame(), frame);
        }
        QCOMPARE(chosen.size(), 7);
    }

    void hoverTellsOfBothRuns()
    {
        m_line->setRuns(shownRuns(test::sampleReuse()), 0, 1);
        QTest::mouseMove(m_line.get(), at(7));
        QTRY_VERIFY(!m_line->hoverLines().isEmpty());
        const QString all = m_line->hoverLines().join('\n');
        QVERIFY(all.startsWith("Frame 8\n"));
        QVERIFY(all.contains("threshold 0.1") && all.contains("threshold 0.3"));
        QVERIFY(all.contains("fox instead of dog"));
        QVERIFY(all.contains("MACs 27.0\u202f%, error 0.07, KL 0.007"));
    }

    void framesStillToCome()
    {
        auto partial = test::sampleReuse();
        partial->runs[0].frames.resize(4);
        m_line->setRuns(shownRuns(partial), 0, -1);
        QCOMPARE(m_line->pointOf(0, 4), QPointF(-1, -1));
        QVERIFY(m_line->pointOf(0, 3) != QPointF(-1, -1));
        QCOMPARE(m_line->frameCount(), 10); // places stay where they are
        partial->runs[0].frames[2].kl = report::kNotMeasured;
        m_line->setRuns(shownRuns(partial), 0, -1);
        QCOMPARE(m_line->pointOf(FrameTimeline::KlStrip, 2), QPointF(-1, -1));
        QVERIFY(!figureImage(*m_line, 1).isNull());
        m_line->setRuns(nullptr, -1, -1);
        QCOMPARE(m_line->frameCount(), 0);
        QTest::mouseClick(m_line.get(), Qt::LeftButton, {}, QPoint(300, 100));
        QVERIFY(!figureImage(*m_line, 1).isNull());
    }

    void cutsAreDrawnBetweenFrames()
    {
        const QImage without = figureImage(*m_line, 1);
        m_line->setSceneCuts({4});
        const QImage with = figureImage(*m_line, 1);
        const int x = static_cast<int>(m_line->xOf(3.5));
        int changed = 0;
        for (int y = static_cast<int>(m_line->stripArea(0).top()); y < static_cast<int>(m_line->stripArea(2).bottom()); ++y)
            for (int dx = -1; dx <= 1; ++dx)
                changed += with.pixel(x + dx, y) != without.pixel(x + dx, y);
        QVERIFY(changed > 40);
    }

    void tableOfFrames()
    {
        m_line->setCaption("motion");
        m_line->setRuns(shownRuns(test::sampleReuse()), 0, 1);
        const QStringList lines = figureTable(*m_line).trimmed().split('\n');
        QCOMPARE(lines.size(), 2 + 20);
        QCOMPARE(lines[0], QString("# motion"));
        QCOMPARE(lines[2], QString("\"Token gate, threshold 0.1\",0,f0.jpg,1,1000,1000,4,4,0,0,1,1,6,0,0,0,0,0"));
        QCOMPARE(lines[9], QString("\"Token gate, threshold 0.1\",7,f7.jpg,0,270,1000,1,4,0.07,0.007,2,1,1,4,1,0,0,0"));
    }
};

QTEST_MAIN(TstFrameTimeline)
#include "tst_frame_timeline.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Repaints wait for a picture, but never for ever.
#include "app/window/repaint_delay.h"

#include <QElapsedTimer>
#include <QPaintEvent>
#include <QTest>

#include <memory>

using namespace tamis::app;
using namespace std::chrono_literals;

namespace {
struct Canvas : QWidget {
    int paints = 0;
    void paintEvent(QPaintEvent*) override { ++paints; }
};
} // namespace

class TstRepaintDelay : public QObject {
    Q_OBJECT
    std::unique_ptr<QWidget> m_window;
    Canvas* m_canvas = nullptr;

private slots:
    void init()
    {
        m_window = std::make_unique<QWidget>();
        m_canvas = new Canvas;
        m_canvas->setParent(m_window.get());
        m_canvas->setGeometry(10, 10, 80, 60);
        m_window->resize(200, 100);
        m_window->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
        QTRY_VERIFY(m_canvas->paints > 0);
        QTest::qWait(20);
        m_canvas->paints = 0;
    }
    void cleanup() { m_window.reset(); }

    void anEditAndItsPictureAreOneRepaint()
    {
        RepaintDelay delay(1h);
        delay.await(m_canvas);
        m_canvas->update(); // the edit
        QTest::qWait(50);
        QCOMPARE(m_canvas->paints, 0);
        m_canvas->update(); // its picture
        delay.release();
        QTRY_COMPARE(m_canvas->paints, 1);
        QTest::qWait(50);
        QCOMPARE(m_canvas->paints, 1);
        m_canvas->update(); // nothing waits any more
        QTRY_COMPARE(m_canvas->paints, 2);
    }
    void withoutAPictureItIsPaintedAllTheSame()
    {
        RepaintDelay delay(5ms);
        delay.await(m_canvas);
        m_canvas->update();
        QTRY_COMPARE(m_canvas->paints, 1);
    }
    void aSecondEditDoesNotPutItOff()
    {
        RepaintDelay delay(30ms);
        delay.await(m_canvas);
        m_canvas->update();
        QElapsedTimer clock;
        clock.start();
        while (m_canvas->paints == 0 && clock.elapsed() < 5000) {
            delay.await(m_canvas); // more often than the delay is long
            QTest::qWait(1);
        }
        QCOMPARE(m_canvas->paints, 1);
    }
    void nothingToPaintIsNothingPainted()
    {
        RepaintDelay delay(1h);
        delay.await(m_canvas);
        delay.release();
        delay.release();
        QTest::qWait(30);
        QCOMPARE(m_canvas->paints, 0);
    }
    void goingAwayLetsGo()
    {
        {
            RepaintDelay delay(1h);
            delay.await(m_canvas);
            m_canvas->update();
            QTest::qWait(20);
        }
        QTRY_COMPARE(m_canvas->paints, 1);
        RepaintDelay other(1h);
        other.await(m_canvas);
        m_window.reset(); // before it is released
        other.release();
    }
};

QTEST_MAIN(TstRepaintDelay)
#include "tst_repaint_delay.moc"

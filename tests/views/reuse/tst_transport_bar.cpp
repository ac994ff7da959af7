// SPDX-License-Identifier: GPL-3.0-or-later
// Play, pause, step, scrub: with the mouse and the keys as a user does.
#include "views/reuse/transport_bar.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace tamis::views;

class TstTransportBar : public QObject {
    Q_OBJECT
    std::unique_ptr<TransportBar> m_bar;
    void click(const char* name) { QTest::mouseClick(m_bar->findChild<QToolButton*>(QLatin1String(name)), Qt::LeftButton); }

private slots:
    void init()
    {
        m_bar = std::make_unique<TransportBar>();
        m_bar->resize(600, 50);
        m_bar->setFrameCount(20);
        m_bar->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_bar.get()));
    }
    void cleanup() { m_bar.reset(); }

    void steps()
    {
        QSignalSpy changed(m_bar.get(), &TransportBar::frameChanged);
        click("nextFrame");
        QCOMPARE(m_bar->frame(), 1);
        click("lastFrame");
        QCOMPARE(m_bar->frame(), 19);
        click("nextFrame");
        QCOMPARE(m_bar->frame(), 19); // steps end there
        click("previousFrame");
        QCOMPARE(m_bar->frame(), 18);
        click("firstFrame");
        QCOMPARE(m_bar->frame(), 0);
        QCOMPARE(changed.size(), 4);
        QCOMPARE(m_bar->findChild<QLabel*>("framePosition")->text(), QString("1 of 20"));
        m_bar->setFrame(5);
        QCOMPARE(changed.size(), 4); // not the user
        m_bar->setFrame(99);
        QCOMPARE(m_bar->frame(), 19);
    }

    void playsRoundAndPauses()
    {
        auto* speed = m_bar->findChild<QComboBox*>("frameSpeed");
        speed->setCurrentIndex(speed->count() - 1);
        QCOMPARE(m_bar->framesPerSecond(), 25.0);
        m_bar->setFrame(18);
        QSignalSpy playing(m_bar.get(), &TransportBar::playingChanged);
        QSignalSpy changed(m_bar.get(), &TransportBar::frameChanged);
        click("playFrames");
        QVERIFY(m_bar->isPlaying());
        QTRY_VERIFY(changed.size() >= 3);
        QCOMPARE(changed[0][0].toInt(), 19);
        QCOMPARE(changed[1][0].toInt(), 0);
        QCOMPARE(changed[2][0].toInt(), 1);
        click("playFrames");
        QVERIFY(!m_bar->isPlaying());
        const auto still = changed.size();
        QTest::qWait(120);
        QCOMPARE(changed.size(), still);
        QCOMPARE(playing.size(), 2);
    }

    void aHandOnTheSliderPauses()
    {
        click("playFrames");
        QVERIFY(m_bar->isPlaying());
        m_bar->slider()->setFocus();
        QTest::keyClick(m_bar->slider(), Qt::Key_End);
        QVERIFY(!m_bar->isPlaying());
        QCOMPARE(m_bar->frame(), 19);
        click("playFrames");
        click("nextFrame");
        QVERIFY(!m_bar->isPlaying());
    }

    void aPressGoesToItsFrame()
    {
        auto* slider = m_bar->slider();
        QSignalSpy changed(m_bar.get(), &TransportBar::frameChanged);
        const QPoint there(static_cast<int>(std::lround(slider->xOf(12))), slider->height() / 2);
        QTest::mousePress(slider, Qt::LeftButton, {}, there);
        QCOMPARE(m_bar->frame(), 12);
        QTest::mouseMove(slider, there + QPoint(static_cast<int>(slider->xOf(15) - slider->xOf(12)), 0));
        QTRY_COMPARE(m_bar->frame(), 15);
        QTest::mouseRelease(slider, Qt::LeftButton, {}, there);
        QVERIFY(!changed.isEmpty());
    }

    void marksStandAtTheirFrames()
    {
        auto* slider = m_bar->slider();
        const QImage without = slider->grab().toImage();
        m_bar->setMarks({4}, {9});
        const QImage with = slider->grab().toImage();
        const auto differs = [&](int frame) {
            const int x = static_cast<int>(std::lround(slider->xOf(frame)));
            for (int y = slider->height() - 8; y < slider->height(); ++y)
                if (with.pixel(x, y) != without.pixel(x, y))
                    return true;
            return false;
        };
        QVERIFY(differs(4) && differs(9));
        QVERIFY(!differs(6) && !differs(14));
    }

    void nothingToPlay()
    {
        m_bar->setFrameCount(0);
        QVERIFY(!m_bar->isEnabled());
        m_bar->play();
        QVERIFY(!m_bar->isPlaying());
        m_bar->step(1);
        QCOMPARE(m_bar->frame(), 0);
    }
};

QTEST_MAIN(TstTransportBar)
#include "tst_transport_bar.moc"

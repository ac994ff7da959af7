// SPDX-License-Identifier: GPL-3.0-or-later
// The step player, by keys and mouse: forward and back, why something left, playing, two policies side by side.
#include "tests/views/cache_sample.h"
#include "views/cache/step_board.h"
#include "views/cache/step_tape.h"
#include "views/cache/steps_page.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

using namespace tamis;
using namespace tamis::views;
using namespace tamis::test;

class TstStepsPage : public QObject {
    Q_OBJECT
    std::unique_ptr<StepsPage> m_page;
    template <class T> T* child(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }
    QString outcome() const { return child<QLabel>("stepBoardOutcome")->text(); }

private slots:
    void init()
    {
        m_page = std::make_unique<StepsPage>();
        m_page->resize(900, 600);
        m_page->setPolicies({{"cache.lru", "LRU", {}, false, {}}, {"cache.arc", "ARC", {}, false, {}}});
        m_page->setNothing(false);
        m_page->setChoice("cache.lru", {}, 2, 40, 1000);
        m_page->setSteps(stepSample(), nullptr);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->activateWindow();
        m_page->setFocus();
    }
    void cleanup() { m_page.reset(); }

    void keysMove()
    {
        QSignalSpy moved(m_page.get(), &StepsPage::positionEdited);
        QTest::keyClick(m_page.get(), Qt::Key_Right);
        QCOMPARE(m_page->position(), 1);
        QVERIFY2(outcome().contains("one: miss, taken in. seven left: least recently requested of the 2 held; wanted again in 12 requests."), qPrintable(outcome()));
        QTest::keyClick(m_page.get(), Qt::Key_End);
        QCOMPARE(m_page->position(), 5);
        QVERIFY(outcome().contains("nine: miss, not taken in."));
        QTest::keyClick(m_page.get(), Qt::Key_Left);
        QTest::keyClick(m_page.get(), Qt::Key_Left);
        QVERIFY(outcome().startsWith("one: hit."));
        QVERIFY(outcome().contains("1 of 3"));
        QTest::keyClick(m_page.get(), Qt::Key_Home);
        QTest::keyClick(m_page.get(), Qt::Key_Left); // nothing before
        QCOMPARE(m_page->position(), 0);
        QCOMPARE(moved.size(), 5);
        QTest::keyClick(m_page.get(), Qt::Key_PageDown);
        QCOMPARE(m_page->position(), 5);
    }
    void cellsKeepTheirColours()
    {
        const StepBoard& board = *m_page->board();
        const QColor eight = board.cellColour(1), seven = board.cellColour(0);
        QVERIFY(seven != eight);
        QTest::keyClick(m_page.get(), Qt::Key_Right);
        QCOMPARE(board.cellColour(1), eight);
        QVERIFY(board.cellColour(0) != seven);
        QTest::keyClick(m_page.get(), Qt::Key_Left);
        QCOMPARE(board.cellColour(0), seven);
        QVERIFY(board.cellRect(0).width() > 40 && board.cellRect(1).width() == board.cellRect(0).width());
        QVERIFY(board.cellRect(2).isEmpty());
        const QImage picture = m_page->board()->grab().toImage();
        const double ratio = picture.devicePixelRatio();
        QCOMPARE(picture.pixelColor(((board.cellRect(1).bottomLeft() + QPointF(6, -8)) * ratio).toPoint()), eight);
    }
    void whoLeftIsSeenInTheCell()
    {
        QTest::keyClick(m_page.get(), Qt::Key_Right);
        const StepBoard& board = *m_page->board();
        QTest::mouseMove(m_page->board(), board.cellRect(0).center().toPoint());
        QTRY_COMPARE(board.hoverLines(), QStringList({"cell 1", "one", "seven has just left", "wanted again in 12 requests"}));
        const QImage picture = m_page->board()->grab().toImage();
        QCOMPARE(picture.pixelColor(((board.cellRect(0).topRight() + QPointF(-2.5, 2.5)) * picture.devicePixelRatio()).toPoint()), Theme::instance().color(Ink::Error));
    }
    void theTapeAndTheSliderGoThere()
    {
        auto* slider = child<QSlider>("stepScrub");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Right);
        QTest::keyClick(slider, Qt::Key_Right);
        QCOMPARE(m_page->position(), 2);
        const QRectF fourth = m_page->tape()->requestRect(3);
        QVERIFY(!fourth.isEmpty());
        QTest::mouseClick(m_page->tape(), Qt::LeftButton, {}, fourth.center().toPoint());
        QCOMPARE(m_page->position(), 4);
        QCOMPARE(slider->value(), 4);
        QTest::mouseClick(child<QToolButton>("stepBack"), Qt::LeftButton);
        QCOMPARE(m_page->position(), 3);
    }
    void playsToTheEndAndHalts()
    {
        child<QSpinBox>("stepSpeed")->setValue(60);
        QTest::keyClick(m_page.get(), Qt::Key_Space);
        QVERIFY(m_page->isPlaying());
        QTRY_COMPARE(m_page->position(), 5);
        QTRY_VERIFY(!m_page->isPlaying());
        QVERIFY(!child<QToolButton>("stepPlay")->isChecked());
        QTest::keyClick(m_page.get(), Qt::Key_Home);
        QTest::mouseClick(child<QToolButton>("stepPlay"), Qt::LeftButton);
        QVERIFY(m_page->isPlaying());
        m_page->hide(); // nothing runs out of sight
        QVERIFY(!m_page->isPlaying());
    }
    void twoSideBySide()
    {
        QVERIFY(!m_page->besideBoard()->isVisible());
        QTest::keyClick(m_page.get(), Qt::Key_Right);
        auto other = stepSample("ARC");
        other->steps[0].evicted[0] = {8, 1, "from the end of T1", -1};
        other->steps[0].cell = 1;
        m_page->setSteps(stepSample(), other);
        QVERIFY(m_page->besideBoard()->isVisible());
        QCOMPARE(m_page->position(), 1); // stays
        QCOMPARE(m_page->besideBoard()->playback().position(), 1);
        QVERIFY(child<QLabel>("stepBoardBesideOutcome")->text().contains("eight left: from the end of T1; never wanted again."));
        QVERIFY(child<QLabel>("stepBoardBesideTitle")->text().startsWith("ARC"));
    }
    void choicesAreTold()
    {
        QSignalSpy policy(m_page.get(), &StepsPage::policyEdited), beside(m_page.get(), &StepsPage::besideEdited), cells(m_page.get(), &StepsPage::cellsEdited), first(m_page.get(), &StepsPage::firstEdited);
        auto* box = child<QComboBox>("stepPolicy");
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Down);
        QCOMPARE(policy.size(), 1);
        QCOMPARE(policy[0][0].toString(), QStringLiteral("cache.arc"));
        auto* other = child<QComboBox>("stepBeside");
        other->setFocus();
        QTest::keyClick(other, Qt::Key_Down);
        QCOMPARE(beside[0][0].toString(), QStringLiteral("cache.lru"));
        child<QSpinBox>("stepCells")->setValue(64);
        QCOMPARE(cells[0][0].toInt(), 64);
        child<QSpinBox>("stepFirst")->setValue(7);
        QCOMPARE(first[0][0].toLongLong(), 7);
        m_page->setChoice("cache.lru", {}, 8, 3, 10);
        QCOMPARE(cells.size(), 1);
        QCOMPARE(child<QSpinBox>("stepFirst")->maximum(), 9);
    }
    void stepsAreExported()
    {
        const QString csv = m_page->board()->figureCsv();
        QVERIFY(csv.startsWith("request,object,hit,evicted,why,wanted again in\n40,one,0,seven,least recently requested of the 2 held,12\n"));
        QVERIFY(csv.contains("42,one,1,,,\n") && csv.contains("41,two,0,eight,least recently requested of the 2 held,never\n"));
    }
};

QTEST_MAIN(TstStepsPage)
#include "tst_steps_page.moc"

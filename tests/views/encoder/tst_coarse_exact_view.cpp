// SPDX-License-Identifier: GPL-3.0-or-later
// One token's exact set and its coarse order: lines, the cut under mouse and keys, what is said and exported.
#include "tests/views/encoder_sample.h"
#include "views/common/figure_export.h"
#include "views/encoder/coarse_exact_view.h"

#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstCoarseExactView : public QObject {
    Q_OBJECT
    std::unique_ptr<CoarseExactView> m_view;

private slots:
    void init()
    {
        m_view = std::make_unique<CoarseExactView>();
        m_view->resize(900, 600);
        m_view->setRanking(sample::ranking());
        m_view->setCut(4);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void linesEndWhereLatentsLanded()
    {
        for (int i = 0; i + 1 < 4; ++i) {
            QVERIFY(m_view->exactPoint(i).y() < m_view->exactPoint(i + 1).y());
            QVERIFY(m_view->landedPoint(i).y() < m_view->landedPoint(i + 1).y()); // 0, 1, 40, 50
        }
        QVERIFY(m_view->exactPoint(0).x() < m_view->landedPoint(0).x());
        // A cut of K lies below the place K - 1 and above the place K, counted from 0.
        QVERIFY(m_view->cutHandle(41).y() > m_view->landedPoint(2).y());
        QVERIFY(m_view->cutHandle(40).y() < m_view->landedPoint(2).y());
        QCOMPARE(m_view->found(), std::int64_t(2));
    }
    void theCutIsDraggedAndRecallFollows()
    {
        QSignalSpy moved(m_view.get(), &CoarseExactView::cutMoved);
        QTest::mousePress(m_view.get(), Qt::LeftButton, {}, m_view->cutHandle(4).toPoint());
        QTest::mouseMove(m_view.get(), m_view->cutHandle(20).toPoint());
        QVERIFY(!moved.isEmpty());
        QVERIFY(!moved.last().at(1).toBool());
        QCOMPARE(m_view->found(), std::int64_t(2));
        m_view->setCut(4); // what the session says while the hand holds the line does not move it
        QVERIFY(m_view->cut() > 10);
        QTest::mouseMove(m_view.get(), m_view->cutHandle(60).toPoint());
        QTest::mouseRelease(m_view.get(), Qt::LeftButton, {}, m_view->cutHandle(60).toPoint());
        QVERIFY(moved.last().at(1).toBool());
        QCOMPARE(moved.last().at(0).toLongLong(), qlonglong(m_view->cut()));
        QVERIFY(m_view->cut() > 51 && m_view->cut() < 70); // a pixel is more than one place there
        QCOMPARE(m_view->found(), std::int64_t(4));
    }
    void aPressElsewhereMovesNothing()
    {
        QSignalSpy moved(m_view.get(), &CoarseExactView::cutMoved);
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, m_view->cutHandle(200).toPoint());
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, m_view->exactPoint(1).toPoint());
        QVERIFY(moved.isEmpty());
        QCOMPARE(m_view->cut(), std::int64_t(4));
    }
    void keysMoveTheCut()
    {
        QSignalSpy moved(m_view.get(), &CoarseExactView::cutMoved);
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_Down);
        QCOMPARE(m_view->cut(), std::int64_t(5));
        QVERIFY(moved.last().at(1).toBool());
        QTest::keyClick(m_view.get(), Qt::Key_Up);
        QTest::keyClick(m_view.get(), Qt::Key_Up);
        QCOMPARE(m_view->cut(), std::int64_t(3));
        m_view->setCut(200);
        QTest::keyClick(m_view.get(), Qt::Key_Down, Qt::ShiftModifier);
        QCOMPARE(m_view->cut(), std::int64_t(220));
        m_view->setCut(1);
        QTest::keyClick(m_view.get(), Qt::Key_Up);
        QCOMPARE(m_view->cut(), std::int64_t(1)); // at least one candidate
        m_view->setCut(1000);
        QTest::keyClick(m_view.get(), Qt::Key_Down);
        QCOMPARE(m_view->cut(), std::int64_t(1000)); // there are no more latents
    }
    void hoverSaysWhatALatentIs()
    {
        QTest::mouseMove(m_view.get(), QPointF(m_view->exactPoint(2) - QPointF(30, 0)).toPoint());
        QCOMPARE(m_view->hoverLines().value(0), QStringLiteral("Latent 15"));
        QVERIFY(m_view->hoverLines().value(2).contains("place 41"));
        QVERIFY(m_view->hoverLines().value(2).contains("beyond the cut"));
        QTest::mouseMove(m_view.get(), QPointF(m_view->landedPoint(1) + QPointF(20, 0)).toPoint());
        QCOMPARE(m_view->hoverLines().value(0), QStringLiteral("Place 2: latent 11"));
        QCOMPARE(m_view->hoverLines().value(2), QStringLiteral("in the exact set"));
        QTest::mouseMove(m_view.get(), {2, 2});
        QVERIFY(m_view->hoverLines().isEmpty());
    }
    void anEncoderWithoutACoarseOrderHasNoCut()
    {
        auto returned = sample::ranking();
        returned->coarse = false;
        returned->ranked.resize(2);
        returned->exact[2].place = returned->exact[3].place = -1;
        m_view->setRanking(returned);
        QCOMPARE(m_view->found(), std::int64_t(2));
        QVERIFY(m_view->landedPoint(2).y() > m_view->landedPoint(1).y()); // what is not found lies below
        QSignalSpy moved(m_view.get(), &CoarseExactView::cutMoved);
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_Down);
        QVERIFY(moved.isEmpty());
        QVERIFY(!m_view->grab().isNull());
    }
    void exportsCarryTheTokenAndTheCut()
    {
        m_view->setCaption(QStringLiteral("encoder.low-rank, rank 8"));
        const QString table = figureTable(*m_view);
        QVERIFY(table.startsWith("# encoder.low-rank, rank 8, token 2, cut at 4\n"));
        QVERIFY(table.contains("3,15,2,41,0\n"));
        QVERIFY(table.contains("1,10,4,1,1\n"));
        QCOMPARE(figureImage(*m_view, 1).width(), 900);
    }
    void withoutATokenItSaysSo()
    {
        m_view->setRanking(nullptr);
        QCOMPARE(m_view->found(), std::int64_t(0));
        QVERIFY(m_view->hoverLines().isEmpty());
        QTest::mouseMove(m_view.get(), {200, 200});
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, {200, 200});
        QVERIFY(!m_view->grab().isNull());
    }
    void aTokenWithoutPositiveLatentsIsDrawn()
    {
        auto none = sample::ranking();
        none->exact.clear();
        m_view->setRanking(none);
        QCOMPARE(m_view->found(), std::int64_t(0));
        QVERIFY(!m_view->grab().isNull());
    }
};

QTEST_MAIN(TstCoarseExactView)
#include "tst_coarse_exact_view.moc"

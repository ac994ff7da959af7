// SPDX-License-Identifier: GPL-3.0-or-later
// Attention methods compared: trivial operators always drawn, axes, what a click reads and a double click takes, the CSV.
#include "tests/views/attention_lab_sample.h"
#include "views/attention/attention_compare_page.h"
#include "views/attention/attention_frontier.h"

#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstAttentionFrontier : public QObject {
    Q_OBJECT
    std::unique_ptr<AttentionComparePage> m_page;
    AttentionFrontier* chart() const { return m_page->chart(); }
    template <class T> T* part(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }

private slots:
    void init()
    {
        m_page = std::make_unique<AttentionComparePage>();
        m_page->resize(1000, 640);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->setComparison(sample::attentionComparison());
    }
    void cleanup() { m_page.reset(); }

    void everyPointButTheFailedOneIsDrawn()
    {
        QCOMPARE(chart()->shownPoints(), 6);
        QCOMPARE(chart()->toPixel(4), QPointF(-1, -1));
        QVERIFY(part<QLabel>("attentionCompareState")->text().contains("7 points, 1 left out"));
        QVERIFY(part<QLabel>("attentionCompareState")->toolTip().contains("too few features"));
        // Less error is upwards, cheaper to the left.
        QVERIFY(chart()->toPixel(2).y() < chart()->toPixel(1).y());
        QVERIFY(chart()->toPixel(1).x() < chart()->toPixel(2).x());
        QVERIFY(chart()->toPixel(0).y() <= chart()->toPixel(2).y());
    }
    void trivialOperatorsStayWithEveryCost()
    {
        auto* cost = part<QComboBox>("attentionCost");
        for (int at = 0; at < cost->count(); ++at) {
            cost->setCurrentIndex(at);
            QVERIFY2(chart()->toPixel(5) != QPointF(-1, -1), "zero has no latency, and is drawn");
            QVERIFY(chart()->toPixel(6) != QPointF(-1, -1));
            const double y = chart()->toPixel(6).y();
            const QImage shot = chart()->grab().toImage();
            const double ratio = shot.devicePixelRatio();
            int marked = 0; // a dashed line from side to side at its error
            const QColor ground = shot.pixelColor(int(ratio * (chart()->toPixel(0).x() + 4)), int(ratio * (y + 7)));
            for (int x = 120; x < 600; ++x)
                marked += shot.pixelColor(int(ratio * x), int(ratio * y)) != ground ? 1 : 0;
            QVERIFY2(marked > 150, qPrintable(QString::number(marked)));
        }
    }
    void axesSwitch()
    {
        auto* upwards = part<QComboBox>("attentionError");
        upwards->setFocus();
        QTest::keyClick(upwards, Qt::Key_Down);
        QCOMPARE(chart()->error(), AttentionError::Map);
        upwards->setCurrentIndex(upwards->findText(attentionErrorTitle(AttentionError::Agreement)));
        QCOMPARE(chart()->shownPoints(), 3);
        QVERIFY(chart()->toPixel(2).y() < chart()->toPixel(1).y()); // more is better
        upwards->setCurrentIndex(upwards->findText(attentionErrorTitle(AttentionError::Perplexity)));
        QCOMPARE(chart()->shownPoints(), 0);
    }
    void aClickReadsAndADoubleClickTakes()
    {
        QSignalSpy read(m_page.get(), &AttentionComparePage::pointActivated), taken(m_page.get(), &AttentionComparePage::pointTaken);
        const QPoint at = chart()->toPixel(1).toPoint();
        QTest::mouseMove(chart(), at);
        QTest::mouseClick(chart(), Qt::LeftButton, {}, at);
        QCOMPARE(read.last().first().toInt(), 1);
        QCOMPARE(chart()->chosen(), 1);
        QVERIFY(part<QLabel>("attentionPoint")->text().contains("landmarks 8"));
        QCOMPARE(taken.size(), 0);
        QTest::mouseDClick(chart(), Qt::LeftButton, {}, at);
        QCOMPARE(taken.size(), 1);
        QCOMPARE(taken.last().first().toInt(), 1);
        QTest::mouseDClick(chart(), Qt::LeftButton, {}, QPoint(3, 3)); // where no point is
        QCOMPARE(taken.size(), 1);
        chart()->setFocus();
        QTest::keyClick(chart(), Qt::Key_Right);
        QTest::keyClick(chart(), Qt::Key_Return);
        QCOMPARE(taken.size(), 2);
        QVERIFY(taken.last().first().toInt() != 1);
    }
    void theTableHasEveryPoint()
    {
        const QStringList lines = chart()->figureCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 8);
        QVERIFY2(lines[2].startsWith("attention.nystrom,Nyström,landmarks 8,0,0,300,150,0.2,0.4,"), qPrintable(lines[2]));
        QVERIFY(lines[5].endsWith("too few features"));
        QVERIFY(chart()->figureCaption().contains("2 samples"));
    }
    void reasonsAreSaid()
    {
        QSignalSpy asked(m_page.get(), &AttentionComparePage::compareRequested);
        QTest::mouseClick(part<QPushButton>("compareAttention"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_page->setDisabledReason("no model is open");
        QVERIFY(!part<QPushButton>("compareAttention")->isEnabled());
        QVERIFY(part<QPushButton>("compareAttention")->toolTip().contains("no model is open"));
        m_page->setComparison(nullptr);
        QCOMPARE(chart()->shownPoints(), 0);
    }
};

QTEST_MAIN(TstAttentionFrontier)
#include "tst_attention_frontier.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Recall over rank and candidates: axes, marks, what hover, clicks and keys choose.
#include "tests/views/encoder_sample.h"
#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/surface_page.h"
#include "views/encoder/surface_view.h"

#include <QComboBox>
#include <QImage>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstSurfacePage : public QObject {
    Q_OBJECT
    std::unique_ptr<SurfacePage> m_page;
    SurfaceView* view() const { return m_page->view(); }
    void choose(const char* combo, const QString& text) const
    {
        auto* box = m_page->findChild<QComboBox*>(QLatin1String(combo));
        QVERIFY(box && box->findText(text) >= 0);
        box->setCurrentIndex(box->findText(text));
    }
    QColor colorAt(double rank, double candidates) const
    {
        const QImage image = view()->grab().toImage();
        return image.pixelColor((view()->toPixel(rank, candidates) * image.devicePixelRatio()).toPoint());
    }

private slots:
    void init()
    {
        m_page = std::make_unique<SurfacePage>();
        m_page->resize(1000, 700);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->setSurface(sample::recallSurface(), true);
    }
    void cleanup() { m_page.reset(); }

    void axesAreLogarithmic()
    {
        // 4, 16, 64, 256 are as far from each other, and so are 4, 8, 16.
        const auto x = [&](double candidates) { return view()->toPixel(4, candidates).x(); };
        QVERIFY(std::abs((x(64) - x(16)) - (x(16) - x(4))) < 1e-6 && x(16) > x(4));
        const auto y = [&](double rank) { return view()->toPixel(rank, 4).y(); };
        QVERIFY(std::abs((y(8) - y(4)) - (y(16) - y(8))) < 1e-6 && y(16) < y(4));
        QCOMPARE(view()->toPixel(1, 4), view()->toPixel(4, 4)); // clamped
    }
    void coloursAreTheRecall()
    {
        // The middle of a cell's corner region, away from lines: between rank 4 and 8, candidates 4 and 16 near the corner of 0.2.
        const auto expected = [](double recall) { return Theme::sequentialColor((recall - 0.2) / 0.8); };
        const auto close = [](const QColor& a, const QColor& b) { return std::abs(a.red() - b.red()) + std::abs(a.green() - b.green()) + std::abs(a.blue() - b.blue()) < 24; };
        // Bilinear in the logarithms: a quarter of the way along both axes from (0.2, 0.4; 0.4, 0.7).
        const double quarter = 0.75 * (0.75 * 0.2 + 0.25 * 0.4) + 0.25 * (0.75 * 0.4 + 0.25 * 0.7);
        QVERIFY(close(colorAt(4 * std::exp2(0.25), 4 * std::exp2(0.5)), expected(quarter)));
        choose("surfaceMeasure", "least token"); // 0 to 0.8: its own scale, up to 1
        QCOMPARE(view()->measure(), report::RecallMeasure::Least);
        QVERIFY(close(colorAt(4 * std::exp2(0.25), 4 * std::exp2(0.5)), Theme::sequentialColor(quarter - 0.2)));
    }
    void hoverTellsRecallAndCost()
    {
        QTest::mouseMove(view(), view()->toPixel(8, 64).toPoint() + QPoint(4, -5)); // nearest
        const QStringList lines = view()->hoverLines();
        QCOMPARE(lines.value(0), QStringLiteral("Rank 8, 64 candidates"));
        QVERIFY(lines.value(1).contains("90.00") && lines.value(1).contains("70.0"));
        QVERIFY(lines.value(2).contains(formatCount(4896)) && lines.value(2).contains(formatPercent(4896.0 / 64'000))); // 800 + 4096 of 64,000
        QTest::mouseMove(view(), QPoint(3, view()->height() - 3));
        QVERIFY(view()->hoverLines().isEmpty());
    }
    void clicksAndKeysChooseMeasuredSettings()
    {
        QSignalSpy chosen(m_page.get(), &SurfacePage::pointChosen);
        QTest::mouseClick(view(), Qt::LeftButton, {}, view()->toPixel(8, 16).toPoint());
        QCOMPARE(chosen.last(), (QList<QVariant>{8LL, 16LL}));
        view()->setSurface(sample::recallSurface());
        m_page->setCurrent(std::pair<std::int64_t, std::int64_t>{9, 60}); // between measured ones
        view()->setFocus();
        QTest::keyClick(view(), Qt::Key_Right); // from the nearest, (8, 64)
        QTest::keyClick(view(), Qt::Key_Up);
        QTest::keyClick(view(), Qt::Key_Up); // the last rank is the last
        QCOMPARE(view()->hoverLines().value(0), QStringLiteral("Rank 16, 256 candidates"));
        QTest::keyClick(view(), Qt::Key_Return);
        QCOMPARE(chosen.last(), (QList<QVariant>{16LL, 256LL}));
        QTest::keyClick(view(), Qt::Key_Left);
        QTest::keyClick(view(), Qt::Key_Down);
        QTest::keyClick(view(), Qt::Key_Enter);
        QCOMPARE(chosen.last(), (QList<QVariant>{8LL, 64LL}));
    }
    void theCheapestThatReachesTheAimIsOffered()
    {
        // 0.99: (16, 64) for 5,696 multiply-adds, (8, 256) for 17,184.
        QVERIFY(m_page->sentence().startsWith("Cheapest with " + formatPercent(0.99, 0) + ": r = 16, K = 64"));
        QSignalSpy chosen(m_page.get(), &SurfacePage::pointChosen);
        auto* take = m_page->findChild<QPushButton*>("takeCheapest");
        QTest::mouseClick(take, Qt::LeftButton);
        QCOMPARE(chosen.last(), (QList<QVariant>{16LL, 64LL}));
        choose("surfaceAim", formatPercent(0.9, 0)); // (16, 16) for 2,624
        QVERIFY(m_page->sentence().startsWith("Cheapest with " + formatPercent(0.9, 0) + ": r = 16, K = 16"));
        choose("surfaceMeasure", "least token"); // at most 0.8
        QVERIFY(m_page->sentence().startsWith("No setting reaches " + formatPercent(0.9, 0)));
        QVERIFY(!take->isEnabled());
    }
    void whereOneStandsIsSaid()
    {
        QVERIFY(!m_page->sentence().contains("now"));
        m_page->setCurrent(std::pair<std::int64_t, std::int64_t>{8, 64});
        QVERIFY(m_page->sentence().contains("now r = 8, K = 64: recall 90.00"));
        m_page->setCurrent(std::pair<std::int64_t, std::int64_t>{9, 64});
        QVERIFY(m_page->sentence().contains("nearest to now r = 8, K = 64"));
        choose("surfaceCost", "bytes read");
        QVERIFY(m_page->sentence().contains("of the bytes"));
    }
    void progressAndStoppingAreShown()
    {
        auto* progress = m_page->findChild<QProgressBar*>("surfaceProgress");
        auto* stop = m_page->findChild<QToolButton*>("stopSurface");
        auto* goOn = m_page->findChild<QPushButton*>("goOnSurface");
        QVERIFY(!progress->isVisible() && !stop->isVisible() && !goOn->isVisible());
        m_page->setProgress(0.4);
        QCOMPARE(progress->value(), 400);
        QSignalSpy stopped(m_page.get(), &SurfacePage::stopRequested), wentOn(m_page.get(), &SurfacePage::goOnRequested);
        QTest::mouseClick(stop, Qt::LeftButton);
        QCOMPARE(stopped.size(), 1);
        m_page->setProgress({});
        m_page->setStopped(true);
        auto some = sample::recallSurface();
        some->ranks.resize(2);
        some->points.resize(8);
        m_page->setSurface(some, false);
        QVERIFY(m_page->sentence().contains("2 ranks on 300 tokens so far"));
        QTest::mouseClick(goOn, Qt::LeftButton);
        QCOMPARE(wentOn.size(), 1);
    }
    void tablesHaveEverySetting()
    {
        m_page->setCaption("vit20: encoder.two-stage");
        const QString table = figureTable(*view());
        QVERIFY(table.startsWith("# vit20: encoder.two-stage; coarse scores: low-rank, 300 tokens\n"));
        QCOMPARE(table.count('\n'), qsizetype(14));
        QVERIFY(table.contains("16,64,0.995,0.895,0.845,0.795,5696,22784\n"));
    }
    void poorSurfacesAreDrawn()
    {
        auto one = sample::recallSurface(); // one rank, one number of candidates, nothing measured
        one->ranks = {1};
        one->candidates = {7};
        one->points.resize(1);
        one->points[0].recallMean = report::kNotMeasured;
        m_page->setSurface(one, true);
        QVERIFY(!view()->grab().isNull());
        QVERIFY(!view()->cheapest());
        view()->setFocus();
        QTest::keyClick(view(), Qt::Key_Up);
        QVERIFY(!view()->grab().isNull());
        m_page->setSurface(nullptr, false);
        m_page->setProblem("found no rank");
        QVERIFY(!view()->grab().isNull());
        QCOMPARE(view()->toPixel(1, 1), QPointF(-1, -1));
        QTest::keyClick(view(), Qt::Key_Up);
        QTest::mouseClick(view(), Qt::LeftButton, {}, {200, 200});
        QVERIFY(m_page->sentence().isEmpty());
    }
};

QTEST_MAIN(TstSurfacePage)
#include "tst_surface_page.moc"

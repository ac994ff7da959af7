// SPDX-License-Identifier: GPL-3.0-or-later
// The curves' page: what is drawn is what was given, limits and the floor are always there, the cursor is dragged by hand, every panel follows it.
#include "tests/views/cache_sample.h"
#include "views/cache/curves_page.h"
#include "views/cache/outcome_bars.h"
#include "views/cache/reuse_distance_view.h"
#include "views/common/chart_canvas.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <set>

using namespace tamis;
using namespace tamis::views;
using namespace tamis::test;

class TstCurvesPage : public QObject {
    Q_OBJECT
    std::unique_ptr<CurvesPage> m_page;

    void fill()
    {
        auto limit = cacheCurve("cache.belady", "MIN (limit)", 0.4, 2);
        limit.curve.limit = limit.curve.knowsFuture = true;
        auto kept = cacheCurve("cache.lru", "LRU", 0.1, 1);
        kept.kept = 0;
        m_page->setNothing(false);
        m_page->setCurves({cacheCurve("cache.lru", "LRU", 0.2, 0), kept, limit}, cacheAbout());
        m_page->setSize(10);
    }
    const report::Series* series(const QString& start) const
    {
        for (const auto& each : m_page->chart()->series())
            if (QString::fromStdString(each.name).startsWith(start))
                return &each;
        return nullptr;
    }
    template <class T> T* child(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }

private slots:
    void init()
    {
        m_page = std::make_unique<CurvesPage>();
        m_page->resize(1200, 800);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void nothingIsOpen()
    {
        QSignalSpy bundled(m_page.get(), &CurvesPage::bundledRequested);
        QVERIFY(child<QPushButton>("openBundledTrace")->isVisible());
        QVERIFY(!m_page->chart()->isVisible());
        QTest::mouseClick(child<QPushButton>("openBundledTrace"), Qt::LeftButton);
        QCOMPARE(bundled.size(), 1);
        fill();
        QVERIFY(m_page->chart()->isVisible());
    }
    void curvesLimitsAndFloor()
    {
        fill();
        QCOMPARE(m_page->chart()->series().size(), std::size_t{4});
        QCOMPARE(series("LRU")->points[1], (report::Point{10, 0.6})); // misses
        QVERIFY(series("MIN")->baseline);
        const auto* floor = series("compulsory");
        QVERIFY(floor && floor->baseline);
        QCOMPARE(floor->points.front(), (report::Point{1, 0.1}));
        QCOMPARE(floor->points.back(), (report::Point{100, 0.1}));
        QCOMPARE(std::count_if(m_page->chart()->series().begin(), m_page->chart()->series().end(), [](const auto& each) { return each.dashed; }), 1); // the kept one
        auto* missed = child<QComboBox>("cacheMissed");
        QSignalSpy edited(m_page.get(), &CurvesPage::measureEdited);
        missed->setFocus();
        QTest::keyClick(missed, Qt::Key_Down);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(series("LRU")->points[1], (report::Point{10, 0.4}));
        QCOMPARE(series("compulsory")->points.front().y, 0.9);
    }
    void bytesAndCosts()
    {
        fill();
        auto* counted = child<QComboBox>("cacheCounted");
        counted->setFocus();
        QTest::keyClick(counted, Qt::Key_Down);
        QCOMPARE(series("LRU")->points[1], (report::Point{10, 0.8}));
        QVERIFY(!series("compulsory")); // what bytes first requests have is not reported
        QVERIFY(!child<QDoubleSpinBox>("cacheMissCost")->isVisible());
        QTest::keyClick(counted, Qt::Key_Down);
        auto* cost = child<QDoubleSpinBox>("cacheMissCost");
        QVERIFY(cost->isVisible());
        QVERIFY(!child<QComboBox>("cacheMissed")->isVisible());
        cost->setValue(50);
        QVERIFY(std::abs(series("LRU")->points[1].y - 30) < 1e-9);
    }
    void samplesHaveABand()
    {
        auto sampled = cacheCurve("cache.lru", "LRU", 0.2, 0);
        for (auto& point : sampled.curve.points)
            point.deviation = 0.05;
        m_page->setNothing(false);
        m_page->setCurves({sampled}, cacheAbout());
        m_page->setRefining(QStringLiteral("sampled: exact curves follow"));
        QVERIFY(child<QLabel>("cacheRefining")->isVisible());
        QVERIFY(std::abs(series("LRU, samples −")->points[1].y - 0.55) < 1e-12);
        QVERIFY(std::abs(series("LRU, samples +")->points[1].y - 0.65) < 1e-12);
        m_page->setCurves({cacheCurve("cache.lru", "LRU", 0.2, 0)}, cacheAbout());
        m_page->setRefining({});
        QVERIFY(!series("LRU, samples −") && !child<QLabel>("cacheRefining")->isVisible());
    }
    void theCursorIsDragged()
    {
        fill();
        QSignalSpy moved(m_page.get(), &CurvesPage::sizeEdited);
        auto* canvas = m_page->chart()->canvas();
        QTRY_VERIFY(canvas->plotArea().width() > 50);
        const auto at = [&](double x) { return canvas->toPixel(x, 0.5).toPoint(); };
        QTest::mousePress(canvas->viewport(), Qt::LeftButton, {}, at(10));
        QTest::mouseMove(canvas->viewport(), at(30));
        QTRY_VERIFY(!moved.isEmpty());
        QVERIFY(!moved.last()[1].toBool()); // held
        QTest::mouseRelease(canvas->viewport(), Qt::LeftButton, {}, at(50));
        QVERIFY(moved.last()[1].toBool());
        const auto size = moved.last()[0].toULongLong();
        QVERIFY2(size >= 45 && size <= 55, qPrintable(QString::number(size)));
        QVERIFY(child<QLabel>("cacheHere")->text().contains(QString::number(size)));
        QVERIFY(std::abs(m_page->model()->index(0, CurveTableModel::HitColumn).data(Qt::UserRole + 100).toDouble() - (0.4 + 0.2 * std::log10(static_cast<double>(size) / 10))) < 1e-9); // on the line from 10 to 100
    }
    /// The rank of as many objects as are held is marked among the most wanted; dragged there, the size follows.
    void popularityMarksWhatIsHeld()
    {
        fill();
        m_page->setTraceReport(traceSample());
        m_page->setSize(10);
        auto* canvas = m_page->popularity()->canvas();
        QTRY_VERIFY(canvas->plotArea().width() > 50);
        QVERIFY(canvas->cursorLine() && *canvas->cursorLine() == 10);
        QSignalSpy moved(m_page.get(), &CurvesPage::sizeEdited);
        const double height = canvas->plotArea().center().y();
        const auto at = [&](double rank) { return QPoint(canvas->toPixel(rank, 1).toPoint().x(), static_cast<int>(height)); };
        QTest::mousePress(canvas->viewport(), Qt::LeftButton, {}, at(10));
        QTest::mouseMove(canvas->viewport(), at(20));
        QTest::mouseRelease(canvas->viewport(), Qt::LeftButton, {}, at(30));
        QVERIFY(!moved.isEmpty() && moved.last()[1].toBool());
        const auto size = moved.last()[0].toULongLong();
        QVERIFY2(size >= 27 && size <= 33, qPrintable(QString::number(size)));
    }
    void theSliderMovesItToo()
    {
        fill();
        QSignalSpy moved(m_page.get(), &CurvesPage::sizeEdited);
        auto* slider = child<QSlider>("cacheSize");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_End);
        QCOMPARE(moved.size(), 1);
        QCOMPARE(moved[0][0].toULongLong(), 100ULL); // the working set
        QVERIFY(moved[0][1].toBool());
        QTest::keyClick(slider, Qt::Key_Home);
        QCOMPARE(moved.last()[0].toULongLong(), 1ULL);
        QCOMPARE(m_page->chart()->cursor(), std::optional(1.0));
    }
    void keptOnesAreRemoved()
    {
        fill();
        auto* remove = child<QPushButton>("removeCacheRun");
        QVERIFY(!remove->isEnabled());
        int row = -1;
        for (int i = 0; i < m_page->model()->rowCount(); ++i)
            if (m_page->model()->index(i, 0).data().toString().contains("kept"))
                row = i;
        const QModelIndex shown = m_page->table()->fromSource(m_page->model()->index(row, 0));
        QTest::mouseClick(m_page->table()->viewport(), Qt::LeftButton, {}, m_page->table()->visualRect(shown).center());
        QVERIFY(remove->isEnabled());
        QSignalSpy asked(m_page.get(), &CurvesPage::removeRequested);
        QTest::mouseClick(remove, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        QCOMPARE(asked[0][0].toInt(), 0);
    }
    void whatLeft()
    {
        fill();
        m_page->setSizeReport(cacheSizeSample(), false);
        auto* bars = m_page->outcome();
        QCOMPARE(bars->bars(), 5);
        QTRY_VERIFY(bars->barRect(4).height() > 10);
        QVERIFY(std::abs(bars->barRect(3).height() / bars->barRect(1).height() - 4) < 1e-6); // 40 never wanted, 10 after 2 or 3
        QVERIFY(std::abs(bars->barRect(4).height() / bars->barRect(0).height() - 12) < 1e-6);
        QTest::mouseMove(bars, bars->barRect(2).center().toPoint());
        QTRY_VERIFY(bars->hoverLines().value(0).contains("4 to 7"));
        QVERIFY(bars->hoverLines().value(1).contains("45"));
        QVERIFY(bars->figureCsv().contains("never,40\n") && bars->figureCsv().contains("4,45\n") && bars->figureCsv().contains("left without a hit,60\n"));
        QVERIFY(child<QLabel>("evicted-word")->text().contains("40"));
        m_page->setSizeReport(nullptr, false);
        QCOMPARE(bars->bars(), 0);
    }
    void hitsOverTime()
    {
        fill();
        m_page->setSizeReport(cacheSizeSample(), false);
        const auto& shown = m_page->overTime()->series();
        QCOMPARE(shown.size(), std::size_t{2}); // the warm-up is told apart
        QCOMPARE(shown[0].points, (std::vector<report::Point>{{325, 0.5}, {775, 0.5}}));
        QCOMPARE(shown[1].points, (std::vector<report::Point>{{50, 0.1}}));
        QVERIFY(shown[1].dashed);
    }
    /// With and without looking for scene changes, and where they were; the table has its column then alone.
    void scenesOverTime()
    {
        fill();
        QVERIFY(m_page->table()->isColumnHidden(CurveTableModel::UnwatchedColumn));
        auto report = cacheSizeSample();
        report->unwatched = {{0, 100, 10, 100, 10}, {100, 450, 225, 450, 200}, {550, 450, 45, 450, 45}};
        report->unwatchedHits = 270;
        report->windows[1].sceneChanges = 2;
        m_page->setSizeReport(report, false);
        const auto& shown = m_page->overTime()->series();
        QCOMPARE(shown.size(), std::size_t{4});
        QCOMPARE(shown[2].points, (std::vector<report::Point>{{50, 0.1}, {325, 0.5}, {775, 0.1}}));
        QVERIFY(shown[2].dashed);
        QCOMPARE(shown[3].points, (std::vector<report::Point>{{325, 0}, {325, 0.5}, {325, 0}}));
        const QString word = child<QLabel>("over-time-word")->text();
        QVERIFY2(word.contains("50.00") && word.contains("; 2 scene changes; 30.00"), qPrintable(word));
        auto watched = cacheCurve("cache.lru", "LRU", 0.2, 0);
        watched.curve.rules = "scene change by hit-ratio: clear";
        for (auto& point : watched.curve.points) {
            point.unruledHitRatio = point.hitRatio - 0.1;
            point.sceneChanges = 3;
        }
        m_page->setCurves({watched}, cacheAbout());
        QVERIFY(!m_page->table()->isColumnHidden(CurveTableModel::UnwatchedColumn));
        const QModelIndex cell = m_page->model()->index(0, CurveTableModel::UnwatchedColumn);
        QVERIFY2(cell.data().toString().startsWith("30.00"), qPrintable(cell.data().toString()));
        QVERIFY(cell.data(Qt::ToolTipRole).toString().startsWith("3 "));
        QVERIFY(child<QLabel>("cacheHere")->text().contains("scene change by hit-ratio"));
    }
    /// A trace with costs of its own says what a miss costs.
    void costsOfTheTrace()
    {
        auto priced = cacheCurve("cache.lru", "LRU", 0.2, 0);
        for (auto& point : priced.curve.points)
            point.costMissRatio = point.hitRatio / 4;
        report::CacheReport about = cacheAbout();
        about.costed = true;
        m_page->setNothing(false);
        m_page->setCurves({priced}, about);
        auto* counted = child<QComboBox>("cacheCounted");
        counted->setFocus();
        QTest::keyClick(counted, Qt::Key_End);
        QCOMPARE(series("LRU")->points[1], (report::Point{10, 0.1}));
        QVERIFY(!child<QDoubleSpinBox>("cacheMissCost")->isVisible());
        m_page->setSize(10);
        QVERIFY(m_page->model()->index(0, CurveTableModel::CostColumn).data().toString().startsWith("10.00"));
        m_page->setCurves({priced}, cacheAbout()); // without: by the boxes
        QVERIFY(child<QDoubleSpinBox>("cacheMissCost")->isVisible());
        QVERIFY(std::abs(series("LRU")->points[1].y - 600) < 1e-9);
    }
    /// Titles stand in the line of the buttons, in all panels alike; every column of the table is in sight.
    void titlesAndColumns()
    {
        fill();
        std::set<int> lines;
        for (const char* name : {"cacheOverTime", "cachePopularity"}) {
            const auto* heading = child<QWidget>(name)->findChild<QLabel*>("chartHeading");
            const auto* button = child<QWidget>(name)->findChild<ExportButton*>();
            QVERIFY(heading && heading->isVisible() && button);
            QVERIFY(std::abs(heading->mapTo(m_page.get(), heading->rect().center()).y() - button->mapTo(m_page.get(), button->rect().center()).y()) <= 1);
            lines.insert(button->mapTo(m_page.get(), QPoint()).y());
        }
        QCOMPARE(lines.size(), std::size_t{1});
        QTRY_VERIFY(!m_page->table()->horizontalScrollBar()->isVisible()); // laid out when the loop turns
        QVERIFY(m_page->table()->visualRect(m_page->table()->fromSource(m_page->model()->index(0, CurveTableModel::StateColumn))).right() <= m_page->table()->viewport()->width());
    }
    void popularityAndItsFit()
    {
        fill();
        m_page->setTraceReport(traceSample());
        const auto& shown = m_page->popularity()->series();
        QCOMPARE(shown.size(), std::size_t{2});
        QCOMPARE(shown[0].points.back(), (report::Point{100, 2}));
        double harmonic = 0;
        for (int r = 1; r <= 100; ++r)
            harmonic += 1.0 / r;
        QVERIFY(std::abs(shown[1].points[0].y - 1000 / harmonic) < 1e-9); // p(1) of Zipf(1) over 100 objects
        QVERIFY(std::abs(shown[1].points[1].y - 100 / harmonic) < 1e-9);
        QVERIFY(shown[1].dashed);
    }
    void figuresAreExported()
    {
        fill();
        m_page->setSizeReport(cacheSizeSample(), false);
        m_page->setCaption(QStringLiteral("made.txt, warm-up 10 %"));
        QSignalSpy asked(m_page.get(), &CurvesPage::exportRequested);
        emit child<ExportButton>("export-evicted")->exportRequested(FigureFormat::Csv);
        emit m_page->chart()->exportRequested(QStringLiteral("csv"));
        QCOMPARE(asked.size(), 2);
        QCOMPARE(asked[0][2].toString(), QStringLiteral("evicted"));
        QCOMPARE(asked[1][2].toString(), QStringLiteral("curves"));
        QVERIFY(figureTable(*m_page->outcome()).startsWith("# made.txt, warm-up 10 %\n"));
        QVERIFY(m_page->chart()->caption().contains("warm-up 10 %"));
    }
    void controlsHaveNames()
    {
        fill();
        for (const auto* each : m_page->findChildren<QWidget*>())
            if (each->focusPolicy() != Qt::NoFocus && each->isVisible() && !each->accessibleName().isEmpty())
                QVERIFY2(!each->accessibleName().contains(QLatin1Char('&')), qPrintable(each->objectName()));
        for (const char* name : {"cacheCounted", "cacheMissed", "cacheSize", "cacheTable", "cacheOutcome"})
            QVERIFY2(!child<QWidget>(name)->accessibleName().isEmpty(), name);
    }
};

QTEST_MAIN(TstCurvesPage)
#include "tst_curves_page.moc"

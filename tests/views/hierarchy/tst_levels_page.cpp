// SPDX-License-Identifier: GPL-3.0-or-later
// The page of levels: bars are as long as their numbers, what does not pay is right of the line, tables say what the report says.
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/hierarchy/break_even_chart.h"
#include "views/hierarchy/level_chain.h"
#include "views/hierarchy/levels_page.h"
#include "views/hierarchy/levels_settings.h"
#include "views/hierarchy/share_bars.h"

#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstLevelsPage : public QObject {
    Q_OBJECT
    std::unique_ptr<LevelsPage> m_page;

    static std::shared_ptr<report::HierarchyReport> sample()
    {
        auto made = std::make_shared<report::HierarchyReport>();
        made->source = "60 photos";
        made->requests = made->reads = 1000;
        made->objects = 300;
        made->workingSet = 153'600;
        made->misses = 300;
        made->hitRatio = 0.7;
        made->compulsory = 0.3;
        made->levels.resize(2);
        for (std::size_t i = 0; i < 2; ++i) {
            auto& level = made->levels[i];
            level.name = i == 0 ? "L1" : "L2";
            level.place = i == 0 ? "on-chip" : "storage";
            level.policy = "cache.lru";
            level.capacity = 65536 << i;
            level.hitRatio = i == 0 ? 0.5 : 0.2;
            level.hitNs = i == 0 ? 10 : 100'000;
            level.pays = i == 0;
            level.spentNs = i == 0 ? 1000 : 3000;
            level.spentPj = i == 0 ? 10 : 30;
            level.fillBytes = 2048;
        }
        made->encodeNs = 5000;
        made->recomputeNs = 6000;
        made->totalNs = 10'000;
        made->recomputePj = 60;
        made->totalPj = 100;
        made->amat = 10;
        made->breakEvenNs = 1000;
        made->speedUp = 2;
        made->energyShare = 0.5;
        made->prefetch = {.kind = "motion", .asked = 100, .redundant = 40, .absent = 20, .refused = 0, .issued = 40, .useful = 30, .late = 3, .unused = 10, .pollution = 4, .waitedNs = 0, .accuracy = 0.75, .coverage = 0.125, .lateness = 0.1};
        made->types = {{"f32", 512, 0, 0, 1}, {"int8", 132, 0.01, 0.002, 0.9}};
        made->reuseError = 0.25;
        made->warnings = {"a hit in L2 takes longer than recomputing"};
        return made;
    }

private slots:
    void init()
    {
        m_page = std::make_unique<LevelsPage>();
        m_page->resize(1200, 800);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void boxesAndBars()
    {
        m_page->setReport(sample());
        auto* chain = m_page->chain();
        QVERIFY(chain->boxRect(2).left() > chain->boxRect(1).right() && chain->boxRect(3).isEmpty());
        const double whole = chain->boxRect(0).width() - 20;
        QVERIFY(std::abs(chain->barRect(0).width() - 0.5 * whole) < 0.01);
        QVERIFY(std::abs(chain->barRect(1).width() - 0.2 * whole) < 0.01);
        QVERIFY(std::abs(chain->barRect(2).width() - 0.3 * whole) < 0.01);
        QVERIFY(chain->accessibleDescription().contains(QStringLiteral("L1 serves %1").arg(formatPercent(0.5))));
        QCOMPARE(chain->figureCsv().count('\n'), 4);
        const QImage picture = chain->grab().toImage();
        const QPoint bar = (chain->barRect(0).center() * picture.devicePixelRatio()).toPoint();
        QCOMPARE(picture.pixelColor(bar), Theme::instance().seriesColor(0));
    }
    void sharesAreCutAsTheyAre()
    {
        m_page->setReport(sample());
        auto* shares = m_page->shares();
        QCOMPARE(shares->rows().size(), std::size_t{2});
        const double whole = shares->width() - 20.0;
        QVERIFY(std::abs(shares->partRect(0, 0).width() - 0.1 * whole) < 0.01);
        QVERIFY(std::abs(shares->partRect(0, 3).width() - 0.6 * whole) < 0.01);
        QVERIFY(std::abs(shares->partRect(1, 1).left() - shares->partRect(1, 0).right()) < 0.01);
        QVERIFY(shares->figureCsv().contains("Time,recomputing,6000"));
    }
    void breakEven()
    {
        m_page->setReport(sample());
        auto* chart = m_page->breakEven();
        QVERIFY(chart->barRect(0).right() < chart->pixelOf(5000) && chart->barRect(1).right() > chart->pixelOf(5000));
        // Logarithmic: equal factors are equally far.
        QVERIFY(std::abs((chart->pixelOf(1000) - chart->pixelOf(100)) - (chart->pixelOf(10'000) - chart->pixelOf(1000))) < 0.01);
        QVERIFY(chart->accessibleDescription().contains("a hit in L2: 100 µs, does not pay"));
        QVERIFY(chart->figureCsv().contains("a hit in L1,10,yes\n") && chart->figureCsv().contains("recomputing,5000,"));
    }
    void tables()
    {
        m_page->setReport(sample());
        const QString csv = m_page->prefetch()->figureCsv();
        QVERIFY2(csv.contains(formatPercent(0.75)) && csv.contains(formatPercent(0.125)), qPrintable(csv));
        QCOMPARE(m_page->types()->model()->rowCount(), 3);
        QVERIFY(m_page->types()->isVisible());
        QVERIFY(m_page->findChild<QLabel*>("levelsWarnings")->text().contains("L2"));
        QVERIFY(m_page->findChild<QLabel*>("levelsSummary")->text().contains("2 times"));
        auto plain = sample();
        plain->prefetch = {};
        plain->types.clear();
        plain->warnings.clear();
        m_page->setReport(plain);
        QCOMPARE(m_page->prefetch()->model()->rowCount(), 0);
        QVERIFY(!m_page->types()->isVisible() && !m_page->findChild<QLabel*>("levelsWarnings")->isVisible());
    }
    /// The style sheet puts 8 pixels on both sides of a heading.
    void headingsAreWhole()
    {
        m_page->setReport(sample());
        for (const CopyableTableView* table : {m_page->prefetch(), m_page->types()})
            for (int column = 0; column < table->model()->columnCount(); ++column) {
                const QString heading = table->model()->headerData(column, Qt::Horizontal).toString();
                const int wide = table->horizontalHeader()->fontMetrics().horizontalAdvance(heading) + 16;
                QVERIFY2(table->columnWidth(column) >= wide, qPrintable(QStringLiteral("%1: %2 of %3 pixels").arg(heading).arg(table->columnWidth(column)).arg(wide)));
            }
    }
    void nothing()
    {
        m_page->setReport(sample());
        m_page->setReport(nullptr);
        QVERIFY(m_page->chain()->boxRect(0).isEmpty() && m_page->shares()->rows().empty() && m_page->breakEven()->rows().empty());
        m_page->setProblem("no trace is open");
        QVERIFY(m_page->findChild<QLabel*>("levelsProblem")->isVisible());
        m_page->grab(); // paints without a report
        QVERIFY(!m_page->chain()->accessibleDescription().isEmpty());
    }
    void figuresGoOut()
    {
        m_page->setReport(sample());
        m_page->setCaption("vit20, l1-capacity 65536");
        QSignalSpy asked(m_page.get(), &LevelsPage::exportRequested);
        emit m_page->findChild<ExportButton*>("export-break-even")->exportRequested(FigureFormat::Csv);
        QCOMPARE(asked.size(), 1);
        QVERIFY(figureTable(*m_page->breakEven()).startsWith("# vit20, l1-capacity 65536"));
    }
    /// With TAMIS_SHOTS=<folder>, to be looked at.
    void readsInBothThemes()
    {
        m_page->setReport(sample());
        for (const auto mode : {Theme::Mode::Dark, Theme::Mode::Light}) {
            Theme::instance().apply(*qApp, mode);
            QTest::qWait(50);
            const QImage picture = m_page->grab().toImage();
            const QPoint bar = (m_page->chain()->mapTo(m_page.get(), m_page->chain()->barRect(0).center().toPoint())) * picture.devicePixelRatio();
            QCOMPARE(picture.pixelColor(bar), Theme::instance().seriesColor(0));
            if (const QString shots = qEnvironmentVariable("TAMIS_SHOTS"); !shots.isEmpty())
                picture.save(QStringLiteral("%1/levels-page-%2.png").arg(shots, mode == Theme::Mode::Dark ? "dark" : "light"));
        }
    }
    void settingsSayWhereRequestsComeFrom()
    {
        LevelsSettings settings;
        auto* source = settings.findChild<QLabel*>("levelsSource");
        settings.show();
        settings.setTrace("/somewhere/words.txt.gz");
        QVERIFY(!settings.findChild<QPushButton*>("useTrace")->isVisible());
        QCOMPARE(source->toolTip(), "/somewhere/words.txt.gz");
        settings.setFrames("/somewhere/frames");
        QCOMPARE(source->toolTip(), "/somewhere/frames");
        QSignalSpy trace(&settings, &LevelsSettings::traceRequested);
        settings.findChild<QPushButton*>("useTrace")->click();
        QCOMPARE(trace.size(), 1);
        // What the cursor of the curves sets; frames have no curves.
        auto* cursor = settings.findChild<QComboBox*>("cursorLevel");
        QVERIFY(!cursor->isEnabled());
        settings.setFrames({});
        QVERIFY(cursor->isEnabled());
        QSignalSpy edited(&settings, &LevelsSettings::cursorLevelEdited);
        settings.setCursorLevel("l2");
        QCOMPARE(cursor->currentData().toString(), "l2");
        QCOMPARE(edited.size(), 0);
        QTest::keyClick(cursor, Qt::Key_Down);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toString(), "l3");
    }
};

QTEST_MAIN(TstLevelsPage)
#include "tst_levels_page.moc"

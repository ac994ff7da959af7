// SPDX-License-Identifier: GPL-3.0-or-later
// What a chart does where it has little room: names and numbers stay whole.
#include "views/common/chart_canvas.h"
#include "views/common/line_chart.h"

#include <QChart>
#include <QGraphicsTextItem>
#include <QLegend>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstChartRoom : public QObject {
    Q_OBJECT

    static QList<QGraphicsTextItem*> textsOf(QGraphicsItem* top)
    {
        QList<QGraphicsTextItem*> texts;
        for (QList<QGraphicsItem*> items = top->childItems(); !items.isEmpty();) {
            QGraphicsItem* item = items.takeFirst();
            items += item->childItems();
            if (auto* text = dynamic_cast<QGraphicsTextItem*>(item); text && text->isVisible() && !text->toPlainText().isEmpty())
                texts << text;
        }
        return texts;
    }
    static QStringList named(const QList<QGraphicsTextItem*>& texts)
    {
        QStringList all;
        for (const auto* text : texts)
            all << text->toPlainText();
        return all;
    }

private slots:
    void numbersOfALogarithmicAxis_data()
    {
        QTest::addColumn<QSize>("before");
        QTest::addColumn<QSize>("size");
        QTest::newRow("at once") << QSize(300, 150) << QSize(300, 150);
        QTest::newRow("made smaller") << QSize(360, 300) << QSize(300, 150);
        QTest::newRow("made smaller still") << QSize(360, 300) << QSize(300, 140);
        QTest::newRow("the smallest") << QSize(360, 300) << QSize(200, 130);
    }
    void numbersOfALogarithmicAxis()
    {
        QFETCH(QSize, before);
        QFETCH(QSize, size);
        LineChart chart;
        chart.setAxes({.xTitle = "rank", .yTitle = "requests", .logX = true, .logY = true});
        chart.setMinimumSize(200, 130);
        chart.resize(before);
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        report::Series counts{.name = "requests"}, line{.name = "Zipf, 1.03"};
        for (double rank = 1; rank <= 6000; rank *= 1.5) {
            counts.points.push_back({rank, std::round(10'000 / rank)});
            line.points.push_back({rank, 12'000 / rank});
        }
        chart.setSeries({counts, line});
        chart.resize(size);
        QTest::qWait(50);
        const QStringList texts = named(textsOf(chart.canvas()->chart()));
        QVERIFY2(texts.contains("100") && texts.filter("...").isEmpty(), qPrintable(texts.join('|')));
    }
    /// More names than one row holds are in several, whole.
    void namesOfManyCurves()
    {
        LineChart chart;
        chart.setAxes({.xTitle = "size", .yTitle = "miss ratio"});
        chart.resize(390, 360);
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        std::vector<report::Series> all;
        for (const char* name : {"Least recently used", "LRU-K", "ARC", "S3-FIFO", "W-TinyLFU", "MIN (limit)", "compulsory: first requests"})
            all.push_back({.name = name, .points = {{1, 1}, {2, 0.5}}});
        chart.setSeries(all);
        QTest::qWait(50);
        QGraphicsItem* legend = chart.canvas()->chart()->legend();
        for (const auto& series : all)
            QVERIFY2(named(textsOf(legend)).contains(QString::fromStdString(series.name)), qPrintable(named(textsOf(legend)).join('|')));
        for (const QGraphicsTextItem* text : textsOf(legend)) {
            const QRectF place = text->mapRectToScene(text->boundingRect());
            QVERIFY2(place.bottom() <= chart.canvas()->plotArea().top() + 4 && place.right() <= chart.canvas()->width(), qPrintable(QStringLiteral("%1 at %2,%3").arg(text->toPlainText()).arg(place.x()).arg(place.y())));
        }
        chart.resize(1200, 360);
        QTest::qWait(50);
        QVERIFY(chart.canvas()->chart()->legend()->isAttachedToChart()); // one row holds them
        if (const QString shots = qEnvironmentVariable("TAMIS_SHOTS"); !shots.isEmpty()) {
            chart.resize(390, 360);
            QTest::qWait(50);
            QVERIFY(chart.grab().save(shots + "/chart-legend.png"));
        }
    }
};

QTEST_MAIN(TstChartRoom)
#include "tst_chart_room.moc"

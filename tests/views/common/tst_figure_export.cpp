// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/figure_export.h"

#include "views/common/chart_canvas.h"
#include "views/common/chart_figure.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QFile>
#include <QLabel>
#include <QMenu>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstFigureExport : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;

    static ChartDescription description()
    {
        ChartDescription d;
        d.axes = {.xTitle = QStringLiteral("Rank"), .yTitle = QStringLiteral("Loss"), .logY = true};
        report::Series a{.name = "q, \"first\""}, b{.name = "held-out", .dashed = true};
        for (int i = 1; i <= 40; ++i)
            a.points.push_back({static_cast<double>(i), std::exp(-i / 3.0) / 3});
        for (int i = 1; i <= 40; i += 3)
            b.points.push_back({static_cast<double>(i), 0.1 + 1e-17 * i});
        d.series = {a, b};
        d.cursor = 12;
        d.caption = QStringLiteral("spectrum.whitened keep=0.6 ridge=0.001\nmodel vit20, 4096 tokens");
        return d;
    }
    QString path(const char* name) const { return m_folder.filePath(QLatin1String(name)); }
    static QByteArray contents(const QString& path)
    {
        QFile file(path);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }

private slots:
    void initTestCase() { QVERIFY(m_folder.isValid()); }

    void csvHoldsTheSeries()
    {
        const ChartDescription d = description();
        QCOMPARE(renderChartToFile(d, path("a.csv")), std::nullopt);
        const QStringList lines = QString::fromUtf8(contents(path("a.csv"))).split(QLatin1Char('\n'));
        QCOMPARE(lines[0], QStringLiteral("# spectrum.whitened keep=0.6 ridge=0.001"));
        QCOMPARE(lines[1], QStringLiteral("# model vit20, 4096 tokens"));
        QCOMPARE(lines[2], QStringLiteral("Rank,\"q, \"\"first\"\"\",held-out"));
        QCOMPARE(lines.size(), 3 + 40 + 1);
        std::size_t next = 0;
        for (int i = 0; i < 40; ++i) { // every digit: read back, the numbers are equal
            const QStringList cells = lines[3 + i].split(QLatin1Char(','));
            QCOMPARE(cells.size(), 3);
            QCOMPARE(cells[0].toDouble() == d.series[0].points[static_cast<std::size_t>(i)].x, true);
            QCOMPARE(cells[1].toDouble() == d.series[0].points[static_cast<std::size_t>(i)].y, true);
            QCOMPARE(cells[2].isEmpty(), i % 3 != 0);
            if (i % 3 == 0)
                QCOMPARE(cells[2].toDouble() == d.series[1].points[next++].y, true);
        }
    }

    void aSmallChartIsNamedInItsPicture()
    {
        LineChart chart;
        chart.setSeries(description().series);
        chart.resize(300, 160);
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        QVERIFY(!chart.canvas()->chart()->legend()->isVisible()); // the curves have its room
        QCOMPARE(writeFigure(ChartFigure(chart), FigureFormat::Svg, path("small.svg")), std::nullopt);
        QVERIFY(contents(path("small.svg")).contains("held-out"));
        QVERIFY(!chart.canvas()->chart()->legend()->isVisible());
        chart.resize(300, 320);
        QVERIFY(chart.canvas()->chart()->legend()->isVisible());
    }

    void svgHoldsCaptionAndCurves()
    {
        QCOMPARE(renderChartToFile(description(), path("a.svg")), std::nullopt);
        QXmlStreamReader xml(contents(path("a.svg")));
        QString texts, stroke;
        int segments = 0;
        while (!xml.atEnd()) {
            xml.readNext();
            if (!xml.isStartElement())
                continue;
            if (xml.name() == QLatin1String("g") && xml.attributes().hasAttribute(QLatin1String("stroke")))
                stroke = xml.attributes().value(QLatin1String("stroke")).toString();
            if (xml.name() == QLatin1String("text"))
                texts += xml.readElementText() + QLatin1Char('\n');
            else if (xml.name() == QLatin1String("polyline") && stroke == Theme::instance().seriesColor(0).name())
                segments += static_cast<int>(xml.attributes().value(QLatin1String("points")).toString().simplified().count(QLatin1Char(' ')));
        }
        QVERIFY2(!xml.hasError(), qPrintable(xml.errorString()));
        QVERIFY(texts.contains(QStringLiteral("spectrum.whitened keep=0.6 ridge=0.001")));
        QVERIFY(texts.contains(QStringLiteral("model vit20, 4096 tokens")));
        QVERIFY(texts.contains(QStringLiteral("Rank")) && texts.contains(QStringLiteral("held-out")));
        QVERIFY2(segments >= 39, qPrintable(QString::number(segments))); // a curve of 40 points, as lines and not as a picture
    }

    void pngInBothThemes()
    {
        std::vector<QImage> pictures;
        for (const auto mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
            Theme::instance().apply(*qApp, mode);
            QCOMPARE(renderChartToFile(description(), path("a.png"), QSize(600, 400)), std::nullopt);
            pictures.emplace_back(path("a.png"));
            if (const QString shots = qEnvironmentVariable("TAMIS_SHOTS"); !shots.isEmpty())
                QVERIFY(pictures.back().save(QDir(shots).filePath(QStringLiteral("chart-%1.png").arg(pictures.size()))));
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
        QCOMPARE(pictures[0].width(), 1200); // twice the logical size
        QVERIFY(pictures[0].height() > 700);
        QVERIFY(pictures[0] != pictures[1]);
        QVERIFY(pictures[0].pixelColor(0, 0).lightness() > 200 && pictures[1].pixelColor(0, 0).lightness() < 80);
        QVERIFY(pictures[0].text(QStringLiteral("Description")).contains(QStringLiteral("ridge=0.001")));
        int curve = 0; // the first curve is really drawn
        Theme::instance().apply(*qApp, Theme::Mode::Dark);
        for (int y = 0; y < pictures[1].height(); ++y)
            for (int x = 0; x < pictures[1].width(); ++x)
                curve += pictures[1].pixelColor(x, y) == Theme::instance().seriesColor(0);
        QVERIFY2(curve > 500, qPrintable(QString::number(curve)));
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }

    void failuresAreSentencesAndLeaveTheOldFile()
    {
        QFile old(path("old.csv"));
        QVERIFY(old.open(QIODevice::WriteOnly));
        old.write("old");
        old.close();
        const auto missing = renderChartToFile(description(), path("no/such/folder/a.png"));
        QVERIFY(missing && missing->contains(QStringLiteral("no/such/folder")));
        const auto unknown = renderChartToFile(description(), path("a.tiff"));
        QVERIFY(unknown && unknown->contains(QStringLiteral(".svg")));
        QVERIFY(!QFile::exists(path("a.tiff")));
        const auto full = renderChartToFile(description(), QStringLiteral("/dev/full/a.csv"));
        QVERIFY(full);
        QCOMPARE(contents(path("old.csv")), QByteArray("old"));
        QLabel label(QStringLiteral("text"));
        QVERIFY(writeWidgetPicture(label, {}, FigureFormat::Csv, path("label.csv")));
        QCOMPARE(writeWidgetPicture(label, QStringLiteral("caption"), FigureFormat::Svg, path("label.svg")), std::nullopt);
        QVERIFY(contents(path("label.svg")).contains("caption"));
        QCOMPARE(QDir(m_folder.path()).entryList({QStringLiteral("*.??????")}, QDir::Files).filter(QStringLiteral("csv.")).size(), 0);
    }

    void operatingPoints()
    {
        ParetoChart chart;
        chart.resize(400, 300);
        chart.setPoints({{.label = "a", .settings = "x, y", .keep = 0.5, .cost = {100, 200, 300}, .relativeLoss = 0.25, .onFront = true},
                         {.label = "b", .keep = 1, .cost = {200, 400, 600, 1.5}, .relativeLoss = 0, .baseline = true}});
        const QString csv = ParetoFigure(chart, QStringLiteral("c")).figureCsv();
        QCOMPARE(csv.split(QLatin1Char('\n'))[1], QStringLiteral("a,0.5,100,200,300,,0.25,1,0,\"x, y\""));
        QCOMPARE(csv.split(QLatin1Char('\n'))[2], QStringLiteral("b,1,200,400,600,1.5,0,0,1,"));
        QSignalSpy activated(&chart, &ParetoChart::pointActivated);
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        const QPoint at = chart.toPixel(chart.points()[1]).toPoint();
        QTest::mouseMove(&chart, QPoint(1, 1));
        QTest::mouseMove(&chart, at);
        QCOMPARE(chart.hoverLines().value(0), QStringLiteral("b"));
        QTest::mouseClick(&chart, Qt::LeftButton, {}, at);
        QCOMPARE(activated.size(), 1);
        QCOMPARE(activated[0][0].toInt(), 1);
        QTest::keyClick(&chart, Qt::Key_Right);
        QTest::keyClick(&chart, Qt::Key_Return);
        QCOMPARE(activated.last()[0].toInt(), 0);
        chart.setUnit(CostUnit::Latency); // a was never measured
        QCOMPARE(figureImage(ParetoFigure(chart, {}), 1).size(), QSize(400, 300));
    }

    void buttonAndClipboard()
    {
        ExportButton button;
        QSignalSpy asked(&button, &ExportButton::exportRequested);
        QSignalSpy copied(&button, &ExportButton::copyPictureRequested);
        for (QAction* action : button.menu()->actions())
            action->trigger();
        QCOMPARE(asked.size(), 3);
        QCOMPARE(asked[2][0].value<FigureFormat>(), FigureFormat::Csv);
        QCOMPARE(copied.size(), 1);
        LineChart chart;
        chart.setSeries(description().series);
        chart.resize(300, 200);
        copyFigurePicture(ChartFigure(chart));
        QVERIFY(!QApplication::clipboard()->image().isNull());
        copyFigureTable(ChartFigure(chart));
        QVERIFY(QApplication::clipboard()->text().startsWith(QStringLiteral("x,")));
    }
};

QTEST_MAIN(TstFigureExport)
#include "tst_figure_export.moc"

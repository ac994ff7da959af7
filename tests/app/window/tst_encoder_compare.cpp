// SPDX-License-Identifier: GPL-3.0-or-later
// Encoders compared in the window: all of them, stopped, a point taken.
#include "tests/app/window/lab_desk.h"
#include "tests/app/window/small_autoencoder.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_pareto_chart.h"
#include "views/encoder/pareto_page.h"

#include <QPushButton>
#include <QSettings>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstEncoderCompare : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_encoder_compare"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void encodersAreComparedAndAPointIsTaken()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(QString::fromStdString(writeCutAutoencoder(desk.directory.path().toStdString()).string())));
        desk.run("encoder.compare");
        QVERIFY(!desk.lab().compareDisabledReason().isEmpty()); // one at a time
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && desk.lab().comparison(); }));
        const auto comparison = desk.lab().comparison();
        QCOMPARE(comparison->points.size(), comparison->planned);
        QCOMPARE(desk.panel().page(), QStringLiteral("compare"));
        auto* chart = desk.panel().compare()->chart();
        int small = -1;
        for (int at = 0; at < static_cast<int>(comparison->points.size()); ++at)
            if (comparison->points[static_cast<std::size_t>(at)].method == "encoder.low-rank" && small < 0)
                small = at;
        QVERIFY(small >= 0);
        savePicture(desk.window, "encoder-compare");
        chart->setFocus();
        QTest::mouseClick(chart, Qt::LeftButton, {}, chart->toPixel(small).toPoint());
        QVERIFY(desk.complete());
        const auto& point = comparison->points[static_cast<std::size_t>(small)];
        QCOMPARE(desk.choice().parameters, point.parameters);
        QCOMPARE(desk.lab().picture()->report->quality.recallMean, point.quality.recallMean); // on the same tokens
        QVERIFY(desk.lab().compareDisabledReason().isEmpty());
    }
    void aComparisonStops()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(QString::fromStdString(writeCutAutoencoder(desk.directory.path().toStdString()).string())));
        desk.lab().compare();
        QVERIFY(desk.waitFor([&] { return desk.lab().comparison() && !desk.lab().comparison()->points.empty(); }));
        QTest::mouseClick(desk.child<QPushButton>("stopEncoder"), Qt::LeftButton);
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning(); }));
        const auto comparison = desk.lab().comparison();
        QVERIFY(!comparison->points.empty()); // what is finished stays
        QVERIFY(comparison->points.size() < comparison->planned);
        const auto ownK = comparison->k;
        desk.window.document().change("bench", {}, [&](SessionState& state) { state.encoder.k = ownK / 2; });
        QVERIFY(!desk.lab().comparison()); // of another k
        desk.window.document().change("bench", {}, [](SessionState& state) { state.encoder.k = 0; });
        QVERIFY(desk.lab().comparison());
        QCOMPARE(desk.lab().comparison()->points.size(), comparison->points.size());
        QVERIFY(!desk.child<QPushButton>("stopEncoder")->isVisible());
    }
};

QTEST_MAIN(TstEncoderCompare)
#include "tst_encoder_compare.moc"

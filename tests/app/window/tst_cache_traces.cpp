// SPDX-License-Identifier: GPL-3.0-or-later
// How the cache lab in the window reads a file of requests: columns that are asked for, costs, uniqueness, operations, a format that is chosen.
#include "core/cache/load_trace.h"
#include "core/cache/simulate.h"
#include "tests/app/window/cache_desk.h"
#include "views/cache/trace_columns.h"
#include "views/common/line_chart.h"
#include "views/hierarchy/levels_settings.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLineEdit>
#include <QSignalSpy>

#include <algorithm>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstCacheTraces : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_cache_traces"); }

private slots:
    void columnsAreAskedFor()
    {
        CacheDesk desk;
        QVERIFY(desk.expose());
        QByteArray rows = "when,what,much\n";
        for (int i = 0; i < 200; ++i)
            rows += QByteArray::number(i) + ",obj" + QByteArray::number(i % 17) + ',' + QByteArray::number(100 + i % 17) + '\n';
        const QString table = desk.file("odd.csv", rows);
        QSignalSpy failed(&desk.cache(), &CacheController::failed);
        desk.window.open(table); // none of its columns has a usual name
        QVERIFY(desk.waitFor([&] { return !failed.isEmpty(); }));
        QVERIFY2(failed[0][0].toString().contains("odd.csv"), qPrintable(failed[0][0].toString()));
        QVERIFY(!desk.cache().sources());
        desk.window.showLab(&desk.window.cachePanel());
        auto* columns = desk.window.cachePanel().columns();
        QVERIFY(columns->isVisible());
        for (const auto& [field, name] : {std::pair("traceIdColumn", "what"), std::pair("traceTimeColumn", "when"), std::pair("traceSizeColumn", "3")}) {
            auto* edit = desk.child<QLineEdit>(field);
            edit->setFocus();
            QTest::keyClicks(edit, name);
        }
        QTest::mouseClick(desk.child<QPushButton>("applyTraceColumns"), Qt::LeftButton);
        QVERIFY(desk.idle());
        QCOMPARE(desk.cache().sources()->trace.ids.size(), std::size_t{17});
        QVERIFY(desk.cache().sources()->trace.sized());
        QCOMPARE(desk.choice().columns.size, std::string("3"));
        QVERIFY(!desk.curve("cache.belady")->curve.limit); // with sizes it is none
        QVERIFY(desk.curve("cache.belady")->title.contains("unit size only"));
    }
    void uniquenessOfTheTrace()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        QByteArray rows = "id,size,alone\n";
        for (int i = 0; i < 3000; ++i)
            rows += QByteArray::number(i * i % 97) + ",10," + (i * i % 97 % 2 == 0 ? "0.1" : "1") + '\n';
        desk.cache().open(desk.file("alike.csv", rows));
        QVERIFY(desk.waitFor([&] { return desk.cache().sources() && desk.cache().sources()->trace.name == "alike.csv"; }));
        QVERIFY(desk.idle());
        QVERIFY(desk.cache().sources()->trace.uniqueness.empty()); // "alone" is no usual name
        auto* edit = desk.child<QLineEdit>("traceUniquenessColumn");
        QTest::keyClicks(edit, "alone");
        QTest::keyClick(edit, Qt::Key_Return);
        QVERIFY(desk.waitFor([&] { return !desk.cache().sources()->trace.uniqueness.empty(); }));
        QVERIFY(desk.idle());
        QCOMPARE(desk.choice().columns.uniqueness, std::string("alone"));
        QVERIFY(desk.cache().sources()->trace.uniqueness[1] == 1.0F && desk.cache().sources()->trace.uniqueness[2] == 0.1F);
        QCOMPARE(desk.cache().sources()->played().uniqueness, desk.cache().sources()->trace.uniqueness); // what is stepped through has no sizes, but these
    }
    void costsOfTheTrace()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        QByteArray rows = "id,price\n";
        for (int i = 0; i < 3000; ++i)
            rows += QByteArray::number(i * i % 97) + ',' + QByteArray::number(1 + i * i % 97 % 5) + '\n';
        desk.cache().open(desk.file("priced.csv", rows));
        QVERIFY(desk.waitFor([&] { return desk.cache().sources() && desk.cache().sources()->trace.name == "priced.csv"; }));
        QVERIFY(desk.idle());
        QVERIFY(!desk.cache().sources()->trace.costed()); // "price" is no usual name
        auto* edit = desk.child<QLineEdit>("traceCostColumn");
        edit->setFocus();
        QTest::keyClicks(edit, "price");
        QTest::keyClick(edit, Qt::Key_Return);
        QVERIFY(desk.waitFor([&] { return desk.cache().sources()->trace.costed(); }));
        QVERIFY(desk.idle());
        QCOMPARE(desk.choice().columns.cost, std::string("price"));
        auto* counted = desk.child<QComboBox>("cacheCounted");
        counted->setFocus();
        QTest::keyClick(counted, Qt::Key_End);
        QCOMPARE(counted->currentIndex(), 2);
        QVERIFY(!desk.child<QDoubleSpinBox>("cacheMissCost")->isVisible()); // the trace says it
        const auto& point = desk.curve("cache.lru")->curve.points[3];
        const auto reference = cache::missRatioCurves(desk.cache().sources()->trace, {{"cache.lru", {}}}, {.sizes = {point.size}}, {});
        const auto& series = desk.page().chart()->series();
        const auto lru = std::ranges::find_if(series, [&](const auto& each) { return each.name == desk.curve("cache.lru")->title.toStdString(); });
        QVERIFY(lru != series.end());
        QCOMPARE(lru->points[3].y, reference.curves[0].points[0].costMissRatio);
        QVERIFY(desk.page().chart()->axes().yTitle.contains("costs"));
    }
    /// What no column is named for by itself reaches the levels: there writes go back or through.
    void operationsReachTheLevels()
    {
        CacheDesk desk;
        QVERIFY(desk.expose());
        QByteArray rows = "id,size,op\n";
        for (int i = 0; i < 4000; ++i)
            rows += QByteArray::number(i * i % 211) + ",4096," + (i % 3 == 0 ? "w" : "r") + '\n';
        desk.window.document().change("few", {}, [](SessionState& state) { state.cache.policies = std::vector<std::string>{"cache.lru"}; });
        desk.cache().open(desk.file("written.csv", rows));
        QVERIFY(desk.idle());
        desk.window.showLab(&desk.window.cachePanel());
        auto* edit = desk.child<QLineEdit>("traceOperationColumn");
        edit->setFocus();
        QTest::keyClicks(edit, "op");
        QTest::keyClick(edit, Qt::Key_Return);
        QVERIFY(desk.waitFor([&] { return desk.choice().columns.operation == "op"; }));
        QVERIFY(desk.idle());
        desk.window.cachePanel().showPage(QStringLiteral("levels"));
        auto& levels = desk.window.cache().levels();
        std::vector<std::uint64_t> written;
        for (const char* policy : {"back", "through"}) {
            emit desk.window.cachePanel().settings()->findChild<views::LevelsSettings*>()->parameterEdited(QStringLiteral("writes"), std::string(policy), true);
            QVERIFY(desk.waitFor([&] { return levels.isUpToDate(); }));
            QVERIFY(levels.report() && levels.report()->writeRequests > 0);
            written.push_back(levels.report()->backingBytes);
        }
        QVERIFY2(written[0] < written[1], qPrintable(QStringLiteral("back %1, through %2").arg(written[0]).arg(written[1]))); // several writes of an object go down as one
    }
    void aFormatIsChosen()
    {
        CacheDesk desk;
        QVERIFY(desk.expose());
        QByteArray ids;
        for (int i = 0; i < 3000; ++i) {
            const quint32 id = static_cast<quint32>(i * i % 97);
            ids.append(reinterpret_cast<const char*>(&id), sizeof(id));
        }
        QSignalSpy failed(&desk.cache(), &CacheController::failed);
        desk.cache().open(desk.file("ids.bin", ids));
        QVERIFY(desk.waitFor([&] { return !failed.isEmpty(); }));
        QVERIFY2(failed[0][0].toString().contains("format"), qPrintable(failed[0][0].toString()));
        desk.window.showLab(&desk.window.cachePanel());
        auto* format = desk.child<QComboBox>("traceFormat");
        QVERIFY(format->isVisible());
        QVERIFY(!desk.child<QLineEdit>("traceIdColumn")->isVisible());
        format->setFocus();
        QTest::keyClicks(format, "le32");
        QCOMPARE(format->currentText(), QStringLiteral("le32"));
        QTest::mouseClick(desk.child<QPushButton>("applyTraceColumns"), Qt::LeftButton);
        QVERIFY(desk.idle());
        QCOMPARE(desk.cache().sources()->trace.requests(), std::size_t{3000});
        QCOMPARE(desk.choice().format, std::string("le32"));
        QVERIFY(format->isVisible()); // the way back
        desk.run("edit.undo");
        QVERIFY(desk.waitFor([&] { return !desk.cache().sources(); }));
    }
};

QTEST_MAIN(TstCacheTraces)
#include "tst_cache_traces.moc"

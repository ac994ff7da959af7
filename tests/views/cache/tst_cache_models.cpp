// SPDX-License-Identifier: GPL-3.0-or-later
// Lists and tables of the cache lab keep the rules of Qt's models; words and costs are what they say.
#include "tests/views/cache_sample.h"
#include "views/cache/cache_words.h"
#include "views/cache/curve_table_model.h"
#include "views/cache/policy_list_model.h"
#include "views/cache/step_playback.h"
#include "views/common/inline_bar_delegate.h"

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using namespace tamis::test;

class TstCacheModels : public QObject {
    Q_OBJECT
private slots:
    void policiesAreTicked()
    {
        PolicyListModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
        model.setPolicies({{"cache.lru", "LRU", "reference", false, {}}, {"cache.arc", "ARC", {}, false, "slow"}, {"cache.belady", "MIN", {}, true, {}}});
        QCOMPARE(model.ticked(), QStringList{"cache.belady"}); // limits are always drawn
        QSignalSpy edited(&model, &PolicyListModel::tickedEdited);
        model.setTicked({"cache.arc"});
        QCOMPARE(edited.size(), 0);
        QCOMPARE(model.ticked(), QStringList({"cache.arc", "cache.belady"}));
        QVERIFY(model.setData(model.indexOf("cache.lru"), Qt::Checked, Qt::CheckStateRole));
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toStringList(), QStringList({"cache.lru", "cache.arc", "cache.belady"}));
        QVERIFY(!model.setData(model.indexOf("cache.belady"), Qt::Unchecked, Qt::CheckStateRole));
        QVERIFY(!(model.flags(model.indexOf("cache.belady")) & Qt::ItemIsUserCheckable));
        QVERIFY(model.indexOf("cache.arc").data(Qt::ToolTipRole).toString().contains("slow"));
        QVERIFY(!model.indexOf("cache.none").isValid());
        model.setPolicies({});
        QCOMPARE(model.rowCount(), 0);
    }
    void curvesAtTheCursor()
    {
        CurveTableModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
        auto sampled = cacheCurve("cache.arc", "ARC", 0.3, 1);
        for (auto& point : sampled.curve.points)
            point.deviation = 0.01;
        auto kept = cacheCurve("cache.lru", "LRU", 0.1, 2);
        kept.kept = 0;
        model.setCurves({cacheCurve("cache.lru", "LRU", 0.2, 0), sampled, kept}, false);
        const auto at = [&](int row, int column, int role = Qt::DisplayRole) { return model.index(row, column).data(role); };
        model.setSize(10);
        QCOMPARE(at(0, CurveTableModel::HitColumn, kSortRole).toDouble(), 0.4);
        QVERIFY(!at(0, CurveTableModel::HitColumn).toString().contains(QStringLiteral("≈")));
        model.setSize(40); // between 10 and 100, where the line over the logarithm of the size is: log10(4) of the way
        QVERIFY(std::abs(at(0, CurveTableModel::HitColumn, kSortRole).toDouble() - (0.4 + 0.2 * std::log10(4.0))) < 1e-12);
        QVERIFY(at(0, CurveTableModel::HitColumn).toString().startsWith(QStringLiteral("≈ 52.04")));
        QVERIFY(at(0, CurveTableModel::HitColumn, Qt::ToolTipRole).toString().contains(QStringLiteral("40.00")));
        QVERIFY(at(0, CurveTableModel::HitColumn, Qt::ToolTipRole).toString().contains(QStringLiteral("60.00")));
        model.setSize(101); // outside: nothing is made up
        QCOMPARE(at(0, CurveTableModel::HitColumn).toString(), QStringLiteral("–"));
        QVERIFY(at(0, CurveTableModel::HitColumn, Qt::ToolTipRole).toString().contains("100"));
        model.setSize(100);
        QCOMPARE(at(0, CurveTableModel::HitColumn, kSortRole).toDouble(), 0.2 + 0.2 + 0.2);
        QVERIFY(at(1, CurveTableModel::HitColumn).toString().contains(QStringLiteral("±")));
        QVERIFY(!at(0, CurveTableModel::HitColumn).toString().contains(QStringLiteral("±")));
        QVERIFY(at(2, CurveTableModel::TitleColumn).toString().contains("kept"));
        QCOMPARE(at(0, CurveTableModel::ByteHitColumn).toString(), QStringLiteral("–")); // no sizes: no bytes
        CacheMeasure cost;
        cost.missMicros = 100;
        model.setMeasure(cost);
        QVERIFY(std::abs(at(0, CurveTableModel::CostColumn, kSortRole).toDouble() - 40) < 1e-9); // 0.4 of the requests miss
        QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
        model.setCurves({cacheCurve("cache.lru", "LRU", 0.1, 0), sampled, kept}, false); // the same rows: values change, the selection stays
        QCOMPARE(reset.size(), 0);
        QCOMPARE(at(0, CurveTableModel::HitColumn, kSortRole).toDouble(), 0.1 + 0.2 + 0.2);
        model.setCurves({}, false);
        QCOMPARE(reset.size(), 1);
    }
    void costsAreOfMisses()
    {
        report::PolicyPoint point{.size = 1, .requests = 10, .hits = 5, .bytes = 1000, .hitBytes = 250};
        point.hitRatio = 0.5;
        point.byteHitRatio = 0.25;
        CacheMeasure measure{CacheMeasure::Counted::Cost, true, 20, 100};
        // half of the requests at 20 us, and three quarters of 100 bytes a request at 100 ns
        QVERIFY(std::abs(measureOf(point, measure) - (10 + 7.5)) < 1e-12);
        measure.counted = CacheMeasure::Counted::Bytes;
        QCOMPARE(measureOf(point, measure), 0.75);
        measure.misses = false;
        QCOMPARE(measureOf(point, measure), 0.25);
    }
    void wordsOfSizes()
    {
        QCOMPARE(cacheSizeText(1, false), QStringLiteral("1 object"));
        QVERIFY(cacheSizeText(1234567, false).startsWith(QStringLiteral("1\u202F234\u202F567 ")));
        QVERIFY(cacheSizeText(1 << 20, true).contains("MiB"));
    }
    // Forward and back again is where it was, whatever the order of moves.
    void playingGoesBackToWhereItWas()
    {
        StepPlayback playback;
        const auto report = stepSample();
        playback.setReport(report);
        QCOMPARE(playback.cells(), (std::vector<std::uint32_t>{7, 8}));
        playback.moveTo(1);
        QCOMPARE(playback.cells(), (std::vector<std::uint32_t>{1, 8}));
        playback.moveTo(3);
        QCOMPARE(playback.cells(), (std::vector<std::uint32_t>{1, 2}));
        QCOMPARE(playback.hits(), 1);
        playback.moveTo(99);
        QCOMPARE(playback.position(), 5);
        QCOMPARE(playback.cells(), (std::vector<std::uint32_t>{1, 3}));
        QVERIFY(!playback.next());
        std::vector<std::vector<std::uint32_t>> backwards;
        for (int position = 5; position-- > 0;) {
            playback.moveTo(position);
            backwards.push_back(playback.cells());
        }
        QCOMPARE(playback.hits(), 0);
        for (int position = 0; position < 5; ++position) {
            StepPlayback fresh;
            fresh.setReport(report);
            fresh.moveTo(position);
            QCOMPARE(fresh.cells(), backwards[static_cast<std::size_t>(4 - position)]);
        }
        QCOMPARE(playback.nameOf(8), QStringLiteral("eight"));
        QCOMPARE(playback.nameOf(5), QStringLiteral("object 5"));
    }
};

QTEST_MAIN(TstCacheModels)
#include "tst_cache_models.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Options of policies away from their defaults, against plain Python twins (OPTIONS in tests/golden/make_cache_golden.py), and hits in bytes as a report tells them.
#include "core/cache/load_trace.h"
#include "core/cache/simulate.h"
#include "tests/core/cache/mixed_trace.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

#include <set>

using namespace tamis;
using namespace tamis::cache;

namespace {
QJsonObject golden()
{
    QFile file(TAMIS_SOURCE_DIR "/tests/golden/cache_golden.json");
    return file.open(QIODevice::ReadOnly) ? QJsonDocument::fromJson(file.readAll()).object() : QJsonObject();
}

/// As make_cache_golden.py runs its twins: seed 3, no mean size.
std::uint64_t hitsOf(const Trace& trace, const Method& method, std::uint64_t capacity, const Parameters& parameters)
{
    const PolicyPtr policy = method.policy({capacity, 3}, parameters);
    return simulate(trace, {}, *policy, 0, {}).hits;
}

struct PublishedBytes {
    const char* policy;
    std::array<std::uint64_t, 5> misses; ///< bytes, at 128, 256, 512, 768, 1024 MiB
};
/// libCacheSim's own tests (test/test_evictionAlgo.c) on its CloudPhysics sample, beside the counts of tst_cache_policies.
constexpr std::array<PublishedBytes, 11> kPublishedBytes{{{"cache.lru", {4214303232, 4061242368, 3660569600, 3078128640, 3061662720}},
    {"cache.fifo", {4213112832, 4052646400, 3807412736, 3079525888, 3077547520}}, {"cache.clock", {4213887488, 4064512000, 3644467200, 3091688448, 2697378816}},
    {"cache.lfu", {4158632960, 3917211648, 3455379968, 2801699328, 2696345600}}, {"cache.sieve", {4158632960, 3917211648, 3455379968, 2801699328, 2696345600}},
    {"cache.mru", {4105477120, 3784799744, 3280475648, 2856241152, 2539762688}}, {"cache.arc", {4068098560, 3821026816, 3296890368, 2771180032, 2712971264}},
    {"cache.slru", {4123085312, 3915534848, 3493027840, 2661464064, 2439981056}}, {"cache.s3-fifo", {4040718336, 3703628800, 3282235904, 2980646912, 2979649536}},
    {"cache.lirs", {4060558336, 3525952512, 3011810816, 2580918784, 2288325120}}, {"cache.belady", {3472532480, 2995165696, 2537648128, 2269212672, 2029769728}}}};
} // namespace

class TstCacheOptions : public QObject {
    Q_OBJECT
    Trace m_unit, m_sized;
    QJsonObject m_golden;

private slots:
    void initTestCase()
    {
        m_unit = mixedTrace(7, 6000, false);
        m_sized = mixedTrace(7, 6000, true);
        m_golden = golden();
        QVERIFY(!m_golden.isEmpty());
    }
    void options_data()
    {
        QTest::addColumn<QJsonObject>("row");
        for (const QJsonValue& each : m_golden["options"].toArray()) {
            const QJsonObject row = each.toObject(), set = row["set"].toObject();
            QStringList name{row["policy"].toString(), row["sized"].toBool() ? "sized" : "unit"};
            for (auto option = set.begin(); option != set.end(); ++option)
                name << option.key() + "=" + option.value().toString();
            QTest::newRow(qPrintable(name.join(' '))) << row;
        }
    }
    /// The twin's hits at every size; at one of them at least they are not those of the defaults.
    void options()
    {
        QFETCH(QJsonObject, row);
        const Method* method = findMethod(row["policy"].toString().toStdString());
        QVERIFY(method);
        const QJsonObject set = row["set"].toObject(), hits = row["hits"].toObject();
        Parameters parameters;
        for (auto option = set.begin(); option != set.end(); ++option)
            parameters.set(option.key().toStdString(), method->declaration.schema.parse(option.key().toStdString(), option.value().toString().toStdString()));
        const Trace& trace = row["sized"].toBool() ? m_sized : m_unit;
        QCOMPARE(hits.size(), 3);
        bool matters = false;
        for (auto size = hits.begin(); size != hits.end(); ++size) {
            const std::uint64_t capacity = size.key().toULongLong(), found = hitsOf(trace, *method, capacity, parameters);
            QVERIFY2(found == static_cast<std::uint64_t>(size.value().toInteger()), qPrintable(QString("%1: %2, expected %3").arg(size.key()).arg(found).arg(size.value().toInteger())));
            matters = matters || found != hitsOf(trace, *method, capacity, {});
        }
        QVERIFY(matters);
    }
    /// Every option of these policies is moved in the script, a new one too. Hyperbolic's exponents are with the costs and uniqueness of tst_cache_policies.
    void everyOptionHasATwin()
    {
        std::set<QString> moved;
        for (const QJsonValue& each : m_golden["options"].toArray())
            for (const QString& name : each.toObject()["set"].toObject().keys())
                moved.insert(each.toObject()["policy"].toString() + " " + name);
        for (const char* id : {"cache.lfu", "cache.w-tinylfu", "cache.two-q", "cache.s3-fifo", "cache.lirs", "cache.clock", "cache.lecar", "cache.slru"})
            for (const ParameterSpec& spec : findMethod(id)->declaration.schema.specs())
                QVERIFY2(moved.contains(QString(id) + " " + spec.name.c_str()), spec.name.c_str());
        QVERIFY(moved.contains("cache.hyperbolic sample") && moved.contains("cache.hyperbolic by-size"));
    }
    /// A segment alone is least recently used.
    void oneSegmentIsLru()
    {
        Parameters one;
        one.set("segments", std::int64_t{1});
        for (const std::uint64_t capacity : {10U, 100U, 300U})
            QCOMPARE(hitsOf(m_unit, *findMethod("cache.slru"), capacity, one), hitsOf(m_unit, *findMethod("cache.lru"), capacity, {}));
    }
    /// Bytes of the hits, of all and behind a warm-up; large and small objects hit differently, so that the two ratios are not one.
    void byteHitsOfTwins()
    {
        const CurveSettings whole{.sizes = {700, 2000, 6500}}, late{.sizes = {700, 2000, 6500}, .warmUp = 1500};
        const std::vector<Configuration> all{{"cache.lru", {}}, {"cache.fifo", {}}, {"cache.clock", {}}, {"cache.lfu", {}}};
        const std::array<report::CacheReport, 2> reports{missRatioCurves(m_sized, all, whole, {}), missRatioCurves(m_sized, all, late, {})};
        const QJsonObject asked = m_golden["bytes"].toObject();
        const std::array<std::uint64_t, 2> bytes{static_cast<std::uint64_t>(asked["all"].toInteger()), static_cast<std::uint64_t>(asked["behind 1500"].toInteger())};
        QVERIFY(bytes[0] > bytes[1] && bytes[1] > 0);
        for (std::size_t c = 0; c < all.size(); ++c) {
            const QJsonObject expected = m_golden["byte hits"].toObject().value(QString::fromStdString(all[c].method.substr(6))).toObject();
            QCOMPARE(expected.size(), 3);
            for (std::size_t r = 0; r < reports.size(); ++r)
                for (const report::PolicyPoint& point : reports[r].curves[c].points) {
                    const auto hit = static_cast<std::uint64_t>(expected.value(QString::number(point.size)).toArray().at(static_cast<qsizetype>(r)).toInteger());
                    QCOMPARE(point.bytes, bytes[r]);
                    QCOMPARE(point.hitBytes, hit);
                    QCOMPARE(point.byteHitRatio, static_cast<double>(hit) / static_cast<double>(bytes[r]));
                    QVERIFY(point.byteHitRatio != point.hitRatio);
                }
        }
    }
    void bytesWithoutSizesAreObjects()
    {
        const report::CacheReport report = missRatioCurves(m_unit, {{"cache.lru", {}}, {"cache.fifo", {}}}, {.sizes = {20, 200}, .warmUp = 500}, {});
        for (const report::PolicyCurve& curve : report.curves) // the first in one pass for all sizes
            for (const report::PolicyPoint& point : curve.points) {
                QCOMPARE(point.bytes, point.requests);
                QCOMPARE(point.hitBytes, point.hits);
                QVERIFY(point.byteHitRatio == point.hitRatio && point.hits > 0);
            }
    }
    void publishedByteMisses()
    {
        const std::filesystem::path file = qEnvironmentVariable("TAMIS_SHARED_DATA", TAMIS_SOURCE_DIR "/../shared/data").toStdString() + "/traces/cloudPhysicsIO.oracleGeneral.bin";
        if (!std::filesystem::exists(file))
            QSKIP("../shared/data/traces is not there");
        const Trace trace = loadTrace(file, {}, {});
        Parameters five;
        five.set("segments", std::int64_t{5});
        std::vector<Configuration> all;
        for (const PublishedBytes& each : kPublishedBytes)
            all.push_back({each.policy, std::string(each.policy) == "cache.slru" ? five : Parameters()});
        CurveSettings settings;
        for (const std::uint64_t size : {128U, 256U, 512U, 768U, 1024U})
            settings.sizes.push_back(size << 20U);
        const report::CacheReport report = missRatioCurves(trace, all, settings, {});
        for (std::size_t c = 0; c < all.size(); ++c)
            for (std::size_t i = 0; i < settings.sizes.size(); ++i) {
                const report::PolicyPoint& point = report.curves[c].points[i];
                QCOMPARE(point.bytes, std::uint64_t{4368040448});
                const std::uint64_t missed = point.bytes - point.hitBytes, expected = kPublishedBytes[c].misses[i];
                QVERIFY2(missed == expected, qPrintable(QString("%1: %2 bytes missed, expected %3").arg(all[c].method.c_str()).arg(missed).arg(expected)));
                QCOMPARE(point.byteHitRatio, 1 - static_cast<double>(expected) / 4368040448.0);
            }
    }
};

QTEST_GUILESS_MAIN(TstCacheOptions)
#include "tst_cache_options.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Curves of a trace that is not held are those of the same trace held, to the hit; memory does not follow its length; what cannot be streamed is refused.
#include "core/base/error.h"
#include "core/cache/load_trace.h"
#include "core/cache/method.h"
#include "core/cache/streamed_curves.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <random>
#include <thread>

using namespace tamis;
using namespace tamis::cache;

namespace {
std::filesystem::path words() { return std::filesystem::path(TAMIS_SOURCE_DIR) / "datasets" / "traces" / "sotu-words.txt.gz"; }

/// All that do not look ahead.
std::vector<Configuration> everything()
{
    std::vector<Configuration> all;
    for (const Method& method : methods())
        if (!method.knowsFuture && !method.bound)
            all.push_back({method.declaration.id, {}});
    return all;
}

std::uint64_t peakKiB()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:"))
            return std::stoull(line.substr(6));
    return 0;
}
} // namespace

class TstStreamedCurves : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;

    std::filesystem::path ids(std::size_t count, std::uint32_t objects) const
    {
        const std::filesystem::path file = m_folder.filePath(QString::number(count) + ".le32").toStdString();
        std::ofstream out(file, std::ios::binary);
        std::mt19937 draw(5);
        std::vector<std::uint32_t> some(1 << 16);
        for (std::size_t done = 0; done < count; done += some.size()) {
            for (std::uint32_t& each : some)
                each = static_cast<std::uint32_t>(draw() % objects * (draw() % objects) / objects);
            out.write(reinterpret_cast<const char*>(some.data()), static_cast<std::streamsize>(std::min(some.size(), count - done) * sizeof(std::uint32_t)));
        }
        return file;
    }

private slots:
    void asIfItWereHeld_data()
    {
        QTest::addColumn<QString>("file");
        QTest::newRow("words, packed") << QString::fromStdString(words().string());
        const QString table = m_folder.filePath("sized.csv");
        QFile out(table);
        QVERIFY(out.open(QIODevice::WriteOnly));
        out.write("id,size,cost,uniqueness\n"); // found by their names
        std::mt19937 draw(3);
        for (int i = 0; i < 30'000; ++i) {
            const auto id = draw() % 500 * (draw() % 500) / 500;
            out.write(QByteArray::number(id) + ',' + QByteArray::number(1 + (id * 37 + (i > 20'000 && id % 7 == 0 ? 11 : 0)) % 300) + ',' + QByteArray::number(id % 9 + 0.5) + ',' + QByteArray::number(1.0 / (1 + id % 4)) + '\n'); // some are larger later
        }
        QTest::newRow("sizes, costs, uniqueness") << table;
    }
    void asIfItWereHeld()
    {
        QFETCH(QString, file);
        const io::TraceOptions options;
        const Trace trace = loadTrace(file.toStdString(), options, {});
        const CurveSettings settings{.sizes = usualSizes(trace, 4), .warmUp = 5000, .seed = 7};
        const report::CacheReport held = missRatioCurves(trace, everything(), settings, {}), streamed = streamedCurves(file.toStdString(), options, everything(), settings, 4, {});
        QVERIFY(streamed.requests == held.requests && streamed.objects == held.objects && streamed.workingSet == held.workingSet && streamed.sized == held.sized && streamed.costed == held.costed && streamed.trace == held.trace);
        QCOMPARE(streamed.compulsory, held.compulsory);
        QCOMPARE(streamed.curves.size(), held.curves.size());
        for (std::size_t c = 0; c < held.curves.size(); ++c) {
            const auto &a = streamed.curves[c], &b = held.curves[c];
            QVERIFY2(a.failure == b.failure && a.policy == b.policy && a.settings == b.settings && a.points.size() == b.points.size(), a.policy.c_str());
            for (std::size_t i = 0; i < b.points.size(); ++i) {
                QVERIFY2(a.points[i].hits == b.points[i].hits && a.points[i].requests == b.points[i].requests && a.points[i].bytes == b.points[i].bytes && a.points[i].hitBytes == b.points[i].hitBytes,
                         qPrintable(QStringLiteral("%1 at %2: %3, %4").arg(a.policy.c_str()).arg(b.points[i].size).arg(a.points[i].hits).arg(b.points[i].hits)));
                QCOMPARE(a.points[i].hitRatio, b.points[i].hitRatio);
                if (held.costed) // sums of 25,000 numbers in two orders
                    QVERIFY(std::abs(a.points[i].costMissRatio - b.points[i].costMissRatio) < 1e-9 && std::abs(a.points[i].cost - b.points[i].cost) < 1e-9 * b.points[i].cost);
            }
        }
        const report::CacheReport usual = streamedCurves(file.toStdString(), options, {{"cache.fifo", {}}}, {}, 4, {}); // sizes of its own
        QCOMPARE(usual.curves[0].points.size(), settings.sizes.size());
        QCOMPARE(usual.curves[0].points.back().size, settings.sizes.back());
    }
    /// 24 M requests are 96 MB of numbers, were they held; here nothing grows with them. The bound is what 2 M took and half of the difference.
    void memoryIsOfTheObjects()
    {
        const std::vector<Configuration> lru{{"cache.lru", {}}};
        const CurveSettings settings{.sizes = {1000}};
        (void)streamedCurves(ids(2'000'000, 20'000), {}, lru, settings, 1, {});
        const std::uint64_t before = peakKiB();
        const report::CacheReport report = streamedCurves(ids(24'000'000, 20'000), {}, lru, settings, 1, {});
        QCOMPARE(report.requests, std::uint64_t{24'000'000});
        QVERIFY2(peakKiB() < before + 40'000, qPrintable(QStringLiteral("%1 KiB, before %2").arg(peakKiB()).arg(before)));
    }
    void refusals()
    {
        const auto code = [&](const std::vector<Configuration>& configurations, const CurveSettings& settings) {
            try {
                streamedCurves(words(), {}, configurations, settings, 3, {});
            } catch (const Error& error) {
                return error.code();
            }
            return ErrorCode::IoFailure; // nothing was refused
        };
        const std::vector<Configuration> lru{{"cache.lru", {}}};
        CapacityRules rules;
        rules.hard = 0.5;
        QCOMPARE(code({{"cache.belady", {}}}, {}), ErrorCode::UnsupportedFeature);
        QCOMPARE(code({{"cache.sized-bound", {}}}, {}), ErrorCode::UnsupportedFeature);
        QCOMPARE(code(lru, {.rate = 0.5}), ErrorCode::UnsupportedFeature);
        QCOMPARE(code(lru, {.rules = rules}), ErrorCode::UnsupportedFeature);
        QCOMPARE(code(lru, {.warmUp = 100'000}), ErrorCode::InvalidParameter);
        QCOMPARE(code(lru, {.sizes = {0, 5}}), ErrorCode::InvalidParameter);
        QCOMPARE(code({{"cache.none", {}}}, {}), ErrorCode::InvalidParameter);
    }
    void stopped()
    {
        const std::filesystem::path file = ids(4'000'000, 20'000);
        std::stop_source stop;
        std::jthread later([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            stop.request_stop();
        });
        try {
            streamedCurves(file, {}, {{"cache.gbm", {}}, {"cache.lru", {}}}, {.sizes = {100, 1000}}, 1, RunContext(stop.get_token()));
            QFAIL("it was not stopped");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TstStreamedCurves)
#include "tst_streamed_curves.moc"

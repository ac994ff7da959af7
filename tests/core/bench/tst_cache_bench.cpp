// SPDX-License-Identifier: GPL-3.0-or-later
// The cache bench on small inputs: entries that are asked for, arithmetic of their ratios; its Zipf law against the law; numbers of ids a block at a time against one at a time.
#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/bench/cache_bench.h"
#include "core/bench/zipf_ids.h"
#include "core/cache/trace.h"

#include <QRegularExpression>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

using namespace tamis;
using namespace tamis::bench;

class TstCacheBench : public QObject {
    Q_OBJECT
private slots:
    /// 400,000 draws of 50 ranks: each count within five standard deviations of a multinomial's.
    void zipfLaw()
    {
        constexpr std::size_t kObjects = 50, kDraws = 400'000;
        for (const double exponent : {0.0, 1.0, 1.5}) {
            std::map<std::uint64_t, double> counts;
            for (const std::uint64_t id : ZipfIds(kObjects, exponent, 3).next(kDraws))
                ++counts[id];
            double sum = 0;
            for (std::size_t r = 1; r <= kObjects; ++r)
                sum += std::pow(static_cast<double>(r), -exponent);
            double seen = 0;
            for (std::size_t r = 1; r <= kObjects; ++r) {
                const double p = std::pow(static_cast<double>(r), -exponent) / sum, found = counts[mixedBits(r)];
                seen += found;
                QVERIFY2(std::abs(found - p * kDraws) <= 5 * std::sqrt(kDraws * p * (1 - p)), qPrintable(QString("%1 at %2").arg(found).arg(p * kDraws)));
            }
            QCOMPARE(seen, static_cast<double>(kDraws)); // no other ids
        }
        QVERIFY(ZipfIds(1000, 1, 5).next(100) == ZipfIds(1000, 1, 5).next(100));
        QVERIFY(ZipfIds(1000, 1, 5).next(100) != ZipfIds(1000, 1, 6).next(100));
    }
    /// Blocks of any length, through every growth of the table, id 0 and equal ids within a block.
    void numbersByBlocks()
    {
        std::vector<std::uint64_t> ids = ZipfIds(20'000, 0.8, 1).next(60'000);
        ids[17] = 0;
        ids[40'000] = 0;
        std::unordered_map<std::uint64_t, std::uint32_t> plain;
        std::vector<std::uint32_t> expected;
        for (const std::uint64_t id : ids)
            expected.push_back(plain.emplace(id, static_cast<std::uint32_t>(plain.size())).first->second);
        for (const std::size_t block : {std::size_t{1}, std::size_t{5}, std::size_t{12}, std::size_t{24}, std::size_t{33}, std::size_t{4096}, ids.size()}) {
            cache::ObjectNumbers numbers;
            std::vector<std::uint32_t> found(ids.size());
            for (std::size_t first = 0; first < ids.size(); first += block) {
                const std::size_t count = std::min(block, ids.size() - first);
                numbers.of(std::span(ids).subspan(first, count), std::span(found).subspan(first));
            }
            QVERIFY(found == expected);
            QCOMPARE(numbers.count(), plain.size());
        }
    }
    void entries()
    {
        const CacheBenchInputs small{.requests = 60'000, .objects = 6'000, .capacity = 600, .small = 60, .curveRequests = 20'000, .curveObjects = 4'000, .sizes = 4, .streamed = 70'000};
        const std::vector<BenchResult> results = benchCache({}, small);
        const auto named = [&](const std::string& name) { return *std::ranges::find(results, name, &BenchResult::name); };
        for (const char* name : {"numbers of ids alone", "fifo from ids", "lru from ids", "sieve from ids", "clock from ids", "arc from ids", "s3-fifo from ids", "w-tinylfu from ids", "lirs from ids", "lru from ids, live peer",
                                 "curves, exact", "curves, samples of 0.05 of the objects", "curves, the first of the exact ones", "lru from a file"}) {
            QVERIFY2(std::ranges::find(results, name, &BenchResult::name) != results.end(), name);
            QVERIFY2(named(name).oursSeconds > 0 && !named(name).note.empty(), name);
        }
        for (const BenchResult& each : results)
            if (!std::isnan(each.peerSeconds)) {
                QVERIFY2(std::abs(each.ratio - each.peerSeconds / each.oursSeconds) <= 1e-12 * each.ratio, each.name.c_str());
                QVERIFY2(!each.peerName.empty(), each.name.c_str());
            }
        QCOMPARE(named("lirs from ids").peerSeconds, 60'000 / 1.37e6);
        QVERIFY(named("fifo from ids").peerName.starts_with("a constant"));
        QVERIFY(named("lru from ids, live peer").note.starts_with("the same "));
        QVERIFY(named("curves, samples of 0.05 of the objects").note.find("of 40 within") != std::string::npos);
        QVERIFY(named("lru from a file").unit.find("0.1 M requests") != std::string::npos);
        QVERIFY(named("curves, the first of the exact ones").oursSeconds <= named("curves, exact").oursSeconds);
    }
    /// Ten times the requests to as many objects take no more memory: each objects' 20 bytes, the policy's, and a stretch.
    void streamAlone()
    {
        const auto peak = [](std::size_t requests) {
            const std::vector<BenchResult> results = benchCache({}, {.objects = 20'000, .capacity = 2'000, .streamed = requests, .streamAlone = true});
            const QRegularExpressionMatch found = QRegularExpression("resident memory (\\d+) MB before, (\\d+) MB at most(.*)").match(QString::fromStdString(results.at(0).note));
            return results.size() == 1 && found.hasMatch() && found.captured(3).isEmpty() ? found.captured(2).toInt() - found.captured(1).toInt() : -1;
        };
        const int few = peak(300'000), many = peak(3'000'000);
        if (few < 0)
            QSKIP("this system does not tell, or forget, how much memory was resident");
        QVERIFY2(many <= few + 3, qPrintable(QString("%1 MB, then %2 MB").arg(few).arg(many))); // 12 or 24 MB if requests were kept
    }
    void stopsAndRefusals()
    {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(benchCache(RunContext(stop.get_token()), {.requests = 1000, .objects = 100}), Error);
        QVERIFY_EXCEPTION_THROWN(benchCache({}, {.requests = 0}), Error);
        QVERIFY_EXCEPTION_THROWN(benchCache({}, {.sizes = 1}), Error);
    }
};

QTEST_GUILESS_MAIN(TstCacheBench)
#include "tst_cache_bench.moc"

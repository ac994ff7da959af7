// SPDX-License-Identifier: GPL-3.0-or-later
// Pages, reuse and caches of a trace against what a cache does when it is simply played through.
#include "core/addressing/page_count.h"
#include "core/addressing/read_latency.h"
#include "core/addressing/reuse.h"
#include "core/base/error.h"
#include "core/base/split_mix.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <functional>
#include <list>
#include <map>
#include <random>
#include <set>

using namespace tamis;
using namespace tamis::addressing;

namespace {
/// Few keys often, many rarely.
std::vector<std::int32_t> trace(std::size_t length, unsigned seed, std::int32_t keys)
{
    std::mt19937 random(seed);
    std::vector<std::int32_t> all(length);
    for (std::int32_t& key : all)
        key = std::min(static_cast<std::int32_t>(random() % static_cast<unsigned>(keys)), static_cast<std::int32_t>(random() % static_cast<unsigned>(keys)));
    return all;
}

double playedLru(const std::vector<std::int32_t>& keys, std::size_t rows)
{
    std::list<std::int32_t> held; // newest first
    std::size_t hits = 0;
    for (const std::int32_t key : keys) {
        const auto found = std::ranges::find(held, key);
        if (found != held.end()) {
            ++hits;
            held.erase(found);
        } else if (held.size() == rows) {
            held.pop_back();
        }
        held.push_front(key);
    }
    return static_cast<double>(hits) / static_cast<double>(keys.size());
}

/// Pages by marking each byte's.
std::uint64_t markedPages(const EmbedTable& table, const std::vector<std::int32_t>& tokens, std::size_t batch)
{
    std::uint64_t pages = 0;
    for (std::size_t first = 0; first < tokens.size(); first += batch) {
        std::set<std::uint64_t> marked;
        for (std::size_t i = first; i < std::min(first + batch, tokens.size()); ++i)
            for (std::int64_t layer = 0; layer < table.shape().layers; ++layer) {
                const ByteRange row = table.row(layer, tokens[i]);
                for (std::uint64_t byte = row.offset; byte < row.offset + row.bytes; ++byte)
                    marked.insert(byte / 4096);
            }
        pages += marked.size();
    }
    return pages;
}
} // namespace

class TstTokenTrace : public QObject {
    Q_OBJECT
private slots:
    void reuseDistancesCountDifferentKeys()
    {
        const std::vector<std::int32_t> keys = trace(700, 3, 60);
        const auto distances = reuseDistances(keys);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            std::set<std::int32_t> between;
            std::int64_t expected = -1;
            for (std::size_t j = i; j-- > 0;) {
                if (keys[j] == keys[i]) {
                    expected = static_cast<std::int64_t>(between.size());
                    break;
                }
                between.insert(keys[j]);
            }
            QCOMPARE(distances[i], expected);
        }
        QVERIFY(reuseDistances({}).empty());
    }
    void hitsAreThoseOfACachePlayedThrough()
    {
        const std::vector<std::int32_t> keys = trace(2000, 4, 200), before = trace(2000, 5, 200);
        const auto distances = reuseDistances(keys);
        double last = 0;
        for (const std::size_t rows : {1, 2, 7, 50, 199, 1000}) {
            const double lru = leastRecentlyUsedHits(distances, static_cast<std::int64_t>(rows));
            QCOMPARE(lru, playedLru(keys, rows));
            QVERIFY(lru >= last); // inclusion
            last = lru;
            std::map<std::uint64_t, std::int32_t> places;
            std::size_t hits = 0;
            for (const std::int32_t key : keys) {
                auto& place = places.try_emplace(mixedBits(static_cast<std::uint64_t>(key)) % rows, -1).first->second;
                hits += place == key;
                place = key;
            }
            QCOMPARE(directMappedHits(keys, static_cast<std::int64_t>(rows)), static_cast<double>(hits) / 2000);
        }
        QCOMPARE(staticHotHits(keys, keys, 1000), 1.0);
        QCOMPARE(staticHotHits(before, keys, 200) <= 1.0, true);
        // the best set that is never exchanged: no other set of 10 rows hits more
        std::map<std::int32_t, int> counts;
        for (const std::int32_t key : keys)
            ++counts[key];
        std::vector<int> sorted;
        for (const auto& [key, count] : counts)
            sorted.push_back(count);
        std::ranges::sort(sorted, std::greater<>());
        int most = 0;
        for (int i = 0; i < 10; ++i)
            most += sorted[static_cast<std::size_t>(i)];
        QCOMPARE(staticHotHits(keys, keys, 10), most / 2000.0);
        QVERIFY_THROWS_EXCEPTION(Error, leastRecentlyUsedHits(distances, 0));
        QVERIFY_THROWS_EXCEPTION(Error, directMappedHits(keys, 0));
    }
    void uniqueRatioIsAMeanOverWindows()
    {
        const std::vector<std::int32_t> keys{1, 1, 2, 2, 3, 3, 3};
        QCOMPARE(uniqueRatio(keys, 4), (2.0 / 4 + 1.0 / 3) / 2);
        QCOMPARE(uniqueRatio(keys, 1), 1.0);
        QCOMPARE(uniqueRatio(keys, 100), 3.0 / 7);
        QVERIFY_THROWS_EXCEPTION(Error, uniqueRatio(keys, 0));
    }
    void pagesAreThoseOfTheBytes()
    {
        const std::vector<std::int32_t> tokens = trace(60, 6, 90);
        for (const TableLayout layout : {TableLayout::LayerMajor, TableLayout::TokenMajor})
            for (const std::int64_t width : {24, 500, 768, 1024})
                for (const std::uint64_t offset : {0, 100})
                    for (const std::size_t batch : {1, 7, 60}) {
                        const EmbedTable table({5, 90, width, tensor::DType::F16, layout}, offset);
                        const PageCount count = countPages(table, tokens, batch);
                        QCOMPARE(count.pages, markedPages(table, tokens, batch));
                        QCOMPARE(count.usefulBytes, 60 * 5 * 2 * static_cast<std::uint64_t>(width));
                    }
        const EmbedTable table({2, 10, 4, tensor::DType::F32, TableLayout::TokenMajor});
        QVERIFY_THROWS_EXCEPTION(Error, countPages(table, std::vector<std::int32_t>{10}, 1));
        QVERIFY_THROWS_EXCEPTION(Error, countPages(table, std::vector<std::int32_t>{-1}, 1));
    }
    void theNotesExample()
    {
        // RWKV v8's demonstration: 12 layers, width 768, 50,304 tokens in bf16: 18,432 bytes a token. Layer by layer the rows are 12 pieces of
        // 1,536 bytes; 8 rows fill 3 pages, and the two borders inside fall into rows 2 and 5, which lie on two pages: 12 (1 + 2/8) = 15 pages. In one
        // piece a token has 4.5 pages and starts at a page's beginning or its middle: 5 pages either way.
        std::vector<std::int32_t> all(50304);
        for (std::size_t i = 0; i < all.size(); ++i)
            all[i] = static_cast<std::int32_t>(i);
        const PageCount apart = countPages(EmbedTable({12, 50304, 768, tensor::DType::BF16, TableLayout::LayerMajor}), all, 1);
        const PageCount piece = countPages(EmbedTable({12, 50304, 768, tensor::DType::BF16, TableLayout::TokenMajor}), all, 1);
        QCOMPARE(apart.bytesPerToken(), 18432.0);
        QCOMPARE(apart.pagesPerToken(), 15.0);
        QCOMPARE(piece.pagesPerToken(), 5.0);
        QCOMPARE(piece.amplification(), 5 * 4096 / 18432.0);
        QVERIFY(apart.amplification() > 2.7); // of rows that never lie on two pages: 12 pages, 2.67
    }
    void quantilesAreOfNearestRank()
    {
        std::vector<double> values{5, 1, 4, 2, 3};
        QCOMPARE(quantile(values, 0.5), 3.0);
        QCOMPARE(quantile(values, 0.95), 5.0);
        QCOMPARE(quantile(values, 0.2), 1.0);
        QCOMPARE(quantile(values, 0.21), 2.0);
        std::vector<double> none;
        QVERIFY(std::isnan(quantile(none, 0.5)));
    }
};

QTEST_APPLESS_MAIN(TstTokenTrace)
#include "tst_token_trace.moc"

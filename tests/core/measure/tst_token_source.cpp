// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/token_source.h"

#include "core/base/error.h"
#include "core/measure/even_subset.h"

#include <QTest>

#include <map>
#include <numeric>
#include <set>

using namespace tamis;
using measure::LoadedSample;
using measure::TokenSource;

namespace {
std::vector<std::int32_t> counted(std::int32_t from, int count)
{
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
    std::iota(tokens.begin(), tokens.end(), from);
    return tokens;
}
} // namespace

class TstTokenSource : public QObject
{
    Q_OBJECT
private slots:
    void everyTokenIsScoredOnce_data()
    {
        QTest::addColumn<int>("length");
        QTest::addColumn<int>("context");
        QTest::addColumn<int>("stride");
        for (const int length : {2, 7, 16, 17, 33})
            for (const int context : {2, 8, 16, 40})
                for (const int stride : {1, 3, 8})
                    if (stride < context)
                        QTest::addRow("%d tokens, context %d, stride %d", length, context, stride) << length << context << stride;
    }
    /// With overlapping windows all tokens but the first are scored, each once, and each from the second window on with at
    /// least context - stride tokens before it (fewer only where the text has no more).
    void everyTokenIsScoredOnce()
    {
        QFETCH(int, length);
        QFETCH(int, context);
        QFETCH(int, stride);
        const TokenSource source({counted(100, length)}, {context, stride}, "test");
        std::map<std::int32_t, int> times;
        for (std::size_t i = 0; i < source.count(); ++i) {
            LoadedSample sample;
            source.load(i, sample);
            QVERIFY(sample.tokens.size() <= static_cast<std::size_t>(context));
            QVERIFY(sample.firstScored >= 1 && sample.firstScored < sample.tokens.size());
            for (std::size_t t = sample.firstScored; t < sample.tokens.size(); ++t) {
                ++times[sample.tokens[t]];
                QVERIFY(i == 0 || t >= static_cast<std::size_t>(context - stride));
            }
        }
        QCOMPARE(times.size(), static_cast<std::size_t>(length - 1));
        for (const auto& [token, count] : times)
            QVERIFY(count == 1 && token > 100);
    }

    void windowsSideBySideLeaveOutTheirFirstTokens()
    {
        const TokenSource source({counted(0, 9), counted(50, 4)}, {4, 0}, "test", [](std::span<const std::int32_t> ids) { return 10 * ids.size(); });
        QCOMPARE(source.count(), 3u); // 4, 4, a rest of one token, 4
        std::set<std::int32_t> scored;
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < source.count(); ++i) {
            LoadedSample sample;
            source.load(i, sample);
            QCOMPARE(sample.firstScored, 1u);
            scored.insert(sample.tokens.begin() + 1, sample.tokens.end());
            bytes += sample.scoredBytes;
        }
        QCOMPARE(scored, (std::set<std::int32_t>{1, 2, 3, 5, 6, 7, 51, 52, 53}));
        QCOMPARE(bytes, 90u);
        QCOMPARE(source.name(2), std::string("sequence 1, tokens 0 to 3"));
    }

    void wholeSequences()
    {
        const TokenSource source({counted(0, 9), counted(50, 4)}, {}, "test");
        QCOMPARE(source.count(), 2u);
        LoadedSample sample;
        source.load(0, sample);
        QCOMPARE(sample.tokens.size(), 9u);
    }

    void hashesTellSourcesApart()
    {
        const auto hash = [](std::vector<std::vector<std::int32_t>> tokens, measure::TokenWindows windows) {
            return TokenSource(std::move(tokens), windows, "test").sha256({});
        };
        const std::set<std::string> hashes{hash({counted(0, 8)}, {4, 0}), hash({counted(1, 8)}, {4, 0}), hash({counted(0, 8)}, {8, 0}),
                                           hash({counted(0, 8)}, {4, 2}), hash({counted(0, 4), counted(4, 4)}, {4, 0})};
        QCOMPARE(hashes.size(), 5u);
        QCOMPARE(hash({counted(0, 8)}, {4, 0}), hash({counted(0, 8)}, {4, 4}));
    }

    void subsetsAreSpreadEvenly()
    {
        const auto subset = measure::evenSubset(std::make_unique<TokenSource>(std::vector<std::vector<std::int32_t>>{counted(0, 200)}, measure::TokenWindows{2, 0}, "test"), 10);
        QCOMPARE(subset->count(), 10u);
        for (std::size_t i = 0; i < 10; ++i) {
            LoadedSample sample;
            subset->load(i, sample);
            QCOMPARE(sample.tokens.front(), static_cast<std::int32_t>(2 * (10 * i + 5))); // the middle of ten windows
        }
        QVERIFY(subset->description().find("10 of 100") != std::string::npos);
        const auto all = measure::evenSubset(std::make_unique<TokenSource>(std::vector<std::vector<std::int32_t>>{counted(0, 200)}, measure::TokenWindows{2, 0}, "test"), 100);
        QCOMPARE(all->description(), std::string("test"));
        QVERIFY(all->sha256({}) != subset->sha256({}));
    }

    void refusals()
    {
        const auto refused = [](std::vector<std::vector<std::int32_t>> tokens, measure::TokenWindows windows) {
            try {
                const TokenSource source(std::move(tokens), windows, "test");
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter;
            }
            return false;
        };
        QVERIFY(refused({counted(0, 8)}, {1, 0}));
        QVERIFY(refused({counted(0, 8)}, {4, 5}));
        QVERIFY(refused({counted(0, 8)}, {4, -1}));
        QVERIFY(refused({counted(0, 1)}, {4, 0}));
        QVERIFY(refused({}, {4, 0}));
    }
};

QTEST_APPLESS_MAIN(TstTokenSource)
#include "tst_token_source.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Exact attention over chosen blocks, many queries at once or one by one, against its formula score by score in double; and the choice itself against a sort.
#include "core/attention/block_choice.h"
#include "core/attention/block_map.h"
#include "core/attention/indexer.h"
#include "core/attention/moba.h"
#include "core/attention/quest.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::attention;
using tensor::Matrix;

namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();
/// Sums of up to 400 products of numbers around 1 in float against double.
constexpr double kTolerance = 5e-6;

struct Case {
    std::string kind;
    std::int64_t tokens, block, most;
    bool causal;
    std::int64_t heads, keyValueHeads;
    nn::AttentionSpec spec() const { return {.heads = heads, .keyValueHeads = keyValueHeads, .headDim = 16, .scale = 0.25F, .causal = causal}; }
    std::string name() const { return kind + " " + std::to_string(tokens) + "/" + std::to_string(block) + "/" + std::to_string(most) + (causal ? " causal " : " ") + std::to_string(heads) + "/" + std::to_string(keyValueHeads); }
};

std::shared_ptr<const BlockSelector> selectorOf(const Case& c)
{
    if (c.kind == "moba")
        return mobaSelector(c.spec(), c.block, c.most);
    if (c.kind == "quest")
        return questSelector(c.spec(), c.block, c.most);
    return indexSelector(c.spec(), {test::normalRows(c.keyValueHeads * 5, 16, 0.3, 8), test::normalRows(5, c.keyValueHeads * 16, 0.3, 9)}, c.most);
}

std::vector<Case> cases()
{
    std::vector<Case> all;
    for (const bool causal : {false, true})
        for (const auto& [heads, shared] : {std::pair<std::int64_t, std::int64_t>{2, 2}, {4, 2}, {3, 1}})
            for (const std::string kind : {"moba", "quest"}) {
                all.push_back({kind, 37, 16, 2, causal, heads, shared});
                all.push_back({kind, 130, 32, 4, causal, heads, shared});
                all.push_back({kind, 65, 16, 9, causal, heads, shared});  // all of them
                all.push_back({kind, 400, 2, 4, causal, heads, shared}); // few of many: one by one
            }
    for (const bool causal : {false, true})
        for (const auto& [tokens, most] : {std::pair<std::int64_t, std::int64_t>{70, 20}, {70, 70}, {400, 4}})
            all.push_back({"indexer", tokens, 1, most, causal, 4, 2});
    return all;
}

struct Rows {
    Matrix<float> q, k, v;
    explicit Rows(const Case& c) : q(test::normalRows(c.tokens, c.heads * 16, 1, 1)), k(test::normalRows(c.tokens, c.keyValueHeads * 16, 1, 2)), v(test::normalRows(c.tokens, c.keyValueHeads * 16, 1, 3)) {}
    nn::AttentionInput input() const { return {.q = q.view(), .k = k.view(), .v = v.view()}; }
};

Matrix<float> applied(const nn::AttentionOp& op, const nn::AttentionInput& input)
{
    Matrix<float> out(input.q.rows, input.q.cols);
    nn::Scratch scratch(false);
    op.apply(input, out.view(), scratch);
    return out;
}

std::vector<std::int64_t> readBy(const report::BlockMap& map, std::int64_t query, bool causal)
{
    std::vector<std::int64_t> tokens;
    for (std::int64_t token = 0; token < (causal ? query + 1 : map.queries); ++token)
        if (map.selected[static_cast<std::size_t>(query * map.blocks + token / map.blockTokens)] != 0)
            tokens.push_back(token);
    return tokens;
}

/// Map [tokens, tokens] and output [tokens, 16] of one head, in double over what is read; what is not a number by what the declaration says.
std::pair<Matrix<double>, Matrix<double>> formula(const Case& c, const Rows& rows, std::int64_t head, const report::BlockMap& chosen)
{
    const std::int64_t shared = head / (c.heads / c.keyValueHeads);
    Matrix<double> map(c.tokens, c.tokens), out(c.tokens, 16);
    for (std::int64_t query = 0; query < c.tokens; ++query) {
        const std::vector<std::int64_t> tokens = readBy(chosen, query, c.causal);
        std::vector<double> weights;
        bool none = false;
        for (const std::int64_t token : tokens) {
            double score = 0;
            for (std::int64_t d = 0; d < 16; ++d)
                score += static_cast<double>(rows.q(query, head * 16 + d)) * static_cast<double>(rows.k(token, shared * 16 + d));
            weights.push_back(0.25 * score);
            none = none || !(weights.back() < static_cast<double>(kInfinity));
        }
        const double top = *std::ranges::max_element(weights);
        double sum = 0;
        for (double& weight : weights)
            sum += weight = none ? static_cast<double>(kNaN) : top == -static_cast<double>(kInfinity) ? 0 : std::exp(weight - top);
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const double p = sum == 0 ? 0 : weights[i] / sum;
            map(query, tokens[i]) = p;
            for (std::int64_t d = 0; d < 16; ++d)
                out(query, d) += p * static_cast<double>(rows.v(tokens[i], shared * 16 + d));
        }
    }
    return {std::move(map), std::move(out)};
}

/// Whether numbers are near and the rest is not finite on both sides.
bool agree(float found, double expected) { return std::isfinite(expected) ? std::abs(static_cast<double>(found) - expected) <= kTolerance * (1 + std::abs(expected)) : !std::isfinite(found); }

/// The first disagreement of operator and formula in words; empty: none.
std::string disagreement(const Case& c, const Rows& rows)
{
    const auto op = selectedAttention(c.spec(), selectorOf(c));
    const Matrix<float> out = applied(*op, rows.input());
    const auto shared = dynamic_cast<const SharedReader&>(*op).headMaps(rows.input());
    for (std::int64_t head = 0; head < c.heads; ++head) {
        const auto [map, mixed] = formula(c, rows, head, blockMap(*op, rows.input(), head));
        const Matrix<float> found = op->map(rows.input(), head, 0), again = shared->map(head);
        for (std::int64_t query = 0; query < c.tokens; ++query) {
            const std::string where = c.name() + ", head " + std::to_string(head) + ", query " + std::to_string(query);
            for (std::int64_t d = 0; d < 16; ++d)
                if (!agree(out(query, head * 16 + d), mixed(query, d)))
                    return "output of " + where + ": " + std::to_string(out(query, head * 16 + d)) + " and " + std::to_string(mixed(query, d));
            for (std::int64_t token = 0; token < c.tokens; ++token)
                if (!agree(found(query, token), map(query, token)) || !agree(again(query, token), map(query, token)))
                    return "map of " + where + ", token " + std::to_string(token) + ": " + std::to_string(found(query, token)) + " and " + std::to_string(map(query, token));
        }
    }
    return {};
}
} // namespace

class TstSelectedAttention : public QObject {
    Q_OBJECT

private slots:
    void isItsFormula()
    {
        for (const Case& c : cases()) {
            const std::string found = disagreement(c, Rows(c));
            QVERIFY2(found.empty(), found.c_str());
        }
    }
    /// Of sixteen queries together: what they all read against what each reads. Both ways to answer are far from where one takes over from the other.
    void manyAndFewQueriesReadTheSame()
    {
        double least = 1e9, most = 0;
        for (const Case& c : cases()) {
            const auto map = blockMap(*selectedAttention(c.spec(), selectorOf(c)), Rows(c).input(), 0);
            for (std::int64_t first = 0; first + 16 <= c.tokens; first += 16) {
                std::vector<char> any(static_cast<std::size_t>(c.tokens));
                double read = 0;
                for (std::int64_t query = first; query < first + 16; ++query)
                    for (const std::int64_t token : readBy(map, query, c.causal)) {
                        any[static_cast<std::size_t>(token)] = 1;
                        ++read;
                    }
                const double ratio = 16 * static_cast<double>(std::ranges::count(any, 1)) / read;
                least = std::min(least, ratio);
                most = std::max(most, ratio);
            }
        }
        QVERIFY2(least < 1.5 && most > 8, qPrintable(QStringLiteral("%1 to %2").arg(least).arg(most)));
    }
    void theChoiceIsOfTheLargestScores()
    {
        for (const Case& c : cases()) {
            const Rows rows(c);
            const auto map = blockMap(*selectedAttention(c.spec(), selectorOf(c)), rows.input(), c.heads - 1);
            for (std::int64_t query = 0; query < c.tokens; ++query) {
                const std::int64_t seen = ((c.causal ? query + 1 : c.tokens) + c.block - 1) / c.block;
                float least = kInfinity, left = -kInfinity;
                std::int64_t count = 0;
                for (std::int64_t block = 0; block < seen; ++block) {
                    const float score = map.scores[static_cast<std::size_t>(query * map.blocks + block)];
                    const bool chosen = map.selected[static_cast<std::size_t>(query * map.blocks + block)] != 0;
                    count += chosen ? 1 : 0;
                    if (block != query / c.block)
                        (chosen ? least : left) = chosen ? std::min(least, score) : std::max(left, score);
                }
                QCOMPARE(count, std::min(c.most, seen));
                QVERIFY(map.selected[static_cast<std::size_t>(query * map.blocks + query / c.block)] != 0);
                QVERIFY(least >= left - 1e-4F); // scores up to some tens, one product against another
            }
        }
    }
    void valuesThatAreNotReadAreNotSeen()
    {
        for (const Case& c : cases()) {
            Rows rows(c);
            for (const std::int64_t token : {std::int64_t{3}, c.tokens / 2, c.tokens - 1})
                for (std::int64_t d = 0; d < rows.v.cols(); d += 3)
                    rows.v(token, d) = d % 2 == 0 ? kInfinity : kNaN;
            const std::string found = disagreement(c, rows);
            QVERIFY2(found.empty(), found.c_str());
        }
    }
    void keysThatAreNotReadAreNotSeen()
    {
        for (const Case& c : cases()) {
            for (const float strange : {kNaN, kInfinity, -kInfinity}) {
                Rows rows(c);
                for (std::int64_t d = 0; d < rows.k.cols(); d += 16)
                    rows.k(c.tokens / 2, d) = strange;
                rows.q(c.tokens / 3, 0) = strange;
                rows.q(c.tokens / 4, 5) = 0;
                const std::string found = disagreement(c, rows);
                QVERIFY2(found.empty(), found.c_str());
            }
        }
    }
    void scoresOfMinusInfinityAreZeroRows()
    {
        for (const Case& c : cases()) {
            Rows rows(c);
            for (std::int64_t token = 0; token < c.tokens; ++token)
                for (std::int64_t d = 0; d < rows.k.cols(); d += 16)
                    rows.k(token, d) = -kInfinity;
            const std::string found = disagreement(c, rows);
            QVERIFY2(found.empty(), found.c_str());
            const Matrix<float> out = applied(*selectedAttention(c.spec(), selectorOf(c)), rows.input());
            for (std::int64_t query = 0; query < c.tokens; ++query)
                QVERIFY(rows.q(query, 0) > 0 ? out(query, 0) == 0 : std::isnan(out(query, 0)));
        }
    }
    /// Against a stable sort, with scores of which many are equal, infinite or no numbers.
    void theLargestAreChosen()
    {
        std::mt19937 random(5);
        for (int round = 0; round < 3000; ++round) {
            const auto count = static_cast<std::int64_t>(1 + random() % 90);
            const std::int64_t most = 1 + static_cast<std::int64_t>(random()) % (count + 2), own = static_cast<std::int64_t>(random()) % count;
            std::vector<float> scores(static_cast<std::size_t>(count));
            const unsigned kinds = 1 + random() % 40;
            for (float& score : scores)
                score = random() % 17 == 0 ? kNaN : random() % 19 == 0 ? kInfinity : random() % 19 == 0 ? -kInfinity : static_cast<float>(random() % kinds);
            std::vector<std::int64_t> expected(scores.size()), found;
            std::iota(expected.begin(), expected.end(), 0);
            const auto rank = [&](std::int64_t j) {
                const float score = scores[static_cast<std::size_t>(j)];
                return j == own ? kInfinity : std::isnan(score) ? -kInfinity : std::min(score, std::numeric_limits<float>::max());
            };
            std::ranges::stable_sort(expected, [&](std::int64_t a, std::int64_t b) { return rank(a) > rank(b); });
            expected.resize(static_cast<std::size_t>(std::min(most, count)));
            std::ranges::sort(expected);
            chooseBlocks(scores, own, false, {0, 1}, most, found);
            QCOMPARE(found, expected);
        }
    }
    /// Numbers in an order that is unkind to pivots.
    void longRowsAreChosenFromToo()
    {
        std::vector<float> scores;
        for (int i = 0; i < 4000; ++i)
            scores.push_back(static_cast<float>(i % 2 == 0 ? i : 4000 - i));
        std::vector<std::int64_t> found;
        for (const std::int64_t most : {1, 7, 2000, 3999}) {
            chooseBlocks(scores, 0, false, {0, 1}, most, found);
            QCOMPARE(static_cast<std::int64_t>(found.size()), most);
            float least = kInfinity, left = -kInfinity;
            for (std::int64_t j = 1; j < 4000; ++j)
                if (std::ranges::binary_search(found, j))
                    least = std::min(least, scores[static_cast<std::size_t>(j)]);
                else
                    left = std::max(left, scores[static_cast<std::size_t>(j)]);
            QVERIFY(least >= left);
        }
    }
};

QTEST_APPLESS_MAIN(TstSelectedAttention)
#include "tst_selected_attention.moc"

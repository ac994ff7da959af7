// SPDX-License-Identifier: GPL-3.0-or-later
// Native sparse attention of several queries at once: bit by bit what each query alone gives, whatever it reads.
#include "core/attention/native_sparse.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::attention;
using tensor::Matrix;

namespace {
constexpr std::int64_t kDim = 24; // not a multiple of a panel

struct Case {
    std::int64_t tokens, group;
    bool causal;
    NativeSparseSettings settings;
    std::string name() const
    {
        return std::to_string(tokens) + " tokens, group " + std::to_string(group) + (causal ? ", causal" : "") + ", " + std::to_string(settings.selected) + " blocks of " + std::to_string(settings.sizes.selected) + ", window "
             + std::to_string(settings.window);
    }
};

std::vector<Case> cases()
{
    std::vector<Case> all;
    for (const bool causal : {false, true})
        for (const std::int64_t group : {1, 2, 5, 16}) {
            all.push_back({130, group, causal, {.sizes = {8, 4, 16}, .selected = 20, .window = 512}}); // all is read
            all.push_back({130, group, causal, {.sizes = {8, 4, 16}, .selected = 4, .window = 37}});
            all.push_back({90, group, causal, {.sizes = {8, 4, 16}, .selected = 4, .window = 9, .gates = {0, 0.5, 0.5}}});
            all.push_back({90, group, causal, {.sizes = {8, 8, 40}, .selected = 3, .window = 50, .gates = {0.2, 0, 0.8}}});
            all.push_back({90, group, causal, {.sizes = {8, 8, 40}, .selected = 3, .window = 50, .gates = {0.2, 0.8, 0}}});
            all.push_back({600, group, causal, {.sizes = {4, 2, 4}, .selected = 6, .window = 8}}); // unlike tokens
        }
    return all;
}

std::shared_ptr<const NativeSparseRule> ruleOf(const Case& c)
{
    return nativeSparseRule({.heads = c.group, .keyValueHeads = 1, .headDim = kDim, .scale = 0.3F, .causal = c.causal}, c.settings);
}

struct Rows {
    Matrix<float> q, k, v;
    explicit Rows(const Case& c) : q(test::normalRows(c.tokens, c.group * kDim, 1, 1)), k(test::normalRows(c.tokens, kDim, 1, 2)), v(test::normalRows(c.tokens, kDim, 1, 3)) {}
};

NativeSparseHead filled(const Case& c, const Rows& rows)
{
    NativeSparseHead head(ruleOf(c));
    for (std::int64_t token = 0; token < c.tokens; ++token)
        head.append(rows.k.data() + token * kDim, rows.v.data() + token * kDim);
    return head;
}

std::vector<float> mapOf(const NativeSparseHead& head, std::int64_t row, std::size_t at, std::int64_t tokens)
{
    std::vector<float> map(static_cast<std::size_t>(tokens));
    head.addMap(row, map.data(), at);
    return map;
}

/// Bit by bit, but for the sign of 0 and what is not a number.
template <class A, class B> bool same(const A& a, const B& b)
{
    return std::ranges::equal(a, b, [](float left, float right) { return left == right || (left != left && right != right); });
}

/// How many tasks were answered together; -1 and a word in `where` for a difference.
int together(const Case& c, const Rows& rows, std::string& where)
{
    NativeSparseHead all = filled(c, rows), one = filled(c, rows);
    const std::int64_t width = c.group * kDim, most = all.queriesTogether();
    Matrix<float> gates(c.tokens, 3 * c.group), out(most, width);
    std::vector<float> alone(static_cast<std::size_t>(width));
    for (std::int64_t t = 0; t < c.tokens; ++t)
        ruleOf(c)->gates(nullptr, gates.data() + t * gates.cols());
    int count = 0;
    for (std::int64_t first = 0; first < c.tokens; first += most) {
        const std::int64_t queries = std::min(most, c.tokens - first);
        if (!all.attendTogether({rows.q.data() + first * width, queries, width, width}, first, {gates.data() + first * gates.cols(), queries, c.group, gates.cols()}, {out.data(), queries, width, width}))
            continue;
        ++count;
        for (std::int64_t at = 0; at < queries; ++at) {
            one.attend(rows.q.data() + (first + at) * width, first + at, gates.data() + (first + at) * gates.cols(), alone.data());
            const auto index = static_cast<std::size_t>(at);
            where = c.name() + ", query " + std::to_string(first + at);
            if (!same(out.view().row(at), alone))
                return -1;
            if (!std::ranges::equal(all.chosen(index), one.chosen()) || !same(all.importance(index), one.importance()))
                return -1;
            if (all.reads(index).compressed != one.reads().compressed || all.reads(index).selected != one.reads().selected || all.reads(index).window != one.reads().window)
                return -1;
            for (std::int64_t row = 0; row < c.group; ++row)
                if (!same(mapOf(all, row, index, c.tokens), mapOf(one, row, 0, c.tokens)))
                    return -1;
        }
    }
    return count;
}
} // namespace

class TstNativeSparseTogether : public QObject {
    Q_OBJECT

private slots:
    void areTheRowsOfEachAlone()
    {
        int done = 0, refused = 0;
        for (const Case& c : cases()) {
            std::string where;
            const int count = together(c, Rows(c), where);
            QVERIFY2(count >= 0, where.c_str());
            done += count;
            refused += c.tokens == 600 && count < 20 ? 1 : 0;
            if (c.settings.window == 512 && c.group <= 6) // two queries at least
                QVERIFY2(count > 0, c.name().c_str());
        }
        QVERIFY(done > 100);
        QVERIFY(refused > 0); // where they read unlike tokens
    }
    void scoresThatAreNoNumbersStayInTheirRows()
    {
        for (const Case& c : cases()) {
            Rows rows(c);
            rows.q(c.tokens / 2, 3) = std::numeric_limits<float>::quiet_NaN();
            rows.k(c.tokens / 3, 1) = std::numeric_limits<float>::infinity();
            rows.k(c.tokens / 5, 2) = -std::numeric_limits<float>::infinity();
            std::string where;
            const int count = together(c, rows, where);
            QVERIFY2(count >= 0, where.c_str());
        }
    }
    /// 0 times such a value is not 0: each query alone.
    void valuesThatAreNoNumbersAreNotTakenTogether()
    {
        for (const float strange : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            const Case c{130, 1, true, {.sizes = {8, 4, 16}, .selected = 20, .window = 512}};
            Rows rows(c);
            rows.v(120, 5) = strange;
            std::string where;
            QCOMPARE(together(c, rows, where), 0);
        }
    }
    /// Of a value that is not a number, queries that do not read it know nothing; the operator, not a part of it.
    void whatIsNotReadIsNotSeen()
    {
        for (const bool causal : {false, true}) {
            const NativeSparseSettings settings{.sizes = {8, 4, 16}, .selected = 3, .window = 20, .gates = {0, 0.5, 0.5}};
            const Case c{200, 2, causal, settings};
            const auto op = nativeSparseAttention(ruleOf(c));
            const Rows clean(c);
            Rows rows(c);
            rows.v(100, 7) = std::numeric_limits<float>::infinity();
            const auto applied = [&](const Rows& from) {
                Matrix<float> out(c.tokens, 2 * kDim);
                nn::Scratch scratch(false);
                op->apply({.q = from.q.view(), .k = from.k.view(), .v = from.v.view()}, out.view(), scratch);
                return out;
            };
            const Matrix<float> expected = applied(clean), found = applied(rows), map = op->map({.q = rows.q.view(), .k = rows.k.view(), .v = rows.v.view()}, 0, 0);
            int unread = 0;
            for (std::int64_t query = 0; query < c.tokens; ++query) {
                const bool read = map(query, 100) > 0;
                unread += read ? 0 : 1;
                for (std::int64_t d = 0; d < kDim; ++d)
                    if (d != 7 || !read)
                        QCOMPARE(found(query, d), expected(query, d));
                QCOMPARE(std::isinf(found(query, 7)), read);
            }
            QVERIFY(unread > 50);
        }
    }
};

QTEST_APPLESS_MAIN(TstNativeSparseTogether)
#include "tst_native_sparse_together.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Attention that follows changes, against dense products in double after every update: the three identities of its header.
#include "core/base/error.h"
#include "core/reuse/partial_attention.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

using namespace tamis;
using namespace tamis::reuse;
using tensor::Matrix;

namespace {
using Dense = std::vector<std::vector<double>>;

nn::AttentionSpec specOf(std::int64_t heads, std::int64_t keyHeads, std::int64_t headDim)
{
    nn::AttentionSpec spec;
    spec.heads = heads;
    spec.keyValueHeads = keyHeads;
    spec.headDim = headDim;
    spec.scale = 1 / std::sqrt(static_cast<float>(headDim));
    return spec;
}

/// What is held after some updates, from the definitions.
struct Twin {
    nn::AttentionSpec spec;
    std::int64_t tokens;
    Matrix<float> qkv{};
    std::vector<Dense> references{}; ///< [heads]

    double score(std::int64_t head, std::int64_t i, std::int64_t j) const
    {
        const std::int64_t d = spec.headDim, keyHead = head / (spec.heads / spec.keyValueHeads);
        double sum = 0;
        for (std::int64_t f = 0; f < d; ++f)
            sum += static_cast<double>(qkv(i, head * d + f)) * static_cast<double>(qkv(j, (spec.heads + keyHead) * d + f));
        return sum * static_cast<double>(spec.scale);
    }
    void update(const Matrix<float>& rows, const std::vector<std::int32_t>& which)
    {
        if (qkv.empty())
            qkv = Matrix<float>(tokens, rows.cols());
        for (std::size_t i = 0; i < which.size(); ++i)
            std::ranges::copy(rows.view().row(static_cast<std::int64_t>(i)), qkv.view().row(which[i]).begin());
        references.resize(static_cast<std::size_t>(spec.heads), Dense(static_cast<std::size_t>(tokens), std::vector<double>(static_cast<std::size_t>(tokens))));
        for (std::int64_t head = 0; head < spec.heads; ++head)
            for (std::int64_t i = 0; i < tokens; ++i) {
                double sum = 0;
                for (std::int64_t j = 0; j < tokens; ++j)
                    sum += std::exp(score(head, i, j));
                for (const std::int32_t j : which)
                    references[static_cast<std::size_t>(head)][static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = std::exp(score(head, i, j)) / sum;
            }
    }
    double mixed(std::int64_t head, std::int64_t i, std::int64_t f) const
    {
        const std::int64_t d = spec.headDim, keyHead = head / (spec.heads / spec.keyValueHeads);
        double sum = 0;
        for (std::int64_t j = 0; j < tokens; ++j)
            sum += references[static_cast<std::size_t>(head)][static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] * static_cast<double>(qkv(j, (spec.heads + spec.keyValueHeads + keyHead) * d + f));
        return sum;
    }
};

Matrix<float> noise(std::int64_t rows, std::int64_t cols, std::mt19937& random)
{
    std::normal_distribution<float> normal;
    Matrix<float> all(rows, cols);
    for (float& value : all.values())
        value = normal(random);
    return all;
}
} // namespace

class TstPartialAttention : public QObject {
    Q_OBJECT

private slots:
    void identities_data()
    {
        QTest::addColumn<int>("heads");
        QTest::addColumn<int>("keyHeads");
        QTest::addColumn<bool>("parallel");
        QTest::newRow("one head") << 1 << 1 << false;
        QTest::newRow("four heads") << 4 << 4 << true;
        QTest::newRow("shared keys") << 4 << 2 << false;
    }

    /// Twelve updates of a few tokens, of half, of all: rounding of float sums of 21 products stays below 1e-5 with values of some units, and what
    /// differences leave behind grows by as much an update.
    void identities()
    {
        QFETCH(int, heads);
        QFETCH(int, keyHeads);
        QFETCH(bool, parallel);
        constexpr std::int64_t kTokens = 21;
        const auto spec = specOf(heads, keyHeads, 8);
        std::mt19937 random(7);
        PartialAttention attention(spec, kTokens);
        Twin twin{spec, kTokens};
        const std::int64_t width = (spec.heads + 2 * spec.keyValueHeads) * spec.headDim;
        for (const std::int64_t count : {kTokens, std::int64_t{3}, std::int64_t{1}, std::int64_t{11}, std::int64_t{0}, std::int64_t{10}, std::int64_t{4}, kTokens, std::int64_t{2}, std::int64_t{2}, std::int64_t{5}, std::int64_t{1}}) {
            std::vector<std::int32_t> rows(kTokens);
            std::iota(rows.begin(), rows.end(), 0);
            std::ranges::shuffle(rows, random);
            rows.resize(static_cast<std::size_t>(count));
            std::ranges::sort(rows);
            const auto qkv = noise(count, width, random);
            attention.update(qkv.view(), rows, parallel);
            twin.update(qkv, rows);
            for (std::int64_t head = 0; head < heads; ++head)
                for (std::int64_t i = 0; i < kTokens; ++i) {
                    for (std::int64_t j = 0; j < kTokens; ++j) {
                        QVERIFY(std::abs(static_cast<double>(attention.scores(head)(i, j)) - twin.score(head, i, j)) < 1e-5);
                        QVERIFY(std::abs(static_cast<double>(attention.reference(head)(i, j)) - twin.references[static_cast<std::size_t>(head)][static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]) < 1e-5);
                    }
                    for (std::int64_t f = 0; f < spec.headDim; ++f)
                        QVERIFY(std::abs(static_cast<double>(attention.mixed()(i, head * spec.headDim + f)) - twin.mixed(head, i, f)) < 2e-5);
                }
            // rows and columns of changed tokens, never more than all of it
            const double columns = std::min<double>(2 * static_cast<double>(count), kTokens);
            QCOMPARE(attention.macs(), count == 0 ? 0 : 2.0 * kTokens * columns * heads * 8);
        }
    }

    void refuses()
    {
        PartialAttention attention(specOf(2, 2, 4), 5);
        const Matrix<float> three(3, 24), all(5, 24), narrow(5, 20);
        const std::vector<std::int32_t> rows{0, 1, 2}, every{0, 1, 2, 3, 4};
        QVERIFY_THROWS_EXCEPTION(Error, attention.update(three.view(), rows, false)); // all tokens first
        QVERIFY_THROWS_EXCEPTION(Error, attention.update(narrow.view(), every, false));
        QVERIFY_THROWS_EXCEPTION(Error, attention.update(all.view(), rows, false));
        attention.update(all.view(), every, false);
        attention.update(three.view(), rows, false);
    }
};

QTEST_APPLESS_MAIN(TstPartialAttention)
#include "tst_partial_attention.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Product keys against a search of all products, rounding and ties included; memories, routers and their statistics against NumPy
// (tests/golden/make_addressing_golden.py); values as the optimum they are said to be.
#include "core/addressing/key_memory.h"
#include "core/addressing/reuse.h"
#include "core/addressing/routing_report.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <stop_token>
#include <tuple>

using namespace tamis;
using namespace tamis::addressing;
using tensor::Matrix;

namespace {
io::NpyArray golden(const char* name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/addressing_golden.npz");
    return archive->read(name);
}
/// Scores and weights are rounded to float once behind sums in double: 2^-24 of values of some units, and what a softmax makes of it.
constexpr double kRounding = 2e-6;

bool near(double a, double b, double tolerance = kRounding) { return std::abs(a - b) <= tolerance * (1 + std::abs(b)); }

/// All products in the documented order.
std::vector<ScoredCell> searched(const std::vector<float>& first, const std::vector<float>& second, std::size_t k)
{
    std::vector<ScoredCell> all;
    for (std::size_t i = 0; i < first.size(); ++i)
        for (std::size_t j = 0; j < second.size(); ++j)
            all.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(j), first[i] + second[j]});
    std::ranges::sort(all, [&](const ScoredCell& a, const ScoredCell& b) {
        const float af = first[static_cast<std::size_t>(a.first)], bf = first[static_cast<std::size_t>(b.first)], as = second[static_cast<std::size_t>(a.second)], bs = second[static_cast<std::size_t>(b.second)];
        return std::tuple(-a.score, -af, a.first, -as, a.second) < std::tuple(-b.score, -bf, b.first, -bs, b.second);
    });
    all.resize(k);
    return all;
}

Matrix<float> noise(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Matrix<float> all(rows, cols);
    for (float& value : all.values())
        value = normal(random);
    return all;
}
} // namespace

class TstKeyMemory : public QObject {
    Q_OBJECT
    Matrix<float> m_x, m_y, m_first, m_second, m_keys;
    std::int64_t m_k = 0, m_active = 0;
    double m_temperature = 0, m_ridge = 0;

private slots:
    void initTestCase()
    {
        m_x = golden("x").toFloatMatrix();
        m_y = golden("y").toFloatMatrix();
        m_first = golden("first").toFloatMatrix();
        m_second = golden("second").toFloatMatrix();
        m_keys = golden("keys").toFloatMatrix();
        const auto settings = golden("settings").toDoubles();
        m_k = std::llround(settings[1]);
        m_active = std::llround(settings[3]);
        m_temperature = settings[4];
        m_ridge = settings[5];
    }
    void bestProductsAreThoseOfAFullSearch()
    {
        std::mt19937 random(1);
        for (int round = 0; round < 300; ++round) {
            std::vector<float> first(1 + random() % 24), second(1 + random() % 24);
            for (auto* half : {&first, &second})
                for (float& score : *half)
                    score = round % 3 == 0 ? static_cast<float>(static_cast<int>(random() % 5)) // many ties
                          : round % 3 == 1 ? 1e6F + static_cast<float>(random() % 1000) * 0.01F // sums that round together
                                           : static_cast<float>(random()) * 1e-9F;
            const std::int64_t all = static_cast<std::int64_t>(first.size() * second.size());
            for (const std::int64_t k : {std::int64_t{1}, std::min<std::int64_t>(all, 7), std::min<std::int64_t>(all, 40), all})
                QVERIFY(bestProducts(first, second, k) == searched(first, second, static_cast<std::size_t>(k)));
        }
        QVERIFY_THROWS_EXCEPTION(Error, bestProducts(std::vector<float>{1}, std::vector<float>{1, 2}, 3));
        QVERIFY_THROWS_EXCEPTION(Error, bestProducts(std::vector<float>{1}, std::vector<float>{1, 2}, 0));
    }
    void productKeysAreNumPys()
    {
        const auto addresser = productAddresser(m_first, m_second, m_k, m_temperature);
        QCOMPARE(addresser->cells(), m_first.rows() * m_second.rows());
        QCOMPARE(addresser->macs(), static_cast<std::uint64_t>(m_first.rows() * m_x.cols())); // n d, not n n d
        const auto reads = addressAll(*addresser, m_x.view());
        const auto cells = golden("cells").toDoubleMatrix(), weights = golden("weights").toDoubleMatrix();
        for (std::int64_t t = 0; t < m_x.rows(); ++t)
            for (std::int64_t i = 0; i < m_k; ++i) {
                const Reads& row = reads[static_cast<std::size_t>(t)];
                QCOMPARE(static_cast<double>(row.cells[static_cast<std::size_t>(i)]), cells(t, i));
                QVERIFY(near(static_cast<double>(row.weights[static_cast<std::size_t>(i)]), weights(t, i)));
            }
        const ThreadLimit one(1);
        QVERIFY(addressAll(*addresser, m_x.view()) == reads);
    }
    void valuesAreNumPys()
    {
        const auto addresser = productAddresser(m_first, m_second, m_k, m_temperature);
        const auto reads = addressAll(*addresser, m_x.view());
        const KeyMemory memory(addresser, reads, m_y.view(), ValueFit::LeastSquares, m_ridge);
        const auto values = golden("values").toDoubleMatrix();
        // weights of 1e-7 in equations whose condition is at most (200 + ridge) / ridge
        for (std::int64_t cell = 0; cell < values.rows(); ++cell)
            for (std::int64_t j = 0; j < values.cols(); ++j)
                QVERIFY(near(static_cast<double>(memory.values()(cell, j)), values(cell, j), 2e-5));
        const auto fvu = golden("fvu").toDoubles();
        QVERIFY(near(unexplained(memory, reads, m_y.view()), fvu[0], 1e-5));
        QVERIFY(near(unexplainedByAffine(m_x.view(), m_y.view(), m_x.view(), m_y.view()), fvu[1], 1e-6));
        QVERIFY(near(unexplainedBy(memory.mean(), m_y.view()), 1, 1e-9)); // of these rows the mean explains nothing, by definition
        const auto fisher = golden("fisher").toDoubles();
        const auto costs = fisherCosts(memory, reads, m_y.view());
        for (std::size_t e = 0; e < fisher.size(); ++e)
            QVERIFY(near(costs[e], fisher[e], 1e-5));
    }
    void valuesAreTheOptimum()
    {
        const auto addresser = productAddresser(m_first, m_second, 4, m_temperature);
        const auto reads = addressAll(*addresser, m_x.view());
        const KeyMemory memory(addresser, reads, m_y.view(), ValueFit::LeastSquares, m_ridge);
        // The gradient of sum |y' - y|^2 + ridge |V|^2 is zero at V: of each value, 2 (sum of w (y' - y) + ridge v), beside what its parts add up to.
        const Matrix<float>& values = memory.values();
        Matrix<double> gradient(values.rows(), values.cols()), size(values.rows(), values.cols());
        std::vector<float> guess(static_cast<std::size_t>(m_y.cols()));
        for (std::int64_t t = 0; t < m_y.rows(); ++t) {
            const Reads& row = reads[static_cast<std::size_t>(t)];
            memory.combine(row, guess);
            for (std::size_t i = 0; i < row.cells.size(); ++i)
                for (std::int64_t j = 0; j < m_y.cols(); ++j) {
                    const double part = static_cast<double>(row.weights[i]) * (static_cast<double>(guess[static_cast<std::size_t>(j)]) - static_cast<double>(m_y(t, j)));
                    gradient(row.cells[i], j) += part;
                    size(row.cells[i], j) += std::abs(part);
                }
        }
        for (std::int64_t cell = 0; cell < values.rows(); ++cell)
            for (std::int64_t j = 0; j < values.cols(); ++j)
                QVERIFY(std::abs(gradient(cell, j) + m_ridge * static_cast<double>(values(cell, j))) <= 1e-5 * (0.1 + size(cell, j))); // y' is in float
        const KeyMemory means(addresser, reads, m_y.view(), ValueFit::Means, m_ridge);
        QVERIFY(unexplained(memory, reads, m_y.view()) < unexplained(means, reads, m_y.view()));
    }
    void meansAreMeans()
    {
        const auto addresser = productAddresser(m_first, m_second, 1, m_temperature);
        const auto reads = addressAll(*addresser, m_x.view());
        const KeyMemory memory(addresser, reads, m_y.view(), ValueFit::Means, 1e-9);
        for (std::int32_t cell = 0; cell < addresser->cells(); ++cell) {
            double sum = 0, count = 0;
            for (std::size_t t = 0; t < reads.size(); ++t)
                if (reads[t].cells.front() == cell) {
                    sum += static_cast<double>(m_y(static_cast<std::int64_t>(t), 2));
                    ++count;
                }
            const double expected = count > 0 ? sum / count - static_cast<double>(memory.mean()[2]) : 0; // a cell that no row reads adds nothing to the mean
            QVERIFY(near(static_cast<double>(memory.values()(cell, 2)), expected));
        }
    }
    void mixturesAreNumPys()
    {
        const auto experts = golden("experts").toDoubleMatrix(), shares = golden("shares").toDoubleMatrix(), gates = golden("gates").toDoubleMatrix();
        const auto top = addressAll(*mixtureAddresser(m_keys, Routing::TopExperts, m_active, m_temperature, {}), m_x.view());
        const double threshold = reluThreshold(m_keys.view(), m_temperature, m_active, m_x.view());
        QVERIFY(near(threshold, golden("threshold").toDoubles()[0]));
        const auto relu = addressAll(*mixtureAddresser(m_keys, Routing::Relu, m_active, m_temperature, {}, threshold), m_x.view());
        std::size_t open = 0;
        for (std::int64_t t = 0; t < m_x.rows(); ++t) {
            const Reads &a = top[static_cast<std::size_t>(t)], &b = relu[static_cast<std::size_t>(t)];
            for (std::int64_t i = 0; i < m_active; ++i) {
                QCOMPARE(static_cast<double>(a.cells[static_cast<std::size_t>(i)]), experts(t, i));
                QVERIFY(near(static_cast<double>(a.weights[static_cast<std::size_t>(i)]), shares(t, i)));
            }
            double sum = 0;
            for (std::int64_t e = 0; e < m_keys.rows(); ++e)
                sum += gates(t, e);
            for (std::size_t i = 0; i < b.cells.size(); ++i)
                QVERIFY(std::abs(static_cast<double>(b.weights[i]) * sum - gates(t, b.cells[i])) < 1e-5);
            open += b.cells.size();
        }
        QCOMPARE(open, static_cast<std::size_t>(m_x.rows() * m_active)); // as many gates as asked for, over the rows that it was fitted to
        const double none = reluThreshold(m_keys.view(), m_temperature, m_keys.rows(), m_x.view());
        for (const Reads& row : addressAll(*mixtureAddresser(m_keys, Routing::Relu, 1, m_temperature, {}, none), m_x.view()))
            QCOMPARE(row.cells.size(), static_cast<std::size_t>(m_keys.rows()));
    }
    void aCostKeepsTokensAway()
    {
        std::vector<double> cost(static_cast<std::size_t>(m_keys.rows()), 0.0);
        const auto plain = addressAll(*mixtureAddresser(m_keys, Routing::TopExperts, 2, m_temperature, cost), m_x.view());
        QVERIFY(plain == addressAll(*mixtureAddresser(m_keys, Routing::TopExperts, 2, m_temperature, {}), m_x.view()));
        cost[3] = 1e6;
        for (const Reads& row : addressAll(*mixtureAddresser(m_keys, Routing::TopExperts, 2, m_temperature, cost), m_x.view()))
            QVERIFY(std::ranges::find(row.cells, 3) == row.cells.end());
    }
    void statisticsAreNumPys()
    {
        const auto reads = addressAll(*mixtureAddresser(m_keys, Routing::TopExperts, m_active, m_temperature, {}), m_x.view());
        const auto report = routingReport("top-e", reads, m_keys.rows(), {}, 28);
        const auto statistics = golden("statistics").toDoubles(), load = golden("load").toDoubles();
        QVERIFY(near(report.entropy, statistics[0]));
        QVERIFY(near(report.loadEntropy, statistics[1], 1e-12));
        QVERIFY(near(report.maxOverMean, statistics[2], 1e-12));
        QVERIFY(near(report.gini, statistics[3], 1e-12));
        QVERIFY(near(report.jaccard, statistics[4], 1e-12));
        for (std::size_t e = 0; e < load.size(); ++e)
            QVERIFY(near(report.load[e], load[e], 1e-12));
        const auto reuse = golden("reuse").toDoubles();
        const auto distances = reuseDistances(cellTrace(reads));
        QVERIFY(std::ranges::equal(distances, reuse, {}, [](std::int64_t distance) { return static_cast<double>(distance); }));
        std::vector<std::uint64_t> expected(static_cast<std::size_t>(m_keys.rows()) + 1);
        for (const double distance : reuse)
            ++expected[distance < 0 ? expected.size() - 1 : static_cast<std::size_t>(distance)];
        QVERIFY(report.reuse == expected);
        QVERIFY((report.expertsPerToken == std::vector<std::uint64_t>{0, 0, 0, 200}));
        QCOMPARE(report.offload.back().bytes, std::uint64_t{28 * 12});
        QVERIFY(std::ranges::is_sorted(report.offload, {}, &report::CachePoint::hitRate));
    }
    void statisticsOfExtremes()
    {
        const std::vector<Reads> one(4, Reads{{2}, {1.0F}}), none(3);
        const auto all = routingReport("one", one, 4, {}, 1);
        QCOMPARE(all.gini, 0.75); // 1 - 1/n
        QCOMPARE(all.maxOverMean, 4.0);
        QCOMPARE(all.loadEntropy, 0.0);
        QCOMPARE(all.entropy, 0.0);
        QCOMPARE(all.jaccard, 1.0);
        const auto nothing = routingReport("none", none, 4, {}, 1);
        QCOMPARE(nothing.meanExperts, 0.0);
        QVERIFY(std::isnan(nothing.maxOverMean));
        const std::vector<Reads> apart{{{0}, {1.0F}}, {{1}, {1.0F}}, {{1}, {1.0F}}};
        QCOMPARE(routingReport("apart", apart, 2, {}, 1).jaccard, 0.5);
        const std::vector<std::size_t> starts{0, 1}; // the first pair is of two texts
        QCOMPARE(routingReport("apart", apart, 2, starts, 1).jaccard, 1.0);
        QVERIFY_THROWS_EXCEPTION(Error, routingReport("beyond", apart, 1, {}, 1));
        QVERIFY_THROWS_EXCEPTION(Error, routingReport("empty", {}, 1, {}, 1));
        QVERIFY_THROWS_EXCEPTION(Error, giniOf({-1, 2}));
        QCOMPARE(giniOf({0, 0}), 0.0);
        QCOMPARE(giniOf({3, 3, 3}), 0.0);
    }
    void memoryIsAskedForFirst()
    {
        class Endless final : public Addresser {
        public:
            std::int64_t width() const noexcept override { return 4; }
            std::int64_t cells() const noexcept override { return std::int64_t{1} << 40; }
            std::uint64_t macs() const noexcept override { return 0; }
            void address(std::span<const float>, Reads& reads) const override { reads = {{0}, {1}}; }
        };
        const auto endless = std::make_shared<const Endless>();
        try {
            KeyMemory(endless, addressAll(*endless, noise(4, 4, 3).view()), noise(4, 8, 4).view(), ValueFit::Means, 1);
            QFAIL("96 TiB were there");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::OutOfMemory);
        }
    }
    /// Each part asks on its own: a context that was stopped before ends it.
    void stopsAreHeard()
    {
        const auto addresser = productAddresser(m_first, m_second, m_k, m_temperature);
        const auto reads = addressAll(*addresser, m_x.view());
        const KeyMemory memory(addresser, reads, m_y.view(), ValueFit::LeastSquares, m_ridge);
        const std::vector<std::int32_t> trace = cellTrace(reads);
        std::stop_source stop;
        stop.request_stop();
        const RunContext context(stop.get_token());
        const std::vector<std::function<void()>> parts{
            [&] { KeyMemory(addresser, reads, m_y.view(), ValueFit::LeastSquares, m_ridge, context); },
            [&] { KeyMemory(addresser, reads, m_y.view(), ValueFit::Means, m_ridge, context); },
            [&] { (void)unexplained(memory, reads, m_y.view(), context); },
            [&] { (void)fisherCosts(memory, reads, m_y.view(), context); },
            [&] { (void)routingReport("stopped", reads, addresser->cells(), {}, 28, context); },
            [&] { (void)reuseDistances(trace, context); },
            [&] { (void)directMappedHits(trace, 4, context); },
            [&] { (void)staticHotHits(trace, trace, 4, context); },
        };
        for (std::size_t i = 0; i < parts.size(); ++i)
            try {
                parts[i]();
                QFAIL(qPrintable(QString("part %1 was not stopped").arg(i)));
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::Cancelled);
            }
    }
    void refusals()
    {
        QVERIFY_THROWS_EXCEPTION(Error, productAddresser(m_first, m_second, 0, 1));
        QVERIFY_THROWS_EXCEPTION(Error, productAddresser(m_first, m_second, 1000, 1));
        QVERIFY_THROWS_EXCEPTION(Error, productAddresser(m_first, m_second, 1, 0));
        QVERIFY_THROWS_EXCEPTION(Error, mixtureAddresser(m_keys, Routing::TopExperts, 13, 1, {}));
        QVERIFY_THROWS_EXCEPTION(Error, mixtureAddresser(m_keys, Routing::TopExperts, 1, 1, {1, 2}));
        const auto addresser = productAddresser(m_first, m_second, 2, 1);
        QVERIFY_THROWS_EXCEPTION(Error, addressAll(*addresser, noise(3, 9, 1).view()));
        Matrix<float> bad = m_x;
        bad(7, 3) = std::numeric_limits<float>::quiet_NaN();
        QVERIFY_THROWS_EXCEPTION(Error, addressAll(*addresser, bad.view()));
        const auto reads = addressAll(*addresser, m_x.view());
        QVERIFY_THROWS_EXCEPTION(Error, KeyMemory(addresser, reads, m_y.view(), ValueFit::Means, 0));
        QVERIFY_THROWS_EXCEPTION(Error, KeyMemory(addresser, std::span(reads).first(5), m_y.view(), ValueFit::Means, 1));
        const KeyMemory memory(addresser, reads, m_y.view(), ValueFit::Means, 1);
        QVERIFY_THROWS_EXCEPTION(Error, unexplained(memory, reads, Matrix<float>(m_y.rows(), m_y.cols()).view())); // all alike
        const auto wide = productAddresser(noise(80, 2, 1), noise(80, 2, 2), 1, 1);
        try {
            KeyMemory(wide, addressAll(*wide, noise(4, 4, 3).view()), noise(4, 2, 4).view(), ValueFit::LeastSquares, 1);
            QFAIL("6400 cells were solved for");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::LimitExceeded);
        }
    }
};

QTEST_APPLESS_MAIN(TstKeyMemory)
#include "tst_key_memory.moc"

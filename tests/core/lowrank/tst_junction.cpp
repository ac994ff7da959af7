// SPDX-License-Identifier: GPL-3.0-or-later
// Junctions move singular values between the factors and nothing else; the optimised ones attain bounds that are computed
// here from nuclear norms, by Jacobi rotations, and no other junction falls below them.
#include "core/lowrank/junction.h"

#include "core/base/error.h"
#include "tests/core/lowrank/lab_models.h"
#include "tests/core/spectrum/small_workspace.h"

#include <Eigen/LU>
#include <Eigen/SVD>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::lowrank;
using tensor::Matrix;

namespace {
using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Dense dense(const Matrix<double>& a) { return Eigen::Map<const Dense>(a.data(), a.rows(), a.cols()); }

Matrix<double> matrix(const Dense& a)
{
    Matrix<double> result(a.rows(), a.cols());
    Eigen::Map<Dense>(result.data(), a.rows(), a.cols()) = a;
    return result;
}

Dense root(const Dense& c) { return Eigen::LLT<Dense>(c).matrixL(); }
double nuclear(const Dense& a) { return Eigen::JacobiSVD<Eigen::MatrixXd>(Eigen::MatrixXd(a)).singularValues().sum(); }

io::CalibrationSite siteOf(std::int64_t n, unsigned seed)
{
    Matrix<double> x = test::multiply(test::gaussian(6 * n, n, seed), test::gaussian(n, n, seed + 1));
    for (std::int64_t t = 0; t < x.rows(); ++t)
        for (std::int64_t j = 0; j < n; ++j)
            x(t, j) *= std::pow(0.85, static_cast<double>(j));
    return test::makeSite("a", x, 8, test::gaussian(5, n, seed + 2));
}

struct Case {
    Matrix<double> w;
    io::CalibrationSite site;
    Decomposition decomposition;
    std::int64_t rank = 0;
    Matrix<double> product; ///< B A
};

Case caseOf(std::int64_t m, std::int64_t n, std::int64_t rank, Preconditioner preconditioner = Preconditioner::OutputPca)
{
    Case made{test::gaussian(m, n, 4), siteOf(n, 8), {}, rank, {}};
    made.site.outputGradSq.assign(static_cast<std::size_t>(m), 0.0);
    for (std::size_t i = 0; i < made.site.outputGradSq.size(); ++i)
        made.site.outputGradSq[i] = 0.1 + static_cast<double>(i % 7);
    made.decomposition = decompose(made.w, made.site, {preconditioner, 0.5, 0});
    const Factors f = factorsOf(made.decomposition, rank);
    made.product = test::multiply(f.b, f.a);
    return made;
}

/// Factors with a random J of moderate condition, by an explicit inverse.
Factors withRandomJunction(const Factors& f, unsigned seed)
{
    Dense j = dense(test::gaussian(f.a.rows(), f.a.rows(), seed)) + 2 * Dense::Identity(f.a.rows(), f.a.rows());
    for (Eigen::Index k = 0; k < j.cols(); ++k)
        j.col(k) *= std::pow(1.2, static_cast<double>(k % 5));
    return {matrix(dense(f.b) * j), matrix(j.inverse() * dense(f.a))};
}

const std::vector<Junction> kFixed{Junction::Identity, Junction::Symmetric, Junction::Left, Junction::Right};
} // namespace

class TestJunction : public QObject {
    Q_OBJECT
private slots:
    void allMultiplyToTheSame()
    {
        for (const auto preconditioner : {Preconditioner::OutputPca, Preconditioner::Fisher, Preconditioner::Identity}) {
            const Case c = caseOf(26, 18, 9, preconditioner);
            std::vector<Factors> all;
            for (const Junction each : kFixed)
                all.push_back(joinedFactors(c.decomposition, c.rank, each));
            all.push_back(leastRounding(all[1], c.site.gram));
            all.push_back(leastAmplification(all[1], c.site.gram, {}));
            all.push_back(leastAmplification(all[1], c.site.gram, matrix(dense(test::gaussian(26, 26, 3)) * dense(test::gaussian(26, 26, 3)).transpose())));
            // Condition of J below 1e4: 1e-11 of the largest entry is its rounding
            for (const Factors& f : all)
                QVERIFY(test::maxAbs(test::difference(test::multiply(f.b, f.a), c.product)) <= 1e-11 * test::maxAbs(c.product));
        }
    }
    void singularValuesStandWhereTheNameSays()
    {
        const Case c = caseOf(20, 14, 6);
        const Dense root_ = root(dense(c.site.gram)) / std::sqrt(static_cast<double>(c.site.count));
        const Eigen::VectorXd s = Eigen::JacobiSVD<Eigen::MatrixXd>(Eigen::MatrixXd(dense(c.product) * root_)).singularValues().head(6);
        const auto left = joinedFactors(c.decomposition, 6, Junction::Left), right = joinedFactors(c.decomposition, 6, Junction::Right);
        const auto symmetric = joinedFactors(c.decomposition, 6, Junction::Symmetric);
        for (int k = 0; k < 6; ++k) {
            QVERIFY(std::abs(dense(left.b).col(k).norm() - s[k]) <= 1e-9 * s[0]);
            QVERIFY(std::abs((dense(left.a) * root_).row(k).norm() - 1) <= 1e-9);
            QVERIFY(std::abs(dense(right.b).col(k).norm() - 1) <= 1e-12);
            QVERIFY(std::abs((dense(right.a) * root_).row(k).norm() - s[k]) <= 1e-9 * s[0]);
            QVERIFY(std::abs(dense(symmetric.b).col(k).norm() - (dense(symmetric.a) * root_).row(k).norm()) <= 1e-9 * std::sqrt(s[0]));
        }
        QVERIFY(joinedFactors(c.decomposition, 6, Junction::Identity).b == left.b); // J = I leaves S on the left
    }
    void theRoundingOptimumIsTheBoundAndNoneIsBelow()
    {
        for (const auto& [m, n, r] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{30, 22, 10}, {18, 33, 18}, {12, 12, 1}, {15, 9, 2}}) {
            const Case c = caseOf(m, n, r);
            Dense both = dense(c.site.gram);
            both.diagonal() *= 2;
            const double norm = nuclear(dense(c.product) * root(both)), bound = std::ldexp(1.0, -22) / 6 * norm * norm / static_cast<double>(r);
            const Factors symmetric = joinedFactors(c.decomposition, r, Junction::Symmetric), best = leastRounding(symmetric, c.site.gram);
            const double least = expectedRoundingLoss(best, c.site.gram);
            QVERIFY2(std::abs(least - bound) <= 1e-8 * bound, QByteArray::number(least / bound, 'g', 12).constData());
            for (const Junction each : kFixed) // diagonal junctions are all alike to a floating-point format
                QVERIFY(std::abs(expectedRoundingLoss(joinedFactors(c.decomposition, r, each), c.site.gram) / expectedRoundingLoss(symmetric, c.site.gram) - 1) <= 1e-9);
            QVERIFY(expectedRoundingLoss(symmetric, c.site.gram) >= least * (1 - 1e-9));
            for (unsigned seed = 0; seed < 50; ++seed)
                QVERIFY(expectedRoundingLoss(withRandomJunction(best, seed), c.site.gram) >= least * (1 - 1e-9));
            const Factors again = leastRounding(withRandomJunction(best, 77), c.site.gram); // from any start
            QVERIFY(std::abs(expectedRoundingLoss(again, c.site.gram) - bound) <= 1e-7 * bound);
        }
    }
    void roundingComesOutAsExpected()
    {
        // 300 and more rounded entries a column: the mean is within a third of its expectation, and the gain shows
        const Case c = caseOf(80, 60, 30);
        const Factors symmetric = joinedFactors(c.decomposition, c.rank, Junction::Symmetric), best = leastRounding(symmetric, c.site.gram);
        for (const Factors* each : {&symmetric, &best}) {
            const double ratio = measuredRoundingLoss(*each, c.site.gram) / expectedRoundingLoss(*each, c.site.gram);
            QVERIFY2(ratio > 0.67 && ratio < 1.5, QByteArray::number(ratio).constData());
        }
        QVERIFY(measuredRoundingLoss(best, c.site.gram) < 0.75 * measuredRoundingLoss(symmetric, c.site.gram));
    }
    void theAmplificationOptimumIsTheBoundAndNoneIsBelow()
    {
        for (const auto& [m, n, r] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{30, 22, 10}, {18, 33, 18}, {12, 12, 1}}) {
            const Case c = caseOf(m, n, r);
            const Dense next = dense(test::gaussian(9, m, 6));
            Dense decaying = next;
            for (Eigen::Index j = 0; j < m; ++j)
                decaying.col(j) *= std::pow(0.8, static_cast<double>(j));
            const Dense seen = dense(c.product) * root(dense(c.site.gram));
            for (const bool metric : {false, true}) {
                const Matrix<double> h = metric ? matrix(decaying.transpose() * decaying + 1e-3 * Dense::Identity(m, m)) : Matrix<double>();
                const Dense image = metric ? Dense(root(dense(h)).transpose() * seen) : seen;
                const double bound = nuclear(image) / image.norm();
                const Factors symmetric = joinedFactors(c.decomposition, r, Junction::Symmetric), best = leastAmplification(symmetric, c.site.gram, h);
                const double least = amplification(best, c.site.gram, h);
                QVERIFY2(std::abs(least - bound) <= 1e-8 * bound, QByteArray::number(least / bound, 'g', 12).constData());
                for (const Junction each : kFixed)
                    QVERIFY(amplification(joinedFactors(c.decomposition, r, each), c.site.gram, h) >= least * (1 - 1e-9));
                for (unsigned seed = 0; seed < 50; ++seed)
                    QVERIFY(amplification(withRandomJunction(best, seed), c.site.gram, h) >= least * (1 - 1e-9));
                if (!metric) // outputs as they are: the symmetric junction is the optimum
                    QVERIFY(std::abs(amplification(symmetric, c.site.gram, h) - least) <= 1e-9 * least);
                else if (r > 1)
                    QVERIFY(amplification(symmetric, c.site.gram, h) > 1.01 * least);
            }
        }
    }
    void theBoundHolds()
    {
        // |N B dz| <= amplification e |N B A X| for any dz of |dz|_F = e |A X|_F
        const Case c = caseOf(20, 16, 7);
        const Dense next = dense(test::gaussian(11, 20, 2)), x = dense(test::gaussian(40, 16, 3)).transpose();
        const Matrix<double> gram = matrix(x * x.transpose()), h = matrix(next.transpose() * next);
        for (const Junction each : kFixed) {
            const Factors f = joinedFactors(c.decomposition, 7, each);
            const Dense z = dense(f.a) * x;
            for (unsigned seed = 0; seed < 20; ++seed) {
                Dense dz = dense(test::gaussian(7, 40, seed));
                dz *= 0.01 * z.norm() / dz.norm();
                const double moved = (next * dense(f.b) * dz).norm() / (next * dense(f.b) * z).norm();
                QVERIFY(moved <= 0.01 * amplification(f, gram, h) * (1 + 1e-9));
            }
        }
    }
    void halvesAreIeee()
    {
        Matrix<double> values(1, 6);
        const double exact[] = {1.0, 1.0 + 0x1p-11, 1.0 + 3 * 0x1p-11, 65504.0, 0x1p-24, 0x1p-26};
        const double rounded[] = {1.0, 1.0, 1.0 + 0x1p-9, 65504.0, 0x1p-24, 0.0};
        std::copy(std::begin(exact), std::end(exact), values.data());
        const Matrix<double> half = toHalf(values);
        for (int i = 0; i < 6; ++i)
            QCOMPARE(half(0, i), rounded[i]);
    }
    void theNextOperatorIsFound()
    {
        const Inputs vit = test::vit20Inputs();
        std::string words;
        const auto find = [](const Inputs& inputs, const std::string& name) {
            return *std::ranges::find(inputs.checkpoint->layout().matrices, name, &io::MatrixRef::name);
        };
        const Matrix<double> up = nextMetric(vit, find(vit, "blocks.1.mlp.fc1"), vit.calibration->read("blocks.1.mlp.fc1"), words);
        QCOMPARE(words, std::string("blocks.1.mlp.fc2"));
        const Matrix<double> down = vit.checkpoint->readMatrixDouble(find(vit, "blocks.1.mlp.fc2"));
        QVERIFY(test::maxAbs(test::difference(up, test::multiply(test::transposed(down), down))) <= 1e-12 * test::maxAbs(up));
        auto site = vit.calibration->read("blocks.1.attn.qkv");
        QVERIFY(nextMetric(vit, find(vit, "blocks.1.attn.qkv"), site, words).empty());
        site.outputGradSq.assign(384, 2.0);
        QCOMPARE(nextMetric(vit, find(vit, "blocks.1.attn.qkv"), site, words)(5, 5), 2.0);

        // Grouped-query attention: two heads read one value head, so their squares add up.
        Inputs lm;
        lm.checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm");
        lm.model = nn::Model::load(*lm.checkpoint);
        const Matrix<double> metric = nextMetric(lm, find(lm, "model.layers.2.self_attn.v_proj"), {}, words);
        QCOMPARE(words, std::string("model.layers.2.self_attn.o_proj"));
        const Matrix<double> o = lm.checkpoint->readMatrixDouble(find(lm, "model.layers.2.self_attn.o_proj"));
        QCOMPARE(metric.rows(), std::int64_t{64});
        double expected = 0; // value head 1, features 3 and 5: heads 2 and 3
        for (std::int64_t i = 0; i < o.rows(); ++i)
            expected += o(i, 64 + 3) * o(i, 64 + 5) + o(i, 96 + 3) * o(i, 96 + 5);
        QVERIFY(std::abs(metric(32 + 3, 32 + 5) - expected) <= 1e-12 * test::maxAbs(metric));
        QCOMPARE(metric(3, 32 + 5), 0.0);
    }
    void shapesMustAgree()
    {
        const Case c = caseOf(8, 6, 3);
        Factors f = factorsOf(c.decomposition, 3);
        QVERIFY_THROWS_EXCEPTION(Error, leastRounding(f, test::identity(5)));
        f.a = test::gaussian(4, 6, 1);
        QVERIFY_THROWS_EXCEPTION(Error, leastAmplification(f, c.site.gram, {}));
        QVERIFY_THROWS_EXCEPTION(Error, parseJunction("middle"));
        QVERIFY_THROWS_EXCEPTION(Error, parseJunctionObjective("speed"));
    }
};

QTEST_GUILESS_MAIN(TestJunction)
#include "tst_junction.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/remapping.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/targets.h"
#include "core/plan/model_cost.h"
#include "tests/core/linalg/matrices.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using tensor::Matrix;

namespace {
/// b [m, r] with columns that decay, of no basis in particular.
Matrix<double> decaying(std::int64_t m, std::int64_t r, double rate, unsigned seed)
{
    Matrix<double> b = test::gaussian(m, r, seed);
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t k = 0; k < r; ++k)
            b(i, k) *= std::pow(rate, double(k));
    return b;
}

Matrix<double> difference(const Matrix<double>& b, const Matrix<double>& a, const nn::LinearOp& op)
{
    Matrix<double> d = linalg::product(b.view(), a.view());
    const auto w = op.dense();
    for (std::size_t i = 0; i < d.size(); ++i)
        d.values()[i] -= double(w.values()[i]);
    return d;
}
} // namespace

class TestRemapping : public QObject {
    Q_OBJECT
private slots:
    void errorStaysBelowItsBound_data();
    void errorStaysBelowItsBound();
    void anyJunctionGivesTheSameNumbers();
    void makeOperatorPacks();
    void longSidesAreMeasuredByIteration();
    void packedPartsCostTheirOwnBytes();
};

void TestRemapping::errorStaysBelowItsBound_data()
{
    QTest::addColumn<int>("m");
    QTest::addColumn<int>("n");
    QTest::addColumn<int>("r");
    QTest::addColumn<double>("rate");
    for (const auto& [m, n, r] : {std::tuple{60, 48, 7}, {48, 60, 20}, {128, 128, 77}, {344, 128, 100}, {5, 9, 1}})
        for (const double rate : {1.0, 0.9, 0.3})
            QTest::addRow("%d x %d rank %d rate %g", m, n, r, rate) << m << n << r << rate;
}

void TestRemapping::errorStaysBelowItsBound()
{
    QFETCH(int, m);
    QFETCH(int, n);
    QFETCH(int, r);
    QFETCH(double, rate);
    const auto b = decaying(m, r, rate, 1), a = test::gaussian(r, n, 2);
    const lowrank::Remapping remapped = lowrank::remap(b, a, {});
    const double measured = linalg::singularValues(difference(b, a, *remapped.op).view()).front();
    const double size = linalg::singularValues(linalg::product(b.view(), a.view()).view()).front();
    QVERIFY(std::abs(remapped.error - measured) <= 1e-6 * measured + 1e-12 * size);
    QVERIFY(remapped.error > 0); // 8 bits cannot hold random numbers
    QVERIFY2(remapped.error <= remapped.errorBound, qPrintable(QString("%1 beyond %2").arg(remapped.error).arg(remapped.errorBound)));
    // The bound takes every number to be off by half a step in the worst pattern. Random errors are sqrt(3) smaller each, and
    // their matrix's norm is about (1 / sqrt(r) + 1 / sqrt(s)) of its Frobenius norm: a bound 60 times off would be none.
    QVERIFY(remapped.errorBound <= 60 * remapped.error);
    QVERIFY(remapped.error < 0.02 * size);
}

void TestRemapping::anyJunctionGivesTheSameNumbers()
{
    // B J^-1 and J A with a badly scaled J: the product alone decides, but for rounding in the decomposition
    auto b = decaying(40, 9, 0.8, 1), a = test::gaussian(9, 30, 2);
    const auto first = lowrank::remap(b, a, {});
    for (std::int64_t k = 0; k < 9; ++k) {
        const double factor = std::pow(10.0, double(k % 4) - 2);
        for (std::int64_t i = 0; i < 40; ++i)
            b(i, k) *= factor;
        for (std::int64_t j = 0; j < 30; ++j)
            a(k, j) /= factor;
    }
    const auto second = lowrank::remap(b, a, {});
    const auto w = first.op->dense(), v = second.op->dense();
    double most = 0, apart = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
        most = std::max(most, double(std::abs(w.values()[i])));
        apart = std::max(apart, double(std::abs(w.values()[i] - v.values()[i])));
    }
    // a number that lies at the middle between two levels may go the other way: one step of one latent at most
    QVERIFY2(apart < 1e-2 * most, qPrintable(QString::number(apart / most)));
    QVERIFY(std::abs(first.errorBound - second.errorBound) < 1e-3 * first.errorBound);
}

void TestRemapping::makeOperatorPacks()
{
    const auto op = lowrank::makeOperator(test::gaussian(20, 5, 1), test::gaussian(5, 16, 2), std::vector<float>(20, 1.5F), plan::Accounting::Remapped, nullptr, {});
    QCOMPARE(op->kind(), std::string_view("remapped"));
    QCOMPARE(op->bias(), std::vector<float>(20, 1.5F));
    QVERIFY_THROWS_EXCEPTION(Error, lowrank::remap(test::gaussian(20, 5, 1), test::gaussian(4, 16, 2), {}));
    QVERIFY_THROWS_EXCEPTION(Error, lowrank::remap(test::gaussian(4, 5, 1), test::gaussian(5, 16, 2), {}));
}

void TestRemapping::longSidesAreMeasuredByIteration()
{
    // power iteration comes from below and is near after 100 steps; the exact norm from the Gram matrix of the low-rank parts
    const auto b = decaying(1030, 3, 0.5, 1), a = test::gaussian(3, 1040, 2);
    const auto remapped = lowrank::remap(b, a, {});
    const double exact = linalg::singularValues(difference(b, a, *remapped.op).view()).front();
    QVERIFY(remapped.error <= exact * (1 + 1e-9));
    QVERIFY(remapped.error >= 0.9 * exact);
}

void TestRemapping::packedPartsCostTheirOwnBytes()
{
    // a checkpoint of half floats, one operator of a packed and a plain part: bytes counted from the tensors that are stored
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm");
    const std::string name = "model.layers.0.self_attn.q_proj";
    const auto& matrices = inputs.checkpoint->layout().matrices;
    const auto matrix = std::ranges::find(matrices, name, &io::MatrixRef::name);
    QCOMPARE(inputs.checkpoint->find(matrix->tensor)->dtype, tensor::DType::F16);
    const auto op = nn::stackedOp({lowrank::remap(test::gaussian(64, 5, 1), test::gaussian(5, 128, 2), {}).op,
                                   lowrank::makeOperator(test::gaussian(64, 9, 3), test::gaussian(9, 128, 4), {}, plan::Accounting::Factors, nullptr, {})});
    lowrank::Compression compression;
    compression.report.matrices.push_back(lowrank::measureOperator(*inputs.checkpoint, *matrix, op.get(), nullptr));
    lowrank::fillCosts(inputs, compression);
    std::uint64_t packed = 0, plain = 0;
    for (const nn::NamedTensor& tensor : op->tensors("x"))
        if (tensor.name.find("remap") != std::string::npos)
            packed += tensor.storedBytes().size();
        else
            plain += tensor.storedBytes().size() / 4 * 2; // float32 here, half floats in the file
    QCOMPARE(packed, std::uint64_t(2 * 5 * 128 + 2 * (64 + 64) + 4 * 5)); // 8 bits for 64 + 64, 16 for the rest: 2 r max(m, n), and the scales
    QCOMPARE(plain, std::uint64_t(2 * 9 * (64 + 128)));
    QCOMPARE(compression.report.cost.bytes, plan::modelCost(*inputs.checkpoint).bytes - 2 * 128 * 128 + packed + plain);
    QVERIFY(std::abs(compression.report.achievedKeep - double(packed + plain) / (2 * 128 * 128)) < 1e-12);
}

QTEST_APPLESS_MAIN(TestRemapping)
#include "tst_remapping.moc"

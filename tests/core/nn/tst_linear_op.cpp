// SPDX-License-Identifier: GPL-3.0-or-later
// Every form of a linear operator against the dense matrix it stands for.
#include "core/nn/linear_op.h"

#include "core/base/error.h"
#include "core/nn/tensor_binding.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

#include <algorithm>
#include <map>
#include <numeric>

using namespace tamis;
using namespace tamis::nn;
using kernels::reference::randomMatrix;

namespace {
/// Tensors in memory, as an operator saved them.
class SavedTensors final : public TensorSource {
public:
    explicit SavedTensors(const std::vector<NamedTensor>& tensors)
    {
        for (const NamedTensor& t : tensors)
            m_tensors[t.name] = t;
    }
    bool has(std::string_view tensor) const override { return m_tensors.contains(std::string(tensor)); }
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>&) const override { return m_tensors.at(std::string(tensor)).shape; }
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>&) const override
    {
        const NamedTensor& t = m_tensors.at(std::string(tensor));
        return t.values.empty() ? std::vector<float>(t.indices.begin(), t.indices.end()) : t.values;
    }
    std::string subject() const override { return "memory"; }

private:
    std::map<std::string, NamedTensor> m_tensors;
};

std::vector<std::int64_t> shuffled(std::int64_t count)
{
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(5));
    return order;
}

std::vector<float> biasOf(std::int64_t out)
{
    const auto m = randomMatrix(1, out, 9);
    return {m.values().begin(), m.values().end()};
}

struct Form {
    LinearPtr op;
    std::uint64_t weights, macs, indexBytes;
    std::int64_t rank;
};

constexpr std::int64_t kOut = 60, kIn = 48;

Form make(const QString& kind)
{
    if (kind == "dense")
        return {denseOp(randomMatrix(kOut, kIn, 1).view(), biasOf(kOut)), kOut * kIn, kOut * kIn, 0, kIn};
    if (kind == "factors")
        return {factorsOp(randomMatrix(kOut, 7, 1).view(), randomMatrix(7, kIn, 2).view(), biasOf(kOut)), 7 * (kOut + kIn), 7 * (kOut + kIn), 0, 7};
    if (kind == "block-identity")
        return {blockIdentityOp(randomMatrix(kOut, 7, 1).view(), randomMatrix(7, kIn - 7, 2).view(), shuffled(kIn), biasOf(kOut)), 7 * (kOut + kIn) - 49,
                7 * (kOut + kIn) - 49, 8 * kIn, 7};
    if (kind == "block-identity of full rank")
        return {blockIdentityOp(randomMatrix(kOut, kIn, 1).view(), tensor::Matrix<float>(kIn, 0).view(), shuffled(kIn), {}), kOut * kIn, kOut * kIn, 8 * kIn, kIn};
    if (kind == "tiled")
        return {tiledOp({randomMatrix(20, 16, 1), randomMatrix(20, 16, 2), randomMatrix(20, 16, 3)}, shuffled(kIn), biasOf(kOut)), 3 * 320, 3 * 320, 8 * kIn, 48};
    return {tiledFactorsOp({{randomMatrix(20, 3, 1), randomMatrix(3, 16, 2)}, {randomMatrix(20, 3, 3), randomMatrix(3, 16, 4)}, {randomMatrix(20, 3, 5), randomMatrix(3, 16, 6)}}, {}, biasOf(kOut)),
            3 * 3 * 36, 3 * 3 * 36, 0, 9};
}
} // namespace

class TestLinearOp : public QObject {
    Q_OBJECT
private slots:
    void appliesItsDenseMatrix_data() { kinds(); }
    void appliesItsDenseMatrix();
    void countsWhatItStores_data() { kinds(); }
    void countsWhatItStores();
    void savesAndLoads_data() { kinds(); }
    void savesAndLoads();
    void badShapesAreRefused();
    void blockIdentityOfManyRowsInParallel();
    void scratchIsReused();

private:
    static void kinds()
    {
        QTest::addColumn<QString>("kind");
        for (const char* kind : {"dense", "factors", "block-identity", "block-identity of full rank", "tiled", "tiled-factors"})
            QTest::newRow(kind) << QString(kind);
    }
};

void TestLinearOp::appliesItsDenseMatrix()
{
    QFETCH(QString, kind);
    const Form form = make(kind);
    QVERIFY(kind.startsWith(QString::fromUtf8(form.op->kind().data(), qsizetype(form.op->kind().size()))));
    const tensor::Matrix<float> w = form.op->dense(), x = randomMatrix(33, kIn, 11), base = randomMatrix(33, kOut, 12), factor = randomMatrix(33, kOut, 13);
    const std::vector<float> scale = biasOf(kOut);
    QCOMPARE(w.rows(), kOut);
    QCOMPARE(w.cols(), kIn);
    tensor::Matrix<float> y(33, kOut);
    Scratch scratch;
    form.op->apply(x.view(), {.activation = kernels::Activation::Gelu, .factor = factor.view(), .scale = scale.data(), .base = base.view()}, y.view(), scratch);
    for (std::int64_t i = 0; i < 33; ++i)
        for (std::int64_t j = 0; j < kOut; ++j) {
            double sum = form.op->bias().empty() ? 0 : form.op->bias()[static_cast<std::size_t>(j)], size = 1;
            for (std::int64_t k = 0; k < kIn; ++k) {
                sum += double(x(i, k)) * w(j, k);
                size += std::abs(double(x(i, k)) * w(j, k));
            }
            const double expected = kernels::reference::activate(kernels::Activation::Gelu, sum) * factor(i, j) * scale[static_cast<std::size_t>(j)] + base(i, j);
            // two products in float where the form has two factors: a few rounding errors of the terms' sum
            QVERIFY2(std::abs(y(i, j) - expected) <= 2e-6 * size * (1 + std::abs(factor(i, j) * scale[static_cast<std::size_t>(j)])) + 1e-6,
                     qPrintable(QString("%1 instead of %2").arg(y(i, j)).arg(expected)));
        }
}

void TestLinearOp::countsWhatItStores()
{
    QFETCH(QString, kind);
    const Form form = make(kind);
    const std::uint64_t bias = form.op->bias().size();
    QCOMPARE(form.op->cost().parameters, form.weights + bias);
    QCOMPARE(form.op->cost().macsPerToken, form.macs);
    QCOMPARE(form.op->cost().bytes, 4 * (form.weights + bias) + form.indexBytes);
    QCOMPARE(form.op->rank(), form.rank);
    std::uint64_t stored = 0;
    for (const NamedTensor& t : form.op->tensors("x"))
        stored += 4 * t.values.size() + 8 * t.indices.size();
    QCOMPARE(stored, form.op->cost().bytes);
}

void TestLinearOp::savesAndLoads()
{
    QFETCH(QString, kind);
    const Form form = make(kind);
    const SavedTensors saved(form.op->tensors("layer.3.fc"));
    const LinearSlot slot = TensorBinding(saved, false).linear("layer.3.fc", io::Role::Up, 3, kOut, kIn);
    QCOMPARE(slot.op->kind(), form.op->kind());
    QVERIFY(slot.op->dense() == form.op->dense());
    QCOMPARE(slot.op->bias(), form.op->bias());
    QVERIFY_THROWS_EXCEPTION(Error, TensorBinding(saved, false).linear("layer.3.fc", io::Role::Up, 3, kOut, kIn + 3));
    QVERIFY_THROWS_EXCEPTION(Error, TensorBinding(saved, false).linear("layer.4.fc", io::Role::Up, 4, kOut, kIn));
}

void TestLinearOp::badShapesAreRefused()
{
    const auto m = [](std::int64_t r, std::int64_t c) { return tensor::Matrix<float>(r, c); };
    QVERIFY_THROWS_EXCEPTION(Error, denseOp(m(4, 3).view(), {1, 2, 3}));
    QVERIFY_THROWS_EXCEPTION(Error, factorsOp(m(4, 3).view(), m(2, 5).view(), {}));
    QVERIFY_THROWS_EXCEPTION(Error, blockIdentityOp(m(4, 2).view(), m(2, 2).view(), {0, 1, 2, 2}, {}));
    QVERIFY_THROWS_EXCEPTION(Error, blockIdentityOp(m(4, 2).view(), m(2, 2).view(), {0, 1, 2}, {}));
    QVERIFY_THROWS_EXCEPTION(Error, tiledOp({m(4, 2), m(4, 3)}, {}, {}));
    QVERIFY_THROWS_EXCEPTION(Error, tiledOp({}, {}, {}));
    QVERIFY_THROWS_EXCEPTION(Error, tiledFactorsOp({{m(4, 2), m(3, 2)}}, {}, {}));
}

void TestLinearOp::blockIdentityOfManyRowsInParallel()
{
    // Enough numbers that the inputs are picked by several tasks, with a rest: rows as one at a time give them.
    const std::int64_t in = 300, out = 70, rows = 237;
    const LinearPtr op = blockIdentityOp(randomMatrix(out, 40, 1).view(), randomMatrix(40, in - 40, 2).view(), shuffled(in), biasOf(out));
    const tensor::Matrix<float> wide = randomMatrix(rows, in + 9, 3);
    const kernels::ConstRows x{wide.data() + 4, rows, in, in + 9};
    tensor::Matrix<float> together(rows, out), alone(rows, out);
    Scratch parallel, single(false);
    op->apply(x, {}, together.view(), parallel);
    const tensor::Matrix<float> w = op->dense();
    for (std::int64_t i = 0; i < rows; ++i) {
        op->apply({x.data + i * x.stride, 1, in, x.stride}, {}, {alone.data() + i * out, 1, out, out}, single);
        for (std::int64_t j = 0; j < out; ++j) {
            double sum = op->bias()[static_cast<std::size_t>(j)], size = 1;
            for (std::int64_t k = 0; k < in; ++k) {
                sum += double(x(i, k)) * w(j, k);
                size += std::abs(double(x(i, k)) * w(j, k));
            }
            // two products in float: a few rounding errors of the terms' sum; a wrong input is off by some hundredth of it
            QVERIFY2(std::abs(together(i, j) - sum) <= 2e-6 * size, qPrintable(QString("%1 instead of %2").arg(together(i, j)).arg(sum)));
            QVERIFY(std::abs(together(i, j) - alone(i, j)) <= 2e-6 * size);
        }
    }
}

void TestLinearOp::scratchIsReused()
{
    Scratch scratch;
    float* first = nullptr;
    for (int round = 0; round < 3; ++round) {
        Scratch::Frame frame(scratch);
        const kernels::Rows a = frame.take(100, 70), b = frame.take(1'000'000, 1);
        QCOMPARE(reinterpret_cast<std::uintptr_t>(b.data) % 64, std::uintptr_t(0));
        if (round == 0)
            first = a.data;
        QCOMPARE(a.data, first);
        Scratch::Frame inner(scratch);
        QVERIFY(inner.take(5, 5).data != a.data);
    }
    QCOMPARE(scratch.peakFloats(), std::size_t(100 * 70 + 1'000'000 + 25));
}

QTEST_APPLESS_MAIN(TestLinearOp)
#include "tst_linear_op.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Factors packed as 8-bit numbers and half floats, against the formula, the dense matrix and what a file may wrongly hold.
#include "core/base/error.h"
#include "core/nn/linear_op.h"
#include "core/nn/tensor_binding.h"
#include "core/tensor/convert.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

#include <cmath>
#include <limits>
#include <map>

using namespace tamis;
using namespace tamis::nn;
using kernels::reference::randomMatrix;

namespace {
tensor::Matrix<double> randomDouble(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    const auto m = randomMatrix(rows, cols, seed);
    tensor::Matrix<double> d(rows, cols);
    std::ranges::copy(m.values(), d.data());
    return d;
}

/// Tensors as a file holds them, decoded by their type.
class SavedTensors final : public TensorSource {
public:
    explicit SavedTensors(const std::vector<NamedTensor>& tensors)
    {
        for (const NamedTensor& t : tensors)
            all[t.name] = {t.shape, decoded(t)};
    }
    static std::vector<float> decoded(const NamedTensor& t)
    {
        std::vector<float> values(t.storedBytes().size() / tensor::dtypeSize(t.storedType()));
        tensor::decode(t.storedType(), t.storedBytes(), std::span(values));
        return values;
    }
    bool has(std::string_view tensor) const override { return all.contains(std::string(tensor)); }
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>&) const override { return all.at(std::string(tensor)).first; }
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>&) const override { return all.at(std::string(tensor)).second; }
    std::string subject() const override { return "memory"; }

    std::map<std::string, std::pair<std::vector<std::int64_t>, std::vector<float>>> all;
};

std::vector<float> biasOf(std::int64_t out)
{
    const auto m = randomMatrix(1, out, 9);
    return {m.values().begin(), m.values().end()};
}

LinearPtr make(std::int64_t out, std::int64_t in, std::int64_t rank)
{
    return remappedOp(remapFactors(randomDouble(out, rank, 1).view(), randomDouble(rank, in, 2).view()), biasOf(out));
}

QString failure(const SavedTensors& saved, std::int64_t out, std::int64_t in)
{
    try {
        TensorBinding(saved, false).linear("x", io::Role::Up, 0, out, in);
    } catch (const Error& error) {
        return error.code() == ErrorCode::MalformedFile ? QString::fromUtf8(error.what()) : "of another kind: " + QString::fromUtf8(error.what());
    }
    return {};
}
} // namespace

class TestRemappedOp : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { kernels::forcePortableKernels(false); }
    void roundsWithinHalfAStep_data() { shapes(); }
    void roundsWithinHalfAStep();
    void appliesItsDenseMatrix_data();
    void appliesItsDenseMatrix();
    void takesTheBytesOfItsFormula_data() { shapes(); }
    void takesTheBytesOfItsFormula();
    void savesAndLoadsToTheBit_data() { shapes(); }
    void savesAndLoadsToTheBit();
    void malformedTensorsAreRefused();
    void latentsOfAnyLengthAreEquallyFine();
    void badFactorsAreRefused();

private:
    static void shapes()
    {
        QTest::addColumn<int>("out");
        QTest::addColumn<int>("in");
        QTest::addColumn<int>("rank");
        for (const auto& [out, in, rank] : {std::tuple{60, 48, 7}, {48, 60, 7}, {32, 32, 32}, {1, 5, 1}, {5, 1, 1}, {344, 128, 77}, {128, 344, 77}})
            QTest::addRow("%d x %d rank %d", out, in, rank) << out << in << rank;
    }
};

void TestRemappedOp::roundsWithinHalfAStep()
{
    QFETCH(int, out);
    QFETCH(int, in);
    QFETCH(int, rank);
    const auto b = randomDouble(out, rank, 1), a = randomDouble(rank, in, 2);
    const RemappedFactors f = remapFactors(b.view(), a.view());
    const auto value = [](const tensor::Matrix<std::uint16_t>& m, std::int64_t i, std::int64_t j) {
        float decoded = 0;
        tensor::decode(tensor::DType::F16, std::as_bytes(m.values().subspan(static_cast<std::size_t>(i * m.cols() + j), 1)), std::span(&decoded, 1));
        return double(decoded);
    };
    const int s = std::min(out, in);
    for (int k = 0; k < rank; ++k) {
        double lengthB = 0, lengthA = 0;
        for (int i = 0; i < out; ++i)
            lengthB += b(i, k) * b(i, k);
        for (int j = 0; j < in; ++j)
            lengthA += a(k, j) * a(k, j);
        lengthB = std::sqrt(lengthB);
        lengthA = std::sqrt(lengthA);
        QVERIFY(std::abs(double(f.scale[std::size_t(k)]) - lengthA * lengthB) <= 1e-7 * lengthA * lengthB);
        for (int i = 0; i < out; ++i) {
            const double exact = b(i, k) / lengthB, scale = i < s ? double(f.scaleB[std::size_t(i)]) : 0;
            const double stored = i < s ? scale / 127 * f.bytesB(i, k) : value(f.halvesB, i - s, k);
            QVERIFY(std::abs(stored - exact) <= (i < s ? scale / 254 : std::max(std::abs(exact) * 0x1p-11, 0x1p-25)) + 1e-9); // subnormals: half of 2^-24
        }
        for (int j = 0; j < in; ++j) {
            const double exact = a(k, j) / lengthA, scale = j < s ? double(f.scaleA[std::size_t(j)]) : 0;
            const double stored = j < s ? scale / 127 * f.bytesA(k, j) : value(f.halvesA, k, j - s);
            QVERIFY(std::abs(stored - exact) <= (j < s ? scale / 254 : std::max(std::abs(exact) * 0x1p-11, 0x1p-25)) + 1e-9); // subnormals: half of 2^-24
        }
    }
    // a row's largest number takes one of the last two steps: no range is given away but for rounding the scale to a half float
    for (int i = 0; i < s; ++i) {
        int most = 0;
        for (int k = 0; k < rank; ++k)
            most = std::max(most, std::abs(int(f.bytesB(i, k))));
        QVERIFY(most >= 126);
    }
}

void TestRemappedOp::appliesItsDenseMatrix_data()
{
    QTest::addColumn<int>("out");
    QTest::addColumn<int>("in");
    QTest::addColumn<int>("rank");
    QTest::addColumn<bool>("portable");
    for (const bool portable : {false, true})
        for (const auto& [out, in, rank] : {std::tuple{60, 48, 7}, {48, 60, 7}, {32, 32, 32}, {1, 5, 1}, {344, 128, 77}, {128, 344, 77}})
            QTest::addRow("%d x %d rank %d %s", out, in, rank, portable ? "portable" : "best") << out << in << rank << portable;
}

void TestRemappedOp::appliesItsDenseMatrix()
{
    QFETCH(int, out);
    QFETCH(int, in);
    QFETCH(int, rank);
    QFETCH(bool, portable);
    kernels::forcePortableKernels(portable);
    const LinearPtr op = make(out, in, rank);
    const tensor::Matrix<float> w = op->dense(), x = randomMatrix(33, in, 11), base = randomMatrix(33, out, 12), factor = randomMatrix(33, out, 13);
    const std::vector<float> scale = biasOf(out);
    tensor::Matrix<float> y(33, out);
    Scratch scratch;
    op->apply(x.view(), {.activation = kernels::Activation::Gelu, .factor = factor.view(), .scale = scale.data(), .base = base.view()}, y.view(), scratch);
    double most = 0;
    for (const float value : w.values())
        most = std::max(most, double(std::abs(value)));
    for (std::int64_t i = 0; i < 33; ++i)
        for (std::int64_t j = 0; j < out; ++j) {
            double sum = op->bias()[std::size_t(j)], size = 1;
            for (std::int64_t k = 0; k < in; ++k) {
                sum += double(x(i, k)) * w(j, k);
                size += std::abs(double(x(i, k))) * most;
            }
            const double expected = kernels::reference::activate(kernels::Activation::Gelu, sum) * factor(i, j) * scale[std::size_t(j)] + base(i, j);
            // two products in float: a few rounding errors of the terms' sum; the latents' terms may be larger than W's
            QVERIFY2(std::abs(y(i, j) - expected) <= 4e-6 * size * (1 + std::abs(factor(i, j) * scale[std::size_t(j)])) + 1e-6,
                     qPrintable(QString("%1 instead of %2").arg(y(i, j)).arg(expected)));
        }
}

void TestRemappedOp::takesTheBytesOfItsFormula()
{
    QFETCH(int, out);
    QFETCH(int, in);
    QFETCH(int, rank);
    const LinearPtr op = make(out, in, rank);
    const auto s = static_cast<std::uint64_t>(std::min(out, in)), longer = static_cast<std::uint64_t>(std::max(out, in)), r = static_cast<std::uint64_t>(rank);
    QCOMPARE(op->kind(), std::string_view("remapped"));
    QCOMPARE(op->rank(), std::int64_t(rank));
    QCOMPARE(op->cost().bytes, 2 * r * longer + 4 * s + 4 * r + 4 * std::uint64_t(out));
    QCOMPARE(op->cost().parameters, r * std::uint64_t(out + in) + std::uint64_t(out));
    QCOMPARE(op->cost().macsPerToken, r * std::uint64_t(out + in));
    std::uint64_t stored = 0;
    for (const NamedTensor& t : op->tensors("x")) {
        stored += t.storedBytes().size();
        std::uint64_t elements = tensor::dtypeSize(t.storedType());
        for (const std::int64_t side : t.shape)
            elements *= std::uint64_t(side);
        QCOMPARE(elements, std::uint64_t(t.storedBytes().size()));
    }
    QCOMPARE(stored, op->cost().bytes);
}

void TestRemappedOp::savesAndLoadsToTheBit()
{
    QFETCH(int, out);
    QFETCH(int, in);
    QFETCH(int, rank);
    const LinearPtr op = make(out, in, rank);
    const SavedTensors saved(op->tensors("x"));
    QVERIFY(hasOperator(saved, "x"));
    QCOMPARE(operatorOutputs(saved, "x", 0), std::int64_t(out));
    const LinearSlot slot = TensorBinding(saved, false).linear("x", io::Role::Up, 3, out, in);
    QCOMPARE(slot.op->kind(), op->kind());
    QVERIFY(slot.op->dense() == op->dense());
    QCOMPARE(slot.op->bias(), op->bias());
    const auto again = slot.op->tensors("x"), before = op->tensors("x");
    QCOMPARE(again.size(), before.size());
    for (std::size_t i = 0; i < again.size(); ++i) {
        QCOMPARE(again[i].name, before[i].name);
        QVERIFY(std::ranges::equal(again[i].storedBytes(), before[i].storedBytes()));
    }
}

void TestRemappedOp::malformedTensorsAreRefused()
{
    const SavedTensors whole(make(12, 9, 4)->tensors("x"));
    QCOMPARE(failure(whole, 12, 9), QString());
    for (const auto& [name, saved] : whole.all) {
        if (name == "x.bias")
            continue;
        SavedTensors broken = whole;
        broken.all.erase(name);
        QVERIFY2(failure(broken, 12, 9).contains(name == "x.remap_b" ? "x.weight" : QString::fromStdString(name)), qPrintable(failure(broken, 12, 9)));
        broken = whole;
        auto& [shape, values] = broken.all[name];
        shape.back() += 1; // first the shape alone, then with as many numbers
        QVERIFY2(failure(broken, 12, 9).contains("expected"), name.c_str());
        values.resize(shape.size() == 2 ? std::size_t(shape[0] * shape[1]) : std::size_t(shape[0]));
        QVERIFY2(failure(broken, 12, 9).contains("expected"), name.c_str());
        broken = whole;
        broken.all[name].second.front() = std::numeric_limits<float>::quiet_NaN();
        QVERIFY2(failure(broken, 12, 9).contains(QString::fromStdString(name)), qPrintable(failure(broken, 12, 9)));
        const bool bytes = name == "x.remap_a" || name == "x.remap_b", halves = name == "x.remap_b_rest" || name.starts_with("x.remap_scale_");
        broken.all[name].second.front() = bytes ? -128.0F : halves ? 70000.0F : -1.0F;
        QVERIFY2(failure(broken, 12, 9).contains(QString::fromStdString(name)) == (bytes || name == "x.remap_b_rest" || name == "x.remap_scale"), qPrintable(failure(broken, 12, 9)));
        if (!bytes)
            continue;
        broken.all[name].second.front() = 0.5F;
        QVERIFY2(failure(broken, 12, 9).contains("whole numbers"), qPrintable(failure(broken, 12, 9)));
    }
    QVERIFY(failure(whole, 12, 10).contains("expected"));
    QVERIFY(failure(whole, 11, 9).contains("expected"));
}

void TestRemappedOp::latentsOfAnyLengthAreEquallyFine()
{
    // singular values over six decades: every latent of the product is good to the 8 bits, none drowns in the first one's step
    auto b = randomDouble(40, 6, 1);
    const auto a = randomDouble(6, 40, 2);
    for (std::int64_t i = 0; i < 40; ++i)
        for (std::int64_t k = 0; k < 6; ++k)
            b(i, k) *= std::pow(10.0, -double(k));
    const RemappedFactors f = remapFactors(b.view(), a.view());
    for (std::int64_t k = 0; k < 6; ++k) {
        int most = 0;
        for (std::int64_t i = 0; i < 40; ++i)
            most = std::max(most, std::abs(int(f.bytesB(i, k))));
        QVERIFY2(most > 60, qPrintable(QString("latent %1 uses %2 of 127 levels").arg(k).arg(most)));
    }
}

void TestRemappedOp::badFactorsAreRefused()
{
    auto b = randomDouble(4, 2, 1);
    QVERIFY_THROWS_EXCEPTION(Error, remapFactors(b.view(), randomDouble(3, 5, 2).view()));
    QVERIFY_THROWS_EXCEPTION(Error, remapFactors(randomDouble(4, 5, 1).view(), randomDouble(5, 6, 2).view()));
    b(1, 1) = std::numeric_limits<double>::infinity();
    QVERIFY_THROWS_EXCEPTION(Error, remapFactors(b.view(), randomDouble(2, 5, 2).view()));
    RemappedFactors f = remapFactors(randomDouble(4, 2, 1).view(), randomDouble(2, 5, 2).view());
    QVERIFY_THROWS_EXCEPTION(Error, remappedOp(f, {1, 2, 3}));
    f.scaleA.pop_back();
    QVERIFY_THROWS_EXCEPTION(Error, remappedOp(f, {}));
}

QTEST_APPLESS_MAIN(TestRemappedOp)
#include "tst_remapped_op.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/compact_matrix.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/tensor/convert.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::kernels;

namespace {
tensor::Matrix<std::int8_t> randomBytes(std::int64_t rows, std::int64_t cols)
{
    std::mt19937 engine(7);
    std::uniform_int_distribution<int> any(-128, 127);
    tensor::Matrix<std::int8_t> m(rows, cols);
    for (std::int8_t& v : m.values())
        v = static_cast<std::int8_t>(any(engine));
    return m;
}

std::vector<float> scales(std::int64_t count, unsigned seed)
{
    const auto m = reference::randomMatrix(1, count, seed, 0.1F);
    return {m.values().begin(), m.values().end()};
}

tensor::Matrix<std::uint16_t> halvesOf(const tensor::Matrix<float>& m)
{
    tensor::Matrix<std::uint16_t> halves(m.rows(), m.cols());
    tensor::encode(tensor::DType::F16, m.values(), std::as_writable_bytes(halves.values()));
    return halves;
}

CompactMatrix make(bool half, std::int64_t out, std::int64_t in)
{
    return half ? CompactMatrix(halvesOf(reference::randomMatrix(out, in, 2)).view(), scales(out, 3), {}) : CompactMatrix(randomBytes(out, in).view(), scales(out, 3), scales(in, 4));
}
} // namespace

class TestCompactMatrix : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { forcePortableKernels(false); }
    void bytesDecodeAsTheirFormulaSays();
    void everyHalfDecodesExactly();
    void productAgreesWithDouble_data();
    void productAgreesWithDouble();
    void equalsThePackedProductToTheBit();
    void threadsDoNotChangeABit();
    void scalesAreChecked();
};

void TestCompactMatrix::bytesDecodeAsTheirFormulaSays()
{
    for (const bool portable : {false, true})
        for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {33, 7}, {64, 300}, {100, 48}}) {
            forcePortableKernels(portable);
            const auto stored = randomBytes(rows, cols);
            const auto rowScale = scales(rows, 1), columnScale = scales(cols, 2);
            const auto w = CompactMatrix(stored.view(), rowScale, columnScale).unpack();
            for (std::int64_t i = 0; i < rows; ++i)
                for (std::int64_t j = 0; j < cols; ++j) {
                    const float scale = columnScale[static_cast<std::size_t>(j)] * rowScale[static_cast<std::size_t>(i)];
                    QCOMPARE(w(i, j), scale * static_cast<float>(stored(i, j))); // the same two roundings: no tolerance
                }
        }
}

void TestCompactMatrix::everyHalfDecodesExactly()
{
    tensor::Matrix<std::uint16_t> all(256, 256);
    for (int bits = 0; bits < 65536; ++bits)
        all.values()[static_cast<std::size_t>(bits)] = static_cast<std::uint16_t>(bits);
    std::vector<float> expected(65536);
    tensor::decode(tensor::DType::F16, std::as_bytes(all.values()), expected);
    for (const bool portable : {false, true}) {
        forcePortableKernels(portable);
        const auto found = CompactMatrix(all.view(), {}, {}).unpack();
        for (std::size_t i = 0; i < expected.size(); ++i)
            QVERIFY2(found.values()[i] == expected[i] || (std::isnan(found.values()[i]) && std::isnan(expected[i])), qPrintable(QString("bits %1").arg(i)));
    }
}

void TestCompactMatrix::productAgreesWithDouble_data()
{
    QTest::addColumn<bool>("portable");
    QTest::addColumn<bool>("half");
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("in");
    QTest::addColumn<int>("out");
    for (const bool portable : {false, true})
        for (const bool half : {false, true})
            for (const int tokens : {1, 13, 15, 197, 257})
                for (const auto& [in, out] : {std::pair{1, 1}, {48, 128}, {255, 33}, {257, 64}, {700, 300}})
                    QTest::addRow("%s %s %dx%d to %d", portable ? "portable" : "best", half ? "half" : "bytes", tokens, in, out) << portable << half << tokens << in << out;
}

void TestCompactMatrix::productAgreesWithDouble()
{
    QFETCH(bool, portable);
    QFETCH(bool, half);
    QFETCH(int, tokens);
    QFETCH(int, in);
    QFETCH(int, out);
    forcePortableKernels(portable);
    const CompactMatrix weight = make(half, out, in);
    const auto x = reference::randomMatrix(tokens, in, 1), w = weight.unpack();
    const auto bias = scales(out, 5);
    tensor::Matrix<float> y(tokens, out);
    multiply(x.view(), weight, {.bias = bias.data()}, y.view(), true);
    for (int i = 0; i < tokens; ++i)
        for (int j = 0; j < out; ++j) {
            double sum = bias[static_cast<std::size_t>(j)], size = std::abs(sum);
            for (int k = 0; k < in; ++k) {
                sum += double(x(i, k)) * w(j, k);
                size += std::abs(double(x(i, k)) * w(j, k));
            }
            // Higham: |error| <= n u sum|x||w|, u = 2^-24
            QVERIFY2(std::abs(y(i, j) - sum) <= (in + 2) * 6e-8 * size + 1e-30, qPrintable(QString("(%1, %2): %3 instead of %4").arg(i).arg(j).arg(y(i, j)).arg(sum)));
        }
}

void TestCompactMatrix::equalsThePackedProductToTheBit()
{
    // the same tiles over the same numbers in the same order
    for (const bool half : {false, true}) {
        const CompactMatrix weight = make(half, 300, 700);
        const auto x = reference::randomMatrix(57, 700, 1);
        tensor::Matrix<float> y(57, 300), packed(57, 300);
        multiply(x.view(), weight, {}, y.view(), false);
        multiply(x.view(), PackedMatrix(weight.unpack().view()), {}, packed.view(), false);
        QVERIFY(y == packed);
    }
}

void TestCompactMatrix::threadsDoNotChangeABit()
{
    const CompactMatrix weight = make(false, 300, 700);
    const auto x = reference::randomMatrix(257, 700, 1);
    tensor::Matrix<float> many(257, 300), one(257, 300);
    multiply(x.view(), weight, {}, many.view(), true);
    const ThreadLimit limit(1);
    multiply(x.view(), weight, {}, one.view(), true);
    QVERIFY(many == one);
}

void TestCompactMatrix::scalesAreChecked()
{
    const auto stored = randomBytes(5, 3);
    QVERIFY_THROWS_EXCEPTION(Error, CompactMatrix(stored.view(), {1, 2, 3}, {}));
    QVERIFY_THROWS_EXCEPTION(Error, CompactMatrix(stored.view(), {}, {1, 2}));
}

QTEST_APPLESS_MAIN(TestCompactMatrix)
#include "tst_compact_matrix.moc"

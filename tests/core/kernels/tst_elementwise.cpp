// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/elementwise.h"

#include "tests/core/kernels/reference.h"

#include <QTest>

using namespace tamis;
using namespace tamis::kernels;

class TestElementwise : public QObject {
    Q_OBJECT
private slots:
    void init() { forcePortableKernels(QString(QTest::currentDataTag()) == "portable"); }
    void cleanup() { forcePortableKernels(false); }
    void activations_data() { bothSets(); }
    void activations();
    void norms_data() { bothSets(); }
    void norms();
    void softmaxAndLogSumExp_data() { bothSets(); }
    void softmaxAndLogSumExp();

private:
    static void bothSets()
    {
        QTest::addColumn<int>("unused");
        QTest::newRow("best") << 0;
        QTest::newRow("portable") << 0;
    }
};


void TestElementwise::activations()
{
    for (int a = 0; a <= int(Activation::Tanh); ++a) {
        std::vector<float> x;
        for (double v = -30; v <= 30; v += 0.0137)
            x.push_back(float(v));
        x.insert(x.end(), {0.0f, -0.0f, 1e-20f, -1e-20f, 1e4f, -1e4f});
        std::vector<float> y = x;
        activate(Activation(a), y);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double expected = reference::activate(Activation(a), x[i]);
            // a few units of float's last place of x or of the result
            QVERIFY2(std::abs(y[i] - expected) <= 1.5e-6 * std::max(1.0, std::abs(expected)),
                     qPrintable(QString("%1(%2) = %3, expected %4").arg(activationName(Activation(a)).data()).arg(x[i]).arg(y[i]).arg(expected)));
        }
    }
}

void TestElementwise::norms()
{
    for (const std::int64_t width : {1, 7, 16, 128, 193, 768}) {
        const auto x = reference::randomMatrix(5, width, 1, 3), w = reference::randomMatrix(1, width, 2), b = reference::randomMatrix(1, width, 3);
        tensor::Matrix<float> y(5, width), z(5, width);
        layerNorm(x.view(), w.data(), b.data(), 1e-6f, y.view());
        rmsNorm(x.view(), w.data(), 1e-5f, z.view());
        for (std::int64_t i = 0; i < 5; ++i) {
            double mean = 0, variance = 0, square = 0;
            for (const float v : x.view().row(i))
                mean += v / double(width), square += double(v) * v / double(width);
            for (const float v : x.view().row(i))
                variance += (v - mean) * (v - mean) / double(width);
            for (std::int64_t j = 0; j < width; ++j) {
                QVERIFY(std::abs(y(i, j) - ((x(i, j) - mean) / std::sqrt(variance + 1e-6) * w(0, j) + b(0, j))) < 2e-5);
                QVERIFY(std::abs(z(i, j) - x(i, j) / std::sqrt(square + 1e-5) * w(0, j)) < 2e-5);
            }
        }
    }
}

void TestElementwise::softmaxAndLogSumExp()
{
    for (const std::int64_t width : {1, 5, 16, 20, 1000, 32000}) {
        auto x = reference::randomMatrix(1, width, 9, 4);
        const auto logits = x;
        double top = -1e300, sum = 0;
        for (const float v : x.values())
            top = std::max(top, double(v));
        for (const float v : x.values())
            sum += std::exp(v - top);
        const LogSumExp l = logSumExp(x.values());
        QVERIFY(std::abs(l.maximum + double(l.logSum) - (top + std::log(sum))) < 1e-5);
        softmaxRow(x.values());
        double total = 0;
        for (std::int64_t j = 0; j < width; ++j) {
            // a difference of up to 32 is rounded to 1.9e-6; exp and the sum add less
            QVERIFY(std::abs(x(0, j) - std::exp(logits(0, j) - top) / sum) <= 4e-6 * x(0, j) + 1e-12);
            total += x(0, j);
        }
        QVERIFY(std::abs(total - 1) < 1e-5);
    }
}

QTEST_APPLESS_MAIN(TestElementwise)
#include "tst_elementwise.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/attention_kernel.h"

#include "core/base/error.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

using namespace tamis;
using namespace tamis::kernels;

class TestAttentionKernel : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { forcePortableKernels(false); }
    void agreesWithTheDefinition_data();
    void agreesWithTheDefinition();
    void largeScoresStayFinite();
    void threadsDoNotChangeABit();
    void shapesAreChecked();
};

void TestAttentionKernel::agreesWithTheDefinition_data()
{
    QTest::addColumn<bool>("portable");
    QTest::addColumn<int>("queries");
    QTest::addColumn<int>("keys");
    QTest::addColumn<int>("heads");
    QTest::addColumn<int>("keyValueHeads");
    QTest::addColumn<int>("headDim");
    QTest::addColumn<bool>("causal");
    QTest::addColumn<int>("window");
    QTest::addColumn<bool>("biased");
    struct Row {
        int queries, keys, heads, keyValueHeads, headDim;
        bool causal;
        int window;
        bool biased;
    };
    for (const bool portable : {false, true})
        for (const Row& r : {Row{1, 1, 1, 1, 1, false, 0, false}, Row{257, 257, 4, 4, 32, false, 0, false}, Row{49, 49, 3, 3, 32, false, 0, true},
                             Row{300, 300, 4, 2, 64, true, 0, false}, Row{600, 600, 2, 1, 16, true, 100, false}, Row{1, 513, 6, 2, 24, true, 0, false},
                             Row{5, 700, 2, 2, 300, true, 17, true}, Row{40, 11, 2, 2, 8, false, 0, true}, Row{23, 23, 8, 1, 5, true, 1, false}})
            QTest::addRow("%s q%d k%d h%d/%d d%d %s w%d %s", portable ? "portable" : "best", r.queries, r.keys, r.heads, r.keyValueHeads, r.headDim,
                          r.causal ? "causal" : "full", r.window, r.biased ? "bias" : "plain")
                << portable << r.queries << r.keys << r.heads << r.keyValueHeads << r.headDim << r.causal << r.window << r.biased;
}

void TestAttentionKernel::agreesWithTheDefinition()
{
    QFETCH(bool, portable);
    QFETCH(int, queries);
    QFETCH(int, keys);
    QFETCH(int, heads);
    QFETCH(int, keyValueHeads);
    QFETCH(int, headDim);
    QFETCH(bool, causal);
    QFETCH(int, window);
    QFETCH(bool, biased);
    forcePortableKernels(portable);
    const auto q = reference::randomMatrix(queries, heads * headDim, 1), k = reference::randomMatrix(keys, keyValueHeads * headDim, 2);
    const auto v = reference::randomMatrix(keys, keyValueHeads * headDim, 3), bias = reference::randomMatrix(heads * queries, keys, 4);
    AttentionShape s{heads, keyValueHeads, headDim, 1.0f / std::sqrt(float(headDim)), causal, window};
    if (biased) {
        s.bias = bias.data();
        s.biasHeadStride = std::int64_t(queries) * keys;
        s.biasRowStride = keys;
    }
    tensor::Matrix<float> out(queries, heads * headDim), map(queries, keys);
    softmaxAttention(s, q.view(), k.view(), v.view(), out.view(), true);
    for (int h = 0; h < heads; ++h) {
        const auto p = reference::probabilities(s, q.view(), k.view(), h);
        attentionProbabilities(s, q.view(), k.view(), h, map.view());
        for (int i = 0; i < queries; ++i) {
            for (int j = 0; j < keys; ++j) // exp is good to 2 ulp, scores of size 5 to 1e-6
                QVERIFY(std::abs(map(i, j) - p[i][j]) <= 1e-5 * p[i][j] + 1e-9);
            for (int d = 0; d < headDim; ++d) {
                double expected = 0;
                for (int j = 0; j < keys; ++j)
                    expected += p[i][j] * v(j, h / (heads / keyValueHeads) * headDim + d);
                // a mean of normal values: errors of 1e-6 a term do not add up beyond 2e-5
                QVERIFY2(std::abs(out(i, h * headDim + d) - expected) <= 2e-5, qPrintable(QString("h%1 i%2 d%3: %4, expected %5").arg(h).arg(i).arg(d).arg(out(i, h * headDim + d)).arg(expected)));
            }
        }
    }
}

void TestAttentionKernel::largeScoresStayFinite()
{
    const auto q = reference::randomMatrix(30, 32, 1, 100), k = reference::randomMatrix(600, 32, 2, 100), v = reference::randomMatrix(600, 32, 3);
    tensor::Matrix<float> out(30, 32);
    softmaxAttention({1, 1, 32, 1.0f}, q.view(), k.view(), v.view(), out.view(), false);
    for (const float x : out.values())
        QVERIFY(std::isfinite(x) && std::abs(x) < 10);
}

void TestAttentionKernel::threadsDoNotChangeABit()
{
    const auto q = reference::randomMatrix(333, 64, 1), k = reference::randomMatrix(333, 32, 2), v = reference::randomMatrix(333, 32, 3);
    const AttentionShape s{2, 1, 32, 0.2f, true};
    tensor::Matrix<float> alone(333, 64), together(333, 64);
    softmaxAttention(s, q.view(), k.view(), v.view(), alone.view(), false);
    softmaxAttention(s, q.view(), k.view(), v.view(), together.view(), true);
    QVERIFY(alone == together);
}

void TestAttentionKernel::shapesAreChecked()
{
    const auto q = reference::randomMatrix(4, 30, 1), k = reference::randomMatrix(4, 32, 2);
    tensor::Matrix<float> out(4, 30);
    QVERIFY_THROWS_EXCEPTION(Error, softmaxAttention({1, 1, 32, 1}, q.view(), k.view(), k.view(), out.view(), false));
}

QTEST_APPLESS_MAIN(TestAttentionKernel)
#include "tst_attention_kernel.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/train/attention_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/token_ops.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <array>
#include <cmath>

using namespace tamis;
using namespace tamis::train;
using test::checkGradients;
using test::gaussian;

/// Attention, rotary positions, rows and losses: values against plain loops, gradients against central differences.
class TstTrainSequences : public QObject {
    Q_OBJECT

    static void passes(const std::string& complaint) { QVERIFY2(complaint.empty(), complaint.c_str()); }

    /// The definition, one query at a time.
    static tensor::Matrix<double> plainAttention(View<const double> q, View<const double> k, View<const double> v, const AttentionShape& shape,
                                                 View<const double> bias)
    {
        const std::int64_t kvHeads = shape.keyValueHeads ? shape.keyValueHeads : shape.heads, d = q.cols / shape.heads, e = v.cols / kvHeads;
        const std::int64_t n = q.rows / shape.sequences, m = k.rows / shape.sequences;
        tensor::Matrix<double> out(q.rows, shape.heads * e);
        for (std::int64_t s = 0; s < shape.sequences; ++s)
            for (std::int64_t h = 0; h < shape.heads; ++h)
                for (std::int64_t i = 0; i < n; ++i) {
                    const std::int64_t g = h / (shape.heads / kvHeads), position = i + m - n;
                    std::vector<double> p(static_cast<std::size_t>(m), 0.0);
                    double total = 0;
                    for (std::int64_t j = 0; j < m; ++j) {
                        if (shape.causal && (j > position || (shape.window > 0 && j <= position - shape.window)))
                            continue;
                        double score = 0;
                        for (std::int64_t c = 0; c < d; ++c)
                            score += q(s * n + i, h * d + c) * k(s * m + j, g * d + c);
                        score = score * (shape.scale != 0 ? shape.scale : 1 / std::sqrt(double(d))) + (bias.data ? bias(h * n + i, j) : 0);
                        total += p[static_cast<std::size_t>(j)] = std::exp(score);
                    }
                    for (std::int64_t j = 0; j < m; ++j)
                        for (std::int64_t c = 0; c < e; ++c)
                            out(s * n + i, h * e + c) += p[static_cast<std::size_t>(j)] / total * v(s * m + j, g * e + c);
                }
        return out;
    }

private slots:
    void attentionIsItsDefinition_data()
    {
        QTest::addColumn<int>("sequences");
        QTest::addColumn<int>("heads");
        QTest::addColumn<int>("kvHeads");
        QTest::addColumn<int>("queries");
        QTest::addColumn<int>("keys");
        QTest::addColumn<bool>("causal");
        QTest::addColumn<int>("window");
        QTest::addColumn<bool>("biased");
        QTest::newRow("plain") << 2 << 2 << 2 << 4 << 4 << false << 0 << false;
        QTest::newRow("grouped, causal") << 2 << 4 << 2 << 5 << 5 << true << 0 << false;
        QTest::newRow("window") << 1 << 2 << 1 << 6 << 6 << true << 3 << false;
        QTest::newRow("bias") << 3 << 2 << 2 << 3 << 3 << false << 0 << true;
        QTest::newRow("bias, causal, grouped") << 2 << 2 << 1 << 4 << 4 << true << 0 << true;
        QTest::newRow("more keys") << 2 << 1 << 1 << 3 << 5 << true << 0 << false;
        QTest::newRow("fewer keys") << 2 << 2 << 2 << 5 << 2 << false << 0 << true;
        QTest::newRow("one token") << 1 << 1 << 1 << 1 << 1 << true << 0 << false;
    }
    void attentionIsItsDefinition()
    {
        QFETCH(int, sequences);
        QFETCH(int, heads);
        QFETCH(int, kvHeads);
        QFETCH(int, queries);
        QFETCH(int, keys);
        QFETCH(bool, causal);
        QFETCH(int, window);
        QFETCH(bool, biased);
        const AttentionShape shape{sequences, heads, kvHeads, 0.7, causal, window};
        const std::vector<test::Shape> shapes{{sequences * queries, heads * 3}, {sequences * keys, kvHeads * 3}, {sequences * keys, kvHeads * 2},
                                              {heads * queries, keys}};
        std::vector<tensor::Matrix<double>> in;
        for (const auto& size : shapes)
            in.push_back(gaussian(size.rows, size.cols, 40 + static_cast<unsigned>(in.size())));
        Tape<double> tape;
        const auto y = attention(tape.constant(in[0].view()), tape.constant(in[1].view()), tape.constant(in[2].view()), shape,
                                 biased ? tape.constant(in[3].view()) : Variable<double>{});
        const auto expected = plainAttention(in[0].view(), in[1].view(), in[2].view(), shape, biased ? in[3].view() : tensor::MatrixView<double>{});
        for (std::int64_t i = 0; i < y.rows(); ++i)
            for (std::int64_t j = 0; j < y.cols(); ++j)
                QVERIFY(std::abs(y.value()(i, j) - expected(i, j)) < 1e-13); // a few roundings on values of size 1
        auto used = shapes;
        used.resize(biased ? 4 : 3);
        passes(checkGradients(used, [&](auto&, const auto& x) { return attention(x[0], x[1], x[2], shape, biased ? x[3] : Variable<double>{}); }));
    }

    void attentionOnWindowsOfOneProjection()
    {
        passes(checkGradients({{6, 12}}, [](Tape<double>& tape, const auto& x) {
            return attention(tape.window(x[0], 0, 4), tape.window(x[0], 4, 4), tape.window(x[0], 8, 4), {.sequences = 2, .heads = 2});
        }));
        passes(checkGradients({{6, 4}}, [](auto&, const auto& x) { return attention(x[0], x[0], x[0], {.sequences = 2, .heads = 2}); }));
    }

    /// Sequences longer than a tile of queries, with and without masks, in float: values and gradients against double, where
    /// a different number of tiles is used for the same sums; and no dependence on the number of threads.
    void tilesOfLongSequences()
    {
        const std::int64_t n = 700;
        const std::array<tensor::Matrix<double>, 3> in{gaussian(2 * n, 32, 1), gaussian(2 * n, 16, 2), gaussian(2 * n, 16, 3)};
        const auto weights = gaussian(2 * n, 32, 4);
        for (const std::int64_t window : {0, 100}) {
            const AttentionShape shape{2, 4, 2, 0, true, window};
            const auto run = [&]<class T>(T) {
                std::array<tensor::Matrix<T>, 3> values;
                tensor::Matrix<T> r(2 * n, 32);
                std::copy(weights.values().begin(), weights.values().end(), r.data());
                Tape<T> tape;
                std::vector<Variable<T>> x;
                for (std::size_t k = 0; k < 3; ++k) {
                    values[k] = tensor::Matrix<T>(in[k].rows(), in[k].cols());
                    std::copy(in[k].values().begin(), in[k].values().end(), values[k].data());
                    x.push_back(tape.input(values[k].view()));
                }
                const auto y = attention(x[0], x[1], x[2], shape);
                tape.backward(sumAll(multiplyElements(y, tape.constant(r.view()))));
                std::vector<T> all(y.value().data, y.value().data + 2 * n * 32);
                for (const auto& variable : x) {
                    const auto g = tape.gradient(variable);
                    all.insert(all.end(), g.data, g.data + g.rows * g.cols);
                }
                return all;
            };
            const auto exact = run(1.0);
            const auto found = run(1.0F);
            double worst = 0;
            for (std::size_t i = 0; i < exact.size(); ++i)
                worst = std::max(worst, std::abs(exact[i] - static_cast<double>(found[i])));
            QVERIFY2(worst < 2e-4, qPrintable(QString::number(worst))); // sums of up to 700 x 2 terms of size 1: sqrt(1400) eps32 * 40
            const ThreadLimit one(1);
            QVERIFY(run(1.0F) == found);
        }
        const AttentionShape shape{2, 4, 2, 0, true, 0};
        Tape<double> tape;
        const auto y = attention(tape.constant(in[0].view()), tape.constant(in[1].view()), tape.constant(in[2].view()), shape);
        const auto expected = plainAttention(in[0].view(), in[1].view(), in[2].view(), shape, {});
        for (std::size_t i = 0; i < expected.size(); ++i)
            QVERIFY(std::abs(y.value().data[i] - expected.values()[i]) < 1e-12);
    }

    void rotaryTurnsPairs()
    {
        const auto angles = gaussian(3, 2, 9);
        tensor::Matrix<double> c(3, 2), s(3, 2);
        for (std::size_t i = 0; i < 6; ++i) {
            c.values()[i] = std::cos(angles.values()[i]);
            s.values()[i] = std::sin(angles.values()[i]);
        }
        const auto build = [&](auto&, const auto& x) { return rotary<double>(x[0], c.view(), s.view(), 5); };
        passes(checkGradients({{6, 10}}, build));
        Tape<double> tape;
        const auto in = gaussian(6, 10, 3);
        const auto y = rotary<double>(tape.constant(in.view()), c.view(), s.view(), 5).value();
        // token 1 of sequence 1, head 1: feature 0 pairs with 2, 1 with 3, 4 stays
        QVERIFY(std::abs(y(4, 5) - (in(4, 5) * c(1, 0) - in(4, 7) * s(1, 0))) < 1e-15);
        QVERIFY(std::abs(y(4, 8) - (in(4, 8) * c(1, 1) + in(4, 6) * s(1, 1))) < 1e-15);
        QCOMPARE(y(4, 9), in(4, 9));
    }

    void rows()
    {
        const std::array<std::int32_t, 5> ids{2, 0, 2, 3, 2};
        passes(checkGradients({{4, 3}}, [&](auto&, const auto& x) { return gatherRows<double>(x[0], ids); }));
        passes(checkGradients({{6, 3}}, [](auto&, const auto& x) { return add(tokenOfEach(x[0], 2, 1), meanOfEach(x[0], 2, 1)); }));
        passes(checkGradients({{2, 3}, {6, 3}, {4, 3}}, [](auto&, const auto& x) { return joinTokens(x[0], x[1], x[2], 3); }));
        passes(checkGradients({{6, 3}, {2, 3}}, [](auto&, const auto& x) { return joinTokens<double>({}, x[0], x[1], 3); }));
        passes(checkGradients({{4, 3}, {4, 2}}, [](auto&, const auto& x) { return joinColumns(x[0], x[1]); }));
        Tape<double> tape;
        const auto prefix = gaussian(1, 2, 1), body = gaussian(4, 2, 2), positions = gaussian(3, 2, 3);
        const auto y = joinTokens(tape.constant(prefix.view()), tape.constant(body.view()), tape.constant(positions.view()), 2).value();
        QCOMPARE(y(3, 1), prefix(0, 1) + positions(0, 1)); // the class token of the second sequence
        QCOMPARE(y(5, 0), body(3, 0) + positions(2, 0));
        QVERIFY_EXCEPTION_THROWN(gatherRows<double>(tape.constant(positions.view()), ids), Error); // row 3 of 3
    }

    void losses()
    {
        const std::array<std::int32_t, 4> labels{2, 0, kIgnored, 1};
        for (const double smoothing : {0.0, 0.1})
            passes(checkGradients({{4, 3}}, [&](auto&, const auto& x) { return crossEntropy<double>(x[0], labels, smoothing); }));
        const auto teacher = gaussian(4, 5, 77);
        passes(checkGradients({{4, 5}}, [&](Tape<double>& tape, const auto& x) { return distillation(x[0], tape.constant(teacher.view()), 2.5); }));
        passes(checkGradients({{4, 5}, {4, 5}}, [](auto&, const auto& x) { return meanSquaredError(x[0], x[1]); }));
        passes(checkGradients({{4, 5}}, [](auto&, const auto& x) { return softmaxRows(x[0]); }));
        Tape<double> tape;
        QVERIFY(std::abs(tape.scalar(distillation(tape.constant(teacher.view()), tape.constant(teacher.view()), 3.0))) < 1e-14);
        tensor::Matrix<double> flat(4, 3);
        QVERIFY(std::abs(tape.scalar(crossEntropy<double>(tape.constant(flat.view()), labels, 0.3)) - std::log(3.0)) < 1e-14);
        const std::array<std::int32_t, 4> none{-1, -1, -1, -1};
        QCOMPARE(tape.scalar(crossEntropy<double>(tape.constant(flat.view()), none)), 0.0);
        const std::array<std::int32_t, 4> wrong{0, 1, 3, 0};
        QVERIFY_EXCEPTION_THROWN(crossEntropy<double>(tape.constant(flat.view()), wrong), Error);
        QVERIFY_EXCEPTION_THROWN((crossEntropy<double>(tape.constant(flat.view()), std::span(wrong).first(3))), Error);
    }

    void lossesOfLargeLogitsAreFinite()
    {
        Tape<float> tape;
        tensor::Matrix<float> logits(2, 3);
        logits(0, 0) = 1e4F;
        logits(1, 2) = -1e4F;
        const std::array<std::int32_t, 2> labels{1, 2};
        const auto x = tape.input(logits.view());
        const auto loss = crossEntropy<float>(x, labels);
        tape.backward(loss);
        QVERIFY(std::abs(tape.scalar(loss) - 10000.0F) < 1.0F); // (1e4 + 1e4 + log 2) / 2
        for (int j = 0; j < 6; ++j)
            QVERIFY(std::isfinite(tape.gradient(x).data[j]));
    }
};

TAMIS_BLAS_TEST_MAIN(TstTrainSequences)
#include "tst_train_sequences.moc"

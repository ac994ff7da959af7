// SPDX-License-Identifier: GPL-3.0-or-later
// Windows that choose each other: exact attention over what a brute-force choice says, in double; nothing of later tokens reaches earlier ones. On the tape: values and
// gradients of a twin in double that knows the scores and a mask alone, its gradients by differences.
#include "core/attention/chosen_windows.h"
#include "core/attention/window.h"
#include "core/train/pointwise_ops.h"
#include "tests/core/attention/masked_reference.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr double kTolerance = 5e-6; // as in tst_attention_rules
constexpr float kScale = 0.25F;

/// [windows][windows]: whether the first sees the second; scores in double. Windows are those of `at`, 0 .. windows - 1.
std::vector<std::vector<bool>> choice(const tensor::Matrix<float>& q, const tensor::Matrix<float>& k, const std::function<int(std::int64_t)>& at, int windows, int seen, bool causal)
{
    const auto size = static_cast<std::size_t>(windows);
    std::vector<std::vector<double>> queries(size, std::vector<double>(16)), keys = queries;
    std::vector<int> counts(size);
    for (std::int64_t i = 0; i < q.rows(); ++i)
        if (at(i) >= 0)
            ++counts[static_cast<std::size_t>(at(i))];
    std::vector<bool> first(size, true);
    for (std::int64_t i = 0; i < q.rows(); ++i) {
        if (at(i) < 0)
            continue;
        const auto w = static_cast<std::size_t>(at(i));
        for (std::int64_t d = 0; d < 16; ++d) {
            keys[w][static_cast<std::size_t>(d)] += static_cast<double>(k(i, d)) / counts[w];
            if (!causal)
                queries[w][static_cast<std::size_t>(d)] += static_cast<double>(q(i, d)) / counts[w];
            else if (first[w])
                queries[w][static_cast<std::size_t>(d)] = static_cast<double>(q(i, d));
        }
        first[w] = false;
    }
    std::vector<std::vector<bool>> sees(size, std::vector<bool>(size));
    for (std::size_t a = 0; a < size; ++a) {
        std::vector<std::pair<double, std::size_t>> scored;
        for (std::size_t b = 0; b < (causal ? a : size); ++b) {
            double score = 0;
            for (std::size_t d = 0; d < 16; ++d)
                score += queries[a][d] * keys[b][d];
            if (b != a)
                scored.emplace_back(-score, b);
        }
        std::ranges::sort(scored);
        sees[a][a] = true;
        for (std::size_t i = 0; i < std::min(scored.size(), static_cast<std::size_t>(seen - 1)); ++i)
            sees[a][scored[i].second] = true;
    }
    return sees;
}

/// Attention of two heads of 16 features that share a key head, over what `choice` says, score by score in double.
struct Twin {
    std::int64_t tokens, sequences;
    tensor::Matrix<double> q, k, v, w; ///< [sequences tokens, heads 16], [.., 16], [.., 16], as q
    std::vector<std::vector<bool>> seen; ///< [sequence head][query token]
    static constexpr std::int64_t kHeads = 2, kDim = 16;

    double mixed(std::int64_t row, std::int64_t head, std::int64_t c) const
    {
        const std::int64_t sequence = row / tokens, first = sequence * tokens;
        const auto& mask = seen[static_cast<std::size_t>(sequence * kHeads + head)];
        double all = 0, sum = 0;
        for (std::int64_t j = 0; j < tokens; ++j) {
            if (!mask[static_cast<std::size_t>((row - first) * tokens + j)])
                continue;
            double score = 0;
            for (std::int64_t d = 0; d < kDim; ++d)
                score += q(row, head * kDim + d) * k(first + j, d);
            const double weight = std::exp(static_cast<double>(kScale) * score);
            all += weight;
            sum += weight * v(first + j, c);
        }
        return sum / all;
    }
    /// sum(w y) over the rows of one sequence: others do not depend on what is changed there.
    double loss(std::int64_t sequence) const
    {
        double sum = 0;
        for (std::int64_t row = sequence * tokens; row < (sequence + 1) * tokens; ++row)
            for (std::int64_t head = 0; head < kHeads; ++head)
                for (std::int64_t c = 0; c < kDim; ++c)
                    sum += w(row, head * kDim + c) * mixed(row, head, c);
        return sum;
    }
    /// By central differences of 1e-5: good to some 1e-9 of numbers around 1.
    double slope(tensor::Matrix<double>& of, std::int64_t row, std::int64_t column)
    {
        constexpr double kStep = 1e-5;
        const double kept = of(row, column);
        of(row, column) = kept + kStep;
        const double above = loss(row / tokens);
        of(row, column) = kept - kStep;
        const double below = loss(row / tokens);
        of(row, column) = kept;
        return (above - below) / (2 * kStep);
    }
};

tensor::Matrix<double> inDouble(const tensor::Matrix<float>& x)
{
    tensor::Matrix<double> made(x.rows(), x.cols());
    std::copy_n(x.data(), x.size(), made.data());
    return made;
}

tensor::Matrix<float> part(const tensor::Matrix<float>& x, std::int64_t row, std::int64_t rows, std::int64_t column)
{
    tensor::Matrix<float> made(rows, 16);
    for (std::int64_t i = 0; i < rows; ++i)
        std::copy_n(x.data() + (row + i) * x.cols() + column, 16, made.data() + i * 16);
    return made;
}
} // namespace

class TstChosenWindows : public QObject {
    Q_OBJECT
private slots:
    void theyAreExactOverTheirChoice()
    {
        for (const int seen : {1, 2, 5}) {
            // a grid of 10 x 12 in windows of 4: 3 x 3, the lower ones of 2 rows
            const auto q = test::normalRows(121, 16, 1, 4), k = test::normalRows(121, 16, 1, 5), v = test::normalRows(121, 12, 1, 6);
            const auto at = [](std::int64_t i) { return i == 0 ? -1 : static_cast<int>((i - 1) / 12 / 4 * 3 + (i - 1) % 12 / 4); };
            const auto sees = choice(q, k, at, 9, seen, false);
            const auto seenKeys = [&](std::int64_t i, std::int64_t j) { return i == 0 || j == 0 || sees[static_cast<std::size_t>(at(i))][static_cast<std::size_t>(at(j))]; };
            QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule({1, 10, 12}, 4, seen), {16, kScale, false, 0}, q, k, v), test::maskedAttention(q, k, v, 0.25, seenKeys)) < kTolerance);
            QVERIFY(chosenWindowsRule({1, 10, 12}, 4, seen)->macs({16, kScale, false, 0}, 121, 16) >= 2 * 16 * test::pairs(121, seenKeys));
            const auto run = [](std::int64_t i) { return static_cast<int>(i / 10); };
            const auto earlier = choice(q, k, run, 13, seen, true);
            const auto causalKeys = [&](std::int64_t i, std::int64_t j) { return j <= i && earlier[static_cast<std::size_t>(run(i))][static_cast<std::size_t>(run(j))]; };
            QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule({}, 10, seen), {16, kScale, true, 0}, q, k, v), test::maskedAttention(q, k, v, 0.25, causalKeys)) < kTolerance);
        }
    }
    void allWindowsAreExactAndOneIsItsOwn()
    {
        const auto q = test::normalRows(97, 16, 1, 4), k = test::normalRows(97, 16, 1, 5), v = test::normalRows(97, 12, 1, 6);
        const HeadShape shape{16, kScale, false, 0};
        QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule({1, 8, 12}, 4, 1000), shape, q, k, v), test::maskedAttention(q, k, v, 0.25, [](std::int64_t, std::int64_t) { return true; })) < kTolerance);
        QVERIFY(test::mixed(*chosenWindowsRule({1, 8, 12}, 4, 1), shape, q, k, v) == test::mixed(*windowRule({1, 8, 12}, 4, 0), shape, q, k, v));
    }
    /// One window, whole or not, is all that there is: exact attention under the masks that the model has.
    void fewerTokensThanAWindowAreExact()
    {
        for (const std::int64_t tokens : {1, 2, 5, 7}) {
            const auto q = test::normalRows(tokens, 16, 1, 4), k = test::normalRows(tokens, 16, 1, 5), v = test::normalRows(tokens, 12, 1, 6);
            for (const std::int64_t seen : {1, 4})
                for (const auto& [causal, sliding] : {std::pair{false, 0}, {true, 0}, {true, 3}}) {
                    const auto visible = [&, causal = causal, sliding = sliding](std::int64_t i, std::int64_t j) { return (!causal || j <= i) && (sliding == 0 || j > i - sliding); };
                    Inputs inputs;
                    inputs.spec = {.heads = 1, .keyValueHeads = 1, .headDim = 16, .scale = kScale, .causal = causal, .slidingWindow = sliding};
                    Parameters parameters;
                    parameters.set("window", std::int64_t{8});
                    parameters.set("windows", seen);
                    const auto wide = test::normalRows(tokens, 16, 1, 7);
                    const auto expected = test::maskedAttention(q, k, wide, 0.25, visible);
                    const auto op = findMethod("attention.chosen-windows")->op(inputs, parameters);
                    tensor::Matrix<float> out(tokens, 16);
                    nn::Scratch scratch(false);
                    op->apply({q.view(), k.view(), wide.view()}, out.view(), scratch);
                    QVERIFY(test::relativeError(out, expected) < kTolerance);
                    const auto map = op->map({q.view(), k.view(), wide.view()}, 0, 0);
                    for (std::int64_t i = 0; i < tokens; ++i)
                        for (std::int64_t j = 0; j < tokens; ++j)
                            QCOMPARE(map(i, j) > 1e-30F, visible(i, j)); // the exponential of minus infinity is some 1e-38
                }
            // a grid of one row, lower than a window and as wide as the tokens behind a class token
            if (tokens < 2)
                continue;
            const TokenGrid grid{1, 1, tokens - 1};
            QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule(grid, 8, 1), {16, kScale, false, 0}, q, k, v), test::maskedAttention(q, k, v, 0.25, [](std::int64_t, std::int64_t) { return true; })) < kTolerance);
        }
    }
    void onTheTapeItIsItsTwin_data()
    {
        QTest::addColumn<bool>("text");
        QTest::addColumn<int>("seen");
        QTest::addColumn<int>("sliding");
        QTest::newRow("a class token and 5 x 6 patches, 2 of 4 windows") << false << 2 << 0;
        QTest::newRow("a text of 19 tokens, 3 of 5 runs") << true << 3 << 0;
        QTest::newRow("the same, sliding") << true << 3 << 9;
    }
    /// Float against double. Values are sums of up to 31 terms, as elsewhere; gradients are sums of as many products of such values that cancel: 2e-5 of the largest.
    void onTheTapeItIsItsTwin()
    {
        QFETCH(bool, text);
        QFETCH(int, seen);
        QFETCH(int, sliding);
        const std::int64_t tokens = text ? 19 : 31, sequences = 2;
        const auto at = [text](std::int64_t i) { return text ? static_cast<int>(i / 4) : i == 0 ? -1 : static_cast<int>((i - 1) / 6 / 4 * 2 + (i - 1) % 6 / 4); };
        const auto q = test::normalRows(sequences * tokens, 32, 1, 4), k = test::normalRows(sequences * tokens, 16, 1, 5), v = test::normalRows(sequences * tokens, 16, 1, 6), w = test::normalRows(sequences * tokens, 32, 1, 7);
        Twin twin{tokens, sequences, inDouble(q), inDouble(k), inDouble(v), inDouble(w), {}};
        for (std::int64_t s = 0; s < sequences; ++s)
            for (std::int64_t head = 0; head < Twin::kHeads; ++head) {
                const auto reads = choice(part(q, s * tokens, tokens, head * 16), part(k, s * tokens, tokens, 0), at, text ? 5 : 4, seen, text);
                auto& mask = twin.seen.emplace_back(static_cast<std::size_t>(tokens * tokens));
                for (std::int64_t i = 0; i < tokens; ++i)
                    for (std::int64_t j = 0; j < tokens; ++j)
                        mask[static_cast<std::size_t>(i * tokens + j)] = (at(i) < 0 || at(j) < 0 || reads[static_cast<std::size_t>(at(i))][static_cast<std::size_t>(at(j))]) && (!text || j <= i) && (sliding == 0 || j > i - sliding);
            }
        Inputs inputs;
        inputs.spec = {.heads = 2, .keyValueHeads = 1, .headDim = 16, .scale = kScale, .causal = text, .slidingWindow = sliding};
        if (!text) {
            inputs.prefix = 1;
            inputs.gridHeight = 5;
            inputs.gridWidth = 6;
        }
        Parameters parameters;
        parameters.set("windows", std::int64_t{seen});
        parameters.set("window", std::int64_t{4});
        const auto onTape = findMethod("attention.chosen-windows")->onTape(inputs, parameters);
        train::Tape<float> tape;
        const auto onQ = tape.input(q.view()), onK = tape.input(k.view()), onV = tape.input(v.view());
        const auto y = onTape->mix(tape, {{}, onQ, onK, onV, sequences});
        for (std::int64_t row = 0; row < y.rows(); row += 5)
            for (std::int64_t c = 0; c < 32; c += 3)
                QVERIFY(std::abs(static_cast<double>(y.value()(row, c)) - twin.mixed(row, c / 16, c % 16)) < kTolerance);
        tape.backward(train::sumAll(train::multiplyElements(y, tape.constant(w.view()))));
        const auto check = [&](tensor::MatrixView<const float> gradient, tensor::Matrix<double>& of) {
            double apart = 0, largest = 0;
            for (std::int64_t row = 0; row < of.rows(); row += 5) // all windows, both sequences
                for (std::int64_t c = row % 3; c < of.cols(); c += 7) {
                    const double slope = twin.slope(of, row, c);
                    apart = std::max(apart, std::abs(static_cast<double>(gradient(row, c)) - slope));
                    largest = std::max(largest, std::abs(slope));
                }
            QVERIFY2(apart < 2e-5 * largest, qPrintable(QString::number(apart / largest)));
        };
        check(tape.gradient(onQ), twin.q);
        check(tape.gradient(onK), twin.k);
        check(tape.gradient(onV), twin.v);
    }
    void laterTokensDoNotReachEarlierOnes()
    {
        auto q = test::normalRows(80, 16, 1, 4), k = test::normalRows(80, 16, 1, 5), v = test::normalRows(80, 12, 1, 6);
        const HeadShape shape{16, kScale, true, 0};
        const auto rule = chosenWindowsRule({}, 8, 3);
        const auto before = test::mixed(*rule, shape, q, k, v);
        for (std::int64_t i = 45; i < 80; ++i)
            for (std::int64_t d = 0; d < 16; ++d) {
                q(i, d) = -3 * q(i, d);
                k(i, d) = 5;
            }
        const auto after = test::mixed(*rule, shape, q, k, v);
        for (std::int64_t i = 0; i < 45; ++i)
            for (std::int64_t c = 0; c < 12; ++c)
                QCOMPARE(after(i, c), before(i, c));
        QVERIFY(after(60, 0) != before(60, 0));
    }
    void scoresThatAreNoNumbersAreTheLeast()
    {
        const auto q = test::normalRows(64, 16, 1, 4), v = test::normalRows(64, 12, 1, 6);
        auto k = test::normalRows(64, 16, 1, 5);
        k(63, 0) = std::numeric_limits<float>::quiet_NaN(); // in the last of 8 windows
        const auto out = test::mixed(*chosenWindowsRule({}, 8, 7), {16, kScale, false, 0}, q, k, v);
        for (std::int64_t i = 0; i < 56; ++i)
            QVERIFY(std::isfinite(out(i, 0))); // seven of eight are chosen: not that one
        QVERIFY(std::isnan(out(60, 0)));
    }
};

QTEST_APPLESS_MAIN(TstChosenWindows)
#include "tst_chosen_windows.moc"

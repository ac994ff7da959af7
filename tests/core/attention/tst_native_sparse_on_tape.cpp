// SPDX-License-Identifier: GPL-3.0-or-later
// Native sparse attention on the tape: what it gives is what the operator gives; every parameter learns; a model trained around it gets better.
#include "core/attention/block_map.h"
#include "core/attention/native_sparse.h"
#include "core/attention/native_sparse_on_tape.h"
#include "core/base/error.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/trainer.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr std::int64_t kTokens = 60, kSequences = 2, kWidth = 24;
const NativeSparseSettings kSettings{.sizes = {8, 4, 16}, .selected = 3, .forced = {0, 1}, .window = 9};

nn::AttentionSpec spec(bool causal) { return {.heads = 4, .keyValueHeads = 2, .headDim = 16, .scale = 0.25F, .causal = causal}; }

struct Rows {
    tensor::Matrix<float> x = test::normalRows(kSequences * kTokens, kWidth, 1, 1), q = test::normalRows(kSequences * kTokens, 64, 2, 2), k = test::normalRows(kSequences * kTokens, 32, 1, 3),
                          v = test::normalRows(kSequences * kTokens, 32, 1, 4);
    train::AttentionRows<float> on(train::Tape<float>& tape) const { return {tape.input(x.view()), tape.input(q.view()), tape.input(k.view()), tape.input(v.view()), kSequences}; }
};

void shake(train::ParameterSet<float>& parameters, double deviation)
{
    std::uint64_t seed = 10;
    for (auto& parameter : parameters.all()) {
        const auto noise = test::normalRows(parameter.values.rows(), parameter.values.cols(), deviation, seed++);
        for (std::size_t i = 0; i < noise.size(); ++i)
            parameter.values.data()[i] += noise.data()[i];
    }
}
} // namespace

class TstNativeSparseOnTape : public QObject {
    Q_OBJECT
private slots:
    void givesWhatTheOperatorGives_data()
    {
        QTest::addColumn<bool>("causal");
        QTest::addColumn<int>("hidden");
        for (const bool causal : {true, false})
            for (const int hidden : {0, 12})
                QTest::addRow("%s, %d hidden", causal ? "causal" : "all", hidden) << causal << hidden;
    }
    void givesWhatTheOperatorGives()
    {
        QFETCH(bool, causal);
        QFETCH(int, hidden);
        const Rows rows;
        const auto training = nativeSparseTraining(spec(causal), kSettings, hidden, kWidth, 3);
        QCOMPARE(training->parameters()->all().size(), hidden > 0 ? std::size_t{12} : std::size_t{2});
        shake(*training->parameters(), 0.1);
        train::Tape<float> tape;
        const auto mixed = training->mix(tape, rows.on(tape));
        const auto op = training->op();
        const auto part = [](const tensor::Matrix<float>& all, std::int64_t s) { return kernels::ConstRows{all.data() + s * kTokens * all.cols(), kTokens, all.cols(), all.cols()}; };
        for (std::int64_t s = 0; s < kSequences; ++s) {
            tensor::Matrix<float> out(kTokens, 64), expected(kTokens, 64);
            nn::Scratch scratch(false);
            op->apply({.q = part(rows.q, s), .k = part(rows.k, s), .v = part(rows.v, s), .x = part(rows.x, s)}, out.view(), scratch);
            for (std::int64_t t = 0; t < kTokens; ++t)
                for (std::int64_t j = 0; j < 64; ++j)
                    expected(t, j) = mixed.value()(s * kTokens + t, j);
            QVERIFY(test::relativeError(out, expected) < 5e-6); // two orders of summation in float
        }
    }
    void startsFromMeansAndHalves()
    {
        const auto op = nativeSparseTraining(spec(true), kSettings, 12, kWidth, 3)->op();
        const Rows rows;
        const nn::AttentionInput input{.q = {rows.q.data(), kTokens, 64, 64}, .k = {rows.k.data(), kTokens, 32, 32}, .v = {rows.v.data(), kTokens, 32, 32}, .x = {rows.x.data(), kTokens, kWidth, kWidth}};
        const auto map = blockMap(*op, input, 1);
        for (std::int64_t t = 0; t < kTokens; ++t) { // sigmoid(-4), sigmoid(0), sigmoid(0), whatever x
            const float* gates = map.gates.data() + 3 * t;
            QVERIFY(std::abs(gates[0] - 0.0179862F) < 1e-6F && std::abs(gates[1] - 0.5F) < 1e-6F && std::abs(gates[2] - 0.5F) < 1e-6F);
        }
        NativeSparseSettings fixed = kSettings;
        fixed.gates = {0.0179862, 0.5, 0.5};
        tensor::Matrix<float> out(kTokens, 64), means(kTokens, 64);
        nn::Scratch scratch(false);
        op->apply(input, out.view(), scratch);
        nativeSparseAttention(nativeSparseRule(spec(true), fixed))->apply(input, means.view(), scratch);
        for (std::int64_t t = 8; t < kTokens; ++t) // before, fixed gates are shared out anew
            for (std::int64_t j = 0; j < 64; ++j)
                QVERIFY(std::abs(out(t, j) - means(t, j)) < 1e-5F);
    }
    /// Along the gradient the loss changes as the gradient says: a central difference with a step of 0.003. The sum is in double, of
    /// 7,680 squares whose rounding of 1e-7 is independent: 1e-9 of the loss, 2e-7 of the slope. 1 % and 1e-6 leave room for the kinks of ReLU.
    void everyParameterHasItsGradient()
    {
        const Rows rows;
        const auto training = nativeSparseTraining(spec(true), kSettings, 12, kWidth, 3);
        auto& parameters = *training->parameters();
        shake(parameters, 0.1);
        const auto target = test::normalRows(kSequences * kTokens, 64, 1, 9);
        const auto loss = [&](bool gradients) {
            train::Tape<float> tape;
            const auto mixed = training->mix(tape, rows.on(tape));
            if (gradients)
                tape.backward(train::meanSquaredError(mixed, tape.constant(target.view())));
            double sum = 0;
            for (std::int64_t i = 0; i < mixed.rows(); ++i)
                for (std::int64_t j = 0; j < mixed.cols(); ++j)
                    sum += std::pow(static_cast<double>(mixed.value()(i, j)) - static_cast<double>(target(i, j)), 2);
            return sum / static_cast<double>(target.size());
        };
        parameters.zeroGradients();
        loss(true);
        for (auto& parameter : parameters.all()) {
            double norm = 0;
            for (const float value : parameter.gradient.values())
                norm += static_cast<double>(value) * static_cast<double>(value);
            norm = std::sqrt(norm);
            // what is added to all compressed keys alike moves all scores of a query alike: softmax does not see it
            QVERIFY2((norm > 1e-5) == (parameter.name != "phi.key.b2"), parameter.name.c_str());
            if (parameter.name.starts_with("phi.key")) // a step may choose other blocks: the loss jumps, and its slope is not that of the gradient
                continue;
            const auto stays = parameter.values;
            const auto moved = [&](double step) {
                for (std::size_t i = 0; i < stays.size(); ++i)
                    parameter.values.data()[i] = static_cast<float>(static_cast<double>(stays.data()[i]) + step * static_cast<double>(parameter.gradient.data()[i]) / norm);
                return loss(false);
            };
            const double slope = (moved(0.003) - moved(-0.003)) / 0.006;
            parameter.values = stays;
            QVERIFY2(std::abs(slope - norm) < 0.01 * norm + 1e-6, (parameter.name + ": " + std::to_string(slope) + " against " + std::to_string(norm)).c_str());
        }
    }
    void learns()
    {
        // towards exact attention with other gates: the loss must fall in 60 steps
        const Rows rows;
        const auto training = nativeSparseTraining(spec(true), kSettings, 8, kWidth, 3);
        tensor::Matrix<float> target(kSequences * kTokens, 64);
        for (std::int64_t s = 0; s < kSequences; ++s) {
            nn::Scratch scratch(false);
            const auto part = [s](const tensor::Matrix<float>& all) { return kernels::ConstRows{all.data() + s * kTokens * all.cols(), kTokens, all.cols(), all.cols()}; };
            nn::exactAttention(spec(true))->apply({.q = part(rows.q), .k = part(rows.k), .v = part(rows.v)}, {target.data() + s * kTokens * 64, kTokens, 64, 64}, scratch);
        }
        train::TrainingSettings settings;
        settings.schedule = {.kind = train::ScheduleKind::Constant, .peak = 2e-2, .total = 60};
        const auto steps = train::train<float>(*training->parameters(), settings, [&](train::Tape<float>& tape, std::int64_t, std::int64_t) {
            return train::meanSquaredError(training->mix(tape, rows.on(tape)), tape.constant(target.view()));
        });
        QVERIFY2(steps.back().loss < 0.7 * steps.front().loss, (std::to_string(steps.front().loss) + " " + std::to_string(steps.back().loss)).c_str());
    }
    void sequencesShorterThanABlockTrain()
    {
        const auto training = nativeSparseTraining(spec(true), kSettings, 8, kWidth, 3);
        const auto x = test::normalRows(5, kWidth, 1, 1), q = test::normalRows(5, 64, 1, 2), k = test::normalRows(5, 32, 1, 3), v = test::normalRows(5, 32, 1, 4);
        train::Tape<float> tape;
        const auto mixed = training->mix(tape, {tape.input(x.view()), tape.input(q.view()), tape.input(k.view()), tape.input(v.view()), 1});
        tensor::Matrix<float> out(5, 64);
        nn::Scratch scratch(false);
        training->op()->apply({.q = q.view(), .k = k.view(), .v = v.view(), .x = x.view()}, out.view(), scratch);
        for (std::int64_t t = 0; t < 5; ++t)
            for (std::int64_t j = 0; j < 64; ++j)
                QVERIFY(std::abs(out(t, j) - mixed.value()(t, j)) < 1e-5F);
    }
    void badSettingsAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(nativeSparseTraining(spec(true), kSettings, 8, 0, 1), Error);
        NativeSparseSettings bad = kSettings;
        bad.selected = 0;
        QVERIFY_EXCEPTION_THROWN(nativeSparseTraining(spec(true), bad, 8, kWidth, 1), Error);
        const Method* method = findMethod("attention.native-sparse");
        QVERIFY(method->onTape);
        QVERIFY(method->onTape({.spec = spec(true), .width = kWidth}, {})->parameters());
        Parameters given;
        for (const std::int64_t hidden : {0, 5}) { // the estimate is what is allocated
            given.set("hidden", hidden);
            QCOMPARE(method->trainedNumbers({.spec = spec(true), .width = kWidth}, given), static_cast<std::uint64_t>(method->onTape({.spec = spec(true), .width = kWidth}, given)->parameters()->count()));
        }
        given.set("compressed-block", std::int64_t{65536});
        given.set("selected-block", std::int64_t{65536});
        given.set("hidden", std::int64_t{4096});
        try { // hundreds of GiB
            (void)method->onTape({.spec = spec(true), .width = kWidth}, given);
            QFAIL("was allocated");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::OutOfMemory);
        }
    }
};

QTEST_APPLESS_MAIN(TstNativeSparseOnTape)
#include "tst_native_sparse_on_tape.moc"

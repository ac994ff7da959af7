// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/npz.h"
#include "core/train/attention_ops.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/selection_ops.h"
#include "core/train/svd_op.h"
#include "core/train/token_ops.h"
#include "core/train/trainer.h"

#include <QtTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::train;
using kernels::Activation;

/// The net of tests/golden/make_train_goldens.py on the tape: losses, gradients and steps are PyTorch's.
class TstTrainGolden : public QObject {
    Q_OBJECT

    using V = Variable<double>;
    std::shared_ptr<const io::NpzArchive> m_golden;
    ParameterSet<double> m_set;

    std::vector<double> golden(const std::string& name) const { return m_golden->read(name).toDoubles(); }
    tensor::Matrix<double> matrix(const std::string& name) const { return m_golden->read(name).toDoubleMatrix(); }
    std::vector<std::int32_t> integers(const std::string& name) const
    {
        const auto values = golden(name);
        return {values.begin(), values.end()};
    }

    tensor::Matrix<double> m_teacher, m_target, m_cosines, m_sines;
    std::vector<std::int32_t> m_ids, m_labels;

    V named(Tape<double>& tape, const char* name) { return tape.parameter(m_set.at(name)); }

    V encoderBlock(Tape<double>& tape, V x)
    {
        const V y = layerNorm(x, named(tape, "norm1.weight"), named(tape, "norm1.bias"), 1e-5);
        const V qkv = linear(y, named(tape, "qkv.weight"), named(tape, "qkv.bias"));
        const V mixed = attention(tape.window(qkv, 0, 8), tape.window(qkv, 8, 8), tape.window(qkv, 16, 8), {.sequences = 2, .heads = 2}, named(tape, "attention_bias"));
        x = linearResidual(mixed, named(tape, "proj.weight"), named(tape, "proj.bias"), x);
        const V z = rmsNorm(x, named(tape, "norm2.weight"), 1e-6);
        const V hidden = gatedProduct(linear(z, named(tape, "gate.weight")), linear(z, named(tape, "up.weight")), Activation::Silu);
        return add(x, multiplyRow(linear(hidden, named(tape, "down.weight")), named(tape, "layer_scale")));
    }

    V decoderBlock(Tape<double>& tape, V x)
    {
        const V q = rotary<double>(headRmsNorm(linear(x, named(tape, "q.weight")), named(tape, "q_norm.weight"), 1e-6), m_cosines.view(), m_sines.view(), 4);
        const V k = rotary<double>(linear(x, named(tape, "k.weight")), m_cosines.view(), m_sines.view(), 4);
        const V mixed = attention(q, k, linear(x, named(tape, "v.weight")), {.sequences = 2, .heads = 2, .keyValueHeads = 1, .causal = true});
        return add(x, lowRankLinear(mixed, named(tape, "out.b"), named(tape, "out.a"), named(tape, "out.bias")));
    }

    V activations(Tape<double>& tape, V x)
    {
        V y = linear(x, named(tape, "fc1.weight"), named(tape, "fc1.bias"), Activation::GeluTanh);
        y = linear(y, named(tape, "fc2.weight"));
        const V sum = add(subtract(add(linear<double>(y, named(tape, "mix.weight"), {}, Activation::Gelu), multiplyElements(activation(x, Activation::Tanh), sigmoid(y))),
                                   scale(activation(y, Activation::Relu), 0.5)),
                          activation(y, Activation::QuickGelu));
        return add(x, multiplyElements(sum, softmaxRows(linear(x, named(tape, "router.weight")))));
    }

    V lossOf(Tape<double>& tape)
    {
        V x = joinTokens(named(tape, "class_token"), gatherRows<double>(named(tape, "embedding"), m_ids), named(tape, "positions"), 2);
        x = activations(tape, decoderBlock(tape, encoderBlock(tape, x)));
        const auto f = svd(named(tape, "decoder"));
        const V decoder = linear(multiplyRow(f.u, multiplyElements(f.s, rankGate(named(tape, "rank"), 8, 2.0))), f.v);
        x = add(x, product(topK(x, 3), decoder));
        const V gates = named(tape, "gates");
        x = multiplyRow(x, hardConcreteMean(gates));
        const V pooled = add(tokenOfEach(x, 2, 0), meanOfEach(x, 2, 1));
        const V logits = linear(pooled, named(tape, "head.weight"), named(tape, "head.bias"));
        const V losses = add(crossEntropy<double>(logits, m_labels, 0.1), scale(distillation(logits, tape.constant(m_teacher.view()), 2.0), 0.5));
        const V penalties = add(scale(sumAll(hardConcreteOpen(gates)), 0.01), scale(sumSquares(named(tape, "head.weight")), 0.001));
        return add(add(losses, scale(meanSquaredError(pooled, tape.constant(m_target.view())), 0.3)), penalties);
    }

    void start()
    {
        m_set = {};
        for (const auto& member : m_golden->members())
            if (member.name.starts_with("p.")) {
                const auto array = m_golden->read(member);
                m_set.add(member.name.substr(2), array.shape, array.toDoubles(), array.shape.size() > 1);
            }
    }

    /// Largest difference over the largest value of `expected`.
    static double disagreement(std::span<const double> found, std::span<const double> expected)
    {
        double difference = found.size() == expected.size() ? 0 : 1e9, size = 1e-12;
        for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
            difference = std::max(difference, std::abs(found[i] - expected[i]));
            size = std::max(size, std::abs(expected[i]));
        }
        return difference / size;
    }

private slots:
    void initTestCase()
    {
        m_golden = io::NpzArchive::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "train_golden.npz");
        m_teacher = matrix("teacher");
        m_target = matrix("target");
        m_cosines = matrix("cosines");
        m_sines = matrix("sines");
        m_ids = integers("ids");
        m_labels = integers("labels");
    }

    /// Both in double: a chain of some 40 operations, each to a few 1e-16; the SVD turns that by up to 1 / gap, some 100.
    void gradientsOfTheFirstLoss()
    {
        start();
        Tape<double> tape;
        const V loss = lossOf(tape);
        QVERIFY(std::abs(tape.scalar(loss) - golden("losses")[0]) < 1e-12);
        tape.backward(loss);
        QCOMPARE(m_set.all().size(), std::size_t{32});
        for (const auto& parameter : m_set.all()) {
            const double off = disagreement(parameter.gradient.values(), golden("g." + parameter.name));
            QVERIFY2(off < 1e-10, qPrintable(QString("%1: %2").arg(parameter.name.c_str()).arg(off)));
        }
    }

    /// Adam divides by the root of the squares: where a gradient is 1e-8 of its neighbours, its rounding counts 1e8 times as
    /// much, hence 1e-6.
    void threeStepsOfAdamWithClippingAndCosine()
    {
        start();
        const TrainingSettings settings{.optimiser = {.beta2 = 0.95, .weightDecay = 0.05},
                                        .schedule = {.kind = ScheduleKind::Cosine, .peak = 0.01, .floor = 0.001, .warmUp = 1, .total = 3},
                                        .clipNorm = 0.5};
        const auto steps = train::train<double>(m_set, settings, [this](Tape<double>& tape, std::int64_t, std::int64_t) { return lossOf(tape); });
        const auto losses = golden("losses"), norms = golden("norms");
        QCOMPARE(steps.size(), losses.size());
        for (std::size_t i = 0; i < steps.size(); ++i) {
            QVERIFY(std::abs(steps[i].loss - losses[i]) < 1e-9);
            QVERIFY(std::abs(steps[i].gradientNorm - norms[i]) < 1e-8 * norms[i]);
        }
        for (const auto& parameter : m_set.all()) {
            const double off = disagreement(parameter.values.values(), golden("a." + parameter.name));
            QVERIFY2(off < 1e-6, qPrintable(QString("%1: %2").arg(parameter.name.c_str()).arg(off)));
            QVERIFY(disagreement(parameter.values.values(), golden("p." + parameter.name)) > 1e-4); // it has moved
        }
    }

    void momentum()
    {
        ParameterSet<double> set;
        Parameter<double>& w = set.add("w", {3}, golden("sgd.start"));
        Optimiser<double> optimiser(set, {.kind = OptimiserKind::Sgd, .momentum = 0.9, .weightDecay = 0.02});
        for (int step = 0; step < 4; ++step) {
            for (int i = 0; i < 3; ++i)
                w.gradient.data()[i] = 2 * w.values.data()[i] + 1;
            optimiser.step(0.1);
        }
        QVERIFY(disagreement(w.values.values(), golden("sgd.end")) < 1e-14);
    }

    void smoothedLabelsWithIgnoredRows()
    {
        const auto logits = matrix("smooth.logits");
        Tape<double> tape;
        const V x = tape.input(logits.view());
        const V loss = crossEntropy<double>(x, integers("smooth.labels"), 0.2);
        tape.backward(loss);
        QVERIFY(std::abs(tape.scalar(loss) - golden("smooth.loss")[0]) < 1e-14);
        QVERIFY(disagreement({tape.gradient(x).data, 35}, golden("smooth.gradient")) < 1e-14);
    }
};

QTEST_APPLESS_MAIN(TstTrainGolden)
#include "tst_train_golden.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/trainer.h"
#include "core/train/vit_on_tape.h"
#include "tests/core/linalg/blas_main.h"

#include <QtTest>

#include <cmath>
#include <random>
#include <set>

using namespace tamis;
using namespace tamis::train;
using tensor::Matrix;

/// The training loop: it learns, repeats itself, accumulates, stops between steps, and refuses what is no number.
class TstTrainer : public QObject {
    Q_OBJECT

    /// Two interleaved rings in the plane: no line separates them, a small net does.
    struct Rings {
        Matrix<float> points{400, 2};
        std::vector<std::int32_t> labels;
        Rings()
        {
            std::mt19937 generator(3);
            std::normal_distribution<float> noise(0.0F, 0.1F);
            for (std::int64_t i = 0; i < 400; ++i) {
                const float angle = 0.1F * static_cast<float>(i), radius = i % 2 ? 1.0F : 2.0F;
                points(i, 0) = radius * std::cos(angle) + noise(generator);
                points(i, 1) = radius * std::sin(angle) + noise(generator);
                labels.push_back(static_cast<std::int32_t>(i % 2));
            }
        }
    };

    static ParameterSet<float> smallNet(unsigned seed)
    {
        std::mt19937 generator(seed);
        std::normal_distribution<float> normal;
        const auto draw = [&](std::int64_t count, float scale) {
            std::vector<float> values(static_cast<std::size_t>(count));
            for (float& value : values)
                value = scale * normal(generator);
            return values;
        };
        ParameterSet<float> set;
        set.add("w1", {16, 2}, draw(32, 0.7F));
        set.add("b1", {16}, {}, false);
        set.add("w2", {2, 16}, draw(32, 0.25F));
        set.add("b2", {2}, {}, false);
        return set;
    }

    static Variable<float> netOf(Tape<float>& tape, ParameterSet<float>& set, View<const float> points)
    {
        const auto hidden = linear(tape.constant(points), tape.parameter(set.at("w1")), tape.parameter(set.at("b1")), kernels::Activation::Gelu);
        return linear(hidden, tape.parameter(set.at("w2")), tape.parameter(set.at("b2")));
    }

    static std::vector<float> all(const ParameterSet<float>& set)
    {
        std::vector<float> values;
        for (const auto& parameter : set.all())
            values.insert(values.end(), parameter.values.values().begin(), parameter.values.values().end());
        return values;
    }

private slots:
    void learnsWhatNoLineSeparates()
    {
        const Rings rings;
        auto set = smallNet(1);
        const TrainingSettings settings{.schedule = {.kind = ScheduleKind::Cosine, .peak = 0.05, .warmUp = 10, .total = 200}, .clipNorm = 1.0};
        std::int64_t seen = 0;
        const RunContext context;
        const auto steps = train::train<float>(
            set, settings,
            [&](Tape<float>& tape, std::int64_t, std::int64_t) { return crossEntropy<float>(netOf(tape, set, rings.points.view()), rings.labels); },
            context, [&](const TrainingStep& step) { QCOMPARE(step.step, seen++); });
        QCOMPARE(seen, std::int64_t{200});
        QCOMPARE(context.fraction(), 1.0);
        // chance is log 2 = 0.69; the rings are ten deviations of their noise apart
        QVERIFY2(steps.back().loss < 0.02 && steps.front().loss > 0.5, qPrintable(QString("%1 -> %2").arg(steps.front().loss).arg(steps.back().loss)));
        Tape<float> tape;
        const auto logits = netOf(tape, set, rings.points.view()).value();
        int right = 0;
        for (std::int64_t i = 0; i < 400; ++i)
            right += (logits(i, 1) > logits(i, 0)) == (rings.labels[static_cast<std::size_t>(i)] == 1);
        QVERIFY(right >= 396);
    }

    /// A transformer from nothing: the class is the quadrant that a bright patch lies in, which only positions tell.
    void aSmallTransformerLearns()
    {
        const VitShape shape{.channels = 1, .imageHeight = 16, .imageWidth = 16, .patch = 4, .width = 32, .depth = 2, .heads = 4, .hidden = 64, .classes = 4};
        const auto run = [&](int threads) {
            const ThreadLimit limit(threads);
            auto model = VitOnTape<float>::initialised(shape, 7);
            std::mt19937 generator(5);
            std::normal_distribution<float> noise(0.0F, 0.1F);
            std::vector<float> image(256), rows;
            std::vector<std::int32_t> labels;
            const auto steps = train::train<float>(
                model.parameters(), {.schedule = {.peak = 5e-3, .warmUp = 10, .total = 200}, .clipNorm = 1.0},
                [&](Tape<float>& tape, std::int64_t, std::int64_t) {
                    constexpr std::int64_t kImages = 32;
                    rows.resize(kImages * 256);
                    labels.clear();
                    for (std::int64_t i = 0; i < kImages; ++i) {
                        const auto place = generator() % 16;
                        for (std::size_t j = 0; j < 256; ++j)
                            image[j] = noise(generator) + (j / 64 == place / 4 && j % 16 / 4 == place % 4 ? 3.0F : 0.0F);
                        labels.push_back(static_cast<std::int32_t>(place / 8 * 2 + place % 4 / 2));
                        model.cutPatches(image, rows.data() + i * 256);
                    }
                    return crossEntropy<float>(model.logits(tape, tape.constant({rows.data(), kImages * 16, 16, 16}), kImages), labels);
                });
            std::vector<double> losses;
            for (const auto& step : steps)
                losses.push_back(step.loss);
            return losses;
        };
        const auto losses = run(2);
        double last = 0;
        for (std::size_t i = losses.size() - 10; i < losses.size(); ++i)
            last += losses[i] / 10;
        // chance is log 4 = 1.39; every image is new, so that what is learned is the rule. Half of chance is far beyond luck.
        QVERIFY2(last < 0.7, qPrintable(QString::number(last)));
        QVERIFY(run(1) == losses); // to the last bit
    }

    void accumulatedLossesAreOneLargeBatch()
    {
        const Rings rings;
        const auto run = [&](std::int64_t parts) {
            auto set = smallNet(2);
            const auto steps = train::train<float>(
                set, {.schedule = {.kind = ScheduleKind::Constant, .peak = 0.01, .total = 5}, .accumulate = parts},
                [&](Tape<float>& tape, std::int64_t, std::int64_t part) {
                    const std::int64_t count = 400 / parts;
                    const View<const float> points{rings.points.data() + part * count * 2, count, 2, 2};
                    const auto labels = std::span(rings.labels).subspan(static_cast<std::size_t>(part * count), static_cast<std::size_t>(count));
                    return crossEntropy<float>(netOf(tape, set, points), labels);
                });
            return std::pair(all(set), steps.back().loss);
        };
        const auto whole = run(1), parts = run(4);
        QVERIFY(std::abs(whole.second - parts.second) < 1e-5);
        for (std::size_t i = 0; i < whole.first.size(); ++i)
            QVERIFY(std::abs(whole.first[i] - parts.first[i]) < 1e-4F); // Adam makes much of the rounding of small gradients
    }

    void aStopKeepsTheLastWholeStep()
    {
        const Rings rings;
        std::stop_source stop;
        auto set = smallNet(1);
        std::vector<float> after;
        try {
            (void)train::train<float>(
                set, {.schedule = {.total = 50}},
                [&](Tape<float>& tape, std::int64_t step, std::int64_t) {
                    const auto loss = crossEntropy<float>(netOf(tape, set, rings.points.view()), rings.labels);
                    if (step == 3)
                        stop.request_stop(); // between the forward and the backward pass
                    return loss;
                },
                RunContext(stop.get_token()), [&](const TrainingStep&) { after = all(set); });
            QFAIL("the stop was not seen");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QVERIFY(all(set) == after);
    }

    void lossesThatAreNoNumbersEndTheTraining()
    {
        auto set = smallNet(1);
        const auto before = all(set);
        Matrix<float> points(2, 2);
        points(0, 0) = std::nanf("");
        const std::vector<std::int32_t> labels{0, 1};
        try {
            (void)train::train<float>(set, {.schedule = {.total = 5}}, [&](Tape<float>& tape, std::int64_t, std::int64_t) {
                return crossEntropy<float>(netOf(tape, set, points.view()), labels);
            });
            QFAIL("a loss that is no number was stepped on");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
            QVERIFY(std::string(error.what()).find("step 0") != std::string::npos);
        }
        QVERIFY(all(set) == before);
    }

    void schedules()
    {
        const Schedule cosine{.kind = ScheduleKind::Cosine, .peak = 2, .floor = 0.5, .warmUp = 4, .total = 13};
        QCOMPARE(cosine.at(0), 0.5);
        QCOMPARE(cosine.at(3), 2.0);
        QCOMPARE(cosine.at(4), 2.0);
        QVERIFY(std::abs(cosine.at(8) - 1.25) < 1e-15); // half way of steps 4..12
        QVERIFY(std::abs(cosine.at(12) - 0.5) < 1e-15);
        QVERIFY(std::abs(cosine.at(99) - 0.5) < 1e-15);
        const Schedule line{.kind = ScheduleKind::Linear, .peak = 1, .floor = 0, .warmUp = 0, .total = 11};
        QVERIFY(std::abs(line.at(3) - 0.7) < 1e-15);
        const Schedule constant{.kind = ScheduleKind::Constant, .peak = 1, .warmUp = 2, .total = 3};
        QCOMPARE(constant.at(0), 0.5);
        QCOMPARE(constant.at(50), 1.0);
        ParameterSet<float> set;
        QVERIFY_EXCEPTION_THROWN(Optimiser<float>(set, {.beta1 = 1.0}), Error);
    }

    void groupsLearnAtTheirOwnRate()
    {
        ParameterSet<double> set;
        auto& fast = set.add("fast", {1}, {1.0}, false);
        auto& frozen = set.add("frozen", {1}, {1.0}, true);
        auto& plain = set.add("plain", {1}, {1.0}, false);
        fast.rate = 10;
        frozen.rate = 0;
        for (auto& parameter : set.all())
            parameter.gradient.data()[0] = 2.0;
        Optimiser<double> optimiser(set, {});
        optimiser.step(0.01);
        QVERIFY(std::abs(plain.values.data()[0] - 0.99) < 1e-9); // the first Adam step is the rate, whatever the gradient
        QVERIFY(std::abs(fast.values.data()[0] - 0.9) < 1e-8);
        QCOMPARE(frozen.values.data()[0], 1.0);
    }

    void everyEpochVisitsEverySampleOnce()
    {
        SampleOrder order(37, 11), again(37, 11), other(37, 12);
        std::vector<std::int64_t> first;
        for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
            std::set<std::int64_t> visited;
            std::vector<std::int64_t> sequence;
            for (std::int64_t i = 0; i < 37; ++i) {
                sequence.push_back(order.at(epoch * 37 + i));
                visited.insert(sequence.back());
                QCOMPARE(again.at(epoch * 37 + i), sequence.back());
            }
            QCOMPARE(visited.size(), std::size_t{37});
            QVERIFY(sequence != first); // another order each time
            first = sequence;
        }
        QCOMPARE(order.at(2 * 37 + 5), first[5]);
        int differences = 0;
        for (std::int64_t i = 0; i < 37; ++i)
            differences += order.at(i) != other.at(i);
        QVERIFY(differences > 20);
        QVERIFY_EXCEPTION_THROWN(SampleOrder(0, 1), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TstTrainer)
#include "tst_trainer.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/train/checked_training.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "tests/core/linalg/blas_main.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace tamis;
using namespace tamis::train;
using tensor::Matrix;

/// The loop with samples kept apart: what it keeps, when it ends, what it tells and what it refuses. Logistic regression, whose loss is convex.
class TstCheckedTraining : public QObject {
    Q_OBJECT

    /// Points of two classes, the side of a line that they lie on; those kept apart have the other class where `contrary`.
    struct Sides {
        Matrix<float> trained{64, 2}, checked{24, 2};
        std::vector<std::int32_t> trainedClasses, checkedClasses;
        explicit Sides(bool contrary = false)
        {
            const auto fill = [](Matrix<float>& points, std::vector<std::int32_t>& classes, double turn, bool swapped) {
                for (std::int64_t i = 0; i < points.rows(); ++i) {
                    const double angle = turn + 2.4 * static_cast<double>(i); // the golden angle: all around
                    points(i, 0) = static_cast<float>(std::cos(angle));
                    points(i, 1) = static_cast<float>(std::sin(angle));
                    classes.push_back((points(i, 0) > 0) != swapped);
                }
            };
            fill(trained, trainedClasses, 0.1, false);
            fill(checked, checkedClasses, 0.7, contrary);
        }
    };

    struct Run {
        Sides sides;
        ParameterSet<float> set;
        CheckedTrainingSettings settings{.steps = 60, .batch = 16, .checkEvery = 5, .patience = 0, .learningRate = 0.1};
        CheckedTask task;
        std::vector<std::vector<std::int64_t>> batches; ///< that were trained on
        std::size_t gathered = 0;
        Matrix<float> rows[2];
        std::vector<std::int32_t> classes[2];

        explicit Run(bool contrary = false) : sides(contrary)
        {
            set.add("w", {2, 2}, std::vector<float>{0.1F, 0, 0, 0.1F});
            set.add("b", {2}, {}, false);
            task.trained = sides.trained.rows();
            task.checked = sides.checked.rows();
            task.loss = [this](Tape<float>& tape, std::span<const std::int64_t> places, std::int64_t, bool checking) {
                if (!checking)
                    batches.emplace_back(places.begin(), places.end());
                Matrix<float>& some = rows[checking];
                some = Matrix<float>(static_cast<std::int64_t>(places.size()), 2);
                classes[checking].clear();
                for (std::size_t i = 0; i < places.size(); ++i) {
                    const auto& from = checking ? sides.checked : sides.trained;
                    some(static_cast<std::int64_t>(i), 0) = from(places[i], 0);
                    some(static_cast<std::int64_t>(i), 1) = from(places[i], 1);
                    classes[checking].push_back((checking ? sides.checkedClasses : sides.trainedClasses)[static_cast<std::size_t>(places[i])]);
                }
                return crossEntropy<float>(linear(tape.constant(some.view()), tape.parameter(set.at("w")), tape.parameter(set.at("b"))), classes[checking]);
            };
        }
        /// Mean over the samples kept apart, in double, by the formula.
        double checkLoss()
        {
            double sum = 0;
            for (std::int64_t i = 0; i < sides.checked.rows(); ++i) {
                double logits[2];
                for (std::int64_t c = 0; c < 2; ++c)
                    logits[c] = static_cast<double>(set.at("b").values.values()[static_cast<std::size_t>(c)]) +
                                static_cast<double>(set.at("w").values.values()[static_cast<std::size_t>(2 * c)]) * static_cast<double>(sides.checked(i, 0)) +
                                static_cast<double>(set.at("w").values.values()[static_cast<std::size_t>(2 * c + 1)]) * static_cast<double>(sides.checked(i, 1));
                const double right = logits[sides.checkedClasses[static_cast<std::size_t>(i)]];
                sum += std::log(std::exp(logits[0] - right) + std::exp(logits[1] - right));
            }
            return sum / static_cast<double>(sides.checked.rows());
        }
        CheckedTrainingResult run() { return trainChecked(set, settings, task, RunContext()); }
    };

private slots:
    void keepsTheBest()
    {
        Run run;
        std::vector<report::Series> seen;
        run.task.seen = [&](const std::vector<report::Series>& losses) { seen = losses; };
        const double start = run.checkLoss();
        const auto result = run.run();
        QCOMPARE(result.steps, std::int64_t{60});
        QVERIFY2(std::abs(result.startLoss - start) < 1e-5, "the mean over the samples kept apart, whatever the batches"); // floats of order 1
        QVERIFY(result.bestLoss < 0.5 * result.startLoss);
        QVERIFY(std::abs(run.checkLoss() - result.bestLoss) < 1e-5); // the parameters left are those of the best look
        QCOMPARE(seen.size(), std::size_t{2});
        QVERIFY(seen[0].points == result.losses[0].points && seen[1].points == result.losses[1].points);
        QCOMPARE(result.losses[0].points.size(), std::size_t{60});
        QCOMPARE(result.losses[1].points.size(), std::size_t{13}); // at the start and every fifth step
        std::vector<int> visits(64);
        for (std::size_t i = 0; i < 4; ++i)
            for (const auto place : run.batches[i])
                ++visits[static_cast<std::size_t>(place)];
        QVERIFY(std::ranges::all_of(visits, [](int count) { return count == 1; })); // an epoch is a permutation
    }
    void isNeverWorseThanAtTheStart()
    {
        Run run(true); // what is learned is wrong for those kept apart
        run.settings.patience = 3;
        const auto result = run.run();
        QCOMPARE(result.bestStep, std::int64_t{0});
        QCOMPARE(result.steps, std::int64_t{15}); // three looks without a gain
        QVERIFY(std::abs(run.checkLoss() - result.startLoss) < 1e-5);
        QCOMPARE(run.set.at("w").values.values()[0], 0.1F);
    }
    void endsWhereItIsTold()
    {
        Run run;
        int asked = 0;
        run.task.enough = [&] { return ++asked == 7; };
        const auto result = run.run();
        QCOMPARE(result.steps, std::int64_t{7});
        QVERIFY(result.bestLoss <= result.startLoss && result.losses[1].points.back().x == 7.0); // looked at once more
    }
    void doesNotDependOnThreads()
    {
        Run one, two;
        {
            const ThreadLimit limit(1);
            (void)one.run();
        }
        (void)two.run();
        QVERIFY(std::ranges::equal(one.set.at("w").values.values(), two.set.at("w").values.values()));
        QVERIFY(one.batches == two.batches);
        Run other;
        other.settings.seed = 1;
        (void)other.run();
        QVERIFY(other.batches != one.batches);
    }
    void whatIsNoNumberEndsIt()
    {
        Run run;
        run.task.best = "the best one";
        const auto loss = run.task.loss;
        run.task.loss = [&, loss](Tape<float>& tape, std::span<const std::int64_t> places, std::int64_t step, bool checking) {
            if (!checking && step == 12)
                run.set.at("b").values.values()[0] = std::numeric_limits<float>::quiet_NaN();
            return loss(tape, places, step, checking);
        };
        const auto result = run.run();
        QCOMPARE(result.steps, std::int64_t{12});
        QCOMPARE(result.warnings.size(), std::size_t{1});
        QVERIFY(result.warnings[0].find("after 12 of 60 steps") != std::string::npos && result.warnings[0].find("the best one so far, of step 10") != std::string::npos);
        QVERIFY(std::isfinite(run.checkLoss()));
        Run lost;
        lost.set.at("b").values.values()[0] = std::numeric_limits<float>::quiet_NaN();
        QVERIFY_EXCEPTION_THROWN((void)lost.run(), Error);
    }
    void refusesWhatCannotBe()
    {
        for (int which = 0; which < 6; ++which) {
            Run run;
            (which == 0 ? run.settings.steps : which == 1 ? run.settings.batch : which == 2 ? run.settings.checkEvery : which == 3 ? run.task.trained : which == 4 ? run.task.checked : run.settings.patience) =
                which == 5 ? -1 : 0;
            try {
                (void)run.run();
                QFAIL("expected a refusal");
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::InvalidParameter);
            }
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TstCheckedTraining)
#include "tst_checked_training.moc"

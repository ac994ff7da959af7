// SPDX-License-Identifier: GPL-3.0-or-later
// The shared training loop: which rows it gives, when it ends, what it leaves.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/encoder_training.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <thread>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
constexpr std::int64_t kWidth = 12, kLatents = 60, kK = 4;

/// Rows of whole numbers, no two alike: the first feature is the row's number.
Inputs numberedRows(std::int64_t rows, io::SaeActivation activation = io::SaeActivation::TopK)
{
    Inputs inputs;
    auto a = test::wholeAutoencoder(kLatents, kWidth, kK, activation);
    inputs.dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)), kK);
    inputs.calibration = test::wholeTokens(rows, kWidth);
    for (std::int64_t t = 0; t < rows; ++t)
        inputs.calibration(t, 0) = static_cast<float>(t);
    return inputs;
}

EncoderTrainingSettings settings(std::int64_t steps, double rate = 1e-2)
{
    EncoderTrainingSettings s;
    s.steps = steps;
    s.batch = 16;
    s.checkEvery = 5;
    s.patience = 0;
    s.learningRate = rate;
    return s;
}

/// A linear map from input to target: least squares.
EncoderObjective regression(train::ParameterSet<float>& set)
{
    EncoderObjective objective;
    objective.target = TrainingTarget::ExactCodes;
    objective.loss = [&set](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t, bool) {
        const auto y = train::linear(tape.constant(rows.x), tape.parameter(set.at("w")));
        return train::scale(train::meanSquaredError(y, tape.constant(rows.target)), static_cast<float>(static_cast<double>(kWidth) / rows.targetVariance));
    };
    return objective;
}

/// sum_j v_j d_j and sum_j z_j^2 of one row, by the definition.
Matrix<double> bruteTarget(const Inputs& inputs, std::int64_t row)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const tensor::MatrixView<const float> one{inputs.calibration.data() + row * kWidth, 1, kWidth, kWidth};
    const SparseCodes codes = test::bruteCodes(dictionary, one);
    Matrix<double> sum(1, kWidth);
    for (std::size_t i = 0; i < codes.latents.size(); ++i) {
        double value = static_cast<double>(codes.values[i]);
        if (dictionary.autoencoder().config.activation == io::SaeActivation::JumpRelu)
            value += std::max(0.0, static_cast<double>(dictionary.autoencoder().threshold[static_cast<std::size_t>(codes.latents[i])]));
        for (std::int64_t j = 0; j < kWidth; ++j)
            sum(0, j) += value * static_cast<double>(dictionary.autoencoder().decoder(codes.latents[i], j));
    }
    return sum;
}
} // namespace

class TestEncoderTraining : public QObject {
    Q_OBJECT
private slots:
    /// Every row is either trained on or checked, never both; codes and targets are those of the rows, all whole numbers and so exact.
    void rowsAreThoseOfTheCalibration_data()
    {
        QTest::addColumn<int>("activation");
        QTest::addColumn<int>("target");
        for (const auto activation : {io::SaeActivation::TopK, io::SaeActivation::JumpRelu})
            for (const auto target : {TrainingTarget::None, TrainingTarget::ExactCodes, TrainingTarget::Input})
                QTest::addRow("%s %d", io::saeActivationName(activation).data(), static_cast<int>(target)) << static_cast<int>(activation) << static_cast<int>(target);
    }
    void rowsAreThoseOfTheCalibration()
    {
        QFETCH(int, activation);
        QFETCH(int, target);
        const Inputs inputs = numberedRows(200, static_cast<io::SaeActivation>(activation));
        const SparseCodes all = test::bruteCodes(*inputs.dictionary, inputs.calibration.view());
        std::map<bool, std::set<int>> seen;
        train::ParameterSet<float> set;
        set.add("w", {1, kWidth});
        EncoderObjective objective;
        objective.target = static_cast<TrainingTarget>(target);
        objective.loss = [&](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t, bool checking) {
            for (std::int64_t t = 0; t < rows.x.rows; ++t) {
                const auto row = static_cast<std::int64_t>(rows.x(t, 0));
                seen[checking].insert(static_cast<int>(row));
                if (!std::ranges::equal(rows.x.row(t), inputs.calibration.view().row(row)) || !std::ranges::equal(rows.exact.latentsOf(t), all.latentsOf(row)) ||
                    !std::ranges::equal(rows.exact.valuesOf(t), all.valuesOf(row)))
                    throw std::runtime_error("a row is not that of the calibration");
                if (objective.target == TrainingTarget::None) {
                    if (rows.target.data)
                        throw std::runtime_error("a target that nobody asked for");
                    continue;
                }
                const Matrix<double> expected = bruteTarget(inputs, row);
                for (std::int64_t j = 0; j < kWidth; ++j) {
                    const double e = objective.target == TrainingTarget::Input
                                         ? static_cast<double>(inputs.calibration(row, j)) - static_cast<double>(inputs.dictionary->autoencoder().decoderBias[static_cast<std::size_t>(j)])
                                         : expected(0, j);
                    if (static_cast<double>(rows.target(t, j)) != e)
                        throw std::runtime_error("a target is not what the codes decode to");
                }
            }
            return train::sumSquares(train::linear(tape.constant(rows.x), tape.parameter(set.at("w"))));
        };
        trainEncoder(set, inputs, settings(40, 0), objective, {}); // 640 rows drawn: over three epochs
        QCOMPARE(seen[true].size(), std::size_t{25});              // an eighth
        QCOMPARE(seen[false].size(), std::size_t{175});
        QVERIFY(*seen[false].rbegin() == 174 && *seen[true].begin() == 175); // the last run
    }
    /// The scales are the stated means over the rows trained on, the same in every batch.
    void scalesAreMeansOverTheTrainedRows()
    {
        const Inputs inputs = numberedRows(120);
        train::ParameterSet<float> set;
        set.add("w", {kWidth, kWidth});
        std::set<int> trained;
        std::set<double> energies, variances;
        EncoderObjective objective = regression(set);
        const auto inner = objective.loss;
        objective.loss = [&](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
            energies.insert(rows.codeEnergy);
            variances.insert(rows.targetVariance);
            for (std::int64_t t = 0; t < rows.x.rows && !checking; ++t)
                trained.insert(static_cast<int>(rows.x(t, 0)));
            return inner(tape, rows, step, checking);
        };
        trainEncoder(set, inputs, settings(30), objective, {});
        double energy = 0, variance = 0, count = static_cast<double>(trained.size());
        std::vector<double> mean(kWidth);
        for (const int row : trained) {
            const SparseCodes codes = test::bruteCodes(*inputs.dictionary, {inputs.calibration.data() + row * kWidth, 1, kWidth, kWidth});
            for (const float value : codes.values)
                energy += static_cast<double>(value) * static_cast<double>(value) / count;
            for (std::int64_t j = 0; j < kWidth; ++j)
                mean[static_cast<std::size_t>(j)] += bruteTarget(inputs, row)(0, j) / count;
        }
        for (const int row : trained)
            for (std::int64_t j = 0; j < kWidth; ++j)
                variance += std::pow(bruteTarget(inputs, row)(0, j) - mean[static_cast<std::size_t>(j)], 2) / count;
        QVERIFY(energies.size() == 1 && variances.size() == 1);
        QVERIFY(std::abs(*energies.begin() - energy) < 1e-9 * energy); // sums in double in another order
        QVERIFY(std::abs(*variances.begin() - variance) < 1e-9 * variance);
    }
    /// Least squares gets better, the parameters left are those of the best look, and the losses say so.
    void theBestIsKept()
    {
        const Inputs inputs = numberedRows(400);
        for (const double rate : {3e-2, 50.0}) { // the second one jumps about
            train::ParameterSet<float> set;
            set.add("w", {kWidth, kWidth});
            auto s = settings(100, rate);
            s.clipNorm = 0;
            const EncoderObjective objective = regression(set);
            const auto result = trainEncoder(set, inputs, s, objective, {});
            QCOMPARE(result.steps, std::int64_t{100});
            QVERIFY(result.bestLoss <= result.startLoss);
            if (rate < 1)
                QVERIFY(result.bestLoss < 0.9 * result.startLoss);
            const auto& checks = result.losses[1].points;
            QCOMPARE(checks.size(), std::size_t{21});
            for (const auto& point : checks)
                QVERIFY(point.y >= result.bestLoss);
            QVERIFY(result.losses[0].name == "training" && result.losses[0].points.size() == 100 && result.losses[1].dashed);
            const auto again = trainEncoder(set, inputs, settings(1, 0), objective, {}); // the same rows are kept apart
            QCOMPARE(again.startLoss, result.bestLoss);
        }
    }
    void endsEarly()
    {
        Inputs inputs = numberedRows(100);
        train::ParameterSet<float> set;
        set.add("w", {kWidth, kWidth});
        auto s = settings(1000, 0); // at rate 0 nothing gets better
        s.patience = 3;
        QCOMPARE(trainEncoder(set, inputs, s, regression(set), {}).steps, std::int64_t{15});
        s.patience = 0;
        s.learningRate = 1e-2;
        int asked = 0;
        inputs.enough = [&asked] { return ++asked == 7; };
        const auto result = trainEncoder(set, inputs, s, regression(set), {});
        QCOMPARE(result.steps, std::int64_t{7});
        QVERIFY(result.warnings.empty());
        QCOMPARE(result.losses[1].points.back().x, 7.0); // what was learned in the last steps counts
    }
    void lossesAreSeenWhileItRuns()
    {
        Inputs inputs = numberedRows(100);
        train::ParameterSet<float> set;
        set.add("w", {kWidth, kWidth});
        std::vector<std::size_t> sizes;
        std::vector<report::Series> last;
        inputs.trainingSeen = [&](const std::vector<report::Series>& series) {
            sizes.push_back(series.at(0).points.size());
            last = series;
        };
        EncoderObjective objective = regression(set);
        const auto inner = objective.loss;
        objective.loss = [&](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
            if (!checking)
                std::this_thread::sleep_for(std::chrono::milliseconds(8));
            return inner(tape, rows, step, checking);
        };
        const auto result = trainEncoder(set, inputs, settings(60), objective, {}); // at least 480 ms
        QVERIFY(sizes.size() >= 3 && sizes.size() <= 60);
        QVERIFY(std::ranges::is_sorted(sizes));
        QCOMPARE(last[0].points, result.losses[0].points);
        QCOMPARE(last[1].points, result.losses[1].points);
    }
    void noNumbers()
    {
        const Inputs inputs = numberedRows(100);
        train::ParameterSet<float> set;
        set.add("w", {kWidth, kWidth});
        EncoderObjective objective = regression(set);
        const auto inner = objective.loss;
        objective.loss = [&](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
            return train::scale(inner(tape, rows, step, checking), step >= 12 && !checking ? std::numeric_limits<float>::quiet_NaN() : 1.0F);
        };
        const auto result = trainEncoder(set, inputs, settings(100), objective, {});
        QCOMPARE(result.steps, std::int64_t{12});
        QCOMPARE(result.bestStep, std::int64_t{10});
        QVERIFY(result.warnings.size() == 1 && result.warnings[0].starts_with("Training ended after 12 of 100 steps"));
        QVERIFY(std::ranges::all_of(set.at("w").values.values(), [](float v) { return std::isfinite(v); }));
        set.at("w").values(0, 0) = std::numeric_limits<float>::infinity();
        const auto code = [&](const Inputs& given, const EncoderTrainingSettings& s) {
            try {
                trainEncoder(set, given, s, regression(set), {});
            } catch (const Error& error) {
                return error.code();
            }
            return ErrorCode::IoFailure;
        };
        QCOMPARE(code(inputs, settings(100)), ErrorCode::NonFinite);
        QCOMPARE(code(numberedRows(1), settings(100)), ErrorCode::InvalidParameter);
        Inputs wide = numberedRows(10);
        wide.calibration = Matrix<float>(10, kWidth + 1);
        QCOMPARE(code(wide, settings(100)), ErrorCode::InvalidParameter);
        QCOMPARE(code(inputs, settings(0)), ErrorCode::InvalidParameter);
    }
    /// Two rows are one to train on and one to check.
    void twoRowsAreEnough()
    {
        const Inputs inputs = numberedRows(2);
        train::ParameterSet<float> set;
        set.add("w", {kWidth, kWidth});
        const auto result = trainEncoder(set, inputs, settings(3), regression(set), {});
        QVERIFY(result.steps == 3 && std::isfinite(result.bestLoss));
    }
    void stopsAtOnce()
    {
        const Inputs inputs = numberedRows(20000);
        train::ParameterSet<float> set;
        set.add("w", {kWidth, kWidth});
        std::stop_source stop;
        auto s = settings(1'000'000);
        s.batch = 4096;
        test::StopClock clock;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            clock.ask(stop);
        });
        try {
            trainEncoder(set, inputs, s, regression(set), RunContext(stop.get_token()));
            QFAIL("was not stopped");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(clock.seconds() < test::kSoonSeconds, std::to_string(clock.seconds()).c_str());
        }
    }
    void doesNotDependOnThreads()
    {
        const Inputs inputs = numberedRows(300);
        Matrix<float> first;
        for (const int threads : {1, 2}) {
            const ThreadLimit limit(threads);
            train::ParameterSet<float> set;
            set.add("w", {kWidth, kWidth});
            auto s = settings(50);
            s.batch = 128;
            trainEncoder(set, inputs, s, regression(set), {});
            if (first.empty())
                first = set.at("w").values;
            QVERIFY(first == set.at("w").values);
        }
    }
    void settingsComeFromTheSchema()
    {
        Parameters given;
        given.set("steps", std::int64_t{9});
        given.set("seed", std::int64_t{4});
        given.set("patience", std::int64_t{2});
        const EncoderTrainingSettings s(ParameterSchema(encoderTrainingParameters()).complete(given), 3);
        QVERIFY(s.steps == 9 && s.seed == 7 && s.patience == 2 && s.batch == 256 && s.checkEvery == 50);
    }
};

TAMIS_BLAS_TEST_MAIN(TestEncoderTraining)
#include "tst_encoder_training.moc"

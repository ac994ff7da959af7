// SPDX-License-Identifier: GPL-3.0-or-later
// Factors trained on the tape: PyTorch's steps, losses that fall, what is kept, and that the exported model is the trained one.
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "core/io/npy.h"
#include "core/lowrank/factor_training.h"
#include "core/lowrank/targets.h"
#include "core/spectrum/method.h"
#include "core/train/decoder_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/trainer.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/measure/sample_list.h"

#include <QTest>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

using namespace tamis;
using lowrank::OperatorFactors;
using train::Tape;

namespace {
const std::filesystem::path kSources = TAMIS_SOURCE_DIR, kGolden = kSources / "tests" / "golden";

/// The start of tests/golden/make_factor_training_golden.py.
std::vector<OperatorFactors> goldenStart(const nn::Model& model)
{
    constexpr std::int64_t rank = 3;
    std::vector<OperatorFactors> all;
    for (const nn::LinearSlot* slot : model.linears()) {
        if (slot->layer < 0)
            continue;
        const std::int64_t m = slot->op->outFeatures(), n = slot->op->inFeatures();
        OperatorFactors each{slot->name, tensor::Matrix<double>(m, rank), tensor::Matrix<double>(rank, n), slot->op->bias()};
        const auto e = static_cast<double>(all.size());
        for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t k = 0; k < rank; ++k)
                each.b(i, k) = 0.3 * std::sin(1.7 * static_cast<double>(i * rank + k) + e);
        for (std::int64_t k = 0; k < rank; ++k)
            for (std::int64_t j = 0; j < n; ++j)
                each.a(k, j) = 0.3 * std::cos(1.3 * static_cast<double>(k * n + j) + e);
        all.push_back(std::move(each));
    }
    return all;
}

/// `count` windows of `length` tokens of tinylm's held-out text.
std::shared_ptr<test::SampleList> text(std::size_t count, std::size_t length)
{
    const auto ids = io::readNpy(kSources / "datasets" / "tinylm" / "heldout.npy").toDoubles();
    auto list = std::make_shared<test::SampleList>();
    for (std::size_t i = 0; i < count; ++i) {
        measure::LoadedSample sample;
        for (std::size_t t = 0; t < length; ++t)
            sample.tokens.push_back(static_cast<std::int32_t>(ids[i * length + t]));
        list->samples.push_back(std::move(sample));
    }
    return list;
}

lowrank::Inputs inputsOf(const std::filesystem::path& folder, std::shared_ptr<const measure::SampleSource> samples)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(folder);
    inputs.model = nn::Model::load(*inputs.checkpoint);
    inputs.samples = std::move(samples);
    return inputs;
}

lowrank::Inputs tinylm(std::size_t count, std::size_t length) { return inputsOf(kSources / "datasets" / "tinylm", text(count, length)); }

lowrank::Inputs vit20(std::size_t count)
{
    auto inputs = inputsOf(kSources / "datasets" / "vit20", std::make_shared<test::SampleList>(test::noise(count, 64, 3)));
    inputs.calibration = io::CalibrationSet::open(kSources / "datasets" / "vit20" / "calibration.h5");
    return inputs;
}

/// Factors of the plain SVD for the named operators.
std::vector<OperatorFactors> plainFactors(const lowrank::Inputs& inputs, const std::vector<std::string>& names, std::int64_t rank)
{
    std::vector<OperatorFactors> start;
    for (const std::string& name : names) {
        auto found = spectrum::findMethod("spectrum.plain")->factors({inputs.checkpoint, nullptr, {}}, name, rank, {}, {});
        start.push_back({name, std::move(found.b), std::move(found.a), inputs.model->find(name)->op->bias()});
        lowrank::balance(start.back());
    }
    return start;
}

double crossEntropyOf(const nn::Model& model, const std::vector<measure::LoadedSample>& samples)
{
    double sum = 0, count = 0;
    for (const auto& sample : samples) {
        const nn::Sample view = sample.view();
        const auto logits = nn::runBatch(model, {&view, 1})[0];
        for (std::size_t t = std::max<std::size_t>(sample.firstScored, 1); t < sample.tokens.size(); ++t) {
            const auto row = logits.view().row(static_cast<std::int64_t>(t) - 1);
            double total = 0;
            for (const float z : row)
                total += std::exp(static_cast<double>(z));
            sum += std::log(total) - static_cast<double>(row[static_cast<std::size_t>(sample.tokens[t])]);
            count += 1;
        }
    }
    return sum / count;
}

double worstRelative(std::span<const double> found, const std::vector<double>& expected)
{
    double worst = 0, size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        worst = std::max(worst, std::abs(found[i] - expected[i]));
        size = std::max(size, std::abs(expected[i]));
    }
    return found.size() == expected.size() ? worst / size : 1e9;
}
} // namespace

class TestFactorTraining : public QObject {
    Q_OBJECT
private slots:
    void stepsArePyTorchs_data()
    {
        QTest::addColumn<bool>("distil");
        QTest::newRow("task") << false;
        QTest::newRow("distilled") << true;
    }
    /// Both sides compute in double from the same weights, but the model's scale of scores, 1 / sqrt(6) here, is a float in Tamis:
    /// good to 6e-8, so gradients to 2e-7 of the largest. AdamW divides a gradient by its own size, so that an element whose
    /// gradient is nearly zero may turn rounding into a part of the step (0.01): 1e-5 of the largest parameter.
    void stepsArePyTorchs()
    {
        QFETCH(bool, distil);
        const std::string label = distil ? "distilled" : "task";
        const auto golden = io::NpzArchive::open(kGolden / "factor_training.npz");
        const auto folder = kGolden / "models" / "qwen2_tied";
        const auto checkpoint = io::Checkpoint::open(folder);
        const auto model = nn::Model::load(*checkpoint);
        const auto stored = io::NpzArchive::open(folder / "golden.npz")->read("input_ids");
        const auto values = stored.toDoubles();
        const std::vector<std::int32_t> ids(values.begin(), values.end());
        auto onTape = train::DecoderOnTape<double>::load(*checkpoint);
        for (auto& parameter : onTape.parameters().all())
            parameter.rate = 0;
        lowrank::FactorsOnTape<double> factors(goldenStart(*model), true);
        const auto build = [&](Tape<double>& tape, std::int64_t, std::int64_t) {
            train::ForwardHooks<double> hooks;
            const auto dense = distil ? onTape.logits(tape, ids, stored.shape[0], hooks) : train::Variable<double>{};
            hooks.replaceLinear = factors.replacement(tape);
            const auto logits = onTape.logits(tape, ids, stored.shape[0], hooks);
            return distil ? train::distillation<double>(logits, dense, 2) : train::crossEntropy<double>(logits, train::nextTokens(ids, stored.shape[0]));
        };
        Tape<double> tape;
        double gradientError = 0;
        tape.backward(build(tape, 0, 0));
        for (const auto& parameter : factors.parameters().all())
            gradientError = std::max(gradientError, worstRelative(parameter.gradient.values(), golden->read(label + ".g." + parameter.name).toDoubles()));
        QVERIFY2(gradientError < 2e-7, qPrintable(QString::number(gradientError)));
        const auto losses = golden->read(label + ".loss").toDoubles();
        const auto steps = train::train<double>(factors.parameters(), {.schedule = {.kind = train::ScheduleKind::Constant, .peak = 0.01, .total = 2}, .clipNorm = 0.5}, build);
        for (std::size_t i = 0; i < 2; ++i)
            QVERIFY2(std::abs(steps[i].loss - losses[i]) < 1e-7 * losses[i], qPrintable(QString("%1, expected %2").arg(steps[i].loss, 0, 'g', 15).arg(losses[i], 0, 'g', 15)));
        for (const auto& parameter : factors.parameters().all())
            QVERIFY2(worstRelative(parameter.values.values(), golden->read(label + ".a." + parameter.name).toDoubles()) < 1e-5, parameter.name.c_str());
        tape.reset();
        QVERIFY(std::abs(tape.scalar(build(tape, 0, 0)) - losses[2]) < 1e-6 * losses[2]);
    }

    /// The objective that the methods use is that loss, in float: 1e-5 of it.
    void objectiveIsPyTorchs()
    {
        const auto golden = io::NpzArchive::open(kGolden / "factor_training.npz");
        const auto folder = kGolden / "models" / "qwen2_tied";
        const auto stored = io::NpzArchive::open(folder / "golden.npz")->read("input_ids");
        const auto ids = stored.toDoubles();
        const auto length = ids.size() / static_cast<std::size_t>(stored.shape[0]);
        std::vector<measure::LoadedSample> samples(static_cast<std::size_t>(stored.shape[0]));
        for (std::size_t i = 0; i < ids.size(); ++i)
            samples[i / length].tokens.push_back(static_cast<std::int32_t>(ids[i]));
        const auto inputs = inputsOf(folder, nullptr);
        lowrank::FactorsOnTape<float> factors(goldenStart(*inputs.model), false);
        for (const bool distil : {false, true}) {
            lowrank::TrainingObjective objective(inputs, {.distil = distil, .temperature = 2}, {});
            Tape<float> tape;
            double weight = 0;
            const double loss = static_cast<double>(tape.scalar(objective.loss(tape, samples, factors.replacement(tape), &weight)));
            const double expected = golden->read(distil ? "distilled.loss" : "task.loss").toDoubles()[0];
            QVERIFY2(std::abs(loss - expected) < 1e-5 * expected, qPrintable(QString("%1, expected %2").arg(loss).arg(expected)));
            QCOMPARE(weight, static_cast<double>(distil ? ids.size() : ids.size() - samples.size()));
        }
    }

    /// Texts of several lengths in one batch, and tokens that are context only: the mean over what the samples score, as of the
    /// model that runs. Float on both sides.
    void textsOfSeveralLengths()
    {
        const auto inputs = tinylm(4, 24);
        auto samples = text(4, 24)->samples;
        samples[1].tokens.resize(10);
        samples[2].firstScored = 15;
        samples[3].tokens.resize(10);
        lowrank::TrainingObjective objective(inputs, {}, {});
        Tape<float> tape;
        double weight = 0;
        const double loss = static_cast<double>(tape.scalar(objective.loss(tape, samples, {}, &weight)));
        const double expected = crossEntropyOf(*inputs.model, samples);
        QVERIFY2(std::abs(loss - expected) < 2e-5 * expected, qPrintable(QString("%1, expected %2").arg(loss).arg(expected)));
        QCOMPARE(weight, 23.0 + 9 + 9 + 9);
    }

    /// Photos without labels have the dense model's class; the blocks' outputs join the loss with their weight.
    void photosWithoutLabelsAndHiddenStates()
    {
        const auto inputs = vit20(3);
        const auto samples = test::noise(3, 64, 9).samples;
        const auto start = plainFactors(inputs, {"blocks.0.mlp.fc1", "blocks.3.attn.qkv"}, 20);
        lowrank::FactorsOnTape<float> factors(start, false);
        lowrank::Compression compression;
        for (const auto& each : start)
            compression.operators.push_back({each.name, lowrank::makeOperator(each.b, each.a, each.bias, plan::Accounting::Factors, nullptr, {}), {}});
        const auto student = lowrank::compressed(*inputs.model, compression);
        struct Blocks : nn::Observer {
            std::vector<std::vector<float>> rows = std::vector<std::vector<float>>(6);
            void blockOutput(std::size_t, int block, kernels::ConstRows x) override
            {
                for (std::int64_t i = 0; i < x.rows; ++i)
                    rows[static_cast<std::size_t>(block)].insert(rows[static_cast<std::size_t>(block)].end(), x.row(i).begin(), x.row(i).end());
            }
        };
        double entropy = 0, divergence = 0;
        Blocks dense, cheap;
        for (const auto& sample : samples) {
            const nn::Sample view = sample.view();
            const auto p = nn::runBatch(*inputs.model, {&view, 1}, {}, &dense)[0], q = nn::runBatch(*student, {&view, 1}, {}, &cheap)[0];
            double sumP = 0, sumQ = 0;
            for (std::int64_t c = 0; c < 20; ++c) {
                sumP += std::exp(static_cast<double>(p(0, c)));
                sumQ += std::exp(static_cast<double>(q(0, c)));
            }
            const auto best = std::ranges::max_element(p.values()) - p.values().begin();
            entropy += (std::log(sumQ) - static_cast<double>(q(0, best))) / 3;
            for (std::int64_t c = 0; c < 20; ++c)
                divergence += std::exp(static_cast<double>(p(0, c))) / sumP * (static_cast<double>(p(0, c) - q(0, c)) - std::log(sumP) + std::log(sumQ)) / 3;
        }
        double hidden = 0;
        for (std::size_t b = 0; b < 6; ++b) {
            double error = 0, size = 0;
            for (std::size_t i = 0; i < dense.rows[b].size(); ++i) {
                error += std::pow(static_cast<double>(cheap.rows[b][i] - dense.rows[b][i]), 2);
                size += std::pow(static_cast<double>(dense.rows[b][i]), 2);
            }
            hidden += error / size / 6;
        }
        const auto lossOf = [&](const lowrank::ObjectiveSettings& settings) {
            lowrank::TrainingObjective objective(inputs, settings, {});
            Tape<float> tape;
            return static_cast<double>(tape.scalar(objective.loss(tape, samples, factors.replacement(tape))));
        };
        // float forward passes of two implementations: logits of size 10 to 1e-5 of that
        QVERIFY(std::abs(lossOf({}) - entropy) < 2e-4 * std::max(1.0, entropy));
        QVERIFY(divergence > 1e-3 && hidden > 1e-4); // the factors do something
        QVERIFY(std::abs(lossOf({.distil = true}) - divergence) < 2e-4 * std::max(1.0, divergence));
        const double with = lossOf({.distil = true, .hiddenWeight = 3});
        QVERIFY2(std::abs(with - divergence - 3 * hidden) < 4e-4 * std::max(1.0, with), qPrintable(QString("%1 %2 %3").arg(with).arg(divergence).arg(hidden)));
    }

    void aFewStepsLowerTheLoss_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<bool>("language");
        for (const char* method : {"lowrank.trained", "lowrank.distilled"}) {
            QTest::newRow((std::string(method) + ", tinylm").c_str()) << method << true;
            QTest::newRow((std::string(method) + ", vit20").c_str()) << method << false;
        }
    }
    /// On samples that are not trained on; and the model with the operators has the logits of the tape with the factors.
    void aFewStepsLowerTheLoss()
    {
        QFETCH(QString, method);
        QFETCH(bool, language);
        auto inputs = language ? tinylm(12, 48) : vit20(10);
        if (!language)
            inputs.matrices = {"blocks.0.mlp.fc1", "blocks.0.mlp.fc2", "blocks.1.attn.qkv", "blocks.1.attn.proj", "blocks.2.mlp.fc1"};
        Parameters parameters;
        for (const auto& [name, value] : {std::pair{"steps", 4}, {"batch", 2}, {"check-every", 2}, {"check-samples", 2}})
            parameters.set(name, static_cast<std::int64_t>(value));
        parameters.set("init", std::string(language ? "plain" : "whitened"));
        parameters.set("biases", true);
        plan::BudgetRequest budget;
        budget.keep = language ? 0.5 : 0.1; // noise has one class for vit20 until little is kept
        budget.allocation = plan::Allocation::Uniform;
        std::size_t finished = 0;
        const auto compression = lowrank::findMethod(method.toStdString())->compress(inputs, budget, parameters, {}, [&](const auto&) { ++finished; });
        const auto& report = compression.report;
        const auto scalar = [&](const char* name) { return std::ranges::find(report.scalars, name, [](const auto& s) { return s.first; })->second; };
        const double before = scalar("held-out loss at the start"), after = scalar("held-out loss of the best");
        QVERIFY2(after < 0.95 * before, qPrintable(QString("%1 -> %2").arg(before).arg(after)));
        QCOMPARE(finished, compression.operators.size());
        QVERIFY(finished == (language ? 42 : 5));
        QVERIFY(report.achievedKeep <= budget.keep && report.achievedKeep > 0.8 * budget.keep);
        QCOMPARE(report.figures.front().series.front().points.size(), std::size_t(4));
        QCOMPARE(report.figures.front().series.back().points.size(), std::size_t(3)); // before, half way, after
        if (!language) {
            QVERIFY(compression.operators[0].op->bias() != inputs.model->find(compression.operators[0].name)->op->bias());
            for (const auto& matrix : report.matrices) // no factors lose less than the whitened ones under the calibration
                QVERIFY2(matrix.minimumLoss > 0 && matrix.loss >= matrix.minimumLoss * (1 - 1e-6), matrix.name.c_str());
        }
        // the operators hold the factors: the same logits on the tape
        std::vector<OperatorFactors> held;
        for (const auto& each : compression.operators) {
            const auto tensors = each.op->tensors(each.name);
            OperatorFactors factors{each.name, {}, {}, each.op->bias()};
            for (const auto& tensor : tensors)
                if (tensor.shape.size() == 2) {
                    tensor::Matrix<double> values(tensor.shape[0], tensor.shape[1]);
                    std::ranges::copy(tensor.values, values.data());
                    (tensor.name.ends_with("lowrank_a") ? factors.a : factors.b) = std::move(values);
                }
            held.push_back(std::move(factors));
        }
        lowrank::FactorsOnTape<float> onTape(held, false);
        lowrank::TrainingObjective objective(inputs, {}, {});
        measure::LoadedSample sample;
        inputs.samples->load(0, sample);
        const measure::LoadedSample* samples[] = {&sample};
        Tape<float> tape;
        train::ForwardHooks<float> hooks;
        hooks.replaceLinear = onTape.replacement(tape);
        const auto logits = objective.logits(tape, samples, hooks).value();
        const nn::Sample view = sample.view();
        const auto run = nn::runBatch(*lowrank::compressed(*inputs.model, compression), {&view, 1})[0];
        QCOMPARE(logits.rows, run.rows());
        double worst = 0, size = 1;
        for (std::int64_t i = 0; i < run.rows(); ++i)
            for (std::int64_t j = 0; j < run.cols(); ++j) {
                worst = std::max(worst, static_cast<double>(std::abs(logits(i, j) - run(i, j))));
                size = std::max(size, static_cast<double>(std::abs(run(i, j))));
            }
        QVERIFY2(worst < 1e-4 * size, qPrintable(QString("%1 of %2").arg(worst).arg(size)));
    }

    /// Full-rank factors are the dense model: the divergence is rounding (float: 1e-6 of logits, squared), and is kept by what
    /// is best, whatever the steps do with gradients that are noise.
    void distillationOfFullRankStaysAtZero()
    {
        const auto inputs = tinylm(10, 24);
        std::vector<std::string> names{"model.layers.0.mlp.down_proj", "model.layers.2.self_attn.q_proj"};
        lowrank::FactorTrainingSettings settings;
        settings.steps = 4;
        settings.batch = 2;
        settings.checkEvery = 1;
        settings.checkSamples = 2;
        settings.learningRate = 1e-7; // AdamW's steps have this size even where gradients are rounding
        settings.objective.distil = true;
        const auto trained = lowrank::trainFactors(inputs, plainFactors(inputs, names, 128), settings, {});
        QVERIFY2(std::abs(trained.startLoss) < 1e-6, qPrintable(QString::number(trained.startLoss)));
        QVERIFY(trained.bestLoss <= trained.startLoss && std::abs(trained.bestLoss) < 1e-6);
        for (const auto& point : trained.figure.series.front().points)
            QVERIFY2(std::abs(point.y) < 1e-5, qPrintable(QString::number(point.y)));
    }

    /// Keep 1: nothing is cheaper than dense, nothing is replaced, and it says so.
    void keepOneReplacesNothing()
    {
        const auto inputs = vit20(6);
        plan::BudgetRequest budget;
        budget.keep = 1;
        budget.allocation = plan::Allocation::Uniform;
        const auto compression = lowrank::findMethod("lowrank.distilled")->compress(inputs, budget, {}, {}, {});
        QVERIFY(compression.operators.empty());
        QCOMPARE(compression.report.warnings.size(), std::size_t(1));
        QCOMPARE(compression.report.achievedKeep, 1.0);
        QVERIFY(std::isnan(compression.report.relativeLoss())); // of what was replaced
    }

    /// A rate that throws the factors out: training ends with a sentence that names the step, and the start is kept.
    void lossesThatAreNoNumbersEndTraining()
    {
        const auto inputs = tinylm(10, 24);
        const auto start = plainFactors(inputs, {"model.layers.0.mlp.down_proj", "model.layers.0.mlp.up_proj"}, 8);
        lowrank::FactorTrainingSettings settings;
        settings.steps = 10;
        settings.batch = 2;
        settings.checkEvery = 1;
        settings.checkSamples = 2;
        settings.learningRate = 1e30;
        settings.warmUp = 0;
        const auto trained = lowrank::trainFactors(inputs, start, settings, {});
        QCOMPARE(trained.warnings.size(), std::size_t(1));
        QVERIFY2(trained.warnings[0].starts_with("Training ended after 1 of 10 steps: the "), trained.warnings[0].c_str());
        QVERIFY(trained.warnings[0].find("of step 0, are kept") != std::string::npos);
        QCOMPARE(trained.bestStep, std::int64_t(0));
        QCOMPARE(trained.bestLoss, trained.startLoss);
        QVERIFY(worstRelative(trained.factors[0].b.values(), {start[0].b.values().begin(), start[0].b.values().end()}) < 1e-7); // rounded to float
        auto broken = start;
        broken[0].b(0, 0) = std::nan("");
        QVERIFY(test::refusal([&] { (void)lowrank::trainFactors(inputs, broken, settings, {}); }).startsWith("non-finite values: training: the loss of the factors to start from"));
    }

    void fewSamplesLeaveNoneToCheckOn()
    {
        const auto inputs = tinylm(3, 16);
        const auto start = plainFactors(inputs, {"model.layers.0.mlp.down_proj"}, 8);
        lowrank::FactorTrainingSettings settings;
        settings.steps = 3;
        settings.batch = 2;
        const auto trained = lowrank::trainFactors(inputs, start, settings, {});
        QCOMPARE(trained.warnings.size(), std::size_t(1));
        QVERIFY(std::isnan(trained.startLoss));
        QCOMPARE(trained.bestStep, std::int64_t(3));
        QVERIFY(worstRelative(trained.factors[0].b.values(), {start[0].b.values().begin(), start[0].b.values().end()}) > 1e-6);
    }

    void threadsDoNotChangeFactors()
    {
        const auto inputs = tinylm(10, 32);
        const auto start = plainFactors(inputs, {"model.layers.0.mlp.down_proj", "model.layers.3.self_attn.o_proj"}, 8);
        lowrank::FactorTrainingSettings settings;
        settings.steps = 2;
        settings.batch = 3;
        settings.checkSamples = 1;
        const auto two = lowrank::trainFactors(inputs, start, settings, {});
        const ThreadLimit one(1);
        const auto alone = lowrank::trainFactors(inputs, start, settings, {});
        for (std::size_t i = 0; i < 2; ++i)
            QVERIFY(two.factors[i].b == alone.factors[i].b && two.factors[i].a == alone.factors[i].a);
    }

    void aStopIsSeenSoon()
    {
        const auto inputs = tinylm(40, 128);
        const auto start = plainFactors(inputs, {"model.layers.0.mlp.down_proj"}, 8);
        lowrank::FactorTrainingSettings settings;
        settings.steps = 100000;
        settings.batch = 16;
        std::stop_source stop;
        test::StopClock clock;
        std::jthread other([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(400));
            clock.ask(stop);
        });
        const QString refused = test::refusal([&] { (void)lowrank::trainFactors(inputs, start, settings, RunContext(stop.get_token())); });
        const double waited = clock.seconds();
        QVERIFY2(refused.startsWith("cancelled"), qPrintable(refused));
        QVERIFY2(waited < test::kSoonSeconds, qPrintable(QString("%1 s").arg(waited)));
    }

    /// Checked samples are not trained on; every other one is, once an epoch.
    void samplesAreParted()
    {
        auto list = text(11, 8);
        for (std::size_t i = 0; i < 11; ++i)
            list->samples[i].label = static_cast<int>(i);
        lowrank::TrainingSamples samples(list, 32, 7);
        QCOMPARE(samples.checkedCount(), std::size_t(2));
        QCOMPARE(samples.trainingCount(), std::size_t(9));
        std::vector<int> seen(11);
        for (std::int64_t step = 0; step < 6; ++step)
            for (const auto& sample : samples.batch(step, 3, {}))
                ++seen[static_cast<std::size_t>(sample.label)];
        for (const auto& sample : samples.checked(0, 2, {}))
            seen[static_cast<std::size_t>(sample.label)] += 100;
        std::ranges::sort(seen);
        QCOMPARE(seen, (std::vector<int>{2, 2, 2, 2, 2, 2, 2, 2, 2, 100, 100}));
    }

    void badInputIsRefused()
    {
        auto inputs = tinylm(6, 16);
        plan::BudgetRequest budget;
        budget.allocation = plan::Allocation::Uniform;
        const auto compress = [&](const Parameters& parameters = {}) {
            return test::refusal([&] { (void)lowrank::findMethod("lowrank.trained")->compress(inputs, budget, parameters, {}, {}); });
        };
        QVERIFY(compress().contains("found no calibration set"));
        Parameters none;
        none.set("steps", std::int64_t(0));
        QVERIFY(compress(none).contains("steps"));
        inputs.samples = nullptr;
        QVERIFY(compress().contains("needs a checkpoint, its model and samples"));
        inputs.samples = std::make_shared<test::SampleList>();
        Parameters plain;
        plain.set("init", std::string("plain"));
        QVERIFY(compress(plain).contains("there is no sample"));
        inputs = inputsOf(kGolden / "models" / "gpt2", text(6, 8));
        QVERIFY2(compress(plain).startsWith("unsupported feature"), qPrintable(compress(plain)));
    }
};

QTEST_APPLESS_MAIN(TestFactorTraining)
#include "tst_factor_training.moc"

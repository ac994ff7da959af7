// SPDX-License-Identifier: GPL-3.0-or-later
// Sequential compression on the bundled models: statistics against whole forward passes, the special cases, partial results, stops.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/inputs/token_file.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/anchored.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/saes.h"
#include "core/lowrank/sequential_statistics.h"
#include "core/lowrank/targets.h"
#include "core/measure/capture.h"
#include "core/measure/token_source.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/measure/sample_list.h"

#include <QTemporaryDir>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

using namespace tamis;
using lowrank::ModelPaths;
using tensor::Matrix;

namespace {
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";

/// Smooth photos-like images: low frequencies of random phase.
std::shared_ptr<test::SampleList> images(std::size_t count)
{
    auto list = std::make_shared<test::SampleList>();
    for (std::size_t s = 0; s < count; ++s) {
        const auto phase = test::gaussian(3, 6, 100 + s);
        measure::LoadedSample sample;
        for (std::int64_t c = 0; c < 3; ++c)
            for (int y = 0; y < 64; ++y)
                for (int x = 0; x < 64; ++x)
                    sample.image.push_back(static_cast<float>(phase(c, 0) + phase(c, 1) * std::sin(0.1 * x * (1 + phase(c, 2)) + phase(c, 3)) + std::cos(0.15 * y + phase(c, 4) + 0.05 * x * phase(c, 5))));
        list->samples.push_back(std::move(sample));
    }
    return list;
}

std::shared_ptr<measure::SampleSource> windows(const char* file, std::size_t count, std::int64_t length)
{
    auto sequences = inputs::readTokenFile(kDatasets / "tinylm" / file, 0);
    std::vector<std::vector<std::int32_t>> cut;
    for (const auto& sequence : sequences)
        for (std::size_t at = 0; at + static_cast<std::size_t>(length) <= sequence.size() && cut.size() < count; at += static_cast<std::size_t>(length))
            cut.emplace_back(sequence.begin() + static_cast<std::ptrdiff_t>(at), sequence.begin() + static_cast<std::ptrdiff_t>(at) + length);
    return std::make_shared<measure::TokenSource>(std::move(cut), measure::TokenWindows{}, "windows of a test");
}

lowrank::Inputs opened(const char* model, std::shared_ptr<const measure::SampleSource> samples)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(kDatasets / model);
    inputs.model = nn::Model::load(*inputs.checkpoint);
    inputs.samples = std::move(samples);
    return inputs;
}

plan::BudgetRequest uniform(double keep)
{
    plan::BudgetRequest budget;
    budget.keep = keep;
    budget.allocation = plan::Allocation::Uniform;
    return budget;
}

Parameters with(std::initializer_list<std::pair<const char*, ParameterValue>> values)
{
    Parameters given;
    for (const auto& [name, value] : values)
        given.set(name, value);
    return lowrank::saesMethod().declaration.schema.complete(given);
}

lowrank::Compression run(const lowrank::Inputs& inputs, double keep, const Parameters& parameters, const RunContext& context = {}, const lowrank::Finished& finished = {})
{
    return lowrank::saesMethod().compress(inputs, uniform(keep), parameters, context, finished);
}

double scalar(const report::LowRankReport& report, const std::string& name)
{
    for (const auto& [key, value] : report.scalars)
        if (key == name)
            return value;
    return std::nan("");
}

const report::MethodFigure* figure(const report::LowRankReport& report, const std::string& id)
{
    for (const auto& each : report.figures)
        if (each.id == id)
            return &each;
    return nullptr;
}

/// Inputs of one operator in a whole forward pass, in double, tokens as rows of all samples one after the other.
struct WholePass : nn::Observer {
    std::string site;
    std::vector<double> values;
    std::int64_t width = 0;
    void linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        if (slot.name != site)
            return;
        width = x.cols;
        for (std::int64_t i = 0; i < x.rows; ++i)
            values.insert(values.end(), x.row(i).begin(), x.row(i).end());
    }
    Matrix<double> rows() const
    {
        Matrix<double> all(static_cast<std::int64_t>(values.size()) / width, width);
        std::ranges::copy(values, all.data());
        return all;
    }
};

Matrix<double> inputsOf(const nn::Model& model, const measure::SampleSource& samples, const std::string& site)
{
    WholePass pass;
    pass.site = site;
    for (std::size_t i = 0; i < samples.count(); ++i) {
        measure::LoadedSample sample;
        samples.load(i, sample);
        const auto view = sample.view();
        nn::runBatch(model, {&view, 1}, {}, &pass);
    }
    return pass.rows();
}

nn::LinearPtr halved(const nn::LinearOp& op)
{
    Matrix<float> w = op.dense();
    for (float& value : w.values())
        value *= 0.5f;
    return nn::denseOp(w.view(), op.bias());
}
} // namespace

class TestSaes : public QObject {
    Q_OBJECT
private slots:
    void momentsAreThoseOfWholePasses_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QStringList>("replaced");
        QTest::addColumn<QStringList>("sites");
        QTest::newRow("vit20") << "vit20" << QStringList{"blocks.0.mlp.fc1", "blocks.1.attn.qkv"}
                               << QStringList{"blocks.1.attn.qkv", "blocks.1.attn.proj", "blocks.1.mlp.fc1", "blocks.1.mlp.fc2"};
        QTest::newRow("tinylm") << "tinylm" << QStringList{"model.layers.0.self_attn.v_proj", "model.layers.1.mlp.gate_proj"}
                                << QStringList{"model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.o_proj", "model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"};
    }
    /// Against forward passes of the two whole models: the same operations in the same order, so the same floats; then sums in
    /// another order in double.
    void momentsAreThoseOfWholePasses()
    {
        QFETCH(QString, model);
        QFETCH(QStringList, replaced);
        QFETCH(QStringList, sites);
        const std::shared_ptr<const measure::SampleSource> samples = model == "vit20" ? std::shared_ptr<const measure::SampleSource>(images(5)) : windows("heldout.npy", 5, 64);
        const auto inputs = opened(qPrintable(model), samples);
        std::vector<nn::Model::Replacement> replacements;
        for (const QString& name : replaced)
            replacements.push_back({name.toStdString(), halved(*inputs.model->find(name.toStdString())->op)});
        const auto other = inputs.model->replaced(replacements);
        for (const std::uint64_t buffer : {std::uint64_t(1), std::uint64_t(128) << 20}) {
            ModelPaths paths(inputs.model, *samples, {.heldOut = 0, .reference = true, .bufferBytes = buffer});
            QCOMPARE(paths.samples(), std::size_t(5));
            const auto errors = paths.advance(*other, inputs.model.get());
            QVERIFY(errors.compressed.calibration > 0 && std::isnan(errors.compressed.heldOut));
            QCOMPARE(errors.reference.calibration, 0.0); // advanced through the dense model itself
            for (const QString& site : sites) {
                const auto moments = paths.measure(site.toStdString(), *other);
                const Matrix<double> x = inputsOf(*other, *samples, site.toStdString()), xf = inputsOf(*inputs.model, *samples, site.toStdString());
                const Matrix<double> e = test::difference(xf, x);
                const auto close = [](const Matrix<double>& a, const Matrix<double>& b) { return test::maxAbs(test::difference(a, b)) <= 1e-12 * test::maxAbs(b); };
                QCOMPARE(moments.calibration.tokens, static_cast<std::uint64_t>(x.rows()));
                QVERIFY(close(moments.calibration.h, linalg::gram(x.view(), linalg::Side::Columns)));
                QVERIFY(close(moments.calibration.drift, linalg::gram(e.view(), linalg::Side::Columns)));
                QVERIFY(close(moments.calibration.delta, linalg::product(linalg::Op::Transpose, linalg::Op::None, e.view(), x.view())));
                QVERIFY(test::maxAbs(moments.calibration.delta) > 0);
                QVERIFY(moments.heldOut.h.empty());
            }
        }
    }

    void momentsDoNotDependOnThreads()
    {
        const auto inputs = opened("vit20", images(7));
        const auto other = inputs.model->replaced({{"blocks.0.mlp.fc1", halved(*inputs.model->find("blocks.0.mlp.fc1")->op)}});
        const auto measured = [&](std::uint64_t buffer) {
            ModelPaths paths(inputs.model, *inputs.samples, {.heldOut = 0.25, .bufferBytes = buffer});
            paths.advance(*other, nullptr);
            return paths.measure("blocks.1.mlp.fc2", *other);
        };
        const auto several = measured(128u << 20);
        QVERIFY(several.heldOut.tokens > 0 && several.calibration.tokens > several.heldOut.tokens);
        const ThreadLimit limit(1);
        for (const std::uint64_t buffer : {std::uint64_t(1), std::uint64_t(128) << 20}) {
            const auto one = measured(buffer);
            QVERIFY(one.calibration.h == several.calibration.h && one.calibration.delta == several.calibration.delta);
            QVERIFY(one.heldOut.drift == several.heldOut.drift);
        }
    }

    void refusesWhatItCannotFollow()
    {
        const auto inputs = opened("vit20", images(2));
        ModelPaths paths(inputs.model, *inputs.samples, {});
        QVERIFY_EXCEPTION_THROWN(paths.measure("blocks.1.mlp.fc2", *inputs.model), Error); // not this block
        QVERIFY_EXCEPTION_THROWN(ModelPaths(inputs.model, test::SampleList(), {}), Error);
        auto broken = images(3);
        broken->samples[1].image[5] = std::numeric_limits<float>::quiet_NaN();
        ModelPaths poisoned(inputs.model, *broken, {});
        try {
            poisoned.measure("blocks.0.attn.qkv", *inputs.model);
            QFAIL("NaN went into the sums");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
            QCOMPARE(error.subject(), std::string("sample 1"));
        }
    }

    /// The first input of the first block has not drifted: factors of the whitened optimum, whatever beta. After that, beta = 0
    /// alone sees what the compressed path sees: its own outputs' loss on the drifted inputs is the least, beta = 1's distance to the
    /// dense outputs is.
    void betasLoseLeastOfTheirOwnTerm()
    {
        const auto inputs = opened("tinylm", windows("heldout.npy", 8, 96));
        std::map<double, lowrank::Compression> results;
        for (const double beta : {0.0, 0.5, 1.0})
            results[beta] = run(inputs, 0.5, with({{"beta-mode", std::string("fixed")}, {"beta", beta}, {"ridge", 1e-6}, {"held-out", 0.0}, {"reference", false}}));
        QCOMPARE(results[0.0].operators.size(), std::size_t(42));
        QCOMPARE(results[0.0].report.matrices.size(), std::size_t(42));
        const auto first = results[0.0].operators[0].op->dense();
        QVERIFY(first == results[1.0].operators[0].op->dense());
        QVERIFY(results[0.0].operators[3].op->dense() != results[1.0].operators[3].op->dense());
        // The o projection of block 0 reads what compressed q, k, v give, which are the same operators for every beta: here the
        // losses can be compared matrix by matrix.
        const auto& name = results[0.0].operators[3].name;
        QCOMPARE(name, std::string("model.layers.0.self_attn.o_proj"));
        ModelPaths paths(inputs.model, *inputs.samples, {.heldOut = 0});
        std::vector<nn::Model::Replacement> before;
        for (std::size_t i = 0; i < 3; ++i)
            before.push_back({results[0.0].operators[i].name, results[0.0].operators[i].op});
        const auto moments = paths.measure(name, *inputs.model->replaced(before)).calibration;
        const auto w = test::toDoubles(inputs.model->find(name)->op->dense());
        for (const auto& [least, chosen] : results)
            for (const auto& [beta, other] : results)
                if (beta != least) {
                    const auto objective = [&](const lowrank::Compression& c) { return lowrank::cumulativeObjective(w, test::toDoubles(c.operators[3].op->dense()), moments, least); };
                    QVERIFY(objective(chosen) < objective(other));
                }
    }

    /// The point of it all: nearer to the dense model after the last block than factors of the same ranks that know nothing of
    /// each other, also on held-out samples. And the growth reported is that of the models themselves.
    void driftsLessThanIndependentFactors()
    {
        const auto inputs = opened("tinylm", windows("calibration.npy", 32, 96));
        const auto result = run(inputs, 0.6, with({}));
        const std::string last = "relative error after the last block";
        qInfo() << "sequential" << scalar(result.report, last) << scalar(result.report, last + ", held out") << "whitened" << scalar(result.report, last + ", not sequential")
                << scalar(result.report, last + ", not sequential, held out") << result.report.seconds << "s";
        QVERIFY(scalar(result.report, last) < scalar(result.report, last + ", not sequential"));
        QVERIFY(scalar(result.report, last + ", held out") < scalar(result.report, last + ", not sequential, held out"));
        const auto* growth = figure(result.report, "error-by-depth");
        QVERIFY(growth && growth->series.size() == 4 && growth->series[0].points.size() == 6);
        QCOMPARE(growth->series[0].points.back().y, scalar(result.report, last));
        QVERIFY(figure(result.report, "rho-3") && figure(result.report, "rho-3")->series.size() == 7);
        // from the models themselves, all samples, calibration and held-out ones together lie between the two
        const auto small = lowrank::compressed(*inputs.model, result);
        double drift = 0, energy = 0;
        struct Last : nn::Observer {
            std::vector<float> values;
            void blockOutput(std::size_t, int block, kernels::ConstRows x) override
            {
                if (block == 5)
                    for (std::int64_t i = 0; i < x.rows; ++i)
                        values.insert(values.end(), x.row(i).begin(), x.row(i).end());
            }
        };
        for (std::size_t i = 0; i < inputs.samples->count(); ++i) {
            measure::LoadedSample sample;
            inputs.samples->load(i, sample);
            const auto view = sample.view();
            Last dense, now;
            nn::runBatch(*inputs.model, {&view, 1}, {}, &dense);
            nn::runBatch(*small, {&view, 1}, {}, &now);
            for (std::size_t j = 0; j < dense.values.size(); ++j) {
                drift += std::pow(double(now.values[j]) - dense.values[j], 2);
                energy += std::pow(double(dense.values[j]), 2);
            }
        }
        const double both = std::sqrt(drift / energy), one = scalar(result.report, last), other = scalar(result.report, last + ", held out");
        QVERIFY(both >= std::min(one, other) - 1e-12 && both <= std::max(one, other) + 1e-12);
    }

    /// Fused q, k, v; a calibration set for the losses, as all methods report them; budget and accounting.
    void compressesAVisionTransformerWithinTheBudget()
    {
        auto inputs = opened("vit20", images(12));
        inputs.calibration = io::CalibrationSet::open(kDatasets / "vit20" / "calibration.h5");
        std::vector<std::string> seen;
        const RunContext context;
        double fraction = 0;
        const auto result = run(inputs, 0.6, with({}), context, [&](const lowrank::CompressedOperator& each) {
            seen.push_back(each.name);
            QVERIFY(context.fraction() >= fraction && context.fraction() < 1); // never backwards
            fraction = context.fraction();
        });
        QVERIFY(fraction > 0.8);
        QCOMPARE(context.fraction(), 1.0);
        QCOMPARE(result.operators.size(), std::size_t(24));
        QCOMPARE(seen.size(), std::size_t(24));
        QVERIFY(result.report.achievedKeep <= 0.6 && result.report.achievedKeep > 0.55);
        for (std::size_t i = 0; i < 24; ++i) {
            const auto& each = result.operators[i];
            QCOMPARE(seen[i], each.name);
            const auto site = inputs.calibration->read(each.name);
            const auto d = test::difference(test::toDoubles(inputs.model->find(each.name)->op->dense()), test::toDoubles(each.op->dense()));
            const double loss = lowrank::gramLoss(d, site.gram);
            QVERIFY(std::abs(each.matrix.loss - loss) <= 1e-9 * loss);
            QVERIFY(std::isfinite(each.matrix.heldOutLoss));
            QCOMPARE(each.op->bias(), inputs.model->find(each.name)->op->bias());
        }
        auto budget = uniform(0.6);
        budget.accounting = plan::Accounting::BlockIdentity;
        inputs.matrices = {"blocks.1.mlp.fc1", "blocks.4.attn.proj"};
        const auto joined = lowrank::saesMethod().compress(inputs, budget, with({{"samples", std::int64_t(8)}, {"reference", false}}), {}, {});
        QCOMPARE(joined.operators.size(), std::size_t(2));
        QCOMPARE(std::string(joined.operators[1].op->kind()), std::string("block-identity"));
        QVERIFY(joined.operators[1].matrix.condition >= 1);
        QCOMPARE(scalar(joined.report, "tau of blocks.1.mlp.fc1"), 0.0); // nothing before it was compressed
        QVERIFY(scalar(joined.report, "tau of blocks.4.attn.proj") > 0);
    }

    /// Fitting B to the dense outputs brings each matrix nearer to them.
    void updateBringsTheOutputsNearer()
    {
        auto inputs = opened("vit20", images(12));
        inputs.matrices = {"blocks.0.mlp.fc2", "blocks.3.mlp.fc2"};
        const auto loss = [&](bool update) {
            const auto result = run(inputs, 0.4, with({{"beta-mode", std::string("fixed")}, {"beta", 0.0}, {"update", update}, {"reference", false}, {"ridge", 1e-6}}));
            return figure(result.report, "cumulative-loss")->series[0].points;
        };
        const auto with = loss(true), without = loss(false);
        QCOMPARE(with[0].y, without[0].y); // no drift there: B is the best already, to the last digits of the ridge
        QVERIFY(with[1].y < without[1].y);
    }

    /// The anchored method is beta = 1, to the last bit, without what only an adaptive beta has.
    void anchoredIsBetaOne()
    {
        auto inputs = opened("tinylm", windows("calibration.npy", 10, 64));
        const lowrank::Method method = lowrank::anchoredMethod();
        Parameters given;
        given.set("ridge", 1e-3);
        given.set("reference", false);
        const auto anchored = method.compress(inputs, uniform(0.5), given, {}, {});
        const auto fixed = run(inputs, 0.5, with({{"beta-mode", std::string("fixed")}, {"beta", 1.0}, {"ridge", 1e-3}, {"reference", false}}));
        QCOMPARE(anchored.operators.size(), fixed.operators.size());
        for (std::size_t i = 0; i < fixed.operators.size(); ++i)
            QVERIFY(anchored.operators[i].op->dense() == fixed.operators[i].op->dense());
        QCOMPARE(anchored.report.method, std::string("lowrank.anchored"));
        QVERIFY(anchored.report.parameters == method.declaration.schema.complete(given));
        QVERIFY(anchored.report.warnings.empty() && !figure(anchored.report, "beta") && figure(anchored.report, "error-by-depth"));
    }

    void refusesWhatItCannotDo()
    {
        auto inputs = opened("vit20", nullptr);
        QVERIFY_EXCEPTION_THROWN(run(inputs, 0.6, with({})), Error);
        inputs.samples = images(2);
        QVERIFY_EXCEPTION_THROWN(run(inputs, 0.6, with({{"beta-min", 0.8}, {"beta-max", 0.2}})), Error);
        inputs.matrices = {"head"};
        QVERIFY_EXCEPTION_THROWN(run(inputs, 0.6, with({})), Error);
        inputs.matrices = {};
        auto silent = images(4);
        for (auto& sample : silent->samples)
            for (float& value : sample.image)
                value = std::numeric_limits<float>::infinity();
        inputs.samples = silent;
        try {
            run(inputs, 0.6, with({}));
            QFAIL("infinite inputs were taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
        }
    }

    /// Stopped in the middle: soon, and what was finished has been handed out.
    void stopsSoonAndKeepsWhatIsFinished()
    {
        const auto inputs = opened("tinylm", windows("calibration.npy", 48, 256));
        std::stop_source stop;
        test::StopClock clock;
        std::thread killer;
        std::atomic<int> finished = 0;
        const auto hear = [&](const lowrank::CompressedOperator&) {
            if (++finished == 3)
                killer = std::thread([&] {
                    std::this_thread::sleep_for(std::chrono::milliseconds(30)); // into the next runs
                    clock.ask(stop);
                });
        };
        bool cancelled = false;
        try {
            run(inputs, 0.6, with({}), RunContext(stop.get_token()), hear);
        } catch (const Error& error) {
            cancelled = error.code() == ErrorCode::Cancelled;
        }
        killer.join();
        const double waited = clock.seconds();
        QVERIFY(cancelled);
        QVERIFY(finished >= 3 && finished < 42);
        QVERIFY2(waited < test::kSoonSeconds, qPrintable(QString("%1 s").arg(waited)));
    }
};

TAMIS_BLAS_TEST_MAIN(TestSaes)
#include "tst_saes.moc"

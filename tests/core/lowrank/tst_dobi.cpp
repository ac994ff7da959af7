// SPDX-License-Identifier: GPL-3.0-or-later
// Trained ranks on the bundled models: budgets, weights, biases, gradients' effect, options, stops.
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/dobi_training.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/stored_compression.h"
#include "core/lowrank/targets.h"
#include "core/plan/apply_plan.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"
#include "tests/core/lowrank/dobi_runs.h"
#include "tests/core/measure/sample_list.h"

#include <QTemporaryDir>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

using namespace tamis;
using namespace tamis::test;
using tensor::Matrix;

namespace {
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";

lowrank::Inputs vit20(std::size_t count)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(kDatasets / "vit20");
    inputs.model = nn::Model::load(*inputs.checkpoint);
    auto list = std::make_shared<test::SampleList>();
    for (std::size_t s = 0; s < count; ++s) {
        const auto phase = test::gaussian(3, 4, 100 + s);
        measure::LoadedSample sample;
        for (std::int64_t c = 0; c < 3; ++c)
            for (int y = 0; y < 64; ++y)
                for (int x = 0; x < 64; ++x)
                    sample.image.push_back(static_cast<float>(phase(c, 0) + std::sin(0.1 * x * (1 + phase(c, 1)) + phase(c, 2)) + std::cos(0.15 * y + phase(c, 3))));
        list->samples.push_back(std::move(sample));
    }
    inputs.samples = list;
    return inputs;
}

} // namespace

class TestDobi : public QObject {
    Q_OBJECT
private slots:
    void wholeRanksUseTheBudgetUp_data();
    void wholeRanksUseTheBudgetUp();
    void budgetsThatCannotBeMet();
    void slopeOfTheShareIsThatOfTheUnits();
    void trainingBeatsUniformRanks();
    void weightsAreProjected();
    void biasesStayBehindTheSecondFactor();
    void everyOptionMeetsTheBudget_data();
    void everyOptionMeetsTheBudget();
    void remappedErrorsStayBelowTheirBounds();
    void ranksByHandAreKept();
    void gradientThatIsNoNumberIsNamed();
    void badRequestsAreRefused();
    void stopsSoonAndKeepsNothingHalf();
};

void TestDobi::wholeRanksUseTheBudgetUp_data()
{
    QTest::addColumn<int>("accounting");
    QTest::addColumn<double>("share");
    QTest::addColumn<int>("alignment");
    for (const auto accounting : {plan::Accounting::Factors, plan::Accounting::BlockIdentity, plan::Accounting::Remapped})
        for (const double share : {0.2, 0.4, 0.6, 0.9})
            for (const int alignment : {1, 8})
                QTest::addRow("%s %g %d", plan::accountingName(accounting).data(), share, alignment) << int(accounting) << share << alignment;
}

void TestDobi::wholeRanksUseTheBudgetUp()
{
    QFETCH(int, accounting);
    QFETCH(double, share);
    QFETCH(int, alignment);
    const std::vector<lowrank::MatrixShape> shapes{{128, 128}, {64, 128}, {352, 128}, {128, 352}, {384, 128}};
    const lowrank::RankBudget budget(plan::Accounting(accounting), share, alignment, shapes);
    for (const auto& wanted : {std::vector<double>{40, 20, 40, 40, 40}, {1e-3, 1, 100, 2, 60}, {5, 5, 5, 5, 5000}, {0, 0, 0, 0, 1}}) {
        const auto ranks = budget.whole(wanted);
        QVERIFY(budget.units(ranks) <= budget.allowed());
        for (std::size_t i = 0; i < ranks.size(); ++i) {
            QVERIFY(ranks[i] == lowrank::kStaysDense || (ranks[i] >= alignment && ranks[i] <= budget.largest(i) && ranks[i] % alignment == 0));
            if (ranks[i] == lowrank::kStaysDense)
                continue;
            auto more = ranks; // one step more of any matrix is too much
            more[i] = ranks[i] + alignment <= budget.largest(i) ? ranks[i] + alignment : lowrank::kStaysDense;
            QVERIFY(budget.units(more) > budget.allowed());
        }
    }
    const auto uniform = budget.uniform();
    QVERIFY(budget.units(uniform) <= budget.allowed());
}

void TestDobi::budgetsThatCannotBeMet()
{
    const QString said = failure([] { lowrank::RankBudget(plan::Accounting::Factors, 0.001, 32, {{128, 128}}); }, ErrorCode::InvalidParameter);
    QVERIFY2(said.contains("smallest ranks") && said.contains("8192"), qPrintable(said));
    // what is fixed counts: two matrices dense leave nothing for the third
    const QString fixed = failure([] { lowrank::RankBudget(plan::Accounting::Factors, 0.6, 1, {{128, 128}}, 2 * 16384, 2 * 16384); }, ErrorCode::InvalidParameter);
    QVERIFY2(fixed.contains("smallest ranks"), qPrintable(fixed));
}

void TestDobi::slopeOfTheShareIsThatOfTheUnits()
{
    const std::vector<lowrank::MatrixShape> shapes{{128, 96}, {352, 128}};
    for (const auto accounting : {plan::Accounting::Factors, plan::Accounting::BlockIdentity, plan::Accounting::Remapped}) {
        const lowrank::RankBudget budget(accounting, 0.5, 1, shapes);
        for (std::size_t i = 0; i < 2; ++i)
            for (const std::int64_t r : {1, 20, 40}) {
                const auto share = budget.share(i);
                const double expected = double(plan::budgetUnits(accounting, shapes[i].rows, shapes[i].cols, r)) / double(budget.dense());
                QVERIFY(std::abs(share.linear * double(r) + share.quadratic * double(r * r) - expected) < 1e-15);
            }
    }
}

void TestDobi::trainingBeatsUniformRanks()
{
    const auto inputs = tinylmWindows(16, 64);
    Parameters p;
    p.set("samples", std::int64_t{16});
    p.set("epochs", std::int64_t{8});
    p.set("backward", std::string("frozen"));
    const auto compression = lowrank::dobiMethod().compress(inputs, keep(0.3), p, {}, {});
    const double before = scalar(compression, "truncated loss, uniform ranks"), after = scalar(compression, "truncated loss, trained ranks");
    // at equal cost, on the samples that were trained on, of the truncated activations: that is what was optimised
    QVERIFY2(after < before - 0.01, qPrintable(QString("%1 after %2").arg(after).arg(before)));
    QVERIFY(compression.report.warnings.empty());
    const auto used = unitsUsed(compression, plan::Accounting::Factors), allowed = unitsAllowed(compression, plan::Accounting::Factors, 0.3);
    QVERIFY(used <= allowed);
    QVERIFY(allowed - used < 128 + 64); // less than one rank of the smallest matrix
    QCOMPARE(compression.report.figures.size(), std::size_t(3));
    QCOMPARE(compression.report.figures[0].series[0].points.size(), std::size_t(8));
    // the same again: training is deterministic
    const auto again = lowrank::dobiMethod().compress(inputs, keep(0.3), p, {}, {});
    for (std::size_t i = 0; i < again.operators.size(); ++i)
        QVERIFY(again.operators[i].op->dense() == compression.operators[i].op->dense());
}

void TestDobi::weightsAreProjected()
{
    // W' = V V^T W with V the r leading directions of the sum of the samples' projectors, by hand from the activations
    auto inputs = tinylmWindows(4, 48);
    const std::string name = "model.layers.1.self_attn.o_proj";
    inputs.matrices = {name};
    Parameters p = quick();
    p.set("epochs", std::int64_t{0});
    const auto compression = lowrank::dobiMethod().compress(inputs, keep(0.25), p, {}, {});
    QCOMPARE(compression.operators.size(), std::size_t(1));
    const std::int64_t rank = compression.operators[0].matrix.rank;
    QCOMPARE(rank, plan::rankForKeep(plan::Accounting::Factors, 128, 128, 0.25));
    struct Inputs final : nn::Observer {
        std::string wanted;
        Matrix<double> x;
        void linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows rows) override
        {
            if (slot.name != wanted)
                return;
            x = Matrix<double>(rows.rows, rows.cols);
            for (std::int64_t i = 0; i < rows.rows; ++i)
                for (std::int64_t j = 0; j < rows.cols; ++j)
                    x(i, j) = double(rows(i, j));
        }
    };
    const auto w = test::toDoubles(inputs.model->find(name)->op->dense());
    Matrix<double> sum(128, 128);
    for (std::size_t s = 0; s < 4; ++s) {
        measure::LoadedSample sample;
        inputs.samples->load(s, sample);
        Inputs observer;
        observer.wanted = name;
        nn::Scratch scratch;
        Matrix<float> out(inputs.model->outputRows(sample.view()), inputs.model->outputWidth());
        inputs.model->run(sample.view(), out.view(), scratch, 0, &observer);
        const auto y = test::multiply(observer.x, test::transposed(w));
        const auto space = train::rowSpace(y.view());
        for (std::int64_t k = 0; k < rank; ++k)
            for (std::int64_t i = 0; i < 128; ++i)
                for (std::int64_t j = 0; j < 128; ++j)
                    sum(i, j) += space.v(k, i) * space.v(k, j);
    }
    const auto eigen = linalg::symmetricEigen(sum);
    Matrix<double> v(rank, 128);
    std::copy_n(eigen.vectors.data(), v.size(), v.data());
    const auto expected = test::multiply(test::transposed(v), test::multiply(v, w));
    const auto found = test::toDoubles(compression.operators[0].op->dense());
    // activations in float turn singular vectors by 1e-7 over the gap of their values, the sum's over its own
    QVERIFY2(test::maxAbs(test::difference(found, expected)) < 2e-3 * test::maxAbs(expected),
             qPrintable(QString::number(test::maxAbs(test::difference(found, expected)) / test::maxAbs(expected))));
    // and it is a projection of W: doing it once more changes nothing
    const auto twice = test::multiply(test::transposed(v), test::multiply(v, expected));
    QVERIFY(test::maxAbs(test::difference(twice, expected)) < 1e-12);
}

void TestDobi::biasesStayBehindTheSecondFactor()
{
    auto inputs = vit20(4);
    inputs.matrices = {"blocks.2.attn.qkv", "blocks.2.mlp.fc2"};
    const auto compression = lowrank::dobiMethod().compress(inputs, keep(0.5), quick(), {}, {});
    QCOMPARE(compression.operators.size(), std::size_t(2));
    for (const auto& each : compression.operators) {
        const auto& dense = *inputs.model->find(each.name)->op;
        QVERIFY(!dense.bias().empty());
        QCOMPARE(each.op->bias(), dense.bias());
        Matrix<float> zero(1, dense.inFeatures()), y(1, dense.outFeatures());
        nn::Scratch scratch;
        each.op->apply(zero.view(), {}, y.view(), scratch);
        for (std::int64_t j = 0; j < y.cols(); ++j)
            QCOMPARE(y(0, j), dense.bias()[std::size_t(j)]); // an input of zeros gives the bias, not a projection of it
    }
    QTemporaryDir directory;
    const auto plan = lowrank::storeCompression(inputs, keep(0.5), compression, directory.filePath("kept").toStdString());
    QCOMPARE(plan::readStoredOperators(plan).size(), std::size_t(2));
}

void TestDobi::everyOptionMeetsTheBudget_data()
{
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("value");
    QTest::addColumn<int>("accounting");
    const auto row = [](const char* name, const char* value, plan::Accounting accounting = plan::Accounting::Factors) {
        QTest::addRow("%s %s %s", name, value, plan::accountingName(accounting).data()) << QString(name) << QString(value) << int(accounting);
    };
    row("backward", "exact");
    row("backward", "projection");
    row("backward", "frozen", plan::Accounting::BlockIdentity);
    row("gate", "hard-concrete");
    row("gate", "hard-concrete", plan::Accounting::BlockIdentity);
    row("loss", "cross-entropy", plan::Accounting::Remapped);
    row("error-weight", "10");
    row("group", "2");
    row("update", "weighted");
    row("update", "median", plan::Accounting::Remapped);
    row("beta", "2");
}

void TestDobi::everyOptionMeetsTheBudget()
{
    QFETCH(QString, name);
    QFETCH(QString, value);
    QFETCH(int, accounting);
    auto inputs = tinylmWindows(8, 32);
    inputs.matrices = {"model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj", "model.layers.3.mlp.up_proj", "model.layers.3.mlp.down_proj"};
    const auto method = lowrank::dobiMethod();
    Parameters p = quick();
    p.set(name.toStdString(), method.declaration.schema.parse(name.toStdString(), value.toStdString()));
    std::size_t told = 0;
    const auto compression = method.compress(inputs, keep(0.4, plan::Accounting(accounting)), p, {}, [&](const lowrank::CompressedOperator&) { ++told; });
    QCOMPARE(told, compression.operators.size());
    QVERIFY(told > 0);
    const auto used = unitsUsed(compression, plan::Accounting(accounting)), allowed = unitsAllowed(compression, plan::Accounting(accounting), 0.4);
    QVERIFY(used <= allowed);
    QVERIFY(allowed - used <= 2 * (128 + 352)); // less than a rank of the widest
    const char* kinds[] = {"factors", "block-identity", "remapped"};
    for (const auto& each : compression.operators)
        QCOMPARE(each.op->kind(), std::string_view(kinds[accounting]));
    QVERIFY(std::isfinite(scalar(compression, "truncated loss, trained ranks")));
    QCOMPARE(scalar(compression, "share of the budget used") <= 1, true);
    const auto model = lowrank::compressed(*inputs.model, compression);
    QVERIFY(model->find("model.layers.3.mlp.up_proj")->op->kind() != std::string_view("dense") || told < 4);
}

void TestDobi::remappedErrorsStayBelowTheirBounds()
{
    auto inputs = tinylmWindows(4, 32);
    inputs.matrices = {"model.layers.0.self_attn.q_proj", "model.layers.3.mlp.down_proj"};
    Parameters p = quick();
    p.set("epochs", std::int64_t{0});
    const auto compression = lowrank::dobiMethod().compress(inputs, keep(0.4, plan::Accounting::Remapped), p, {}, {});
    const auto& figure = compression.report.figures.back();
    QCOMPARE(figure.id, std::string("quantisation-error"));
    QCOMPARE(figure.series[0].points.size(), std::size_t(2));
    for (std::size_t i = 0; i < 2; ++i) {
        QVERIFY(figure.series[0].points[i].y > 0);
        QVERIFY(figure.series[0].points[i].y <= figure.series[1].points[i].y);
    }
    // twice the rank of two 16-bit factors at equal bytes: rank 0.4 min(m, n)
    for (const auto& each : compression.operators) {
        QVERIFY(each.matrix.rank >= 50 && each.matrix.rank <= 52);
        const double bytes = double(each.matrix.cost.bytes), wanted = 0.4 * 2 * double(each.matrix.rows * each.matrix.cols);
        QVERIFY(bytes < 1.06 * wanted); // 128 x 128 at rank 51: 716 bytes of scales on 13107
    }
}

void TestDobi::ranksByHandAreKept()
{
    auto inputs = tinylmWindows(4, 32);
    inputs.matrices = {"model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj", "model.layers.0.self_attn.o_proj"};
    auto budget = keep(0.5);
    budget.overrides["model.layers.0.self_attn.q_proj"].rank = 11;
    budget.overrides["model.layers.0.self_attn.k_proj"].locked = true;
    const auto compression = lowrank::dobiMethod().compress(inputs, budget, quick(), {}, {});
    QCOMPARE(compression.report.matrices.size(), std::size_t(3));
    QCOMPARE(compression.report.matrices[0].rank, std::int64_t(11));
    QCOMPARE(compression.report.matrices[1].layout, std::string("dense"));
    QVERIFY(unitsUsed(compression, plan::Accounting::Factors) <= unitsAllowed(compression, plan::Accounting::Factors, 0.5));
    QVERIFY(compression.report.matrices[2].rank > 30); // the third takes what they leave
}

void TestDobi::gradientThatIsNoNumberIsNamed()
{
    // a budget penalty beyond float's range: the ranks' gradients are infinite, the first step says whose
    auto inputs = tinylmWindows(4, 32);
    inputs.matrices = {"model.layers.0.self_attn.q_proj"};
    const std::vector<std::string> none;
    const auto* matrix = &*std::ranges::find(inputs.checkpoint->layout().matrices, inputs.matrices[0], &io::MatrixRef::name);
    const lowrank::RankBudget budget(plan::Accounting::Factors, 0.4, 1, {{128, 128}});
    lowrank::DobiSettings settings;
    settings.samples = 4;
    settings.batch = 4;
    settings.budgetWeight = 1e300;
    std::vector<std::string> warnings;
    lowrank::DobiTraining training(inputs, {matrix}, budget, settings, warnings, {});
    const QString said = failure([&] { training.train({}); }, ErrorCode::NonFinite);
    QVERIFY2(said.contains("step 0") && (said.contains("q_proj") || said.contains("loss")), qPrintable(said));
}

void TestDobi::badRequestsAreRefused()
{
    auto inputs = tinylmWindows(4, 32);
    const auto method = lowrank::dobiMethod();
    Parameters p = quick();
    p.set("update", std::string("whitened"));
    QVERIFY(failure([&] { method.compress(inputs, keep(0.5), p, {}, {}); }, ErrorCode::InvalidParameter).contains("calibration set"));
    p = quick();
    p.set("group", std::int64_t{8});
    QVERIFY(failure([&] { method.compress(inputs, keep(0.5), p, {}, {}); }, ErrorCode::InvalidParameter).contains("decomposed together"));
    auto budget = keep(0.001);
    budget.alignment = 32;
    QVERIFY(failure([&] { method.compress(inputs, budget, quick(), {}, {}); }, ErrorCode::InvalidParameter).contains("smallest ranks"));
    budget = keep(0.5);
    budget.unit = plan::BudgetUnit::Latency;
    QVERIFY(failure([&] { method.compress(inputs, budget, quick(), {}, {}); }, ErrorCode::InvalidParameter).contains("latency"));
    inputs.samples = nullptr;
    QVERIFY(failure([&] { method.compress(inputs, keep(0.5), quick(), {}, {}); }, ErrorCode::InvalidParameter).contains("samples"));
}

void TestDobi::stopsSoonAndKeepsNothingHalf()
{
    const auto inputs = tinylmWindows(8, 128);
    std::stop_source stop;
    test::StopClock clock;
    const RunContext context(stop.get_token());
    std::jthread stopper([&] {
        while (context.fraction() < 0.14) // the samples are a tenth of the run: this is in training, whatever the machine
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        clock.ask(stop);
    });
    Parameters p;
    p.set("epochs", std::int64_t{30});
    QVERIFY(failure([&] { lowrank::dobiMethod().compress(inputs, keep(0.5), p, context, {}); }, ErrorCode::Cancelled).size() > 0);
    const double waited = clock.seconds();
    QVERIFY2(waited < test::kSoonSeconds, qPrintable(QString("%1 s").arg(waited)));
}

TAMIS_BLAS_TEST_MAIN(TestDobi)
#include "tst_dobi.moc"

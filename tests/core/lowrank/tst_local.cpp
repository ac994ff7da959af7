// SPDX-License-Identifier: GPL-3.0-or-later
// lowrank.local on the bundled models: reported losses are those of the operators, junctions are loss-neutral and cost what they
// say, the cache is used, partial results arrive on the caller's thread, and what cannot be done is said.
#include "core/lowrank/local.h"

#include "core/base/error.h"
#include "core/lowrank/decomposition.h"
#include "core/lowrank/decomposition_cache.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/preconditioner_chart.h"
#include "core/nn/scratch.h"
#include "tests/core/linalg/matrices.h"
#include "tests/core/lowrank/lab_models.h"
#include "tests/core/spectrum/small_workspace.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <map>
#include <thread>

using namespace tamis;
using namespace tamis::lowrank;

namespace {
const std::vector<std::string> kSome{"blocks.0.attn.qkv", "blocks.2.attn.proj", "blocks.3.mlp.fc1", "blocks.5.mlp.fc2"};

Inputs someOfVit20()
{
    Inputs inputs = test::vit20Inputs();
    inputs.matrices = kSome;
    return inputs;
}

Parameters with(std::initializer_list<std::pair<const char*, const char*>> settings)
{
    Parameters parameters;
    for (const auto& [name, value] : settings)
        parameters.set(name, localMethod().declaration.schema.parse(name, value));
    return parameters;
}

plan::BudgetRequest budgetOf(double keep, plan::Accounting accounting = plan::Accounting::Factors)
{
    plan::BudgetRequest budget;
    budget.keep = keep;
    budget.allocation = plan::Allocation::Uniform;
    budget.accounting = accounting;
    return budget;
}

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& parameters = {})
{
    return localMethod().compress(inputs, budget, parameters, {}, {});
}

std::vector<float> outputOf(const nn::LinearOp& op, const tensor::Matrix<float>& x)
{
    tensor::Matrix<float> y(x.rows(), op.outFeatures());
    nn::Scratch scratch(false);
    op.apply(x.view(), {}, y.view(), scratch);
    return {y.values().begin(), y.values().end()};
}
} // namespace

class TestLocal : public QObject {
    Q_OBJECT
private slots:
    void reportsWhatItsOperatorsLose()
    {
        const Inputs inputs = someOfVit20();
        for (const char* preconditioner : {"output-pca", "root-covariance", "abs-mean", "identity"}) {
            const Compression result = compress(inputs, budgetOf(0.5), with({{"preconditioner", preconditioner}}));
            QCOMPARE(result.operators.size(), kSome.size());
            for (const CompressedOperator& each : result.operators) {
                const auto& m = each.matrix;
                const auto& matrices = inputs.checkpoint->layout().matrices;
                const auto ref = std::ranges::find(matrices, each.name, &io::MatrixRef::name);
                const auto decomposition = decompositionOf(inputs, *ref, {parsePreconditioner(preconditioner), 0.5, 0});
                QCOMPARE(m.rank, plan::rankForKeep(plan::Accounting::Factors, m.rows, m.cols, 0.5));
                const auto rank = static_cast<std::size_t>(m.rank);
                // float32 factors against double ones: products of numbers with 6e-8 relative rounding
                QVERIFY(std::abs(m.loss - decomposition->loss[rank]) <= 1e-6 * m.loss);
                QVERIFY(std::abs(m.heldOutLoss - decomposition->heldOut[rank]) <= 1e-5 * m.heldOutLoss);
                QCOMPARE(m.minimumLoss, decomposition->minimum[rank]);
                QVERIFY(m.loss >= m.minimumLoss * (1 - 1e-6));
                QVERIFY(m.keep <= 0.5);
                QVERIFY(each.op->bias() == inputs.model->find(each.name)->op->bias());
                QVERIFY(m.condition >= 1 && m.maxCoefficient > 0);
            }
            QVERIFY(result.report.achievedKeep <= 0.5);
            QCOMPARE(result.report.matrices.size(), kSome.size());
        }
    }
    void whitenedBeatsScaledBeatsPlain()
    {
        Inputs inputs = test::vit20Inputs();
        for (const char* block : {"blocks.0.", "blocks.3."})
            for (const char* matrix : {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"})
                inputs.matrices.push_back(std::string(block) + matrix);
        std::map<std::string, report::LowRankReport> reports;
        for (const char* each : {"output-pca", "root-covariance", "cholesky", "eigen", "diagonal-l2", "identity"})
            reports[each] = compress(inputs, budgetOf(0.6), with({{"preconditioner", each}, {"ridge", "1e-8"}})).report;
        QCOMPARE(reports["output-pca"].matrices.size(), inputs.matrices.size());
        for (const char* same : {"root-covariance", "cholesky", "eigen"})
            QVERIFY(std::abs(reports[same].relativeLoss() / reports["output-pca"].relativeLoss() - 1) < 1e-5);
        QVERIFY(reports["output-pca"].relativeLoss() < reports["diagonal-l2"].relativeLoss());
        QVERIFY(reports["diagonal-l2"].relativeLoss() < reports["identity"].relativeLoss());
        QVERIFY(reports["output-pca"].heldOutRelativeLoss() < reports["identity"].heldOutRelativeLoss());
    }
    void junctionsAreLossNeutralAndCostWhatTheySay()
    {
        const Inputs inputs = someOfVit20();
        const Compression right = compress(inputs, budgetOf(0.6), with({{"junction", "right"}}));
        const auto x = test::gaussianFloat(5, 512, 3);
        for (const char* junction : {"auto", "identity", "symmetric", "left", "block-identity", "optimised"})
            for (const char* objective : {"f16-rounding", "amplification"}) {
                const Compression other = compress(inputs, budgetOf(0.6), with({{"junction", junction}, {"junction-objective", objective}}));
                for (std::size_t i = 0; i < right.operators.size(); ++i) {
                    const auto &a = right.operators[i].matrix, &b = other.operators[i].matrix;
                    QCOMPARE(a.rank, b.rank);
                    QVERIFY2(std::abs(a.loss - b.loss) <= 1e-6 * a.loss, junction);
                    const auto saved = std::string(junction) == "block-identity" ? static_cast<std::uint64_t>(a.rank * a.rank) : 0u;
                    QCOMPARE(b.cost.parameters, a.cost.parameters - saved);
                    QCOMPARE(b.cost.macs, a.cost.macs - saved);
                    QCOMPARE(b.layout, std::string(saved ? "block-identity" : "factors"));
                    QVERIFY(std::isfinite(b.condition) && b.condition >= 1 && b.maxCoefficient > 0);
                    // What runs is what was measured: outputs agree to float rounding of inner products of 512
                    const tensor::Matrix<float> rows = [&] {
                        tensor::Matrix<float> cut(5, a.cols);
                        for (std::int64_t t = 0; t < 5; ++t)
                            std::copy_n(x.data() + t * 512, a.cols, cut.data() + t * a.cols);
                        return cut;
                    }();
                    const auto ya = outputOf(*right.operators[i].op, rows), yb = outputOf(*other.operators[i].op, rows);
                    double worst = 0, size = 0;
                    for (std::size_t k = 0; k < ya.size(); ++k) {
                        worst = std::max(worst, std::abs(static_cast<double>(ya[k]) - yb[k]));
                        size = std::max(size, std::abs(static_cast<double>(ya[k])));
                    }
                    QVERIFY2(worst <= 2e-5 * size, junction);
                }
            }
    }
    void blockIdentityAccountingSpendsTheSavingOnRank()
    {
        const Inputs inputs = someOfVit20();
        const Compression factors = compress(inputs, budgetOf(0.6)), block = compress(inputs, budgetOf(0.6, plan::Accounting::BlockIdentity));
        for (std::size_t i = 0; i < kSome.size(); ++i) {
            QVERIFY(block.operators[i].matrix.rank > factors.operators[i].matrix.rank);
            QVERIFY(block.operators[i].matrix.loss < factors.operators[i].matrix.loss);
            QVERIFY(block.operators[i].matrix.keep <= 0.6);
            QVERIFY(block.operators[i].matrix.maxCoefficient < 20); // pivoting keeps them small
        }
        QVERIFY_THROWS_EXCEPTION(Error, compress(inputs, budgetOf(0.6, plan::Accounting::BlockIdentity), with({{"junction", "symmetric"}})));
    }
    void remappedKeepsMoreRankInItsBytes()
    {
        const Inputs inputs = someOfVit20();
        const Compression factors = compress(inputs, budgetOf(0.5)), remapped = compress(inputs, budgetOf(0.5, plan::Accounting::Remapped));
        for (std::size_t i = 0; i < kSome.size(); ++i) {
            QCOMPARE(remapped.operators[i].matrix.layout, std::string("remapped"));
            QVERIFY(remapped.operators[i].matrix.rank > factors.operators[i].matrix.rank);
            QVERIFY(remapped.operators[i].matrix.loss < factors.operators[i].matrix.loss);
        }
        for (const char* junction : {"block-identity", "left", "optimised"})
            QVERIFY_THROWS_EXCEPTION(Error, compress(inputs, budgetOf(0.5, plan::Accounting::Remapped), with({{"junction", junction}})));
    }
    void aWeightOfLowerRankLowersTheRank()
    {
        // Rank 5 of 12, no model: a block identity of more than five rows cannot be.
        auto w = test::multiply(test::gaussian(16, 5, 1), test::gaussian(5, 12, 2));
        const test::SmallWorkspace workspace({{"blocks.0.attn.proj", w}}, {test::makeSite("blocks.0.attn.proj", test::gaussian(60, 12, 3), 10, test::gaussian(5, 12, 4))});
        Inputs inputs;
        inputs.checkpoint = workspace.inputs().checkpoint;
        inputs.calibration = workspace.inputs().calibration;
        inputs.matrices = {"blocks.0.attn.proj"};
        const Compression result = compress(inputs, budgetOf(0.9, plan::Accounting::BlockIdentity));
        QCOMPARE(result.operators.size(), std::size_t{1});
        QCOMPARE(result.operators[0].matrix.rank, std::int64_t{5});
        QVERIFY(!result.operators[0].matrix.warnings.empty());
        QVERIFY(result.operators[0].matrix.loss <= 1e-10 * result.operators[0].matrix.energy); // float32 of an exact pair
    }
    void optimisedJunctionsReportBeforeAndAfter()
    {
        const Inputs inputs = someOfVit20();
        for (const char* objective : {"f16-rounding", "amplification"}) {
            const auto report = compress(inputs, budgetOf(0.6), with({{"junction", "optimised"}, {"junction-objective", objective}})).report;
            QCOMPARE(report.scalars.size(), 2 + 2 * kSome.size());
            for (std::size_t i = 0; i + 1 < report.scalars.size(); i += 2) {
                QVERIFY(report.scalars[i].first.ends_with("symmetric") && report.scalars[i + 1].first.ends_with("optimised"));
                QVERIFY2(report.scalars[i + 1].second <= report.scalars[i].second * (1 + 1e-9), report.scalars[i].first.c_str());
            }
            QVERIFY(report.scalars[1].second < 0.999 * report.scalars[0].second);
        }
    }
    void halfFactorsLoseALittleMore()
    {
        const Inputs inputs = someOfVit20();
        for (const char* junction : {"symmetric", "block-identity"}) {
            const Compression full = compress(inputs, budgetOf(0.6), with({{"junction", junction}}));
            const Compression half = compress(inputs, budgetOf(0.6), with({{"junction", junction}, {"factor-dtype", "float16"}}));
            for (std::size_t i = 0; i < kSome.size(); ++i) {
                const auto &a = full.operators[i].matrix, &b = half.operators[i].matrix;
                QVERIFY(b.loss > a.loss);
                QVERIFY(b.loss < a.loss + 1e-5 * a.energy);
                QCOMPARE(b.layout, a.layout);
                for (const auto& tensor : half.operators[i].op->tensors("x"))
                    if (!tensor.name.ends_with("bias"))
                        for (const float value : tensor.values) { // eleven bits of mantissa, multiples of 2^-24
                            int exponent = 0;
                            const float mantissa = std::ldexp(std::frexp(value, &exponent), 11);
                            QVERIFY(std::abs(value) <= 65504.0f && std::ldexp(value, 24) == std::nearbyint(std::ldexp(value, 24)));
                            QVERIFY(mantissa == std::nearbyint(mantissa));
                        }
            }
        }
    }
    void anotherRankMakesNoDecomposition()
    {
        const Inputs inputs = someOfVit20();
        (void)compress(inputs, budgetOf(0.9));
        const auto before = sharedCache().use();
        for (const double keep : {0.7, 0.5, 0.3})
            (void)compress(inputs, budgetOf(keep), with({{"junction", keep > 0.6 ? "left" : "block-identity"}}));
        QCOMPARE(sharedCache().use().misses, before.misses);
        QCOMPARE(sharedCache().use().hits, before.hits + 3 * kSome.size());
    }
    void partialResultsArriveOnTheCallersThread()
    {
        const Inputs inputs = someOfVit20();
        std::vector<std::string> names;
        const auto owner = std::this_thread::get_id();
        bool foreign = false;
        (void)localMethod().compress(inputs, budgetOf(0.5), {}, {}, [&](const CompressedOperator& op) {
            names.push_back(op.name);
            foreign = foreign || std::this_thread::get_id() != owner;
        });
        QVERIFY(!foreign);
        std::ranges::sort(names);
        QCOMPARE(names, kSome);
        std::stop_source source;
        std::size_t seen = 0;
        sharedCache().clear();
        try {
            (void)localMethod().compress(inputs, budgetOf(0.5), {}, RunContext(source.get_token()), [&](const CompressedOperator&) {
                ++seen;
                source.request_stop();
            });
            QFAIL("went on after a stop");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QCOMPARE(seen, std::size_t{1}); // whatever else was ready by then
    }
    void aLanguageModelWithoutBiasesAndSharedInputs()
    {
        QTemporaryDir folder;
        const Inputs inputs = test::tinylmInputs(folder.path().toStdString(), 12);
        const Compression result = compress(inputs, budgetOf(0.6));
        QCOMPARE(result.operators.size(), std::size_t{42});
        for (const auto& each : result.operators)
            QVERIFY(each.op->bias().empty());
        QVERIFY(result.report.relativeLoss() < 0.3);
        const auto model = lowrank::compressed(*inputs.model, result);
        QVERIFY(model->find(result.operators[3].name)->op == result.operators[3].op);
    }
    void theChartHoldsAllThatTheCalibrationAllows()
    {
        const Inputs inputs = test::vit20Inputs();
        const auto figure = preconditionerChart(inputs, "blocks.2.attn.proj", with({{"ridge", "1e-6"}}), {});
        QCOMPARE(figure.series.size(), std::size_t{20}); // 12 less two that need gradients, calibration and held-out
        for (std::size_t i = 0; i < figure.series.size(); i += 2) {
            QVERIFY(!figure.series[i].dashed && figure.series[i + 1].dashed);
            QCOMPARE(figure.series[i].group, figure.series[i + 1].group);
            QCOMPARE(figure.series[i].points.front(), (report::Point{0.0, 1.0}));
            QCOMPARE(figure.series[i].points.back().x, 128.0);
            for (std::size_t k = 0; k < figure.series[i].points.size(); ++k) // the first one is the optimum
                QVERIFY(figure.series[i].points[k].y >= figure.series[0].points[k].y - 1e-9);
        }
        QVERIFY_THROWS_EXCEPTION(Error, preconditionerChart(inputs, "blocks.9.attn.proj", {}, {}));
        Inputs without = inputs;
        without.calibration = nullptr;
        QVERIFY_THROWS_EXCEPTION(Error, preconditionerChart(without, "blocks.2.attn.proj", {}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, compress(without, budgetOf(0.5)));
        QVERIFY_THROWS_EXCEPTION(Error, compress(someOfVit20(), budgetOf(0.5), with({{"preconditioner", "fisher"}})));
    }
};

QTEST_GUILESS_MAIN(TestLocal)
#include "tst_local.moc"

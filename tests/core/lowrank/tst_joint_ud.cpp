// SPDX-License-Identifier: GPL-3.0-or-later
// Joint up and down projections on the bundled models: what the kept factors lose, on rows that were not fitted, beside separate ones.
#include "core/base/parallel.h"
#include "core/lowrank/joint_ud.h"
#include "core/lowrank/mlp_rows.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

namespace {
plan::BudgetRequest keep(double share)
{
    plan::BudgetRequest budget;
    budget.keep = share;
    budget.allocation = plan::Allocation::Uniform;
    return budget;
}

double scalar(const report::LowRankReport& report, const std::string& name)
{
    const auto found = std::ranges::find(report.scalars, name, [](const auto& each) { return each.first; });
    return found == report.scalars.end() ? std::nan("") : found->second;
}

/// Output of a block's MLP on rows [t, n], by the operators that the model runs.
tensor::Matrix<float> mlpOutput(const nn::Model& model, std::size_t layer, const tensor::Matrix<float>& x)
{
    nn::Scratch scratch(true);
    const nn::Block& block = model.blocks()[layer];
    const auto apply = [&](const nn::LinearSlot& slot, const tensor::Matrix<float>& in, kernels::Activation activation) {
        tensor::Matrix<float> y(in.rows(), slot.op->outFeatures());
        kernels::Epilogue epilogue;
        epilogue.activation = activation;
        slot.op->apply(in.view(), epilogue, y.view(), scratch);
        return y;
    };
    tensor::Matrix<float> hidden = apply(block.up, x, block.spec.mlp.gated ? kernels::Activation::None : block.spec.mlp.activation);
    if (block.spec.mlp.gated) {
        const auto gate = apply(block.gate, x, block.spec.mlp.activation);
        for (std::size_t i = 0; i < hidden.size(); ++i)
            hidden.values()[i] *= gate.values()[i];
    }
    return apply(block.down, hidden, kernels::Activation::None);
}

double relativeError(const tensor::Matrix<float>& exact, const tensor::Matrix<float>& found, const std::vector<float>& bias)
{
    double error = 0, size = 0;
    for (std::int64_t i = 0; i < exact.rows(); ++i)
        for (std::int64_t j = 0; j < exact.cols(); ++j) {
            const double b = bias.empty() ? 0 : static_cast<double>(bias[static_cast<std::size_t>(j)]);
            error += std::pow(static_cast<double>(exact(i, j)) - static_cast<double>(found(i, j)), 2);
            size += std::pow(static_cast<double>(exact(i, j)) - b, 2);
        }
    return error / size;
}
} // namespace

class TestJointUd : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    lowrank::Inputs m_tinylm;

    /// The reported errors of the first block, measured by running the operators on the very rows that were held out.
    void checkFirstLayer(const lowrank::Inputs& inputs, const lowrank::Compression& compression, const tensor::Matrix<float>& rows)
    {
        const auto model = lowrank::compressed(*inputs.model, compression);
        const auto separate = lowrank::compressed(*inputs.model, lowrank::findMethod("lowrank.local")->compress(inputs, keep(compression.report.keep), {}, {}, {}));
        const auto& bias = inputs.model->blocks()[0].down.op->bias();
        const auto exact = mlpOutput(*inputs.model, 0, rows);
        const double joint = relativeError(exact, mlpOutput(*model, 0, rows), bias), apart = relativeError(exact, mlpOutput(*separate, 0, rows), bias);
        // float products of some hundred terms and factors rounded to float: 1e-3 of the errors, which are of the size of a percent
        QVERIFY2(std::abs(joint - scalar(compression.report, "output error of layer 0, joint")) < 1e-3 * joint, qPrintable(QString::number(joint)));
        QVERIFY2(std::abs(apart - scalar(compression.report, "output error of layer 0, separate")) < 1e-3 * apart, qPrintable(QString::number(apart)));
        QVERIFY2(joint <= apart * (1 + 1e-3), qPrintable(QString("%1, separate %2").arg(joint).arg(apart))); // equal but for rounding where the separate ones are kept
    }

private slots:
    void initTestCase() { m_tinylm = test::tinylmInputs(m_directory.path().toStdString()); }

    void swiglu()
    {
        Parameters parameters;
        parameters.set("rows", std::int64_t(1000));
        parameters.set("iterations", std::int64_t(2));
        const auto inputs = m_tinylm;
        std::size_t finished = 0;
        const auto compression = lowrank::findMethod("lowrank.joint-ud")->compress(inputs, keep(0.5), parameters, {}, [&](const auto&) { ++finished; });
        QCOMPARE(compression.operators.size(), std::size_t(42));
        QCOMPARE(finished, std::size_t(42));
        QVERIFY(compression.report.achievedKeep <= 0.5);
        int better = 0;
        for (int layer = 0; layer < 6; ++layer) {
            const std::string name = "output error of layer " + std::to_string(layer);
            const double joint = scalar(compression.report, name + ", joint"), separate = scalar(compression.report, name + ", separate");
            QVERIFY(joint > 0 && joint <= separate);
            better += joint < 0.98 * separate;
        }
        QVERIFY2(better >= 4, qPrintable(QString::number(better))); // of six layers
        checkFirstLayer(inputs, compression, lowrank::collectRows(inputs, {"model.layers.0.mlp.up_proj"}, 1000, {}).begin()->second.check);
        // attention is left to the whitened factors, which none undercuts; the figures tell each round
        for (const auto& matrix : compression.report.matrices)
            if (matrix.role == "q" || matrix.role == "o")
                QVERIFY(std::abs(matrix.loss - matrix.minimumLoss) < 1e-4 * matrix.loss);
            else
                QVERIFY2(matrix.loss >= matrix.minimumLoss * (1 - 1e-6), matrix.name.c_str());
        const auto& figures = compression.report.figures;
        QCOMPARE(figures.size(), std::size_t(2));
        QCOMPARE(figures[0].series.size(), std::size_t(6));
        QCOMPARE(figures[0].series[0].points.size(), std::size_t(1 + 2 * 4));
        for (const auto& series : figures[0].series)
            for (std::size_t i = 1; i < series.points.size(); ++i)
                QVERIFY(series.points[i].y <= series.points[i - 1].y * (1 + 1e-12));
        QCOMPARE(figures[1].series.size(), std::size_t(12));
        QCOMPARE(figures[1].series[0].points.size(), std::size_t(3));
    }

    /// GELU with biases; without samples the file's rows serve, and it says so.
    void gelu()
    {
        auto inputs = test::vit20Inputs();
        inputs.matrices = {"blocks.0.mlp.fc1", "blocks.0.mlp.fc2", "blocks.3.mlp.fc1", "blocks.1.attn.proj"};
        Parameters parameters;
        parameters.set("iterations", std::int64_t(1));
        const auto compression = lowrank::findMethod("lowrank.joint-ud")->compress(inputs, keep(0.4), parameters, {}, {});
        QCOMPARE(compression.operators.size(), std::size_t(4));
        QVERIFY(compression.report.warnings.size() >= 1 && compression.report.warnings[0].starts_with("There are no samples"));
        QVERIFY(std::isnan(scalar(compression.report, "output error of layer 3, joint"))); // half an MLP is no MLP
        checkFirstLayer(inputs, compression, inputs.calibration->read("blocks.0.mlp.fc1").heldOut);
    }

    /// A budget that replaces nothing, and a block-identity budget.
    void otherBudgets()
    {
        const auto none = lowrank::findMethod("lowrank.joint-ud")->compress(m_tinylm, keep(1), {}, {}, {});
        QVERIFY(none.operators.empty());
        QVERIFY(none.report.warnings.size() == 1 && none.report.warnings[0].starts_with("No block has an MLP"));
        auto inputs = m_tinylm;
        inputs.matrices = {"model.layers.1.mlp.up_proj", "model.layers.1.mlp.gate_proj", "model.layers.1.mlp.down_proj"};
        Parameters parameters;
        parameters.set("rows", std::int64_t(2000));
        parameters.set("gate-steps", std::int64_t(0));
        parameters.set("iterations", std::int64_t(1));
        auto budget = keep(0.5);
        budget.accounting = plan::Accounting::BlockIdentity;
        const auto compression = lowrank::findMethod("lowrank.joint-ud")->compress(inputs, budget, parameters, {}, {});
        QCOMPARE(compression.operators.size(), std::size_t(3));
        QCOMPARE(std::string(compression.operators[0].op->kind()), std::string("block-identity"));
        const double joint = scalar(compression.report, "output error of layer 1, joint");
        const double separate = scalar(compression.report, "output error of layer 1, separate");
        QVERIFY2(joint > 0 && joint <= separate, qPrintable(QString("%1, separate %2").arg(joint).arg(separate)));
    }

    /// Rows are those of the forward pass, parted by samples, and the same for one thread.
    void rowsAreThoseOfTheModel()
    {
        const auto rows = lowrank::collectRows(m_tinylm, {"model.layers.2.mlp.up_proj"}, 48, {}).begin()->second;
        QCOMPARE(rows.fit.rows(), std::int64_t(40)); // 24 samples, 2 rows each, every fifth sample's apart
        QCOMPARE(rows.check.rows(), std::int64_t(8));
        struct Seen : nn::Observer {
            tensor::Matrix<float> rows;
            void linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows x) override
            {
                if (slot.name != "model.layers.2.mlp.up_proj")
                    return;
                rows = tensor::Matrix<float>(x.rows, x.cols);
                for (std::int64_t i = 0; i < x.rows; ++i)
                    std::ranges::copy(x.row(i), rows.view().row(i).begin());
            }
        } seen;
        measure::LoadedSample sample;
        m_tinylm.samples->load(4, sample);
        const nn::Sample view = sample.view();
        nn::runBatch(*m_tinylm.model, {&view, 1}, {}, &seen);
        for (std::int64_t i = 0; i < 2; ++i) // the middles of both halves of 128 tokens; products in another order of threads: float rounding
            for (std::int64_t j = 0; j < rows.check.cols(); ++j)
                QVERIFY(std::abs(rows.check(i, j) - seen.rows(32 + 64 * i, j)) < 1e-5F * (1 + std::abs(rows.check(i, j))));
        const ThreadLimit one(1);
        QVERIFY(lowrank::collectRows(m_tinylm, {"model.layers.2.mlp.up_proj"}, 48, {}).begin()->second.fit == rows.fit);
    }

    void badInputIsRefused()
    {
        auto inputs = m_tinylm;
        Parameters parameters;
        parameters.set("iterations", std::int64_t(0));
        QVERIFY(test::refusal([&] { (void)lowrank::jointUdMethod().compress(inputs, keep(0.5), parameters, {}, {}); }).contains("iterations"));
        inputs.calibration = nullptr;
        QVERIFY(test::refusal([&] { (void)lowrank::jointUdMethod().compress(inputs, keep(0.5), {}, {}, {}); }).contains("calibration"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(test::refusal([&] { (void)lowrank::jointUdMethod().compress(m_tinylm, keep(0.5), {}, RunContext(stop.get_token()), {}); }).startsWith("cancelled"));
    }
};

QTEST_GUILESS_MAIN(TestJointUd)
#include "tst_joint_ud.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// lowrank.joint-vo and lowrank.latent over whole models: budget, the error by cause, what a plan stores and runs.
#include "core/lowrank/branch_error.h"
#include "core/lowrank/joint_vo_method.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/stored_compression.h"
#include "core/plan/apply_plan.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>

#include <cmath>

using namespace tamis;
using lowrank::Compression;

namespace {
plan::BudgetRequest uniform(double keep, plan::Accounting accounting = plan::Accounting::Factors)
{
    return {.keep = keep, .allocation = plan::Allocation::Uniform, .accounting = accounting};
}

Parameters with(const std::string& form)
{
    Parameters p;
    p.set("form", form);
    return p;
}

double scalar(const Compression& c, const std::string& name)
{
    for (const auto& [key, value] : c.report.scalars)
        if (key == name)
            return value;
    return NAN;
}

const std::string kMean = "error of the attention's output, mean over layers: ";

/// Keeps what a run writes into the residual stream.
class Outputs : public nn::Observer {
public:
    std::vector<tensor::Matrix<float>> blocks;
    void blockOutput(std::size_t, int, kernels::ConstRows x) override
    {
        tensor::Matrix<float> copy(x.rows, x.cols);
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::ranges::copy(x.row(i), copy.data() + i * x.cols);
        blocks.push_back(std::move(copy));
    }
};
} // namespace

class TstJointVoMethod : public QObject
{
    Q_OBJECT
    QTemporaryDir m_folder;
    lowrank::Inputs m_vit, m_lm;
    std::filesystem::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }
    static Compression run(const std::string& id, const lowrank::Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& p)
    {
        return lowrank::findMethod(id)->compress(inputs, budget, p, {}, {});
    }

private slots:
    void initTestCase()
    {
        m_vit = test::vit20Inputs();
        m_vit.samples = std::make_shared<test::SampleList>(test::noise(2, 64, 3));
        m_lm = test::tinylmInputs(path("."), 16);
    }

    void keepsTheBudget_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("form");
        QTest::addColumn<bool>("vit");
        for (const char* method : {"lowrank.joint-vo", "lowrank.latent"})
            for (const char* form : {"joint", "split", "separate"})
                for (const bool vit : {true, false})
                    if (QString(method) == "lowrank.joint-vo" || QString(form) == "split") // the others differ in their values alone
                        QTest::addRow("%s %s %s", method, form, vit ? "vit20" : "tinylm") << method << form << vit;
    }
    /// Within the budget; the causes of the error sum to all of it.
    void keepsTheBudget()
    {
        QFETCH(QString, method);
        QFETCH(QString, form);
        QFETCH(bool, vit);
        const auto& inputs = vit ? m_vit : m_lm;
        const Compression c = run(method.toStdString(), inputs, uniform(0.5), with(form.toStdString()));
        QVERIFY2(c.report.achievedKeep <= 0.5 && c.report.achievedKeep > 0.46, qPrintable(QString::number(c.report.achievedKeep)));
        QCOMPARE(c.operators.size(), std::size_t(vit ? 24 : 42));
        // split heads stand in a basis of their own: |(W - W') X|^2 would be a number without a meaning
        const bool split = form == "split";
        QCOMPARE(std::isnan(c.report.relativeLoss()), split);
        QCOMPARE(std::isnan(c.report.heldOutRelativeLoss()), split);
        QCOMPARE(std::ranges::any_of(c.report.warnings, [](const std::string& each) { return each.find("basis of their own") != std::string::npos; }), split);
        for (const report::LowRankMatrix& matrix : c.report.matrices) {
            const bool cut = split && (matrix.role == "v" || matrix.role == "o" || matrix.role == "qkv");
            QVERIFY2(std::isnan(matrix.loss) == cut && (cut || matrix.relativeLoss() < 1), matrix.name.c_str());
        }
        const double product = scalar(c, kMean + "product structure"), mismatch = scalar(c, kMean + "statistics mismatch"),
                     drift = scalar(c, kMean + "attention-weight drift"), total = scalar(c, kMean + "total");
        qInfo("product %.4f mismatch %.4f drift %.4f total %.4f", product, mismatch, drift, total);
        QVERIFY(product > 0 && total > 0);
        QVERIFY(std::abs(product + mismatch + drift - total) < 1e-12);
        QCOMPARE(std::isnan(scalar(c, "mean score error, joint")), method == "lowrank.joint-vo");
        for (const report::MethodFigure& figure : c.report.figures)
            for (const report::Series& series : figure.series)
                QVERIFY(!series.points.empty());
    }

    /// Total and exact-weights error of one layer against runs of the model itself: with only values and outputs replaced the attention
    /// weights are the dense ones, and the first block's input is the embedding for all.
    void causesAreMeasured()
    {
        const Compression c = run("lowrank.joint-vo", m_lm, uniform(0.5), with("joint"));
        std::vector<nn::Model::Replacement> values, all;
        for (const auto& op : c.operators) {
            if (op.matrix.layer != 0 || (op.matrix.role != "v" && op.matrix.role != "o" && op.matrix.role != "q" && op.matrix.role != "k"))
                continue;
            all.push_back({op.name, op.op});
            if (op.matrix.role == "v" || op.matrix.role == "o")
                values.push_back({op.name, op.op});
        }
        QCOMPARE(all.size(), std::size_t(4));
        const auto compressed = lowrank::compressed(*m_lm.model, c);
        const auto found = lowrank::branchErrors(m_lm, compressed, {0}, 1);
        // The MLP is silenced, so that a block's output differs by what its attention wrote.
        const auto silent = [&](std::vector<nn::Model::Replacement> replaced) {
            const nn::LinearSlot& down = m_lm.model->blocks()[0].down;
            replaced.push_back({down.name, nn::denseOp(tensor::Matrix<float>(down.op->outFeatures(), down.op->inFeatures()).view(), {})});
            Outputs outputs;
            measure::LoadedSample sample;
            m_lm.samples->load(0, sample);
            nn::Scratch scratch;
            const auto model = m_lm.model->replaced(replaced);
            tensor::Matrix<float> hidden(model->hiddenTokens(sample.view()), 128);
            model->runHidden(sample.view(), hidden.view(), scratch, 0, &outputs);
            return outputs.blocks[0];
        };
        const auto difference = [](const auto& a, const auto& b) {
            double sum = 0;
            for (std::size_t i = 0; i < a.size(); ++i)
                sum += std::pow(double(a.values()[i]) - double(b.values()[i]), 2);
            return sum;
        };
        const auto dense = silent({}), exact = silent(values), own = silent(all);
        // Float residual streams: 1e-3 of the error.
        QVERIFY2(std::abs(found[0].values / difference(dense, exact) - 1) < 1e-3, qPrintable(QString::number(found[0].values / difference(dense, exact))));
        QVERIFY(std::abs(found[0].total / difference(dense, own) - 1) < 1e-3);
    }

    void planRunsSplitHeads()
    {
        const auto budget = uniform(0.6);
        for (const lowrank::Inputs* inputs : {&m_vit, &m_lm}) {
            const Compression c = run("lowrank.latent", *inputs, budget, with("split"));
            const auto stored = lowrank::storeCompression(*inputs, budget, c, path(inputs == &m_vit ? "vit" : "lm"));
            const auto applied = plan::applyPlan(*inputs->model, inputs->checkpoint, inputs->calibration, stored);
            measure::LoadedSample sample;
            inputs->samples->load(0, sample);
            const nn::Sample view = sample.view();
            QCOMPARE(nn::runBatch(*applied, {&view, 1})[0], nn::runBatch(*lowrank::compressed(*inputs->model, c), {&view, 1})[0]);
        }
    }

    /// ud=joint: the MLP's operators are those of lowrank.joint-ud at the same budget.
    void jointMlps()
    {
        lowrank::Inputs inputs = m_lm;
        const std::string layer = "model.layers.2.";
        inputs.matrices = {layer + "self_attn.q_proj", layer + "self_attn.k_proj", layer + "mlp.gate_proj", layer + "mlp.up_proj", layer + "mlp.down_proj"};
        Parameters p = with("split");
        p.set("ud", std::string("joint"));
        const Compression whole = run("lowrank.latent", inputs, uniform(0.5), p);
        inputs.matrices.erase(inputs.matrices.begin(), inputs.matrices.begin() + 2);
        const Compression alone = run("lowrank.joint-ud", inputs, uniform(0.5), {});
        QCOMPARE(whole.operators.size(), std::size_t(5));
        QCOMPARE(alone.operators.size(), std::size_t(3));
        for (const auto& op : alone.operators) {
            const auto found = std::ranges::find(whole.operators, op.name, &lowrank::CompressedOperator::name);
            QVERIFY(found != whole.operators.end());
            QCOMPARE(found->op->dense(), op.op->dense());
        }
        QVERIFY(whole.report.achievedKeep <= 0.5);
    }

    /// Without samples nothing is run, and the rest is there.
    void withoutSamples()
    {
        lowrank::Inputs inputs = m_vit;
        inputs.samples = nullptr;
        const Compression c = run("lowrank.joint-vo", inputs, uniform(0.5, plan::Accounting::BlockIdentity), with("joint"));
        QVERIFY(std::isnan(scalar(c, kMean + "total")));
        QVERIFY(scalar(c, "mean product error of values and outputs") > 0);
        QCOMPARE(c.report.planes.size(), std::size_t(12));
        QVERIFY(c.report.achievedKeep <= 0.5);
    }

    void partOfALayer()
    {
        lowrank::Inputs inputs = m_vit;
        inputs.matrices = {"blocks.1.attn.qkv", "blocks.2.attn.proj", "blocks.3.mlp.fc1"};
        const Compression c = run("lowrank.latent", inputs, uniform(0.5), with("joint"));
        QCOMPARE(c.operators.size(), std::size_t(3));
        QCOMPARE(c.operators[0].op->kind(), "stacked"); // joint queries and keys, its values without outputs to be joint with
        QCOMPARE(c.operators[1].op->kind(), "factors");
        QVERIFY(run("lowrank.latent", m_vit, uniform(1), with("split")).operators.empty());
    }
};

TAMIS_BLAS_TEST_MAIN(TstJointVoMethod)
#include "tst_joint_vo_method.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Ranks of queries and keys trained in the joint planes of their scores.
#include "core/lowrank/dobi_training.h"
#include "core/lowrank/joint_qk.h"
#include "core/lowrank/targets.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/dobi_runs.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>

#include <algorithm>

using namespace tamis;
using namespace tamis::test;
using tensor::Matrix;

namespace {
/// Mean cross entropy of the next tokens of all samples, from the model's own forward.
double crossEntropy(const nn::Model& model, const measure::SampleSource& samples)
{
    double sum = 0;
    std::int64_t count = 0;
    nn::Scratch scratch;
    for (std::size_t s = 0; s < samples.count(); ++s) {
        measure::LoadedSample sample;
        samples.load(s, sample);
        Matrix<float> logits(model.outputRows(sample.view()), model.outputWidth());
        model.run(sample.view(), logits.view(), scratch);
        for (std::size_t t = 0; t + 1 < sample.tokens.size(); ++t) {
            const auto row = logits.view().row(static_cast<std::int64_t>(t));
            const double most = double(*std::ranges::max_element(row));
            double total = 0;
            for (const float value : row)
                total += std::exp(double(value) - most);
            sum += std::log(total) + most - double(row[static_cast<std::size_t>(sample.tokens[t + 1])]);
            ++count;
        }
    }
    return sum / double(count);
}

Matrix<float> firstRows(const Matrix<float>& m, std::int64_t count)
{
    Matrix<float> part(count, m.cols());
    std::copy_n(m.data(), part.size(), part.data());
    return part;
}

Matrix<float> firstColumns(const Matrix<float>& m, std::int64_t count)
{
    Matrix<float> part(m.rows(), count);
    for (std::int64_t i = 0; i < m.rows(); ++i)
        for (std::int64_t j = 0; j < count; ++j)
            part(i, j) = m(i, j);
    return part;
}

Parameters joint()
{
    Parameters p = quick();
    p.set("scores", std::string("joint-planes"));
    return p;
}
} // namespace

class TestDobiPlanes : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void gatesCutThePlanes();
    void operatorsAreTheJointSolution();
    void trainingLowersTheLossWithinTheBudget();
    void fusedProjectionsAreNamed();
    void badRequestsAreRefused();

private:
    QTemporaryDir m_folder;
    lowrank::Inputs m_inputs; ///< tinylm, statistics of the windows that are trained on
};

void TestDobiPlanes::initTestCase()
{
    m_inputs = tinylmWindows(16, 64);
    m_inputs.calibration = captured(m_inputs, m_folder.filePath("windows.h5").toStdString());
}

void TestDobiPlanes::gatesCutThePlanes()
{
    lowrank::Inputs inputs = m_inputs;
    for (int layer = 0; layer < 6; ++layer)
        for (const char* which : {"q", "k"})
            inputs.matrices.push_back("model.layers." + std::to_string(layer) + ".self_attn." + which + "_proj");
    std::vector<std::string> warnings;
    const auto matrices = lowrank::targets(inputs, warnings, {});
    QCOMPARE(matrices.size(), std::size_t(12));
    std::vector<lowrank::MatrixShape> shapes;
    for (const io::MatrixRef* matrix : matrices)
        shapes.push_back({matrix->rows, matrix->cols});
    const lowrank::RankBudget budget(plan::Accounting::Factors, 0.4, 1, shapes);
    auto settings = lowrank::DobiSettings(lowrank::dobiMethod().declaration.schema.complete(joint()));
    settings.samples = 16;
    lowrank::DobiTraining training(inputs, matrices, budget, settings, warnings, {});
    std::vector<std::int64_t> ranks;
    std::vector<nn::Model::Replacement> replacements;
    for (std::size_t i = 0; i < matrices.size(); ++i) {
        ranks.push_back(5 + std::int64_t(i)); // all different
        const lowrank::GatedPlane* plane = training.planes().find(matrices[i]->name);
        QVERIFY(plane);
        replacements.push_back({matrices[i]->name, nn::factorsOp(firstColumns(plane->b, ranks[i]).view(), firstRows(plane->a, ranks[i]).view(), {})});
    }
    const auto cut = inputs.model->replaced(replacements);
    const double expected = crossEntropy(*cut, *inputs.samples), found = training.taskLoss(ranks, {});
    // the tape and the model sum floats in another order
    QVERIFY2(std::abs(found - expected) < 1e-4 * expected, qPrintable(QString("%1, expected %2").arg(found).arg(expected)));
    QVERIFY(std::abs(found - crossEntropy(*inputs.model, *inputs.samples)) > 1e-2); // and such ranks do cut something
}

void TestDobiPlanes::operatorsAreTheJointSolution()
{
    Parameters p = joint();
    p.set("epochs", std::int64_t{0});
    const auto compression = lowrank::dobiMethod().compress(m_inputs, keep(0.4), p, {}, {});
    const auto of = [&](const std::string& name) { return *std::ranges::find(compression.operators, name, &lowrank::CompressedOperator::name); };
    for (const int layer : {0, 3}) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".self_attn.";
        const auto query = of(prefix + "q_proj"), key = of(prefix + "k_proj");
        const auto solution = lowrank::JointQk::prepare(m_inputs, layer, {}).solve(query.matrix.rank, key.matrix.rank);
        QVERIFY(query.op->dense() == solution.query->dense());
        QVERIFY(key.op->dense() == solution.key->dense());
    }
}

void TestDobiPlanes::trainingLowersTheLossWithinTheBudget()
{
    Parameters p = joint();
    p.set("samples", std::int64_t{16});
    p.set("epochs", std::int64_t{8});
    const auto compression = lowrank::dobiMethod().compress(m_inputs, keep(0.3), p, {}, {});
    const double before = scalar(compression, "truncated loss, uniform ranks"), after = scalar(compression, "truncated loss, trained ranks");
    QVERIFY2(after < before - 0.01, qPrintable(QString("%1 after %2").arg(after).arg(before)));
    QVERIFY(unitsUsed(compression, plan::Accounting::Factors) <= unitsAllowed(compression, plan::Accounting::Factors, 0.3));
}

void TestDobiPlanes::fusedProjectionsAreNamed()
{
    lowrank::Inputs inputs = vit20Inputs();
    inputs.matrices = {"blocks.0.attn.qkv", "blocks.0.mlp.fc1"};
    auto list = std::make_shared<SampleList>();
    for (int s = 0; s < 4; ++s) {
        measure::LoadedSample sample;
        for (int i = 0; i < 3 * 64 * 64; ++i)
            sample.image.push_back(static_cast<float>(std::sin(0.01 * i * (s + 1))));
        list->samples.push_back(std::move(sample));
    }
    inputs.samples = list;
    Parameters p = joint();
    p.set("epochs", std::int64_t{1});
    p.set("group", std::int64_t{2}); // 65 tokens each: fewer directions than outputs otherwise
    const auto compression = lowrank::dobiMethod().compress(inputs, keep(0.5), p, {}, {});
    QVERIFY(std::ranges::any_of(compression.report.warnings, [](const std::string& each) { return each.find("fused") != std::string::npos; }));
    QCOMPARE(compression.operators.size(), std::size_t(2));
}

void TestDobiPlanes::badRequestsAreRefused()
{
    lowrank::Inputs inputs = m_inputs;
    Parameters p = joint();
    p.set("gate", std::string("hard-concrete"));
    QVERIFY(failure([&] { lowrank::dobiMethod().compress(inputs, keep(0.5), p, {}, {}); }, ErrorCode::InvalidParameter).contains("gate=tanh"));
    inputs.calibration = nullptr;
    QVERIFY(failure([&] { lowrank::dobiMethod().compress(inputs, keep(0.5), joint(), {}, {}); }, ErrorCode::InvalidParameter).contains("calibration set"));
}

TAMIS_BLAS_TEST_MAIN(TestDobiPlanes)
#include "tst_dobi_planes.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Joint queries and keys in the bundled models: the operators' scores against the objective, biases, fused projections, fall-backs.
#include "core/lowrank/joint_qk.h"

#include "core/linalg/gemm.h"
#include "core/nn/rotary.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>

#include <chrono>
#include <cmath>

using namespace tamis;
using linalg::Op;
using lowrank::JointQk;
using tensor::Matrix;

namespace {
Parameters plain()
{
    Parameters p;
    p.set("window", std::int64_t{1});
    return p;
}

/// A calibration set whose statistics are those of `rows` alone, for one site.
std::shared_ptr<const io::CalibrationSet> ofRows(const lowrank::Inputs& inputs, const std::string& site, const Matrix<float>& rows, const std::filesystem::path& file)
{
    io::CalibrationSite made;
    made.name = site;
    made.count = static_cast<std::uint64_t>(rows.rows());
    made.gram = linalg::gram(rows.view(), linalg::Side::Columns);
    made.mean.resize(static_cast<std::size_t>(rows.cols()));
    for (std::int64_t t = 0; t < rows.rows(); ++t)
        for (std::int64_t j = 0; j < rows.cols(); ++j)
            made.mean[static_cast<std::size_t>(j)] += double(rows(t, j)) / static_cast<double>(rows.rows());
    made.samples = rows;
    io::writeCalibration(file, inputs.checkpoint->sha256(), "rows of a test", made.count, {made});
    return io::CalibrationSet::open(file);
}

/// x W^T + b in double.
Matrix<double> outputs(const Matrix<float>& rows, const Matrix<double>& w, const std::vector<float>& bias)
{
    Matrix<double> y = linalg::product(Op::None, Op::Transpose, linalg::toDouble(rows.view()).view(), w.view());
    for (std::int64_t t = 0; t < y.rows() && !bias.empty(); ++t)
        for (std::int64_t j = 0; j < y.cols(); ++j)
            y(t, j) += bias[static_cast<std::size_t>(j)];
    return y;
}

Matrix<double> outputs(const Matrix<float>& rows, const nn::LinearOp& op)
{
    return outputs(rows, linalg::toDouble(op.dense().view()), op.bias());
}

/// Scores of one head between all rows of q and all rows of k.
Matrix<double> scores(const Matrix<double>& q, const Matrix<double>& k, std::int64_t head, const lowrank::AttentionParts& parts)
{
    const std::int64_t n = parts.headDim;
    return linalg::product(Op::None, Op::Transpose, {q.data() + head * n, q.rows(), n, q.cols()}, {k.data() + parts.groupOf(head) * n, k.rows(), n, k.cols()});
}

/// sum |S - S'|^2 / sum |S|^2 over heads and all pairs of rows.
double measured(const JointQk& joint, const JointQk::Solution& solution, const Matrix<float>& rows)
{
    const auto& parts = joint.parts();
    const Matrix<double> q = outputs(rows, parts.query.weight, parts.query.bias), k = outputs(rows, parts.key.weight, parts.key.bias);
    const Matrix<double> nowQ = outputs(rows, *solution.query), nowK = outputs(rows, *solution.key);
    double lost = 0, total = 0;
    for (std::int64_t i = 0; i < parts.heads; ++i) {
        const Matrix<double> exact = scores(q, k, i, parts);
        total += test::sumOfSquares(exact);
        lost += test::sumOfSquares(test::difference(exact, scores(nowQ, nowK, i, parts)));
    }
    return lost / total;
}
} // namespace

class TstJointQk : public QObject
{
    Q_OBJECT
    QTemporaryDir m_folder;
    lowrank::Inputs m_vit, m_lm;
    std::filesystem::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }

private slots:
    void initTestCase()
    {
        m_vit = test::vit20Inputs();
        m_lm = test::tinylmInputs(path("."));
    }

    /// Fused, with biases: what the objective says is what the operators' scores lose on the very rows that C is of. The operators
    /// are floats: 1e-7 of the scores beside an error of 1e-3 of them (an objective of 1e-6: the biases' part of the scores is large and exact), so 1e-4 of
    /// the objective at most, twice over for the cross term.
    void objectiveIsTheScoresError()
    {
        for (const int layer : {0, 3}) {
            const std::string site = "blocks." + std::to_string(layer) + ".attn.qkv";
            const Matrix<float> rows = m_vit.calibration->read(site).samples;
            lowrank::Inputs inputs = m_vit;
            inputs.calibration = ofRows(m_vit, site, rows, path("rows.h5"));
            const JointQk joint = JointQk::prepare(inputs, layer, {});
            for (const auto& [rq, rk] : {std::pair{40, 40}, {20, 64}}) {
                const auto solution = joint.solve(rq, rk);
                QVERIFY(!solution.query->bias().empty());
                QVERIFY(solution.objective > 1e-7);
                const double found = measured(joint, solution, rows);
                QVERIFY2(std::abs(found - solution.objective) < 2e-4 * solution.objective, qPrintable(QString("%1 %2").arg(found).arg(solution.objective)));
                const auto separate = joint.separate(rq, rk);
                QVERIFY(std::abs(measured(joint, separate, rows) - separate.objective) < 2e-4 * separate.objective);
            }
        }
    }

    /// The same for rotary positions, turned by the model's own table: a query d tokens behind a key.
    void windowIsWhatTheModelsRotationDoes()
    {
        const std::string site = "model.layers.2.self_attn.q_proj";
        const Matrix<float> all = m_lm.calibration->read(site).samples;
        Matrix<float> rows(12, all.cols());
        std::copy_n(all.data(), rows.size(), rows.data());
        lowrank::Inputs inputs = m_lm;
        inputs.calibration = ofRows(m_lm, site, rows, path("rows.h5"));
        Parameters p;
        p.set("window", std::int64_t{10});
        p.set("distribution", std::string("triangular"));
        const JointQk joint = JointQk::prepare(inputs, 2, p);
        const auto& parts = joint.parts();
        const auto solution = joint.solve(9, 6);
        const nn::RotaryTable table(m_lm.model->blocks()[2].spec.attention.rope);
        // Row t stands at position d: the table turns row i of what it is given by i.
        const auto turned = [&](const Matrix<double>& q, std::int64_t d) {
            Matrix<double> result(q.rows(), q.cols());
            for (std::int64_t t = 0; t < q.rows(); ++t) {
                Matrix<float> column(d + 1, q.cols());
                for (std::int64_t j = 0; j < q.cols(); ++j)
                    column(d, j) = static_cast<float>(q(t, j));
                table.apply(column.view(), parts.heads, parts.headDim);
                for (std::int64_t j = 0; j < q.cols(); ++j)
                    result(t, j) = column(d, j);
            }
            return result;
        };
        const Matrix<double> q = outputs(rows, parts.query.weight, {}), k = outputs(rows, parts.key.weight, {});
        const Matrix<double> nowQ = outputs(rows, *solution.query), nowK = outputs(rows, *solution.key);
        double lost = 0, total = 0;
        for (std::int64_t d = 0; d < 10; ++d)
            for (std::int64_t i = 0; i < parts.heads; ++i) {
                const Matrix<double> exact = scores(turned(q, d), k, i, parts);
                total += double(10 - d) * test::sumOfSquares(exact);
                lost += double(10 - d) * test::sumOfSquares(test::difference(exact, scores(turned(nowQ, d), nowK, i, parts)));
            }
        QVERIFY2(std::abs(lost / total - solution.objective) < 1e-5 * solution.objective, qPrintable(QString("%1 %2").arg(lost / total).arg(solution.objective)));
    }

    void beatsSeparateInEveryLayer()
    {
        for (const lowrank::Inputs* inputs : {&m_vit, &m_lm})
            for (int layer = 0; layer < 6; ++layer)
                for (const Parameters& p : {Parameters{}, plain()}) {
                    const JointQk joint = JointQk::prepare(*inputs, layer, p);
                    for (const std::int64_t r : {8, 24, 48}) {
                        const auto together = joint.solve(r, r), apart = joint.separate(r, r);
                        QVERIFY(together.objective <= apart.objective);
                        for (std::size_t i = 1; i < together.history.size(); ++i)
                            QVERIFY(together.history[i] <= together.history[i - 1] + 1e-13);
                        if (r == 24)
                            qInfo("%s layer %d window %d: joint %.3e separate %.3e, %d iterations", inputs == &m_vit ? "vit20" : "tinylm", layer,
                                  p.contains("window") ? 1 : 32, together.objective, apart.objective, together.iterations);
                    }
                }
    }

    /// All ranks kept, the model does what it did: float rounding through six blocks.
    void fullRanksRunExactly()
    {
        std::vector<nn::Model::Replacement> replaced;
        const auto collect = [&](const JointQk::Solution& solution) {
            for (const auto& [name, op] : solution.operators)
                replaced.push_back({name, op});
        };
        for (int layer = 0; layer < 6; ++layer)
            collect(JointQk::prepare(m_vit, layer, {}).solve(128, 128));
        QCOMPARE(replaced.size(), std::size_t(6));
        QCOMPARE(replaced[0].op->kind(), "stacked");
        measure::LoadedSample image;
        test::noise(1, 64, 5).load(0, image);
        const double vit = test::relativeDifference(*m_vit.model, *m_vit.model->replaced(replaced), image);
        QVERIFY2(vit < 2e-4, qPrintable(QString::number(vit)));
        replaced.clear();
        for (int layer = 0; layer < 6; ++layer)
            collect(JointQk::prepare(m_lm, layer, {}).solve(128, 64));
        QCOMPARE(replaced.size(), std::size_t(12));
        measure::LoadedSample text;
        m_lm.samples->load(3, text);
        const double lm = test::relativeDifference(*m_lm.model, *m_lm.model->replaced(replaced), text);
        QVERIFY2(lm < 2e-4, qPrintable(QString::number(lm)));
    }

    /// With centred keys the mean key is exact, and what changes in the scores is what the softmax sees.
    void centredKeysKeepTheMean()
    {
        Parameters p;
        p.set("key-inputs", std::string("centred"));
        const JointQk joint = JointQk::prepare(m_vit, 2, p), usual = JointQk::prepare(m_vit, 2, {});
        const auto& parts = joint.parts();
        const auto site = m_vit.calibration->read("blocks.2.attn.qkv");
        Matrix<float> mean(1, 128);
        for (std::int64_t j = 0; j < 128; ++j)
            mean(0, j) = static_cast<float>(site.mean[static_cast<std::size_t>(j)]);
        const auto solution = joint.solve(24, 24);
        const auto d = test::difference(outputs(mean, *solution.key), outputs(mean, parts.key.weight, parts.key.bias));
        QVERIFY(test::maxAbs(d) < 1e-4 * test::maxAbs(outputs(mean, parts.key.weight, parts.key.bias)));
        // Error of the scores, the mean over keys taken off each query's row.
        const auto visible = [&](const JointQk::Solution& s) {
            const Matrix<double> q = outputs(site.samples, parts.query.weight, parts.query.bias), k = outputs(site.samples, parts.key.weight, parts.key.bias);
            const Matrix<double> nowQ = outputs(site.samples, *s.query), nowK = outputs(site.samples, *s.key);
            double lost = 0;
            for (std::int64_t i = 0; i < parts.heads; ++i) {
                const auto e = test::difference(scores(q, k, i, parts), scores(nowQ, nowK, i, parts));
                for (std::int64_t t = 0; t < e.rows(); ++t) {
                    double sum = 0, squares = 0;
                    for (std::int64_t j = 0; j < e.cols(); ++j) {
                        sum += e(t, j);
                        squares += e(t, j) * e(t, j);
                    }
                    lost += squares - sum * sum / static_cast<double>(e.cols());
                }
            }
            return lost;
        };
        QVERIFY2(visible(solution) < visible(usual.solve(24, 24)), qPrintable(QString("%1 %2").arg(visible(solution)).arg(visible(usual.solve(24, 24)))));
        const JointQk rotary = JointQk::prepare(m_lm, 0, p);
        QCOMPARE(rotary.notices().size(), std::size_t(1));
        QVERIFY(rotary.notices()[0].find("no bias to carry the mean") != std::string::npos);
    }

    void normsFallBack_data()
    {
        QTest::addColumn<QString>("variant");
        QTest::newRow("qwen3") << "qwen3";
        QTest::newRow("timm") << "timm_vit_qk_norm";
    }
    void normsFallBack()
    {
        QFETCH(QString, variant);
        const lowrank::Inputs inputs = test::goldenInputs(variant.toStdString(), path("."));
        const JointQk joint = JointQk::prepare(inputs, 0, {});
        QVERIFY(!joint.bilinear());
        QVERIFY(joint.notices().back().find("breaks the bilinear form") != std::string::npos);
        const auto solution = joint.solve(3, 3);
        QVERIFY(!solution.joint);
        QCOMPARE(solution.query->dense(), joint.separate(3, 3).query->dense());
        measure::LoadedSample sample;
        inputs.samples->load(0, sample);
        QVERIFY(test::relativeDifference(*inputs.model, *inputs.model->replaced({{solution.operators[0].first, solution.operators[0].second}}), sample) > 0);
    }

    /// Models of other families: biases on q, k and v alone, learned positions, transposed storage, partly shared heads.
    void otherFamilies_data()
    {
        QTest::addColumn<QString>("variant");
        for (const char* name : {"gpt2", "opt", "bert_masked", "qwen2_tied", "hf_vit", "llama_llama3_rope", "mistral_head_dim"})
            QTest::newRow(name) << name;
    }
    void otherFamilies()
    {
        QFETCH(QString, variant);
        const lowrank::Inputs inputs = test::goldenInputs(variant.toStdString(), path("."));
        Parameters p;
        p.set("ridge", 1e-9); // a handful of tokens
        const JointQk joint = JointQk::prepare(inputs, 0, p);
        QVERIFY(joint.bilinear());
        const auto solution = joint.solve(joint.maxQueryRank(), joint.maxKeyRank());
        std::vector<nn::Model::Replacement> replaced;
        for (const auto& [name, op] : solution.operators)
            replaced.push_back({name, op});
        measure::LoadedSample sample;
        inputs.samples->load(0, sample);
        const double difference = test::relativeDifference(*inputs.model, *inputs.model->replaced(replaced), sample);
        QVERIFY2(difference < 1e-3, qPrintable(QString::number(difference)));
    }

    /// Slider dragging: prepared once, a rank takes milliseconds. Reported; the bound is a hang's, not a promise's.
    void ranksAreCheap()
    {
        for (const lowrank::Inputs* inputs : {&m_vit, &m_lm}) {
            const JointQk joint = JointQk::prepare(*inputs, 1, {});
            const auto start = std::chrono::steady_clock::now();
            int solved = 0;
            for (std::int64_t r = 4; r <= 60; r += 4, ++solved)
                joint.solve(r, r);
            const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / solved;
            qInfo("%.2f ms a solution", ms);
            QVERIFY(ms < 1000);
        }
    }

    void refusals()
    {
        const JointQk joint = JointQk::prepare(m_lm, 0, {});
        QCOMPARE(test::refusal([&] { joint.solve(3, 65); }), "invalid parameter: model.layers.0.self_attn.k_proj: a key rank of 65 was asked for, expected 1 to 64");
        QCOMPARE(test::refusal([&] { JointQk::prepare(m_lm, 6, {}); }), "invalid parameter: layer 6 was asked for, but the model has 6");
        lowrank::Inputs mixed = m_lm;
        mixed.calibration = m_vit.calibration;
        QVERIFY(test::refusal([&] { JointQk::prepare(mixed, 0, {}); }).endsWith("has no site model.layers.0.self_attn.q_proj, expected 128 features"));
        mixed.calibration = nullptr;
        QCOMPARE(test::refusal([&] { JointQk::prepare(mixed, 0, {}); }), "invalid parameter: lowrank.joint-qk: needs a model that runs and a calibration set");
        lowrank::Inputs done = m_lm;
        done.model = m_lm.model->replaced({{joint.solve(4, 4).operators[0].first, joint.solve(4, 4).operators[0].second}});
        QCOMPARE(test::refusal([&] { JointQk::prepare(done, 0, {}); }),
                 "invalid parameter: model.layers.0.self_attn.q_proj: is not a dense operator, so that it cannot be compressed jointly");
    }
};

TAMIS_BLAS_TEST_MAIN(TstJointQk)
#include "tst_joint_qk.moc"

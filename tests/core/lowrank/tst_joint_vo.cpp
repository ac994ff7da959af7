// SPDX-License-Identifier: GPL-3.0-or-later
// Values and outputs together: objectives against every head's product written out, Eckart and Young, biases, the operators in models.
#include "core/lowrank/joint_vo.h"

#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/whitening.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>

#include <cmath>
#include <numeric>

using namespace tamis;
using linalg::Op;
using lowrank::JointVo;
using tensor::Matrix;

namespace {
Parameters statistics(const char* which)
{
    Parameters p;
    p.set("vo-statistics", std::string(which));
    return p;
}

/// C of the values' inputs, the mean taken off where the output has a bias.
Matrix<double> inputsOf(const lowrank::Inputs& inputs, const JointVo& vo)
{
    const auto site = inputs.calibration->read(vo.parts().value.name);
    Matrix<double> c = site.gram;
    if (vo.constantsExact())
        for (std::int64_t i = 0; i < c.rows(); ++i)
            for (std::int64_t j = 0; j < c.cols(); ++j)
                c(i, j) -= static_cast<double>(site.count) * site.mean[static_cast<std::size_t>(i)] * site.mean[static_cast<std::size_t>(j)];
    return c;
}

Matrix<double> headProduct(const Matrix<double>& output, const Matrix<double>& value, std::int64_t head, const lowrank::AttentionParts& parts)
{
    const std::int64_t n = parts.headDim;
    return linalg::product({output.data() + head * n, output.rows(), n, output.cols()}, {value.data() + parts.groupOf(head) * n * value.cols(), n, value.cols(), value.cols()});
}

double energyUnder(const Matrix<double>& m, const Matrix<double>& c)
{
    const Matrix<double> seen = linalg::product(m.view(), c.view());
    return std::inner_product(m.values().begin(), m.values().end(), seen.values().begin(), 0.0);
}

Matrix<double> dense(const nn::LinearOp& op) { return linalg::toDouble(op.dense().view()); }

/// sum_i |M_i - M'_i|^2_C / sum_i |M_i|^2_C with d_out x d products.
double bruteForce(const JointVo& vo, const JointVo::Solution& s, const Matrix<double>& c)
{
    double lost = 0, total = 0;
    for (std::int64_t i = 0; i < vo.parts().heads; ++i) {
        const Matrix<double> exact = headProduct(vo.parts().output.weight, vo.parts().value.weight, i, vo.parts());
        total += energyUnder(exact, c);
        lost += energyUnder(test::difference(exact, headProduct(dense(*s.output), dense(*s.value), i, vo.parts())), c);
    }
    return lost / total;
}

std::shared_ptr<const nn::Model> with(const nn::Model& model, const JointVo& vo, const JointVo::Solution& s)
{
    std::vector<nn::Model::Replacement> replaced{{vo.parts().output.name, s.output}};
    for (const auto& [name, op] : lowrank::asOperators(vo.parts(), nullptr, nullptr, s.value))
        replaced.push_back({name, op});
    return model.replaced(replaced);
}
} // namespace

class TstJointVo : public QObject
{
    Q_OBJECT
    QTemporaryDir m_folder;
    lowrank::Inputs m_vit, m_lm;
    std::filesystem::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }

private slots:
    void initTestCase()
    {
        m_vit = test::vit20Inputs();
        m_vit.samples = std::make_shared<test::SampleList>(test::noise(1, 64, 5));
        m_lm = test::tinylmInputs(path("."), 12);
    }

    /// All three forms; operators are floats: 1e-7 beside an error of 1e-2, so 1e-4 of the objective.
    void objectiveIsTheProductsError()
    {
        for (const lowrank::Inputs* inputs : {&m_vit, &m_lm}) {
            const JointVo vo = JointVo::prepare(*inputs, 2, statistics("inputs"));
            QCOMPARE(vo.constantsExact(), inputs == &m_vit);
            const Matrix<double> c = inputsOf(*inputs, vo);
            for (const JointVo::Solution& s : {vo.joint(16, 20), vo.split(5), vo.separate(16, 20)}) {
                const double expected = bruteForce(vo, s, c);
                QVERIFY(expected > 1e-4);
                QVERIFY2(std::abs(s.objective - expected) < 1e-4 * expected, qPrintable(QString("%1 %2").arg(s.objective).arg(expected)));
            }
            const JointVo::Solution s = vo.joint(30, 40);
            for (std::size_t i = 1; i < s.history.size(); ++i)
                QVERIFY(s.history[i] <= s.history[i - 1] + 1e-13);
            QVERIFY(std::abs(s.history.back() - s.objective) < 1e-10);
            QVERIFY(s.objective <= vo.separate(30, 40).objective);
        }
    }

    /// Split: a head alone is the truncated SVD of W_o,i W_v,i C^{1/2}; heads that share a value head, of their products stacked.
    void splitIsEckartYoung()
    {
        for (const lowrank::Inputs* inputs : {&m_vit, &m_lm}) {
            const JointVo vo = JointVo::prepare(*inputs, 1, statistics("inputs"));
            const auto& parts = vo.parts();
            const Matrix<double> root = linalg::eigenRoot(inputsOf(*inputs, vo));
            const std::int64_t each = parts.heads / parts.keyValueHeads, r = 9;
            const JointVo::Solution s = vo.split(r);
            for (std::int64_t g = 0; g < parts.keyValueHeads; ++g) {
                Matrix<double> stacked(each * parts.output.weight.rows(), root.cols());
                double lost = 0;
                for (std::int64_t i = 0; i < each; ++i) {
                    const Matrix<double> m = linalg::product(headProduct(parts.output.weight, parts.value.weight, g * each + i, parts).view(), root.view());
                    std::copy_n(m.data(), m.size(), stacked.data() + static_cast<std::int64_t>(m.size()) * i);
                    lost += s.headObjective[static_cast<std::size_t>(g * each + i)] * test::sumOfSquares(m);
                }
                const auto squares = linalg::squaredSingularValues(stacked.view());
                const double best = std::accumulate(squares.begin() + r, squares.end(), 0.0);
                // The root leaves out directions of C below 1e-12; sums of squares agree to 1e-8 of all of it.
                QVERIFY2(std::abs(lost - best) < 1e-8 * test::sumOfSquares(stacked) + 1e-6 * best, qPrintable(QString("%1 %2").arg(lost).arg(best)));
            }
            QCOMPARE(s.value->kind(), "selected");
            QCOMPARE(s.value->cost().macsPerToken, std::uint64_t(parts.keyValueHeads * r * 128));
            QCOMPARE(s.output->cost().macsPerToken, std::uint64_t(parts.heads * r * 128));
        }
    }

    /// C_o: the heads' own values as the output projection reads them; what split then loses is measured on its gram.
    void splitTrustsTheOutputsInputs()
    {
        const JointVo vo = JointVo::prepare(m_vit, 3, statistics("outputs")), assumed = JointVo::prepare(m_vit, 3, statistics("inputs"));
        const auto& parts = vo.parts();
        const auto site = m_vit.calibration->read(parts.output.name);
        // Values from latents, in the head's own space: z' = P z, from the operators by least squares over all of W_v's range.
        const auto lost = [&](const JointVo::Solution& s) {
            double sum = 0;
            const std::int64_t n = parts.headDim;
            for (std::int64_t i = 0; i < parts.heads; ++i) {
                const Matrix<double> exact = headProduct(parts.output.weight, parts.value.weight, i, parts), now = headProduct(dense(*s.output), dense(*s.value), i, parts);
                // W_o (I - P) = (M - M') W_v^+ with W_v of full row rank: W_v^+ = W_v^T (W_v W_v^T)^-1.
                const linalg::ConstView w{parts.value.weight.data() + i * n * 128, n, 128, 128};
                Matrix<double> rhs = linalg::product(Op::None, Op::Transpose, test::difference(exact, now).view(), w);
                const Matrix<double> l = *linalg::choleskyRoot(linalg::product(Op::None, Op::Transpose, w, w));
                for (std::int64_t row = 0; row < rhs.rows(); ++row) { // rhs L^-T L^-1
                    for (std::int64_t j = 0; j < n; ++j) {
                        for (std::int64_t k = 0; k < j; ++k)
                            rhs(row, j) -= rhs(row, k) * l(j, k);
                        rhs(row, j) /= l(j, j);
                    }
                    for (std::int64_t j = n; j-- > 0;) {
                        for (std::int64_t k = j + 1; k < n; ++k)
                            rhs(row, j) -= rhs(row, k) * l(k, j);
                        rhs(row, j) /= l(j, j);
                    }
                }
                Matrix<double> z(n, n);
                for (std::int64_t a = 0; a < n; ++a)
                    for (std::int64_t b = 0; b < n; ++b)
                        z(a, b) = site.gram(i * n + a, i * n + b) - double(site.count) * site.mean[std::size_t(i * n + a)] * site.mean[std::size_t(i * n + b)];
                sum += energyUnder(rhs, z);
            }
            return sum;
        };
        QVERIFY(lost(vo.split(10)) < lost(assumed.split(10)));
    }

    /// Nothing cut off: the model does what it did, biases and all. Float rounding through a model.
    void fullRanksRunExactly_data()
    {
        QTest::addColumn<QString>("variant");
        for (const char* name : {"vit20", "tinylm", "gpt2", "opt", "bert_masked", "qwen2_tied", "qwen3", "hf_vit", "mistral_head_dim", "timm_vit"})
            QTest::newRow(name) << name;
    }
    void fullRanksRunExactly()
    {
        QFETCH(QString, variant);
        const lowrank::Inputs inputs = variant == "vit20" ? m_vit : variant == "tinylm" ? m_lm : test::goldenInputs(variant.toStdString(), path("."));
        Parameters p = statistics("outputs");
        p.set("ridge", 1e-9); // a handful of tokens in the reference models
        const JointVo vo = JointVo::prepare(inputs, 0, p);
        const auto& v = vo.parts().value.weight;
        const auto& o = vo.parts().output.weight;
        const std::int64_t rv = std::min(v.rows(), v.cols()), ro = std::min(o.rows(), o.cols());
        measure::LoadedSample sample;
        inputs.samples->load(0, sample);
        for (const JointVo::Solution& s : {vo.joint(rv, ro), vo.split(vo.parts().headDim), vo.separate(rv, ro)}) {
            const double difference = test::relativeDifference(*inputs.model, *with(*inputs.model, vo, s), sample);
            QVERIFY2(difference < 1e-3, qPrintable(QString::number(difference)));
        }
    }

    /// The mean input's output is exact where the output has a bias, at any rank: attention rows sum to 1, so that constants pass.
    void constantsPass()
    {
        const JointVo vo = JointVo::prepare(m_vit, 4, {});
        const auto& parts = vo.parts();
        const auto mean = m_vit.calibration->read(parts.value.name).mean;
        const auto apply = [](const Matrix<double>& w, const std::vector<float>& bias, const std::vector<double>& x) {
            std::vector<double> y(bias.begin(), bias.end());
            y.resize(static_cast<std::size_t>(w.rows()));
            for (std::int64_t i = 0; i < w.rows(); ++i)
                for (std::int64_t j = 0; j < w.cols(); ++j)
                    y[static_cast<std::size_t>(i)] += w(i, j) * x[static_cast<std::size_t>(j)];
            return y;
        };
        const auto exact = apply(parts.output.weight, parts.output.bias, apply(parts.value.weight, parts.value.bias, mean));
        double size = 0;
        for (const double y : exact)
            size = std::max(size, std::abs(y));
        for (const JointVo::Solution& s : {vo.joint(5, 7), vo.split(3), vo.separate(5, 7)}) {
            const auto now = apply(dense(*s.output), s.output->bias(), apply(dense(*s.value), s.value->bias(), mean));
            for (std::size_t i = 0; i < now.size(); ++i)
                QVERIFY(std::abs(now[i] - exact[i]) < 1e-4 * size);
        }
    }

    void contractionOrders()
    {
        const JointVo vo = JointVo::prepare(m_lm, 0, {});
        const auto cost = lowrank::contractionCost(vo.parts(), 20, 30, 100);
        QCOMPARE(cost.heads, std::uint64_t(20 * 128 + 20 * 64 + 100 * 128 + 30 * 128 + 30 * 128));
        QCOMPARE(cost.latent, std::uint64_t(20 * 128 + 100 * 4 * 20 + 4 * 30 * 20 + 30 * 128));
        QCOMPARE(cost.dense, std::uint64_t(64 * 128 + 100 * 128 + 128 * 128));
        const auto s = vo.joint(20, 30);
        QCOMPARE(s.value->cost().macsPerToken + s.output->cost().macsPerToken, cost.heads - 100 * 128);
    }

    void refusals()
    {
        const JointVo vo = JointVo::prepare(m_lm, 0, {});
        QCOMPARE(test::refusal([&] { vo.split(33); }), "invalid parameter: model.layers.0.self_attn.v_proj: a rank of 33 a head was asked for, expected 1 to 32");
        QCOMPARE(test::refusal([&] { vo.joint(0, 4); }), "invalid parameter: ranks of 4 and 0 were asked for, expected at least 1");
        lowrank::Inputs none = m_lm;
        none.calibration = nullptr;
        QCOMPARE(test::refusal([&] { JointVo::prepare(none, 0, {}); }), "invalid parameter: lowrank.joint-vo: needs a model that runs and a calibration set");
    }
};

TAMIS_BLAS_TEST_MAIN(TstJointVo)
#include "tst_joint_vo.moc"

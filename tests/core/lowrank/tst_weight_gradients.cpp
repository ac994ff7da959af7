// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients against finite differences of the loss; first-order changes against the losses of truncated weights where the loss
// is linear.
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/weight_gradients.h"
#include "core/plan/allocate.h"
#include "core/plan/model_cost.h"
#include "core/train/decoder_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/vit_on_tape.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <algorithm>
#include <cmath>

using namespace tamis;
using tensor::Matrix;

namespace {
const io::MatrixRef* matrixOf(const io::Checkpoint& checkpoint, const std::string& name)
{
    const auto found = std::ranges::find(checkpoint.layout().matrices, name, &io::MatrixRef::name);
    return found == checkpoint.layout().matrices.end() ? nullptr : &*found;
}
double inner(const Matrix<double>& a, const Matrix<double>& b)
{
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += a.values()[i] * b.values()[i];
    return sum;
}
/// The loss along `direction` from the weights: (L(W + h D) - L(W - h D)) / 2 h.
template <class Model, class Loss> double slope(Model& model, const std::string& tensor, const Matrix<double>& direction, double h, Loss loss)
{
    auto& values = model.parameters().at(tensor).values;
    const Matrix<double> before = values;
    const auto at = [&](double step) {
        for (std::size_t i = 0; i < values.size(); ++i)
            values.values()[i] = before.values()[i] + step * direction.values()[i];
        return loss();
    };
    const double result = (at(h) - at(-h)) / (2 * h);
    values = before;
    return result;
}
Matrix<double> firstComponents(const spectrum::Factors& factors, std::int64_t rank)
{
    Matrix<double> w(factors.b.rows(), factors.a.cols());
    for (std::int64_t k = 0; k < rank; ++k)
        for (std::int64_t i = 0; i < w.rows(); ++i)
            for (std::int64_t j = 0; j < w.cols(); ++j)
                w(i, j) += factors.b(i, k) * factors.a(k, j);
    return w;
}
Matrix<double> difference(const Matrix<double>& a, const Matrix<double>& b)
{
    Matrix<double> d = a;
    for (std::size_t i = 0; i < d.size(); ++i)
        d.values()[i] -= b.values()[i];
    return d;
}
/// U from W C W^T, then b = U, a = U^T W: the whitened factors.
struct Whitened {
    Matrix<double> w, c;
    std::vector<double> squares;
    spectrum::Factors factors;
};
Whitened whitened(std::int64_t m, std::int64_t n, std::uint64_t seed)
{
    Whitened result{test::gaussian(m, n, seed), {}, {}, {}};
    const auto x = test::gaussian(3 * n, n, seed + 1);
    result.c = linalg::gram(x.view(), linalg::Side::Columns);
    const auto wc = linalg::product(result.w.view(), result.c.view());
    auto k = linalg::product(linalg::Op::None, linalg::Op::Transpose, wc.view(), result.w.view());
    auto eigen = linalg::symmetricEigen(k);
    const std::int64_t p = std::min(m, n);
    Matrix<double> u(m, p);
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < p; ++j)
            u(i, j) = eigen.vectors(j, i);
    result.squares.assign(eigen.values.begin(), eigen.values.begin() + p);
    result.factors.a = linalg::product(linalg::Op::Transpose, linalg::Op::None, u.view(), result.w.view());
    result.factors.b = std::move(u);
    return result;
}
} // namespace

class TestWeightGradients : public QObject {
    Q_OBJECT
private slots:
    // Central differences in double with h = 1e-4: the cubic term and the rounding of a loss near 3 (1e-15 / 1e-4) both stay
    // below 1e-7 of slopes of order 1.
    void photosAgainstFiniteDifferences()
    {
        const auto checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20");
        auto list = test::noise(2, 64, 11);
        list.samples[0].label = 4; // the other's is the likeliest class
        const std::vector<const io::MatrixRef*> matrices{matrixOf(*checkpoint, "blocks.0.attn.qkv"), matrixOf(*checkpoint, "blocks.5.mlp.fc2")};
        const auto gradients = lowrank::weightGradients(*checkpoint, list, matrices, {0, true});
        QCOMPARE(gradients.predictions, std::uint64_t(2));
        auto model = train::VitOnTape<double>::load(*checkpoint);
        const auto& shape = model.shape();
        Matrix<double> rows(2 * shape.patches(), shape.patchValues());
        for (std::int64_t i = 0; i < 2; ++i)
            model.cutPatches(list.samples[std::size_t(i)].image, rows.data() + i * shape.patches() * shape.patchValues());
        std::vector<std::int32_t> labels{4, -1};
        train::Tape<double> tape;
        const auto loss = [&] {
            tape.reset();
            const auto logits = model.logits(tape, tape.constant(rows.view()), 2);
            if (labels[1] < 0) {
                const auto row = logits.value().row(1);
                labels[1] = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
            }
            return tape.scalar(train::crossEntropy<double>(logits, labels));
        };
        QVERIFY(std::abs(loss() - gradients.loss) < 1e-12);
        for (const auto* matrix : matrices) {
            const auto direction = test::gaussian(matrix->rows, matrix->cols, 21);
            const double expected = slope(model, matrix->tensor, direction, 1e-4, loss), found = inner(gradients.matrices.at(matrix->name), direction);
            QVERIFY2(std::abs(found - expected) < 1e-5 * std::max(1.0, std::abs(expected)), qPrintable(QString("%1 against %2").arg(found).arg(expected)));
            QVERIFY(std::abs(expected) > 1e-3);
        }
        const auto rough = lowrank::weightGradients(*checkpoint, list, matrices, {});
        for (const auto* matrix : matrices) { // float's 6e-8 grows over six blocks
            const auto& exact = gradients.matrices.at(matrix->name);
            const auto d = difference(rough.matrices.at(matrix->name), exact);
            QVERIFY(inner(d, d) < 1e-8 * inner(exact, exact));
        }
    }
    void textAgainstFiniteDifferences()
    {
        const auto checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm");
        test::SampleList list;
        for (int s = 0; s < 2; ++s) {
            measure::LoadedSample sample;
            for (int t = 0; t < 12 + 4 * s; ++t)
                sample.tokens.push_back((37 * t + 101 * s) % 500);
            sample.firstScored = s == 0 ? 1 : 5; // windows that overlap score their end only
            list.samples.push_back(sample);
        }
        const std::vector<const io::MatrixRef*> matrices{matrixOf(*checkpoint, "model.layers.2.mlp.gate_proj"), matrixOf(*checkpoint, "model.layers.0.self_attn.v_proj")};
        const auto gradients = lowrank::weightGradients(*checkpoint, list, matrices, {0, true});
        QCOMPARE(gradients.predictions, std::uint64_t(11 + 11));
        auto model = train::DecoderOnTape<double>::load(*checkpoint);
        train::Tape<double> tape;
        const auto loss = [&] {
            double sum = 0;
            for (const auto& sample : list.samples) {
                tape.reset();
                const auto logits = model.logits(tape, sample.tokens, 1).value();
                for (std::size_t t = sample.firstScored; t < sample.tokens.size(); ++t) {
                    const auto row = logits.row(static_cast<std::int64_t>(t) - 1);
                    const double most = *std::ranges::max_element(row);
                    double total = 0;
                    for (const double value : row)
                        total += std::exp(value - most);
                    sum += most + std::log(total) - row[static_cast<std::size_t>(sample.tokens[t])];
                }
            }
            return sum / 22;
        };
        QVERIFY(std::abs(loss() - gradients.loss) < 1e-11);
        for (const auto* matrix : matrices) {
            const auto direction = test::gaussian(matrix->rows, matrix->cols, 22);
            const double expected = slope(model, matrix->tensor, direction, 1e-5, loss), found = inner(gradients.matrices.at(matrix->name), direction);
            QVERIFY2(std::abs(found - expected) < 1e-5 * std::max(1.0, std::abs(expected)), qPrintable(QString("%1 against %2").arg(found).arg(expected)));
        }
    }
    // <G, W_r - W> from the truncated matrices themselves, wide and tall.
    void changesAreTheLinearLossOfTheTruncation()
    {
        for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{7, 12}, {12, 7}}) {
            const auto problem = whitened(m, n, 31);
            const auto g = test::gaussian(m, n, 33);
            const auto changes = lowrank::lossChanges(g, problem.factors);
            QCOMPARE(changes.size(), std::size_t(std::min(m, n) + 1));
            for (std::int64_t r = 0; r <= std::min(m, n); ++r)
                QVERIFY(std::abs(changes[std::size_t(r)] - inner(g, difference(firstComponents(problem.factors, r), problem.w))) < 1e-11); // terms of order 10
        }
        QVERIFY(test::refusal([] { lowrank::lossChanges(Matrix<double>(3, 4), {Matrix<double>(4, 2), Matrix<double>(2, 4)}); }).contains("found a gradient of 3 x 4, expected 4 x 4"));
    }
    // The published form: g = diag(U^T (G L^-T) V) with W L = U S V^T, C = L L^T; dL_i = -g_i s_i.
    void changesAreThePublishedOnes()
    {
        const auto problem = whitened(6, 9, 41);
        const auto g = test::gaussian(6, 9, 43);
        const auto l = *linalg::choleskyRoot(problem.c);
        const auto wl = linalg::product(problem.w.view(), l.view());
        const auto changes = lowrank::lossChanges(g, problem.factors);
        for (std::int64_t i = 0; i < 6; ++i) {
            const double s = std::sqrt(problem.squares[std::size_t(i)]);
            std::vector<double> v(9), z(9);
            for (std::int64_t j = 0; j < 9; ++j)
                for (std::int64_t k = 0; k < 6; ++k)
                    v[std::size_t(j)] += problem.factors.b(k, i) * wl(k, j) / s;
            for (std::int64_t j = 9; j-- > 0;) { // L^T z = v
                double rest = v[std::size_t(j)];
                for (std::int64_t k = j + 1; k < 9; ++k)
                    rest -= l(k, j) * z[std::size_t(k)];
                z[std::size_t(j)] = rest / l(j, j);
            }
            double gain = 0;
            for (std::int64_t k = 0; k < 6; ++k)
                for (std::int64_t j = 0; j < 9; ++j)
                    gain += problem.factors.b(k, i) * g(k, j) * z[std::size_t(j)];
            const double removed = changes[std::size_t(i)] - changes[std::size_t(i) + 1];
            QVERIFY(std::abs(removed + gain * s) < 1e-10);
        }
    }
    // A model whose loss is linear in its weights: what loss-aware predicts is what happens, and it stays within a step of 0.
    void aLinearLossIsPredictedExactly()
    {
        report::SpectrumReport spectra;
        plan::AllocationEvidence evidence;
        std::vector<Whitened> problems;
        std::vector<Matrix<double>> gradients;
        double largest = 0;
        for (int i = 0; i < 5; ++i) {
            problems.push_back(whitened(20, 24, 50 + 3 * std::uint64_t(i)));
            gradients.push_back(test::gaussian(20, 24, 90 + std::uint64_t(i)));
            report::MatrixSpectrum s;
            s.name = std::to_string(i);
            s.rows = 20;
            s.cols = 24;
            s.dtype = "F32";
            s.compressible = true;
            s.loss.assign(21, 0.0);
            for (std::size_t r = 20; r-- > 0;)
                s.loss[r] = s.loss[r + 1] + problems.back().squares[r];
            spectra.matrices.push_back(s);
            const auto& change = evidence.lossChange[s.name] = lowrank::lossChanges(gradients.back(), problems.back().factors);
            for (std::size_t r = 0; r < 20; ++r)
                largest = std::max(largest, std::abs(change[r] - change[r + 1]));
        }
        const report::Cost total{.parameters = 5 * 480, .bytes = 4 * 5 * 480, .macs = 5 * 480};
        for (const double keep : {0.8, 0.6, 0.4}) {
            const auto budget = plan::allocate(spectra, total, {keep, plan::Allocation::LossAware, plan::Accounting::BlockIdentity, 1, {}}, evidence);
            double predicted = 0, real = 0;
            for (std::size_t i = 0; i < 5; ++i) {
                const std::int64_t rank = budget.matrices[i].rank;
                predicted += evidence.lossChange.at(std::to_string(i))[std::size_t(rank)];
                real += inner(gradients[i], difference(firstComponents(problems[i].factors, rank), problems[i].w));
            }
            QVERIFY(std::abs(predicted - real) < 1e-10);
            QVERIFY2(std::abs(real) <= largest, "the running sum left its band");
            QVERIFY(budget.achievedKeep <= keep);
        }
    }
    void refusals()
    {
        const auto checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20");
        const auto list = test::noise(1, 64, 3);
        const std::vector<const io::MatrixRef*> matrices{matrixOf(*checkpoint, "blocks.0.attn.qkv")};
        QVERIFY(test::refusal([&] { lowrank::weightGradients(*checkpoint, test::SampleList(), matrices, {}); }).contains("found no sample"));
        io::MatrixRef unknown = *matrices[0];
        unknown.name = unknown.tensor = "blocks.9.attn.qkv";
        QVERIFY(test::refusal([&] { lowrank::weightGradients(*checkpoint, list, {&unknown}, {}); }).contains("is no weight of the model on the tape"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(test::refusal([&] { lowrank::weightGradients(*checkpoint, list, matrices, {}, RunContext(stop.get_token())); }).startsWith("cancelled"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestWeightGradients)
#include "tst_weight_gradients.moc"

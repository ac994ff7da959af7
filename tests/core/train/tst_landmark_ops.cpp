// SPDX-License-Identifier: GPL-3.0-or-later
// Landmarks and features of cosines and sines on the tape: values and gradients of PyTorch (tests/golden/make_landmark_golden.py), in double, and gradients against
// differences.
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/train/attention_ops.h"
#include "core/train/feature_ops.h"
#include "core/train/landmark_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/trigonometric_ops.h"
#include "tests/core/train/gradient_check.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::train;
using test::DoubleVariable;
using Matrix = tensor::Matrix<double>;

namespace {
constexpr std::int64_t kSequences = 2, kHeads = 2, kTokens = 12, kLandmarks = 4;
constexpr double kScale = 0.7; ///< as in the script
constexpr int kIterations = 5;

Matrix golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/landmark_golden.npz");
    return archive->read(name).toDoubleMatrix();
}

/// Of numbers of size 1 in double, through some dozen products: 1e-11 of the largest.
double apart(tensor::MatrixView<const double> found, const Matrix& expected)
{
    double most = 0, size = 0;
    for (std::int64_t i = 0; i < expected.rows(); ++i)
        for (std::int64_t j = 0; j < expected.cols(); ++j) {
            most = std::max(most, std::abs(found(i, j) - expected(i, j)));
            size = std::max(size, std::abs(expected(i, j)));
        }
    return most / size;
}
constexpr double kNear = 1e-11;

/// Means over segments, [landmarks, tokens].
Matrix pool()
{
    Matrix means(kLandmarks, kTokens);
    for (std::int64_t i = 0; i < kLandmarks; ++i) {
        const std::int64_t first = i * kTokens / kLandmarks, last = (i + 1) * kTokens / kLandmarks;
        for (std::int64_t j = first; j < last; ++j)
            means(i, j) = 1.0 / static_cast<double>(last - first);
    }
    return means;
}

Matrix identities()
{
    Matrix all(kSequences * kLandmarks, kHeads * kLandmarks);
    for (std::int64_t i = 0; i < all.rows(); ++i)
        for (std::int64_t head = 0; head < kHeads; ++head)
            all(i, head * kLandmarks + i % kLandmarks) = 1;
    return all;
}
} // namespace

class TstLandmarkOps : public QObject {
    Q_OBJECT
    /// sum(w y) of a golden's leaves, its values and its gradients.
    template <class Build> static void compare(const std::string& name, const std::vector<std::string>& leaves, const Build& build)
    {
        Tape<double> tape;
        std::vector<Matrix> kept;
        for (const std::string& leaf : leaves)
            kept.push_back(golden(name + "." + leaf));
        std::vector<DoubleVariable> inputs;
        for (const Matrix& values : kept)
            inputs.push_back(tape.input(values.view()));
        const DoubleVariable y = build(tape, inputs);
        QVERIFY2(apart(y.value(), golden(name + ".y")) < kNear, qPrintable(QString::number(apart(y.value(), golden(name + ".y")))));
        const Matrix weight = golden(name + ".w");
        tape.backward(sumAll(multiplyElements(y, tape.constant(weight.view()))));
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            const double most = apart(tape.gradient(inputs[i]), golden(name + ".d" + leaves[i]));
            QVERIFY2(most < kNear, qPrintable(QString("%1: %2").arg(QString::fromStdString(leaves[i])).arg(most)));
        }
    }

private slots:
    void productsArePyTorchs()
    {
        compare("inverse", {"a", "x"}, [](Tape<double>&, const auto& in) { return landmarkProducts(in[0], in[1], {.sequences = kSequences, .heads = kHeads, .iterations = kIterations}); });
    }
    void nystromIsPyTorchs()
    {
        const Matrix means = pool(), ones = identities();
        compare("nystrom", {"q", "k", "v"}, [&](Tape<double>& tape, const auto& in) {
            const AttentionShape shape{.sequences = kSequences, .heads = kHeads, .scale = kScale};
            const auto average = tape.constant(means.view());
            const auto q = projectTokens(average, in[0], kSequences), k = projectTokens(average, in[1], kSequences);
            const auto solved = landmarkProducts(attention(q, k, tape.constant(ones.view()), shape), attention(q, in[1], in[2], shape), {.sequences = kSequences, .heads = kHeads, .iterations = kIterations});
            return attention(in[0], k, solved, shape);
        });
    }
    void trigonometricIsPyTorchs()
    {
        const Matrix directions = golden("trigonometric.directions");
        compare("trigonometric", {"q", "k", "v"}, [&](Tape<double>&, const auto& in) {
            const TrigonometricShape queries{.sequences = kSequences, .heads = kHeads, .factor = std::sqrt(kScale)}, keys{.sequences = kSequences, .heads = kHeads, .factor = std::sqrt(kScale), .keys = true};
            return featureAttention(trigonometricFeatures<double>(in[0], directions.view(), queries), trigonometricFeatures<double>(in[1], directions.view(), keys), in[2],
                                    {.sequences = kSequences, .heads = kHeads, .causal = true});
        });
    }
    /// The start's norms are maxima: where they are another row's a step further a difference says nothing; draws of these seeds keep theirs.
    void gradientsOfProducts()
    {
        for (const int iterations : {0, 1, 3})
            QCOMPARE(QString::fromStdString(test::checkGradients({{6, 6}, {6, 4}}, [&](Tape<double>&, const auto& in) {
                         return landmarkProducts<double>(in[0], in[1], {.sequences = 2, .heads = 2, .iterations = iterations});
                     })), QString());
    }
    /// c has no gradient, for it cancels: only behind the quotient are differences those of the gradient.
    void gradientsOfTrigonometricFeatures()
    {
        const auto w = test::gaussian(5, 3, 2);
        QCOMPARE(QString::fromStdString(test::checkGradients({{8, 6}}, [&](Tape<double>&, const auto& in) { return trigonometricFeatures<double>(in[0], w.view(), {.sequences = 2, .heads = 2, .factor = 0.6}); })), QString());
        for (const std::int64_t keyHeads : {2, 1})
            QCOMPARE(QString::fromStdString(test::checkGradients({{8, 6}, {8, 3 * keyHeads}, {8, 2 * keyHeads}}, [&](Tape<double>&, const auto& in) {
                         return featureAttention<double>(trigonometricFeatures<double>(in[0], w.view(), {.sequences = 2, .heads = 2, .factor = 0.6}),
                                                         trigonometricFeatures<double>(in[1], w.view(), {.sequences = 2, .heads = keyHeads, .factor = 0.6, .keys = true}), in[2],
                                                         {.sequences = 2, .heads = 2, .keyValueHeads = keyHeads});
                     }, 1e-7, 1, 0.4)), QString());
    }
    /// After enough steps Z is the inverse: Z (A X) = X.
    void enoughStepsInvert()
    {
        Matrix a = test::gaussian(4, 4, 5, 0.1);
        for (std::int64_t i = 0; i < 4; ++i)
            a(i, i) += 1;
        const Matrix x = test::gaussian(4, 3, 6);
        Matrix right(4, 3);
        for (std::int64_t i = 0; i < 4; ++i)
            for (std::int64_t j = 0; j < 3; ++j)
                for (std::int64_t k = 0; k < 4; ++k)
                    right(i, j) += a(i, k) * x(k, j);
        Tape<double> tape;
        QVERIFY(apart(landmarkProducts(tape.input(a.view()), tape.input(right.view()), {.iterations = 12}).value(), x) < 1e-12);
    }
    void refusals()
    {
        Tape<double> tape;
        const Matrix six(6, 6), other(4, 4);
        const auto a = tape.input(six.view()), b = tape.input(other.view());
        QVERIFY_EXCEPTION_THROWN(landmarkProducts(a, b, {}), Error);
        QVERIFY_EXCEPTION_THROWN(landmarkProducts(a, a, {.heads = 4}), Error);
        QVERIFY_EXCEPTION_THROWN(landmarkProducts(a, a, {.iterations = -1}), Error);
        QVERIFY_EXCEPTION_THROWN(trigonometricFeatures<double>(a, other.view(), {}), Error);
        QVERIFY_EXCEPTION_THROWN(trigonometricFeatures<double>(a, six.view(), {.sequences = 4}), Error);
    }
};

QTEST_APPLESS_MAIN(TstLandmarkOps)
#include "tst_landmark_ops.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// The scaled SVD: identities with the plain and the whitened one, losses by definition, and NumPy's numbers by the authors'
// route.
#include "core/spectrum/scaled.h"

#include "core/base/error.h"
#include "tests/core/spectrum/small_workspace.h"

#include <QFile>
#include <QTest>

#include <cmath>
#include <map>

using namespace tamis;
using namespace tamis::spectrum;

namespace {
Inputs vit20(std::vector<std::string> matrices)
{
    const std::filesystem::path folder = TAMIS_SOURCE_DIR "/datasets/vit20";
    return {io::Checkpoint::open(folder), io::CalibrationSet::open(folder / "calibration.h5"), std::move(matrices)};
}

Parameters with(const std::string& scale, double alpha)
{
    Parameters parameters;
    parameters.set("scale", scale);
    parameters.set("alpha", alpha);
    return parameters;
}

const Method& named(const char* id)
{
    return *findMethod(id);
}
const std::vector<std::string> kSome{"blocks.0.attn.qkv", "blocks.2.attn.proj", "blocks.3.mlp.fc1", "blocks.5.mlp.fc2", "head"};
} // namespace

class TestScaled : public QObject {
    Q_OBJECT
private slots:
    void agreesWithNumPy()
    {
        const Inputs inputs = vit20(kSome);
        QFile file(TAMIS_SOURCE_DIR "/tests/golden/scaled_golden.tsv");
        QVERIFY(file.open(QIODevice::ReadOnly));
        std::map<QString, report::SpectrumReport> runs;
        int compared = 0;
        for (const QByteArray& line : file.readAll().split('\n')) {
            const QList<QByteArray> cells = line.split('\t');
            if (line.startsWith('#') || cells.size() != 6)
                continue;
            const QString key = cells[1] + cells[2];
            if (!runs.contains(key))
                runs[key] = named("spectrum.scaled").run(inputs, with(cells[1].toStdString(), cells[2].toDouble()), {});
            for (const auto& matrix : runs[key].matrices) {
                if (matrix.name != cells[0].toStdString())
                    continue;
                const auto rank = static_cast<std::size_t>(cells[3].toInt());
                // NumPy's route divides by the scales and sums a residual: 1e-7 of the loss covers its rounding
                QVERIFY2(std::abs(matrix.loss[rank] - cells[4].toDouble()) <= 1e-7 * cells[4].toDouble(), line.constData());
                QVERIFY2(std::abs(matrix.heldOutLoss[rank] - cells[5].toDouble()) <= 1e-7 * cells[5].toDouble(), line.constData());
                ++compared;
            }
        }
        QCOMPARE(compared, 4 * 4 * 4);
    }
    void withoutAnExponentItIsThePlainSvd()
    {
        const Inputs inputs = vit20(kSome);
        const auto scaled = named("spectrum.scaled").run(inputs, with("abs-mean", 0.0), {});
        for (const auto& matrix : scaled.matrices)
            for (std::size_t r = 0; r < matrix.loss.size(); ++r)
                QVERIFY(std::abs(matrix.loss[r] - matrix.baselineLoss[r]) <= 1e-9 * matrix.loss[0]);
    }
    void itNeverBeatsTheOptimum()
    {
        const Inputs inputs = vit20(kSome);
        const auto best = named("spectrum.whitened").run(inputs, {}, {});
        for (const char* scale : {"abs-mean", "abs-max", "rms"})
            for (const double alpha : {0.25, 0.5, 1.0}) {
                const auto scaled = named("spectrum.scaled").run(inputs, with(scale, alpha), {});
                for (std::size_t m = 0; m < scaled.matrices.size(); ++m) {
                    const auto &a = scaled.matrices[m].loss, &b = best.matrices[m].loss;
                    QCOMPARE(a.size(), b.size());
                    QVERIFY(std::abs(a[0] - b[0]) <= 1e-9 * b[0]); // nothing kept: the same loss
                    for (std::size_t r = 0; r < a.size(); ++r)
                        QVERIFY(a[r] >= b[r] - 1e-9 * b[0]);
                }
            }
    }
    void withADiagonalStatisticItIsTheOptimum()
    {
        // Every token shows one input: C is diagonal, and the root mean square is all there is to know.
        const std::int64_t n = 12;
        tensor::Matrix<double> tokens(n, n), held(2, n);
        for (std::int64_t j = 0; j < n; ++j)
            tokens(j, j) = 0.5 + static_cast<double>(j % 5);
        const test::SmallWorkspace workspace({{"a", test::gaussian(9, n, 3)}}, {test::makeSite("a", tokens, n, held)});
        const auto scaled = named("spectrum.scaled").run(workspace.inputs(), with("rms", 1.0), {});
        const auto best = named("spectrum.whitened").run(workspace.inputs(), {}, {});
        for (std::size_t r = 0; r < best.matrices[0].loss.size(); ++r) // the floor of 1e-6 moves scales by some 1e-6
            QVERIFY(std::abs(scaled.matrices[0].loss[r] - best.matrices[0].loss[r]) <= 1e-9 * best.matrices[0].loss[0]);
    }
    void factorsLoseWhatIsReported()
    {
        for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{8, 15}, {20, 7}}) {
            const auto tokens = test::gaussian(40, cols, 5);
            const auto w = test::gaussian(rows, cols, 6);
            const test::SmallWorkspace workspace({{"a", w}}, {test::makeSite("a", tokens, 40, test::gaussian(9, cols, 7))});
            const auto report = named("spectrum.scaled").run(workspace.inputs(), with("abs-max", 0.7), {});
            const auto rounded = test::toDoubles(test::toFloat(tokens));
            for (std::int64_t r = 0; r <= std::min(rows, cols); ++r) {
                const Factors f = named("spectrum.scaled").factors(workspace.inputs(), "a", r, with("abs-max", 0.7), {});
                QVERIFY(std::abs(test::lossByDefinition(w, f, &rounded) - report.matrices[0].loss[static_cast<std::size_t>(r)]) <= 1e-9 * report.matrices[0].loss[0]);
            }
            QVERIFY_THROWS_EXCEPTION(Error, named("spectrum.scaled").factors(workspace.inputs(), "a", std::min(rows, cols) + 1, {}, {}));
        }
    }
    void withoutSampleRowsOnlyTheDiagonalServes()
    {
        const auto tokens = test::gaussian(30, 6, 5);
        const test::SmallWorkspace workspace({{"a", test::gaussian(6, 6, 6)}}, {test::makeSite("a", tokens, 0, tensor::Matrix<double>(0, 6))});
        const auto refused = named("spectrum.scaled").run(workspace.inputs(), with("abs-mean", 0.5), {});
        QVERIFY(refused.matrices[0].loss.empty());
        QVERIFY(QString::fromStdString(refused.matrices[0].warnings.at(0)).contains("has no sample rows"));
        QCOMPARE(named("spectrum.scaled").run(workspace.inputs(), with("rms", 1.0), {}).matrices[0].loss.size(), std::size_t(7));
    }
};

QTEST_APPLESS_MAIN(TestScaled)
#include "tst_scaled.moc"

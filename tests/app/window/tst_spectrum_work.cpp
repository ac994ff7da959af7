// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/spectrum_work.h"
#include "core/base/error.h"
#include "core/spectrum/method.h"

#include <QElapsedTimer>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;

namespace {
SpectrumRequest vit20()
{
    const std::string path = TAMIS_SOURCE_DIR "/datasets/vit20";
    SpectrumRequest request;
    request.checkpoint = io::Checkpoint::open(path);
    request.calibration = io::CalibrationSet::open(path + "/calibration.h5");
    request.method = "spectrum.whitened";
    request.parameters = spectrum::findMethod(request.method)->declaration.schema.defaults();
    request.current = "blocks.0.attn.qkv";
    request.overlay = {"blocks.0.attn.qkv", "blocks.3.mlp.fc1"};
    return request;
}
/// Equal to 1e-13 of the first value: BLAS kernels sum in an order that depends on the alignment of the memory they get, so
/// that two runs may differ in the last bits (1e-15 measured).
bool sameCurve(const std::vector<double>& a, const std::vector<double>& b)
{
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::abs(a[i] - b[i]) <= 1e-13 * b[0]))
            return false;
    return true;
}
} // namespace

class TstSpectrumWork : public QObject
{
    Q_OBJECT
private slots:
    void refineIsTheMethodAndTheAllocation()
    {
        SpectrumWork work(std::make_shared<plan::LatencyCache>());
        const auto request = vit20();
        QVERIFY(!work.coarse(request)); // nothing is known of this model yet
        const auto picture = work.refine(request, {});
        QVERIFY(picture->complete);
        const auto direct = spectrum::findMethod(request.method)->run({request.checkpoint, request.calibration, {}}, request.parameters, {});
        QCOMPARE(picture->spectra->matrices.size(), direct.matrices.size());
        for (std::size_t i = 0; i < direct.matrices.size(); ++i)
            QVERIFY2(sameCurve(picture->spectra->matrices[i].loss, direct.matrices[i].loss), direct.matrices[i].name.c_str());
        QCOMPARE(picture->budget.matrices.size(), direct.matrices.size());
        QVERIFY(picture->budget.after.parameters < picture->budget.before.parameters);
        QVERIFY(std::isfinite(picture->budget.after.latencyMs) && picture->budget.after.latencyMs > 0);
        QVERIFY(!picture->series.empty() && !picture->landscape->roles.empty());
    }
    void theBaselineIsThePlainSvdAtUniformRanks()
    {
        SpectrumWork work(std::make_shared<plan::LatencyCache>());
        const auto request = vit20();
        const auto picture = work.refine(request, {});
        QVERIFY(picture->baseline);
        // An independent way: factors of spectrum.plain at those ranks, loss by tr((W - BA) C (W - BA)^T) from the file's C.
        const auto* plain = spectrum::findMethod("spectrum.plain");
        double sum = 0;
        int count = 0;
        for (const auto& matrix : request.checkpoint->layout().matrices) {
            if (!request.calibration->features(matrix.name))
                continue;
            const auto c = request.calibration->read(matrix.name).gram;
            const auto w = request.checkpoint->readMatrixDouble(matrix);
            const auto rank = plan::rankForKeep(plan::Accounting::Factors, matrix.rows, matrix.cols, request.budget.keep);
            const auto factors = plain->factors({request.checkpoint, nullptr, {}}, matrix.name, rank, {}, {});
            const auto loss = [&](bool approximated) {
                double total = 0;
                std::vector<double> row(static_cast<std::size_t>(matrix.cols));
                for (std::int64_t i = 0; i < matrix.rows; ++i) {
                    for (std::int64_t j = 0; j < matrix.cols; ++j) {
                        double v = w(i, j);
                        for (std::int64_t k = 0; approximated && k < rank; ++k)
                            v -= factors.b(i, k) * factors.a(k, j);
                        row[static_cast<std::size_t>(j)] = v;
                    }
                    for (std::int64_t j = 0; j < matrix.cols; ++j) {
                        double inner = 0;
                        for (std::int64_t k = 0; k < matrix.cols; ++k)
                            inner += c(j, k) * row[static_cast<std::size_t>(k)];
                        total += row[static_cast<std::size_t>(j)] * inner;
                    }
                }
                return total;
            };
            sum += loss(true) / loss(false);
            ++count;
        }
        QCOMPARE(count, 25);
        QVERIFY2(std::abs(picture->baseline->relativeLoss - sum / count) < 1e-9, "two double computations of the same sum");
        QVERIFY(picture->baseline->relativeLoss > picture->budget.predictedRelativeLoss);
    }
    void anotherKeepNeedsNoDecomposition()
    {
        SpectrumWork work(std::make_shared<plan::LatencyCache>());
        auto request = vit20();
        const auto first = work.refine(request, {});
        request.budget.keep = 0.3;
        const auto coarse = work.coarse(request);
        QVERIFY(coarse && coarse->complete);
        QVERIFY(coarse->spectra == first->spectra); // the same object: nothing was computed
        QVERIFY(coarse->budget.after.parameters < first->budget.after.parameters);
    }
    void otherParametersShowTheMatrixInFocusFirst()
    {
        SpectrumWork work(std::make_shared<plan::LatencyCache>());
        auto request = vit20();
        const auto before = work.refine(request, {});
        request.parameters.set("ridge", 0.1);
        const auto coarse = work.coarse(request);
        QVERIFY(coarse && !coarse->complete);
        const auto exact = work.refine(request, {});
        for (std::size_t i = 0; i < exact->spectra->matrices.size(); ++i) {
            const auto& name = exact->spectra->matrices[i].name;
            const bool inFocus = name == "blocks.0.attn.qkv" || name == "blocks.3.mlp.fc1";
            QVERIFY(sameCurve(coarse->spectra->matrices[i].loss, (inFocus ? exact : before)->spectra->matrices[i].loss));
            if (!exact->spectra->matrices[i].loss.empty() && !inFocus)
                QVERIFY(!sameCurve(coarse->spectra->matrices[i].loss, exact->spectra->matrices[i].loss));
        }
    }
    void aStopLeavesWithinABoundAndRemembersNothing()
    {
        SpectrumWork work(std::make_shared<plan::LatencyCache>());
        std::stop_source source;
        source.request_stop();
        try {
            work.refine(vit20(), RunContext(source.get_token()));
            QFAIL("went on after a stop");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
        QVERIFY(!work.coarse(vit20()));
    }
    void anUnknownMethodIsOneSentence()
    {
        SpectrumWork work(std::make_shared<plan::LatencyCache>());
        auto request = vit20();
        request.method = "spectrum.unheard-of";
        QVERIFY_EXCEPTION_THROWN(work.refine(request, {}), Error);
    }
};

QTEST_GUILESS_MAIN(TstSpectrumWork)
#include "tst_spectrum_work.moc"

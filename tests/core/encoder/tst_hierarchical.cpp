// SPDX-License-Identifier: GPL-3.0-or-later
// Trees as they are trained, on the bundled activations: fitted to the first 512, measured on the other 256.
#include "core/encoder/exact.h"
#include "core/encoder/hierarchical.h"
#include "tests/core/encoder/routed_cases.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
Parameters settings(std::int64_t beam, const std::string& router = "trained", std::int64_t levels = 2, std::int64_t branching = 5)
{
    return test::routerTraining(hierarchicalMethod(), {{"beam", beam}, {"levels", levels}, {"branching", branching}, {"router", router}});
}
} // namespace

class TestHierarchical : public QObject {
    Q_OBJECT
private slots:
    /// More than a tree of routers drawn at random, which finds some beam / leaves, on rows that were not seen.
    void trainingHelps()
    {
        const Inputs& given = test::routedInputs();
        const Built trained = hierarchicalMethod().build(given, settings(6), {});
        const double found = test::routedQuality(*trained.encoder).recallMean, blind = test::routedQuality(*hierarchicalMethod().build(given, settings(6, "random"), {}).encoder).recallMean;
        QVERIFY2(found > 0.55 && blind < 0.35, qPrintable(QStringLiteral("%1 %2").arg(found).arg(blind)));
        QVERIFY(trained.training[1].points.back().y < trained.training[1].points.front().y);
        QVERIFY(trained.warnings.back().find("6.00 of 25 leaves a token") != std::string::npos);
    }
    /// The same tree with wider beams, taken from the file that the first left: recall and the mass found rise up to that of encoder.exact, whose
    /// codes a beam of all leaves has, bit for bit. Latents scored and multiply-adds are those of the formula: leaves differ by one latent.
    void recallRisesWithTheBeam()
    {
        const Inputs& given = test::routedInputs();
        const Built built = hierarchicalMethod().build(given, settings(1, "trained", 3, 3), {});
        const Matrix<float> x = test::routedInputs().dictionary->prepared(test::bundledRows("tinylm", 512, 256).view());
        double before = 0, fvu = 10;
        for (const std::int64_t beam : {1, 2, 3, 6, 9, 14, 20, 27}) {
            TrainedEncoder wider = *built.trained;
            wider.parameters.set("beam", beam);
            const EncoderPtr encoder = hierarchicalMethod().restore(given, wider, {});
            const report::EncoderQuality found = test::routedQuality(*encoder);
            QVERIFY2(found.recallMean > before && found.fvu < fvu, qPrintable(QStringLiteral("%1: %2 after %3").arg(beam).arg(found.recallMean).arg(before)));
            before = found.recallMean;
            fvu = found.fvu;
            const auto routed = static_cast<double>(std::min<std::int64_t>(beam, 1) * 3 + std::min<std::int64_t>(beam, 3) * 3 + std::min<std::int64_t>(beam, 9) * 3);
            QVERIFY(std::abs(encoder->cost().macs - 128 * (routed + static_cast<double>(beam) * 2048 / 27)) < 1e-6);
            EncodeTrace trace;
            const SparseCodes codes = encoder->encode(x.view(), {}, &trace);
            QVERIFY(std::abs(trace.rowsScored - static_cast<double>(beam) * 2048 / 27) <= static_cast<double>(beam));
            if (beam == 27)
                QVERIFY(test::sameCodes(codes, exactEncoder(test::routedInputs().dictionary)->encode(x.view())));
        }
        QCOMPARE(before, 1.0);
    }
    void filesGiveTheSame()
    {
        const Built built = hierarchicalMethod().build(test::routedInputs(), settings(5), {});
        QCOMPARE(test::restored(hierarchicalMethod(), built)->cost().macs, built.encoder->cost().macs);
        TrainedEncoder broken = *built.trained;
        broken.parameters.set("levels", std::int64_t{1});
        QVERIFY_THROWS_EXCEPTION(Error, hierarchicalMethod().restore(test::routedInputs(), broken, {}));
        test::verifyRoundTrip(hierarchicalMethod(), test::routedInputs(), built);
    }
    void reproducible()
    {
        Parameters few = settings(4);
        few.set("steps", std::int64_t{20});
        test::verifyReproducible(hierarchicalMethod(), test::routedInputs(), few);
    }
    void badRequestsAreRefused()
    {
        Inputs given = test::routedInputs();
        QVERIFY_THROWS_EXCEPTION(Error, hierarchicalMethod().build(given, settings(4, "trained", 4, 8), {})); // 4096 leaves
        const Built built = hierarchicalMethod().build(given, settings(400, "random"), {});
        QVERIFY(built.warnings[0].find("is 25, not 400") != std::string::npos);
        given.calibration = Matrix<float>(20, 64);
        QVERIFY_THROWS_EXCEPTION(Error, hierarchicalMethod().build(given, settings(4), {}));
        given = test::routedInputs();
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, hierarchicalMethod().build(given, settings(4), RunContext(stop.get_token())));
    }
};

TAMIS_BLAS_TEST_MAIN(TestHierarchical)
#include "tst_hierarchical.moc"

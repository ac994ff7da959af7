// SPDX-License-Identifier: GPL-3.0-or-later
// Mixtures as they are trained, on the bundled activations: fitted to the first 512, measured on the other 256.
#include "core/encoder/exact.h"
#include "core/encoder/mixture.h"
#include "tests/core/encoder/routed_cases.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
Parameters settings(std::int64_t active, const std::string& routing = "top-e", const std::string& router = "trained", const std::string& partition = "co-firing")
{
    return test::routerTraining(mixtureMethod(), {{"active", active}, {"experts", std::int64_t{16}}, {"routing", routing}, {"router", router}, {"partition", partition}});
}

double recall(const TopKEncoder& encoder) { return test::routedQuality(encoder).recallMean; }
} // namespace

class TestMixture : public QObject {
    Q_OBJECT
private slots:
    /// What is trained is worth something on rows that were not seen: more than a router drawn at random, which finds some e / E, and more with
    /// experts that fire together than with neighbours.
    void trainingHelps()
    {
        const Inputs& given = test::routedInputs();
        const Built trained = mixtureMethod().build(given, settings(4), {});
        const double found = recall(*trained.encoder), blind = recall(*mixtureMethod().build(given, settings(4, "top-e", "random"), {}).encoder),
                     neighbours = recall(*mixtureMethod().build(given, settings(4, "top-e", "trained", "none"), {}).encoder);
        QVERIFY2(found > 0.55 && blind < 0.35 && neighbours > blind && found > neighbours + 0.1, qPrintable(QStringLiteral("%1 %2 %3").arg(found).arg(blind).arg(neighbours)));
        QCOMPARE(trained.training.size(), std::size_t{2});
        QVERIFY(trained.training[1].points.back().y < trained.training[1].points.front().y);
        QVERIFY(trained.warnings.back().find("4.00 of 16 experts a token") != std::string::npos);
    }
    /// The partition and the router do not depend on e: what is found grows with it and is all with all.
    void recallRisesWithTheExperts()
    {
        const Inputs& given = test::routedInputs();
        double before = 0;
        for (const std::int64_t active : {1, 2, 4, 8, 16}) {
            const Built built = mixtureMethod().build(given, settings(active), {});
            const double found = recall(*built.encoder);
            QVERIFY(found > before);
            before = found;
            QCOMPARE(built.encoder->cost().macs, 128.0 * 16 + 128.0 * 2048 * static_cast<double>(active) / 16);
        }
        QCOMPARE(before, 1.0);
    }
    /// ReLU gates: e experts a token on average on the calibration rows, but for equal logits; tokens differ.
    void reluFindsItsNumber()
    {
        const Inputs& given = test::routedInputs();
        const Built built = mixtureMethod().build(given, settings(4, "relu"), {});
        const auto& encoder = dynamic_cast<const RoutedEncoder&>(*built.encoder);
        const RoutingStatistics statistics = routingStatistics(encoder.router(), given.calibration.view());
        QVERIFY2(std::abs(statistics.meanGroups - 4) < 0.01, qPrintable(QString::number(statistics.meanGroups)));
        std::size_t least = 16, most = 0;
        for (const auto& chosen : encoder.routes(given.calibration.view())) {
            least = std::min(least, chosen.size());
            most = std::max(most, chosen.size());
        }
        QVERIFY(least < 4 && most > 4);
        QVERIFY(std::abs(encoder.cost().macs - 128 * (16 + 128 * statistics.meanGroups)) < 1); // 128 latents an expert; loads are float32
        const Built random = mixtureMethod().build(given, settings(4, "relu", "random"), {});
        const auto& blind = dynamic_cast<const RoutedEncoder&>(*random.encoder);
        QVERIFY(std::abs(routingStatistics(blind.router(), given.calibration.view()).meanGroups - 4) < 0.01);
        const double found = recall(encoder), drawn = recall(blind);
        QVERIFY2(found > 0.55 && drawn < 0.35, qPrintable(QStringLiteral("%1 %2").arg(found).arg(drawn)));
    }
    void filesGiveTheSame_data()
    {
        QTest::addColumn<QString>("routing");
        QTest::newRow("top-e") << "top-e";
        QTest::newRow("relu") << "relu";
    }
    void filesGiveTheSame()
    {
        QFETCH(QString, routing);
        const Built built = mixtureMethod().build(test::routedInputs(), settings(3, routing.toStdString()), {});
        QVERIFY(std::abs(test::restored(mixtureMethod(), built)->cost().macs / built.encoder->cost().macs - 1) < 1e-6); // loads are kept in float32
        test::verifyRoundTrip(mixtureMethod(), test::routedInputs(), built);
    }
    /// A weight on balance levels the load, and is paid for.
    void balanceLevelsTheLoad()
    {
        const Inputs& given = test::routedInputs();
        Parameters levelled = settings(4);
        levelled.set("balance", 5.0);
        const Built plain = mixtureMethod().build(given, settings(4), {}), even = mixtureMethod().build(given, levelled, {});
        const auto load = [&](const Built& built) { return routingStatistics(dynamic_cast<const RoutedEncoder&>(*built.encoder).router(), given.calibration.view()).balance; };
        QVERIFY2(load(even) < 0.8 * load(plain), qPrintable(QStringLiteral("%1 %2").arg(load(even)).arg(load(plain))));
        QVERIFY(recall(*even.encoder) < recall(*plain.encoder));
    }
    void reproducible()
    {
        Parameters few = settings(4);
        few.set("steps", std::int64_t{20});
        test::verifyReproducible(mixtureMethod(), test::routedInputs(), few);
    }
    void badRequestsAreRefused()
    {
        Inputs given = test::routedInputs();
        Parameters many = settings(4);
        many.set("experts", std::int64_t{1024});
        many.set("active", std::int64_t{1024});
        given.dictionary = test::wholeDictionary(100, 128, 5);
        QVERIFY_THROWS_EXCEPTION(Error, mixtureMethod().build(given, many, {}));
        given = test::routedInputs();
        given.calibration = {};
        QVERIFY_THROWS_EXCEPTION(Error, mixtureMethod().build(given, settings(4), {}));
        given = test::routedInputs();
        Parameters clamped = settings(20, "top-e", "random");
        const Built built = mixtureMethod().build(given, clamped, {});
        QCOMPARE(built.warnings.size(), std::size_t{2});
        QVERIFY(built.warnings[0].find("are 16, not 20") != std::string::npos);
        const Matrix<float> x = test::routedInputs().dictionary->prepared(test::bundledRows("tinylm", 512, 50).view());
        QVERIFY(test::sameCodes(built.encoder->encode(x.view()), exactEncoder(test::routedInputs().dictionary)->encode(x.view())));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, mixtureMethod().build(given, settings(4), RunContext(stop.get_token())));
    }
};

TAMIS_BLAS_TEST_MAIN(TestMixture)
#include "tst_mixture.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Mixtures as they are trained, on the bundled activations: fitted to the first 512, measured on the other 256.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/exact.h"
#include "core/encoder/mixture.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <cmath>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
std::shared_ptr<const Dictionary> tinylm()
{
    static const auto dictionary = test::bundledDictionary("tinylm.block3.k32/sparsify");
    return dictionary;
}

Inputs inputs()
{
    Inputs given;
    given.dictionary = tinylm();
    given.calibration = tinylm()->prepared(test::bundledRows("tinylm", 0, 512).view());
    return given;
}

Parameters settings(std::int64_t active, const std::string& routing = "top-e", const std::string& router = "trained", const std::string& partition = "co-firing")
{
    Parameters parameters;
    parameters.set("active", active);
    parameters.set("experts", std::int64_t{16});
    parameters.set("routing", routing);
    parameters.set("router", router);
    parameters.set("partition", partition);
    parameters.set("steps", std::int64_t{300});
    parameters.set("batch", std::int64_t{128});
    parameters.set("check-every", std::int64_t{20});
    return mixtureMethod().declaration.schema.complete(parameters);
}

double recall(const TopKEncoder& encoder)
{
    static const auto exact = exactTokens(tinylm(), test::bundledRows("tinylm", 512, 256));
    return measureEncoder(*exact, encoder, "encoder.mixture", {}, {.latencyBatches = {}}).quality.recallMean;
}

bool same(const SparseCodes& a, const SparseCodes& b) { return a.first == b.first && a.latents == b.latents && a.values == b.values; }
} // namespace

class TestMixture : public QObject {
    Q_OBJECT
private slots:
    /// What is trained is worth something on rows that were not seen: more than a router drawn at random, which finds some e / E, and more with
    /// experts that fire together than with neighbours.
    void trainingHelps()
    {
        const Inputs given = inputs();
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
        const Inputs given = inputs();
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
        const Inputs given = inputs();
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
        const Built built = mixtureMethod().build(inputs(), settings(3, routing.toStdString()), {});
        Inputs bare;
        bare.dictionary = tinylm();
        const EncoderPtr again = mixtureMethod().restore(bare, *built.trained, {});
        const Matrix<float> x = tinylm()->prepared(test::bundledRows("tinylm", 512, 256).view());
        QVERIFY(same(again->encode(x.view()), built.encoder->encode(x.view())));
        QCOMPARE(again->cost().parameters, built.encoder->cost().parameters);
        QVERIFY(std::abs(again->cost().macs / built.encoder->cost().macs - 1) < 1e-6); // loads are kept in float32
    }
    /// A weight on balance levels the load, and is paid for.
    void balanceLevelsTheLoad()
    {
        const Inputs given = inputs();
        Parameters levelled = settings(4);
        levelled.set("balance", 5.0);
        const Built plain = mixtureMethod().build(given, settings(4), {}), even = mixtureMethod().build(given, levelled, {});
        const auto load = [&](const Built& built) { return routingStatistics(dynamic_cast<const RoutedEncoder&>(*built.encoder).router(), given.calibration.view()).balance; };
        QVERIFY2(load(even) < 0.8 * load(plain), qPrintable(QStringLiteral("%1 %2").arg(load(even)).arg(load(plain))));
        QVERIFY(recall(*even.encoder) < recall(*plain.encoder));
    }
    void doesNotDependOnThreads()
    {
        const Inputs given = inputs();
        Parameters few = settings(4);
        few.set("steps", std::int64_t{20});
        const Built all = mixtureMethod().build(given, few, {});
        const ThreadLimit one(1);
        const Built again = mixtureMethod().build(given, few, {});
        for (std::size_t i = 0; i < all.trained->tensors.size(); ++i)
            QVERIFY(all.trained->tensors[i].values == again.trained->tensors[i].values && all.trained->tensors[i].integers == again.trained->tensors[i].integers);
    }
    void badRequestsAreRefused()
    {
        Inputs given = inputs();
        Parameters many = settings(4);
        many.set("experts", std::int64_t{1024});
        many.set("active", std::int64_t{1024});
        given.dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(100, 128, 5)));
        QVERIFY_THROWS_EXCEPTION(Error, mixtureMethod().build(given, many, {}));
        given = inputs();
        given.calibration = {};
        QVERIFY_THROWS_EXCEPTION(Error, mixtureMethod().build(given, settings(4), {}));
        given = inputs();
        Parameters clamped = settings(20, "top-e", "random");
        const Built built = mixtureMethod().build(given, clamped, {});
        QCOMPARE(built.warnings.size(), std::size_t{2});
        QVERIFY(built.warnings[0].find("are 16, not 20") != std::string::npos);
        const Matrix<float> x = tinylm()->prepared(test::bundledRows("tinylm", 512, 50).view());
        QVERIFY(same(built.encoder->encode(x.view()), exactEncoder(tinylm())->encode(x.view())));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, mixtureMethod().build(given, settings(4), RunContext(stop.get_token())));
    }
};

TAMIS_BLAS_TEST_MAIN(TestMixture)
#include "tst_mixture.moc"

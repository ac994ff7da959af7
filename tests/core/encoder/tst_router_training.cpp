// SPDX-License-Identifier: GPL-3.0-or-later
// Routed encoders against NumPy and PyTorch: files that tests/golden/make_router_golden.py wrote, and first steps of training.
#include "core/base/error.h"
#include "core/encoder/hierarchical.h"
#include "core/encoder/mixture.h"
#include "core/io/npz.h"
#include "core/train/trainer.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <cmath>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
const std::filesystem::path kFolder = TAMIS_SOURCE_DIR "/tests/golden";
constexpr std::int64_t kExperts = 12, kActive = 4, kLevels = 2, kBranching = 3;

io::NpyArray golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(kFolder / "router_golden.npz");
    return archive->read(name);
}

std::vector<std::int32_t> places(const std::string& name)
{
    const auto values = golden(name).toDoubles();
    return {values.begin(), values.end()};
}

std::shared_ptr<const Dictionary> dictionary()
{
    io::SparseAutoencoder a;
    a.config.activation = io::SaeActivation::TopK;
    a.config.k = 6;
    a.encoder = golden("encoder").toFloatMatrix();
    a.encoderBias = golden("bias").toFloats();
    a.decoder = a.encoder;
    a.decoderBias.assign(static_cast<std::size_t>(a.encoder.cols()), 0.0F);
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
}

Inputs inputs()
{
    Inputs given;
    given.dictionary = dictionary();
    return given;
}

/// One batch as the training loop gives it.
TrainingRows batch(const Matrix<float>& x)
{
    TrainingRows rows;
    rows.x = x.view();
    rows.exact = test::bruteCodes(*dictionary(), x.view());
    return rows;
}
} // namespace

class TestRouterTraining : public QObject {
    Q_OBJECT
private slots:
    void filesGiveTheirEncoders_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"mixture", "relu", "hierarchical"})
            QTest::newRow(name) << name;
    }
    /// A file written by another program: its experts best first, their shares and the codes. What decides is 1e-4 from a tie at least, float32
    /// sums of ten terms of order 1 are good to some 1e-6.
    void filesGiveTheirEncoders()
    {
        QFETCH(QString, name);
        const std::string key = name.toStdString();
        const TrainedEncoder trained = readTrainedEncoder(kFolder / "router" / (key + ".safetensors"));
        const Method method = key == "hierarchical" ? hierarchicalMethod() : mixtureMethod();
        const EncoderPtr encoder = method.restore(inputs(), trained, {});
        const auto* routed = dynamic_cast<const RoutedEncoder*>(encoder.get());
        QVERIFY(routed);
        const Matrix<float> x = golden("x").toFloatMatrix();
        const auto routes = routed->routes(x.view());
        const SparseCodes codes = encoder->encode(x.view());
        const Matrix<double> chosen = golden(key + ".chosen").toDoubleMatrix(), shares = golden(key + ".shares").toDoubleMatrix(), latents = golden(key + ".latents").toDoubleMatrix(),
                             values = golden(key + ".values").toDoubleMatrix();
        std::vector<double> own(static_cast<std::size_t>(shares.cols()));
        for (std::int64_t t = 0; t < x.rows(); ++t) {
            std::vector<std::int32_t> expected;
            for (const double place : chosen.view().row(t))
                if (place >= 0)
                    expected.push_back(static_cast<std::int32_t>(place));
            QVERIFY(routes[static_cast<std::size_t>(t)] == expected);
            routed->router().shares(x.view().row(t), own);
            for (std::int64_t g = 0; g < shares.cols(); ++g)
                QVERIFY(std::abs(own[static_cast<std::size_t>(g)] - shares(t, g)) < 1e-5);
            std::size_t count = 0;
            for (std::int64_t i = 0; i < latents.cols() && latents(t, i) >= 0; ++i, ++count) {
                QVERIFY(count < codes.latentsOf(t).size());
                QCOMPARE(codes.latentsOf(t)[count], static_cast<std::int32_t>(latents(t, i)));
                QVERIFY(std::abs(static_cast<double>(codes.valuesOf(t)[count]) - values(t, i)) < 1e-5);
            }
            QCOMPARE(codes.latentsOf(t).size(), count);
        }
    }
    void stepsArePyTorchs_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"top", "top-balanced", "relu", "relu-balanced", "relu-few", "tree"})
            QTest::newRow(name) << name;
    }
    /// Six steps of AdamW in float32 against float64: losses of order 1 from sums of some hundred terms to 2e-5; each weight moved by six
    /// steps of 0.02, to a hundredth of one step. Coefficients are products of 1.2 in both.
    void stepsArePyTorchs()
    {
        QFETCH(QString, name);
        const std::string key = "train." + name.toStdString();
        const Matrix<float> x = golden("x").toFloatMatrix(), start = golden(key + ".start.weight").toFloatMatrix();
        const bool tree = name == "tree", relu = name.startsWith("relu");
        const TrainingRows rows = batch(x);
        train::ParameterSet<float> set;
        addRouter(set, start.rows(), start.cols(), 0);
        set.at("router.weight").values = start;
        set.at("router.bias").values = golden(key + ".start.bias").toFloatMatrix();
        RouterTarget target{places("experts"), kExperts, kActive, name.endsWith("balanced") ? relu ? 1.0 : 0.5 : 0.0};
        const auto coefficient = std::make_shared<AdaptiveCoefficient>();
        const auto coefficients = golden(key + ".coefficient").toDoubles();
        coefficient->value = coefficients[0];
        const FeatureScale scale = featureScale(x.view());
        const EncoderObjective objective = tree   ? treeObjective(set, places("leaves"), kLevels, kBranching, scale)
                                           : relu ? reluObjective(set, target, scale, coefficient)
                                                  : topExpertsObjective(set, target, scale);
        train::TrainingSettings loop;
        loop.optimiser.weightDecay = 0;
        const auto losses = golden(key + ".loss").toDoubles();
        loop.schedule = {.kind = train::ScheduleKind::Constant, .peak = 0.02, .floor = 0, .warmUp = 0, .total = static_cast<std::int64_t>(losses.size())};
        std::vector<double> followed{coefficient->value};
        const auto steps = train::train<float>(
            set, loop, [&](train::Tape<float>& tape, std::int64_t step, std::int64_t) { return objective.loss(tape, rows, step, false); }, {},
            [&](const train::TrainingStep&) { followed.push_back(coefficient->value); });
        for (std::size_t i = 0; i < losses.size(); ++i)
            QVERIFY2(std::abs(steps[i].loss - losses[i]) < 2e-5, qPrintable(QStringLiteral("%1: %2, %3").arg(i).arg(steps[i].loss, 0, 'g', 9).arg(losses[i], 0, 'g', 9)));
        for (std::size_t i = 0; relu && i < followed.size(); ++i)
            QVERIFY(std::abs(followed[i] / coefficients[i] - 1) < 1e-12);
        const auto weight = golden(key + ".weight").toDoubles(), bias = golden(key + ".bias").toDoubles();
        for (std::size_t i = 0; i < weight.size(); ++i)
            QVERIFY(std::abs(static_cast<double>(set.at("router.weight").values.data()[i]) - weight[i]) < 2e-4);
        for (std::size_t i = 0; i < bias.size(); ++i)
            QVERIFY(std::abs(static_cast<double>(set.at("router.bias").values.data()[i]) - bias[i]) < 2e-4);
    }
    /// lambda ends where as many experts are active as are wanted: it turns as soon as there are too few.
    void coefficientsFollow()
    {
        AdaptiveCoefficient coefficient;
        QCOMPARE(coefficient.value, 1e-8);
        coefficient.follow(5, 4);
        QCOMPARE(coefficient.value, 1.2e-8);
        coefficient.follow(4, 4);
        QCOMPARE(coefficient.value, 1.2e-8);
        coefficient.follow(3.9, 4);
        QVERIFY(std::abs(coefficient.value / 1e-8 - 1) < 1e-15);
    }
    void sharesAreThoseOfTheMass()
    {
        SparseCodes codes;
        codes.latents = {4, 0, 2, 3};
        codes.values = {3, 2, 1, 5};
        codes.first = {0, 3, 3, 4};
        Matrix<float> shares(3, 2);
        std::ranges::fill(shares.values(), 7.0F);
        const std::int32_t groupOf[] = {0, 1, 1, 1, 0};
        massShares(codes, groupOf, shares.view());
        const float expected[] = {5.0F / 6, 1.0F / 6, 0, 0, 0, 1};
        QVERIFY(std::ranges::equal(shares.values(), expected));
    }
    /// The same logits from rows as they are; a feature that never varies has no say. Sums of 10 terms of order 1 in float32: 1e-5.
    void scalesAreFoldedIn()
    {
        Matrix<float> x = golden("x").toFloatMatrix();
        for (std::int64_t t = 0; t < x.rows(); ++t) {
            x(t, 3) = 2;
            x(t, 5) = 30 + 4 * x(t, 5);
        }
        const FeatureScale scale = featureScale(x.view());
        QCOMPARE(scale.inverse[3], 0.0);
        train::ParameterSet<float> set;
        addRouter(set, kExperts, x.cols(), 0.5F);
        test::fillWhole(set.at("router.weight").values.values(), 2, 9);
        const LinearMap map = unscaled(set, scale);
        for (std::int64_t t = 0; t < x.rows(); ++t)
            for (std::int64_t e = 0; e < kExperts; ++e) {
                double expected = 0.5, found = static_cast<double>(map.bias[static_cast<std::size_t>(e)]);
                for (std::int64_t j = 0; j < x.cols(); ++j) {
                    const auto at = static_cast<std::size_t>(j);
                    expected += static_cast<double>(set.at("router.weight").values(e, j)) * (static_cast<double>(x(t, j)) - scale.mean[at]) * scale.inverse[at];
                    found += static_cast<double>(map.weight(e, j)) * static_cast<double>(x(t, j));
                }
                QVERIFY(std::abs(found - expected) < 1e-5);
            }
    }
    void otherFilesAreRefused_data()
    {
        QTest::addColumn<QString>("fault");
        for (const char* fault : {"another method", "another dictionary", "no weight", "another shape", "an expert out of range", "an expert without latents", "a load above 1"})
            QTest::newRow(fault) << fault;
    }
    void otherFilesAreRefused()
    {
        QFETCH(QString, fault);
        TrainedEncoder trained = readTrainedEncoder(kFolder / "router" / "mixture.safetensors");
        const auto named = [&](const char* name) { return std::ranges::find(trained.tensors, name, &TrainedTensor::name); };
        ErrorCode expected = ErrorCode::MalformedFile;
        if (fault == "another method" || fault == "another dictionary") {
            expected = ErrorCode::InvalidParameter;
            (fault == "another method" ? trained.method : trained.dictionary) = fault.toStdString();
        } else if (fault == "no weight") {
            trained.tensors.erase(named("router.weight"));
        } else if (fault == "another shape") {
            trained.parameters.set("experts", std::int64_t{11});
        } else if (fault == "an expert out of range") {
            named("experts")->integers[5] = 12;
        } else if (fault == "an expert without latents") {
            std::ranges::replace(named("experts")->integers, 3, 4);
        } else {
            named("load")->values[2] = 1.5F;
        }
        try {
            (void)mixtureMethod().restore(inputs(), trained, {});
            QFAIL("it was taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), expected);
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TestRouterTraining)
#include "tst_router_training.moc"

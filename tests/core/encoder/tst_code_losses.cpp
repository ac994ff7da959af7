// SPDX-License-Identifier: GPL-3.0-or-later
// Losses of scores against exact codes: by their definition, their gradients, and PyTorch's.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/code_losses.h"
#include "core/encoder/low_rank_trained.h"
#include "core/io/npz.h"
#include "core/train/linear_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/trainer.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/train/gradient_check.h"

#include <cmath>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
constexpr std::int64_t kRows = 7, kLatents = 30, kWidth = 6, kK = 4;

std::shared_ptr<const Dictionary> dictionaryOf(io::SaeActivation activation)
{
    auto a = test::wholeAutoencoder(kLatents, kWidth, kK, activation);
    if (activation == io::SaeActivation::Gated) {
        a.valueScale.assign(kLatents, 0.5F);
        a.valueBias.assign(kLatents, -0.75F); // scores below 1.5 have the value 0
    }
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)), kK);
}

/// Codes of rows with 0 to kK latents.
SparseCodes someCodes()
{
    SparseCodes codes;
    for (std::int32_t t = 0; t < kRows; ++t) {
        for (std::int32_t c = 0; c < t % (kK + 1); ++c) {
            codes.latents.push_back((5 * t + 7 * c) % kLatents);
            codes.values.push_back(2.0F - 0.4F * static_cast<float>(c));
        }
        codes.first.push_back(codes.latents.size());
    }
    return codes;
}

io::NpyArray golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/trained_encoder_golden.npz");
    return archive->read(name);
}

std::shared_ptr<const Dictionary> goldenDictionary()
{
    io::SparseAutoencoder a;
    a.config.activation = io::SaeActivation::TopK;
    a.config.k = 3;
    a.encoder = golden("w").toFloatMatrix();
    a.decoder = golden("decoder").toFloatMatrix();
    for (const double value : golden("bias").toDoubles())
        a.encoderBias.push_back(static_cast<float>(value));
    for (const double value : golden("decoder_bias").toDoubles())
        a.decoderBias.push_back(static_cast<float>(value));
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
}

SparseCodes goldenCodes()
{
    const Matrix<float> latents = golden("latents").toFloatMatrix(), values = golden("values").toFloatMatrix();
    SparseCodes codes;
    for (std::int64_t t = 0; t < latents.rows(); ++t) {
        for (std::int64_t c = 0; c < latents.cols(); ++c)
            if (latents(t, c) >= 0) {
                codes.latents.push_back(static_cast<std::int32_t>(latents(t, c)));
                codes.values.push_back(values(t, c));
            }
        codes.first.push_back(codes.latents.size());
    }
    return codes;
}

/// The largest difference over the largest of `expected`.
double relative(const Matrix<float>& found, const std::vector<double>& expected)
{
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(found.values()[i]) - expected[i]));
        largest = std::max(largest, std::abs(expected[i]));
    }
    return found.size() == expected.size() ? worst / largest : INFINITY;
}
} // namespace

class TestCodeLosses : public QObject {
    Q_OBJECT
private slots:
    /// Derivatives of every loss, in double, where it has one: Gaussian scores are never within h of a kink.
    void gradients_data()
    {
        QTest::addColumn<QString>("loss");
        for (const char* loss : {"code error", "value error", "divergence", "decoded topk", "decoded jumprelu", "decoded gated"})
            QTest::newRow(loss) << loss;
    }
    void gradients()
    {
        QFETCH(QString, loss);
        const SparseCodes codes = someCodes();
        const auto activation = loss.endsWith("gated") ? io::SaeActivation::Gated : loss.endsWith("jumprelu") ? io::SaeActivation::JumpRelu : io::SaeActivation::TopK;
        const SparseDecoder decoder(dictionaryOf(activation));
        const auto build = [&](train::Tape<double>&, const std::vector<test::DoubleVariable>& x) {
            return loss == "code error" ? codeError(x[0], codes, kK) : loss == "value error" ? valueError(x[0], codes) : loss == "divergence" ? setDivergence(x[0], codes, 0.6) : decodedLargest(x[0], kK, decoder);
        };
        const std::string wrong = test::checkGradients({{kRows, kLatents}}, build, 1e-7, 3);
        QVERIFY2(wrong.empty(), wrong.c_str());
        // The gradient is added where the scores are used twice.
        const auto twice = [&](train::Tape<double>& tape, const std::vector<test::DoubleVariable>& x) {
            return train::add(train::sumAll(build(tape, x)), train::sumSquares(x[0]));
        };
        const std::string wrongTwice = test::checkGradients({{kRows, kLatents}}, twice, 1e-7, 3);
        QVERIFY2(wrongTwice.empty(), wrongTwice.c_str());
    }
    /// On whole numbers: the chosen latents are the encoder's, and decode as the decoder says, bit for bit.
    void decodedLargestIsWhatTheCodesDecodeTo()
    {
        for (const auto activation : {io::SaeActivation::TopK, io::SaeActivation::JumpRelu, io::SaeActivation::Gated}) {
            const auto dictionary = dictionaryOf(activation);
            const Matrix<float> x = test::wholeTokens(50, kWidth);
            Matrix<float> scores(50, kLatents);
            for (std::int64_t t = 0; t < 50; ++t)
                for (std::int64_t i = 0; i < kLatents; ++i) {
                    scores(t, i) = dictionary->bias()[static_cast<std::size_t>(i)];
                    for (std::int64_t j = 0; j < kWidth; ++j)
                        scores(t, i) += dictionary->rows()(i, j) * x(t, j);
                }
            train::Tape<float> tape;
            const SparseDecoder decoder(dictionary);
            const auto y = decodedLargest(tape.constant(scores.view()), kK, decoder);
            const SparseCodes codes = test::bruteCodes(*dictionary, x.view());
            const Matrix<float> expected = decoder.decoded(codes), whole = dictionary->decoded(codes, x.view());
            for (std::int64_t t = 0; t < 50; ++t)
                for (std::int64_t j = 0; j < kWidth; ++j) {
                    QCOMPARE(y.value()(t, j), expected(t, j));
                    QCOMPARE(expected(t, j) + dictionary->autoencoder().decoderBias[static_cast<std::size_t>(j)], whole(t, j));
                }
        }
    }
    /// 0 exactly where the set and its values are right, whatever the others are below it; not 0 once another comes above.
    void codeErrorIsZeroForExactCodes()
    {
        const SparseCodes codes = someCodes();
        Matrix<float> scores(kRows, kLatents);
        for (std::int64_t t = 0; t < kRows; ++t) {
            const bool full = codes.latentsOf(t).size() == kK;
            for (std::int64_t j = 0; j < kLatents; ++j)
                scores(t, j) = full ? codes.valuesOf(t).back() - 0.1F * static_cast<float>(j % 3) : -0.1F * static_cast<float>(j % 3);
            for (std::size_t c = 0; c < codes.latentsOf(t).size(); ++c)
                scores(t, codes.latentsOf(t)[c]) = codes.valuesOf(t)[c];
        }
        train::Tape<float> tape;
        const auto loss = [&] {
            tape.reset();
            return tape.scalar(codeError(tape.constant(scores.view()), codes, kK));
        };
        QCOMPARE(loss(), 0.0F);
        scores(0, 3) = 0.5F; // row 0 has no latent: 0 is its bar
        QCOMPARE(loss(), 0.25F / static_cast<float>(kRows));
        scores(0, 3) = 0;
        scores(4, 29) = codes.valuesOf(4).back() + 1;
        QCOMPARE(loss(), 1.0F / static_cast<float>(kRows));
    }
    /// Divergences are not negative, and 0 for scores that are minus infinity outside of the set.
    void divergenceIsOne()
    {
        const SparseCodes codes = someCodes();
        Matrix<double> scores(kRows, kLatents);
        std::ranges::fill(scores.values(), -1e6);
        for (std::int64_t t = 0; t < kRows; ++t)
            for (std::size_t c = 0; c < codes.latentsOf(t).size(); ++c)
                scores(t, codes.latentsOf(t)[c]) = static_cast<double>(codes.valuesOf(t)[c]) + 3; // a shift of all does not count
        train::Tape<double> tape;
        QVERIFY(std::abs(tape.scalar(setDivergence(tape.constant(scores.view()), codes, 0.6))) < 1e-12);
        tape.reset();
        const Matrix<double> other = test::gaussian(kRows, kLatents, 2);
        QVERIFY(tape.scalar(setDivergence(tape.constant(other.view()), codes, 0.6)) > 0.1);
    }
    void refusals()
    {
        train::Tape<float> tape;
        const Matrix<float> scores(kRows, kLatents), few(kRows, 5), more(kRows + 1, kLatents);
        const SparseDecoder decoder(dictionaryOf(io::SaeActivation::TopK));
        QVERIFY_THROWS_EXCEPTION(Error, codeError(tape.constant(more.view()), someCodes(), kK));
        QVERIFY_THROWS_EXCEPTION(Error, valueError(tape.constant(few.view()), someCodes()));
        QVERIFY_THROWS_EXCEPTION(Error, setDivergence(tape.constant(scores.view()), someCodes(), 0));
        QVERIFY_THROWS_EXCEPTION(Error, decodedLargest(tape.constant(few.view()), 2, decoder));
        QVERIFY_THROWS_EXCEPTION(Error, decodedLargest(tape.constant(scores.view()), 0, decoder));
    }
    /// Two AdamW steps on low-rank factors against PyTorch's in double: losses, first gradients and final parameters. Floats here: sums of some
    /// 40 x 24 terms, a few 1e-7 each, of which AdamW's first steps take little more than the sign: 2e-5 of the largest is tenfold what is seen.
    void stepsArePyTorchs_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"codes", "exact", "input", "list", "value"})
            QTest::newRow(name) << name;
    }
    void stepsArePyTorchs()
    {
        QFETCH(QString, name);
        const std::string prefix = name.toStdString();
        Inputs inputs;
        inputs.dictionary = goldenDictionary();
        train::ParameterSet<float> set;
        for (const char* each : {"b", "a"}) {
            const Matrix<float> m = golden(each).toFloatMatrix();
            set.add(each, {m.rows(), m.cols()}, {m.values().begin(), m.values().end()});
        }
        set.add("bias", {40}, inputs.dictionary->bias());
        const Matrix<float> x = golden("x").toFloatMatrix();
        const SparseCodes exact = test::bruteCodes(*inputs.dictionary, x.view()), expectedCodes = goldenCodes();
        QVERIFY(exact.first == expectedCodes.first && exact.latents == expectedCodes.latents);
        const SparseDecoder decoder(inputs.dictionary);
        const Matrix<float> target = prefix == "input" ? decoder.inputsAsTargets(x.view()) : decoder.decoded(exact);
        const double energy = golden("energy").toDoubles()[0], variance = prefix == "exact" || prefix == "input" ? golden("variance." + prefix).toDoubles()[0] : 1;
        const TrainingRows rows{x.view(), target.view(), exact, energy, variance};
        Parameters parameters = ParameterSchema(objectiveParameters()).defaults();
        parameters.set("objective", std::string(prefix == "codes" ? "exact-codes" : "reconstruction"));
        parameters.set("target", std::string(prefix == "input" ? "input" : "exact"));
        const auto objective = objectiveOf(parameters, inputs, [&set](train::Tape<float>& tape, train::Variable<float> in, std::int64_t, bool) { return lowRankScores(tape, set, in); });
        const auto loss = [&](train::Tape<float>& tape) {
            if (prefix == "list")
                return setDivergence(lowRankScores(tape, set, tape.constant(x.view())), exact, 0.7);
            if (prefix == "value")
                return train::scale(valueError(lowRankScores(tape, set, tape.constant(x.view())), exact), static_cast<float>(1 / energy));
            return objective.loss(tape, rows, 0, false);
        };
        train::Tape<float> tape;
        set.zeroGradients();
        tape.backward(loss(tape));
        for (const char* each : {"b", "a", "bias"}) {
            const double off = relative(set.at(each).gradient, golden(prefix + ".g." + each).toDoubles());
            QVERIFY2(off < 2e-5, qPrintable(QString("%1: %2").arg(each).arg(off)));
        }
        train::TrainingSettings loop;
        loop.optimiser.weightDecay = 0;
        loop.schedule = {.kind = train::ScheduleKind::Constant, .peak = 0.01, .floor = 0, .warmUp = 0, .total = 2};
        loop.clipNorm = 0.5;
        const auto history = train::train<float>(set, loop, [&](train::Tape<float>& each, std::int64_t, std::int64_t) { return loss(each); });
        const auto losses = golden(prefix + ".loss").toDoubles();
        tape.reset();
        const double last = static_cast<double>(tape.scalar(loss(tape)));
        QVERIFY(std::abs(history[0].loss - losses[0]) < 1e-5 * losses[0] && std::abs(history[1].loss - losses[1]) < 1e-5 * losses[1] && std::abs(last - losses[2]) < 1e-5 * losses[2]);
        for (const char* each : {"b", "a", "bias"}) {
            const double off = relative(set.at(each).values, golden(prefix + ".p." + each).toDoubles());
            QVERIFY2(off < 2e-5, qPrintable(QString("%1: %2").arg(each).arg(off)));
        }
    }
    void doNotDependOnThreads()
    {
        const auto dictionary = dictionaryOf(io::SaeActivation::TopK);
        const SparseDecoder decoder(dictionary);
        Matrix<float> scores(5000, kLatents);
        std::mt19937 random(3);
        std::normal_distribution<float> normal;
        for (float& value : scores.values())
            value = normal(random);
        const Matrix<float> x = test::wholeTokens(5000, kWidth);
        const SparseCodes codes = test::bruteCodes(*dictionary, x.view());
        std::vector<float> first;
        for (const int threads : {1, 2}) {
            const ThreadLimit limit(threads);
            train::Tape<float> tape;
            const auto s = tape.input(scores.view());
            const auto sum = train::add(train::add(codeError(s, codes, kK), setDivergence(s, codes, 1)), train::sumSquares(decodedLargest(s, kK, decoder)));
            tape.backward(sum);
            std::vector<float> all{tape.scalar(sum)};
            for (std::int64_t t = 0; t < 5000; ++t)
                std::ranges::copy(tape.gradient(s).row(t), std::back_inserter(all));
            if (first.empty())
                first = all;
            QVERIFY(first == all);
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TestCodeLosses)
#include "tst_code_losses.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/topk_autoencoder.h"
#include "core/io/npz.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <string>

using namespace tamis;
using namespace tamis::encoder;
using io::SaeActivation;
using io::SparseAutoencoder;
using tensor::Matrix;

namespace
{
const std::filesystem::path kGolden = TAMIS_SOURCE_DIR "/tests/golden/sae";

// Small whole numbers: every product and sum is exact in float, so a brute-force twin agrees bit for bit, and ties
// abound.
SparseAutoencoder wholeNumbers(std::int64_t latents, std::int64_t width, std::int64_t k, SaeActivation activation)
{
    std::mt19937 random(7);
    std::uniform_int_distribution<int> draw(-3, 3);
    const auto fill = [&](std::span<float> values) {
        for (float& value : values)
            value = static_cast<float>(draw(random));
    };
    SparseAutoencoder a;
    a.config.activation = activation;
    a.config.k = k;
    a.encoder = Matrix<float>(latents, width);
    a.decoder = Matrix<float>(latents, width);
    a.encoderBias.resize(static_cast<std::size_t>(latents));
    a.decoderBias.resize(static_cast<std::size_t>(width));
    fill(a.encoder.values());
    fill(a.decoder.values());
    fill(a.encoderBias);
    fill(a.decoderBias);
    if (activation == SaeActivation::JumpRelu) {
        a.threshold.resize(static_cast<std::size_t>(latents));
        fill(a.threshold);
    }
    return a;
}

Matrix<float> wholeInputs(std::int64_t tokens, std::int64_t width)
{
    std::mt19937 random(11);
    std::uniform_int_distribution<int> draw(-4, 4);
    Matrix<float> x(tokens, width);
    for (float& value : x.values())
        value = static_cast<float>(draw(random));
    return x;
}

using Code = std::vector<std::pair<float, std::int32_t>>;

// The definition, one token at a time: score all, sort all, cut.
Code bruteForce(const SparseAutoencoder& a, std::span<const float> x)
{
    Code all;
    for (std::int64_t i = 0; i < a.latents(); ++i) {
        double h = a.encoderBias[static_cast<std::size_t>(i)];
        for (std::size_t j = 0; j < x.size(); ++j)
            h += static_cast<double>(a.encoder.view().row(i)[j]) *
                 (x[j] - (a.config.subtractDecoderBias ? a.decoderBias[j] : 0));
        const bool isSigned = a.config.activation == SaeActivation::SignedTopK;
        const bool jumps =
            a.config.activation == SaeActivation::JumpRelu && !(h > a.threshold[static_cast<std::size_t>(i)]);
        if ((isSigned ? h != 0 : h > 0) && !jumps)
            all.emplace_back(static_cast<float>(h), static_cast<std::int32_t>(i));
    }
    const auto order = [](const auto& p, const auto& q) {
        return std::abs(p.first) != std::abs(q.first) ? std::abs(p.first) > std::abs(q.first) : p.second < q.second;
    };
    std::sort(all.begin(), all.end(), order);
    if (a.config.activation == SaeActivation::GroupMax) {
        Code kept;
        std::vector<bool> taken(static_cast<std::size_t>(a.config.k));
        for (const auto& each : all)
            if (const std::size_t group = static_cast<std::size_t>(each.second / (a.latents() / a.config.k));
                !taken[group]) {
                taken[group] = true;
                kept.push_back(each);
            }
        return kept;
    }
    if (a.config.k > 0)
        all.resize(std::min(all.size(), static_cast<std::size_t>(a.config.k)));
    return all;
}

Code codeOf(const SparseCodes& codes, std::int64_t token)
{
    Code code;
    for (std::size_t i = 0; i < codes.latentsOf(token).size(); ++i)
        code.emplace_back(codes.valuesOf(token)[i], codes.latentsOf(token)[i]);
    return code;
}

// A case of tests/golden/sae with the switches that it names.
SparseAutoencoder readGolden(const std::filesystem::path& folder)
{
    io::SaeReadOptions options;
    std::ifstream switches(folder / "switches.txt");
    for (std::string line; std::getline(switches, line);)
        io::setSaeReadOption(options, line);
    const std::filesystem::path alone = folder / "autoencoder.pt";
    return io::readSparseAutoencoder(std::filesystem::exists(alone) ? alone : folder, options);
}

// The largest difference, of the largest expected number; infinity for other shapes.
double relativeError(const Matrix<float>& found, const Matrix<float>& expected)
{
    if (found.rows() != expected.rows() || found.cols() != expected.cols())
        return std::numeric_limits<double>::infinity();
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(expected.values()[i])));
        difference = std::max(difference, std::abs(static_cast<double>(found.values()[i]) - expected.values()[i]));
    }
    return difference / largest;
}

bool same(const SparseCodes& a, const SparseCodes& b)
{
    return a.first == b.first && a.latents == b.latents && a.values == b.values;
}
} // namespace

class TstTopkAutoencoder : public QObject
{
    Q_OBJECT
private slots:
    void agreesWithNumpy_data()
    {
        QTest::addColumn<QString>("folder");
        for (const auto& entry : std::filesystem::directory_iterator(kGolden))
            QTest::newRow(entry.path().filename().c_str()) << QString::fromStdString(entry.path().string());
    }
    // Tolerance: 1e-5 of the largest number. A score is a sum of 12 products, folded scales included some 20 float
    // roundings of 6e-8 each: 1.2e-6 of the largest; a reconstruction adds up to 40 of them, half of each sign. A
    // selection that differed would be off by a whole value (the script sees to the gaps).
    void agreesWithNumpy()
    {
        QFETCH(QString, folder);
        const std::filesystem::path path = folder.toStdString();
        const SparseAutoencoder autoencoder = readGolden(path);
        const auto archive = io::NpzArchive::open(path / "expected.npz");
        const Matrix<float> inputs = archive->read("inputs").toFloatMatrix(),
                            expectedCodes = archive->read("codes").toFloatMatrix();
        const Matrix<float> expected = archive->read("reconstructions").toFloatMatrix();
        const SparseCodes codes = encode(autoencoder, inputs.view());
        QCOMPARE(codes.tokens(), inputs.rows());
        const std::vector<float> values = latentValues(autoencoder, codes);
        Matrix<float> dense(inputs.rows(), autoencoder.latents());
        for (std::int64_t t = 0; t < codes.tokens(); ++t)
            for (std::size_t i = 0; i < codes.latentsOf(t).size(); ++i)
                dense(t, codes.latentsOf(t)[i]) = values[codes.first[static_cast<std::size_t>(t)] + i];
        const Matrix<float> reconstructions = decode(autoencoder, codes, inputs.view());
        const double code = relativeError(dense, expectedCodes),
                     reconstruction = relativeError(reconstructions, expected);
        QVERIFY2(code < 1e-5, qPrintable(QString::number(code)));
        QVERIFY2(reconstruction < 1e-5, qPrintable(QString::number(reconstruction)));
    }

    void theDictionaryOfEachDecodesTheSame_data()
    {
        QTest::addColumn<QString>("folder");
        for (const auto& entry : std::filesystem::directory_iterator(kGolden))
            if (const std::string name = entry.path().filename();
                name != "sparsify_signed" && name != "sparsify_groupmax")
                QTest::newRow(name.c_str()) << QString::fromStdString(entry.path().string());
    }
    // What encoders of the lab see of a file: rows, biases and prepared inputs. The k largest positive scores of them,
    // all of them where the activation counts none, decode to the same reconstructions; tolerance as above, twice:
    // biases that leave the input are folded.
    void theDictionaryOfEachDecodesTheSame()
    {
        QFETCH(QString, folder);
        const std::filesystem::path path = folder.toStdString();
        const auto autoencoder = std::make_shared<const SparseAutoencoder>(readGolden(path));
        const bool counts = autoencoder->config.k > 0;
        const auto dictionary = Dictionary::of(autoencoder, counts ? 0 : autoencoder->latents());
        const Matrix<float> inputs = io::NpzArchive::open(path / "expected.npz")->read("inputs").toFloatMatrix();
        const Matrix<float> prepared = dictionary->prepared(inputs.view());
        SparseAutoencoder scanned; // rows and biases alone
        scanned.config.activation = counts ? SaeActivation::TopK : SaeActivation::Relu;
        scanned.config.k = autoencoder->config.k;
        scanned.config.subtractDecoderBias = false;
        scanned.encoder = autoencoder->encoder;
        scanned.encoderBias = dictionary->bias();
        scanned.decoderBias = autoencoder->decoderBias;
        const SparseCodes codes = encode(scanned, prepared.view());
        const Matrix<float> expected =
            io::NpzArchive::open(path / "expected.npz")->read("reconstructions").toFloatMatrix();
        const double error = relativeError(dictionary->decoded(codes, inputs.view()), expected);
        QVERIFY2(error < 2e-5, qPrintable(QString::number(error)));
    }

    void isTheDefinition_data()
    {
        QTest::addColumn<int>("activation");
        QTest::addColumn<qint64>("latents");
        QTest::addColumn<qint64>("k");
        for (const SaeActivation activation : {SaeActivation::TopK, SaeActivation::SignedTopK, SaeActivation::GroupMax,
                                               SaeActivation::Relu, SaeActivation::JumpRelu}) {
            const bool counts = activation != SaeActivation::Relu && activation != SaeActivation::JumpRelu;
            const QByteArray name(io::saeActivationName(activation).data());
            QTest::newRow(name + ", a part of a tile")
                << static_cast<int>(activation) << qint64{60} << qint64{counts ? 6 : 0};
            QTest::newRow(name + ", several tiles")
                << static_cast<int>(activation) << qint64{5000} << qint64{counts ? 8 : 0};
            if (counts)
                QTest::newRow(name + ", all latents") << static_cast<int>(activation) << qint64{40} << qint64{40};
        }
    }
    void isTheDefinition()
    {
        QFETCH(int, activation);
        QFETCH(qint64, latents);
        QFETCH(qint64, k);
        SparseAutoencoder a = wholeNumbers(latents, 7, k, static_cast<SaeActivation>(activation));
        const Matrix<float> x = wholeInputs(70, 7); // over two tiles of tokens
        for (const bool subtract : {true, false}) {
            a.config.subtractDecoderBias = subtract;
            const SparseCodes codes = encode(a, x.view());
            for (std::int64_t t = 0; t < x.rows(); ++t)
                QVERIFY2(codeOf(codes, t) == bruteForce(a, x.view().row(t)), qPrintable(QString::number(t)));
        }
    }
    void zerosAreNoActivations()
    {
        SparseAutoencoder a = wholeNumbers(30, 5, 4, SaeActivation::TopK);
        std::fill(a.encoder.values().begin(), a.encoder.values().end(), 0.0F);
        std::fill(a.encoderBias.begin(), a.encoderBias.end(), 0.0F);
        a.encoderBias[17] = 2;
        a.encoderBias[3] = -5;
        const Matrix<float> x = wholeInputs(3, 5);
        const SparseCodes codes = encode(a, x.view());
        for (std::int64_t t = 0; t < 3; ++t)
            QCOMPARE(codeOf(codes, t), (Code{{2.0F, 17}}));
    }
    // Every row is an own latent pair (+x_j, -x_j): with k >= 2D the autoencoder is the identity.
    void anIdentityReconstructs()
    {
        const std::int64_t width = 6;
        SparseAutoencoder a = wholeNumbers(2 * width, width, 2 * width, SaeActivation::TopK);
        std::fill(a.encoder.values().begin(), a.encoder.values().end(), 0.0F);
        std::fill(a.encoderBias.begin(), a.encoderBias.end(), 0.0F);
        for (std::int64_t j = 0; j < width; ++j) {
            a.encoder(2 * j, j) = 1;
            a.encoder(2 * j + 1, j) = -1;
        }
        a.decoder = a.encoder;
        const Matrix<float> x = wholeInputs(40, width);
        const SparseCodes codes = encode(a, x.view());
        const Matrix<float> y = decode(a, codes, x.view());
        QVERIFY(y == x);
        QCOMPARE(explainedVariance(x.view(), y.view()), 1.0);
    }
    void threadsDoNotMatter()
    {
        std::mt19937 random(3);
        std::normal_distribution<float> draw;
        SparseAutoencoder a = wholeNumbers(5000, 33, 8, SaeActivation::TopK);
        Matrix<float> x(100, 33);
        for (const std::span<float> values : {a.encoder.values(), a.decoder.values(), x.values()})
            for (float& value : values)
                value = draw(random);
        const SparseCodes many = encode(a, x.view());
        const Matrix<float> manyRows = decode(a, many, x.view());
        const ThreadLimit limit(1);
        const SparseCodes one = encode(a, x.view());
        QVERIFY(same(many, one));
        QVERIFY(decode(a, one, x.view()) == manyRows);
    }
    void variance()
    {
        Matrix<float> x(2, 2), y(2, 2);
        x(0, 0) = 1;
        x(1, 0) = 3; // mean (2, 0): variance 2
        y(0, 0) = 2;
        y(1, 0) = 3; // error 1
        QCOMPARE(explainedVariance(x.view(), y.view()), 0.5);
        QCOMPARE(explainedVariance(x.view(), x.view()), 1.0);
        Matrix<float> constant(2, 2), zero(2, 2);
        std::fill(constant.values().begin(), constant.values().end(), 3.0F);
        QCOMPARE(explainedVariance(constant.view(), constant.view()), 1.0);
        QCOMPARE(explainedVariance(constant.view(), zero.view()), -std::numeric_limits<double>::infinity());
    }
    void qualityCounts()
    {
        const SparseAutoencoder a = wholeNumbers(50, 5, 3, SaeActivation::TopK);
        const Matrix<float> x = wholeInputs(4, 5);
        const SparseCodes codes = encode(a, x.view());
        const Matrix<float> y = decode(a, codes, x.view());
        const AutoencoderQuality quality = measureAutoencoder(a.latents(), codes, x.view(), y.view());
        std::vector<int> used(50);
        for (const std::int32_t latent : codes.latents)
            used[static_cast<std::size_t>(latent)] = 1;
        QCOMPARE(quality.deadLatents, std::int64_t{50 - std::accumulate(used.begin(), used.end(), 0)});
        QCOMPARE(quality.meanActive, static_cast<double>(codes.latents.size()) / 4);
        QCOMPARE(quality.explainedVariance, explainedVariance(x.view(), y.view()));
    }
    void refusals()
    {
        const SparseAutoencoder a = wholeNumbers(20, 5, 3, SaeActivation::TopK);
        const Matrix<float> x = wholeInputs(4, 5), narrow = wholeInputs(4, 4);
        QVERIFY_EXCEPTION_THROWN(encode(a, narrow.view()), Error);
        SparseCodes codes = encode(a, x.view());
        QVERIFY_EXCEPTION_THROWN(decode(a, codes, narrow.view()), Error);
        QVERIFY_EXCEPTION_THROWN(decode(a, codes, wholeInputs(5, 5).view()), Error);
        QVERIFY_EXCEPTION_THROWN(explainedVariance(x.view(), narrow.view()), Error);
        SparseCodes beyond = codes;
        beyond.latents.back() = 20;
        QVERIFY_EXCEPTION_THROWN(decode(a, beyond, x.view()), Error);
        SparseCodes cut = codes;
        cut.values.pop_back();
        QVERIFY_EXCEPTION_THROWN(decode(a, cut, x.view()), Error);
        QCOMPARE(encode(a, Matrix<float>(0, 5).view()).tokens(), std::int64_t{0});
    }
    void aStopIsSeen()
    {
        std::stop_source stop;
        stop.request_stop();
        const SparseAutoencoder a = wholeNumbers(20, 5, 3, SaeActivation::TopK);
        try {
            encode(a, wholeInputs(4, 5).view(), RunContext(stop.get_token()));
            QFAIL("was encoded");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TstTopkAutoencoder)
#include "tst_topk_autoencoder.moc"

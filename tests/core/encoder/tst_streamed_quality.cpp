// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/encoder/codes_file.h"
#include "core/encoder/exact.h"
#include "core/encoder/method.h"
#include "core/encoder/streamed_quality.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "tests/core/base/failure.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

using namespace tamis;
using tamis::test::failure;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
EncoderPtr built(const std::shared_ptr<const Dictionary>& dictionary, const char* id, std::initializer_list<std::pair<const char*, ParameterValue>> set)
{
    const Method& method = *findMethod(id);
    Parameters parameters;
    for (const auto& [name, value] : set)
        parameters.set(name, value);
    Inputs inputs;
    inputs.dictionary = dictionary;
    return method.build(inputs, method.declaration.schema.complete(parameters), {}).encoder;
}

bool near(double a, double b) { return (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-12 * std::abs(b); }

/// What counts whole things is the same; sums agree to the rounding of some thousand additions.
QString difference(const report::EncoderReport& a, const report::EncoderReport& b)
{
    const auto &p = a.quality, &q = b.quality;
    if (a.tokens != b.tokens || p.recallP5 != q.recallP5 || p.recallP1 != q.recallP1 || p.recallMin != q.recallMin || p.meanActive != q.meanActive || p.meanActiveExact != q.meanActiveExact)
        return "recalls";
    if (!near(p.recallMean, q.recallMean) || !near(p.valueError, q.valueError) || !near(p.fvu, q.fvu) || !near(p.fvuExact, q.fvuExact))
        return "sums";
    if (a.exactLatents != b.exactLatents || a.coarseRanks != b.coarseRanks || a.outcomes.size() != b.outcomes.size() || a.missed.size() != b.missed.size())
        return "sets";
    for (std::size_t i = 0; i < a.outcomes.size(); ++i)
        if (a.outcomes[i].recall != b.outcomes[i].recall || a.outcomes[i].found != b.outcomes[i].found || a.outcomes[i].candidates != b.outcomes[i].candidates ||
            a.outcomes[i].dense != b.outcomes[i].dense)
            return "outcomes";
    for (std::size_t i = 0; i < a.missed.size(); ++i)
        if (a.missed[i].latent != b.missed[i].latent || a.missed[i].count != b.missed[i].count || a.missed[i].active != b.missed[i].active)
            return "missed";
    if (a.certified != b.certified || a.certificate.candidatesMax != b.certificate.candidatesMax || a.certificate.fallbacks != b.certificate.fallbacks ||
        (a.certified && (!near(a.certificate.candidatesMean, b.certificate.candidatesMean) || a.certificate.marginMin != b.certificate.marginMin)))
        return "certificates";
    return near(a.cost.macs, b.cost.macs) && near(a.cost.bytesRead, b.cost.bytesRead) ? "" : "cost";
}

/// Peak resident memory of this process in bytes, since the last call of this function.
std::int64_t peakMemory()
{
    std::ifstream status("/proc/self/status");
    std::string line;
    std::int64_t peak = 0;
    while (std::getline(status, line))
        if (line.starts_with("VmHWM:"))
            peak = std::stoll(line.substr(6)) * 1024;
    std::ofstream("/proc/self/clear_refs") << "5"; // sets the peak to what is resident now
    return peak;
}
} // namespace

class TestStreamedQuality : public QObject {
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }
    std::shared_ptr<const Dictionary> m_whole, m_bundled;

private slots:
    void initTestCase()
    {
        m_whole = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(300, 40, 12)));
        m_bundled = test::bundledDictionary("tinylm.block3.k32/sparsify");
    }
    void agreesWithTheMeasurementInMemory_data()
    {
        QTest::addColumn<QString>("method");
        for (const char* method : {"encoder.exact", "encoder.low-rank", "encoder.two-stage", "encoder.certified", "encoder.mips"})
            QTest::newRow(method) << method;
    }
    void agreesWithTheMeasurementInMemory()
    {
        QFETCH(QString, method);
        const bool lowRank = method == "encoder.low-rank" || method == "encoder.two-stage";
        const auto id = method.toStdString();
        for (const auto& dictionary : {m_whole, m_bundled}) {
            const Matrix<float> x = dictionary == m_whole ? test::wholeTokens(150, 40) : test::bundledRows("tinylm", 0, 150);
            const auto exact = exactTokens(dictionary, x);
            const auto encoder = lowRank ? built(dictionary, id.c_str(), {{"rank", std::int64_t{20}}, {"weighting", std::string("none")}})
                                 : method == "encoder.exact" ? built(dictionary, id.c_str(), {{"precision", std::string("int8")}})
                                                             : built(dictionary, id.c_str(), {});
            const auto expected = measureEncoder(*exact, *encoder, id, {}, {});
            const auto rows = activationsOf(x, "rows");
            for (const std::int64_t chunk : {1, 7, 150, 0}) {
                StreamOptions options;
                options.chunk = chunk;
                const auto report = measureRows(dictionary, *exact->encoder, *rows, *encoder, id, {}, options);
                QVERIFY2(difference(report, expected).isEmpty(), qPrintable(difference(report, expected) + QString(", %1 rows at a time").arg(chunk)));
                QVERIFY(report.passSeconds > 0 && report.seconds >= report.passSeconds);
            }
        }
    }
    /// The exact encoder as its own reference runs once and says the same.
    void theReferenceItself()
    {
        const auto exact = exactTokens(m_bundled, test::bundledRows("tinylm", 0, 100));
        const auto expected = measureEncoder(*exact, *exact->encoder, "encoder.exact", {}, {});
        const auto report = measureRows(m_bundled, *exact->encoder, *activationsOf(test::bundledRows("tinylm", 0, 100), "rows"), *exact->encoder, "encoder.exact", {}, {.chunk = 33});
        QVERIFY2(difference(report, expected).isEmpty(), qPrintable(difference(report, expected)));
        QVERIFY(report.quality.recallMin == 1 && report.quality.fvu == report.quality.fvuExact);
    }
    /// Sorted lists of all recalls and two passes over the rows: figures of their definitions, of 1000 tokens with sets of many sizes.
    void agreesWithItsDefinitions()
    {
        auto autoencoder = test::wholeAutoencoder(300, 40, 12);
        for (std::size_t i = 0; i < 300; ++i)
            autoencoder.encoderBias[i] = -85; // few fire: scores spread over some 33
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(autoencoder));
        const Matrix<float> x = test::wholeTokens(1000, 40);
        const auto codes = test::bruteCodes(*dictionary, x.view());
        const auto encoder = built(dictionary, "encoder.low-rank", {{"rank", std::int64_t{30}}, {"weighting", std::string("none")}});
        const auto own = encoder->encode(x.view());
        std::vector<double> recalls;
        double error = 0, energy = 0, sum = 0;
        for (std::int64_t t = 0; t < 1000; ++t) {
            const auto wanted = codes.latentsOf(t), got = own.latentsOf(t);
            int found = 0;
            for (std::size_t i = 0; i < wanted.size(); ++i)
                if (const auto place = std::ranges::find(got, wanted[i]); place != got.end()) {
                    ++found;
                    const double z = static_cast<double>(codes.valuesOf(t)[i]), off = static_cast<double>(own.valuesOf(t)[static_cast<std::size_t>(place - got.begin())]) - z;
                    error += off * off;
                    energy += z * z;
                }
            if (!wanted.empty())
                recalls.push_back(static_cast<double>(found) / static_cast<double>(wanted.size()));
        }
        for (const double recall : recalls)
            sum += recall;
        QVERIFY(recalls.size() > 500 && recalls.size() < 1000); // some sets are empty
        const auto exact = exactEncoder(dictionary);
        const auto report = measureRows(dictionary, *exact, *activationsOf(x, "rows"), *encoder, "encoder.low-rank", {}, {.chunk = 64});
        const auto& q = report.quality;
        QVERIFY(near(q.recallMean, sum / static_cast<double>(recalls.size())) && near(q.valueError, std::sqrt(error / energy)));
        QVERIFY(q.recallP5 == nearestRank(recalls, 5) && q.recallP1 == nearestRank(recalls, 1) && q.recallMin == nearestRank(recalls, 0) && q.recallMin < q.recallMean);
        QVERIFY(near(q.fvu, 1 - explainedVariance(x.view(), dictionary->decoded(own, x.view()).view())));
        QVERIFY(near(q.fvuExact, 1 - explainedVariance(x.view(), dictionary->decoded(codes, x.view()).view())));
    }
    void outcomesAreOfEvenlySpreadTokens()
    {
        const Matrix<float> x = test::bundledRows("tinylm", 0, 200);
        const auto exact = exactTokens(m_bundled, x);
        const auto encoder = built(m_bundled, "encoder.low-rank", {{"rank", std::int64_t{32}}, {"weighting", std::string("none")}});
        const auto all = measureEncoder(*exact, *encoder, "encoder.low-rank", {}, {});
        StreamOptions options;
        options.chunk = 9;
        options.measure.outcomes = 30;
        const auto some = measureRows(m_bundled, *exact->encoder, *activationsOf(x, "rows"), *encoder, "encoder.low-rank", {}, options);
        QVERIFY(some.tokens == 200 && some.outcomes.size() == 30 && near(some.quality.recallMean, all.quality.recallMean) && some.quality.recallP5 == all.quality.recallP5);
        std::size_t at = 0;
        for (std::size_t i = 0; i < 30; ++i) {
            const auto token = static_cast<std::int64_t>(i * 200 / 30);
            QVERIFY(some.outcomes[i].found == all.outcomes[static_cast<std::size_t>(token)].found);
            for (std::size_t from = exact->codes.first[static_cast<std::size_t>(token)]; from < exact->codes.first[static_cast<std::size_t>(token) + 1]; ++from, ++at) {
                QCOMPARE(some.exactLatents.at(at), exact->codes.latents[from]);
                QCOMPARE(some.coarseRanks.at(at), all.coarseRanks.at(from));
            }
        }
        QCOMPARE(at, some.coarseRanks.size());
    }
    /// The figures seen on the way are those of the rows so far.
    void figuresSoFarAreOfTheRowsSoFar()
    {
        const Matrix<float> x = test::bundledRows("tinylm", 0, 120);
        const auto encoder = built(m_bundled, "encoder.low-rank", {{"rank", std::int64_t{32}}, {"weighting", std::string("none")}});
        const auto exact = exactEncoder(m_bundled);
        std::vector<report::EncoderReport> seen;
        StreamOptions options;
        options.chunk = 60;
        options.seen = [&](const report::EncoderReport& soFar) { seen.push_back(soFar); };
        options.codes = [](std::int64_t first, const SparseCodes&) { QTest::qSleep(first == 0 ? 250 : 0); }; // longer than two looks are apart
        measureRows(m_bundled, *exact, *activationsOf(x, "rows"), *encoder, "encoder.low-rank", {}, options);
        QCOMPARE(seen.size(), std::size_t{2});
        for (std::size_t i = 0; i < 2; ++i) {
            const auto rows = exactTokens(m_bundled, test::bundledRows("tinylm", 0, i == 0 ? 60 : 120));
            auto expected = measureEncoder(*rows, *encoder, "encoder.low-rank", {}, {});
            QCOMPARE(seen[i].tokens, expected.tokens);
            QVERIFY(near(seen[i].quality.fvu, expected.quality.fvu) && near(seen[i].quality.recallMean, expected.quality.recallMean) && seen[i].quality.recallMin == expected.quality.recallMin);
        }
    }
    void rowsThatAreNoNumbersAreNamedByTheirPlaceInTheFile()
    {
        Matrix<float> x = test::wholeTokens(900, 40);
        x(733, 5) = std::numeric_limits<float>::quiet_NaN();
        x(899, 0) = std::numeric_limits<float>::infinity();
        io::writeNpy(path("bad.npy"), x.values(), {900, 40});
        const auto exact = exactEncoder(m_whole);
        for (const std::int64_t chunk : {1, 100, 900}) {
            StreamOptions options;
            options.chunk = chunk;
            const auto says = failure([&] { measureRows(m_whole, *exact, *openActivations(path("bad.npy"), 40), *exact, "encoder.exact", {}, options); }, ErrorCode::NonFinite);
            QVERIFY2(says.contains("bad.npy: row 733 holds a value that is no finite number"), qPrintable(says));
        }
        QVERIFY(failure([&] { openActivations(path("bad.npy"), 41); }, ErrorCode::InvalidParameter).contains("shape [900, 40], expected [rows, 41]"));
        QVERIFY(failure([&] { measureRows(m_whole, *exact, *activationsOf(Matrix<float>(3, 39), "x"), *exact, "x", {}, {}); }, ErrorCode::InvalidParameter).contains("width 39"));
        const Matrix<float> even = evenRows(*openActivations(path("bad.npy"), 40), 0, 700, 7);
        for (std::int64_t i = 0; i < 7; ++i)
            QVERIFY(std::ranges::equal(even.view().row(i), x.view().row(100 * i)));
    }
    /// Codes on disk are those of the encoder, padded, whatever the pieces; a stop leaves no file.
    void codesAreWrittenWholeOrNotAtAll()
    {
        auto autoencoder = test::wholeAutoencoder(300, 40, 12);
        for (std::size_t i = 0; i < 300; ++i)
            autoencoder.encoderBias[i] = -60;
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(autoencoder));
        const Matrix<float> x = test::wholeTokens(200, 40);
        const auto exact = exactEncoder(dictionary);
        const auto codes = exact->encode(x.view());
        QVERIFY(codes.latents.size() < 200 * 12 && !codes.latents.empty());
        CodesFile file(path("codes.safetensors"), dictionary, 200, {{"method", "encoder.exact"}});
        StreamOptions options;
        options.chunk = 17;
        options.codes = [&](std::int64_t, const SparseCodes& some) { file.append(some); };
        measureRows(dictionary, *exact, *activationsOf(x, "rows"), *exact, "encoder.exact", {}, options);
        QVERIFY(!std::filesystem::exists(path("codes.safetensors")));
        file.commit();
        QFile written(QString::fromStdString(path("codes.safetensors").string()));
        QVERIFY(written.open(QIODevice::ReadOnly));
        const QByteArray bytes = written.readAll();
        const auto header = io::parseSafetensorsHeader(std::as_bytes(std::span(bytes.data(), static_cast<std::size_t>(bytes.size()))), static_cast<std::uint64_t>(bytes.size()), "codes");
        QVERIFY(header.metadata.at("format") == "tamis.codes/1" && header.metadata.at("k") == "12" && header.metadata.at("latents") == "300" && header.metadata.at("method") == "encoder.exact");
        QCOMPARE(header.tensors.size(), std::size_t{2});
        const char* indices = bytes.data() + header.tensors[0].offset;
        const char* values = bytes.data() + header.tensors[1].offset;
        for (std::int64_t t = 0; t < 200; ++t)
            for (std::size_t i = 0; i < 12; ++i) {
                std::int32_t index;
                float value;
                std::memcpy(&index, indices + (static_cast<std::size_t>(t) * 12 + i) * 4, 4);
                std::memcpy(&value, values + (static_cast<std::size_t>(t) * 12 + i) * 4, 4);
                const bool there = i < codes.latentsOf(t).size();
                QVERIFY(index == (there ? codes.latentsOf(t)[i] : -1) && value == (there ? codes.valuesOf(t)[i] : 0.0F));
            }
        QVERIFY(failure([&] { CodesFile(path("few.safetensors"), dictionary, 201, {}).commit(); }, ErrorCode::InvalidParameter).contains("lacks"));
        QVERIFY(failure([&] { CodesFile(path("few.safetensors"), dictionary, 3, {}).append(codes); }, ErrorCode::InvalidParameter).contains("expected at most"));
        std::stop_source stop;
        try {
            CodesFile half(path("half.safetensors"), dictionary, 200, {});
            options.codes = [&](std::int64_t first, const SparseCodes& some) {
                half.append(some);
                if (first >= 100)
                    stop.request_stop();
            };
            measureRows(dictionary, *exact, *activationsOf(x, "rows"), *exact, "encoder.exact", {}, options, RunContext(stop.get_token()));
            QFAIL("was not stopped");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
        QCOMPARE(QDir(m_dir.path()).entryList({"half*", "few*"}, QDir::Files), QStringList());
    }
    /// What JumpReLU codes leave out of the threshold is in the file.
    void activationsAreWhatTheDecoderTakes()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(60, 16, 0, io::SaeActivation::JumpRelu)), 9);
        const Matrix<float> x = test::wholeTokens(30, 16);
        const auto codes = exactEncoder(dictionary)->encode(dictionary->prepared(x.view()).view());
        const auto activations = dictionary->activations(codes);
        QCOMPARE(activations.size(), codes.latents.size());
        const auto decoded = dictionary->decoded(codes, x.view());
        for (std::int64_t t = 0; t < 30; ++t)
            for (std::int64_t j = 0; j < 16; ++j) { // whole numbers: exact
                double y = static_cast<double>(dictionary->autoencoder().decoderBias[static_cast<std::size_t>(j)]);
                for (std::size_t i = codes.first[static_cast<std::size_t>(t)]; i < codes.first[static_cast<std::size_t>(t) + 1]; ++i)
                    y += static_cast<double>(activations[i]) * static_cast<double>(dictionary->autoencoder().decoder(codes.latents[i], j));
                QCOMPARE(static_cast<double>(decoded(t, j)), y);
            }
    }
    /// 150 000 rows of width 128, 77 MB, go through in less than a quarter of that: chunks of 2 MB with their codes, reconstructions and the
    /// outcomes of 4096 tokens (2 MB of rows). A measurement in memory holds rows and prepared rows, 154 MB.
    void memoryIsBounded()
    {
#ifdef __SANITIZE_ADDRESS__
        QSKIP("the address sanitiser keeps what was freed: peaks of memory say nothing under it");
#endif
        constexpr std::int64_t kRows = 150'000, kWidth = 128;
        {
            std::ofstream file(path("many.npy"), std::ios::binary);
            const std::string first = io::formatNpy(std::span<const float>(), {0, kWidth});
            std::string header = first;
            const std::string shape = "(" + std::to_string(kRows) + ", 128), }";
            header.replace(header.find("(0, 128), }"), shape.size(), shape); // spaces follow
            file << header;
            const Matrix<float> some = test::bundledRows("tinylm", 0, 750);
            for (std::int64_t i = 0; i < kRows / 750; ++i)
                file.write(reinterpret_cast<const char*>(some.data()), static_cast<std::streamsize>(some.size() * sizeof(float)));
        }
        auto autoencoder = test::wholeAutoencoder(64, kWidth, 8); // small: the rows are what is to be seen
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(autoencoder));
        const auto exact = exactEncoder(dictionary);
        const auto rows = openActivations(path("many.npy"), kWidth);
        QCOMPARE(rows->rows(), kRows);
        CodesFile codes(path("many.safetensors"), dictionary, kRows, {});
        StreamOptions options;
        options.codes = [&](std::int64_t, const SparseCodes& some) { codes.append(some); };
        peakMemory();
        const std::int64_t before = peakMemory();
        const auto report = measureRows(dictionary, *exact, *rows, *exact, "encoder.exact", {}, options);
        const std::int64_t growth = peakMemory() - before;
        QVERIFY(report.tokens == kRows && report.outcomes.size() == 4096);
        if (growth == 0)
            QSKIP("the system does not reset the peak of resident memory");
        QVERIFY2(growth < kRows * kWidth * 4 / 4, qPrintable(QString("%1 MB").arg(static_cast<double>(growth) / 1e6)));
        qInfo("peak grew by %.1f MB for %.0f MB of rows, %.0f rows a second", static_cast<double>(growth) / 1e6, static_cast<double>(kRows * kWidth * 4) / 1e6,
              static_cast<double>(kRows) / report.passSeconds);
    }
};

TAMIS_BLAS_TEST_MAIN(TestStreamedQuality)
#include "tst_streamed_quality.moc"

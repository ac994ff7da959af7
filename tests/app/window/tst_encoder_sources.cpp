// SPDX-License-Identifier: GPL-3.0-or-later
// Where the encoder tab's tokens come from, without a window: files, calibration sites, photos and text through the model.
#include "app/samples/photo_source.h"
#include "app/samples/sample_request.h"
#include "app/window/encoder_sources.h"
#include "core/base/error.h"
#include "core/encoder/model_site.h"
#include "core/inputs/token_words.h"
#include "core/io/npy.h"
#include "tests/core/linalg/blas_main.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stop_token>

using namespace tamis;
using namespace tamis::app;
namespace fs = std::filesystem;

namespace {
const fs::path kDatasets = fs::canonical(TAMIS_SOURCE_DIR "/datasets"), kSaes = kDatasets / "sae";
const fs::path kSmall = kSaes / "vit20.block3.k16" / "sparsify", kText = kSaes / "tinylm.block3.k32" / "sparsify";
constexpr std::int64_t kPhotoTokens = 257; ///< a class token and 16 x 16 patches
constexpr std::int64_t kAll = 1'000'000;

/// "cancelled: the sentence"; "accepted" where nothing is thrown.
QString failure(const std::function<void()>& run)
{
    try {
        run();
    } catch (const Error& error) {
        return QString::fromUtf8(errorCodeName(error.code()).data()) + QStringLiteral(": ") + QString::fromUtf8(error.what());
    }
    return QStringLiteral("accepted");
}

EncoderPaths from(TokenOrigin origin, const fs::path& autoencoder, const fs::path& tokens = {})
{
    EncoderPaths paths{autoencoder, tokens, {}};
    paths.origin = origin;
    return paths;
}

std::shared_ptr<RunnableModel> runnable(const char* name) { return std::make_shared<RunnableModel>(openWorkspace(kDatasets / name, {}, {})); }

bool sameRows(const tensor::Matrix<float>& a, std::int64_t firstOfA, const tensor::Matrix<float>& b, std::int64_t firstOfB, std::int64_t count)
{
    return a.cols() == b.cols() && firstOfA + count <= a.rows() && firstOfB + count <= b.rows() &&
           std::equal(a.data() + firstOfA * a.cols(), a.data() + (firstOfA + count) * a.cols(), b.data() + firstOfB * b.cols());
}
} // namespace

class TstEncoderSources : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    TokenSurroundings m_vision, m_language;

    fs::path writeRows(const char* name, std::int64_t count)
    {
        const auto rows = io::readNpy(kSaes / "vit20.block3.heldout.npy").toFloatMatrix();
        const fs::path file = fs::path(m_folder.path().toStdString()) / name;
        io::writeNpy(file, std::span(rows.data(), static_cast<std::size_t>(count * rows.cols())), {count, rows.cols()});
        return file;
    }

private slots:
    void initTestCase()
    {
        m_vision = {runnable("vit20"), kDatasets / "photos", {}};
        m_language = {runnable("tinylm"), {}, kDatasets / "text" / "heldout.txt"};
    }
    void tokensAreFoundBesideTheAutoencoder()
    {
        QCOMPARE(tokensBeside(kSmall), kSaes / "vit20.block3.heldout.npy");
        QCOMPARE(tokensBeside(kSmall / "sae.safetensors"), kSaes / "vit20.block3.heldout.npy");
        QCOMPARE(tokensBeside(kSaes / "tinylm.block3.k16" / "saelens"), kSaes / "tinylm.block3.heldout.npy");
        QTemporaryDir folder;
        const fs::path own = fs::path(folder.path().toStdString()) / "a" / "b";
        fs::create_directories(own);
        QVERIFY(tokensBeside(own).empty());
        fs::copy_file(kSaes / "vit20.block3.heldout.npy", own.parent_path() / "other.heldout.npy"); // of something else
        QVERIFY(tokensBeside(own).empty());
        fs::copy_file(kSaes / "vit20.block3.heldout.npy", own.parent_path() / "heldout.npy");
        QCOMPARE(tokensBeside(own), own.parent_path() / "heldout.npy");
    }
    void oneFileIsHalved()
    {
        const auto all = io::readNpy(kSaes / "vit20.block3.heldout.npy").toFloatMatrix();
        const auto sources = openEncoderSources({kSmall, {}, {}}, {});
        QVERIFY(sources->halved);
        QCOMPARE(sources->rows, all.rows());
        QCOMPARE(sources->fitted.rows() + sources->measured.rows(), all.rows());
        QCOMPARE(sources->fitted(0, 5), all(0, 5));
        QCOMPARE(sources->measured(0, 5), all(all.rows() / 2, 5)); // no row is both
        QCOMPARE(sources->measured(sources->measured.rows() - 1, 7), all(all.rows() - 1, 7));
        const auto other = writeRows("other.npy", 100);
        const auto two = openEncoderSources({kSmall, {}, other}, {});
        QVERIFY(!two->halved);
        QCOMPARE(two->measured.rows(), all.rows());
        QCOMPARE(two->fitted.rows(), std::int64_t(100));
        QVERIFY(failure([&] { (void)openEncoderSources({kSmall, {}, kSaes / "vit20.block3.heldout.npy"}, {}); }).contains("measured on already"));
    }
    void whatCannotBeOpenedIsSaid()
    {
        QTemporaryDir folder;
        const fs::path alone = fs::path(folder.path().toStdString()) / "alone";
        fs::create_directories(alone);
        fs::copy(kSmall, alone);
        QVERIFY(failure([&] { (void)openEncoderSources({alone, {}, {}}, {}); }).contains("heldout.npy"));
        QVERIFY(failure([&] { (void)openEncoderSources({alone / "nothing", {}, {}}, {}); }) != "accepted");
        const auto two = writeRows("two.npy", 2);
        QVERIFY(failure([&] { (void)openEncoderSources({alone, two, {}}, {}); }).contains("found 2 tokens"));
    }
    void theBlockIsReadFromNames_data()
    {
        QTest::addColumn<QString>("site");
        QTest::addColumn<QString>("folder");
        QTest::addColumn<int>("block"); // -1: no name says so
        QTest::newRow("hook after a block") << "blocks.3.hook_resid_post" << "/x" << 3;
        QTest::newRow("hook before a block") << "blocks.3.hook_resid_pre" << "/x" << 2;
        QTest::newRow("before the first") << "blocks.0.hook_resid_pre" << "/x" << -1;
        QTest::newRow("within a block") << "blocks.3.hook_mlp_out" << "/sae/block3" << -1;
        QTest::newRow("transformers") << "model.layers.11" << "/x" << 11;
        QTest::newRow("gpt2") << "transformer.h.5" << "/x" << 5;
        QTest::newRow("folder of sparsify") << "" << "/saes/layers.23" << 23;
        QTest::newRow("folder above") << "" << "/saes/vit20.block3.k16/sparsify" << 3;
        QTest::newRow("weight file") << "" << "/saes/layer_7/width_16k/params.npz" << 7;
        QTest::newRow("the hook counts") << "layers.4" << "/saes/block3" << 4;
        QTest::newRow("a word alone") << "" << "/saes/blocky" << -1;
    }
    void theBlockIsReadFromNames()
    {
        QFETCH(QString, site);
        QFETCH(QString, folder);
        QFETCH(int, block);
        QCOMPARE(blockNamed(site.toStdString(), folder.toStdString()).value_or(-1), block);
    }
    void photosGoThroughTheModel()
    {
        const auto sources = openEncoderSources(from(TokenOrigin::Photos, kSmall), {}, m_vision);
        QCOMPARE(sources->paths.block, 3); // the folder's name says so
        QCOMPARE(sources->blocks, 6);
        QCOMPARE(sources->paths.tokens, kDatasets / "photos");
        const auto model = m_vision.model->dense({});
        const auto photos = openPhotos({.folder = kDatasets / "photos", .labels = {}, .squash = false}, kDatasets / "vit20", *model, {});
        const auto rows = encoder::siteRows(*model, 3, *photos, kAll);
        QCOMPARE(rows.rows(), kPhotoTokens * 20);
        QVERIFY(sources->places && sources->places->photos());
        QCOMPARE(sources->places->samples.size(), std::size_t(10));
        QCOMPARE(sources->photos.size(), std::size_t(10));
        for (std::size_t p = 0; p < 10; ++p) { // every other photo is measured, the others are fitted to
            const auto& sample = sources->places->samples[p];
            const auto at = static_cast<std::int64_t>(p) * kPhotoTokens;
            QCOMPARE(sample.name, photos->name(2 * p));
            QCOMPARE(sample.first, at);
            QCOMPARE(sample.count, kPhotoTokens);
            QVERIFY(sameRows(sources->measured, at, rows, 2 * at, kPhotoTokens));
            QVERIFY(sameRows(sources->fitted, at, rows, 2 * at + kPhotoTokens, kPhotoTokens));
            QVERIFY(sources->photos[p].width() == sources->photos[p].height() && sources->photos[p].width() >= 64);
        }
        QCOMPARE(QString::fromStdString(sources->measuredOn), QStringLiteral("10 photos of photos, after block 3 of vit20"));
        QVERIFY(QString::fromStdString(sources->fittedTo).contains("10 other photos"));
    }
    /// Two pictures that differ in one patch differ most in the token that is said to be that patch's.
    void aPatchIsTheTokenOfItsPlace()
    {
        QTemporaryDir folder;
        QImage picture(64, 64, QImage::Format_RGB888);
        for (int y = 0; y < 64; ++y)
            for (int x = 0; x < 64; ++x)
                picture.setPixel(x, y, qRgb(3 * x, 3 * y, 90));
        QVERIFY(picture.save(folder.filePath("a.png")));
        constexpr int kRow = 11, kColumn = 4;
        for (int y = 0; y < 4; ++y)
            for (int x = 0; x < 4; ++x)
                picture.setPixel(4 * kColumn + x, 4 * kRow + y, (x + y) % 2 ? qRgb(255, 255, 255) : qRgb(0, 0, 0));
        QVERIFY(picture.save(folder.filePath("b.png")));
        auto paths = from(TokenOrigin::Photos, kSmall, folder.path().toStdString());
        paths.calibration = kSaes / "vit20.block3.heldout.npy"; // so that both are measured
        paths.block = 0;
        const auto sources = openEncoderSources(paths, {}, m_vision);
        const auto& places = *sources->places;
        QCOMPARE(places.samples.size(), std::size_t(2));
        QCOMPARE(places.prefix, std::vector<std::string>{"class token"});
        std::int64_t most = -1;
        double largest = -1;
        for (std::int64_t t = 0; t < kPhotoTokens; ++t) {
            double distance = 0;
            for (std::int64_t j = 0; j < sources->measured.cols(); ++j)
                distance += std::pow(static_cast<double>(sources->measured(t, j)) - static_cast<double>(sources->measured(kPhotoTokens + t, j)), 2);
            if (distance > largest) {
                largest = distance;
                most = t;
            }
        }
        QCOMPARE(most, places.patchToken(0, kRow, kColumn));
        QCOMPARE(most, std::int64_t(1 + 16 * kRow + kColumn));
        QCOMPARE(QString::fromStdString(report::placeName(places, places.patchToken(1, kRow, kColumn))), QStringLiteral("row 11, column 4"));
    }
    void textGoesThroughTheModel()
    {
        const auto sources = openEncoderSources(from(TokenOrigin::Text, kText), {}, m_language);
        const auto model = m_language.model->dense({});
        const auto tokenizer = inputs::Tokenizer::read(kDatasets / "tinylm");
        QFile file(QString::fromStdString(m_language.text.string()));
        QVERIFY(file.open(QFile::ReadOnly));
        const auto ids = tokenizer->encode(file.readAll().toStdString(), true);
        const auto& places = *sources->places;
        QVERIFY(!places.photos() && sources->photos.empty());
        const std::size_t pieces = (ids.size() + 255) / 256 - (ids.size() % 256 == 1); // a rest of one token is no piece
        std::int64_t row = 0;
        for (std::size_t p = 0; p < places.samples.size(); ++p) { // the second half, as far as there is room
            const auto& piece = places.samples[p];
            const std::size_t half = pieces - pieces / 2, most = std::min<std::size_t>(16, half), window = pieces / 2 + p * half / most, begin = 256 * window;
            QCOMPARE(piece.name, "sequence 0, tokens " + std::to_string(begin) + " to " + std::to_string(begin + piece.words.size() - 1));
            QCOMPARE(piece.first, row);
            QCOMPARE(static_cast<std::size_t>(piece.count), piece.words.size());
            row += piece.count;
            for (std::size_t t = 0; t < piece.words.size(); ++t)
                QCOMPARE(piece.words[t], inputs::visibleToken(*tokenizer, ids[begin + t]));
            SampleRequest request;
            request.text = m_language.text;
            request.windows.context = 256;
            if (p == 0) {
                const auto all = openSamples(request, kDatasets / "tinylm", *model, {});
                const auto rows = encoder::siteRows(*model, 3, *all, kAll);
                QVERIFY(sameRows(sources->measured, 0, rows, static_cast<std::int64_t>(begin), piece.count));
                QVERIFY(sameRows(sources->fitted, 0, rows, 0, 256)); // from the beginning
            }
        }
        QCOMPARE(row, sources->measured.rows());
    }
    void tokenIdsNeedNoTokenizer()
    {
        const auto sources = openEncoderSources(from(TokenOrigin::Text, kText, kDatasets / "tinylm" / "calibration.npy"), {}, m_language);
        QCOMPARE(sources->places->samples.front().count, std::int64_t(256));
        QCOMPARE(sources->measured.rows(), std::int64_t(4096)); // of 192 sequences, 16 pieces
    }
    void aSiteOfTheCalibrationSetHasTwoKindsOfSamples()
    {
        const auto sources = openEncoderSources(from(TokenOrigin::Calibration, kSmall), {}, m_vision);
        const auto calibration = m_vision.model->workspace()->calibration;
        QVERIFY(!sources->sites.empty());
        for (const auto& site : sources->sites)
            QCOMPARE(calibration->features(site), std::optional<std::int64_t>(128));
        QVERIFY(std::ranges::find(sources->sites, "blocks.3.mlp.fc2") == sources->sites.end()); // of 512 features
        QVERIFY(QString::fromStdString(sources->paths.site).startsWith("blocks.4.")); // what comes after block 3
        const auto site = calibration->read(sources->paths.site);
        QVERIFY(sameRows(sources->measured, 0, site.heldOut, 0, site.heldOut.rows()));
        QVERIFY(sameRows(sources->fitted, 0, site.samples, 0, site.samples.rows()));
        auto paths = from(TokenOrigin::Calibration, kSmall);
        paths.site = "blocks.3.mlp.fc2";
        QVERIFY(failure([&] { (void)openEncoderSources(paths, {}, m_vision); }).contains("blocks.3.mlp.fc2"));
    }
    void theOpenModelStandsInForAFileThatIsNotThere()
    {
        const fs::path alone = fs::path(m_folder.path().toStdString()) / "block1";
        fs::create_directories(alone);
        fs::copy(kSmall, alone);
        const auto sources = openEncoderSources({alone, {}, {}}, {}, m_vision);
        QCOMPARE(sources->paths.origin, TokenOrigin::Photos);
        QCOMPARE(sources->paths.block, 1);
    }
    void onePhotoIsMeasuredAndNothingFittedTo()
    {
        const auto sources = openEncoderSources(from(TokenOrigin::Photos, kSmall, kDatasets / "motion" / "frame00.jpg"), {}, m_vision);
        QCOMPARE(sources->measured.rows(), kPhotoTokens);
        QVERIFY(sources->fitted.empty() && sources->fittedTo.empty() && !sources->halved);
    }
    void whatDoesNotFitIsSaid()
    {
        const auto said = [&](const EncoderPaths& paths, const TokenSurroundings& around) { return failure([&] { (void)openEncoderSources(paths, {}, around); }); };
        QVERIFY(said(from(TokenOrigin::Photos, kSmall), {}).contains("no model"));
        QVERIFY(said(from(TokenOrigin::Calibration, kSmall), m_language).contains("no calibration set"));
        QVERIFY(said(from(TokenOrigin::Text, kSmall), m_vision).contains("no text"));
        QVERIFY(said(from(TokenOrigin::Text, kSmall, m_language.text), m_vision).contains("reads images"));
        QVERIFY(said(from(TokenOrigin::Photos, kSmall, kDatasets / "photos"), m_language).contains("reads text"));
        QVERIFY(said(from(TokenOrigin::Text, kText, kDatasets / "photos"), m_language).contains("folder"));
        auto deep = from(TokenOrigin::Photos, kSmall);
        deep.block = 6;
        QVERIFY(said(deep, m_vision).contains("block 6"));
    }
    void aRunIsStopped()
    {
        std::stop_source stop;
        stop.request_stop();
        const RunContext context(stop.get_token());
        QVERIFY(failure([&] { (void)openEncoderSources(from(TokenOrigin::Photos, kSmall), context, m_vision); }).startsWith("cancelled"));
    }
};

TAMIS_BLAS_TEST_MAIN(TstEncoderSources)
#include "tst_encoder_sources.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/model_site.h"
#include "core/measure/evaluate.h"
#include "core/measure/token_source.h"
#include "tests/core/base/failure.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/measure/sample_list.h"

using namespace tamis;
using tamis::test::failure;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";

/// The first windows of tinylm's held-out tokens.
measure::TokenSource sentences(std::size_t tokens)
{
    const auto all = io::readNpy(kDatasets / "tinylm/heldout.npy").toDoubles();
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < tokens; ++i)
        ids.push_back(static_cast<std::int32_t>(all[i]));
    return measure::TokenSource({ids}, {.context = 128, .stride = 0}, "held-out tokens");
}

/// decode(encode(x)) = x for every x: each feature has a latent for its positive and one for its negative part.
std::shared_ptr<const Dictionary> identity(std::int64_t width)
{
    io::SparseAutoencoder a;
    a.config.k = width;
    a.encoder = a.decoder = Matrix<float>(2 * width, width);
    a.encoderBias.resize(static_cast<std::size_t>(2 * width));
    a.decoderBias.resize(static_cast<std::size_t>(width));
    for (std::int64_t j = 0; j < width; ++j) {
        a.encoder(j, j) = a.decoder(j, j) = 1;
        a.encoder(width + j, j) = a.decoder(width + j, j) = -1;
    }
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
}

/// Keeps the rows after one block.
class Recorder final : public nn::Observer {
public:
    explicit Recorder(int block) : m_block(block) {}
    void blockOutput(std::size_t, int block, kernels::ConstRows x) override
    {
        if (block == m_block)
            for (std::int64_t t = 0; t < x.rows; ++t)
                rows.emplace_back(x.row(t).begin(), x.row(t).end());
    }
    std::vector<std::vector<float>> rows;

private:
    int m_block;
};

} // namespace

class TestModelSite : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_tinylm = test::modelAt(kDatasets / "tinylm"), m_vit20 = test::modelAt(kDatasets / "vit20");

private slots:
    /// The loss without the autoencoder is what evaluate() says; with one that gives back what it is given it stays, wherever it sits. Rows
    /// are decoded in double and rounded to what they were, so to the bit.
    void languageModelKeepsItsLossThroughAnIdentity()
    {
        const auto text = sentences(512);
        measure::EvaluateOptions options;
        options.latencyRuns = 0;
        const double perplexity = measure::evaluate(*m_tinylm, nullptr, text, options, {}).baselineQuality.perplexity.mean;
        const auto dictionary = identity(128);
        const auto exact = exactEncoder(dictionary);
        for (const int block : {0, 3, 5}) {
            const SplicedLoss loss = measureSplicedLoss(*m_tinylm, block, *dictionary, *exact, *exact, text);
            QVERIFY(std::abs(std::exp(loss.dense.crossEntropy) - perplexity) < 1e-9 * perplexity); // the same logits, summed in another order
            QCOMPARE(loss.exact.crossEntropy, loss.dense.crossEntropy);
            QCOMPARE(loss.encoded.crossEntropy, loss.dense.crossEntropy);
            QCOMPARE(loss.predictions, std::int64_t{4 * 127});
            QCOMPARE(loss.tokens, std::int64_t{512});
            QVERIFY(!loss.labelled && loss.dense.top1 > 0.2);
        }
    }
    void imagesKeepTheirClassesThroughAnIdentity()
    {
        auto images = test::noise(6, 64, 3);
        for (std::size_t i = 0; i < 6; ++i)
            images.samples[i].label = static_cast<int>(3 * i);
        measure::EvaluateOptions options;
        options.latencyRuns = 0;
        const auto quality = measure::evaluate(*m_vit20, nullptr, images, options, {}).baselineQuality;
        const auto dictionary = identity(128);
        const auto exact = exactEncoder(dictionary);
        const SplicedLoss loss = measureSplicedLoss(*m_vit20, 3, *dictionary, *exact, *exact, images);
        QCOMPARE(loss.dense.top1, quality.top1.mean);
        QCOMPARE(loss.exact.crossEntropy, loss.dense.crossEntropy);
        QVERIFY(loss.labelled && loss.predictions == 6 && loss.tokens == 6 * 257);
        for (auto& sample : images.samples)
            sample.label = -1; // then the dense model's own class counts
        const SplicedLoss own = measureSplicedLoss(*m_vit20, 3, *dictionary, *exact, *exact, images);
        QVERIFY(own.dense.top1 == 1 && own.dense.crossEntropy < loss.dense.crossEntropy && !own.labelled);
    }
    /// A bundled autoencoder costs some loss, a worse encoder of it more; an autoencoder that says nothing costs most.
    void worseCodesLoseMore()
    {
        const auto text = sentences(768);
        Inputs inputs;
        inputs.dictionary = test::bundledDictionary("tinylm.block3.k32/sparsify");
        inputs.calibration = inputs.dictionary->prepared(test::bundledRows("tinylm", 0, 384).view());
        Parameters parameters;
        parameters.set("rank", std::int64_t{64});
        const auto coarse = lowRankMethod().build(inputs, parameters, {}).encoder;
        const auto exact = exactEncoder(inputs.dictionary);
        const SplicedLoss loss = measureSplicedLoss(*m_tinylm, 3, *inputs.dictionary, *exact, *coarse, text);
        QVERIFY(loss.exact.crossEntropy > loss.dense.crossEntropy && loss.exact.crossEntropy < loss.dense.crossEntropy + 0.5);
        QVERIFY(loss.encoded.crossEntropy > loss.exact.crossEntropy + 0.05);
        const SplicedLoss elsewhere = measureSplicedLoss(*m_tinylm, 0, *inputs.dictionary, *exact, *exact, text);
        QVERIFY(elsewhere.exact.crossEntropy > loss.exact.crossEntropy + 0.2); // it was made for block 3
        const ThreadLimit one(1);
        const SplicedLoss again = measureSplicedLoss(*m_tinylm, 3, *inputs.dictionary, *exact, *coarse, text);
        QVERIFY(again.encoded.crossEntropy == loss.encoded.crossEntropy && again.encoded.top1 == loss.encoded.top1);
    }
    void rowsAreThoseThatAnObserverSees()
    {
        const auto text = sentences(300);
        Recorder recorder(3);
        for (std::size_t i = 0; i < text.count(); ++i) {
            measure::LoadedSample sample;
            text.load(i, sample);
            nn::runBatch(*m_tinylm, std::vector<nn::Sample>{sample.view()}, {}, &recorder);
        }
        const Matrix<float> all = siteRows(*m_tinylm, 3, text, 1000);
        QCOMPARE(all.rows(), static_cast<std::int64_t>(recorder.rows.size()));
        for (std::int64_t t = 0; t < all.rows(); ++t)
            QVERIFY(std::ranges::equal(all.view().row(t), recorder.rows[static_cast<std::size_t>(t)]));
        const Matrix<float> some = siteRows(*m_tinylm, 3, text, 50);
        QCOMPARE(some.rows(), std::int64_t{50});
        for (std::int64_t t = 0; t < 50; ++t)
            QVERIFY(std::ranges::any_of(recorder.rows, [&](const auto& row) { return std::ranges::equal(some.view().row(t), row); }));
    }
    void badRequestsAreRefused()
    {
        const auto text = sentences(200);
        const auto dictionary = identity(128), narrow = identity(64);
        const auto exact = exactEncoder(dictionary), other = exactEncoder(narrow);
        QVERIFY(failure([&] { measureSplicedLoss(*m_tinylm, 6, *dictionary, *exact, *exact, text); }, ErrorCode::InvalidParameter).contains("block 6, expected 0 to 5"));
        QVERIFY(failure([&] { measureSplicedLoss(*m_tinylm, 2, *narrow, *other, *other, text); }, ErrorCode::InvalidParameter).contains("128 features, expected the 64"));
        QVERIFY(failure([&] { measureSplicedLoss(*m_tinylm, 2, *dictionary, *exact, *exact, test::SampleList()); }, ErrorCode::InvalidParameter).contains("no sample"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(failure([&] { measureSplicedLoss(*m_tinylm, 2, *dictionary, *exact, *exact, text, RunContext(stop.get_token())); }, ErrorCode::Cancelled).contains("stopped on request"));
        QVERIFY(failure([&] { siteRows(*m_tinylm, -1, text, 10); }, ErrorCode::InvalidParameter).contains("block -1"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestModelSite)
#include "tst_model_site.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// DeepEmbed inside the bundled language model: ones change no bit, layouts and readers give the same bits, fitted scales are the optimum they are said to be,
// and perplexity is that of the evaluation.
#include "core/addressing/embed_fit.h"
#include "core/addressing/mlp_rows.h"
#include "core/addressing/text_quality.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/inputs/token_file.h"
#include "core/io/checkpoint.h"
#include "core/measure/even_subset.h"
#include "core/measure/evaluate.h"
#include "core/measure/token_source.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::addressing;
using tensor::DType;

class TstDeepEmbed : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    std::shared_ptr<const nn::Model> m_model;
    std::unique_ptr<measure::SampleSource> m_calibration, m_heldOut;

    std::unique_ptr<measure::SampleSource> tokens(const char* file, std::size_t limit) const
    {
        auto sequences = inputs::readTokenFile(std::string(TAMIS_SOURCE_DIR "/datasets/tinylm/") + file, m_model->spec().text.vocabulary);
        return measure::evenSubset(std::make_unique<measure::TokenSource>(std::move(sequences), measure::TokenWindows{128, 0}, file), limit);
    }
    std::vector<float> logits(const nn::Model& model, const measure::LoadedSample& sample) const
    {
        nn::Scratch scratch;
        std::vector<float> all(static_cast<std::size_t>(model.outputRows(sample.view()) * model.outputWidth()));
        model.run(sample.view(), {all.data(), model.outputRows(sample.view()), model.outputWidth(), model.outputWidth()}, scratch);
        return all;
    }
    std::int64_t layers() const { return static_cast<std::int64_t>(m_model->blocks().size()); }

private slots:
    void initTestCase()
    {
        m_model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
        m_calibration = tokens("calibration.npy", 24);
        m_heldOut = tokens("heldout.npy", 12);
    }
    void onesChangeNoBit()
    {
        measure::LoadedSample sample;
        m_heldOut->load(0, sample);
        const std::vector<float> ones(128, 1.0F);
        const TokenScales scales(layers(), 128, sample.tokens, [&](std::int64_t, std::int64_t) { return std::span(ones); });
        const auto scaled = withDeepEmbed(*m_model);
        std::vector<float> got;
        {
            const ScaleScope scope(scales);
            got = logits(*scaled, sample);
        }
        QVERIFY(got == logits(*m_model, sample));
    }
    void scalesReachTheirTokensAlone()
    {
        // One token's scale is changed: rows before its first place keep every bit (causal), its own rows change.
        measure::LoadedSample sample;
        m_heldOut->load(1, sample);
        const std::int32_t chosen = sample.tokens[40];
        const auto first = std::ranges::find(sample.tokens, chosen) - sample.tokens.begin();
        const std::vector<float> ones(128, 1.0F), halves(128, 0.5F);
        const TokenScales scales(layers(), 128, sample.tokens, [&](std::int64_t layer, std::int64_t token) { return std::span(layer == 2 && token == chosen ? halves : ones); });
        const auto scaled = withDeepEmbed(*m_model);
        const ScaleScope scope(scales);
        const auto got = logits(*scaled, sample), whole = logits(*m_model, sample);
        const auto width = static_cast<std::ptrdiff_t>(m_model->outputWidth());
        QVERIFY(std::equal(whole.begin(), whole.begin() + first * width, got.begin()));
        QVERIFY(!std::equal(whole.begin() + first * width, whole.begin() + (first + 1) * width, got.begin() + first * width));
    }
    void theOperatorIsTheFormula()
    {
        const nn::Block& block = m_model->blocks()[1];
        const nn::LinearPtr scaled = scaledByToken(block.down.op, 1);
        tensor::Matrix<float> x(3, block.spec.mlp.hidden), base(3, 128), plain(3, 128), got(3, 128);
        for (std::size_t i = 0; i < x.size(); ++i)
            x.values()[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
        for (std::size_t i = 0; i < base.size(); ++i)
            base.values()[i] = static_cast<float>(std::cos(0.3 * static_cast<double>(i)));
        std::vector<std::vector<float>> rows(10, std::vector<float>(128));
        for (std::size_t v = 0; v < 10; ++v)
            for (std::size_t j = 0; j < 128; ++j)
                rows[v][j] = 0.5F + 0.01F * static_cast<float>(v * j % 97);
        const std::vector<std::int32_t> ids{4, 9, 4};
        const TokenScales scales(2, 128, ids, [&](std::int64_t, std::int64_t token) { return std::span<const float>(rows[static_cast<std::size_t>(token)]); });
        nn::Scratch scratch;
        block.down.op->apply(x.view(), {}, plain.view(), scratch);
        QVERIFY_THROWS_EXCEPTION(Error, scaled->apply(x.view(), {.base = base.view()}, got.view(), scratch)); // no scope
        {
            const ScaleScope scope(scales);
            scaled->apply(x.view(), {.base = base.view()}, got.view(), scratch);
            QVERIFY_THROWS_EXCEPTION(Error, scaled->apply({x.data(), 2, x.cols(), x.cols()}, {}, {got.data(), 2, 128, 128}, scratch)); // rows of another number
            QVERIFY_THROWS_EXCEPTION(Error, scaledByToken(block.down.op, 2)->apply(x.view(), {}, got.view(), scratch));                  // a layer beyond the table
            QVERIFY_THROWS_EXCEPTION(Error, scaled->apply(x.view(), {.factor = base.view()}, got.view(), scratch));
        }
        for (std::int64_t t = 0; t < 3; ++t)
            for (std::int64_t j = 0; j < 128; ++j) {
                const double wanted = static_cast<double>(base(t, j)) + static_cast<double>(plain(t, j)) * static_cast<double>(rows[static_cast<std::size_t>(ids[static_cast<std::size_t>(t)])][static_cast<std::size_t>(j)]);
                QVERIFY(std::abs(static_cast<double>(got(t, j)) - wanted) <= 2e-7 * (1 + std::abs(wanted))); // two roundings of a float at most
            }
        QVERIFY_THROWS_EXCEPTION(Error, scaledByToken(nullptr, 0));
    }
    void layoutsAndReadersGiveTheSameBits()
    {
        const auto cheaper = compressedMlps(*m_model, MlpCompression::LowRank, 0.4, *m_calibration, 4, {});
        const EmbedFit fit = fitDeepEmbed(*m_model, *cheaper, *m_calibration, {.samples = 8}, {});
        const auto scaled = withDeepEmbed(*cheaper);
        measure::LoadedSample sample;
        m_heldOut->load(2, sample);
        for (const DType type : {DType::F32, DType::F16, DType::BF16}) {
            std::vector<float> first;
            for (const TableLayout layout : {TableLayout::LayerMajor, TableLayout::TokenMajor}) {
                const std::filesystem::path file = m_directory.filePath(QStringLiteral("table.safetensors")).toStdString();
                writeEmbedTable(file, {fit.layers(), fit.tokens(), fit.width(), type, layout}, [&](std::int64_t layer, std::int64_t token) { return fit.row(layer, token); });
                const EmbedTable table = EmbedTable::open(file);
                requireTableFor(*scaled, table);
                for (const ReaderKind kind : {ReaderKind::Mapped, ReaderKind::Pread, ReaderKind::Ring}) {
                    std::unique_ptr<RowReader> reader;
                    try {
                        reader = openReader(kind, file);
                    } catch (const Error& error) {
                        qInfo("%s", error.what());
                        continue;
                    }
                    const TokenScales scales(table, *reader, sample.tokens);
                    const ScaleScope scope(scales);
                    const auto got = logits(*scaled, sample);
                    if (first.empty())
                        first = got;
                    QVERIFY(got == first);
                }
            }
            QVERIFY(first != logits(*cheaper, sample)); // the table does something
        }
    }
    void aWholeModelNeedsNoScale()
    {
        // Without compression c = o: every scale is (S + r m) / (S + r m) = 1 to the last bit.
        const EmbedFit fit = fitDeepEmbed(*m_model, *m_model, *m_calibration, {.samples = 4}, {});
        for (std::int64_t layer = 0; layer < fit.layers(); ++layer)
            for (std::int64_t token = 0; token < fit.tokens(); ++token)
                for (const float scale : fit.row(layer, token))
                    QCOMPARE(scale, 1.0F);
        for (const EmbedFitErrors& errors : fit.errors())
            QVERIFY(errors.before < 1e-12 && errors.after < 1e-12); // 512 rows added up in two orders: 512 * 2^-53 relative at most
    }
    void fittedScalesAreTheOptimum()
    {
        // Against the sums of one token and feature, taken here in another way: the objective at the fitted scale and beside it.
        const auto cheaper = compressedMlps(*m_model, MlpCompression::Pruned, 0.3, *m_calibration, 4, {});
        const EmbedFitSettings settings{.ridge = 3, .shared = false, .samples = 6};
        const EmbedFit fit = fitDeepEmbed(*m_model, *cheaper, *m_calibration, settings, {});
        struct Row {
            std::int32_t token;
            double c, o;
        };
        constexpr int kLayer = 3;
        constexpr std::int64_t kFeature = 17;
        std::vector<Row> rows;
        nn::Scratch scratch;
        visitMlps(*m_model, *m_calibration, 6, [&](const MlpRows& seen) {
            if (seen.block != kLayer)
                return;
            tensor::Matrix<float> output(seen.input.rows, 128);
            applyMlp(cheaper->blocks()[kLayer], seen.input, output.view(), scratch);
            for (std::int64_t t = 0; t < seen.input.rows; ++t)
                rows.push_back({seen.tokens[static_cast<std::size_t>(t)], static_cast<double>(output(t, kFeature)), static_cast<double>(seen.output(t, kFeature))});
        }, {});
        double mean = 0;
        for (const Row& row : rows)
            mean += row.c * row.c / static_cast<double>(rows.size());
        std::uint64_t counted = 0;
        for (std::int32_t token = 0; token < 1024; ++token) {
            const auto objective = [&](double s) {
                double sum = settings.ridge * mean * (s - 1) * (s - 1);
                for (const Row& row : rows)
                    if (row.token == token)
                        sum += (s * row.c - row.o) * (s * row.c - row.o);
                return sum;
            };
            const double s = static_cast<double>(fit.row(kLayer, token)[static_cast<std::size_t>(kFeature)]), best = objective(s);
            // A parabola: any step away from its floor costs; the float rounding of s is 1e-7 of it and the steps are 1e-3.
            QVERIFY(objective(s + 1e-3) > best && objective(s - 1e-3) > best);
            const auto here = static_cast<std::uint64_t>(std::ranges::count(rows, token, &Row::token));
            QCOMPARE(fit.seen()[static_cast<std::size_t>(token)], here);
            counted += here;
            if (here == 0)
                QCOMPARE(s, 1.0); // never seen
        }
        QCOMPARE(counted, static_cast<std::uint64_t>(rows.size()));
        for (const EmbedFitErrors& errors : fit.errors())
            QVERIFY(errors.after < errors.before && errors.shared < errors.before && errors.before > 0.01);
    }
    void perplexityIsThatOfTheEvaluation()
    {
        measure::EvaluateOptions options;
        options.latencyRuns = 0;
        options.mapSamples = 0;
        const auto report = measure::evaluate(*m_model, nullptr, *m_heldOut, options, {});
        const TextQuality quality = textQuality(*m_model, *m_heldOut, {}, {});
        QVERIFY(std::abs(quality.perplexity / report.baselineQuality.perplexity.mean - 1) < 1e-9);
        const ThreadLimit one(1);
        QCOMPARE(textQuality(*m_model, *m_heldOut, {}, {}).nll, quality.nll);
    }
    void aFittedTableHelpsOnTokensItNeverSaw()
    {
        const auto cheaper = compressedMlps(*m_model, MlpCompression::LowRank, 0.3, *m_calibration, 4, {});
        const EmbedFit fit = fitDeepEmbed(*m_model, *cheaper, *m_calibration, {}, {});
        const auto scaled = withDeepEmbed(*cheaper);
        const ScalesOf scales = [&](std::span<const std::int32_t> ids) { return TokenScales(fit.layers(), fit.width(), ids, [&](std::int64_t layer, std::int64_t token) { return fit.row(layer, token); }); };
        const double whole = textQuality(*m_model, *m_heldOut, {}, {}).perplexity, before = textQuality(*cheaper, *m_heldOut, {}, {}).perplexity, after = textQuality(*scaled, *m_heldOut, scales, {}).perplexity;
        qInfo("perplexity %g whole, %g low rank, %g with the table", whole, before, after);
        QVERIFY(whole < after && after < before);
    }
    void refusals()
    {
        QVERIFY_THROWS_EXCEPTION(Error, withDeepEmbed(*nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"))));
        QVERIFY_THROWS_EXCEPTION(Error, requireTableFor(*m_model, EmbedTable({5, 1024, 128})));
        QVERIFY_THROWS_EXCEPTION(Error, requireTableFor(*m_model, EmbedTable({6, 1023, 128})));
        QVERIFY_THROWS_EXCEPTION(Error, requireTableFor(*m_model, EmbedTable({6, 1024, 64})));
        requireTableFor(*m_model, EmbedTable({6, 2048, 128}));
        QVERIFY_THROWS_EXCEPTION(Error, compressedMlps(*m_model, MlpCompression::LowRank, 0, *m_calibration, 1, {}));
        QVERIFY_THROWS_EXCEPTION(Error, fitDeepEmbed(*m_model, *m_model, *m_calibration, {.ridge = -1}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, collectMlpRows(*m_model, *m_calibration, 6, 10, {}));
        std::stop_source stop;
        stop.request_stop();
        try {
            fitDeepEmbed(*m_model, *m_model, *m_calibration, {}, RunContext(stop.get_token()));
            QFAIL("not stopped");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
    void keptPartsCostTheirShare()
    {
        for (const MlpCompression compression : {MlpCompression::LowRank, MlpCompression::Pruned}) {
            const auto cheaper = compressedMlps(*m_model, compression, 0.5, *m_calibration, 2, {});
            for (std::size_t b = 0; b < 6; ++b)
                for (const auto slot : {&nn::Block::up, &nn::Block::gate, &nn::Block::down}) {
                    const double share = static_cast<double>((cheaper->blocks()[b].*slot).op->cost().parameters) / static_cast<double>((m_model->blocks()[b].*slot).op->cost().parameters);
                    QVERIFY(std::abs(share - 0.5) < 0.01); // one rank of 47 is 1 %
                }
        }
    }
};

QTEST_APPLESS_MAIN(TstDeepEmbed)
#include "tst_deep_embed.moc"

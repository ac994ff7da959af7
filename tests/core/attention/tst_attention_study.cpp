// SPDX-License-Identifier: GPL-3.0-or-later
// The viewed head, all heads and the output under choices: against the parts they are made of, whatever was kept and whatever the threads.
#include "core/attention/attention_study.h"
#include "core/attention/head_errors.h"
#include "core/attention/tiled.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/checkpoint.h"
#include "core/measure/evaluate.h"
#include "core/measure/token_source.h"
#include "tests/core/attention/noise_photos.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::attention;

namespace {
HeadChoice band(int block, std::int64_t head, std::int64_t reach)
{
    HeadChoice choice{block, head, "attention.band", {}};
    choice.parameters.set("reach", reach);
    return choice;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
} // namespace

class TstAttentionStudy : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_model;
    std::shared_ptr<const measure::SampleSource> m_photos = std::make_shared<test::NoisePhotos>(2);

    AttentionRequest request() const
    {
        AttentionRequest asked;
        asked.choices = {band(1, kAllHeads, 20), band(3, 2, 5)};
        asked.layer = 3;
        asked.head = 2;
        asked.average = 1;
        return asked;
    }

private slots:
    void initTestCase() { m_model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20")); }
    void samplesAreSpread()
    {
        using Indices = std::vector<std::size_t>;
        QCOMPARE(spreadSamples(3, 1, 10), (Indices{3}));
        QCOMPARE(spreadSamples(0, 4, 4), (Indices{0, 1, 2, 3}));
        QCOMPARE(spreadSamples(2, 9, 3), (Indices{2, 0, 1}));
        QCOMPARE(spreadSamples(0, 3, 10, 4), (Indices{4, 6, 9})); // the viewed one is not among them
        QCOMPARE(spreadSamples(5, 2, 10, 4), (Indices{5, 4}));
        QCOMPARE(spreadSamples(0, 9, 3, 1), (Indices{1, 2}));
    }
    void theViewIsOfThatHead()
    {
        AttentionStudy study(m_model, m_photos);
        QVERIFY(!study.first(request())); // nothing has run
        const auto capture = study.capture(0, {});
        const auto first = study.first(request());
        QVERIFY(first && first->heads.empty() && !first->complete);
        const auto& view = first->view;
        QCOMPARE(view.tokens, std::int64_t{257});
        QCOMPARE(view.prefixTokens + view.gridHeight * view.gridWidth, view.tokens);
        const auto input = capture->attention[3].view();
        const auto exact = m_model->blocks()[3].attention->map(input, 2, 0);
        QVERIFY(std::ranges::equal(view.exact, exact.values()));
        // The approximate map is the band of 5 tokens with what was outside it, the class token apart, at 0.
        for (std::int64_t i = 1; i < 257; ++i)
            for (std::int64_t j = 1; j < 257; ++j)
                if (std::abs(i - j) > 5)
                    QCOMPARE(view.approximate[static_cast<std::size_t>(i * 257 + j)], 0.0F);
        QVERIFY(view.errors.map > 0.01 && view.errors.map < 1 && view.errors.output > 0.01);
        AttentionRequest other = request();
        other.head = 1; // no choice: exact
        const auto untouched = study.first(other);
        QVERIFY(untouched->view.errors.map < 1e-6 && untouched->view.errors.output < 1e-6);
        other.layer = 0;
        QCOMPARE(study.first(other)->view.approximate, study.first(other)->view.exact);
    }
    void headsAreThoseOfTheirErrors()
    {
        AttentionStudy study(m_model, m_photos);
        AttentionRequest asked = request();
        asked.average = 2;
        const auto report = study.whole(asked, {});
        QCOMPARE(report.heads.size(), std::size_t{24});
        QVERIFY(report.complete && report.averagedSamples == 2);
        const auto operators = operatorsFor(*m_model, asked.choices);
        const auto expected = headErrors(*m_model, operators, *m_photos, 2, {});
        QCOMPARE(expected.size(), std::size_t{8});
        for (const HeadError& error : expected) {
            const auto& head = report.heads[static_cast<std::size_t>(error.layer * 4 + error.head)];
            QCOMPARE(head.layer, error.layer);
            QCOMPARE(head.head, error.head);
            // A captured copy has another stride than the rows inside the model: products may be summed in another order.
            QVERIFY(std::abs(head.map - error.map) < 1e-5 && std::abs(head.output - error.output) < 1e-5 && std::abs(head.cosine - error.cosine) < 1e-5);
            QCOMPARE(head.method, std::string(error.layer == 1 || error.head == 2 ? "attention.band" : ""));
        }
        QCOMPARE(report.heads[0].output, 0.0); // no operator there
        QCOMPARE(report.heads[0].cosine, 1.0);
        QCOMPARE(report.trivial.size(), std::size_t{3});
        QCOMPARE(report.trivial[0].method, std::string("attention.zero"));
        QCOMPARE(report.trivial[0].output, 1.0);
        QVERIFY(std::abs(report.trivial[0].map - 0.5) < 1e-5);
        const auto mean = headErrors(*m_model, operatorsFor(*m_model, everywhere(*m_model, "attention.mean-value", {}, std::vector{1, 3})), *m_photos, 2, {});
        double output = 0;
        for (const HeadError& error : mean)
            output += error.output / static_cast<double>(mean.size());
        QVERIFY(std::abs(report.trivial[1].output - output) < 1e-5);
        for (const auto& head : report.heads)
            QVERIFY(head.traits.entropy > 0 && head.traits.entropy <= std::log(257.0) && head.traits.effectiveRank >= 1 && head.traits.effectiveRank <= 257);
    }
    void theEffectIsThatOfTheWholeModel()
    {
        AttentionStudy study(m_model, std::make_shared<test::NoisePhotos>(1));
        const auto report = study.whole(request(), {});
        const auto changed = replaced(m_model, operatorsFor(*m_model, request().choices));
        measure::EvaluateOptions options;
        options.latencyRuns = 0;
        const auto evaluated = measure::evaluate(*m_model, changed.get(), test::NoisePhotos(1), options, {});
        QVERIFY(std::abs(report.effect.kl - evaluated.fidelity.kl.mean) < 1e-6); // the same passes; one of them in parallel
        QCOMPARE(report.effect.agreement, evaluated.fidelity.agreement.mean);
        QCOMPARE(report.effect.before.size(), std::size_t{3});
        QCOMPARE(report.effect.before.front().index, evaluated.predictions.front().classes.front());
        QCOMPARE(report.effect.after.front().index, evaluated.predictions.front().compressedClasses.front());
        QCOMPARE(report.effect.layers.size(), std::size_t{6});
        for (std::size_t block = 0; block < 6; ++block) {
            QVERIFY(std::abs(report.effect.layers[block].relativeError - evaluated.layers[block].relativeError) < 1e-5);
            QVERIFY(std::abs(report.effect.layers[block].ownError - evaluated.layers[block].ownError) < 1e-5);
        }
        QVERIFY(report.macs < report.wholeMacs && report.attentionMacs < report.wholeAttentionMacs);
        QCOMPARE(report.wholeMacs - report.macs, report.wholeAttentionMacs - report.attentionMacs);
        // The whole model's scratch is what its kernel really takes: a run of the same kernel with buffers that are counted.
        const nn::AttentionSpec& spec = m_model->spec().blocks.front().attention;
        tensor::Matrix<float> rows(report.view.tokens, spec.heads * spec.headDim), out(rows.rows(), rows.cols());
        nn::Scratch scratch(false);
        tiledAttention(spec)->apply({.q = rows.view(), .k = rows.view(), .v = rows.view()}, out.view(), scratch);
        QCOMPARE(report.wholeLiveBytes, sizeof(float) * static_cast<std::uint64_t>(scratch.peakFloats()));
        QVERIFY(report.liveBytes >= report.wholeLiveBytes); // some blocks stay exact
        AttentionRequest all = request();
        all.choices = everywhere(*m_model, "attention.mean-value", {}, {});
        QCOMPARE(study.whole(all, {}).liveBytes, sizeof(float) * 32); // a mean of one head's values
        all.choices.push_back({2, 1, "", {}});
        QCOMPARE(study.whole(all, {}).liveBytes, report.wholeLiveBytes); // one exact head among others
    }
    void whatIsKeptChangesNothing()
    {
        AttentionStudy kept(m_model, m_photos);
        AttentionRequest before = request();
        before.choices = {band(1, kAllHeads, 3), band(3, 2, 60)};
        (void)kept.whole(before, {});
        const auto again = kept.whole(request(), {});
        AttentionStudy fresh(m_model, m_photos);
        const auto expected = fresh.whole(request(), {});
        QCOMPARE(again.heads.size(), expected.heads.size());
        for (std::size_t i = 0; i < again.heads.size(); ++i) {
            QVERIFY(same(again.heads[i].map, expected.heads[i].map) && same(again.heads[i].output, expected.heads[i].output) && same(again.heads[i].cosine, expected.heads[i].cosine));
            QVERIFY(same(again.heads[i].traits.entropy, expected.heads[i].traits.entropy) && same(again.heads[i].traits.effectiveRank, expected.heads[i].traits.effectiveRank));
        }
        for (std::size_t i = 0; i < 3; ++i)
            QVERIFY(same(again.trivial[i].map, expected.trivial[i].map) && same(again.trivial[i].output, expected.trivial[i].output));
        QVERIFY(same(again.effect.kl, expected.effect.kl));
        QCOMPARE(again.view.approximate, expected.view.approximate);
    }
    void threadsChangeNothing()
    {
        AttentionStudy several(m_model, m_photos);
        const auto expected = several.whole(request(), {});
        const ThreadLimit limit(1);
        AttentionStudy one(m_model, m_photos);
        const auto found = one.whole(request(), {});
        for (std::size_t i = 0; i < found.heads.size(); ++i) {
            QVERIFY(same(found.heads[i].map, expected.heads[i].map) && same(found.heads[i].output, expected.heads[i].output) && same(found.heads[i].cosine, expected.heads[i].cosine));
            QVERIFY(same(found.heads[i].traits.distance, expected.heads[i].traits.distance) && same(found.heads[i].traits.effectiveRank, expected.heads[i].traits.effectiveRank));
        }
        QVERIFY(same(found.effect.kl, expected.effect.kl));
    }
    void textsAreCausal()
    {
        const auto model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
        std::vector<std::int32_t> tokens;
        for (int i = 0; i < 96; ++i)
            tokens.push_back(i * 7 % 200 + 3);
        AttentionStudy study(model, std::make_shared<measure::TokenSource>(std::vector<std::vector<std::int32_t>>{tokens}, measure::TokenWindows{48, 48}, "tokens"));
        AttentionRequest asked;
        asked.choices = {band(2, kAllHeads, 4)};
        asked.layer = 2;
        asked.average = 2;
        int published = 0;
        const auto report = study.whole(asked, {}, [&](const report::AttentionReport& each) {
            QCOMPARE(each.complete, published > 0);
            ++published;
        });
        QCOMPARE(published, 3); // the head, the viewed sample, the other one
        QVERIFY(report.view.causal && report.view.gridHeight == 0 && report.view.tokens == 48);
        for (std::int64_t i = 0; i < 48; ++i)
            for (std::int64_t j = i + 1; j < 48; ++j)
                QVERIFY(std::max(report.view.exact[static_cast<std::size_t>(i * 48 + j)], report.view.approximate[static_cast<std::size_t>(i * 48 + j)]) < 1e-30F); // exp(-inf) of the kernels is the least number
        QCOMPARE(report.trivial.size(), std::size_t{2}); // no pooling
        QCOMPARE(report.effect.rows, std::int64_t{48});
        QVERIFY(report.effect.kl > 0);
    }
    void headsAreNotComparedOnWhatIsFittedTo()
    {
        AttentionRequest asked;
        asked.choices = {{1, kAllHeads, "attention.joint-qk", {}}};
        asked.choices[0].parameters.set("rank", std::int64_t{4});
        asked.average = 4;
        const auto photos = std::make_shared<test::NoisePhotos>(4);
        AttentionStudy study(m_model, photos);
        const auto report = study.whole(asked, {});
        QCOMPARE(report.fitted, std::string("noise (the first 2 of 4 samples)"));
        QCOMPARE(report.averagedSamples, std::size_t{2});
        QCOMPARE(report.warnings.size(), std::size_t{1}); // sample 0 is viewed
        const auto operators = operatorsFor(*m_model, asked.choices, {.seed = 0, .samples = collectSamples(*m_model, *photos, 2, {}, {})});
        for (const HeadError& error : headErrors(*m_model, operators, *sampleRange(photos, 2, 2), 2, {}))
            QVERIFY(std::abs(report.heads[static_cast<std::size_t>(error.layer * 4 + error.head)].output - error.output) < 1e-5);
        AttentionStudy apart(m_model, photos, std::make_shared<test::NoisePhotos>(2));
        const auto all = apart.whole(asked, {});
        QVERIFY(all.averagedSamples == 4 && all.warnings.empty());
        AttentionStudy single(m_model, std::make_shared<test::NoisePhotos>(1));
        QVERIFY_EXCEPTION_THROWN(single.whole(asked, {}), Error);
    }
    void aHeadThatIsFittedAloneComesFirst_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("parameter");
        QTest::addColumn<bool>("apart");
        QTest::newRow("plane of scores") << "attention.joint-qk" << "rank" << true;
        QTest::newRow("projections") << "attention.fitted-linformer" << "rows" << true;
        QTest::newRow("one index of all heads") << "attention.indexer" << "tokens" << false;
    }
    /// A slider of a method that is fitted has its first picture as any other, once samples were collected; it is the picture that follows.
    void aHeadThatIsFittedAloneComesFirst()
    {
        QFETCH(QString, method);
        QFETCH(QString, parameter);
        QFETCH(bool, apart);
        AttentionRequest asked;
        asked.choices = everywhere(*m_model, method.toStdString(), {}, {});
        asked.average = 1;
        asked.fitted = 1;
        asked.layer = 4;
        asked.head = 1;
        AttentionStudy study(m_model, std::make_shared<test::NoisePhotos>(2));
        (void)study.capture(0, {});
        QVERIFY(!study.first(asked)); // nothing to fit to yet
        (void)study.whole(asked, {});
        for (HeadChoice& choice : asked.choices)
            choice.parameters.set(parameter.toStdString(), std::int64_t{12});
        const auto first = study.first(asked);
        QCOMPARE(first.has_value(), apart);
        std::vector<float> published;
        const auto report = study.whole(asked, {}, [&](const report::AttentionReport& each) {
            if (published.empty())
                published = each.view.approximate;
        });
        QVERIFY((!first || first->view.approximate == published) && report.view.approximate == published);
        const auto together = operatorsFor(*m_model, asked.choices, study.assignmentInputs(asked, asked.choices, {}))[4]->map(study.capture(0, {})->attention[4].view(), 1, 0);
        for (std::size_t i = 0; i < together.size(); ++i)
            QVERIFY(std::abs(together.data()[i] - published[i]) < 1e-6F);
    }
    void badQuestionsAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(AttentionStudy(nullptr, m_photos), Error);
        QVERIFY_EXCEPTION_THROWN(AttentionStudy(m_model, std::make_shared<test::NoisePhotos>(0)), Error);
        AttentionStudy study(m_model, m_photos);
        AttentionRequest asked = request();
        asked.choices.push_back(band(6, kAllHeads, 3));
        QVERIFY_EXCEPTION_THROWN(study.whole(asked, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(study.whole(request(), RunContext(stop.get_token())), Error);
        AttentionRequest far = request(); // clamped: views move between models
        far.sample = 99;
        far.layer = 99;
        far.head = 99;
        const auto report = study.whole(far, {});
        QCOMPARE(report.view.sampleIndex, std::size_t{1});
        QCOMPARE(report.view.layer, 5);
        QCOMPARE(report.view.head, std::int64_t{3});
    }
};

QTEST_APPLESS_MAIN(TstAttentionStudy)
#include "tst_attention_study.moc"

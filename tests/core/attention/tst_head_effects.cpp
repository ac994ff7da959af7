// SPDX-License-Identifier: GPL-3.0-or-later
// One head replaced alone: the same as the whole model evaluated with that choice.
#include "core/attention/head_effects.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/checkpoint.h"
#include "core/measure/evaluate.h"
#include "core/measure/token_source.h"
#include "tests/core/attention/noise_photos.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::attention;

namespace {
using Captures = std::vector<std::shared_ptr<const AttentionCapture>>;

Captures captured(const std::shared_ptr<const nn::Model>& model, const measure::SampleSource& source)
{
    Captures all;
    for (std::size_t i = 0; i < source.count(); ++i)
        all.push_back(captureAttention(model, source, i, {}));
    return all;
}

double evaluatedKl(const std::shared_ptr<const nn::Model>& model, const HeadChoice& choice, const measure::SampleSource& source)
{
    measure::EvaluateOptions options;
    options.latencyRuns = 0;
    options.mapSamples = 0;
    const auto changed = replaced(model, operatorsFor(*model, {{choice}}));
    return measure::evaluate(*model, changed.get(), source, options, {}).fidelity.kl.mean;
}
} // namespace

class TstHeadEffects : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_photos, m_texts;

private slots:
    void initTestCase()
    {
        m_photos = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        m_texts = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
    }
    void eachHeadAloneIsTheModelWithThatHead()
    {
        const test::NoisePhotos source(2);
        const std::vector<HeadChoice> choices{{1, kAllHeads, "attention.zero", {}}, {1, 2, "", {}}, {4, 3, "attention.mean-value", {}}};
        std::vector<HeadEffect> published;
        const auto effects = logitEffects(m_photos, choices, {}, captured(m_photos, source), {}, [&](const HeadEffect& effect) { published.push_back(effect); });
        QCOMPARE(effects.size(), std::size_t{4}); // 1.0, 1.1, 1.3 and 4.3
        QCOMPARE(published.size(), effects.size());
        QVERIFY(effects[2].layer == 1 && effects[2].head == 3 && effects[3].layer == 4 && effects[3].head == 3);
        for (const HeadEffect& effect : effects) {
            const HeadChoice alone{effect.layer, effect.head, effect.layer == 1 ? "attention.zero" : "attention.mean-value", {}};
            const double expected = evaluatedKl(m_photos, alone, source);
            QVERIFY(effect.logits > 1e-6);
            QVERIFY(std::abs(effect.logits - expected) < 1e-5 * (1 + expected)); // the same blocks, floats in other tiles
        }
    }
    void decodersToo()
    {
        std::vector<std::int32_t> tokens;
        for (int i = 0; i < 60; ++i)
            tokens.push_back(i * 11 % 300 + 3);
        const measure::TokenSource source({tokens}, {.context = 60, .stride = 60}, "tokens");
        const HeadChoice choice{5, 1, "attention.zero", {}};
        const auto effects = logitEffects(m_texts, {{choice}}, {}, captured(m_texts, source), {});
        QCOMPARE(effects.size(), std::size_t{1});
        // Against a pass of the whole changed model; evaluation would leave out the last row, whose token is not known.
        const auto changed = replaced(m_texts, operatorsFor(*m_texts, {{choice}}));
        const auto dense = captureAttention(m_texts, source, 0, {}), other = captureAttention(changed, source, 0, {});
        const double expected = measure::outputDifference(*m_texts, dense->features, *changed, other->features, {}).kl;
        QVERIFY(expected > 1e-6 && std::abs(effects[0].logits - expected) < 1e-5 * (1 + expected));
    }
    void theExactOperatorDoesNothing()
    {
        const test::NoisePhotos source(1);
        Parameters all;
        all.set("reach", std::int64_t{1000});
        for (const HeadEffect& effect : logitEffects(m_photos, {{{0, kAllHeads, "attention.band", all}}}, {}, captured(m_photos, source), {}))
            QVERIFY(effect.logits < 1e-6);
    }
    void threadsChangeNothing()
    {
        const test::NoisePhotos source(1);
        const Captures samples = captured(m_photos, source);
        const std::vector<HeadChoice> choices{{3, kAllHeads, "attention.linear", {}}};
        const auto several = logitEffects(m_photos, choices, {}, samples, {});
        const ThreadLimit limit(1);
        const auto one = logitEffects(m_photos, choices, {}, samples, {});
        for (std::size_t i = 0; i < one.size(); ++i)
            QCOMPARE(one[i].logits, several[i].logits);
    }
    void whatIsMissingIsRefused()
    {
        const std::vector<HeadChoice> choices{{0, 0, "attention.zero", {}}};
        QVERIFY_EXCEPTION_THROWN(logitEffects(m_photos, choices, {}, {}, {}), Error);
        const Captures samples = captured(m_photos, test::NoisePhotos(1));
        QVERIFY_EXCEPTION_THROWN(logitEffects(m_photos, {{{9, 0, "attention.zero", {}}}}, {}, samples, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(logitEffects(m_photos, choices, {}, samples, RunContext(stop.get_token())), Error);
        QVERIFY(logitEffects(m_photos, {}, {}, samples, {}).empty());
    }
};

QTEST_APPLESS_MAIN(TstHeadEffects)
#include "tst_head_effects.moc"

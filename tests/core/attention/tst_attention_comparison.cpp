// SPDX-License-Identifier: GPL-3.0-or-later
// Points of a comparison: against the parts they are made of, with failures as rows, whatever the threads.
#include "core/attention/comparison.h"
#include "core/attention/fitting_split.h"
#include "core/attention/head_errors.h"
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
ComparedSetting setting(const char* method, const char* name = nullptr, std::int64_t value = 0)
{
    ComparedSetting made{method, {}};
    if (name)
        made.parameters.set(name, value);
    return made;
}
} // namespace

class TstAttentionComparison : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_model;
    const std::vector<ComparedSetting> m_settings{setting("attention.band", "reach", 1000), setting("attention.zero"), setting("attention.band", "reach", -4), setting("attention.band", "reach", 16)};
    const ComparisonOptions m_options{.blocks = {1, 2}, .mapSamples = 1, .latencyRuns = 0};

private slots:
    void initTestCase() { m_model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20")); }
    void pointsAreThoseOfTheirParts()
    {
        const test::NoisePhotos photos(3);
        std::vector<std::size_t> counts;
        const auto comparison = compareMethods(m_model, photos, m_settings, m_options, {}, [&](const report::AttentionComparison& soFar) { counts.push_back(soFar.points.size()); });
        QCOMPARE(counts, (std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7}));
        QCOMPARE(comparison.planned, std::size_t{7}); // exact, three trivial ones (zero is one of the settings), three settings
        const auto& exact = comparison.points[0];
        QVERIFY(exact.method.empty() && exact.failure.empty() && exact.agreement == 1 && exact.kl == 0);
        QVERIFY(comparison.points[1].baseline && comparison.points[2].baseline && comparison.points[3].baseline);
        QCOMPARE(comparison.points[3].settings, std::string("rows 64"));
        const auto& same = comparison.points[4];
        QVERIFY(same.kl < 1e-6 && same.agreement == 1 && same.outputError < 1e-5 && same.top1 == exact.top1 && !same.baseline);
        const auto& failed = comparison.points[5];
        QVERIFY2(failed.failure.find("reach") != std::string::npos, failed.failure.c_str());
        QVERIFY(std::isnan(failed.kl) && failed.macs == 0);
        const auto& band = comparison.points[6];
        Parameters reach;
        reach.set("reach", std::int64_t{16});
        const auto operators = operatorsFor(*m_model, everywhere(*m_model, "attention.band", reach, m_options.blocks));
        measure::EvaluateOptions options;
        options.latencyRuns = 0;
        const auto evaluated = measure::evaluate(*m_model, replaced(m_model, operators).get(), photos, options, {});
        QCOMPARE(band.kl, evaluated.fidelity.kl.mean);
        QCOMPARE(band.top1, evaluated.quality.top1.mean);
        QCOMPARE(exact.top1, evaluated.baselineQuality.top1.mean);
        double output = 0;
        for (const HeadError& head : headErrors(*m_model, operators, photos, 1, {}))
            output += head.output / 8;
        QVERIFY(std::abs(band.outputError - output) < 1e-9);
        QVERIFY(band.macs < exact.macs && band.macs > comparison.points[1].macs);
    }
    void theFrontHasTheExactOneAndTheCheapest()
    {
        const auto comparison = compareMethods(m_model, test::NoisePhotos(2), m_settings, m_options);
        const auto front = paretoFront(comparison);
        QVERIFY(front.size() == comparison.points.size() && front[1] && !front[5]); // zero costs least; what failed is on no front
        const double quality = comparedQuality(comparison, comparison.points[0]);
        for (std::size_t i = 0; i < front.size(); ++i)
            if (comparison.points[i].failure.empty() && comparison.points[i].macs > comparison.points[0].macs)
                QVERIFY(!front[i] || comparedQuality(comparison, comparison.points[i]) > quality);
    }
    void textsHavePerplexities()
    {
        const auto model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
        std::vector<std::int32_t> tokens;
        for (int i = 0; i < 64; ++i)
            tokens.push_back(i * 13 % 250 + 3);
        const measure::TokenSource source({tokens}, {.context = 32, .stride = 32}, "tokens");
        const auto comparison = compareMethods(model, source, std::vector{setting("attention.nystrom")}, {.mapSamples = 1, .latencyRuns = 2});
        QCOMPARE(comparison.points.size(), std::size_t{4}); // no pooling
        QVERIFY(comparison.points[0].perplexity > 1 && comparison.points[0].perplexity < comparison.points[1].perplexity);
        QVERIFY(comparison.points[1].latencyMs > 0 && comparison.points[1].wholeLatencyMs > 0);
        QVERIFY2(!comparison.points[3].failure.empty(), "landmarks are means over later tokens too");
        QVERIFY(comparedQuality(comparison, comparison.points[0]) > comparedQuality(comparison, comparison.points[1]));
    }
    void whatIsFittedToIsNotScored()
    {
        const std::vector<ComparedSetting> settings{setting("attention.joint-qk", "rank", 4)};
        const auto photos = std::make_shared<test::NoisePhotos>(5);
        const auto comparison = compareMethods(m_model, *photos, settings, m_options);
        QCOMPARE(comparison.fitted, std::string("noise (the first 2 of 5 samples)"));
        QCOMPARE(comparison.samples, std::string("noise (the last 3 of 5 samples)"));
        const auto scoredOn = [&](const std::shared_ptr<const measure::SampleSource>& fitted, const std::shared_ptr<const measure::SampleSource>& scored) {
            const auto choices = everywhere(*m_model, "attention.joint-qk", settings[0].parameters, m_options.blocks);
            const auto operators = operatorsFor(*m_model, choices, {.seed = 0, .samples = collectSamples(*m_model, *fitted, 8, m_options.blocks, {})});
            measure::EvaluateOptions options;
            options.latencyRuns = 0;
            return measure::evaluate(*m_model, replaced(m_model, operators).get(), *scored, options, {}).fidelity.kl.mean;
        };
        QCOMPARE(comparison.points.back().kl, scoredOn(sampleRange(photos, 0, 2), sampleRange(photos, 2, 3)));
        auto options = m_options;
        options.fitting = sampleRange(std::make_shared<test::NoisePhotos>(9), 7, 2);
        const auto apart = compareMethods(m_model, *photos, settings, options);
        QCOMPARE(apart.samples, std::string("noise")); // all of them
        QCOMPARE(apart.points.back().kl, scoredOn(options.fitting, photos));
        const auto single = compareMethods(m_model, test::NoisePhotos(1), settings, m_options);
        QVERIFY(single.points.front().failure.empty() && single.fitted.empty());
        QVERIFY2(single.points.back().failure.find("two at least") != std::string::npos, single.points.back().failure.c_str());
    }
    void splitsShareNoSample()
    {
        for (std::size_t count = 2; count < 40; ++count) {
            const auto source = std::make_shared<test::NoisePhotos>(count);
            const FittingSplit split = splitForFitting(source, nullptr, true);
            QCOMPARE(split.fitted->count(), std::min<std::size_t>(8, count / 2));
            QCOMPARE(split.fitted->count() + split.scored->count(), count);
            QCOMPARE(split.fitted->name(0), std::string("noise 0"));
            QCOMPARE(split.scored->name(0), "noise " + std::to_string(split.fitted->count()));
        }
        const auto one = std::make_shared<test::NoisePhotos>(1);
        QVERIFY_EXCEPTION_THROWN(splitForFitting(one, nullptr, true), Error);
        QVERIFY_EXCEPTION_THROWN(splitForFitting(one, std::make_shared<test::NoisePhotos>(0), true), Error);
        QCOMPARE(splitForFitting(one, nullptr, false).scored->count(), std::size_t{1});
        QCOMPARE(splitForFitting(one, std::make_shared<test::NoisePhotos>(20), true).fitted->count(), std::size_t{8});
    }
    void threadsChangeNothing()
    {
        const test::NoisePhotos photos(2);
        const std::vector<ComparedSetting> settings{setting("attention.performer")};
        const auto several = compareMethods(m_model, photos, settings, m_options);
        const ThreadLimit limit(1);
        const auto one = compareMethods(m_model, photos, settings, m_options);
        for (std::size_t i = 0; i < one.points.size(); ++i) {
            QCOMPARE(one.points[i].kl, several.points[i].kl);
            QCOMPARE(one.points[i].outputError, several.points[i].outputError);
        }
    }
    void stopsAndRefuses()
    {
        QVERIFY_EXCEPTION_THROWN(compareMethods(m_model, test::NoisePhotos(0), m_settings), Error);
        std::stop_source stop;
        std::size_t rows = 0;
        QVERIFY_EXCEPTION_THROWN(compareMethods(m_model, test::NoisePhotos(1), m_settings, m_options, RunContext(stop.get_token()),
                                                [&](const report::AttentionComparison& soFar) {
                                                    rows = soFar.points.size();
                                                    if (rows == 2)
                                                        stop.request_stop();
                                                }),
                                 Error);
        QCOMPARE(rows, std::size_t{2}); // what there was by then
    }
};

QTEST_APPLESS_MAIN(TstAttentionComparison)
#include "tst_attention_comparison.moc"

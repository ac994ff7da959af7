// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/resolution_routing.h"

#include "core/tokens/image_complexity.h"
#include "core/tokens/overlay.h"
#include "core/tokens/scaled_model.h"
#include "tests/core/tokens/random_vit.h"
#include "tests/core/tokens/resolution_golden.h"

using namespace tamis;
using Settings = std::vector<std::pair<std::string, std::string>>;

static constexpr const char* kId = "tokens.resolution-routing";

/// Waves of growing contrast: the later, the more there is to see.
class GrowingContrast final : public measure::SampleSource {
public:
    std::size_t count() const noexcept override { return 9; }
    std::string name(std::size_t index) const override { return "wave " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        sample.image.clear();
        for (int i = 0; i < 3 * 64 * 64; ++i)
            sample.image.push_back(0.02f + 0.2f * static_cast<float>(index) * static_cast<float>(std::sin(0.31 * i + 2e-4 * i * (i % 61))));
    }
    std::string description() const override { return "waves"; }
    std::string sha256(const RunContext&) const override { return "waves"; }
};

class TestResolutionRouting : public QObject {
    Q_OBJECT
    static std::vector<float> wave(std::size_t index)
    {
        measure::LoadedSample sample;
        GrowingContrast().load(index, sample);
        return sample.image;
    }
    static double largestProbability(const std::vector<float>& logits)
    {
        double sum = 0, largest = 0;
        for (const float logit : logits)
            sum += std::exp(static_cast<double>(logit));
        for (const float logit : logits)
            largest = std::max(largest, std::exp(static_cast<double>(logit)) / sum);
        return largest;
    }

private slots:
    void sizesBetweenThresholds()
    {
        const std::vector<double> thresholds{0.2, 0.5};
        QCOMPARE(tokens::sizeFor(0, thresholds), 0u);
        QCOMPARE(tokens::sizeFor(0.2, thresholds), 0u); // above, not at
        QCOMPARE(tokens::sizeFor(0.21, thresholds), 1u);
        QCOMPARE(tokens::sizeFor(0.51, thresholds), 2u);
        QCOMPARE(tokens::quantileOf({4, 1, 3, 2}, 0.5), 2.5);
        QCOMPARE(tokens::quantileOf({4, 1, 3, 2}, 0), 1.0);
        QCOMPARE(tokens::quantileOf({4, 1, 3, 2}, 1), 4.0);
        QVERIFY_EXCEPTION_THROWN(tokens::quantileOf({}, 0.5), Error);
    }
    /// What an image gets is what multi-scale gives at that size alone, bits and cost.
    void complexImagesRunLarge_data()
    {
        QTest::addColumn<QString>("by");
        for (const char* by : {"entropy", "edge-strength"})
            QTest::newRow(by) << by;
    }
    void complexImagesRunLarge()
    {
        QFETCH(QString, by);
        const auto model = test::tokenModel("vit20");
        const auto measure = tokens::complexityNamed(by.toStdString());
        const nn::PatchSpec& patch = model->spec().patch;
        const double low = tokens::complexityOf(measure, wave(2), patch), high = tokens::complexityOf(measure, wave(6), patch);
        QVERIFY(low < high);
        const std::string thresholds = std::to_string(low + 1e-4) + "," + std::to_string(high - 1e-4);
        const auto chain = test::chainOf(kId, model, {{"by", by.toStdString()}, {"resolutions", "1,0.5,0.75"}, {"thresholds", thresholds}});
        const std::pair<std::size_t, const char*> expected[] = {{0, "0.5"}, {2, "0.5"}, {4, "0.75"}, {6, "1"}, {8, "1"}};
        for (const auto& [index, scale] : expected) {
            const std::vector<float> image = wave(index);
            tokens::Trace alone, trace;
            const auto same = test::runOne(*model, test::chainOf("tokens.multi-scale", model, {{"scales", scale}}), {image, {}, {}}, &alone);
            QCOMPARE(test::runOne(*model, chain, {image, {}, {}}, &trace), same);
            QCOMPARE(trace.macs, alone.macs);
            QCOMPARE(trace.features, alone.features);
            QCOMPARE(test::tokensAfter(trace), test::tokensAfter(alone));
            QVERIFY(trace.remark.starts_with("complexity ") && trace.remark.ends_with(": " + alone.remark));
            // one grid for every image, whatever its size
            QCOMPARE(trace.layers[0].set.gridRows, 16);
            QCOMPARE(trace.layers[0].set.row.size(), 257u);
            std::vector<float> cells(trace.layers[0].set.sizes.size());
            for (const auto row : trace.layers[0].set.row)
                ++cells[static_cast<std::size_t>(row)];
            QCOMPARE(cells, trace.layers[0].set.sizes);
        }
    }
    void quantilesOfTheCalibrationPhotos()
    {
        const auto model = test::tokenModel("vit20");
        const tokens::Method* method = tokens::findMethod(kId);
        const auto photos = std::make_shared<GrowingContrast>();
        Parameters parameters = method->declaration.schema.defaults();
        parameters.set("by", std::string("edge-strength"));
        parameters.set("quantiles", std::string("0.5"));
        const tokens::Inputs inputs{.model = model, .calibration = photos};
        const auto chain = method->chain(inputs, parameters, {});
        int large = 0;
        for (std::size_t i = 0; i < photos->count(); ++i) {
            const std::vector<float> image = wave(i);
            tokens::Trace trace;
            test::runOne(*model, chain, {image, {}, {}}, &trace);
            large += trace.layers[0].tokens.mlp == 257;
        }
        QCOMPARE(large, 4); // the median itself is not above the median
        QVERIFY_EXCEPTION_THROWN(method->chain({.model = model}, parameters, {}), Error); // no photos
    }
    /// Every pass that runs is paid for.
    void unsureImagesRunAgain()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (std::size_t image = 0; image < 2; ++image) {
            tokens::Trace half, whole, trace;
            const auto small = test::runOne(*model, test::chainOf("tokens.multi-scale", model, {{"scales", "0.5"}}), images.samples[image], &half);
            const auto large = test::runOne(*model, {}, images.samples[image], &whole);
            const double sure = largestProbability(small);
            QVERIFY(sure > 0.01 && sure < 0.999);
            const auto at = [&](double threshold) { return test::chainOf(kId, model, {{"threshold", std::to_string(threshold)}}); };
            QCOMPARE(test::runOne(*model, at(sure - 1e-4), images.samples[image], &trace), small);
            QCOMPARE(trace.macs, half.macs);
            QVERIFY(trace.remark.find("then") == std::string::npos);
            QCOMPARE(test::runOne(*model, at(sure + 1e-4), images.samples[image], &trace), large);
            QCOMPARE(trace.macs, half.macs + whole.macs);
            QCOMPARE(trace.layers[2].macs, half.layers[2].macs + whole.layers[2].macs);
            QCOMPARE(trace.layers[2].tokens.mlp, 65 + 257);
            QCOMPARE(trace.layers[2].set.row, whole.layers[2].set.row); // the picture shows the last pass
            QCOMPARE(trace.features, whole.features);
            QVERIFY(trace.remark.starts_with("32 x 32 pixels: ") && trace.remark.find("then 64 x 64 pixels") != std::string::npos);
        }
    }
    void oneThresholdSpreadsOverSeveralSizes()
    {
        const auto model = test::tokenModel("vit20");
        const auto& measure = tokens::complexityNamed("entropy");
        const double complexity = tokens::complexityOf(measure, wave(5), model->spec().patch);
        const std::vector<float> image = wave(5);
        // of three sizes 2/3 and 4/3 of it
        for (const auto& [factor, tokensLeft] : {std::pair(1.5 * 1.01, 65), std::pair(1.5 * 0.99, 145), std::pair(0.75 * 1.01, 145), std::pair(0.75 * 0.99, 257)}) {
            if (factor * complexity > 1)
                continue;
            tokens::Trace trace;
            test::runOne(*model, test::chainOf(kId, model, {{"by", "entropy"}, {"resolutions", "0.5,0.75,1"}, {"threshold", std::to_string(factor * complexity)}}), {image, {}, {}}, &trace);
            QCOMPARE(trace.layers[0].tokens.mlp, tokensLeft);
        }
        QVERIFY(0.75 * 1.01 * complexity < 1);
    }
    void badSettingsAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        for (const Settings& bad : {Settings{{"resolutions", "1"}}, Settings{{"thresholds", "0.2,0.3"}}, Settings{{"by", "entropy"}, {"resolutions", "1,0.5,0.25"}, {"thresholds", "0.4,0.3"}},
                                    Settings{{"quantiles", "0.5"}}, Settings{{"by", "entropy"}, {"quantiles", "0.5"}, {"thresholds", "0.5"}}, Settings{{"threshold", "1.5"}}, Settings{{"by", "beauty"}}})
            QVERIFY_EXCEPTION_THROWN(test::chainOf(kId, model, bad), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf(kId, test::tokenModel("timm_swin_oblong"), {}), Error);
    }
    void theBaselineIsOneScale()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.smaller-image", model, {{"keep", "0.25"}}), images.samples[0], &trace),
                 test::runOne(*model, test::chainOf("tokens.multi-scale", model, {{"scales", "0.5"}}), images.samples[0]));
        QCOMPARE(trace.layers[0].tokens.mlp, 65);
        QVERIFY(tokens::findMethod("tokens.smaller-image")->baseline);
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.smaller-image", model, {{"keep", "1"}}), images.samples[0]), test::runOne(*model, {}, images.samples[0]));
    }
};

QTEST_GUILESS_MAIN(TestResolutionRouting)
#include "tst_resolution_routing.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/adaptive.h"

#include "core/tokens/folder_run.h"
#include "core/tokens/photo_complexities.h"
#include "tests/core/tokens/image_source.h"
#include "tests/core/tokens/one_unreadable.h"
#include "tests/core/tokens/pruning_golden.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <set>

using namespace tamis;
using tokens::Complexity;

class TestAdaptive : public QObject {
    Q_OBJECT
    static nn::PatchSpec square(std::int64_t side, std::int64_t channels = 1)
    {
        nn::PatchSpec patch;
        patch.channels = channels;
        patch.imageHeight = patch.imageWidth = side;
        patch.patchHeight = patch.patchWidth = patch.gridHeight = patch.gridWidth = 4;
        return patch;
    }

private slots:
    void entropyOfKnownGreys()
    {
        const nn::PatchSpec patch = square(16);
        QCOMPARE(tokens::complexityOf(Complexity::Entropy, std::vector<float>(256, 0.7f), patch), 0.0);
        std::vector<float> halves(256, -1.0f), all, beyond;
        std::fill_n(halves.begin(), 128, 1.0f);
        QCOMPARE(tokens::complexityOf(Complexity::Entropy, halves, patch), 1.0 / 8);
        for (int i = 0; i < 256; ++i) { // one in the middle of each of the 256 bins of 6 / 256: the most there is
            all.push_back(static_cast<float>(-3 + (i + 0.5) * 6 / 256));
            beyond.push_back(i % 2 == 0 ? -100.0f : 100.0f); // the outermost bins
        }
        QCOMPARE(tokens::complexityOf(Complexity::Entropy, all, patch), 1.0);
        QCOMPARE(tokens::complexityOf(Complexity::Entropy, beyond, patch), 1.0 / 8);
        // 65,536 draws of a uniform generator over 256 bins: the expected loss is 255 / (2 ln 2 65536) = 0.0028 bits of 8
        std::vector<float> noise(256 * 256);
        std::uint64_t state = 1;
        for (float& value : noise) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            value = static_cast<float>(static_cast<double>(state >> 40U) * 0x1.0p-24 * 6 - 3);
        }
        const double found = tokens::complexityOf(Complexity::Entropy, noise, square(256));
        QVERIFY2(found > 1 - 0.004 / 8 && found <= 1, qPrintable(QString::number(found)));
    }
    void edgesOfKnownPictures()
    {
        const nn::PatchSpec patch = square(16);
        std::vector<float> ramp, stripes;
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) {
                ramp.push_back(0.5f * static_cast<float>(x));
                stripes.push_back(y < 8 ? 0.0f : 1.0f);
            }
        for (const Complexity measure : {Complexity::EdgeStrength, Complexity::EdgeShare})
            QCOMPARE(tokens::complexityOf(measure, std::vector<float>(256, -2.0f), patch), 0.0);
        // half a grey a pixel; at the replicated left and right edge half of that
        QVERIFY(std::abs(tokens::complexityOf(Complexity::EdgeStrength, ramp, patch) - 0.5 * 15 / 16) < 1e-6);
        // a step of 1 over two rows of the 16: half a grey a pixel in each
        QCOMPARE(tokens::complexityOf(Complexity::EdgeStrength, stripes, patch), 0.5 * 2 / 16);
        QCOMPARE(tokens::complexityOf(Complexity::EdgeShare, stripes, patch), 2.0 / 16);
        const std::vector<double> patches = tokens::patchEdges(stripes, patch);
        QCOMPARE(patches, (std::vector<double>{0, 0, 0, 0, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0, 0, 0, 0}));
        QCOMPARE(tokens::edgeStrength(tensor::Matrix<float>(1, 1).view())(0, 0), 0.0f);
        QVERIFY_EXCEPTION_THROWN(tokens::complexityOf(Complexity::Entropy, std::vector<float>(255), patch), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::complexityNamed("edges"), Error);
        for (const std::string_view name : tokens::complexityNames())
            QCOMPARE(tokens::complexityNames()[static_cast<std::size_t>(tokens::complexityNamed(name))], name);
    }
    /// scipy.ndimage.sobel and numpy.histogram in double; ours sums greys in double and rounds each to float: 3e-7 of greys up to 3, sums of 8 over 8.
    void asNumPyAndSciPy()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const nn::PatchSpec& patch = model->spec().patch;
        const std::vector<float> complexity = test::pruningGolden("complexity.vit20").toFloats(), edges = test::pruningGolden("edges.vit20").toFloats(),
                                 patches = test::pruningGolden("patch_edges.vit20").toFloats();
        for (std::size_t image = 0; image < 2; ++image) {
            const auto pixels = images.samples[image].image;
            for (std::size_t measure = 0; measure < 3; ++measure)
                QVERIFY(std::abs(tokens::complexityOf(static_cast<Complexity>(measure), pixels, patch) - static_cast<double>(complexity[3 * image + measure])) < 1e-6);
            const tensor::Matrix<float> found = tokens::edgeStrength(tokens::greyOf(pixels, patch).view());
            for (std::size_t i = 0; i < 4096; ++i)
                QVERIFY(std::abs(found.values()[i] - edges[4096 * image + i]) < 1e-6f);
            const std::vector<double> means = tokens::patchEdges(pixels, patch);
            for (std::size_t i = 0; i < 256; ++i)
                QVERIFY(std::abs(means[i] - static_cast<double>(patches[256 * image + i])) < 1e-6);
        }
    }
    void keepRisesWithComplexityFromLeastToMost()
    {
        const tokens::AdaptiveKeep keep{.simple = 0.3, .complex = 0.8, .least = 0.2, .most = 0.9};
        double before = 0;
        for (int i = 0; i <= 1000; ++i) {
            const double now = keep.of(0.001 * i);
            QVERIFY(now >= before && now >= 0.2 && now <= 0.9 + 1e-15);
            before = now;
        }
        QCOMPARE(keep.of(0.3), 0.2);
        QVERIFY(std::abs(keep.of(0.55) - 0.55) < 1e-15);
        QVERIFY(std::abs(keep.of(7) - 0.9) < 1e-15);
    }
    void countsFollowTheImageAndTheTraceSaysWhy()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const tokens::Chain chain = test::chainOf("tokens.adaptive", model, {{"blocks", "1,3"}, {"keep", "0.6"}, {"swing", "0.3"}, {"thresholds", "0.77,0.91"}});
        std::set<std::int64_t> counts;
        for (const nn::Sample& sample : images.samples) {
            tokens::Trace trace;
            test::runOne(*model, chain, sample, &trace);
            const double complexity = tokens::complexityOf(Complexity::Entropy, sample.image, model->spec().patch);
            const double keep = tokens::AdaptiveKeep{.simple = 0.77, .complex = 0.91, .least = 0.6 - 0.3, .most = 0.6 + 0.3}.of(complexity);
            const auto first = static_cast<std::int64_t>(std::ceil(keep * 256)), second = static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(first)));
            QCOMPARE(test::tokensAfter(trace), (std::vector<std::int64_t>{257, first + 1, first + 1, second + 1, second + 1, second + 1}));
            QCOMPARE(QString::fromStdString(trace.remark), QStringLiteral("complexity %1, keep %2").arg(complexity, 0, 'f', 2).arg(keep, 0, 'f', 2));
            counts.insert(first);
        }
        QCOMPARE(counts.size(), std::size_t{2}); // the two images differ
    }
    /// However far it swings, a keep is from 0.05 to 1; without a swing it is top rho's.
    void theSwingEndsAtTheBounds()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto first = [&](const std::string& method, const std::vector<std::pair<std::string, std::string>>& settings) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf(method, model, settings), images.samples[0], &trace);
            return trace.layers[1].tokens.mlp;
        };
        QCOMPARE(first("tokens.adaptive", {{"keep", "0.7"}, {"swing", "0.95"}, {"thresholds", "90,91"}}), 1 + 13); // simple: ceil(0.05 256)
        QCOMPARE(first("tokens.adaptive", {{"keep", "0.7"}, {"swing", "0.95"}, {"thresholds", "0,0.1"}}), 257);
        QCOMPARE(first("tokens.adaptive", {{"keep", "0.3"}, {"swing", "0"}}), first("tokens.top-rho", {{"keep", "0.3"}}));
    }
    void aBatchIsItsImages()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const tokens::Chain chain = test::chainOf("tokens.adaptive", model, {{"measure", "edge-strength"}});
        std::vector<nn::Sample> batch;
        for (int i = 0; i < 6; ++i)
            batch.push_back(images.samples[static_cast<std::size_t>(i % 2)]);
        std::vector<tokens::Trace> traces;
        const auto outputs = tokens::runReducedBatch(*model, chain, batch, {}, &traces);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            tokens::Trace trace;
            QCOMPARE(std::vector<float>(outputs[i].values().begin(), outputs[i].values().end()), test::runOne(*model, chain, batch[i], &trace));
            QCOMPARE(traces[i].remark, trace.remark);
            QCOMPARE(test::tokensAfter(traces[i]), test::tokensAfter(trace));
        }
    }
    /// Folder and overlay pass the remark on.
    void folderAndOverlayRemark()
    {
        const auto model = test::tokenModel("vit20");
        const test::ImageSource source(3, {});
        const tokens::Chain chain = test::chainOf("tokens.adaptive", model, {});
        const tokens::FolderRun run = tokens::runFolder(*model, chain, source, tokens::wholeFolder(*model, source, {}), {});
        for (const auto& photo : run.photos)
            QVERIFY(photo.remark.starts_with("complexity 0.") && photo.remark.find(", keep 0.") != std::string::npos);
        const test::TokenImages images("vit20");
        nn::Scratch scratch;
        const auto overlay = tokens::overlay(*model, chain, images.samples[0], {}, tokens::wholeResult(*model, images.samples[0], scratch), {}, scratch);
        QCOMPARE(overlay.remark, run.photos[0].remark);
    }
    /// "auto": the tenth and the ninetieth of a hundred of the calibration's complexities, here by sorting them.
    void autoThresholdsAreQuantilesOfTheCalibration()
    {
        const auto model = test::tokenModel("vit20");
        const auto source = std::make_shared<test::ImageSource>(21, std::vector<int>());
        std::vector<double> found;
        for (std::size_t i = 0; i < 21; ++i) {
            measure::LoadedSample sample;
            source->load(i, sample);
            found.push_back(tokens::complexityOf(Complexity::EdgeStrength, sample.image, model->spec().patch));
        }
        std::ranges::sort(found);
        const tokens::Method* method = tokens::findMethod("tokens.adaptive");
        Parameters parameters;
        parameters.set("measure", std::string("edge-strength"));
        parameters.set("thresholds", std::string("auto"));
        const tokens::Chain chain = method->chain({model, source, 0, nullptr}, parameters, {});
        const tokens::AdaptiveKeep keep{.simple = found[2], .complex = found[18], .least = 0.7 - 0.2, .most = 0.7 + 0.2};
        const test::TokenImages images("vit20");
        const double complexity = tokens::complexityOf(Complexity::EdgeStrength, images.samples[1].image, model->spec().patch);
        tokens::Trace trace;
        test::runOne(*model, chain, images.samples[1], &trace);
        QCOMPARE(trace.layers[1].tokens.mlp, 1 + static_cast<std::int64_t>(std::ceil(keep.of(complexity) * 256)));
        QVERIFY_EXCEPTION_THROWN(method->chain({model, nullptr, nullptr}, parameters, {}), Error);
        QVERIFY_EXCEPTION_THROWN(method->chain({model, std::make_shared<test::ImageSource>(1, std::vector<int>()), 0, nullptr}, parameters, {}), Error); // one photo, no range
    }
    void photosAreMeasuredOnceAndTheUnreadableLeftOut()
    {
        const auto patch = test::tokenModel("vit20")->spec().patch;
        const auto inner = std::make_shared<test::ImageSource>(6, std::vector<int>());
        const auto source = std::make_shared<test::OneUnreadable>(inner, 3);
        const auto with = tokens::photoComplexities(source, Complexity::Entropy, patch, 99, {});
        QCOMPARE(*with, *tokens::photoComplexities(inner, Complexity::Entropy, patch, 99, {}));
        QCOMPARE(source->loads(), 7);
        QCOMPARE(tokens::photoComplexities(source, Complexity::Entropy, patch, 99, {}), with);
        QCOMPARE(source->loads(), 7);
        QCOMPARE(tokens::photoComplexities(source, Complexity::EdgeShare, patch, 99, {})->size(), std::size_t{6}); // another measure
        QCOMPARE(source->loads(), 14);
        QCOMPARE(tokens::photoComplexities(source, Complexity::Entropy, patch, 2, {})->size(), std::size_t{1}); // photos 0 and 3
        QVERIFY_EXCEPTION_THROWN(tokens::photoComplexities(std::make_shared<test::OneUnreadable>(std::make_shared<test::ImageSource>(0, std::vector<int>()), 0), Complexity::Entropy, patch, 99, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(tokens::photoComplexities(std::make_shared<test::OneUnreadable>(inner, 0), Complexity::Entropy, patch, 99, RunContext(stop.get_token())), Error);
    }
    /// What reads photos or the checkpoint is not made between two steps of a slider.
    void settingsThatAreSlowToMakeSaySo()
    {
        const auto isSlow = [](const char* id, const std::vector<std::pair<std::string, std::string>>& given) {
            const tokens::Method& method = *tokens::findMethod(id);
            Parameters parameters;
            for (const auto& [name, value] : given)
                parameters.set(name, value);
            return method.isSlowToMake(method.declaration.schema.complete(parameters));
        };
        for (const tokens::Method& method : tokens::methods())
            QVERIFY(!isSlow(method.declaration.id.c_str(), {}));
        QVERIFY(isSlow("tokens.adaptive", {{"thresholds", "auto"}}));
        QVERIFY(isSlow("tokens.adaptive", {{"score", "gradient"}}));
        QVERIFY(isSlow("tokens.dynamicvit", {{"score", "gradient"}}));
        QVERIFY(isSlow("tokens.top-rho", {{"score", "gradient"}}));
        QVERIFY(isSlow("tokens.resolution-routing", {{"by", "entropy"}, {"quantiles", "0.5"}}));
        QVERIFY(isSlow("tokens.early-exit", {{"schedule", "tuned"}}));
        QVERIFY(isSlow("tokens.chain", {{"steps", "adaptive score=gradient @2 + tome r=4 @rest"}}));
        QVERIFY(!isSlow("tokens.chain", {{"steps", "no such + thing"}}));
    }
    void asPyTorch_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("measure");
        QTest::addColumn<QString>("thresholds");
        QTest::newRow("entropy") << "adaptive_entropy" << "entropy" << "0.77,0.91";
        QTest::newRow("edges") << "adaptive_edges" << "edge-strength" << "0.05,0.5";
        QTest::newRow("share") << "adaptive_share" << "edge-share" << "0.02,0.9";
    }
    void asPyTorch()
    {
        QFETCH(QString, name);
        QFETCH(QString, measure);
        QFETCH(QString, thresholds);
        test::verifyPruning(name.toStdString(), "tokens.adaptive", {{"measure", measure.toStdString()}, {"thresholds", thresholds.toStdString()}});
    }
    void badSettingsAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        for (const char* thresholds : {"0.5", "0.9,0.7", "0.5,0.5", "a,b", "0.1,0.2,0.3", "-1,2"})
            QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.adaptive", model, {{"thresholds", thresholds}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.adaptive", model, {{"keep", "1.1"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.adaptive", model, {{"swing", "-0.1"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.adaptive", model, {{"measure", "colour"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.adaptive", test::tokenModel("timm_vit_avg_prenorm"), {}), Error); // no class token for the default score
    }
};

QTEST_GUILESS_MAIN(TestAdaptive)
#include "tst_adaptive.moc"

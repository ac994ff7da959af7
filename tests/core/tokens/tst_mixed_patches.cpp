// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/mixed_patches.h"

#include "core/base/parallel.h"
#include "core/cost/published_architectures.h"
#include "core/tokens/image_complexity.h"
#include "core/tokens/overlay.h"
#include "core/tokens/patch_quadtree.h"
#include "core/tokens/scaled_model.h"
#include "tests/core/tokens/random_vit.h"
#include "tests/core/tokens/resolution_golden.h"

#include <array>
#include <map>
#include <numeric>
#include <set>

using namespace tamis;
using Settings = std::vector<std::pair<std::string, std::string>>;
using tokens::MixedPatch, tokens::QuadtreeRule, tokens::RegionMeasure;

static constexpr const char* kId = "tokens.mixed-patches";

static nn::PatchSpec patchOf(std::int64_t side, std::int64_t patch)
{
    nn::PatchSpec p;
    p.patchHeight = p.patchWidth = patch;
    p.imageHeight = p.imageWidth = side;
    p.gridHeight = p.gridWidth = side / patch;
    return p;
}

/// Complexity of a window, written as its formula says.
static double twinMeasure(const tensor::Matrix<float>& grey, RegionMeasure measure, std::int64_t top, std::int64_t left, std::int64_t side)
{
    double mean = 0, result = 0;
    std::map<int, double> counts;
    const auto clamped = [&](std::int64_t y, std::int64_t x) { return static_cast<double>(grey(std::clamp<std::int64_t>(y, 0, grey.rows() - 1), std::clamp<std::int64_t>(x, 0, grey.cols() - 1))); };
    const auto pixels = static_cast<double>(side * side);
    for (std::int64_t y = top; y < top + side; ++y)
        for (std::int64_t x = left; x < left + side; ++x) {
            mean += clamped(y, x) / pixels;
            counts[static_cast<int>(std::clamp(std::floor((clamped(y, x) + 3) / 6 * 256), 0.0, 255.0))] += 1 / pixels;
        }
    for (std::int64_t y = top; y < top + side; ++y)
        for (std::int64_t x = left; x < left + side; ++x) {
            double across = 0, down = 0;
            for (int i = -1; i <= 1; ++i) {
                across += (2 - std::abs(i)) * (clamped(y + i, x + 1) - clamped(y + i, x - 1));
                down += (2 - std::abs(i)) * (clamped(y + 1, x + i) - clamped(y - 1, x + i));
            }
            result += measure == RegionMeasure::Variance ? std::pow(clamped(y, x) - mean, 2) / pixels : measure == RegionMeasure::Edges ? std::hypot(across, down) / 8 / pixels : 0;
        }
    if (measure == RegionMeasure::Entropy && side > 1)
        for (const auto& [bin, share] : counts)
            result -= share * std::log2(share) / std::log2(std::min(pixels, 256.0));
    return result;
}

/// The greedy split by looking at everything again each time.
static std::set<std::array<std::int64_t, 3>> twinSplit(const tensor::Matrix<float>& grey, RegionMeasure measure, std::int64_t smallest, std::int64_t largest, std::size_t budget, double threshold)
{
    std::set<std::array<std::int64_t, 3>> patches;
    for (std::int64_t top = 0; top < grey.rows(); top += largest)
        for (std::int64_t left = 0; left < grey.cols(); left += largest)
            patches.insert({top, left, largest});
    while (budget == 0 || patches.size() + 3 <= budget) {
        const std::array<std::int64_t, 3>* best = nullptr;
        double highest = 0;
        for (const auto& patch : patches) {
            const double complexity = twinMeasure(grey, measure, patch[0], patch[1], patch[2]), weight = budget > 0 ? complexity * static_cast<double>(patch[2] * patch[2]) : complexity;
            if (patch[2] > smallest && (!best || weight > highest) && (budget > 0 || complexity > threshold)) {
                best = &patch;
                highest = weight;
            }
        }
        if (!best)
            break;
        const auto [top, left, side] = *best;
        patches.erase(*best);
        for (std::int64_t i = 0; i < 4; ++i)
            patches.insert({top + i / 2 * side / 2, left + i % 2 * side / 2, side / 2});
    }
    return patches;
}

class TestMixedPatches : public QObject {
    Q_OBJECT
private slots:
    void asPyTorchInDouble_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("index");
        for (const auto& [model, name, index] : {std::tuple("vit20", "budget", 0), std::tuple("vit20", "fine", 1), std::tuple("vit20", "average", 2), std::tuple("vit20", "threshold", 3),
                                                 std::tuple("deit", "mixed", 4), std::tuple("timm_vit_avg_prenorm", "mixed", 5)})
            QTest::addRow("%s.%s", model, name) << model << name << index;
    }
    void asPyTorchInDouble()
    {
        static const std::vector<Settings> all{
            {{"tokens", "100"}, {"smallest", "4"}, {"largest", "16"}, {"proportional-attention", "false"}},
            {{"tokens", "160"}, {"smallest", "2"}, {"largest", "16"}},
            {{"tokens", "61"}, {"smallest", "4"}, {"largest", "32"}, {"position", "average"}},
            {{"threshold", "0.1"}, {"smallest", "2"}, {"largest", "8"}, {"position", "average"}, {"proportional-attention", "false"}},
            {{"tokens", "30"}, {"smallest", "2"}, {"largest", "8"}},
            {{"tokens", "25"}, {"smallest", "2"}, {"largest", "8"}}};
        QFETCH(QString, model);
        QFETCH(QString, name);
        QFETCH(int, index);
        const auto loaded = test::tokenModel(model.toStdString());
        const test::TokenImages images(model.toStdString());
        const Settings& settings = all[static_cast<std::size_t>(index)];
        const auto chain = test::chainOf(kId, loaded, settings);
        const std::string key = (model + "." + name + ".").toStdString();
        const auto logits = test::resolutionGolden(key + "logits"), patches = test::resolutionGolden(key + "patches");
        const auto most = static_cast<std::size_t>(patches.shape[1]);
        const std::int64_t cell = settings[1].second == "2" ? 2 : 4;
        for (std::size_t image = 0; image < images.samples.size(); ++image) {
            tokens::Trace trace;
            const auto output = test::runOne(*loaded, chain, images.samples[image], &trace);
            const tokens::TokenSet& set = trace.layers.back().set;
            std::size_t count = 0;
            for (; count < most && patches.values[(image * most + count) * 3] >= 0; ++count) {
                const float* patch = &patches.values[(image * most + count) * 3];
                const std::int64_t top = static_cast<std::int64_t>(patch[0]) / cell, left = static_cast<std::int64_t>(patch[1]) / cell, side = static_cast<std::int64_t>(patch[2]) / cell;
                const auto token = static_cast<std::size_t>(set.prefix) + count;
                QVERIFY(token < set.sizes.size());
                QCOMPARE(set.sizes[token], static_cast<float>(side * side));
                QCOMPARE(set.row[static_cast<std::size_t>(set.prefix + top * set.gridCols + left)], static_cast<std::int32_t>(token));
                QCOMPARE(set.row[static_cast<std::size_t>(set.prefix + (top + side - 1) * set.gridCols + left + side - 1)], static_cast<std::int32_t>(token));
            }
            QCOMPARE(set.tokens(), set.prefix + static_cast<std::int64_t>(count));
            QVERIFY2(test::logitDifference(output, logits, image) < 1e-4, qPrintable(QString::number(test::logitDifference(output, logits, image))));
        }
    }
    void positionsAsPyTorchSamplesThem()
    {
        for (const auto& [name, position] : {std::pair("vit20.fine", tokens::PatchPosition::Centre), std::pair("vit20.average", tokens::PatchPosition::Average), std::pair("deit.mixed", tokens::PatchPosition::Centre)}) {
            const std::string key = name;
            const nn::PatchEmbedding embedding(test::tokenModel(key.substr(0, key.find('.'))));
            const auto patches = test::resolutionGolden(key + ".patches"), positions = test::resolutionGolden(key + ".positions");
            const auto width = static_cast<std::size_t>(positions.shape[2]);
            std::map<std::int64_t, tensor::Matrix<float>> tables;
            for (int level = -1; level <= 3; ++level)
                if (tokens::fitsLevel(embedding.model().spec().patch, level))
                    tables[static_cast<std::int64_t>(std::ldexp(4.0, level))] = tokens::levelPositions(embedding, level, position);
            for (std::size_t i = 0; i < static_cast<std::size_t>(positions.shape[1]); ++i) {
                const auto top = static_cast<std::int64_t>(patches.values[3 * i]), left = static_cast<std::int64_t>(patches.values[3 * i + 1]), side = static_cast<std::int64_t>(patches.values[3 * i + 2]);
                const auto& table = tables.at(side);
                const std::int64_t row = top / side * (embedding.model().spec().patch.imageWidth / side) + left / side;
                for (std::size_t j = 0; j < width; ++j) // sums in double of numbers below 10, rounded once
                    QVERIFY(std::abs(table(row, static_cast<std::int64_t>(j)) - positions.values[i * width + j]) < 2e-6f);
            }
        }
    }
    void onePatchSizeIsTheModel()
    {
        for (const char* name : {"vit20", "deit", "timm_vit_avg_prenorm"})
            for (const char* position : {"centre", "average"}) {
                const auto model = test::tokenModel(name);
                const test::TokenImages images(name);
                tokens::Trace whole, trace;
                const auto expected = test::runOne(*model, {}, images.samples[1], &whole);
                QCOMPARE(test::runOne(*model, test::chainOf(kId, model, {{"smallest", "4"}, {"largest", "4"}, {"position", position}}), images.samples[1], &trace), expected); // bits
                // and so where a budget of all of them splits every larger patch
                QCOMPARE(test::runOne(*model, test::chainOf(kId, model, {{"keep", "1"}, {"position", position}}), images.samples[1], &trace), expected);
                QCOMPARE(trace.features, whole.features);
                QCOMPARE(trace.macs, whole.macs);
                QCOMPARE(trace.layers[1].set.row, whole.layers[1].set.row);
                QCOMPARE(trace.layers[1].set.sizes, whole.layers[1].set.sizes);
            }
    }
    void splitsAsTheBruteForceTwin_data()
    {
        QTest::addColumn<int>("measure");
        QTest::addColumn<int>("budget");
        QTest::addColumn<double>("threshold");
        for (const auto& [name, measure, threshold] : {std::tuple("variance", 0, 0.05), std::tuple("edges", 1, 0.08), std::tuple("entropy", 2, 0.58)}) {
            for (const int budget : {4, 7, 30, 64, 100})
                QTest::addRow("%s to %d", name, budget) << measure << budget << 0.0;
            QTest::addRow("%s above %g", name, threshold) << measure << 0 << threshold;
        }
    }
    void splitsAsTheBruteForceTwin()
    {
        QFETCH(int, measure);
        QFETCH(int, budget);
        QFETCH(double, threshold);
        const nn::PatchSpec patch = patchOf(64, 8);
        for (int seed = 0; seed < 3; ++seed) {
            std::vector<float> image; // from smooth on the left to busy on the right
            for (int i = 0; i < 3 * 64 * 64; ++i)
                image.push_back(static_cast<float>(std::sin(0.07 * i + seed) * 0.3 + std::pow(i % 64 / 64.0, 2) * std::sin(2.9 * i * (1 + seed) + 1e-4 * i * i)));
            const auto grey = tokens::greyOf(image, patch);
            const auto found = tokens::splitImage(patch, image, {static_cast<RegionMeasure>(measure), -1, 2, budget, threshold});
            std::set<std::array<std::int64_t, 3>> same;
            for (const MixedPatch& each : found) {
                same.insert({each.top, each.left, each.height});
                QCOMPARE(each.height, each.width);
                QCOMPARE(each.height, static_cast<std::int64_t>(std::ldexp(8.0, each.level)));
                // floats of the map in one, doubles in the other
                QVERIFY(std::abs(each.complexity - twinMeasure(grey, static_cast<RegionMeasure>(measure), each.top, each.left, each.height)) < 1e-6);
            }
            QCOMPARE(same, twinSplit(grey, static_cast<RegionMeasure>(measure), 4, 32, static_cast<std::size_t>(budget), threshold));
            if (budget > 0)
                QCOMPARE(found.size(), 4u + static_cast<std::size_t>(budget - 4) / 3 * 3);
            else
                QVERIFY(found.size() > 4 && found.size() < 256); // neither nothing nor everything
        }
    }
    /// Every pixel in one patch, row by row, of every budget; patches of an earlier budget hold those of a later one.
    void everyPixelIsInOnePatch()
    {
        const nn::PatchSpec patch = patchOf(48, 4);
        const auto model = test::narrowVit(1, 48, 4);
        const std::vector<float> image = test::wavyImage(*model);
        std::vector<MixedPatch> before;
        for (const std::int64_t budget : {9, 10, 12, 60, 144, 300, 576, 577, 10000}) {
            const auto found = tokens::splitImage(patch, image, {RegionMeasure::Variance, -1, 2, budget, 0});
            QCOMPARE(static_cast<std::int64_t>(found.size()), std::min<std::int64_t>(9 + (budget - 9) / 3 * 3, 576));
            std::vector<int> owner(48 * 48, -1);
            for (std::size_t i = 0; i < found.size(); ++i)
                for (std::int64_t y = found[i].top; y < found[i].top + found[i].height; ++y)
                    for (std::int64_t x = found[i].left; x < found[i].left + found[i].width; ++x) {
                        QCOMPARE(owner[static_cast<std::size_t>(y * 48 + x)], -1);
                        owner[static_cast<std::size_t>(y * 48 + x)] = static_cast<int>(i);
                    }
            QVERIFY(std::ranges::find(owner, -1) == owner.end());
            QVERIFY(std::ranges::is_sorted(found, {}, [](const MixedPatch& each) { return std::pair(each.top, each.left); }));
            for (const MixedPatch& old : before)
                QCOMPARE_LE(found[static_cast<std::size_t>(owner[static_cast<std::size_t>(old.top * 48 + old.left)])].height, old.height);
            before = found;
        }
    }
    void theBudgetIsMetOrTheReasonSaid()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const auto& [asked, made, remark] : {std::tuple("100", 100, "100 patches: "), std::tuple("102", 100, "100 patches (102 asked for: a split adds 3): "), std::tuple("256", 256, "256 patches: 256 of 4 pixels"),
                                                  std::tuple("16", 16, "16 patches: 16 of 16 pixels")}) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf(kId, model, {{"tokens", asked}}), images.samples[0], &trace);
            QCOMPARE(trace.layers[0].tokens.mlp, made + 1);
            QVERIFY2(trace.remark.starts_with(remark), trace.remark.c_str());
        }
    }
    void costsTheTokensThatAreMade()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        test::runOne(*model, test::chainOf(kId, model, {{"tokens", "64"}, {"smallest", "2"}}), images.samples[0], &trace);
        const std::uint64_t block = 4 * 65 * 128 * 128 + 2 * 65 * 65 * 128 + 8 * 65 * 128 * 128;
        QCOMPARE(trace.layers[2].macs, block);
        QCOMPARE(trace.macs, 6 * block + 64 * 48 * 128 + 128 * 20);
        QCOMPARE(trace.macs, tokens::passMacs(model->spec(), 64));
    }
    void thePictureHasTheFinestCells()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        nn::Scratch scratch;
        const auto whole = tokens::wholeResult(*model, images.samples[0], scratch);
        const auto chain = test::chainOf(kId, model, {{"keep", "0.6"}, {"smallest", "2"}});
        const auto picture = tokens::overlay(*model, chain, images.samples[0], {}, whole, {}, scratch);
        QCOMPARE(picture.gridRows, 32);
        QCOMPARE(picture.gridCols, 32);
        QCOMPARE(picture.layers.size(), 6u);
        const auto& layer = picture.layers[0];
        QCOMPARE(layer.after, 1 + 154);
        std::vector<float> cells(layer.sizes.size());
        for (const auto group : layer.group)
            ++cells[static_cast<std::size_t>(group)];
        QCOMPARE(cells, layer.sizes);
        QCOMPARE(std::accumulate(cells.begin(), cells.end(), 0.0f), 1025.0f);
        QVERIFY(std::isnan(layer.scores[0]));
        for (std::size_t i = 1; i < layer.scores.size(); ++i)
            QVERIFY(layer.scores[i] >= 0);
        QVERIFY(picture.layers[1].scores.empty());
        QVERIFY(!picture.scoreTitle.empty());
        QCOMPARE(picture.fullMacs, tokens::modelMacs(model->spec(), tokens::wholeTokens(model->spec())));
    }
    /// A flat image is one size throughout; keys of equal areas are not weighed.
    void nothingToSeeIsLarge()
    {
        const auto model = test::tokenModel("vit20");
        const std::vector<float> flat(3 * 64 * 64, 0.3f);
        for (const char* measure : {"variance", "edges", "entropy"}) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf(kId, model, {{"threshold", "0.001"}, {"measure", measure}}), {flat, {}, {}}, &trace);
            QCOMPARE(trace.remark, std::string("16 patches: 16 of 16 pixels"));
        }
    }
    void theSameForAnyNumberOfThreads()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto chain = test::chainOf(kId, model, {{"smallest", "2"}});
        const std::vector<nn::Sample> samples(6, images.samples[1]);
        const auto batch = tokens::runReducedBatch(*model, chain, samples);
        const ThreadLimit one(1);
        const auto alone = test::runOne(*model, chain, images.samples[1]);
        for (const auto& output : batch)
            QVERIFY(std::ranges::equal(output.values(), alone));
    }
    /// Of a photo of 16,384 pixels a side in patches of 2: eight times as many pixels a side are 206 GB of floats.
    void whatMemoryCannotHoldIsRefused()
    {
        try {
            (void)test::chainOf(kId, test::narrowVit(1, 16'384, 16), {{"smallest", "2"}, {"largest", "16"}, {"threshold", "0.1"}});
            QFAIL("expected a refusal");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::OutOfMemory);
            const QString sentence = QString::fromUtf8(error.what());
            QVERIFY2(sentence.contains("the smallest of 2 pixels, of a photo on every thread") && sentence.contains("needs about ") && sentence.contains(" are free"), error.what());
        }
    }
    void badSettingsAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        for (const Settings& bad : {Settings{{"smallest", "3"}}, Settings{{"largest", "128"}}, Settings{{"smallest", "8"}, {"largest", "4"}}, Settings{{"tokens", "15"}}, Settings{{"tokens", "257"}},
                                    Settings{{"measure", "beauty"}}, Settings{{"keep", "0"}}})
            QVERIFY_EXCEPTION_THROWN(test::chainOf(kId, model, bad), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf(kId, test::tokenModel("timm_swin_oblong"), {}), Error);
        const auto patch = patchOf(64, 4);
        const std::vector<float> image(3 * 64 * 64), small(3 * 63 * 64);
        QVERIFY_EXCEPTION_THROWN(tokens::splitImage(patch, image, {RegionMeasure::Variance, 1, 0, 100, 0}), Error);
        std::stop_source stop;
        const RunContext context(stop.get_token());
        QVERIFY(!tokens::splitImage(patch, image, {RegionMeasure::Variance, 0, 2, 0, 1}, context).empty());
        stop.request_stop();
        try {
            (void)tokens::splitImage(patch, image, {RegionMeasure::Variance, 0, 2, 0, 1}, context);
            QFAIL("went on");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
        QVERIFY_EXCEPTION_THROWN(tokens::splitImage(patch, image, {RegionMeasure::Variance, 0, 2, 15, 0}), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::splitImage(patch, image, {RegionMeasure::Variance, 0, 5, 0, 1}), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::splitImage(patch, small, {RegionMeasure::Variance, 0, 2, 0, 1}), Error);
        // of ViT-B/16: 14 patches a side can be doubled once
        const nn::PatchSpec base = cost::vitBase16().patch;
        QVERIFY(tokens::fitsLevel(base, 1) && !tokens::fitsLevel(base, 2) && tokens::fitsLevel(base, -2));
        QCOMPARE(tokens::patchesOfLevel(base, 1), 49);
        QCOMPARE(tokens::patchesOfLevel(base, -1), 784);
    }
};

QTEST_GUILESS_MAIN(TestMixedPatches)
#include "tst_mixed_patches.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/early_exit.h"

#include "core/base/parallel.h"
#include "core/tokens/folder_run.h"
#include "core/tokens/whole_trace.h"
#include "tests/core/tokens/image_source.h"
#include "tests/core/tokens/one_unreadable.h"
#include "tests/core/tokens/random_vit.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::tokens;

namespace {
/// One exit's features, logits and labels of the golden.
struct Golden {
    Golden() : archive(io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/exit_head.npz"))
    {
        photos.features.push_back(matrix("features"));
        photos.logits = matrix("logits");
        for (const float label : archive->read("labels").toFloats())
            photos.labels.push_back(static_cast<int>(label));
    }
    tensor::Matrix<float> matrix(const std::string& name) const
    {
        const io::NpyArray array = archive->read(name);
        tensor::Matrix<float> result(array.shape[0], array.shape[1]);
        std::ranges::copy(array.toFloats(), result.data());
        return result;
    }
    double number(const std::string& name) const { return static_cast<double>(archive->read(name).toFloats().at(0)); }
    std::shared_ptr<const io::NpzArchive> archive;
    ExitFeatures photos;
};

Parameters settings(const std::vector<std::pair<std::string, std::string>>& given)
{
    const ParameterSchema& schema = findMethod("tokens.early-exit")->declaration.schema;
    Parameters parameters;
    for (const auto& [name, text] : given)
        parameters.set(name, schema.parse(name, text));
    return schema.complete(parameters);
}

/// vit20 with heads of twenty brightened photos: 16 to train on.
const Inputs& trained()
{
    static const Inputs inputs = [] {
        Inputs made;
        made.model = test::tokenModel("vit20");
        made.checkpoint = test::tokenCheckpoint("vit20");
        made.calibration = std::make_shared<test::ImageSource>(20, std::vector<int>{});
        made.trained = std::make_shared<TrainedParts>(findMethod("tokens.early-exit")->train(made, settings({{"steps", "120"}}), {}));
        return made;
    }();
    return inputs;
}

Chain chainWith(const std::vector<std::pair<std::string, std::string>>& given)
{
    return findMethod("tokens.early-exit")->chain(trained(), settings(given), {});
}
} // namespace

class TestEarlyExit : public QObject {
    Q_OBJECT
private slots:
    void headsReachTheOptimumOfScipy_data()
    {
        QTest::addColumn<QString>("learn");
        QTest::newRow("model") << "model";
        QTest::newRow("labels") << "labels";
    }
    void headsReachTheOptimumOfScipy()
    {
        QFETCH(QString, learn);
        const Golden golden;
        const bool labels = learn == "labels";
        const ExitTraining training{.labels = labels, .decay = golden.number("decay"), .steps = 1500, .rate = 0.03, .enough = {}};
        const TrainedExits found = trainExits(golden.photos, selected(golden.photos, {}), training, {});
        const tensor::Matrix<float> weight = golden.matrix(learn.toStdString() + ".weight");
        const std::vector<float> bias = golden.archive->read(learn.toStdString() + ".bias").toFloats();
        QCOMPARE(found.heads.size(), std::size_t{1});
        // gradients in float are off by some 1e-7; the flattest direction of the loss has the curvature of the decay, 0.02, and weights of x are those of x' by its deviation (0.5 and up)
        for (std::int64_t c = 0; c < weight.rows(); ++c)
            for (std::int64_t j = 0; j < weight.cols(); ++j)
                QVERIFY2(std::abs(found.heads[0].weight(c, j) - weight(c, j)) < 2e-4f, qPrintable(QString::number(found.heads[0].weight(c, j) - weight(c, j))));
        const float mean = std::accumulate(found.heads[0].bias.begin(), found.heads[0].bias.end(), 0.0f) / static_cast<float>(bias.size());
        for (std::size_t c = 0; c < bias.size(); ++c)
            QVERIFY(std::abs(found.heads[0].bias[c] - mean - bias[c]) < 5e-4f);
        // at a minimum the loss is off by the square of that
        QVERIFY(std::abs(found.losses[0].points.back().y - golden.number(learn.toStdString() + ".objective")) < 2e-6);
        const double factor = sharpness(exitLogits(found.heads[0], golden.photos.features[0]), exitTargets(golden.photos, labels));
        QVERIFY(std::abs(factor - golden.number(learn.toStdString() + ".factor")) < 1e-3);
    }
    /// Decay holds the head back: on the photos that it has seen, sharper is better (Guo et al. train until the opposite holds).
    void aSharpenedHeadFitsBest()
    {
        const Golden golden;
        ExitHead head = trainExits(golden.photos, selected(golden.photos, {}), {.labels = true, .decay = 0.5, .steps = 300, .rate = 0.03, .enough = {}}, {}).heads[0];
        const tensor::Matrix<float> targets = exitTargets(golden.photos, true), before = exitLogits(head, golden.photos.features[0]);
        const double factor = sharpness(before, targets);
        QVERIFY(factor > 1.05);
        sharpen(head, factor);
        const tensor::Matrix<float> after = exitLogits(head, golden.photos.features[0]);
        for (std::size_t i = 0; i < after.size(); ++i)
            QVERIFY(std::abs(static_cast<double>(after.values()[i]) - factor * static_cast<double>(before.values()[i])) < 1e-5);
        QVERIFY(std::abs(sharpness(after, targets) - 1) < 1e-4); // no better factor is left
    }
    void stepsLessThanAskedForWhenItIsEnough()
    {
        const Golden golden;
        std::stop_source enough;
        enough.request_stop();
        const TrainedExits one = trainExits(golden.photos, golden.photos, {.labels = false, .steps = 500, .enough = enough.get_token()}, {});
        QCOMPARE(one.losses[0].points.size(), std::size_t{1});
        QCOMPARE(one.losses[1].name, std::string("held out"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(trainExits(golden.photos, golden.photos, {}, RunContext(stop.get_token())), Error);
        QVERIFY_EXCEPTION_THROWN(trainExits({}, {}, {}, {}), Error);
    }
    /// Behind the last block the model's own norm and head, folded, are a head over these features: they lose nothing that it sees.
    void featuresBehindTheLastBlockHoldTheModelsAnswer_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"vit20", "deit", "timm_vit_avg_prenorm"})
            QTest::newRow(name) << name;
    }
    void featuresBehindTheLastBlockHoldTheModelsAnswer()
    {
        QFETCH(QString, name);
        const auto model = test::tokenModel(name.toStdString());
        const test::TokenImages images(name.toStdString());
        const nn::ModelSpec& spec = model->spec();
        nn::Scratch scratch;
        tensor::Matrix<float> x(spec.tokens(0), spec.width), output(1, model->outputWidth());
        model->embed(images.samples[0], x.view(), scratch);
        for (int block = 0; block < static_cast<int>(spec.blocks.size()); ++block)
            model->runBlock(block, x.view(), scratch);
        std::vector<float> features(static_cast<std::size_t>(exitFeatureCount(spec))), pooled;
        exitFeatures(spec, x.view(), features, scratch);
        model->runTail(x.view(), {}, output.view(), scratch, 0, nullptr, &pooled);
        const nn::Norm& norm = model->finalNorm();
        if (!norm.present())
            QSKIP("the model norms behind its pool");
        QCOMPARE(pooled.size(), features.size());
        for (std::size_t i = 0; i < features.size(); ++i) {
            const std::size_t j = i % norm.weight.size();
            const float expected = features[i] * norm.weight[j] + norm.bias[j];
            QVERIFY(std::abs(expected - pooled[i]) < 2e-5f * (1 + std::abs(pooled[i]))); // the model's epsilon of that norm is the blocks'; a mean of some 60 roundings
        }
    }
    void neverSureIsTheModelAndSureOfEverythingTheFirstHead()
    {
        const test::TokenImages images("vit20");
        const Inputs& in = trained();
        const nn::ModelSpec& spec = in.model->spec();
        Trace whole, all, first;
        const auto output = test::runOne(*in.model, {}, images.samples[0], &whole);
        QCOMPARE(test::runOne(*in.model, chainWith({{"threshold", "1"}}), images.samples[0], &all), output);
        const std::uint64_t head = 128 * 20;
        QCOMPARE(all.macs, whole.macs + 5 * head);
        QCOMPARE(all.features, whole.features);
        QVERIFY(all.remark.starts_with("went through all blocks, confidence 0."));
        const auto left = test::runOne(*in.model, chainWith({{"threshold", "0"}, {"exits", "2,4"}}), images.samples[0], &first);
        QVERIFY(left != output);
        QVERIFY(first.remark.starts_with("left behind block 2, confidence 0."));
        QCOMPARE(test::tokensAfter(first), (std::vector<std::int64_t>{257, 257, 257, 0, 0, 0}));
        for (std::size_t block = 0; block < 6; ++block)
            QCOMPARE(std::ranges::count(first.layers[block].set.row, -1), block < 3 ? 0 : 257);
        QCOMPARE(first.layers[2].macs, whole.layers[2].macs + head);
        QCOMPARE(static_cast<double>(first.macs), exitCosts(spec, std::vector<int>{2, 4})[0]);
        QCOMPARE(first.features.size(), whole.features.size());
        // the head by hand, on what leaves the third block
        nn::Scratch scratch;
        tensor::Matrix<float> x(257, 128);
        in.model->embed(images.samples[0], x.view(), scratch);
        for (int block = 0; block < 3; ++block)
            in.model->runBlock(block, x.view(), scratch);
        std::vector<float> features(128);
        exitFeatures(spec, x.view(), features, scratch);
        const auto& weight = in.trained->floats("exit.2.weight", {20, 128}).values;
        for (std::size_t c = 0; c < 20; ++c) {
            double logit = static_cast<double>(in.trained->floats("exit.2.bias", {20}).values[c]);
            for (std::size_t j = 0; j < 128; ++j)
                logit += static_cast<double>(weight[c * 128 + j]) * static_cast<double>(features[j]);
            QVERIFY(std::abs(logit - static_cast<double>(left[c])) < 1e-4); // 128 products below 10 in float
        }
    }
    /// The mean over a folder is the sum over the exits of the photos that left there, each with all heads tried.
    void aFoldersCostIsTheSumOverItsExits()
    {
        const Inputs& in = trained();
        const std::vector<int> blocks{0, 1, 2, 3, 4};
        const std::vector<double> costs = exitCosts(in.model->spec(), blocks);
        QCOMPARE(costs[4] - costs[1], 3.0 * static_cast<double>(blockMacs(in.model->spec(), wholeTokens(in.model->spec()))[2] + 128 * 20));
        QCOMPARE(costs[5], static_cast<double>(modelMacs(in.model->spec(), wholeTokens(in.model->spec())) + 5 * 128 * 20));
        std::vector<std::string> warnings;
        const ExitFeatures features = captureExits(*in.model, *in.calibration, warnings, {});
        const WholeFolder whole = wholeFolder(*in.model, *in.calibration, {});
        std::vector<ExitHead> heads;
        for (const int block : blocks) {
            const std::string name = "exit." + std::to_string(block);
            ExitHead head{tensor::Matrix<float>(20, 128), in.trained->floats(name + ".bias", {20}).values};
            std::ranges::copy(in.trained->floats(name + ".weight", {20, 128}).values, head.weight.data());
            heads.push_back(std::move(head));
        }
        for (const char* rule : {"max-probability", "entropy"})
            for (const char* threshold : {"0.3", "0.6"}) {
                const FolderRun run = runFolder(*in.model, chainWith({{"rule", rule}, {"schedule", "falling"}, {"threshold", threshold}, {"slope", "0.02"}}), *in.calibration, whole, {});
                const ExitTable table = exitTable(features, heads, parseExitRule(rule), {});
                const ExitOutcome outcome = outcomeOf(table, fallingThresholds(std::stod(threshold), 0.02, 5), costs);
                QVERIFY(std::abs(static_cast<double>(run.point.macs) - outcome.cost) <= 0.5001); // rounded
                QVERIFY(std::abs(run.point.agreement - outcome.agreement) < 1e-12);
                std::vector<std::int64_t> histogram(6);
                for (const PhotoRun& photo : run.photos)
                    ++histogram[static_cast<std::size_t>(std::ranges::count_if(photo.tokens, [](const BlockTokens& tokens) { return tokens.mlp > 0; }) - 1)];
                QCOMPARE(histogram, outcome.histogram);
            }
    }
    void tunedThresholdsMeetTheTargetOnThePhotosKeptApart()
    {
        const Inputs& in = trained();
        const auto& agrees = in.trained->floats("heldOut.agrees", {3, 5}).values;
        QVERIFY(std::ranges::all_of(agrees, [](float value) { return value == 0 || value == 1; }));
        // an eighth of the 20 photos, the last: what the chain does with them is what was promised
        std::uint64_t cheapest = 0;
        for (const char* target : {"1", "0.66", "0"}) {
            const Chain chain = chainWith({{"schedule", "tuned"}, {"agreement", target}});
            int agreed = 0;
            std::uint64_t macs = 0;
            for (const std::size_t photo : {17U, 18U, 19U}) {
                measure::LoadedSample sample;
                in.calibration->load(photo, sample);
                Trace trace;
                const auto out = test::runOne(*in.model, chain, sample.view(), &trace), whole = test::runOne(*in.model, {}, sample.view());
                agreed += std::ranges::max_element(out) - out.begin() == std::ranges::max_element(whole) - whole.begin() ? 1 : 0;
                macs += trace.macs;
            }
            QVERIFY(agreed >= 3 * std::stod(target) - 1e-9);
            QVERIFY(cheapest == 0 || macs <= cheapest); // a lower target costs no more
            cheapest = macs;
        }
        QCOMPARE(static_cast<double>(cheapest), 3 * exitCosts(in.model->spec(), std::vector<int>{0, 1, 2, 3, 4})[0]); // nobody has to agree: all leave at once
    }
    void aPhotoThatCannotBeReadIsLeftOut()
    {
        Inputs with = trained();
        with.calibration = std::make_shared<test::OneUnreadable>(with.calibration, 7);
        const TrainedParts parts = findMethod("tokens.early-exit")->train(with, settings({{"steps", "120"}}), {});
        for (std::size_t i = 0; i < parts.tensors.size(); ++i)
            QCOMPARE(parts.tensors[i].values, trained().trained->tensors[i].values);
        QVERIFY(trained().trained->warnings.empty());
        QCOMPARE(parts.warnings.size(), std::size_t{1});
        QVERIFY(parts.warnings[0].starts_with("1 of 21 photos cannot be read and are left out; the first: "));
    }
    void noPhotoServesTwoPurposes()
    {
        // temperatures are fitted to photos 15 and 16 of 20, thresholds are tuned on 17, 18 and 19: without the latter the heads are the same but for what is held out
        std::vector<std::string> none;
        const Inputs& in = trained();
        const ExitFeatures all = captureExits(*in.model, *in.calibration, none, {});
        std::vector<std::size_t> training(15);
        std::iota(training.begin(), training.end(), std::size_t{0});
        const ExitFeatures apart = selected(all, {15, 16});
        TrainedExits heads = trainExits(selected(all, training), apart, {.labels = false, .steps = 120, .enough = {}}, {});
        for (std::size_t block = 0; block < heads.heads.size(); ++block) {
            sharpen(heads.heads[block], sharpness(exitLogits(heads.heads[block], apart.features[block]), exitTargets(apart, false), {}));
            QCOMPARE(heads.heads[block].bias, in.trained->floats("exit." + std::to_string(block) + ".bias", {20}).values);
        }
    }
    void theSameThroughAFileAndOnAnyNumberOfThreads()
    {
        const Inputs& in = trained();
        const test::TokenImages images("vit20");
        const QTemporaryDir folder;
        const std::filesystem::path file = folder.filePath("exits.safetensors").toStdString();
        writeTrainedParts(file, *in.trained);
        Inputs read = in;
        read.trained = std::make_shared<TrainedParts>(readTrainedParts(file));
        const Parameters parameters = settings({{"threshold", "0.3"}});
        QCOMPARE(test::runOne(*in.model, findMethod("tokens.early-exit")->chain(read, parameters, {}), images.samples[0]), test::runOne(*in.model, chainWith({{"threshold", "0.3"}}), images.samples[0]));
        const ThreadLimit one(1);
        const TrainedParts again = findMethod("tokens.early-exit")->train(in, settings({{"steps", "120"}}), {});
        for (std::size_t i = 0; i < again.tensors.size(); ++i)
            QCOMPARE(again.tensors[i].values, in.trained->tensors[i].values);
    }
    void whatDoesNotFitIsRefused()
    {
        const Method& method = *findMethod("tokens.early-exit");
        const Inputs& in = trained();
        for (const std::string& name : method.afterTraining)
            QVERIFY(method.declaration.schema.find(name));
        Inputs untrained = in, other = in, few = in, bare = in;
        untrained.trained = nullptr;
        QVERIFY_EXCEPTION_THROWN(method.chain(untrained, settings({}), {}), Error);
        TrainedParts foreign = *in.trained;
        foreign.model = std::string(64, 'a');
        other.trained = std::make_shared<TrainedParts>(foreign);
        QVERIFY_EXCEPTION_THROWN(method.chain(other, settings({}), {}), Error);
        foreign = *in.trained;
        foreign.tensors[0].shape = {128, 20};
        other.trained = std::make_shared<TrainedParts>(foreign);
        QVERIFY_EXCEPTION_THROWN(method.chain(other, settings({}), {}), Error);
        few.calibration = std::make_shared<test::ImageSource>(9, std::vector<int>{});
        QVERIFY_EXCEPTION_THROWN(method.train(few, settings({}), {}), Error);
        few.calibration = std::make_shared<test::ImageSource>(12, std::vector<int>{20});
        QVERIFY_EXCEPTION_THROWN(method.train(few, settings({}), {}), Error); // 20 classes
        few.calibration = std::make_shared<test::ImageSource>(12, std::vector<int>{}, true);
        QVERIFY_EXCEPTION_THROWN(method.train(few, settings({}), {}), Error); // a pixel that is no number
        bare.calibration = nullptr;
        QVERIFY_EXCEPTION_THROWN(method.train(bare, settings({}), {}), Error);
        for (const char* exits : {"5", "2,2", "3,1", "x"})
            QVERIFY_EXCEPTION_THROWN(chainWith({{"exits", exits}}), Error);
        std::vector<tokens::Wish> wishes(257, Wish::None);
        wishes[9] = Wish::Drop;
        const test::TokenImages images("vit20");
        QVERIFY_EXCEPTION_THROWN(test::runOne(*in.model, chainWith({}), images.samples[0], nullptr, wishes), Error);
    }
};

QTEST_GUILESS_MAIN(TestEarlyExit)
#include "tst_early_exit.moc"

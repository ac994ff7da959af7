// SPDX-License-Identifier: GPL-3.0-or-later
// The cascade and its trivial rival, the first blocks alone.
#include "core/tokens/cascade.h"

#include "core/tokens/exit_rule.h"
#include "core/tokens/folder_run.h"
#include "core/tokens/token_cost.h"
#include "core/tokens/whole_trace.h"
#include "tests/core/tokens/image_source.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <algorithm>
#include <numeric>

using namespace tamis;

namespace {
/// Multiply-adds of a trace: its layers' and what is outside of blocks.
std::uint64_t summed(const tokens::Trace& trace)
{
    return std::accumulate(trace.layers.begin(), trace.layers.end(), std::uint64_t{0}, [](std::uint64_t sum, const auto& layer) { return sum + layer.macs; });
}
} // namespace

class TestCascade : public QObject {
    Q_OBJECT
private slots:
    void sureOfEverythingIsTheStage_data()
    {
        QTest::addColumn<QString>("stage");
        for (const char* stage : {"tome r=34", "evit  keep=0.5 fuse=false", "truncated blocks=4", "downsample keep=0.25"})
            QTest::newRow(stage) << stage;
    }
    void sureOfEverythingIsTheStage()
    {
        QFETCH(QString, stage);
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const tokens::Chain always = test::chainOf("tokens.cascade", model, {{"stage", stage.toStdString()}, {"threshold", "0"}});
        const QStringList words = stage.split(' ', Qt::SkipEmptyParts);
        std::vector<std::pair<std::string, std::string>> settings;
        for (int i = 1; i < words.size(); ++i)
            settings.emplace_back(words[i].section('=', 0, 0).toStdString(), words[i].section('=', 1).toStdString());
        const std::string id = "tokens." + words[0].toStdString();
        const tokens::Chain alone = test::chainOf(id, model, settings);
        tokens::Trace cascade, direct;
        QCOMPARE(test::runOne(*model, always, images.samples[0], &cascade), test::runOne(*model, alone, images.samples[0], &direct));
        QCOMPARE(test::runOne(*model, always, images.samples[0]), test::runOne(*model, alone, images.samples[0])); // without a trace, too
        QCOMPARE(cascade.macs, direct.macs);
        QCOMPARE(cascade.features, direct.features);
        QCOMPARE(test::tokensAfter(cascade), test::tokensAfter(direct));
        QVERIFY(cascade.remark.starts_with("answered by the cheap stage, confidence 0."));
    }
    void theStageMayBeSeveralMethods()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const std::string text = "evit keep=0.7 @3 + tome r=4 @rest";
        tokens::Trace cascade, direct;
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.cascade", model, {{"stage", text}, {"threshold", "0"}}), images.samples[0], &cascade),
                 test::runOne(*model, test::chainOf("tokens.chain", model, {{"steps", text}}), images.samples[0], &direct));
        QCOMPARE(cascade.macs, direct.macs);
    }
    void neverSureIsTheWholeModelAtTheCostOfBoth()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const tokens::Chain never = test::chainOf("tokens.cascade", model, {{"stage", "tome r=34"}, {"threshold", "1"}});
        tokens::Trace cascade, cheap, whole;
        const auto output = test::runOne(*model, never, images.samples[1], &cascade);
        QCOMPARE(output, test::runOne(*model, {}, images.samples[1], &whole));
        QCOMPARE(output, test::runOne(*model, never, images.samples[1]));
        test::runOne(*model, test::chainOf("tokens.tome", model, {{"r", "34"}}), images.samples[1], &cheap);
        QCOMPARE(cascade.macs, whole.macs + cheap.macs);
        for (std::size_t block = 0; block < whole.layers.size(); ++block)
            QCOMPARE(cascade.layers[block].macs, whole.layers[block].macs + cheap.layers[block].macs);
        QCOMPARE(cascade.features, whole.features);
        QVERIFY(cascade.remark.starts_with("asked the whole model, confidence 0."));
    }
    /// Over a folder the mean cost is that of the stage for all and of the whole model for those that were not sure.
    void aFolderCostsTheStageForAllAndTheModelForTheUnsure()
    {
        const auto model = test::tokenModel("vit20");
        const test::ImageSource photos(12, {});
        const auto whole = tokens::wholeFolder(*model, photos, {});
        std::vector<double> sure;
        for (std::size_t i = 0; i < photos.count(); ++i) {
            measure::LoadedSample sample;
            photos.load(i, sample);
            sure.push_back(tokens::confidenceOf(tokens::ExitRule::MaxProbability, test::runOne(*model, test::chainOf("tokens.truncated", model, {{"blocks", "5"}}), sample.view())));
        }
        std::vector<double> sorted = sure;
        std::ranges::sort(sorted);
        const double threshold = 0.5 * (sorted[5] + sorted[6]); // between two photos: half of them are sure
        QVERIFY(sorted[6] - sorted[5] > 1e-6);
        const auto run = tokens::runFolder(*model, test::chainOf("tokens.cascade", model, {{"stage", "truncated blocks=5"}, {"threshold", std::to_string(threshold)}}), photos, whole, {});
        const std::uint64_t cheap = tokens::patchMacs(model->spec()) + tokens::headMacs(model->spec()) + 5 * tokens::blockMacs(model->spec(), tokens::wholeTokens(model->spec()))[0];
        const std::uint64_t all = tokens::modelMacs(model->spec(), tokens::wholeTokens(model->spec()));
        QCOMPARE(run.point.macs, cheap + all / 2);
        for (std::size_t i = 0; i < photos.count(); ++i) {
            QCOMPARE(run.photos[i].macs, sure[i] >= threshold ? cheap : cheap + all);
            if (sure[i] < threshold)
                QCOMPARE(run.photos[i].after.index, run.photos[i].before.index);
        }
    }
    void allBlocksAreTheModelAndFewerCostFewer()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace whole, all, three;
        const auto output = test::runOne(*model, {}, images.samples[0], &whole);
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.truncated", model, {{"blocks", "6"}}), images.samples[0], &all), output);
        QCOMPARE(all.macs, whole.macs);
        QCOMPARE(all.features, whole.features);
        QVERIFY(test::runOne(*model, test::chainOf("tokens.truncated", model, {}), images.samples[0], &three) != output); // half of 6
        QCOMPARE(test::tokensAfter(three), (std::vector<std::int64_t>{257, 257, 257, 0, 0, 0}));
        QCOMPARE(three.macs, summed(three) + tokens::patchMacs(model->spec()) + tokens::headMacs(model->spec()));
        QCOMPARE(whole.macs, summed(whole) + tokens::patchMacs(model->spec()) + tokens::headMacs(model->spec()));
        for (std::size_t block = 0; block < 6; ++block) {
            QCOMPARE(three.layers[block].macs, block < 3 ? whole.layers[block].macs : 0);
            QCOMPARE(std::ranges::count(three.layers[block].set.row, -1), block < 3 ? 0 : 257);
        }
    }
    void badStagesAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        for (const char* stage : {"", "  ", "nothing", "cascade", "tome r", "tome =3", "tome r=x", "tome s=3", "truncated blocks=7", "early-exit", "tome + truncated", "tome r=4 @9"})
            QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.cascade", model, {{"stage", stage}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.cascade", model, {{"threshold", "1.1"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.truncated", model, {{"blocks", "7"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.truncated", test::tokenModel("timm_swin_oblong"), {}), Error);
    }
    void wishesGoToTheStageAndToTheModel()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::vector<tokens::Wish> wishes(257, tokens::Wish::None);
        std::fill(wishes.end() - 40, wishes.end(), tokens::Wish::Drop);
        const auto never = test::chainOf("tokens.cascade", model, {{"stage", "tome r=34"}, {"threshold", "1"}}), stageOnly = test::chainOf("tokens.cascade", model, {{"stage", "tome r=34"}, {"threshold", "0"}});
        QCOMPARE(test::runOne(*model, never, images.samples[0], nullptr, wishes), test::runOne(*model, {}, images.samples[0], nullptr, wishes));
        QCOMPARE(test::runOne(*model, stageOnly, images.samples[0], nullptr, wishes), test::runOne(*model, test::chainOf("tokens.tome", model, {{"r", "34"}}), images.samples[0], nullptr, wishes));
        QVERIFY_EXCEPTION_THROWN(test::runOne(*model, test::chainOf("tokens.cascade", model, {{"stage", "truncated"}}), images.samples[0], nullptr, wishes), Error);
    }
};

QTEST_GUILESS_MAIN(TestCascade)
#include "tst_cascade.moc"

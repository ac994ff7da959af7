// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/folder_run.h"

#include "core/base/parallel.h"
#include "core/measure/logit_metrics.h"
#include "core/tokens/route.h"
#include "tests/core/tokens/image_source.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

using Images = test::ImageSource;

namespace {
/// Leaves behind block 1 with the tokens it came with.
class EarlyRoute : public tokens::Route {
public:
    explicit EarlyRoute(std::shared_ptr<const nn::Model> model) : m_model(std::move(model)) {}
    void run(const nn::Sample&, std::span<const tokens::Wish>, kernels::Rows output, nn::Scratch&, tokens::Trace* trace) const override
    {
        for (std::int64_t i = 0; i < output.cols; ++i)
            output.data[i] = i == 3 ? 1 : 0;
        if (!trace)
            return;
        const auto& spec = m_model->spec();
        for (std::size_t block = 0; block < spec.blocks.size(); ++block) {
            tokens::TracedLayer layer;
            layer.set = tokens::wholeSet(spec.patch.prefixTokens, spec.patch.gridHeight, spec.patch.gridWidth);
            layer.tokens = {layer.set.tokens(), layer.set.tokens()};
            if (block > 1) {
                layer.tokens = {0, 0};
                layer.set.sizes.clear();
                layer.set.row.assign(layer.set.row.size(), -1);
            }
            trace->layers.push_back(layer);
        }
        trace->features.assign(128, 1);
        trace->macs = 1000;
        trace->remark = "left behind block 1";
    }

private:
    std::shared_ptr<const nn::Model> m_model;
};
} // namespace

class TestFolderRun : public QObject {
    Q_OBJECT
private slots:
    /// Against one photo after another, by hand.
    void meansAreThoseOfThePhotos()
    {
        const auto model = test::tokenModel("vit20");
        const Images plain(5, {});
        const auto unlabelled = tokens::wholeFolder(*model, plain, {});
        QVERIFY(std::isnan(unlabelled.top1));
        std::vector<int> labels;
        for (const auto& photo : unlabelled.photos)
            labels.push_back(measure::bestClasses(photo.output, 1)[0]);
        labels[1] = (labels[1] + 1) % 20; // one is wrong
        labels[4] = -1;                   // one is not known
        const Images source(5, labels);
        const auto whole = tokens::wholeFolder(*model, source, {});
        QCOMPARE(whole.top1, 0.75);
        const tokens::Chain chain = test::chainOf("tokens.ats", model, {});
        const auto run = tokens::runFolder(*model, chain, source, whole, {});
        double agreement = 0, right = 0, kl = 0, macs = 0, first = 0;
        for (std::size_t i = 0; i < 5; ++i) {
            measure::LoadedSample sample;
            source.load(i, sample);
            tokens::Trace trace;
            const auto output = test::runOne(*model, chain, sample.view(), &trace);
            const auto difference = measure::compareLogits(whole.photos[i].output, output);
            agreement += difference.agree ? 0.2 : 0;
            kl += difference.kl / 5;
            right += labels[i] == measure::bestClasses(output, 1)[0] ? 0.25 : 0;
            macs += static_cast<double>(tokens::modelMacs(model->spec(), trace.tokens())) / 5;
            first += static_cast<double>(trace.layers[1].tokens.mlp) / 5;
            QCOMPARE(run.photos[i].file, source.name(i));
            QCOMPARE(run.photos[i].after.index, measure::bestClasses(output, 1)[0]);
            QCOMPARE(run.photos[i].row, trace.layers.back().set.row);
            QCOMPARE(run.point.keptCounts[i], trace.layers.back().tokens.mlp);
        }
        QCOMPARE(run.point.agreement, agreement);
        QCOMPARE(run.point.top1, right);
        QVERIFY(std::abs(run.point.kl - kl) <= 1e-12 * kl); // another order of summation
        QCOMPARE(run.point.macs, static_cast<std::uint64_t>(std::llround(macs)));
        QCOMPARE(run.point.tokensPerLayer[0], 257.0);
        QCOMPARE(run.point.tokensPerLayer[1], first);
        QVERIFY(run.point.tokensKept < 1 && run.embeddingShift > 0);
    }
    void theWholeModelAgreesWithItself()
    {
        const auto model = test::tokenModel("vit20");
        const Images source(3, {});
        const auto whole = tokens::wholeFolder(*model, source, {});
        const auto run = tokens::runFolder(*model, {}, source, whole, {});
        const auto point = tokens::wholePoint(*model, whole);
        QCOMPARE(run.point.agreement, 1.0);
        QCOMPARE(run.point.kl, 0.0);
        QCOMPARE(run.point.macs, point.macs);
        QCOMPARE(run.point.tokensPerLayer, point.tokensPerLayer);
        QCOMPARE(run.point.keptCounts, point.keptCounts);
        QVERIFY(std::abs(run.point.tokensKept - 1) < 1e-12 && run.embeddingShift < 1e-12);
    }
    void photosThatLeaveEarlyKeepWhatTheyLeftWith()
    {
        const auto model = test::tokenModel("vit20");
        const Images source(2, {});
        const auto whole = tokens::wholeFolder(*model, source, {});
        tokens::Chain chain;
        chain.route = std::make_shared<EarlyRoute>(model);
        const auto run = tokens::runFolder(*model, chain, source, whole, {});
        QCOMPARE(run.point.keptCounts, (std::vector<std::int64_t>{257, 257}));
        QCOMPARE(run.point.tokensPerLayer, (std::vector<double>{257, 257, 0, 0, 0, 0}));
        QVERIFY(std::abs(run.point.tokensKept - 2.0 / 6) < 1e-12);
        QCOMPARE(run.point.macs, std::uint64_t(1000));
        for (const auto& photo : run.photos) {
            QCOMPARE(photo.row, tokens::wholeSet(1, 16, 16).row);
            QCOMPARE(photo.remark, std::string("left behind block 1"));
            QCOMPARE(photo.after.index, 3);
        }
    }
    void theSameForAnyNumberOfThreads()
    {
        const auto model = test::tokenModel("vit20");
        const Images source(5, {1, 2, 3, 4, 5});
        std::vector<report::TokenPoint> points;
        for (const int threads : {1, 3}) {
            const ThreadLimit limit(threads);
            const auto whole = tokens::wholeFolder(*model, source, {});
            points.push_back(tokens::runFolder(*model, test::chainOf("tokens.evit", model, {{"keep", "0.3"}}), source, whole, {}).point);
        }
        QCOMPARE(points[0].kl, points[1].kl);
        QCOMPARE(points[0].agreement, points[1].agreement);
        QCOMPARE(points[0].top1, points[1].top1);
    }
    void latenciesAreMeasured()
    {
        const auto model = test::tokenModel("vit20");
        const Images source(1, {});
        const auto latency = tokens::measureLatency(*model, test::chainOf("tokens.tome", model, {}), source, {.batch = 2, .rounds = 2}, {});
        QVERIFY(latency.wholeMs > 0 && latency.reducedMs > 0 && latency.matchingMs > 0 && latency.matchingMs < latency.reducedMs);
        QVERIFY_EXCEPTION_THROWN(tokens::measureLatency(*model, {}, source, {.batch = 0}, {}), Error);
    }
    void badFoldersAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        QVERIFY_EXCEPTION_THROWN(tokens::wholeFolder(*model, Images(0, {}), {}), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::wholeFolder(*model, Images(2, {3, 20}), {}), Error);
        try {
            tokens::wholeFolder(*model, Images(4, {}, true), {});
            QFAIL("a pixel that is not a number went through");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
            QCOMPARE(error.subject(), std::string("photo 2"));
        }
        const auto whole = tokens::wholeFolder(*model, Images(2, {}), {});
        QVERIFY_EXCEPTION_THROWN(tokens::runFolder(*model, {}, Images(3, {}), whole, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(tokens::wholeFolder(*model, Images(4, {}), RunContext(stop.get_token())), Error);
    }
};

QTEST_GUILESS_MAIN(TestFolderRun)
#include "tst_folder_run.moc"

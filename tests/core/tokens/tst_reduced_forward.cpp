// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/reduced_forward.h"

#include "core/base/parallel.h"
#include "core/nn/token_hook.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <algorithm>
#include <numeric>

using namespace tamis;
using tokens::Place;
using tokens::Wish;

namespace {
/// Prunes the last `count` patches.
class PruneLast final : public tokens::Reduction {
public:
    explicit PruneLast(std::int64_t count) : m_count(count) {}
    tokens::Assignment assign(const tokens::Look& look) const override
    {
        tokens::Assignment a;
        a.count = look.x.rows - m_count;
        for (std::int64_t i = 0; i < look.x.rows; ++i)
            a.to.push_back(i < a.count ? static_cast<std::int32_t>(i) : -1);
        return a;
    }

private:
    std::int64_t m_count;
};

std::vector<float> whole(const nn::Model& model, const nn::Sample& sample)
{
    std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
    nn::Scratch scratch;
    model.run(sample, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch);
    return output;
}
} // namespace

class TestReducedForward : public QObject {
    Q_OBJECT
private slots:
    void withoutStepsTheBitsOfTheModel_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"vit20", "deit", "timm_vit_avg_prenorm"})
            QTest::newRow(name) << name;
    }
    void withoutStepsTheBitsOfTheModel()
    {
        QFETCH(QString, name);
        const auto model = test::tokenModel(name.toStdString());
        const test::TokenImages images(name.toStdString());
        for (const nn::Sample& sample : images.samples) {
            tokens::Chain chain;
            chain.proportionalAttention = true;
            QCOMPARE(test::runOne(*model, chain, sample), whole(*model, sample));
            const std::vector<Wish> none(static_cast<std::size_t>(model->spec().tokens(0)), Wish::None);
            tokens::Trace trace;
            QCOMPARE(test::runOne(*model, chain, sample, &trace, none), whole(*model, sample));
            QCOMPARE(trace.tokens().size(), model->blocks().size());
            QCOMPARE(trace.tokens().back().mlp, model->spec().tokens(0));
        }
    }
    void theSameBitsForAnyNumberOfThreads()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::vector<nn::Sample> batch;
        for (int i = 0; i < 5; ++i)
            batch.push_back(images.samples[static_cast<std::size_t>(i % 2)]);
        for (const char* method : {"tokens.tome", "tokens.evit", "tokens.random"}) {
            const tokens::Chain chain = test::chainOf(method, model, {});
            std::vector<std::vector<tensor::Matrix<float>>> outputs;
            for (const int threads : {1, 2, 4}) {
                const ThreadLimit limit(threads);
                outputs.push_back(tokens::runReducedBatch(*model, chain, batch));
            }
            QVERIFY(outputs[0] == outputs[1] && outputs[0] == outputs[2]);
            for (std::size_t i = 0; i < batch.size(); ++i) {
                const std::vector<float> alone = test::runOne(*model, chain, batch[i]);
                QVERIFY(std::ranges::equal(alone, outputs[0][i].values()));
            }
        }
    }
    /// Without positions on what goes, a token pruned before the first block is a token that was never there: brute force over the attention's
    /// own key mask is the model run on fewer patches. Dropping by hand equals a step that prunes the same tokens.
    void droppedByHandEqualsPrunedBeforeTheFirstBlock()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Chain chain;
        chain.steps.push_back({0, Place::BeforeBlock, std::make_shared<PruneLast>(40)});
        std::vector<Wish> wishes(257, Wish::None);
        std::fill(wishes.end() - 40, wishes.end(), Wish::Drop);
        tokens::Trace byStep, byHand;
        const auto stepped = test::runOne(*model, chain, images.samples[0], &byStep), dropped = test::runOne(*model, {}, images.samples[0], &byHand, wishes);
        QCOMPARE(stepped, dropped);
        QVERIFY(stepped != whole(*model, images.samples[0]));
        QCOMPARE(byStep.layers.back().set.row, byHand.layers.back().set.row);
        QCOMPARE(byHand.layers[0].tokens.attention, 217);
    }
    void whatTheUserKeepsStaysByItself_data()
    {
        QTest::addColumn<QString>("method");
        for (const char* method : {"tokens.tome", "tokens.evit", "tokens.random", "tokens.downsample"})
            QTest::newRow(method) << method;
    }
    void whatTheUserKeepsStaysByItself()
    {
        QFETCH(QString, method);
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const tokens::Chain chain = test::chainOf(method.toStdString(), model, method == "tokens.tome" ? std::vector<std::pair<std::string, std::string>>{{"r", "40"}} : std::vector<std::pair<std::string, std::string>>{{"keep", "0.3"}});
        tokens::Trace plain, kept;
        test::runOne(*model, chain, images.samples[0], &plain);
        std::vector<Wish> wishes(257, Wish::None);
        int pinned = 0;
        const tokens::TokenSet& last = plain.layers.back().set;
        for (std::size_t source = 1; source < 257 && pinned < 9; ++source)
            if (last.row[source] < 0 || last.sizes[static_cast<std::size_t>(last.row[source])] > 1) {
                wishes[source] = Wish::Keep;
                ++pinned;
            }
        QCOMPARE(pinned, 9);
        test::runOne(*model, chain, images.samples[0], &kept, wishes);
        const tokens::TokenSet& end = kept.layers.back().set;
        for (std::size_t source = 0; source < 257; ++source)
            if (wishes[source] == Wish::Keep) {
                QVERIFY(end.row[source] >= 0);
                QCOMPARE(end.sizes[static_cast<std::size_t>(end.row[source])], 1.0f);
            }
    }
    void stepsOfOnePlaceFollowOneAnother()
    {
        const auto model = test::narrowVit(4);
        const std::vector<float> image = test::wavyImage(*model);
        tokens::Chain one, two;
        one.steps = {{1, Place::BetweenBranches, std::make_shared<PruneLast>(50)}};
        two.steps = {{1, Place::BetweenBranches, std::make_shared<PruneLast>(20)}, {1, Place::BetweenBranches, std::make_shared<PruneLast>(30)}};
        tokens::Trace trace;
        QCOMPARE(test::runOne(*model, two, {image, {}, {}}, &trace), test::runOne(*model, one, {image, {}, {}}));
        QCOMPARE(test::tokensAfter(trace), (std::vector<std::int64_t>{197, 147, 147, 147}));
        QCOMPARE(trace.layers[1].tokens.attention, 197);
    }
    void badChainsModelsAndWishesAreRefused()
    {
        const auto model = test::narrowVit(2);
        const std::vector<float> image = test::wavyImage(*model);
        const nn::Sample sample{image, {}, {}};
        const auto step = std::make_shared<PruneLast>(1);
        tokens::Chain beyond, backwards;
        beyond.steps = {{2, Place::BetweenBranches, step}};
        backwards.steps = {{1, Place::BetweenBranches, step}, {0, Place::BetweenBranches, step}};
        QVERIFY_EXCEPTION_THROWN(test::runOne(*model, beyond, sample), Error);
        QVERIFY_EXCEPTION_THROWN(test::runOne(*model, backwards, sample), Error);
        QVERIFY_EXCEPTION_THROWN(test::runOne(*model, {}, sample, nullptr, std::vector<Wish>(3, Wish::None)), Error);
        QVERIFY_EXCEPTION_THROWN(test::runOne(*model, {}, sample, nullptr, std::vector<Wish>(197, Wish::Drop)), Error); // no patch left
        for (const char* other : {"timm_swin_oblong", "llama_llama3_rope", "bert_classifier"})
            QVERIFY_EXCEPTION_THROWN(tokens::requireReducible(*test::tokenModel(other), {}), Error);
    }
    /// The hook itself, whoever uses it: post-norm blocks, grids and rotary positions; rows that a hook must not return; weights of a mean.
    void blocksThatCannotBeHookedAreRefused()
    {
        class TooMany final : public nn::TokenHook {
        public:
            std::int64_t betweenBranches(int, const nn::Block&, const nn::AttentionInput&, kernels::Rows x, nn::Scratch&) override { return x.rows + 1; }
        };
        nn::TokenHook nothing;
        TooMany tooMany;
        nn::Scratch scratch;
        for (const char* name : {"bert_classifier", "timm_swin_oblong", "llama_llama3_rope"}) {
            const auto model = test::tokenModel(name);
            tensor::Matrix<float> x(64, model->spec().width);
            QVERIFY_EXCEPTION_THROWN(model->runBlock(0, x.view(), scratch, nothing), Error);
        }
        const auto model = test::narrowVit(1, 32, 16);
        tensor::Matrix<float> x(5, 8), output(1, 4);
        QCOMPARE(model->runBlock(0, x.view(), scratch, nothing), 5);
        QVERIFY_EXCEPTION_THROWN(model->runBlock(0, x.view(), scratch, tooMany), Error);
        const std::vector<float> weights(3, 1.0f);
        QVERIFY_EXCEPTION_THROWN(model->runTail(x.view(), weights, output.view(), scratch), Error);
    }
    void cancelIsHeard()
    {
        const auto model = test::narrowVit(4);
        const std::vector<float> image = test::wavyImage(*model);
        std::stop_source stop;
        stop.request_stop();
        const std::vector<nn::Sample> batch(4, nn::Sample{image, {}, {}});
        QVERIFY_EXCEPTION_THROWN(tokens::runReducedBatch(*model, {}, batch, RunContext(stop.get_token())), Error);
    }
};

QTEST_GUILESS_MAIN(TestReducedForward)
#include "tst_reduced_forward.moc"

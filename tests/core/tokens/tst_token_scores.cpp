// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/scores.h"

#include "core/tokens/gradient_scorer.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/probe.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

using namespace tamis;
using tokens::Score;

namespace {
void lookAt(const nn::Model& model, const nn::Sample& sample, int block, std::function<void(const tokens::Look&)> visit, tokens::Chain chain = {},
            tokens::Place place = tokens::Place::BetweenBranches)
{
    chain.steps.push_back({block, place, std::make_shared<test::Probe>(std::move(visit))});
    test::runOne(model, chain, sample);
}
} // namespace

class TestTokenScores : public QObject {
    Q_OBJECT
private slots:
    /// The score that textbooks give, the sum of a token's row of the attention, is 1 for every token of every image: softmax makes it so.
    /// The column sum is not, and its mean is 1 / N. N = 257 roundings of at most 6e-8 bound the error.
    void rowSumsAreConstantAndColumnSumsAreNot()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const nn::Sample& sample : images.samples)
            for (int block = 0; block < 6; ++block)
                lookAt(*model, sample, block, [](const tokens::Look& look) {
                    for (const float sum : tokens::attentionRowSums(look))
                        QVERIFY(std::abs(sum - 1) < 2e-5f);
                    const std::vector<float> received = tokens::scoreTokens(Score::AttentionReceived, look);
                    const auto [least, most] = std::ranges::minmax(received);
                    QVERIFY(most > 2 * least);
                    QVERIFY(std::abs(std::accumulate(received.begin(), received.end(), 0.0) - 1) < 1e-5);
                });
    }
    /// Rows of rollout are distributions over the source tokens, also behind pruning and merging; in the first block it is half the attention and
    /// half the token itself.
    void rolloutIsADistribution()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const char* method : {"tokens.tome", "tokens.evit"}) {
            tokens::Chain chain = test::chainOf(method, model, {});
            chain.rollout = true;
            std::erase_if(chain.steps, [](const tokens::Step& step) { return step.block > 4; });
            lookAt(*model, images.samples[0], 5, [](const tokens::Look& look) {
                QVERIFY(look.rollout && look.rollout->rows() == look.x.rows && look.rollout->cols() == 257);
                for (std::int64_t i = 0; i < look.rollout->rows(); ++i) {
                    const auto row = look.rollout->view().row(i);
                    QVERIFY(std::abs(std::accumulate(row.begin(), row.end(), 0.0) - 1) < 1e-5);
                }
            }, chain);
        }
        tokens::Chain first;
        first.rollout = true;
        lookAt(*model, images.samples[0], 0, [](const tokens::Look& look) {
            const std::vector<float> attention = tokens::scoreTokens(Score::ClassAttention, look), rollout = tokens::scoreTokens(Score::Rollout, look);
            for (std::size_t i = 0; i < rollout.size(); ++i)
                QVERIFY(std::abs(rollout[i] - 0.5f * attention[i] - (i == 0 ? 0.5f : 0.0f)) < 1e-6f);
        }, first);
    }
    void valueNormScoresAreSharesOfOne()
    {
        const auto model = test::tokenModel("deit");
        const test::TokenImages images("deit");
        lookAt(*model, images.samples[0], 1, [](const tokens::Look& look) {
            const std::vector<float> scores = tokens::scoreTokens(Score::AttentionValueNorm, look);
            QVERIFY(std::abs(std::accumulate(scores.begin() + look.set.prefix, scores.end(), 0.0) - 1) < 1e-6);
        });
    }
    void scoresOfFeatures()
    {
        const auto model = test::narrowVit(1, 32, 16);
        const tokens::TokenSet set = tokens::wholeSet(1, 1, 2);
        tensor::Matrix<float> x(3, 4);
        const std::vector<float> values{0, 0, 0, 0, 3, -4, 0, 0, 1, -1, 1, -1};
        std::ranges::copy(values, x.data());
        nn::Scratch scratch;
        const tokens::Look look{0, model->blocks()[0], nullptr, x.view(), set, {}, {}, nullptr, nullptr, scratch};
        QCOMPARE(tokens::scoreTokens(Score::FeatureNorm, look), (std::vector<float>{0, 5, 2}));
        QCOMPARE(tokens::scoreTokens(Score::ChannelVariance, look), (std::vector<float>{0, 6.1875f, 1}));
        const std::vector<float> entropy = tokens::scoreTokens(Score::Entropy, look);
        QCOMPARE(entropy[0], 0.0f);
        QCOMPARE(entropy[1], static_cast<float>(-3.0 / 7 * std::log(3.0 / 7) - 4.0 / 7 * std::log(4.0 / 7)));
        QCOMPARE(entropy[2], static_cast<float>(std::log(4.0)));
        for (const Score score : tokens::allScores())
            if (tokens::needsAttention(score) || score == Score::Gradient)
                QVERIFY_EXCEPTION_THROWN(tokens::scoreTokens(score, look), Error);
    }
    /// Central differences in float: d L / d t at t = 1 of L with a token scaled by t is x . dL / dx. The step 1/64 keeps rounding at 64 * 2e-7
    /// of a loss of order 1, the third derivative's share at (1/64)^2.
    void gradientsAreWhatScalingATokenChanges()
    {
        class Scale final : public tokens::Reduction {
        public:
            Scale(std::int64_t token, float factor) : m_token(token), m_factor(factor) {}
            tokens::Assignment assign(const tokens::Look& look) const override
            {
                tokens::Assignment a;
                a.count = look.x.rows;
                a.to.resize(static_cast<std::size_t>(a.count));
                std::iota(a.to.begin(), a.to.end(), 0);
                a.weights.assign(static_cast<std::size_t>(a.count), 1.0f);
                a.weights[static_cast<std::size_t>(m_token)] = m_factor;
                a.sum.assign(static_cast<std::size_t>(a.count), 0);
                a.sum[static_cast<std::size_t>(m_token)] = 1;
                return a;
            }

        private:
            std::int64_t m_token;
            float m_factor;
        };
        const auto model = test::tokenModel("deit");
        const test::TokenImages images("deit");
        const nn::Sample& sample = images.samples[0];
        const auto scorer = tokens::gradientScorer(*test::tokenCheckpoint("deit"), {}, 0, 0);
        const tensor::Matrix<float> scores = scorer->score(sample.image, {});
        QCOMPARE(scores.rows(), 4);
        QCOMPARE(scores.cols(), 38);
        const std::vector<float> whole = test::runOne(*model, {}, sample);
        const auto best = static_cast<std::size_t>(std::ranges::max_element(whole) - whole.begin());
        const auto loss = [&](std::int64_t token, float factor) {
            tokens::Chain chain;
            chain.steps.push_back({1, tokens::Place::BeforeBlock, std::make_shared<Scale>(token, factor)}); // what leaves block 0
            const std::vector<float> logits = test::runOne(*model, chain, sample);
            double sum = 0;
            for (const float logit : logits)
                sum += std::exp(static_cast<double>(logit) - static_cast<double>(logits[best]));
            return std::log(sum);
        };
        const float step = 1.0f / 64;
        float largest = 0;
        for (std::int64_t token = 0; token < 38; ++token)
            largest = std::max(largest, scores(0, token));
        for (const std::int64_t token : {0, 1, 2, 9, 20, 37}) {
            const double difference = std::abs(loss(token, 1 + step) - loss(token, 1 - step)) / (2 * static_cast<double>(step));
            QVERIFY2(std::abs(difference - static_cast<double>(scores(0, token))) < 2e-3 * static_cast<double>(largest) + 5e-5,
                     qPrintable(QString("%1: %2, %3").arg(token).arg(difference).arg(static_cast<double>(scores(0, token)))));
        }
    }
    /// Where the patches' mean is read nothing vanishes: each block has scores of its own. Where the class token is, the last two have those of the block before.
    void gradientsVanishBehindAClassTokenAlone()
    {
        for (const char* name : {"timm_vit_avg_prenorm", "deit"}) {
            const test::TokenImages images(name);
            const auto scorer = tokens::gradientScorer(*test::tokenCheckpoint(name), {}, 0, 0);
            const tensor::Matrix<float> scores = scorer->score(images.samples[0].image, {});
            const std::int64_t last = scores.rows() - 1;
            const auto same = [&](std::int64_t one, std::int64_t other) { return std::ranges::equal(scores.view().row(one), scores.view().row(other)); };
            const bool average = std::string(name) != "deit";
            QCOMPARE(same(last, last - 1), !average);
            if (average) {
                QVERIFY(std::ranges::max(scores.view().row(last)) > 0.1f * std::ranges::max(scores.view().row(last - 1)));
                continue;
            }
            QVERIFY(same(last, last - 2) && !same(last, last - 3));
        }
        // what a step in the last block goes by
        const auto model = test::tokenModel("timm_vit_avg_prenorm");
        const test::TokenImages images("timm_vit_avg_prenorm");
        tokens::Chain chain;
        chain.imageScorer = tokens::gradientScorer(*test::tokenCheckpoint("timm_vit_avg_prenorm"), {}, 0, 0);
        const tensor::Matrix<float> scores = chain.imageScorer->score(images.samples[0].image, {});
        const int last = static_cast<int>(scores.rows()) - 1;
        lookAt(*model, images.samples[0], last, [&](const tokens::Look& look) { QVERIFY(std::ranges::equal(tokens::scoreTokens(Score::Gradient, look), scores.view().row(last))); }, chain);
    }
    void namesGoBothWays()
    {
        for (const Score score : tokens::allScores())
            QCOMPARE(tokens::scoreNamed(tokens::scoreName(score)), score);
        QVERIFY_EXCEPTION_THROWN(tokens::scoreNamed("row-sum"), Error);
        QCOMPARE(tokens::scoreParameter(Score::Entropy).choices.size(), tokens::allScores().size());
    }
    void whatAModelLacksIsSaid()
    {
        const auto average = test::tokenModel("timm_vit_avg_prenorm");
        for (const char* score : {"class-attention", "attention-value-norm", "rollout"})
            QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.top-rho", average, {{"score", score}}), Error);
        test::chainOf("tokens.top-rho", average, {{"score", "attention-received"}, {"blocks", "1"}});
        const auto vit = test::tokenModel("vit20");
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.top-rho", vit, {{"score", "gradient"}}), Error); // no checkpoint
    }
};

QTEST_GUILESS_MAIN(TestTokenScores)
#include "tst_token_scores.moc"

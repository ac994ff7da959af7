// SPDX-License-Identifier: GPL-3.0-or-later
// Candidates on every head, the best one that is cheap enough, and choices under a budget against all of them.
#include "core/attention/head_errors.h"
#include "core/attention/suited_methods.h"
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "tests/core/attention/noise_photos.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

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

struct Total {
    double macs = 0, output = 0;
};

/// Of a choice of candidates, -1 exact.
Total totalOf(const HeadCandidates& candidates, const std::vector<int>& chosen)
{
    Total total;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const CandidatesOfHead& head = candidates.heads[i];
        total.macs += static_cast<double>(chosen[i] < 0 ? head.exactMacs : head.candidates[static_cast<std::size_t>(chosen[i])].macs);
        total.output += chosen[i] < 0 ? 0 : head.candidates[static_cast<std::size_t>(chosen[i])].output;
    }
    return total;
}

Total totalOf(const HeadCandidates& candidates, const std::vector<HeadChoice>& choices)
{
    std::vector<int> chosen(candidates.heads.size(), -1);
    for (const HeadChoice& choice : choices)
        for (std::size_t i = 0; i < chosen.size(); ++i)
            for (std::size_t c = 0; c < candidates.heads[i].candidates.size(); ++c)
                if (candidates.heads[i].head == choice.head && candidates.settings[candidates.heads[i].candidates[c].setting] == ComparedSetting{choice.method, choice.parameters})
                    chosen[i] = static_cast<int>(c);
    return totalOf(candidates, chosen);
}

/// The least sum of errors within a budget, by trying all.
double leastOutput(const HeadCandidates& candidates, double most)
{
    std::vector<int> chosen(candidates.heads.size(), -1);
    double least = INFINITY;
    while (true) {
        const Total total = totalOf(candidates, chosen);
        if (total.macs <= most)
            least = std::min(least, total.output);
        std::size_t i = 0;
        while (i < chosen.size() && ++chosen[i] == static_cast<int>(candidates.heads[i].candidates.size()))
            chosen[i++] = -1;
        if (i == chosen.size())
            return least;
    }
}

/// Heads with settings of random costs and errors.
HeadCandidates randomCandidates(unsigned seed)
{
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> output(0.01, 1);
    std::uniform_int_distribution<std::uint64_t> macs(0, 1200); // some dearer than exact
    HeadCandidates all;
    for (std::int64_t value = 0; value < 4; ++value)
        all.settings.push_back(setting("attention.band", "reach", value));
    for (std::int64_t head = 0; head < 5; ++head) {
        all.heads.push_back({0, head, 1000, {}});
        for (std::size_t s = 0; s < 4; ++s)
            all.heads.back().candidates.push_back({s, macs(random), output(random)});
    }
    return all;
}
} // namespace

class TstSuitedMethods : public QObject {
    Q_OBJECT

private slots:
    void candidatesHaveTheErrorsOfTheirHeads()
    {
        const auto model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        const test::NoisePhotos source(2);
        std::vector<std::shared_ptr<const AttentionCapture>> samples;
        for (std::size_t i = 0; i < 2; ++i)
            samples.push_back(captureAttention(model, source, i, {}));
        const std::vector<ComparedSetting> settings{setting("attention.zero"), setting("attention.band", "reach", 8), setting("attention.band", "reach", 64), setting("attention.nothing")};
        const auto candidates = measureCandidates(*model, settings, {}, samples, {});
        QCOMPARE(candidates.heads.size(), std::size_t{24});
        QCOMPARE(candidates.refused.size(), std::size_t{1});
        QVERIFY(candidates.refused.front().find("attention.nothing") != std::string::npos);
        Parameters reach;
        reach.set("reach", std::int64_t{64});
        const auto expected = headErrors(*model, operatorsFor(*model, everywhere(*model, "attention.band", reach, {})), source, 2, {});
        std::vector<report::HeadComparison> heads;
        for (std::size_t i = 0; i < 24; ++i) {
            const CandidatesOfHead& head = candidates.heads[i];
            QCOMPARE(head.candidates.size(), std::size_t{3});
            QCOMPARE(head.candidates[0].output, 1.0);
            QVERIFY(std::abs(head.candidates[2].output - expected[i].output) < 1e-5);
            QVERIFY(head.candidates[0].macs == 0 && head.candidates[1].macs < head.candidates[2].macs && head.candidates[2].macs < head.exactMacs);
            heads.push_back({.layer = head.layer, .head = head.head});
        }
        fillSuited(heads, candidates, 0.9);
        const bool wider = candidates.heads[0].candidates[2].output < candidates.heads[0].candidates[1].output;
        QCOMPARE(heads[0].suited, std::string("attention.band"));
        QCOMPARE(heads[0].suitedSettings, std::string(wider ? "reach 64" : "reach 8"));
        fillSuited(heads, candidates, 0.0);
        QVERIFY(std::ranges::all_of(heads, [](const auto& head) { return head.suited == "attention.zero" && head.suitedOutput == 1; })); // all that costs nothing
        QVERIFY_EXCEPTION_THROWN(measureCandidates(*model, settings, {}, {}, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(measureCandidates(*model, settings, {}, samples, RunContext(stop.get_token())), Error);
    }
    void theBestThatIsCheapEnough()
    {
        HeadCandidates candidates{{setting("attention.band", "reach", 1), setting("attention.band", "reach", 2), setting("attention.band", "reach", 3)}, {{0, 0, 100, {{0, 60, 0.2}, {1, 50, 0.4}, {2, 40, 0.4}}}}, {}};
        std::vector<report::HeadComparison> heads(1);
        fillSuited(heads, candidates, 0.6);
        QCOMPARE(heads[0].suitedSettings, std::string("reach 1"));
        fillSuited(heads, candidates, 0.5);
        QCOMPARE(heads[0].suitedSettings, std::string("reach 3")); // of equals the cheaper
        fillSuited(heads, candidates, 0.3);
        QVERIFY(heads[0].suited.empty() && std::isnan(heads[0].suitedOutput));
    }
    void budgetsAgainstAllChoices()
    {
        for (unsigned seed = 0; seed < 20; ++seed) {
            const HeadCandidates candidates = randomCandidates(seed);
            double cheapest = 0;
            for (const CandidatesOfHead& head : candidates.heads)
                cheapest += static_cast<double>(std::min(head.exactMacs, std::ranges::min(head.candidates, {}, &MeasuredCandidate::macs).macs));
            for (const double keep : {1.0, 0.8, 0.6, 0.4}) {
                const Total found = totalOf(candidates, suitedChoices(candidates, keep));
                if (keep * 5000 < cheapest) {
                    QCOMPARE(found.macs, cheapest);
                    continue;
                }
                QVERIFY(found.macs <= keep * 5000);
                QVERIFY(std::abs(found.output - leastOutput(candidates, found.macs)) < 1e-12); // the optimum at what it costs
                // In between budgets: less than one step, and no step's error is above 1.
                QVERIFY(found.output <= leastOutput(candidates, keep * 5000) + 1);
            }
            QVERIFY(suitedChoices(candidates, 1.0).empty());
        }
    }
    void usualSettingsOfBlocksDifferOnShortSamples()
    {
        const nn::AttentionSpec spec{.heads = 1, .keyValueHeads = 1, .headDim = 8, .scale = 0.35F, .causal = true};
        std::mt19937 random(7);
        std::normal_distribution<float> normal;
        for (const std::int64_t tokens : {64, 197, 257, 1024}) {
            AttentionSample rows{tensor::Matrix<float>(tokens, 8), tensor::Matrix<float>(tokens, 8), tensor::Matrix<float>(tokens, 8), tensor::Matrix<float>(tokens, 8)};
            for (auto* part : {&rows.x, &rows.q, &rows.k, &rows.v})
                for (std::size_t i = 0; i < part->size(); ++i)
                    part->data()[i] = normal(random);
            for (const char* id : {"attention.moba", "attention.native-sparse"}) {
                std::vector<std::vector<float>> outputs;
                for (const ComparedSetting& each : usualSettings(*findMethod(id), {}, tokens)) {
                    const auto op = findMethod(id)->op({.spec = spec, .width = 8}, each.parameters);
                    tensor::Matrix<float> out(tokens, 8);
                    nn::Scratch scratch(false);
                    op->apply(rows.view(), out.view(), scratch);
                    outputs.emplace_back(out.values().begin(), out.values().end());
                }
                QCOMPARE(outputs.size(), std::size_t{3});
                QVERIFY2(outputs[0] != outputs[1] && outputs[1] != outputs[2] && outputs[0] != outputs[2], id);
            }
        }
        QCOMPARE(usualSettings(*findMethod("attention.moba"), {}, 65536)[1].parameters.integer("block"), std::int64_t{64}); // the defaults are for long texts
        QVERIFY(std::ranges::any_of(usualSettings(257), [](const ComparedSetting& each) { return each.method == "attention.linformer"; })); // its file is a choice, not a need
    }
    void usualSettingsAreThree()
    {
        const auto band = usualSettings(*findMethod("attention.band"));
        QCOMPARE(band.size(), std::size_t{3});
        QCOMPARE(band[0].parameters.integer("reach"), std::int64_t{16});
        QCOMPARE(band[2].parameters.integer("reach"), std::int64_t{64});
        QCOMPARE(shownSettings(band[1]), std::string("reach 32"));
        Parameters given;
        given.set("reach", std::int64_t{5});
        QCOMPARE(usualSettings(*findMethod("attention.band"), given).size(), std::size_t{1});
        QCOMPARE(usualSettings(*findMethod("attention.linear")).size(), std::size_t{3}); // its three maps
        QCOMPARE(usualSettings(*findMethod("attention.zero")).size(), std::size_t{1});
        for (const ComparedSetting& each : usualSettings()) { // within every method's ranges
            const Parameters complete = findMethod(each.method)->declaration.schema.complete(each.parameters);
            for (const auto& [name, value] : each.parameters.all())
                QVERIFY2(complete.value(name) == value, each.method.c_str());
        }
    }
};

QTEST_APPLESS_MAIN(TstSuitedMethods)
#include "tst_suited_methods.moc"

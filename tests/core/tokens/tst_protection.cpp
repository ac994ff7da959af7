// SPDX-License-Identifier: GPL-3.0-or-later
// Protected patches, and the schedules that users type, of all methods that prune.
#include "core/tokens/protection.h"

#include "core/tokens/image_complexity.h"
#include "core/tokens/schedule.h"
#include "core/tokens/selection.h"
#include "tests/core/tokens/pruning_golden.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <numeric>

using namespace tamis;

class TestProtection : public QObject {
    Q_OBJECT
    static const std::vector<std::pair<const char*, std::vector<std::pair<std::string, std::string>>>>& pruning()
    {
        static const std::vector<std::pair<const char*, std::vector<std::pair<std::string, std::string>>>> all{
            {"tokens.evit", {{"keep", "0.5"}}},       {"tokens.top-rho", {{"keep", "0.5"}}},     {"tokens.dynamicvit", {{"keep", "0.5"}}}, {"tokens.random", {{"keep", "0.5"}}},
            {"tokens.zero-tprune", {{"keep", "0.5"}}}, {"tokens.adaptive", {{"keep", "0.5"}, {"swing", "0"}}}, {"tokens.ats", {}},
        };
        return all;
    }

private slots:
    void ringsOfGrids()
    {
        using Marks = std::vector<std::uint8_t>;
        QCOMPARE(tokens::borderPatches(3, 4), (Marks{1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1}));
        QCOMPARE(tokens::borderPatches(1, 3), (Marks{1, 1, 1}));
        QCOMPARE(tokens::borderPatches(2, 2), (Marks{1, 1, 1, 1}));
        const std::vector<double> values{0.5, 0, 2, 0.5, 1};
        QCOMPARE(tokens::highestPatches(values, 0.4), (Marks{0, 0, 1, 0, 1}));
        QCOMPARE(tokens::highestPatches(values, 0.41), (Marks{1, 0, 1, 0, 1})); // rounded up, the earlier of equal ones
        QCOMPARE(tokens::highestPatches(values, 1), (Marks{1, 0, 1, 1, 1}));   // nothing is no edge
        QCOMPARE(tokens::highestPatches(values, 0), (Marks(5, 0)));
    }
    /// Every method: the protected are there at the end, and the number kept is the schedule's.
    void protectedPatchesStayWithinTheNumberKept()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const nn::Sample& sample = images.samples[1];
        const std::vector<std::uint8_t> border = tokens::borderPatches(16, 16), edges = tokens::highestPatches(tokens::patchEdges(sample.image, model->spec().patch), 0.15);
        QCOMPARE(std::accumulate(border.begin(), border.end(), 0), 60);
        QCOMPARE(std::accumulate(edges.begin(), edges.end(), 0), 39);
        for (const auto& [method, settings] : pruning())
            for (const char* protect : {"border", "gradient", "both"}) {
                auto with = settings;
                with.insert(with.end(), {{"protect", protect}, {"protect-share", "0.15"}, {"blocks", "1"}});
                auto without = settings;
                without.emplace_back("blocks", "1");
                tokens::Trace guarded, free;
                test::runOne(*model, test::chainOf(method, model, with), sample, &guarded);
                test::runOne(*model, test::chainOf(method, model, without), sample, &free);
                const bool isBorder = *protect == 'b';
                const tokens::TokenSet &set = guarded.layers.back().set, &other = free.layers.back().set;
                QCOMPARE(set.tokens(), other.tokens());
                int strays = 0;
                for (std::size_t patch = 0; patch < 256; ++patch) {
                    const bool wanted = (isBorder && border[patch]) || (std::string_view(protect) != "border" && edges[patch]);
                    if (wanted) {
                        const std::int32_t row = set.row[1 + patch];
                        QVERIFY2(row >= 0 && set.sizes[static_cast<std::size_t>(row)] == 1.0f, method);
                        strays += other.row[1 + patch] != row ? 1 : 0;
                    }
                }
                QVERIFY2(strays > 0, method); // the score alone keeps others
            }
    }
    /// Counts from a file: as many tokens as without, the protected among them, each with a token of its own.
    void countsFromAFileLeaveProtectedPatches()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const std::vector<std::uint8_t> border = tokens::borderPatches(16, 16);
        std::vector<std::pair<std::string, std::string>> settings{{"file", TAMIS_SOURCE_DIR "/tests/golden/token_reduction/diffrate.json"}, {"entry", "vit20/list"}};
        tokens::Trace free, guarded;
        test::runOne(*model, test::chainOf("tokens.diffrate", model, settings), images.samples[1], &free);
        settings.emplace_back("protect", "border");
        test::runOne(*model, test::chainOf("tokens.diffrate", model, settings), images.samples[1], &guarded);
        std::int64_t lost = 0;
        for (std::size_t block = 0; block < 6; ++block) {
            const tokens::TokenSet &set = guarded.layers[block].set, &other = free.layers[block].set;
            QCOMPARE(set.tokens(), std::max<std::int64_t>(other.tokens(), 61)); // the ring and the class token stay whatever the counts
            std::vector<int> held(static_cast<std::size_t>(set.tokens()));
            for (std::size_t patch = 0; patch < 256; ++patch) {
                lost += border[patch] && other.row[patch + 1] < 0;
                if (border[patch]) {
                    QVERIFY(set.row[patch + 1] >= 0);
                    QCOMPARE(++held[static_cast<std::size_t>(set.row[patch + 1])], 1); // of the ring, each its own
                }
            }
        }
        QVERIFY(lost > 0);
    }
    /// Where more are protected than may stay, all protected ones do, and no other.
    void moreProtectedThanMayStay()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const char* method : {"tokens.top-rho", "tokens.random", "tokens.dynamicvit", "tokens.zero-tprune"}) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf(method, model, {{"keep", "0.1"}, {"blocks", "1,2"}, {"protect", "border"}}), images.samples[0], &trace);
            const std::vector<std::uint8_t> border = tokens::borderPatches(16, 16);
            QCOMPARE(trace.layers.back().set.tokens(), 61);
            for (std::size_t patch = 0; patch < 256; ++patch)
                QCOMPARE(trace.layers.back().set.row[1 + patch] >= 0, border[patch] == 1);
        }
    }
    /// What the user says goes before: a protected patch that is dropped by hand is gone, a kept one stays beside the border.
    void theUsersWishesGoFirst()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::vector<tokens::Wish> wishes(257, tokens::Wish::None);
        wishes[1] = tokens::Wish::Drop;
        wishes[1 + 100] = tokens::Wish::Keep;
        tokens::Trace trace;
        test::runOne(*model, test::chainOf("tokens.top-rho", model, {{"keep", "0.1"}, {"protect", "border"}}), images.samples[0], &trace, wishes);
        QCOMPARE(trace.layers.back().set.tokens(), 1 + 59 + 1);
        QCOMPARE(trace.layers.back().set.row[1], -1);
        QVERIFY(trace.layers.back().set.row[101] >= 0);
    }
    void withoutProtectionNothingChanges()
    {
        const auto model = test::tokenModel("vit20");
        for (const auto& [method, settings] : pruning())
            for (const auto& spec : tokens::findMethod(method)->declaration.schema.specs())
                if (spec.name == "protect")
                    QCOMPARE(std::get<std::string>(spec.defaultValue), std::string("none"));
        tokens::Chain chain = test::chainOf("tokens.top-rho", model, {});
        const tokens::ReductionPtr step = chain.steps[0].reduction;
        Parameters parameters;
        parameters.set("protect", std::string("none"));
        parameters.set("protect-share", 0.5);
        tokens::protectPatches(model->spec().patch, parameters, chain);
        QVERIFY(chain.steps[0].reduction == step);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.evit", model, {{"protect", "corners"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.evit", model, {{"protect-share", "1.5"}}), Error);
    }
    void asPyTorch()
    {
        test::verifyPruning("evit_border", "tokens.evit", {{"keep", "0.6"}, {"protect", "border"}});
        test::verifyPruning("evit_gradient", "tokens.evit", {{"keep", "0.4"}, {"fuse", "false"}, {"protect", "gradient"}, {"protect-share", "0.2"}});
        test::verifyPruning("evit_both", "tokens.evit", {{"keep", "0.3"}, {"protect", "both"}, {"protect-share", "0.1"}});
    }
    // Schedules -----------------------------------------------------------------------------------------------------------
    void listsOfPartsAndNumbers()
    {
        const auto keeps = tokens::parseKeeps("0.9, 180,1,0.5", "x");
        QCOMPARE(keeps.size(), std::size_t{4});
        QCOMPARE(keeps[0].of(200), 180); // ceil(0.9 * 200), as doubles round
        QCOMPARE(keeps[1].of(200), 180);
        QCOMPARE(keeps[1].of(120), 120); // no more than there are
        QCOMPARE(keeps[2].of(77), 77);
        QCOMPARE(keeps[3].of(5), 3);
        QCOMPARE(tokens::Keep(0.01).of(5), 1);
        QVERIFY(tokens::parseKeeps("", "x").empty());
        for (const char* bad : {"0", "-1", "1.5", "0.9;0.8", "0.9,,0.8", "nan", "0.005", "1000001", "50%"})
            QVERIFY_EXCEPTION_THROWN(tokens::parseKeeps(bad, "x"), Error);
    }
    /// Falling, rising, parts and numbers, in every method that prunes in given blocks.
    void schedulesAsTyped()
    {
        using Counts = std::vector<std::int64_t>;
        const auto model = test::narrowVit(6);
        const std::vector<float> image = test::wavyImage(*model);
        const auto counts = [&](const char* method, const char* schedule) {
            tokens::Trace trace;
            std::vector<std::pair<std::string, std::string>> settings{{"blocks", "1,2,4"}, {"schedule", schedule}};
            if (std::string_view(method) == "tokens.evit")
                settings.emplace_back("fuse", "false");
            test::runOne(*model, test::chainOf(method, model, settings), {image, {}, {}}, &trace);
            return test::tokensAfter(trace);
        };
        for (const char* method : {"tokens.evit", "tokens.top-rho", "tokens.random", "tokens.zero-tprune"}) {
            QCOMPARE(counts(method, "0.9,0.7,0.5"), (Counts{197, 178, 125, 125, 63, 63})); // 177, 124, 62
            QCOMPARE(counts(method, "0.5,0.9,1"), (Counts{197, 99, 90, 90, 90, 90}));      // 98, 89
            QCOMPARE(counts(method, "150,0.5,20"), (Counts{197, 151, 76, 76, 21, 21}));
            QCOMPARE(counts(method, "60,120,0.5"), (Counts{197, 61, 61, 61, 31, 31})); // what is gone does not come back
        }
        QCOMPARE(counts("tokens.dynamicvit", "0.9,0.7,0.5"), (Counts{197, 177, 124, 124, 62, 62})); // cut off: 176, 123, 61
        QCOMPARE(counts("tokens.dynamicvit", "150,0.5,20"), (Counts{197, 151, 76, 76, 21, 21}));
        for (const char* method : {"tokens.evit", "tokens.top-rho", "tokens.random", "tokens.zero-tprune", "tokens.dynamicvit"})
            for (const char* bad : {"0.9,0.7", "0.9,0.7,0.5,0.4", "0.9,1.5,0.5", "0.9,0,0.5", "a"})
                QVERIFY_EXCEPTION_THROWN(counts(method, bad), Error);
    }
};

QTEST_GUILESS_MAIN(TestProtection)
#include "tst_protection.moc"

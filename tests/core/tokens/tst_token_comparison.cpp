// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_comparison.h"

#include "tests/core/tokens/image_source.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

class TestTokenComparison : public QObject {
    Q_OBJECT
private slots:
    void settingsSpreadFromMuchToLittle()
    {
        const auto model = test::tokenModel("vit20");
        const auto keeps = tokens::spreadSettings(*tokens::findMethod("tokens.evit"), {}, model->spec(), 4);
        QCOMPARE(keeps.size(), std::size_t{4});
        for (std::size_t i = 0; i < 4; ++i) {
            QCOMPARE(keeps[i].parameters.real("keep"), 0.8 - 0.2 * static_cast<double>(i));
            QCOMPARE(keeps[i].told, std::vector<std::string>{"keep"});
        }
        const auto merged = tokens::spreadSettings(*tokens::findMethod("tokens.tome"), {}, model->spec(), 3);
        QCOMPARE(merged[0].parameters.integer("r"), 11); // a quarter of 256 / 6
        QCOMPARE(merged[2].parameters.integer("r"), 32);
        Parameters given;
        given.set("keep", 0.5);
        QCOMPARE(tokens::spreadSettings(*tokens::findMethod("tokens.evit"), given, model->spec(), 4).size(), std::size_t{1});
        Parameters score;
        score.set("score", std::string("entropy"));
        const auto scored = tokens::spreadSettings(*tokens::findMethod("tokens.top-rho"), score, model->spec(), 2);
        QCOMPARE(scored.size(), std::size_t{2});
        QCOMPARE(scored[0].told, (std::vector<std::string>{"keep", "score"}));
        QCOMPARE(tokens::spreadSettings(*tokens::findMethod("tokens.diffrate"), {}, model->spec(), 4).size(), std::size_t{1});
    }
    void everyMethodBesideTheWholeModel()
    {
        const auto model = test::tokenModel("vit20");
        const test::ImageSource source(3, {5, 1, 5});
        std::vector<tokens::ComparedReduction> all;
        for (const tokens::Method& method : tokens::methods())
            for (auto& each : tokens::spreadSettings(method, {}, model->spec(), 2))
                all.push_back(std::move(each));
        std::vector<std::size_t> told;
        tokens::ComparisonOptions options;
        options.latencyOptions = {.batch = 1, .rounds = 1};
        const auto comparison = tokens::compareReductions({model, nullptr, 0, nullptr}, source, all, options, {}, [&](const report::TokenComparison& so) { told.push_back(so.points.size()); });
        QCOMPARE(comparison.points.size(), all.size() + 1);
        QCOMPARE(comparison.planned, all.size() + 1);
        QCOMPARE(comparison.photos, 3);
        QCOMPARE(told.size(), all.size() + 1);
        QVERIFY(std::ranges::is_sorted(told));
        const report::TokenPoint& whole = comparison.points.front();
        QVERIFY(whole.baseline && whole.latencyMs > 0 && whole.top1 >= 0);
        for (std::size_t i = 1; i < comparison.points.size(); ++i) {
            const report::TokenPoint& point = comparison.points[i];
            QCOMPARE(point.method, all[i - 1].method->declaration.id);
            QCOMPARE(point.baseline, all[i - 1].method->baseline);
            if (point.method == "tokens.diffrate") { // has no counts: a sentence, and the others went on
                QVERIFY(point.failure.find("file") != std::string::npos);
                continue;
            }
            QVERIFY2(point.failure.empty(), point.failure.c_str());
            QVERIFY(point.macs < whole.macs && point.latencyMs > 0 && point.tokensKept < 1 && std::isfinite(point.kl) && std::isfinite(point.top1));
            QCOMPARE(point.keptCounts.size(), std::size_t{3});
            QVERIFY(!point.settings.empty());
        }
    }
    void aStopEndsIt()
    {
        const auto model = test::tokenModel("vit20");
        const test::ImageSource source(2, {});
        std::stop_source stop;
        const auto all = tokens::spreadSettings(*tokens::findMethod("tokens.evit"), {}, model->spec(), 3);
        std::size_t points = 0;
        try {
            tokens::compareReductions({model, nullptr, 0, nullptr}, source, all, {.latency = false}, RunContext(stop.get_token()), [&](const report::TokenComparison& so) {
                points = so.points.size();
                stop.request_stop();
            });
            QFAIL("went on");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QCOMPARE(points, std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(TestTokenComparison)
#include "tst_token_comparison.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Settings spread over a method's sliders, and encoders measured side by side.
#include "core/base/error.h"
#include "core/encoder/encoder_comparison.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/linalg/blas_main.h"

#include <algorithm>
#include <new>
#include <set>

using namespace tamis;
using namespace tamis::encoder;

namespace {
Method scripted(std::vector<ParameterSpec> specs)
{
    Method method;
    method.declaration = {"encoder.scripted", "encoder", "Scripted", "", ParameterSchema(std::move(specs))};
    method.build = [](const Inputs&, const Parameters&, const RunContext&) -> Built { throw Error(ErrorCode::InvalidParameter, "found a script, expected an encoder"); };
    return method;
}

ParameterSpec whole(const std::string& name, double minimum, double maximum, std::int64_t value)
{
    return {.name = name, .title = name, .type = ParameterType::Integer, .defaultValue = value, .minimum = minimum, .maximum = maximum, .step = 1, .logarithmic = true};
}

std::vector<std::int64_t> valuesOf(const std::vector<ComparedEncoder>& all, const std::string& name)
{
    std::set<std::int64_t> values;
    for (const auto& each : all)
        values.insert(each.parameters.integer(name));
    return {values.begin(), values.end()};
}
} // namespace

class TestEncoderComparison : public QObject {
    Q_OBJECT
    std::shared_ptr<const Dictionary> m_dictionary; // 128 features, k = 16

private slots:
    void initTestCase() { m_dictionary = test::bundledDictionary("vit20.block3.k16/sparsify"); }
    void ranksDoubleUpToTheWidth()
    {
        const Method method = scripted({whole("rank", 1, 4096, 64)});
        QCOMPARE(valuesOf(spreadSettings(method, {}, *m_dictionary, 99), "rank"), (std::vector<std::int64_t>{8, 16, 32, 64, 128}));
        const auto few = valuesOf(spreadSettings(method, {}, *m_dictionary, 3), "rank");
        QCOMPARE(few, (std::vector<std::int64_t>{8, 32, 128})); // the first, the last, evenly between
    }
    void candidatesBeginAtK()
    {
        const Method method = scripted({whole("candidates", 1, 1'000'000, 64)});
        const auto values = valuesOf(spreadSettings(method, {}, *m_dictionary, 99), "candidates");
        QCOMPARE(values.front(), std::int64_t(16));
        QVERIFY(values.back() <= m_dictionary->latents());
        QVERIFY(2 * values.back() > m_dictionary->latents());
    }
    void choicesAndCandidatesAreCrossedAndTheRestIsKept()
    {
        ParameterSpec form{.name = "form", .title = "Form", .type = ParameterType::Choice, .defaultValue = std::string("a"), .choices = {"a", "b"}};
        ParameterSpec other{.name = "other", .title = "Other", .type = ParameterType::Choice, .defaultValue = std::string("c"), .choices = {"c", "d"}};
        ParameterSpec ridge{.name = "ridge", .title = "Ridge", .type = ParameterType::Real, .defaultValue = 0.1, .minimum = 0, .maximum = 1};
        const Method method = scripted({form, whole("candidates", 1, 1'000'000, 64), other, ridge, whole("rank", 1, 4096, 64)});
        Parameters given;
        given.set("ridge", 0.5);
        const auto all = spreadSettings(method, given, *m_dictionary, 3);
        QCOMPARE(all.size(), std::size_t(6));
        std::set<std::string> titles;
        for (const auto& each : all) {
            titles.insert(each.title);
            QCOMPARE(each.parameters.text("other"), std::string("c")); // only the first choice is tried
            QCOMPARE(each.parameters.integer("rank"), std::int64_t(64));
            QCOMPARE(each.parameters.real("ridge"), 0.5);
            QCOMPARE(each.told, (std::vector<std::string>{"form", "candidates", "ridge"}));
        }
        QCOMPARE(titles, (std::set<std::string>{"Scripted, a", "Scripted, b"}));
        const Method alone = scripted({form});
        QCOMPARE(spreadSettings(alone, {}, *m_dictionary, 3).front().title, std::string("Scripted")); // one encoder at two settings
    }
    void aMethodWithoutSlidersIsTriedOnce()
    {
        QCOMPARE(spreadSettings(scripted({}), {}, *m_dictionary, 8).size(), std::size_t(1));
    }
    /// Minutes each, and what bounds a beam (the parts there are) is a setting of its own: doublings of it would be clamped into one encoder.
    void aMethodThatTrainsIsTriedOnceAsGiven()
    {
        Method method = scripted({whole("beam", 1, 4096, 4), whole("candidates", 1, 1'000'000, 64)});
        method.trains = true;
        Parameters given;
        given.set("beam", std::int64_t{8});
        const auto all = spreadSettings(method, given, *m_dictionary, 4);
        QCOMPARE(all.size(), std::size_t(1));
        QCOMPARE(all[0].parameters.integer("beam"), std::int64_t(8));
        QCOMPARE(all[0].parameters.integer("candidates"), std::int64_t(64));
        QCOMPARE(all[0].told, std::vector<std::string>{"beam"});
        for (const Method& each : methods())
            if (each.trains)
                QCOMPARE(spreadSettings(each, {}, *m_dictionary, 8).size(), std::size_t(1));
    }
    void memoryThatIsNotThereIsAFailureOfOneMethod()
    {
        const auto exact = exactTokens(m_dictionary, test::bundledRows("vit20", 0, 20));
        Method greedy = scripted({});
        greedy.build = [](const Inputs&, const Parameters&, const RunContext&) -> Built { throw std::bad_alloc(); };
        const Method& scan = *findMethod("encoder.exact");
        const auto comparison = compareEncoders(*exact, {m_dictionary, {}, 0}, {{&greedy, {}, "Greedy", {}}, {&scan, scan.declaration.schema.defaults(), "Scan", {}}}, {}, {});
        QVERIFY(comparison.points[1].failure.find("memory") != std::string::npos);
        QVERIFY(comparison.points[2].failure.empty() && comparison.points[2].quality.recallMean == 1);
    }
    void everyMethodOfTheLabHasSettingsThatItsSchemaTakes()
    {
        for (const Method& method : methods())
            for (const auto& each : spreadSettings(method, {}, *m_dictionary, 8))
                QCOMPARE(method.declaration.schema.complete(each.parameters), each.parameters);
    }
    void pointsAreThoseOfMeasuringEachAlone()
    {
        const auto exact = exactTokens(m_dictionary, test::bundledRows("vit20", 0, 60));
        const Inputs inputs{m_dictionary, m_dictionary->prepared(test::bundledRows("vit20", 384, 300).view()), 0};
        auto encoders = spreadSettings(*findMethod("encoder.low-rank"), {}, *m_dictionary, 3);
        const Method broken = scripted({});
        encoders.insert(encoders.begin() + 1, {&broken, {}, "Broken", {}});
        std::vector<std::size_t> told;
        const auto comparison = compareEncoders(*exact, inputs, encoders, {}, {}, [&](const auto& soFar) { told.push_back(soFar.points.size()); });
        QCOMPARE(told, (std::vector<std::size_t>{1, 2, 3, 4, 5}));
        QCOMPARE(comparison.planned, std::size_t(5));
        QVERIFY(comparison.points[0].exact);
        QCOMPARE(comparison.points[0].quality.recallMean, 1.0);
        QVERIFY(comparison.points[2].failure.find("found a script") != std::string::npos);
        QVERIFY(std::isnan(comparison.points[2].quality.recallMean));
        const auto& point = comparison.points[1];
        QVERIFY(point.settings.find("rank 8") == 0);
        const auto alone = measureEncoder(*exact, *findMethod("encoder.low-rank")->build(inputs, encoders[0].parameters, {}).encoder, "encoder.low-rank", encoders[0].parameters, {});
        QCOMPARE(point.quality.recallMean, alone.quality.recallMean);
        QCOMPARE(point.quality.fvu, alone.quality.fvu);
        QCOMPARE(point.cost.macs, alone.cost.macs);
        QVERIFY(comparison.points[4].quality.recallMean > point.quality.recallMean); // rank 128 against 8
    }
    void theFastestIsThatOfTheLargestRatioAmongThoseThatReachTheRecall()
    {
        const auto point = [](double recall, double ms, double exactMs, const char* failure = "") {
            report::EncoderPoint p;
            p.quality.recallMean = recall;
            p.latency = {{1, ms, ms, exactMs}};
            p.failure = failure;
            return p;
        };
        report::EncoderComparison comparison;
        comparison.points = {point(1, 4, 4), point(0.98, 1, 4), point(0.99, 2, 4), point(0.995, 3, 9), point(1, 1, 9, "gave up"), point(std::nan(""), 1, 9)};
        QCOMPARE(fastestAt(comparison, 0.99, 1), &comparison.points[3]);
        QCOMPARE(fastestAt(comparison, 0.9, 1), &comparison.points[1]);
        QCOMPARE(fastestAt(comparison, 0.999, 1), &comparison.points[0]);
        QVERIFY(!fastestAt(comparison, 0.99, 64) && !fastestAt({}, 0, 1));
    }
    void aStopIsNoFailureOfAMethod()
    {
        const auto exact = exactTokens(m_dictionary, test::bundledRows("vit20", 0, 20));
        const Inputs inputs{m_dictionary, m_dictionary->prepared(test::bundledRows("vit20", 384, 100).view()), 0};
        std::stop_source stop;
        bool cancelled = false;
        try {
            (void)compareEncoders(*exact, inputs, spreadSettings(*findMethod("encoder.low-rank"), {}, *m_dictionary, 3), {}, RunContext(stop.get_token()),
                                  [&](const auto&) { stop.request_stop(); });
        } catch (const Error& error) {
            cancelled = error.code() == ErrorCode::Cancelled;
        }
        QVERIFY(cancelled);
    }
    void certifiedTokensTellHowWideTheirBoundsAre()
    {
        const auto exact = exactTokens(m_dictionary, test::bundledRows("vit20", 0, 60));
        const Method& method = *findMethod("encoder.certified");
        const auto width = [&](const char* bits) {
            Parameters parameters = method.declaration.schema.defaults();
            parameters.set("bits", std::string(bits));
            const auto report = measureEncoder(*exact, *method.build({m_dictionary, {}, 0}, parameters, {}).encoder, "encoder.certified", parameters, {});
            std::vector<double> widths;
            for (const auto& outcome : report.outcomes)
                if (!outcome.dense)
                    widths.push_back(outcome.bound);
            return widths;
        };
        const auto eight = width("8"), four = width("4");
        QVERIFY(!eight.empty());
        for (const double each : eight)
            QVERIFY(each > 0 && each < 0.5); // 8-bit rows of 128 features: a residual of less than 2 % of the row, times sqrt(128), and the input's
        for (const double each : four)
            QVERIFY(each > *std::ranges::max_element(eight)); // 16 times coarser
    }
};

TAMIS_BLAS_TEST_MAIN(TestEncoderComparison)
#include "tst_encoder_comparison.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// plan.json: exact round trips, the keys that scripts rely on, and what a malformed one answers.
#include "core/plan/plan.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "tests/corpus/expectations.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::plan;

namespace {
Plan sample()
{
    Plan plan;
    plan.modelPath = "/models/vit \"20\"\n\xC3\xA9";
    plan.modelSha256 = std::string(64, 'a');
    plan.calibrationPath = "calibration.h5";
    plan.calibrationSha256 = std::string(64, 'b');
    plan.method = "spectrum.whitened";
    plan.parameters.set("ridge", 0.1);
    plan.parameters.set("seed", std::int64_t(-3));
    plan.parameters.set("whole", 2.0); // a real that looks like an integer stays a real
    plan.parameters.set("form", std::string("cholesky"));
    plan.parameters.set("exact", true);
    plan.budget = {1.0 / 3, Allocation::Energy, Accounting::BlockIdentity, 8, {}};
    plan.budget.unit = BudgetUnit::Latency;
    plan.budget.settings = {0.25, 0.75, Importance::BlockInfluence, 1.5, 0.8, 7, 3, HarmMeasure::Likelihood, true};
    plan.budget.overrides["blocks.0.qkv"] = {40, true};
    plan.budget.overrides["blocks.1.qkv"] = {std::nullopt, true};
    plan.seed = -3;
    plan.operators = {{"blocks.0.qkv.weight", "blocks.0.qkv", "block-identity", 40, 384, 128, true, true, 0.1 + 0.2, 1e-300},
                      {"head.weight", "head", "dense", 20, 20, 128, false, false, 0, 0}};
    plan.tokens = PlannedTokens{"tokens.evit", {}, {257, 180.25, 0}};
    plan.tokens->parameters.set("keep", 1.0);
    plan.tokens->parameters.set("blocks", std::string("1,3"));
    plan.tokens->parameters.set("r", std::int64_t(4));
    plan.tokens->parameters.set("fuse", false);
    plan.attention = {{2, -1, "attention.nystrom", {}}, {2, 3, "", {}}, {0, 1, "attention.band", {}}};
    plan.attention[0].parameters.set("landmarks", std::int64_t(32));
    plan.attention[2].parameters.set("share", 2.0); // a real that looks like an integer stays a real
    plan.attentionSeed = -7;
    plan.cache = PlannedCache{"cache.lru-k", {}, std::uint64_t{1} << 60U, true, 1.0 / 3, "requests \"of\" a day.csv"};
    plan.cache->parameters.set("k", std::int64_t(3));
    plan.cache->parameters.set("share", 2.0);
    plan.cache->rules.set("hard", 0.75);
    plan.cache->rules.set("protect", std::string("7,a \"b\""));
    plan.reuse = PlannedReuse{"reuse.gate", {}, "a \"video\"", 1.0 / 3};
    plan.reuse->parameters.set("threshold", 2.0);
    plan.reuse->parameters.set("r", std::int64_t(3));
    plan.cost = {123456789012345678ull, 1, 2, 0.5};
    plan.baseline = {std::numeric_limits<std::uint64_t>::max(), 4, 5, 0.7};
    plan.predictedLoss = 5e-324;
    plan.predictedRelativeLoss = 0.30000000000000004;
    return plan;
}
QJsonObject parsed(const Plan& plan)
{
    return QJsonDocument::fromJson(QByteArray::fromStdString(planToJson(plan))).object();
}
} // namespace

class TstPlan : public QObject
{
    Q_OBJECT
private slots:
    void roundTripsExactly()
    {
        const Plan plan = sample();
        const std::string text = planToJson(plan);
        const Plan again = planFromJson(text, "text");
        QVERIFY(again == plan);
        QCOMPARE(planToJson(again), text);
    }
    void fileRoundTrip()
    {
        QTemporaryDir dir;
        const std::filesystem::path file = dir.filePath("plan.json").toStdString();
        writePlan(file, sample());
        QVERIFY(readPlan(file) == sample());
        try {
            readPlan(dir.filePath("none.json").toStdString());
            QFAIL("read");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::IoFailure);
        }
    }
    void tokensAloneAreAPlan()
    {
        Plan plan = sample();
        plan.method.clear();
        plan.operators.clear();
        const Plan again = planFromJson(planToJson(plan), "text");
        QVERIFY(again == plan);
        QCOMPARE(again.tokens->schedule, (std::vector<double>{257, 180.25, 0}));
        plan.tokens.reset();
        QVERIFY(!parsed(plan).contains("tokens")); // as before there were any
        QVERIFY(!planFromJson(planToJson(plan), "text").tokens);
        QVERIFY(parsed(sample())["tokens"].toObject()["parameters"].toObject()["keep"].isDouble());
    }
    void reuseAloneIsAPlan()
    {
        Plan plan;
        plan.modelPath = "m";
        plan.modelSha256 = "aa";
        QVERIFY(!parsed(plan).contains("reuse")); // as before there was any
        plan.reuse = PlannedReuse{"reuse.gate", {}, "motion", 0.25};
        plan.reuse->parameters.set("threshold", 0.5);
        const auto written = parsed(plan)["reuse"].toObject();
        QCOMPARE(written.keys(), QStringList({"macsShare", "method", "parameters", "sequence"}));
        QCOMPARE(written["macsShare"].toDouble(), 0.25);
        QCOMPARE(planFromJson(planToJson(plan), "text").reuse, plan.reuse);
        plan.reuse->macsShare = 0; // not measured
        QCOMPARE(planFromJson(planToJson(plan), "text").reuse, plan.reuse);
    }

    void aCacheAloneIsAPlan()
    {
        Plan plan = sample();
        plan.method.clear();
        plan.modelPath.clear();
        plan.operators.clear();
        QVERIFY(planFromJson(planToJson(plan), "text") == plan);
        const auto written = parsed(plan)["cache"].toObject();
        QCOMPARE(written.keys(), QStringList({"parameters", "policy", "rules", "size", "trace", "unit", "warmUp"}));
        QCOMPARE(written["unit"].toString(), QString("bytes"));
        QVERIFY(written["parameters"].toObject()["share"].isDouble());
        plan.cache->rules = {};
        QVERIFY(!parsed(plan)["cache"].toObject().contains("rules")); // as before there were any
        plan.cache->bytes = false;
        QCOMPARE(parsed(plan)["cache"].toObject()["unit"].toString(), QString("objects"));
        plan.cache.reset();
        QVERIFY(!parsed(plan).contains("cache")); // as before there were any
        QVERIFY(!planFromJson(planToJson(plan), "text").cache);
    }
    void attentionIsInTheOrderOfItsChoices()
    {
        const auto written = parsed(sample())["attention"].toArray();
        QCOMPARE(written.size(), 3);
        QCOMPARE(written[0].toObject()["method"].toString(), QString("attention.nystrom"));
        QCOMPARE(written[0].toObject()["parameters"].toObject()["landmarks"].toInt(), 32);
        QCOMPARE(written[1].toObject()["head"].toInt(), 3);
        QCOMPARE(parsed(sample())["attentionSeed"].toInt(), -7);
        QJsonObject root = parsed(sample());
        root["attention"] = QJsonArray{QJsonObject{{"block", 4}, {"method", "attention.zero"}}}; // all heads, no parameters
        root.remove("attentionSeed");
        root["cost"] = root["baseline"] = QJsonObject{{"parameters", 1}, {"bytes", 2}, {"macs", 3}}; // Qt's numbers are doubles
        const Plan shortest = planFromJson(QJsonDocument(root).toJson().toStdString(), "text");
        QCOMPARE(shortest.attention, (std::vector<PlannedAttention>{{4, -1, "attention.zero", {}}}));
        QCOMPARE(shortest.attentionSeed, std::int64_t{0});
        Plan none = sample();
        none.attention.clear();
        QVERIFY(!parsed(none).contains("attention") && !parsed(none).contains("attentionSeed")); // as before there were any
    }
    void notMeasuredIsNull()
    {
        Plan plan = sample();
        plan.cost.latencyMs = std::nan("");
        plan.operators[0].predictedLoss = std::nan("");
        QVERIFY(parsed(plan)["cost"].toObject()["latencyMs"].isNull());
        const Plan again = planFromJson(planToJson(plan), "text");
        QVERIFY(std::isnan(again.cost.latencyMs) && std::isnan(again.operators[0].predictedLoss));
        QCOMPARE(planToJson(again), planToJson(plan));
    }
    // Independent reader (Qt's), and the key list of the documentation.
    void theDocumentedKeysAreThere()
    {
        const auto root = parsed(sample());
        QCOMPARE(root["schema"].toString(), QString("tamis.plan/1"));
        for (const char* key : {"schema", "model", "calibration", "method", "parameters", "keep", "allocation", "accounting",
                                "alignment", "unit", "allocationSettings", "seed", "overrides", "operators", "cost", "baseline", "predictedLoss",
                                "predictedRelativeLoss"})
            QVERIFY2(root.contains(key), key);
        QCOMPARE(root["model"].toObject()["hash"].toString(), QString(64, 'a'));
        QCOMPARE(root["model"].toObject()["path"].toString(), QString::fromUtf8("/models/vit \"20\"\n\xC3\xA9"));
        const auto op = root["operators"].toArray()[0].toObject();
        QCOMPARE(op["tensor"].toString(), QString("blocks.0.qkv.weight"));
        QCOMPARE(op["rank"].toInt(), 40);
        QCOMPARE(op["predictedLoss"].toDouble(), 0.1 + 0.2);
        QCOMPARE(root["parameters"].toObject()["ridge"].toDouble(), 0.1);
        QCOMPARE(root["overrides"].toObject()["blocks.0.qkv"].toObject()["rank"].toInt(), 40);
        const QByteArray text = QByteArray::fromStdString(planToJson(sample()));
        QVERIFY(text.startsWith("{\n  \"schema\": \"tamis.plan/1\",\n  \"model\": {\n    \"path\""));
    }
    void unknownKeysAreIgnoredAndOptionalOnesMayBeMissing()
    {
        QJsonObject root = parsed(sample());
        root["colour"] = "blue";
        root.remove("seed");
        root.remove("overrides");
        root.remove("unit");
        root.remove("allocationSettings");
        root["calibration"] = QJsonValue::Null;
        auto operators = root["operators"].toArray();
        auto op = operators[0].toObject();
        op["note"] = QJsonArray{1, 2};
        op.remove("locked");
        operators[0] = op;
        root["operators"] = operators;
        auto cost = root["cost"].toObject(); // QJson would write 1.23e17 for it
        cost["parameters"] = 7;
        root["cost"] = cost;
        root["baseline"] = cost;
        const Plan plan = planFromJson(QJsonDocument(root).toJson().toStdString(), "text");
        QVERIFY(plan.seed == 0 && plan.budget.overrides.empty() && plan.calibrationSha256.empty());
        QVERIFY(!plan.operators[0].locked && plan.operators[0].overridden);
        QVERIFY(plan.budget.unit == BudgetUnit::Parameters && plan.budget.settings == AllocationSettings());
    }

    void malformed_data() { test::addExpectations("plan"); }
    void malformed()
    {
        test::verifyExpectation("plan", [](const std::filesystem::path& path) { return readPlan(path).operators.size(); });
    }
    // Cutting a valid plan anywhere is an Error, never a crash or half a plan.
    void everyTruncationIsRefused()
    {
        const std::string text = planToJson(sample());
        for (std::size_t length = 0; length + 2 < text.size(); ++length) // without the last newline it is still whole
            try {
                planFromJson(std::string_view(text).substr(0, length), "cut");
                QFAIL(qPrintable(QString("accepted %1 bytes").arg(length)));
            } catch (const Error& error) {
                QVERIFY(error.code() == ErrorCode::MalformedFile);
            }
    }
};

QTEST_GUILESS_MAIN(TstPlan)
#include "tst_plan.moc"

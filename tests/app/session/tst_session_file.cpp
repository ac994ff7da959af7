// SPDX-License-Identifier: GPL-3.0-or-later
// Session files: exact round trips, where paths lead, and what a malformed one answers.
#include "app/session/session_file.h"
#include "core/base/error.h"
#include "tests/app/session/session_sample.h"
#include "tests/corpus/expectations.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <functional>
#include <optional>

using namespace tamis;
using namespace tamis::app;
using test::sampleSession;

namespace {
QJsonObject parsed(const std::string& text) { return QJsonDocument::fromJson(QByteArray::fromStdString(text)).object(); }
SessionState fromObject(const QJsonObject& object)
{
    return sessionFromJson(QJsonDocument(object).toJson().toStdString(), "/sessions", "text");
}
SessionState withModel(const std::string& path)
{
    SessionState state;
    state.modelPath = path;
    return state;
}
QString writtenModel(const std::string& path, const char* base)
{
    return parsed(sessionToJson(withModel(path), base))["model"].toString();
}
} // namespace

class TstSessionFile : public QObject
{
    Q_OBJECT
private slots:
    void roundTripsExactly()
    {
        const SessionState state = sampleSession("/sessions");
        const std::string text = sessionToJson(state, "/sessions");
        const SessionState again = sessionFromJson(text, "/sessions", "text");
        QVERIFY(again == state);
        // operator== is the program's own: the type, the last bit and the missing latency are looked at here.
        QVERIFY(std::holds_alternative<double>(again.settings.parameters.value("whole")));
        QCOMPARE(again.settings.parameters.integer("seed"), std::numeric_limits<std::int64_t>::min());
        QVERIFY(again.settings.parameters.real("ridge") == 0.1 + 0.2);
        QVERIFY(again.settings.budget.keep == 1.0 / 3);
        QVERIFY(again.points[0].relativeLoss == 5e-324);
        QCOMPARE(again.points[0].cost.parameters, std::numeric_limits<std::uint64_t>::max());
        QVERIFY(std::isnan(again.points[1].cost.latencyMs));
        QVERIFY(!again.settings.budget.overrides.at("blocks.1.qkv").rank.has_value());
        QCOMPARE(sessionToJson(again, "/sessions"), text);
    }
    void theSampleHasNoDefaults()
    {
        const QJsonObject sample = parsed(sessionToJson(sampleSession("/sessions"), "/sessions")), empty = parsed(sessionToJson({}, "/"));
        for (const QString& group : {QString("settings"), QString("chart"), QString("selection")})
            for (const QString& key : sample[group].toObject().keys())
                QVERIFY2(sample[group][key] != empty[group][key], qPrintable(group + "." + key));
        for (const QString& key : sample.keys())
            QVERIFY2(key == "schema" || sample[key] != empty[key], qPrintable(key));
    }
    void tokensByHandAreInOrderAndOnceOnly()
    {
        QJsonObject session = parsed(sessionToJson({}, "/"));
        QJsonObject tokens = session["tokens"].toObject();
        tokens["byHand"] = QJsonArray{QJsonObject{{"photo", "a.jpg"}, {"kept", QJsonArray{9, 2, 9}}, {"dropped", QJsonArray{4, 2}}}, QJsonObject{{"photo", "b.jpg"}}};
        session["tokens"] = tokens;
        const auto state = fromObject(session);
        QCOMPARE(state.tokens.hands.size(), std::size_t(1)); // nothing was said of the second photo
        QVERIFY((state.tokens.hands.at("a.jpg") == TokenHand{{2, 9}, {4}})); // kept wins
        tokens["byHand"] = QJsonArray{QJsonObject{{"photo", "a.jpg"}, {"kept", QJsonArray{-1}}}};
        session["tokens"] = tokens;
        QVERIFY_THROWS_EXCEPTION(Error, fromObject(session));
    }
    void attentionPlacesAreInOrderAndOnceOnly()
    {
        QJsonObject session = parsed(sessionToJson({}, "/"));
        const auto place = [](int block, int head, const char* method) { return QJsonObject{{"block", block}, {"head", head}, {"method", method}}; };
        QJsonObject attention = session["attention"].toObject();
        attention["blocks"] = QJsonArray{3, 1, 3};
        attention["own"] = QJsonArray{place(2, 1, "attention.band"), place(1, 0, "exact"), place(2, -1, "exact"), place(2, 1, "attention.linear"), place(4, 0, "")};
        session["attention"] = attention;
        const auto choice = fromObject(session).attention;
        QVERIFY((*choice.blocks == std::vector<int>{1, 3}));
        QCOMPARE(choice.places.size(), std::size_t(3)); // the block's choice took the place of its head's, and the head got another
        QVERIFY((choice.places[0] == AttentionPlace{1, 0, "exact", {}}));
        QVERIFY((choice.places[1] == AttentionPlace{2, -1, "exact", {}}));
        QVERIFY((choice.places[2] == AttentionPlace{2, 1, "attention.linear", {}}));
        for (const auto& wrong : {QJsonArray{place(-1, 0, "exact")}, QJsonArray{place(0, -2, "exact")}}) {
            attention["own"] = wrong;
            session["attention"] = attention;
            QVERIFY_THROWS_EXCEPTION(Error, fromObject(session));
        }
    }
    void allCurvesAllocationsAndAccountings()
    {
        using report::Curve;
        for (const auto curve : {Curve::SingularValues, Curve::CumulativeEnergy, Curve::Loss, Curve::RelativeLoss})
            for (const auto allocation : {plan::Allocation::Uniform, plan::Allocation::Energy, plan::Allocation::Greedy})
                for (const auto accounting : {plan::Accounting::Factors, plan::Accounting::BlockIdentity, plan::Accounting::Remapped}) {
                    SessionState state;
                    state.chart.series.curve = curve;
                    state.settings.budget.allocation = allocation;
                    state.settings.budget.accounting = accounting;
                    QVERIFY(sessionFromJson(sessionToJson(state, "/"), "/", "text") == state);
                }
    }
    void aLossThatIsNotANumberStaysOne()
    {
        SessionState state;
        state.points.resize(1);
        state.points[0].relativeLoss = std::nan("");
        const SessionState again = sessionFromJson(sessionToJson(state, "/"), "/", "text");
        QVERIFY(std::isnan(again.points[0].relativeLoss));
        QVERIFY(again == state);
    }
    // The independent reader is Qt's; the keys are those of docs/formats-session.md.
    void theDocumentedKeysAreThere()
    {
        const std::string text = sessionToJson(sampleSession("/sessions"), "/sessions");
        const auto root = parsed(text);
        QCOMPARE(root["schema"].toString(), QString("tamis.session/1"));
        QCOMPARE(root.keys(), QStringList({"attention", "cache", "calibration", "chart", "encoder", "fleet", "hierarchy", "lowRank", "model", "plan", "points", "reuse", "schema", "selection", "settings", "tokens"}));
        QCOMPARE(root["settings"].toObject().keys(),
                 QStringList({"accounting", "alignment", "allocation", "keep", "method", "overrides", "parameters"}));
        QCOMPARE(root["chart"].toObject().keys(),
                 QStringList({"baseline", "curve", "heldOut", "logX", "logY", "normalised", "samples"}));
        QCOMPARE(root["points"][0].toObject().keys(), QStringList({"baseline", "cost", "keep", "label", "relativeLoss", "settings"}));
        QCOMPARE(root["points"][0]["cost"].toObject().keys(), QStringList({"bytes", "latencyMs", "macs", "parameters"}));
        QCOMPARE(root["settings"]["overrides"]["blocks.0.qkv"]["rank"].toInt(), 40);
        QVERIFY(!root["settings"]["overrides"]["blocks.1.qkv"].toObject().contains("rank"));
        QVERIFY(root["points"][1]["cost"]["latencyMs"].isNull());
        QVERIFY(text.starts_with("{\n  \"schema\": \"tamis.session/1\",\n  \"model\""));
        QVERIFY(text.ends_with("}\n"));
    }

    // The example says every key, and means what the program means.
    void theDocumentedExampleIsASession()
    {
        QFile file(TAMIS_SOURCE_DIR "/docs/formats-session.md");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QString example = QString::fromUtf8(file.readAll()).section("```json\n", 1, 1).section("```", 0, 0);
        const SessionState state = sessionFromJson(example.toStdString(), "/sessions", "example");
        QCOMPARE(state.modelPath, std::string("/sessions/vit20"));
        QCOMPARE(state.points.size(), std::size_t(1));
        QCOMPARE(parsed(sessionToJson(state, "/sessions")), parsed(example.toStdString()));
    }

    void pathsBesideTheSessionAreRelative()
    {
        QCOMPARE(writtenModel("/a/b/model", "/a/b"), QString("model"));
        QCOMPARE(writtenModel("/a/b/c/model", "/a/b"), QString("c/model"));
        QCOMPARE(writtenModel("/a/b", "/a/b"), QString("."));
        QCOMPARE(writtenModel("/a/b/../b/./model", "/a/b/"), QString("model"));
        QCOMPARE(writtenModel("/a/b/model", "/a/x/../b"), QString("model"));
        QCOMPARE(writtenModel("/a/b/..model", "/a/b"), QString("..model"));
    }
    void otherPathsAreAbsolute()
    {
        QCOMPARE(writtenModel("/a/model", "/a/b"), QString("/a/model"));
        QCOMPARE(writtenModel("/a/bc/model", "/a/b"), QString("/a/bc/model"));
        QCOMPARE(writtenModel("/x/../y/model", "/a/b"), QString("/y/model"));
        QCOMPARE(writtenModel("", "/a/b"), QString());
    }
    void pathsComeBackWhereTheyWere()
    {
        for (const char* path : {"/a/b/model", "/a/b/c/model", "/a/b", "/a/b/..model", "/a/model", "/y/model", ""})
            QCOMPARE(sessionFromJson(sessionToJson(withModel(path), "/a/b"), "/a/b", "text").modelPath, std::string(path));
    }
    void aMovedFolderTakesItsModelAlong()
    {
        const std::string text = sessionToJson(sampleSession("/sessions"), "/sessions");
        const SessionState moved = sessionFromJson(text, "/moved", "text");
        QCOMPARE(moved.modelPath, std::string("/moved/models/vit \"20\" \xC3\xA9"));
        QCOMPARE(moved.calibrationPath, std::string("/elsewhere/calibration.h5"));
    }
    void writesAndReadsAFile()
    {
        QTemporaryDir dir;
        const std::filesystem::path folder = QDir(dir.path()).canonicalPath().toStdString(), file = folder / "mine.tamis";
        const SessionState state = sampleSession(folder.string());
        writeSession(file, state);
        QVERIFY(readSession(file) == state);
        QCOMPARE(QDir(dir.path()).entryList(QDir::Files | QDir::Hidden), QStringList("mine.tamis"));
        QFile written(dir.filePath("mine.tamis"));
        QVERIFY(written.open(QIODevice::ReadOnly));
        QVERIFY(parsed(written.readAll().toStdString())["model"].toString().startsWith("models/"));
    }
    void fileErrors()
    {
        QTemporaryDir dir;
        const std::filesystem::path folder = dir.path().toStdString();
        const auto code = [](const std::function<void()>& action) -> std::optional<ErrorCode> {
            try {
                action();
            } catch (const Error& error) {
                return error.code();
            }
            return {};
        };
        QVERIFY(code([&] { readSession(folder / "none.tamis"); }) == ErrorCode::IoFailure);
        QVERIFY(code([&] { readSession(folder); }) == ErrorCode::IoFailure);
        QVERIFY(code([&] { writeSession(folder / "none" / "x.tamis", {}); }) == ErrorCode::IoFailure);
        QFile large(dir.filePath("large.tamis"));
        QVERIFY(large.open(QIODevice::WriteOnly) && large.resize((8 << 20) + 1));
        QVERIFY(code([&] { readSession(folder / "large.tamis"); }) == ErrorCode::LimitExceeded);
    }

    void unknownKeysAreIgnored()
    {
        QJsonObject root = parsed(sessionToJson(sampleSession("/sessions"), "/sessions"));
        auto points = root["points"].toArray();
        auto point = points[0].toObject();
        auto cost = point["cost"].toObject(); // QJson writes 2^64 - 1 as a real number
        cost["parameters"] = 7;
        cost["watts"] = 3;
        point["cost"] = cost;
        point["note"] = QJsonArray{1, 2};
        points = {point};
        root["points"] = points;
        auto chart = root["chart"].toObject();
        chart["colour"] = "blue";
        root["chart"] = chart;
        root["window"] = QJsonObject{{"width", 3}};
        auto settings = root["settings"].toObject();
        settings["overrides"] = QJsonObject{{"head", QJsonObject{{"locked", true}, {"why", "it is small"}}}};
        settings["mood"] = QJsonValue::Null;
        root["settings"] = settings;
        const SessionState state = fromObject(root);
        QCOMPARE(state.points.size(), std::size_t(1));
        QCOMPARE(state.points[0].cost.parameters, std::uint64_t(7));
        QVERIFY((state.settings.budget.overrides.at("head") == plan::Override{std::nullopt, true}));
        QVERIFY(state.chart == sampleSession("/sessions").chart);
    }
    void everyKeyButTheSchemaIsOptional()
    {
        QVERIFY(fromObject({{"schema", "tamis.session/1"}}) == SessionState());
        QJsonObject nulls{{"schema", "tamis.session/1"}};
        for (const char* key : {"model", "calibration", "settings", "selection", "chart", "points"})
            nulls[key] = QJsonValue::Null;
        QVERIFY(fromObject(nulls) == SessionState());
    }

    void malformed_data() { test::addExpectations("session"); }
    void malformed()
    {
        test::verifyExpectation("session", [](const std::filesystem::path& path) { return readSession(path).points.size(); });
    }
    void longNamesAreCutInMessages()
    {
        const QString name(100'000, 'x');
        for (const QJsonObject& settings : {QJsonObject{{"parameters", QJsonObject{{name, QJsonArray{}}}}},
                                            QJsonObject{{"overrides", QJsonObject{{name, 3}}}}, QJsonObject{{"allocation", name}}})
            try {
                fromObject({{"schema", "tamis.session/1"}, {"settings", settings}});
                QFAIL("accepted");
            } catch (const Error& error) {
                QVERIFY(error.message().size() < 300);
            }
    }
    // Cutting a valid session anywhere is an Error, never a crash or half a session.
    void everyTruncationIsRefused()
    {
        const std::string text = sessionToJson(sampleSession("/sessions"), "/sessions");
        for (std::size_t length = 0; length + 2 < text.size(); ++length)
            try {
                sessionFromJson(std::string_view(text).substr(0, length), "/sessions", "cut");
                QFAIL(qPrintable(QString("accepted %1 bytes").arg(length)));
            } catch (const Error& error) {
                QVERIFY(error.code() == ErrorCode::MalformedFile);
            }
        // Without its last newline it is still whole.
        QVERIFY(sessionFromJson(std::string_view(text).substr(0, text.size() - 1), "/sessions", "cut") == sampleSession("/sessions"));
    }
};

QTEST_GUILESS_MAIN(TstSessionFile)
#include "tst_session_file.moc"

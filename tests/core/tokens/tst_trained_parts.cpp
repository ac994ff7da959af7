// SPDX-License-Identifier: GPL-3.0-or-later
// Files of trained parts: what goes in comes out, and nothing else is taken.
#include "core/base/error.h"
#include "core/tokens/trained_parts.h"
#include "tests/corpus/expectations.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <limits>
#include <span>

using namespace tamis;
using namespace tamis::tokens;

namespace {
const std::string kModel(64, 'b');

TrainedParts sample()
{
    TrainedParts parts;
    parts.method = "tokens.learned";
    parts.parameters.set("keep", 1.0);
    parts.parameters.set("steps", std::int64_t{20});
    parts.parameters.set("fuse", true);
    parts.parameters.set("blocks", std::string("1,\"3\",\xc3\xa9"));
    parts.model = kModel;
    parts.tensors = {{.name = "a", .shape = {2, 3}, .values = {1, -2, 0.1F, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), -0.0F}},
                     {.name = "b", .shape = {1, 1, 2}, .values = {3, 4}}};
    parts.losses = {{.name = "training", .points = {{0, 1}}}};
    parts.warnings = {"not in files"};
    return parts;
}

template <class Ask> QString refusalOf(ErrorCode code, const Ask& ask)
{
    try {
        ask();
    } catch (const Error& error) {
        return error.code() == code ? QString::fromStdString(error.what()) : QStringLiteral("another code: ") + QString::fromStdString(error.what());
    }
    return QStringLiteral("accepted");
}
} // namespace

class TestTrainedParts : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    std::filesystem::path path(const char* name) const { return m_directory.filePath(QLatin1String(name)).toStdString(); }

private slots:
    /// Every bit of every value, every kind of parameter; curves and warnings are not in files.
    void roundTrip()
    {
        const TrainedParts written = sample();
        writeTrainedParts(path("whole.safetensors"), written);
        const TrainedParts read = readTrainedParts(path("whole.safetensors"));
        QVERIFY(read.method == written.method && read.model == written.model);
        QVERIFY(read.parameters == written.parameters);
        QVERIFY(std::holds_alternative<double>(read.parameters.value("keep"))); // 1.0 stays a real number
        QVERIFY(read.losses.empty() && read.warnings.empty());
        QCOMPARE(read.tensors.size(), written.tensors.size());
        for (std::size_t i = 0; i < read.tensors.size(); ++i) {
            QVERIFY(read.tensors[i].name == written.tensors[i].name && read.tensors[i].shape == written.tensors[i].shape);
            QVERIFY(std::ranges::equal(std::as_bytes(std::span(read.tensors[i].values)), std::as_bytes(std::span(written.tensors[i].values))));
        }
    }
    void tensorsAreAskedForByNameAndShape()
    {
        const TrainedParts parts = sample();
        QCOMPARE(parts.floats("a", {2, 3}).values[1], -2.0F);
        QVERIFY(refusalOf(ErrorCode::MalformedFile, [&] { (void)parts.floats("a", {3, 2}); }).contains("tokens.learned: a: found floats of shape [2, 3], expected floats of shape [3, 2]"));
        QVERIFY(refusalOf(ErrorCode::MalformedFile, [&] { (void)parts.floats("c", {1}); }).contains("the trained method has no tensor 'c'"));
    }
    /// Only for the method and the model that they were trained for.
    void requireFor()
    {
        const TrainedParts parts = sample();
        QCOMPARE(refusalOf(ErrorCode::InvalidParameter, [&] { parts.requireFor("tokens.learned", kModel); }), "accepted");
        QVERIFY(refusalOf(ErrorCode::InvalidParameter, [&] { parts.requireFor("tokens.exit", kModel); }).contains("trained by tokens.learned, expected those of tokens.exit"));
        const QString other = refusalOf(ErrorCode::InvalidParameter, [&] { parts.requireFor("tokens.learned", std::string(64, 'c')); });
        QVERIFY2(other.contains("SHA-256 bbbbbbbbbbbb..., expected cccccccccccc..."), qPrintable(other));
    }
    void whatCannotBeWrittenLeavesNothing()
    {
        TrainedParts parts = sample();
        parts.tensors[0].shape = {2, 4};
        QVERIFY_THROWS_EXCEPTION(Error, writeTrainedParts(path("none.safetensors"), parts));
        parts = sample();
        parts.tensors[1].name = "a";
        QVERIFY_THROWS_EXCEPTION(Error, writeTrainedParts(path("none.safetensors"), parts));
        parts = sample();
        parts.tensors[0] = {.name = "a", .shape = {1}, .integers = {1}};
        QVERIFY(refusalOf(ErrorCode::InvalidParameter, [&] { writeTrainedParts(path("none.safetensors"), parts); }).contains("holds integers"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, writeTrainedParts(path("none.safetensors"), sample(), RunContext(stop.get_token())));
        QVERIFY(!std::filesystem::exists(path("none.safetensors")));
        QVERIFY_THROWS_EXCEPTION(Error, readTrainedParts(path("none.safetensors")));
    }
    void corpus_data() { test::addExpectations("trained_tokens"); }
    void corpus()
    {
        QFETCH(QString, file);
        QFETCH(QString, code);
        QFETCH(QString, contains);
        std::size_t numbers = 0;
        try {
            for (const auto& tensor : readTrainedParts((QStringLiteral(TAMIS_SOURCE_DIR "/tests/corpus/trained_tokens/") + file).toStdString()).tensors)
                numbers += tensor.values.size();
        } catch (const Error& error) {
            QCOMPARE(QString::fromUtf8(errorCodeName(error.code()).data()), code);
            QVERIFY2(QString(error.what()).contains(contains), error.what());
            QVERIFY2(QString::fromStdString(error.subject()).contains(file), error.subject().c_str()); // the tensor or the parameters may follow
            return;
        }
        QCOMPARE(code, "ok");
        QCOMPARE(QString::number(numbers), contains);
    }
};

QTEST_GUILESS_MAIN(TestTrainedParts)
#include "tst_trained_parts.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Files of trained encoders: what goes in comes out, and nothing else is taken.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/sha256.h"
#include "core/encoder/trained_encoder.h"
#include "tests/core/encoder/dictionaries.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <limits>

using namespace tamis;
using namespace tamis::encoder;

namespace {
std::shared_ptr<const Dictionary> dictionaryOf(std::int64_t k = 3) { return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(2100, 6, 5)), k); }

TrainedEncoder sample()
{
    TrainedEncoder e;
    e.method = "encoder.low-rank-trained";
    e.parameters.set("rank", std::int64_t{2});
    e.parameters.set("learning-rate", 1.0);
    e.parameters.set("tiny", 1e-300);
    e.parameters.set("centre", true);
    e.parameters.set("start", std::string("a \"quoted\" word, \xc3\xa9"));
    e.width = 6;
    e.latents = 2100;
    e.k = 3;
    e.dictionary = fingerprintOf(*dictionaryOf());
    e.tensors = {{"a", {2, 3}, {1, -2, 0.1F, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), -0.0F}, {}},
                 {"places", {4}, {}, {0, -1, 2147483647, -2147483647 - 1}},
                 {"b", {1, 1, 2}, {3, 4}, {}}};
    return e;
}

QByteArray header(const QByteArray& json) // with its length before it
{
    QByteArray bytes(8, '\0');
    for (int i = 0; i < 8; ++i)
        bytes[i] = static_cast<char>(static_cast<quint64>(json.size()) >> (8 * i));
    return bytes + json;
}
const QByteArray kGoodMetadata = R"("format":"tamis.trained-encoder/1","method":"encoder.x","parameters":"{\"rank\":2}","width":"6","latents":"20","k":"3","dictionary":")" + QByteArray(64, 'a') + '"';
const QByteArray kOneFloat = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";

QByteArray file(const QByteArray& metadata, const QByteArray& tensors = kOneFloat, const QByteArray& content = QByteArray(4, '\0'))
{
    return header("{\"__metadata__\":{" + metadata + "}," + tensors + "}") + content;
}
QByteArray changed(const char* from, const char* to) { return QByteArray(kGoodMetadata).replace(from, to); }
} // namespace

class TestTrainedEncoder : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    std::filesystem::path path(const char* name) const { return m_directory.filePath(QLatin1String(name)).toStdString(); }

    QString refusalOf(const QByteArray& bytes) const
    {
        QFile out(m_directory.filePath("bad.safetensors"));
        if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size())
            return "not written";
        out.close();
        try {
            readTrainedEncoder(path("bad.safetensors"));
        } catch (const Error& error) {
            return QString::fromStdString(std::string(errorCodeName(error.code())) + ": " + error.what());
        }
        return "accepted";
    }

private slots:
    /// Every bit of every value, every kind of parameter.
    void roundTrip()
    {
        const TrainedEncoder written = sample();
        writeTrainedEncoder(path("whole.safetensors"), written);
        const TrainedEncoder read = readTrainedEncoder(path("whole.safetensors"));
        QVERIFY(read.parameters == written.parameters);
        QVERIFY(std::holds_alternative<double>(read.parameters.value("learning-rate"))); // 1.0 stays a real number
        QVERIFY(read.method == written.method && read.width == 6 && read.latents == 2100 && read.k == 3 && read.dictionary == written.dictionary);
        QCOMPARE(read.tensors.size(), written.tensors.size());
        for (std::size_t i = 0; i < read.tensors.size(); ++i) {
            QVERIFY(read.tensors[i].name == written.tensors[i].name && read.tensors[i].shape == written.tensors[i].shape && read.tensors[i].integers == written.tensors[i].integers);
            QVERIFY(std::ranges::equal(std::as_bytes(std::span(read.tensors[i].values)), std::as_bytes(std::span(written.tensors[i].values))));
        }
    }
    void tensorsAreAskedForByNameShapeAndKind()
    {
        const TrainedEncoder e = sample();
        QCOMPARE(e.floats("a", {2, 3}).values[1], -2.0F);
        QCOMPARE(e.indices("places", {4}).integers[1], -1);
        const auto refusal = [](const auto& ask) {
            try {
                ask();
            } catch (const Error& error) {
                return error.code() == ErrorCode::MalformedFile ? QString::fromStdString(error.what()) : QString("another code");
            }
            return QString("accepted");
        };
        QVERIFY(refusal([&] { (void)e.floats("a", {3, 2}); }).contains("a: found floats of shape [2, 3], expected floats of shape [3, 2]"));
        QVERIFY(refusal([&] { (void)e.floats("places", {4}); }).contains("found integers of shape [4], expected floats"));
        QVERIFY(refusal([&] { (void)e.indices("a", {2, 3}); }).contains("found floats of shape [2, 3], expected integers"));
        QVERIFY(refusal([&] { (void)e.floats("c", {1}); }).contains("no tensor 'c'"));
    }
    /// Only for the method, the sizes and the dictionary that it was trained for.
    void requireFor()
    {
        const auto refusal = [](const TrainedEncoder& e, const std::string& method, const Dictionary& dictionary) {
            try {
                e.requireFor(method, dictionary);
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter ? QString::fromStdString(error.what()) : QString("another code");
            }
            return QString("accepted");
        };
        TrainedEncoder e = sample();
        QCOMPARE(refusal(e, e.method, *dictionaryOf()), "accepted");
        QVERIFY(refusal(e, "encoder.mixture", *dictionaryOf()).contains("trained by encoder.low-rank-trained, expected one by encoder.mixture"));
        QVERIFY(refusal(e, e.method, *dictionaryOf(4)).contains("k = 3, expected 2100 of width 6, k = 4"));
        auto other = test::wholeAutoencoder(2100, 6, 5);
        other.encoder(2099, 5) += 1; // the very last number
        QVERIFY(refusal(e, e.method, *Dictionary::of(std::make_shared<const io::SparseAutoencoder>(other), 3)).contains("fingerprint"));
    }
    /// By hand from the definition in docs/formats-trained-encoder.md; decoder and the way the bias came about do not count.
    void fingerprintIsAsDocumented()
    {
        const auto dictionary = dictionaryOf();
        std::string text;
        for (std::int64_t first = 0; first < 2100; first += 1024)
            text += sha256(std::as_bytes(std::span(dictionary->rows().data + first * 6, static_cast<std::size_t>(std::min<std::int64_t>(1024, 2100 - first) * 6)))) + "\n";
        text += sha256(std::as_bytes(std::span(dictionary->bias()))) + "\n2100 6 3\n";
        QCOMPARE(fingerprintOf(*dictionary), sha256(std::as_bytes(std::span(text))));
        auto same = test::wholeAutoencoder(2100, 6, 5);
        same.decoder(0, 0) += 1;
        QCOMPARE(fingerprintOf(*Dictionary::of(std::make_shared<const io::SparseAutoencoder>(same), 3)), fingerprintOf(*dictionary));
        same.encoderBias[7] += 1;
        QVERIFY(fingerprintOf(*Dictionary::of(std::make_shared<const io::SparseAutoencoder>(same), 3)) != fingerprintOf(*dictionary));
        const ThreadLimit limit(1);
        QCOMPARE(fingerprintOf(*dictionaryOf()), fingerprintOf(*dictionary));
    }
    void whatCannotBeWrittenLeavesNothing()
    {
        TrainedEncoder e = sample();
        e.tensors[0].shape = {2, 4};
        QVERIFY_THROWS_EXCEPTION(Error, writeTrainedEncoder(path("none.safetensors"), e));
        e = sample();
        e.tensors[1].name = "a";
        QVERIFY_THROWS_EXCEPTION(Error, writeTrainedEncoder(path("none.safetensors"), e));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, writeTrainedEncoder(path("none.safetensors"), sample(), RunContext(stop.get_token())));
        QVERIFY(!std::filesystem::exists(path("none.safetensors")));
        QVERIFY_THROWS_EXCEPTION(Error, readTrainedEncoder(path("none.safetensors")));
    }
    void malformedFilesAreRefused_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("says");
        QTest::newRow("good") << file(kGoodMetadata) << "accepted";
        QTest::newRow("empty") << QByteArray() << "malformed file";
        QTest::newRow("no metadata") << header('{' + kOneFloat + '}') + QByteArray(4, '\0') << "no 'format'";
        QTest::newRow("another format") << file(changed("encoder/1", "encoder/2")) << "format \"tamis.trained-encoder/2\"";
        QTest::newRow("no method") << file(changed("encoder.x", "")) << "no 'method'";
        QTest::newRow("no width") << file(changed("\"width\"", "\"w\"")) << "no 'width'";
        QTest::newRow("width 0") << file(changed("\"6\"", "\"0\"")) << "width = \"0\"";
        QTest::newRow("width -1") << file(changed("\"6\"", "\"-1\"")) << "width = \"-1\"";
        QTest::newRow("width with a tail") << file(changed("\"6\"", "\"6 \"")) << "width = \"6 \"";
        QTest::newRow("width beyond 64 bits") << file(changed("\"6\"", "\"99999999999999999999\"")) << "width = ";
        QTest::newRow("k beyond the latents") << file(changed("\"k\":\"3\"", "\"k\":\"21\"")) << "k = 21 of 20 latents";
        QTest::newRow("fingerprint") << file(changed("aaaa\"", "aaaG\"")) << "expected 64 hexadecimal digits";
        QTest::newRow("parameters that are a list") << file(changed("{\\\"rank\\\":2}", "[1]")) << "no JSON object";
        QTest::newRow("a parameter that is an object") << file(changed(":2}", ":{}}")) << "nested deeper";
        QTest::newRow("a parameter that is null") << file(changed(":2}", ":null}")) << "is null";
        QTest::newRow("a parameter twice") << file(changed(":2}", ":2,\\\"rank\\\":3}")) << "rank";
        QTest::newRow("a parameter beyond 64 bits") << file(changed(":2}", ":18446744073709551615}")) << "\"rank\" is number";
        QTest::newRow("not JSON") << file(changed(":2}", ":2")) << "parameters";
        const auto tensor = [](const char* rest) { return R"("a":{)" + QByteArray(rest) + '}'; };
        QTest::newRow("F64") << file(kGoodMetadata, tensor(R"("dtype":"F64","shape":[1],"data_offsets":[0,8])"), QByteArray(8, '\0')) << "type F64, expected F32 or I32";
        QTest::newRow("no element") << file(kGoodMetadata, tensor(R"("dtype":"F32","shape":[0,3],"data_offsets":[0,0])"), {}) << "at least one element";
        QTest::newRow("shape and bytes differ") << file(kGoodMetadata, tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])")) << "malformed file";
        QTest::newRow("beyond the file") << file(kGoodMetadata, tensor(R"("dtype":"F32","shape":[4000000000],"data_offsets":[0,16000000000])")) << "malformed file";
        QTest::newRow("shape overflows") << file(kGoodMetadata, tensor(R"("dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4])")) << "malformed file";
        QTest::newRow("twice") << file(kGoodMetadata, kOneFloat + ',' + QByteArray(kOneFloat).replace("[0,4]}", "[4,8]}"), QByteArray(8, '\0')) << "malformed file";
        QTest::newRow("NaN") << file(kGoodMetadata, kOneFloat, QByteArray("\0\0\xc0\x7f", 4)) << "element 0 is no finite number";
        QTest::newRow("infinity") << file(kGoodMetadata, kOneFloat, QByteArray("\0\0\x80\xff", 4)) << "a: element 0 is no finite number";
        QTest::newRow("cut short") << file(kGoodMetadata).chopped(1) << "malformed file";
    }
    void malformedFilesAreRefused()
    {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, says);
        const QString found = refusalOf(bytes);
        QVERIFY2(found.contains(says), qPrintable(found));
        QVERIFY2(says == "accepted" || found.contains("bad.safetensors"), qPrintable(found));
    }
};

QTEST_GUILESS_MAIN(TestTrainedEncoder)
#include "tst_trained_encoder.moc"

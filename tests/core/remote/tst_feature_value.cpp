// SPDX-License-Identifier: GPL-3.0-or-later
// Values that were changed on the way, servers that are none, the journal's bound, transfers and lines: all without a server.
#include "core/base/sha256.h"
#include "core/remote/feature_store.h"
#include "core/remote/feature_journal.h"
#include "core/remote/store_latency.h"
#include "core/remote/transfer.h"
#include "tests/core/base/failure.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/remote/hostile_server.h"
#include "tests/corpus/expectations.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::remote;

namespace {
tensor::Matrix<float> waves(std::int64_t rows, std::int64_t cols)
{
    tensor::Matrix<float> matrix(rows, cols);
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < cols; ++j)
            matrix(i, j) = static_cast<float>(std::sin(0.7 * static_cast<double>(i * cols + j)) * (1 + static_cast<double>(i)));
    return matrix;
}
FeatureJournal::Value valueOf(std::size_t bytes) { return std::make_shared<const std::string>(bytes, 'x'); }
} // namespace

class TstFeatureValue : public QObject {
    Q_OBJECT
    const std::string m_key = keyText("tamis", {"abc", "photo.f32"});

    void verifyServer(const std::string& text, const std::string& expected)
    {
        QCOMPARE(parseServer(text).text(), expected);
    }

private slots:
    void comesBackAsItWas()
    {
        QCOMPARE(m_key, std::string("tamis:features:1:abc:photo.f32"));
        for (const Transfer transfer : {Transfer::F32, Transfer::F16, Transfer::I8}) {
            const Features features = pack(waves(5, 7), transfer);
            const std::string value = encodeValue(m_key, features);
            QVERIFY(decodeValue(m_key, value) == features);
            QVERIFY(value.size() > transferBytes(transfer, 5, 7));
        }
        const Features empty{tensor::DType::F32, {0, 7}, {}, {}};
        QVERIFY(decodeValue(m_key, encodeValue(m_key, empty)) == empty);
    }
    void nothingChangedIsRead()
    {
        const std::string value = encodeValue(m_key, pack(waves(2, 3), Transfer::I8));
        for (std::size_t size = 0; size < value.size(); ++size) // every cut
            QVERIFY(test::failure([&] { decodeValue(m_key, std::string_view(value).substr(0, size)); }, ErrorCode::MalformedFile).contains("found"));
        for (std::size_t i = 0; i < value.size(); ++i) // every byte, two ways
            for (const int flip : {1, 128}) {
                std::string changed = value;
                changed[i] = static_cast<char>(changed[i] ^ flip);
                QVERIFY(test::failure([&] { decodeValue(m_key, changed); }, ErrorCode::MalformedFile).contains("found"));
            }
        QVERIFY(test::failure([&] { decodeValue(m_key, value + "x"); }, ErrorCode::MalformedFile).contains("as many as the header says"));
        QVERIFY(test::failure([&] { decodeValue(keyText("tamis", {"abc", "other.f32"}), value); }, ErrorCode::MalformedFile).contains("checksum"));
    }
    void corpus_data() { test::addExpectations("feature_value"); }
    /// As fuzz_feature_value reads them: an odd first byte stands for the right checksum behind the rest.
    void corpus()
    {
        test::verifyExpectation("feature_value", [](const std::filesystem::path& path) {
            QFile file(QString::fromStdString(path.string()));
            if (!file.open(QIODevice::ReadOnly))
                return std::size_t{999};
            const std::string input = file.readAll().toStdString(), key = keyText("tamis", {"model", path.filename().string()});
            std::string value = input.substr(1);
            if (input[0] % 2 == 1) {
                const std::string both = key + "\n" + value;
                value += sha256(std::as_bytes(std::span(both.data(), both.size())));
            }
            const Features features = decodeValue(key, value);
            if (encodeValue(key, features) != value)
                return std::size_t{999};
            return features.bytes.size();
        });
    }
    void badKeysAndShapes()
    {
        QVERIFY(test::failure([] { keyText("tamis", {"a:b", "x"}); }, ErrorCode::InvalidParameter).contains("found 'a:b'"));
        QVERIFY(test::failure([] { keyText("tamis", {"a", "*"}); }, ErrorCode::InvalidParameter).contains("found '*'"));
        QVERIFY(test::failure([] { keyText("", {"a", "b"}); }, ErrorCode::InvalidParameter).contains("prefix"));
        Features features = pack(waves(2, 3), Transfer::F32);
        features.shape = {2, 4};
        QVERIFY(test::failure([&] { encodeValue(m_key, features); }, ErrorCode::InvalidParameter).contains("expected those of the shape"));
        features.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
        QVERIFY(test::failure([&] { encodeValue(m_key, features); }, ErrorCode::InvalidParameter).contains("expected those of the shape"));
    }
    void transfersErrAsLittleAsTheyMay()
    {
        const auto whole = waves(6, 33);
        QVERIFY(unpack(pack(whole, Transfer::F32)) == whole);
        const auto half = unpack(pack(whole, Transfer::F16)), small = unpack(pack(whole, Transfer::I8));
        for (std::int64_t i = 0; i < whole.rows(); ++i) {
            float most = 0;
            for (const float value : whole.view().row(i))
                most = std::max(most, std::fabs(value));
            for (std::int64_t j = 0; j < whole.cols(); ++j) {
                QVERIFY(std::fabs(half(i, j) - whole(i, j)) <= 0x1p-11F * std::fabs(whole(i, j)) + 0x1p-25F); // half a unit of 11 bits, or of the least subnormal
                QVERIFY(std::fabs(small(i, j) - whole(i, j)) <= most / 254 * 1.0001F);                        // half a step; a ten thousandth for float's rounding
            }
        }
        tensor::Matrix<float> bad(1, 2);
        bad(0, 1) = INFINITY;
        QVERIFY(test::failure([&] { pack(bad, Transfer::I8); }, ErrorCode::NonFinite).contains("not finite"));
        QVERIFY(test::failure([] { unpack({tensor::DType::I64, {1}, std::vector<std::byte>(8), {}}); }, ErrorCode::MalformedFile).contains("I64"));
        QCOMPARE(transferNamed("int8"), std::optional(Transfer::I8));
        QVERIFY(!transferNamed("int4"));
    }
    void serversAreNamed()
    {
        verifyServer("localhost", "localhost:6379");
        verifyServer("10.0.0.1:7000", "10.0.0.1:7000");
        verifyServer("[::1]:80", "[::1]:80");
        verifyServer("unix:/run/r.sock", "unix:/run/r.sock");
        verifyServer("/run/r.sock", "unix:/run/r.sock");
        QVERIFY(parseServer("127.0.0.2").local() && parseServer("/x").local() && !parseServer("10.0.0.1").local());
        for (const char* bad : {"", ":6379", "a:0", "a:65536", "a:6379x", "a b", "[::1", "[::1]x", "unix:", "host;rm"})
            QVERIFY2(test::failure([&] { parseServer(bad); }, ErrorCode::InvalidParameter).contains("expected HOST:PORT"), bad);
    }
    void theJournalKeepsItsBound()
    {
        FeatureJournal journal(100);
        const auto a = valueOf(30);
        QCOMPARE(journal.add("a", a).values, std::uint64_t{0});
        journal.add("b", valueOf(30));
        journal.delivered("a", a);
        journal.add("c", valueOf(30)); // 93 bytes
        QCOMPARE(journal.bytes(), std::uint64_t{93});
        QCOMPARE(journal.add("d", valueOf(30)).values, std::uint64_t{0}); // what the server has goes first
        QVERIFY(!journal.find("a") && journal.find("b"));
        const auto lost = journal.add("e", valueOf(40));
        QCOMPARE(lost.values, std::uint64_t{2}); // then what has waited longest
        QCOMPARE(lost.bytes, std::uint64_t{62});
        QVERIFY(!journal.find("b") && !journal.find("c") && journal.find("d") && journal.find("e"));
        QCOMPARE(journal.add("f", valueOf(200)).values, std::uint64_t{1});
        QVERIFY(!journal.find("f"));
        QCOMPARE(journal.waitingCount(), std::uint64_t{2});
        QCOMPARE(journal.bytes(), std::uint64_t{72});
    }
    void deliveriesAreForgotten()
    {
        FeatureJournal journal(1000);
        const auto first = valueOf(10), second = valueOf(11);
        journal.add("m:a", first);
        journal.add("m:b", second);
        journal.delivered("m:a", second); // another value than is kept
        QCOMPARE(journal.waitingCount(), std::uint64_t{2});
        journal.delivered("m:b", second);
        QCOMPARE(journal.waiting(9, 1000).size(), std::size_t{1});
        QCOMPARE(journal.forgetDeliveries(), std::uint64_t{1});
        QCOMPARE(journal.waitingCount(), std::uint64_t{2});
        journal.add("n:a", first);
        QCOMPARE(journal.removeWithPrefix("m:"), std::uint64_t{2});
        QCOMPARE(journal.bytes(), std::uint64_t{13});
    }
    void whatIsHeldGivesWayToWhatWaits()
    {
        FeatureJournal journal(100);
        journal.add("a", valueOf(30));
        journal.hold("b", valueOf(30));
        journal.hold("c", valueOf(40)); // 31 + 31 + 41: the one that is held goes
        QVERIFY(journal.find("a") && !journal.find("b") && journal.find("c"));
        journal.hold("d", valueOf(80)); // no room beside what waits
        QVERIFY(journal.find("a") && journal.find("c") && !journal.find("d"));
        journal.hold("a", valueOf(20)); // taken meanwhile: waits no longer
        QCOMPARE(journal.waitingCount(), std::uint64_t{0});
        QCOMPARE(journal.bytes(), std::uint64_t{62});
        QCOMPARE(journal.forgetDeliveries(), std::uint64_t{2});
        QCOMPARE(journal.waiting(9, 50).size(), std::size_t{1}); // the second would be beyond 50 bytes
        QCOMPARE(journal.waiting(9, 1).size(), std::size_t{1});  // one at least
        QCOMPARE(journal.waiting(9, 62).size(), std::size_t{2});
        journal.remove("a");
        QCOMPARE(journal.bytes(), std::uint64_t{41});
    }
    void linesAreFitted()
    {
        const auto line = fitLine({{1000, 2e-5 + 1e-6}, {10000, 2e-5 + 1e-5}, {1000000, 2e-5 + 1e-3}});
        QVERIFY(std::fabs(line.seconds - 2e-5) < 1e-15 && std::fabs(line.secondsPerByte - 1e-9) < 1e-18 && line.worst < 1e-9);
        QVERIFY(std::isnan(fitLine({{5, 1}, {5, 2}}).seconds) && std::isnan(fitLine({}).seconds));
        QCOMPARE(quantile({4, 1, 3, 2}, 0.5), 2.0);
        QCOMPARE(quantile({4, 1, 3, 2}, 0.99), 4.0);
        QVERIFY(std::isnan(quantile({}, 0.5)));
    }
    void hostileServers_data()
    {
        QTest::addColumn<QByteArray>("answer");
        QTest::addColumn<bool>("endless");
        QTest::newRow("no protocol") << QByteArray("hello world\r\n") << false;
        QTest::newRow("a huge list") << QByteArray("*2147483647\r\n") << false;
        QTest::newRow("a list beyond 32 bits") << QByteArray("*4294967297\r\n") << false;
        QTest::newRow("a negative length") << QByteArray("$-7\r\n") << false;
        QTest::newRow("a length beyond 64 bits") << QByteArray("$99999999999999999999999\r\n") << false;
        QTest::newRow("lists in lists") << QByteArray("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n") << false;
        QTest::newRow("wide lists in lists") << QByteArray("*60000\r\n*60000\r\n*60000\r\n") << false;
        QTest::newRow("half a value") << QByteArray("$100\r\nabc") << false;
        QTest::newRow("silence") << QByteArray() << false;
        QTest::newRow("a value without end") << QByteArray("$4000000000\r\n").append(QByteArray(60000, 'x')) << true;
        QTest::newRow("a line without end") << QByteArray("+").append(QByteArray(60000, 'x')) << true;
        QTest::newRow("another type") << QByteArray(":12\r\n") << false;
        QTest::newRow("a value that is none") << QByteArray("$3\r\nabc\r\n") << false;
        QTest::newRow("a refusal") << QByteArray("-ERR no\r\n") << false;
    }
    /// Each is a miss within the time that a command may take, and none is believed.
    void hostileServers()
    {
        QFETCH(QByteArray, answer);
        QFETCH(bool, endless);
        QTemporaryDir directory;
        const test::HostileServer server(directory.filePath("h.sock").toStdString(), answer.toStdString(), endless);
        StoreSettings settings;
        settings.connection.server = server.server();
        settings.connection.commandSeconds = 0.3;
        settings.mostValueBytes = 1 << 20;
        settings.firstRetrySeconds = settings.mostRetrySeconds = 30;
        std::atomic<int> notices = 0;
        std::string notice; // one at most: written by this thread
        FeatureStore store(settings, [&](const StoreNotice& heard) {
            ++notices;
            notice = heard.text;
        });
        QVERIFY(!store.degraded());
        const auto start = std::chrono::steady_clock::now();
        QVERIFY(!store.get({"m", "a"}));
        QVERIFY(!store.get({"m", "a"}));
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        QVERIFY2(seconds < 0.3 + test::kSoonSeconds * 4, qPrintable(QString::number(seconds)));
        if (answer.startsWith("*60000")) // refused for what it says, not for want of the rest
            QVERIFY2(notice.find("no answer of a Redis server") != std::string::npos, notice.c_str());
        const bool readable = answer.startsWith(':') || answer.startsWith("$3");
        QCOMPARE(store.degraded(), !readable);
        QCOMPARE(notices.load(), readable ? 0 : 1);
        QCOMPARE(store.counters().refused, std::uint64_t{readable ? 2U : 0U});
        QCOMPARE(store.counters().misses, std::uint64_t{2});
    }
    void hostileScans_data()
    {
        QTest::addColumn<QByteArray>("answer");
        QTest::newRow("without end") << QByteArray("*2\r\n$1\r\n1\r\n*0\r\n");
        QTest::newRow("a refusal") << QByteArray("-NOPERM no\r\n");
        QTest::newRow("another type") << QByteArray(":0\r\n");
    }
    /// Each ends in time, and the model is not read again before it is known to be forgotten.
    void hostileScans()
    {
        QFETCH(QByteArray, answer);
        QTemporaryDir directory;
        const test::HostileServer server(directory.filePath("h.sock").toStdString(), answer.toStdString(), false);
        StoreSettings settings;
        settings.connection.server = server.server();
        settings.forgetSeconds = 0.3;
        settings.firstRetrySeconds = settings.mostRetrySeconds = 0.05;
        FeatureStore store(settings, {});
        QVERIFY(!store.degraded());
        const auto start = std::chrono::steady_clock::now();
        store.invalidate("m");
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        QVERIFY2(seconds < 0.3 + test::kSoonSeconds * 4, qPrintable(QString::number(seconds)));
        QVERIFY(store.degraded());
        QTest::qWait(500); // the keeper tries again and again
        QVERIFY(store.degraded() && !store.get({"m", "a"}));
        QCOMPARE(store.counters().degradations, std::uint64_t{1});
    }
    /// A password's answer and the introduction's come late, each within the time: both together do not.
    void connectingHasOneEnd()
    {
        QTemporaryDir directory;
        const test::HostileServer server(directory.filePath("h.sock").toStdString(), ":1\r\n", false, 300);
        ConnectionSettings settings{server.server(), "secret"};
        settings.connectSeconds = 0.45;
        Connection connection(settings);
        QVERIFY(test::failure([&] { connection.open({}); }, ErrorCode::IoFailure).contains("in time"));
        settings.connectSeconds = 20;
        Connection patient(settings);
        patient.open({});
        QVERIFY(patient.isOpen());
    }
};

QTEST_GUILESS_MAIN(TstFeatureValue)
#include "tst_feature_value.moc"

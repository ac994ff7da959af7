// SPDX-License-Identifier: GPL-3.0-or-later
// The store against a real server on this machine, over a Unix socket and over TCP: what is put comes back, the server is killed and frozen while
// it is used, and nobody waits, loses or gets anything else than was put.
#include "core/base/error.h"
#include "core/remote/feature_store.h"
#include "core/remote/store_latency.h"
#include "core/remote/transfer.h"
#include "tests/core/base/failure.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/remote/redis_process.h"
#include "tests/core/remote/slow_link.h"

#include <QTest>

#include <atomic>
#include <cmath>

using namespace tamis;
using namespace tamis::remote;
using test::RedisProcess;

namespace {
Features featuresOf(int number, std::int64_t cols = 64)
{
    tensor::Matrix<float> rows(3, cols);
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows.values()[i] = static_cast<float>(number) + static_cast<float>(i) / 7.0F;
    return pack(rows, Transfer::F32);
}
FeatureKey keyOf(int number, const std::string& model = "model") { return {model, "photo" + std::to_string(number)}; }

StoreSettings settingsFor(const RedisProcess& redis)
{
    StoreSettings settings;
    settings.connection.server = redis.server();
    settings.connection.commandSeconds = 2;
    settings.firstRetrySeconds = 0.02;
    settings.mostRetrySeconds = 0.1;
    return settings;
}

/// Notices in their order; any thread.
struct Notices {
    std::mutex mutex;
    std::vector<StoreNotice> all;
    FeatureStore::Listener listener()
    {
        return [this](const StoreNotice& notice) {
            const std::lock_guard lock(mutex);
            all.push_back(notice);
        };
    }
    std::vector<bool> states()
    {
        const std::lock_guard lock(mutex);
        std::vector<bool> states;
        for (const StoreNotice& notice : all)
            states.push_back(notice.degraded);
        return states;
    }
};
} // namespace

class TstFeatureStore : public QObject {
    Q_OBJECT

    static void raw(const RedisProcess& redis, std::initializer_list<Command> commands)
    {
        Connection connection({redis.server()});
        connection.open({});
        connection.run(std::vector<Command>(commands), {});
    }
    static bool waitFor(const std::function<bool()>& holds)
    {
        for (int i = 0; i < 500 && !holds(); ++i)
            QThread::msleep(10);
        return holds();
    }

private slots:
    void initTestCase()
    {
        if (!RedisProcess::available())
            QSKIP("redis-server is not installed: scripts/packages.sh test installs it");
    }
    void putsComeBack_data()
    {
        QTest::addColumn<bool>("port");
        QTest::newRow("Unix socket") << false;
        QTest::newRow("TCP") << true;
    }
    void putsComeBack()
    {
        QFETCH(bool, port);
        RedisProcess redis(port ? RedisProcess::Kind::Port : RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore store(settingsFor(redis), {});
        QVERIFY(!store.degraded());
        std::vector<FeatureKey> keys;
        std::vector<Features> features;
        for (int i = 0; i < 40; ++i) {
            keys.push_back(keyOf(i));
            features.push_back(featuresOf(i, i == 7 ? 200'000 : 64)); // one larger than the socket's buffers
        }
        QVERIFY(store.putMany(keys, features));
        keys.insert(keys.begin() + 5, keyOf(999));
        const auto got = store.getMany(keys);
        QCOMPARE(got.size(), std::size_t{41});
        for (std::size_t i = 0; i < got.size(); ++i)
            QVERIFY(i == 5 ? !got[i].has_value() : got[i] == features[i < 5 ? i : i - 1]);
        const StoreCounters counters = store.counters();
        QCOMPARE(counters.hits, std::uint64_t{40});
        QCOMPARE(counters.misses, std::uint64_t{1});
        QCOMPARE(counters.delivered, std::uint64_t{40});
        QCOMPARE(counters.waiting + counters.dropped + counters.degradations, std::uint64_t{0});
    }
    void valuesExpire()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        StoreSettings settings = settingsFor(redis);
        settings.ttlSeconds = 0.3;
        FeatureStore store(settings, {});
        store.put(keyOf(1), featuresOf(1));
        QVERIFY(waitFor([&] { return !store.get(keyOf(1)); }));
        settings.ttlSeconds = 0;
        FeatureStore lasting(settings, {});
        lasting.put(keyOf(1), featuresOf(1));
        Connection connection({redis.server()});
        connection.open({});
        const std::string key = keyText("tamis", keyOf(1));
        const std::array<Command, 1> ask{Command{"PTTL", key}};
        QCOMPARE(connection.run(ask, {}).front().number, std::int64_t{-1}); // no end
    }
    void aModelIsForgotten()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore store(settingsFor(redis), {});
        for (int i = 0; i < 2500; ++i) // more than a step of the scan
            QVERIFY(store.put(keyOf(i, i % 2 ? "odd" : "even"), featuresOf(i, 1)));
        store.invalidate("odd");
        for (int i = 0; i < 2500; ++i)
            QCOMPARE(store.get(keyOf(i, i % 2 ? "odd" : "even")).has_value(), i % 2 == 0);
    }
    /// A server without UNLINK is asked by DEL; one that refuses both is one that is gone: nothing of the model is read from it.
    void refusalsToForget()
    {
        for (const bool both : {false, true}) {
            RedisProcess redis(RedisProcess::Kind::Socket, both ? QStringList{"--rename-command", "UNLINK", "", "--rename-command", "DEL", ""} : QStringList{"--rename-command", "UNLINK", ""});
            QVERIFY(redis.start());
            Notices notices;
            FeatureStore store(settingsFor(redis), notices.listener());
            QVERIFY(store.put(keyOf(1), featuresOf(1)));
            store.invalidate("model");
            QCOMPARE(store.degraded(), both);
            QVERIFY(!store.get(keyOf(1)));
            if (!both)
                continue;
            QTest::qWait(300); // the keeper asks again, and is refused again
            QVERIFY(store.degraded() && !store.get(keyOf(1)));
            QVERIFY(notices.all.front().text.find("refuses to remove") != std::string::npos);
        }
    }
    /// Wrong in nothing but the form that is asked for.
    void otherFormsAreMisses()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore store(settingsFor(redis), {});
        QVERIFY(store.put(keyOf(1), featuresOf(1)));
        QVERIFY(store.get(keyOf(1), formOf(Transfer::F32, 3, 64)) == featuresOf(1));
        for (const FeatureForm& form : {formOf(Transfer::F16, 3, 64), formOf(Transfer::F32, 64, 3), formOf(Transfer::I8, 3, 64), FeatureForm{tensor::DType::F32, {192}, false}})
            QVERIFY(!store.get(keyOf(1), form));
        QCOMPARE(store.counters().refused, std::uint64_t{4});
        QVERIFY2(store.counters().lastRefusal.find("found F32 [3, 64], expected F32 [192]") != std::string::npos, store.counters().lastRefusal.c_str());
        redis.killHard();
        QVERIFY(!store.get(keyOf(1), formOf(Transfer::F16, 3, 64)) && store.get(keyOf(1), formOf(Transfer::F32, 3, 64))); // from here alike
    }
    /// Each value takes more than twice as long as a command may be silent: silence ends it, not length.
    void aSlowLinkRecovers()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QTemporaryDir directory;
        StoreSettings settings = settingsFor(redis);
        settings.connection.commandSeconds = 0.5;
        const test::SlowLink link(directory.filePath("l.sock").toStdString(), redis.server(), 1'000'000);
        settings.connection.server = link.server();
        FeatureStore store(settings, {});
        QVERIFY(store.degraded());
        for (int i = 0; i < 2; ++i)
            store.put(keyOf(i), featuresOf(i, 100'000)); // 1.2 MB each
        QVERIFY(redis.start());
        QCOMPARE(store.flush(15), std::uint64_t{0});
        QVERIFY(!store.degraded());
        QCOMPARE(store.counters().delivered, std::uint64_t{2}); // each once: none is sent again
        QVERIFY(link.passed() < 3'000'000);
    }
    /// Two values go together, and the link breaks within the second, every time: what was taken is not sent again.
    void aBreakingLinkRecovers()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QTemporaryDir directory;
        StoreSettings settings = settingsFor(redis);
        const test::SlowLink link(directory.filePath("l.sock").toStdString(), redis.server(), 5'000'000, 150'000);
        settings.connection.server = link.server();
        FeatureStore store(settings, {});
        QVERIFY(store.degraded());
        for (int i = 0; i < 8; ++i)
            store.put(keyOf(i), featuresOf(i, 8400)); // 101 kB each
        QVERIFY(redis.start());
        QCOMPARE(store.flush(15), std::uint64_t{0});
        QCOMPARE(store.counters().delivered, std::uint64_t{8});
        FeatureStore other(settingsFor(redis), {});
        for (int i = 0; i < 8; ++i)
            QVERIFY(other.get(keyOf(i)) == featuresOf(i, 8400));
    }
    /// A journal that is smaller than what is put at once loses nothing of what the server takes.
    void smallJournals()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        StoreSettings settings = settingsFor(redis);
        settings.journalBytes = 2000;
        FeatureStore store(settings, {});
        std::vector<FeatureKey> keys;
        std::vector<Features> features;
        for (int i = 0; i < 20; ++i) {
            keys.push_back(keyOf(i));
            features.push_back(featuresOf(i));
        }
        QVERIFY(store.putMany(keys, features));
        QCOMPARE(store.counters().dropped, std::uint64_t{0});
        QCOMPARE(store.counters().delivered, std::uint64_t{20});
        std::stop_source stopped;
        stopped.request_stop();
        QVERIFY(test::failure([&] { store.putMany(keys, features, RunContext(stopped.get_token())); }, ErrorCode::Cancelled).contains("stopped"));
        QCOMPARE(store.counters().puts, std::uint64_t{20}); // nothing was begun
    }
    /// What is put again after each of many invalidations, while the server dies and comes back, is never an older value.
    void invalidationsWhileItIsAway()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore store(settingsFor(redis), {});
        std::atomic<int> round = 0;
        int wrong = 0;
        std::jthread user([&] {
            for (; round < 400; ++round) {
                store.invalidate("model");
                const auto left = store.get(keyOf(round - 1));
                wrong += left ? 1 : 0;
                store.put(keyOf(round), featuresOf(round));
                QThread::msleep(1);
            }
        });
        for (const int at : {50, 150, 250}) {
            QVERIFY(waitFor([&] { return round >= at; }));
            redis.killHard();
            QThread::msleep(30);
            QVERIFY(redis.start());
        }
        user.join();
        QCOMPARE(wrong, 0);
        QCOMPARE(store.flush(10), std::uint64_t{0});
        FeatureStore other(settingsFor(redis), {});
        for (int i = 0; i < 400; ++i)
            QCOMPARE(other.get(keyOf(i)).has_value(), i == 399);
    }
    /// Asked for again while the server is still removing what it had: neither what waited since the first time nor what another put there meanwhile is read.
    void forgottenWhileItForgets()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore other(settingsFor(redis), {});
        constexpr int kBefore = 450; // fewer than a scan's step: one command removes them, of 20 kB
        for (int i = 0; i < kBefore; ++i)
            QVERIFY(other.put(keyOf(i), featuresOf(i, 1)));
        QTemporaryDir directory;
        StoreSettings settings = settingsFor(redis);
        settings.connection.server.socket = directory.filePath("l.sock").toStdString();
        FeatureStore store(settings, {});
        QVERIFY(store.degraded()); // there is no such socket yet
        store.invalidate("model");
        store.put(keyOf(1000), featuresOf(1000, 1));
        const test::SlowLink link(settings.connection.server.socket, redis.server(), 20'000);
        QVERIFY(waitFor([&] { return link.passed() > 2000; }));
        QVERIFY(other.put(keyOf(1001), featuresOf(1001, 1))); // behind the scan
        store.invalidate("model");
        store.put(keyOf(1002), featuresOf(1002, 1));
        QCOMPARE(store.flush(15), std::uint64_t{0});
        QVERIFY(!store.degraded());
        QVERIFY(link.passed() > 10'000); // it was slow in removing
        for (int i = 0; i < 1003; ++i)
            QCOMPARE(other.get(keyOf(i)).has_value(), i == 1002);
    }
    void whatIsWrongIsAMiss()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        StoreSettings settings = settingsFor(redis);
        settings.mostValueBytes = 4096;
        FeatureStore store(settings, {});
        const std::string list = keyText("tamis", keyOf(1)), cut = keyText("tamis", keyOf(2)), moved = keyText("tamis", keyOf(3)), large = keyText("tamis", keyOf(4));
        const std::string value = encodeValue(cut, featuresOf(2));
        raw(redis, {{"RPUSH", list, "x"}, {"SET", cut, std::string_view(value).substr(0, 200)}, {"SET", moved, value}, {"SET", large, std::string(5000, 'x')}});
        for (int i = 1; i <= 4; ++i) {
            QVERIFY(!store.get(keyOf(i)));
            QCOMPARE(store.counters().refused, static_cast<std::uint64_t>(i));
            QVERIFY2(store.counters().lastRefusal.find("found") != std::string::npos, store.counters().lastRefusal.c_str());
        }
        QVERIFY(!store.put(keyOf(5), featuresOf(5, 5000))); // longer than the limit
        QCOMPARE(store.counters().dropped, std::uint64_t{1});
        QVERIFY(!store.degraded());
        QVERIFY(store.put(keyOf(1), featuresOf(1)) && store.get(keyOf(1)) == featuresOf(1)); // replaces the list
    }
    void killedAndBack_data() { putsComeBack_data(); }
    /// kill -9 in the middle, an empty server in its place.
    void killedAndBack()
    {
        QFETCH(bool, port);
        RedisProcess redis(port ? RedisProcess::Kind::Port : RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        Notices notices;
        FeatureStore store(settingsFor(redis), notices.listener());
        for (int i = 0; i < 20; ++i)
            QVERIFY(store.put(keyOf(i), featuresOf(i)));
        redis.killHard();
        const auto start = std::chrono::steady_clock::now();
        for (int i = 20; i < 40; ++i)
            QVERIFY(!store.put(keyOf(i), featuresOf(i)));
        for (int i = 0; i < 41; ++i)
            QVERIFY(i == 40 ? !store.get(keyOf(i)) : store.get(keyOf(i)) == featuresOf(i)); // kept here
        QVERIFY(std::chrono::steady_clock::now() - start < std::chrono::seconds(2)); // no waiting for what is not there
        QCOMPARE(notices.states(), std::vector<bool>{true});
        QVERIFY(store.degraded());
        QCOMPARE(store.counters().localHits, std::uint64_t{40});
        QCOMPARE(store.counters().waiting, std::uint64_t{20});
        QVERIFY(redis.start());
        QCOMPARE(store.flush(10), std::uint64_t{0});
        QVERIFY(waitFor([&] { return notices.states().size() == 2; }));
        QCOMPARE(notices.states(), (std::vector<bool>{true, false}));
        QCOMPARE(store.counters().redelivered, std::uint64_t{20}); // the new server had nothing
        FeatureStore other(settingsFor(redis), {}); // without a journal
        for (int i = 0; i < 40; ++i)
            QVERIFY(other.get(keyOf(i)) == featuresOf(i));
        QCOMPARE(other.counters().hits, std::uint64_t{40});
        QCOMPARE(store.counters().dropped, std::uint64_t{0});
    }
    void whatDoesNotFitIsCounted()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        StoreSettings settings = settingsFor(redis);
        const std::string key = keyText("tamis", keyOf(0));
        settings.journalBytes = 3 * (encodeValue(key, featuresOf(0)).size() + key.size());
        Notices notices;
        FeatureStore store(settings, notices.listener()); // not there yet
        QVERIFY(store.degraded());
        for (int i = 0; i < 5; ++i)
            QVERIFY(!store.put(keyOf(i), featuresOf(i)));
        QCOMPARE(store.counters().dropped, std::uint64_t{2});
        QCOMPARE(store.counters().waiting, std::uint64_t{3});
        QVERIFY(redis.start());
        QCOMPARE(store.flush(10), std::uint64_t{0});
        for (int i = 0; i < 5; ++i)
            QCOMPARE(store.get(keyOf(i)).has_value(), i >= 2);
    }
    void aFrozenServerIsLeftInTime()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        StoreSettings settings = settingsFor(redis);
        settings.connection.commandSeconds = settings.connection.connectSeconds = 0.3;
        Notices notices;
        FeatureStore store(settings, notices.listener());
        QVERIFY(store.put(keyOf(1, "old"), featuresOf(1)) && store.put(keyOf(2), featuresOf(2)));
        redis.pause();
        auto start = std::chrono::steady_clock::now();
        QVERIFY(store.get(keyOf(2)) == featuresOf(2)); // from the journal, once the server was waited for
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        QVERIFY2(seconds > 0.25 && seconds < 0.3 + test::kSoonSeconds * 2, qPrintable(QString::number(seconds)));
        start = std::chrono::steady_clock::now();
        for (int i = 0; i < 100; ++i)
            store.get(keyOf(i)); // nobody waits for it again
        QVERIFY(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(250));
        store.invalidate("old"); // while it cannot be told
        redis.resume();
        QVERIFY(waitFor([&] { return !store.degraded(); }));
        QVERIFY(!store.get(keyOf(1, "old")));
        FeatureStore other(settingsFor(redis), {});
        QVERIFY(!other.get(keyOf(1, "old")) && other.get(keyOf(2)) == featuresOf(2));
        QCOMPARE(notices.states(), (std::vector<bool>{true, false}));
        QCOMPARE(store.counters().redelivered, std::uint64_t{0}); // the same server
    }
    void stopsSoon()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        StoreSettings settings = settingsFor(redis);
        settings.connection.commandSeconds = 30;
        FeatureStore store(settings, {});
        redis.pause();
        std::stop_source source;
        test::StopClock clock;
        std::jthread stopper([&] {
            QThread::msleep(100);
            clock.ask(source);
        });
        QVERIFY(test::failure([&] { store.get(keyOf(1), RunContext(source.get_token())); }, ErrorCode::Cancelled).contains("stopped"));
        stopper.join();
        QVERIFY2(clock.seconds() < test::kSoonSeconds, qPrintable(QString::number(clock.seconds())));
        redis.resume();
        QVERIFY(!store.degraded());
        QVERIFY(store.put(keyOf(1), featuresOf(1)) && store.get(keyOf(1)) == featuresOf(1)); // connects again
    }
    void passwords()
    {
        RedisProcess redis(RedisProcess::Kind::Socket, {"--requirepass", "open sesame"});
        QVERIFY(redis.start());
        StoreSettings settings = settingsFor(redis);
        const auto open = [&] { FeatureStore(settings, {}); };
        QVERIFY(test::failure(open, ErrorCode::InvalidParameter).contains("NOAUTH"));
        settings.connection.password = "wrong";
        QVERIFY(test::failure(open, ErrorCode::InvalidParameter).contains("refuses the password"));
        settings.connection.password = "open sesame";
        FeatureStore store(settings, {});
        QVERIFY(store.put(keyOf(1), featuresOf(1)) && store.get(keyOf(1)) == featuresOf(1));
    }
    /// Two threads put and get while the server dies and comes back, twice.
    void killedInTheMiddle()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore store(settingsFor(redis), {});
        std::atomic<int> wrong = 0, done = 0;
        constexpr int kEach = 300;
        {
            std::vector<std::jthread> threads;
            for (int t = 0; t < 2; ++t)
                threads.emplace_back([&, t] {
                    for (int i = 0; i < kEach; ++i, ++done) {
                        const int number = t * kEach + i;
                        store.put(keyOf(number), featuresOf(number));
                        const auto got = store.get(keyOf(number / 2));
                        wrong += got && got != featuresOf(number / 2) ? 1 : 0;
                        QThread::msleep(1);
                    }
                });
            for (const int at : {100, 300}) {
                QVERIFY(waitFor([&] { return done >= at; }));
                redis.killHard();
                QThread::msleep(50);
                QVERIFY(redis.start());
            }
        }
        QCOMPARE(wrong.load(), 0);
        QCOMPARE(store.flush(10), std::uint64_t{0});
        FeatureStore other(settingsFor(redis), {});
        for (int i = 0; i < 2 * kEach; ++i)
            QVERIFY2(other.get(keyOf(i)) == featuresOf(i), qPrintable(QString::number(i)));
        QVERIFY(store.counters().recoveries >= 1);
    }
    void latencyIsMeasured()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FeatureStore store(settingsFor(redis), {});
        const auto rows = measureLatency(store, {.sizes = {1000, 100'000, 1'000'000}, .rounds = 20}, {});
        QCOMPARE(rows.size(), std::size_t{3});
        for (const auto& row : rows) {
            QVERIFY(row.getP50 > 0 && row.getP50 <= row.getP95 && row.getP95 <= row.getP99);
            QVERIFY(row.putP50 > 0 && row.putP50 <= row.putP95 && row.putP95 <= row.putP99);
        }
        const auto line = getLine(rows);
        qInfo("get: %.1f us + %.3f ns a byte, %.0f %% off at most", 1e6 * line.seconds, 1e9 * line.secondsPerByte, 100 * line.worst);
        QVERIFY(line.secondsPerByte > 0 && line.secondsPerByte < 1e-6); // above 1 MB/s
        Connection connection({redis.server()});
        connection.open({});
        const std::array<Command, 1> ask{Command{"DBSIZE"}};
        QCOMPARE(connection.run(ask, {}).front().number, std::int64_t{0}); // leaves nothing
        RedisProcess bare(RedisProcess::Kind::Socket, {"--rename-command", "SCAN", ""}); // its keys are removed by name, however many others there are
        QVERIFY(bare.start());
        FeatureStore lone(settingsFor(bare), {});
        measureLatency(lone, {.sizes = {1000, 2000}, .rounds = 20}, {});
        Connection look({bare.server()});
        look.open({});
        QVERIFY(!lone.degraded());
        QCOMPARE(look.run(ask, {}).front().number, std::int64_t{0});
        redis.killHard();
        QVERIFY(test::failure([&] { measureLatency(store, {}, {}); }, ErrorCode::IoFailure).contains("while latency was measured"));
    }
};

QTEST_GUILESS_MAIN(TstFeatureStore)
#include "tst_feature_store.moc"

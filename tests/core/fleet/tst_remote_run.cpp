// SPDX-License-Identifier: GPL-3.0-or-later
// The bundled model through a real server: the second pass fetches, bit for bit; a server that is killed in the middle changes no answer.
#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/fleet/method.h"
#include "core/fleet/model_features.h"
#include "core/io/checkpoint.h"
#include "core/remote/transfer.h"
#include "tests/core/base/failure.h"
#include "tests/core/cache/mixed_trace.h"
#include "tests/core/remote/redis_process.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <mutex>
#include <set>

using namespace tamis;
using namespace tamis::fleet;
using test::RedisProcess;

namespace {
/// Pictures of noise over a slope, and something that happens before one is loaded.
class Pictures final : public measure::SampleSource {
public:
    explicit Pictures(std::size_t count, std::function<void(std::size_t loads)> before = {}) : m_count(count), m_before(std::move(before)) {}
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return "picture " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        if (m_before)
            m_before(m_loads++);
        std::uint64_t state = index;
        sample = {};
        for (std::size_t i = 0; i < 3 * 64 * 64; ++i)
            sample.image.push_back(static_cast<float>(nextBits(state) % 1000) / 500.0F - 1 + static_cast<float>(i % 64) / 64);
    }
    std::string description() const override { return "pictures of noise"; }
    std::string sha256(const RunContext&) const override { return {}; }

private:
    std::size_t m_count;
    std::function<void(std::size_t)> m_before;
    mutable std::size_t m_loads = 0;
};

/// Waves that move by little from one picture to the next.
class MovingPictures final : public measure::SampleSource {
public:
    explicit MovingPictures(std::size_t count) : m_count(count) {}
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return "frame " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        sample = {};
        for (std::size_t i = 0; i < 3 * 64 * 64; ++i)
            sample.image.push_back(std::sin(0.2F * static_cast<float>(i % 64) + 0.02F * static_cast<float>(index)) * std::cos(0.15F * static_cast<float>(i / 64 % 64)));
    }
    std::string description() const override { return "moving waves"; }
    std::string sha256(const RunContext&) const override { return {}; }

private:
    std::size_t m_count;
};
} // namespace

class TstRemoteRun : public QObject {
    Q_OBJECT
    Inputs m_inputs;

    Inputs inputsFor(const RedisProcess& redis, std::shared_ptr<const measure::SampleSource> samples) const
    {
        Inputs inputs = m_inputs;
        inputs.samples = std::move(samples);
        remote::StoreSettings settings;
        settings.connection.server = redis.server();
        settings.firstRetrySeconds = 0.02;
        settings.mostRetrySeconds = 0.1;
        inputs.store = settings;
        return inputs;
    }
    static report::FleetReport run(const Inputs& inputs, const char* transfer)
    {
        Parameters parameters;
        parameters.set("transfer", std::string(transfer));
        parameters.set("rounds", std::int64_t{10});
        return findMethod("fleet.remote")->run(inputs, parameters, {});
    }

private slots:
    void initTestCase()
    {
        if (!RedisProcess::available())
            QSKIP("redis-server is not installed: scripts/packages.sh test installs it");
        m_inputs.model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        m_inputs.modelHash = "vit20";
    }
    void theSecondPassFetches_data()
    {
        QTest::addColumn<QString>("transfer");
        for (const char* transfer : {"f32", "f16", "int8"})
            QTest::newRow(transfer) << transfer;
    }
    void theSecondPassFetches()
    {
        QFETCH(QString, transfer);
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        const auto report = run(inputsFor(redis, std::make_shared<Pictures>(8)), transfer.toLatin1());
        const auto& remote = report.remote;
        QVERIFY(remote.reached && !remote.degraded && remote.notices.empty());
        QCOMPARE(remote.passes.size(), std::size_t{3});
        QCOMPARE(remote.passes[1].computed, std::uint64_t{8});
        QCOMPARE(remote.passes[2].fetched, std::uint64_t{8});
        if (transfer == "f32")
            QVERIFY(remote.passes[1].sameAnswers && remote.passes[2].sameAnswers); // bit for bit
        QCOMPARE(remote.transfers.size(), std::size_t{3});
        QCOMPARE(remote.transfers[0].relativeError, 0.0);
        QCOMPARE(remote.transfers[0].bytes, 2 * remote.transfers[1].bytes);
        QVERIFY(remote.transfers[1].relativeError > 0 && remote.transfers[1].relativeError < 0x1p-11); // at most half a unit of 11 bits
        QVERIFY(remote.transfers[2].relativeError > remote.transfers[1].relativeError && remote.transfers[2].relativeError < 0.05);
        QCOMPARE(remote.transfers[0].sameTopClass, 1.0);
        QCOMPARE(remote.latencies.size(), std::size_t{6});
        QVERIFY(std::fabs(remote.get.at(remote.breakEvenBytes) - remote.encodeP50) < 1e-12);
        qInfo("encode %.0f us, fetch %.0f us; int8 off by %.2g", 1e6 * remote.encodeP50, 1e6 * remote.fetchP50, remote.transfers[2].relativeError);
    }
    /// kill -9 while the second pass runs; it comes back empty before that ends.
    void killedInTheMiddle()
    {
        RedisProcess redis(RedisProcess::Kind::Port);
        QVERIFY(redis.start());
        constexpr std::size_t kCount = 24; // loads 0 to 23: without the store, 24 to 47: the first pass
        const auto samples = std::make_shared<Pictures>(kCount, [&](std::size_t loads) {
            if (loads == 32 || loads == 52)
                redis.killHard();
            if (loads == 40 || loads == 68)
                QVERIFY(redis.start());
        });
        const auto report = run(inputsFor(redis, samples), "f32");
        const auto& remote = report.remote;
        QVERIFY(remote.passes[1].sameAnswers && remote.passes[2].sameAnswers);
        QCOMPARE(remote.passes[2].fetched, kCount); // from the server, or from what is kept for it
        QVERIFY(remote.localHits > 0);
        QCOMPARE(remote.dropped, std::uint64_t{0});
        QCOMPARE(remote.waiting, std::uint64_t{0});
        QVERIFY(!remote.degraded && remote.notices.size() >= 2 && remote.notices.size() % 2 == 0); // gone and back, by turns
        remote::FeatureStore other(*inputsFor(redis, samples).store, {});
        QVERIFY(!other.degraded());
        remote::Connection connection(inputsFor(redis, samples).store->connection);
        connection.open({});
        const std::array<remote::Command, 1> ask{remote::Command{"DBSIZE"}};
        QCOMPARE(connection.run(ask, {}).front().number, static_cast<std::int64_t>(kCount)); // nothing was lost
    }
    void withoutAServer()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        Inputs inputs = inputsFor(redis, std::make_shared<Pictures>(3));
        Parameters parameters;
        parameters.set("flush", 0.0);
        const auto report = findMethod("fleet.remote")->run(inputs, parameters, {});
        QVERIFY(!report.remote.reached && report.remote.degraded);
        QCOMPARE(report.remote.notices.size(), std::size_t{1});
        QCOMPARE(report.remote.waiting, std::uint64_t{3});
        QVERIFY(report.remote.passes[2].sameAnswers);
        QVERIFY(report.warnings.size() >= 2);
    }
    void otherForms_data()
    {
        QTest::addColumn<int>("form");
        QTest::newRow("no rows of halves") << 0;
        QTest::newRow("another shape") << 1;
        QTest::newRow("bytes") << 2;
        QTest::newRow("a row less") << 3;
    }
    /// Values of a good checksum under the right key that this model cannot use: misses, computed again and replaced.
    void otherForms()
    {
        QFETCH(int, form);
        using remote::Features;
        using tensor::DType;
        const std::int64_t rows = m_inputs.model->spec().tokens(0) - 1, cols = m_inputs.model->spec().width;
        const std::array<Features, 4> forms{Features{DType::F16, {0, 128}, {}, {}}, Features{DType::F32, {3, 5}, std::vector<std::byte>(60), {}}, Features{DType::U8, {7}, std::vector<std::byte>(7), {}},
                                            Features{DType::F32, {rows, cols}, std::vector<std::byte>(static_cast<std::size_t>(rows * cols) * 4), {}}};
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        const auto samples = std::make_shared<Pictures>(2);
        const Inputs inputs = inputsFor(redis, samples);
        measure::LoadedSample sample;
        samples->load(0, sample);
        remote::FeatureStore store(*inputs.store, {});
        QVERIFY(store.put({inputs.modelHash, hashOf(sample) + ".f32"}, forms[static_cast<std::size_t>(form)]));
        const auto report = run(inputs, "f32");
        QCOMPARE(report.remote.refused, std::uint64_t{1});
        QCOMPARE(report.remote.passes[1].computed, std::uint64_t{2});
        QCOMPARE(report.remote.passes[2].fetched, std::uint64_t{2});
        QVERIFY(report.remote.passes[1].sameAnswers && report.remote.passes[2].sameAnswers);
        tensor::Matrix<float> none(0, cols), output(1, m_inputs.model->outputWidth());
        nn::Scratch scratch(true, RunContext());
        QVERIFY(test::failure([&] { m_inputs.model->runTail(none.view(), {}, output.view(), scratch); }, ErrorCode::InvalidParameter).contains("found no "));
    }
    /// kill -9 while the latency of the edge is measured: a warning, and the edge as its settings say.
    void killedWhileMeasured()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        Inputs inputs = inputsFor(redis, {});
        inputs.model = nullptr;
        inputs.trace = std::make_shared<cache::Trace>(mixedTrace(7, 3000, false));
        std::mutex mutex;
        std::vector<bool> heard;
        inputs.listener = [&](const remote::StoreNotice& notice) {
            const std::lock_guard lock(mutex);
            heard.push_back(notice.degraded);
        };
        std::jthread killer([&redis, settings = inputs.store->connection, pid = redis.pid()] {
            remote::Connection connection(settings);
            connection.open({});
            const std::array<remote::Command, 1> ask{remote::Command{"DBSIZE"}};
            while (connection.run(ask, {}).front().number == 0)
                QThread::msleep(1);
            ::kill(pid, SIGKILL);
        });
        const auto report = findMethod("fleet.edge-cloud")->run(inputs, {}, {});
        killer.join();
        QVERIFY(report.remote.reached && report.remote.degraded && report.remote.latencies.empty());
        QCOMPARE(report.remote.notices.size(), std::size_t{1});
        QCOMPARE(heard, std::vector<bool>{true});
        QCOMPARE(report.edgeCloud.lines[1].seconds, report.parameters.real("edge-latency") / 1000);
        QVERIFY(report.edgeCloud.meanSeconds > 0);
    }
    /// The same weights read with other heads are another model.
    void versionsOfFeatures()
    {
        QTemporaryDir folder;
        const QString from = QStringLiteral(TAMIS_SOURCE_DIR "/datasets/vit20/");
        QVERIFY(QFile::copy(from + "model.safetensors", folder.filePath("model.safetensors")));
        QFile config(from + "config.json");
        QVERIFY(config.open(QIODevice::ReadOnly));
        QByteArray text = config.readAll();
        const auto versionWith = [&](const QByteArray& json) {
            QFile file(folder.filePath("config.json"));
            if (!file.open(QIODevice::WriteOnly) || file.write(json) != json.size())
                return std::string();
            file.close();
            return featureVersion(*io::Checkpoint::open(folder.path().toStdString()));
        };
        const std::string first = versionWith(text);
        QCOMPARE(first.size(), std::size_t{64});
        QCOMPARE(first, featureVersion(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20")));
        const QByteArray other = QByteArray(text).replace("\"num_heads\": 4", "\"num_heads\": 8");
        QVERIFY(other != text);
        QVERIFY(versionWith(other) != first && versionWith(other).size() == 64);
        QCOMPARE(versionWith(text), first);
    }
    /// Frames that hardly differ: a delta is smaller than int8, and what was measured takes the place of what is assumed.
    void measuredTiers()
    {
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        Inputs inputs = inputsFor(redis, std::make_shared<MovingPictures>(4));
        inputs.trace = std::make_shared<cache::Trace>(mixedTrace(7, 3000, false));
        const auto report = findMethod("fleet.edge-cloud")->run(inputs, {}, {});
        const auto& edge = report.edgeCloud;
        QVERIFY(edge.encodeMeasured && edge.encodeSeconds > 0);
        QVERIFY(report.hasRemote && report.remote.reached);
        QCOMPARE(edge.lines[1].seconds, report.remote.get.seconds);
        QCOMPARE(edge.lines[1].secondsPerByte, report.remote.get.secondsPerByte);
        QVERIFY(edge.transfers[0].bytes > edge.transfers[1].bytes && edge.transfers[1].bytes > edge.transfers[2].bytes);
        QVERIFY(edge.transfers[3].measured && edge.transfers[3].bytes < edge.transfers[2].bytes && edge.transfers[3].error < 0.1);
    }
    void otherModels()
    {
        Inputs inputs = m_inputs;
        inputs.model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
        inputs.samples = std::make_shared<Pictures>(1);
        inputs.store = remote::StoreSettings{};
        inputs.store->connection.server.socket = "/nowhere/redis.sock";
        QVERIFY(test::failure([&] { findMethod("fleet.remote")->run(inputs, {}, {}); }, ErrorCode::UnsupportedFeature).contains("reads no images"));
    }
};

QTEST_GUILESS_MAIN(TstRemoteRun)
#include "tst_remote_run.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/remote_run.h"

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/fleet/model_features.h"
#include "core/remote/store_latency.h"
#include "core/remote/transfer.h"

#include <array>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>

namespace tamis::fleet {
namespace {
using Clock = std::chrono::steady_clock;
using remote::Transfer;
constexpr std::array<Transfer, 3> kTransfers{Transfer::F32, Transfer::F16, Transfer::I8};

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What a sample gives without a store.
struct Reference {
    std::string hash; ///< of the features
    int topClass = -1;
};

std::string hashOfFeatures(const tensor::Matrix<float>& features) { return sha256(std::as_bytes(features.values())); }

class RemoteRun {
public:
    RemoteRun(const Inputs& inputs, const Parameters& set, const RunContext& context)
        : m_inputs(inputs), m_set(set), m_context(context), m_transfer(*remote::transferNamed(set.text("transfer"))), m_model(*inputs.model, context)
    {
    }
    report::RemoteReport run(report::FleetReport& report)
    {
        m_context.setParts(10);
        remote::StoreSettings settings = *m_inputs.store;
        settings.ttlSeconds = m_set.real("ttl");
        settings.connection.connectSeconds = m_set.real("connect");
        settings.connection.commandSeconds = m_set.real("timeout");
        std::optional<remote::FeatureStore> owner(std::in_place, settings, [this](const remote::StoreNotice& notice) {
            const std::lock_guard lock(m_mutex);
            m_notices.push_back(notice.text);
            m_degraded = notice.degraded;
            m_context.warn(notice.text);
            if (m_inputs.listener)
                m_inputs.listener(notice);
        }, m_context);
        remote::FeatureStore& store = *owner;
        m_report.server = settings.connection.server.text();
        m_report.transfer = m_set.text("transfer");
        m_report.reached = !store.degraded();
        if (!settings.connection.server.local())
            report.warnings.push_back("The server is on another machine, and what goes there is not encrypted: use a tunnel where the network is not yours.");
        if (m_set.boolean("forget"))
            store.invalidate(m_inputs.modelHash, m_context);
        computeAll(m_context.part(3, "encoding without the store"));
        pass("first", store, m_context.part(3, "encoding with the store"));
        pass("second", store, m_context.part(2, "fetching"));
        measureServer(store, report, m_context.part(1, "latency"));
        m_report.waiting = store.flush(m_set.real("flush"), m_context);
        const remote::StoreCounters counters = store.counters();
        owner.reset(); // what its thread was about to tell is told then
        finish(counters, report);
        return std::move(m_report);
    }

private:
    remote::FeatureKey keyOf(const measure::LoadedSample& sample) const { return {m_inputs.modelHash, hashOf(sample) + "." + std::string(remote::transferName(m_transfer))}; }

    /// The baseline, and what each form of transfer would get wrong.
    void computeAll(const RunContext& context)
    {
        std::array<double, 3> errors{}, same{};
        double norm = 0;
        const std::size_t count = m_inputs.samples->count();
        report::RemotePass alone{"without the store", count, 0, count, 0, true};
        std::vector<double> times;
        for (std::size_t i = 0; i < count; ++i) {
            context.throwIfStopped();
            context.setFraction(static_cast<double>(i) / static_cast<double>(count));
            m_inputs.samples->load(i, m_sample);
            const auto start = Clock::now();
            const tensor::Matrix<float> features = m_model.encode(m_sample);
            times.push_back(secondsSince(start));
            alone.seconds += times.back();
            m_references.push_back({hashOfFeatures(features), m_model.topClass(features)});
            for (const float value : features.values())
                norm += static_cast<double>(value) * value;
            for (std::size_t t = 0; t < kTransfers.size(); ++t) {
                const remote::Features packed = remote::pack(features, kTransfers[t]);
                const tensor::Matrix<float> got = remote::unpack(packed);
                for (std::size_t j = 0; j < got.size(); ++j)
                    errors[t] += std::pow(static_cast<double>(got.values()[j]) - features.values()[j], 2);
                same[t] += m_model.topClass(got) == m_references.back().topClass ? 1 : 0;
                if (i == 0)
                    m_report.transfers.push_back({std::string(remote::transferName(kTransfers[t])), packed.bytes.size() + packed.scales.size() * sizeof(float), 0, 0});
            }
        }
        for (std::size_t t = 0; t < kTransfers.size(); ++t) {
            m_report.transfers[t].relativeError = norm > 0 ? std::sqrt(errors[t] / norm) : 0;
            m_report.transfers[t].sameTopClass = same[t] / static_cast<double>(count);
        }
        m_report.encodeP50 = remote::quantile(times, 0.5);
        m_report.passes.push_back(alone);
    }
    /// Time from the pixels to the features: hashing and asking, and encoding and putting where the store has nothing.
    void pass(const char* name, remote::FeatureStore& store, const RunContext& context)
    {
        report::RemotePass pass{name, m_inputs.samples->count(), 0, 0, 0, true};
        std::vector<double> fetches;
        for (std::size_t i = 0; i < pass.samples; ++i) {
            context.throwIfStopped();
            context.setFraction(static_cast<double>(i) / static_cast<double>(pass.samples));
            m_inputs.samples->load(i, m_sample);
            const auto start = Clock::now();
            const remote::FeatureKey key = keyOf(m_sample);
            const bool degraded = store.degraded();
            tensor::Matrix<float> features;
            if (const auto stored = store.get(key, remote::formOf(m_transfer, m_model.rows(m_sample), m_model.cols()), context)) {
                features = remote::unpack(*stored);
                ++pass.fetched;
                if (!degraded && !store.degraded())
                    fetches.push_back(secondsSince(start));
            } else {
                features = m_model.encode(m_sample);
                store.put(key, remote::pack(features, m_transfer), context);
                ++pass.computed;
            }
            pass.seconds += secondsSince(start);
            const Reference& reference = m_references[i];
            pass.sameAnswers &= m_transfer == Transfer::F32 ? hashOfFeatures(features) == reference.hash : m_model.topClass(std::move(features)) == reference.topClass;
        }
        if (!fetches.empty())
            m_report.fetchP50 = remote::quantile(fetches, 0.5);
        m_report.passes.push_back(pass);
    }
    void measureServer(remote::FeatureStore& store, report::FleetReport& report, const RunContext& context)
    {
        if (store.degraded()) {
            report.warnings.push_back("The server is not there: its latency is not measured.");
            return;
        }
        try {
            m_report.latencies = remote::measureLatency(store, {.rounds = static_cast<int>(m_set.integer("rounds")), .seed = m_inputs.seed}, context);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::IoFailure)
                throw;
            report.warnings.push_back(error.what());
            return;
        }
        m_report.get = remote::getLine(m_report.latencies);
        m_report.put = remote::putLine(m_report.latencies);
        if (m_report.get.secondsPerByte > 0)
            m_report.breakEvenBytes = (m_report.encodeP50 - m_report.get.seconds) / m_report.get.secondsPerByte;
    }
    void finish(const remote::StoreCounters& counters, report::FleetReport& report)
    {
        const std::lock_guard lock(m_mutex);
        m_report.hits = counters.hits;
        m_report.localHits = counters.localHits;
        m_report.misses = counters.misses;
        m_report.refused = counters.refused;
        m_report.delivered = counters.delivered;
        m_report.redelivered = counters.redelivered;
        m_report.dropped = counters.dropped;
        m_report.degraded = m_degraded;
        if (counters.refused > 0)
            report.warnings.push_back("Values of the server were refused, the last: " + counters.lastRefusal);
        if (counters.dropped > 0)
            report.warnings.push_back(std::to_string(counters.dropped) + " features did not fit the journal and were not delivered.");
        if (m_report.waiting > 0)
            report.warnings.push_back(std::to_string(m_report.waiting) + " features still wait for the server, and are lost with this run.");
        m_report.notices = m_notices;
    }

    const Inputs& m_inputs;
    const Parameters& m_set;
    const RunContext& m_context;
    const Transfer m_transfer;
    ModelFeatures m_model;
    measure::LoadedSample m_sample;
    std::vector<Reference> m_references;
    report::RemoteReport m_report;
    std::mutex m_mutex; ///< guards what follows
    bool m_degraded = false;
    std::vector<std::string> m_notices;
};

report::FleetReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const auto start = Clock::now();
    const Method method = remoteMethod();
    report::FleetReport report;
    report.method = method.declaration.id;
    report.parameters = method.declaration.schema.complete(given);
    if (!inputs.model || !inputs.samples || inputs.samples->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found none, expected a model and photos that it encodes", "model");
    if (!inputs.store)
        throw Error(ErrorCode::InvalidParameter, "found none, expected where the server is", "server");
    report.samples = inputs.samples->description();
    report.requests = report.objects = inputs.samples->count();
    report.remote = RemoteRun(inputs, report.parameters, context).run(report);
    report.hasRemote = true;
    report.seconds = secondsSince(start);
    return report;
}
} // namespace

Method remoteMethod()
{
    using Type = ParameterType;
    Method method;
    method.model = Need::Required;
    method.server = Need::Required;
    method.declaration = {.id = "fleet.remote", .lab = "fleet", .title = "A Redis server, measured",
        .reference = "features stored under the hashes of model and pixels, fetched instead of computed again; latency a + b x bytes",
        .schema = ParameterSchema({
            {.name = "transfer", .title = "Transfer", .type = Type::Choice, .defaultValue = std::string("f32"), .help = "Form in which features are stored and travel", .choices = {"f32", "f16", "int8"}},
            {.name = "ttl", .title = "Time to live", .type = Type::Real, .defaultValue = 86400.0, .minimum = 0, .maximum = 1e9, .unit = "s", .help = "After which the server forgets a feature; 0: never"},
            {.name = "forget", .title = "Forget first", .type = Type::Boolean, .defaultValue = false, .help = "Remove all of this model from the server before"},
            {.name = "rounds", .title = "Rounds", .type = Type::Integer, .defaultValue = std::int64_t{100}, .minimum = 2, .maximum = 10000, .logarithmic = true, .help = "Puts and gets of each size whose latency is measured"},
            {.name = "connect", .title = "Connecting", .type = Type::Real, .defaultValue = 0.5, .minimum = 0.01, .maximum = 600, .logarithmic = true, .unit = "s", .help = "After which a server that does not introduce itself is taken as away"},
            {.name = "timeout", .title = "Silence", .type = Type::Real, .defaultValue = 1.0, .minimum = 0.01, .maximum = 600, .logarithmic = true, .unit = "s", .help = "After which a server from which and to which nothing moves is taken as away"},
            {.name = "flush", .title = "Wait at the end", .type = Type::Real, .defaultValue = 2.0, .minimum = 0, .maximum = 3600, .unit = "s", .help = "For a server that is away to come back and take what waits"},
        })};
    method.run = run;
    return method;
}

} // namespace tamis::fleet

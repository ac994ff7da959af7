// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/gossip.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::fleet {
namespace {
constexpr int kMostRounds = 100'000; ///< of one trial: with 90 % lost and 4096 devices some hundreds

GossipMode modeNamed(const std::string& name) { return name == "push" ? GossipMode::Push : name == "pull" ? GossipMode::Pull : GossipMode::PushPull; }

struct Trials {
    std::vector<double> rounds;
    std::vector<double> informed; ///< [round] sum over trials; those that are over count as 1
    double messages = 0;
};

Trials runTrials(const GossipRule& rule, int count, std::uint64_t seed, const RunContext& context)
{
    Trials trials;
    for (int trial = 0; trial < count; ++trial) {
        context.setFraction(static_cast<double>(trial) / count);
        GossipFleet fleet(rule, mixedBits(seed + static_cast<std::uint64_t>(trial)));
        fleet.update();
        int round = 0;
        for (;; ++round) {
            context.throwIfStopped();
            if (trials.informed.size() <= static_cast<std::size_t>(round))
                trials.informed.push_back(trial); // those before had all been told
            trials.informed[static_cast<std::size_t>(round)] += fleet.informed();
            if (fleet.whole())
                break;
            if (round == kMostRounds)
                throw Error(ErrorCode::InvalidParameter, "found devices that do not know after " + std::to_string(kMostRounds) + " rounds, expected a smaller loss", "loss");
            fleet.round();
        }
        for (std::size_t rest = static_cast<std::size_t>(round) + 1; rest < trials.informed.size(); ++rest)
            trials.informed[rest] += 1;
        trials.rounds.push_back(round);
        trials.messages += static_cast<double>(fleet.messages());
    }
    return trials;
}

/// Share of reads, spread evenly over devices and time, that get an older version while updates come every `interval` rounds.
double staleReads(const GossipRule& rule, int interval, std::uint64_t seed, const RunContext& context)
{
    constexpr int kUpdates = 200, kBefore = 20;
    GossipFleet fleet(rule, seed);
    double stale = 0;
    for (int update = 0; update < kBefore + kUpdates; ++update) {
        fleet.update();
        for (int round = 0; round < interval; ++round) {
            context.throwIfStopped();
            stale += update >= kBefore ? 1 - fleet.informed() : 0;
            fleet.round();
        }
    }
    return stale / (kUpdates * interval);
}

double theory(GossipMode mode, double n)
{
    const double late = n > 2 ? std::log2(std::log(n)) : 0;
    return mode == GossipMode::Push ? std::log2(n) + std::log(n) : mode == GossipMode::Pull ? std::log2(n) + late : std::log(n) / std::log(3.0) + late;
}

report::GossipReport gossip(const GossipRule& rule, const std::string& mode, int count, double roundSeconds, std::uint64_t seed, const RunContext& context)
{
    context.setParts(10);
    report::GossipReport report;
    report.devices = rule.devices;
    report.mode = mode;
    report.log2 = std::log2(rule.devices);
    if (rule.fanout == 1 && rule.loss == 0)
        report.theoryRounds = theory(rule.mode, rule.devices);
    Trials trials = runTrials(rule, count, seed, context.part(6, "trials"));
    double sum = 0, squares = 0;
    for (const double rounds : trials.rounds) {
        sum += rounds;
        squares += rounds * rounds;
    }
    report.meanRounds = sum / count;
    report.deviation = count > 1 ? std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1))) : report::kNotMeasured;
    std::ranges::sort(trials.rounds);
    report.p95Rounds = trials.rounds[static_cast<std::size_t>(std::ceil(0.95 * count)) - 1];
    report.messagesPerDevice = trials.messages / count / rule.devices;
    for (const double informed : trials.informed)
        report.informed.push_back(informed / count);
    if (rule.devices <= kMostChainDevices) {
        ChainResult chain = solveChain(rule, context.part(2, "chain"));
        report.exactRounds = chain.meanRounds;
        report.exactInformed = std::move(chain.informed);
    }
    const RunContext staleness = context.part(2, "staleness");
    for (int interval = 1; interval <= 64; interval *= 2) {
        double expected = 0; // reads between two rounds see what was known after the first
        for (int round = 0; round < interval; ++round)
            expected += static_cast<std::size_t>(round) < report.informed.size() ? 1 - report.informed[static_cast<std::size_t>(round)] : 0;
        report.staleness.push_back({interval * roundSeconds, staleReads(rule, interval, mixedBits(seed ^ static_cast<std::uint64_t>(interval)), staleness), expected / interval});
    }
    return report;
}

report::FleetReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    const Method method = gossipMethod();
    report::FleetReport report;
    report.method = method.declaration.id;
    report.parameters = method.declaration.schema.complete(given);
    const Parameters& set = report.parameters;
    const GossipRule rule{modeNamed(set.text("mode")), static_cast<int>(set.integer("devices")), static_cast<int>(set.integer("fanout")), set.real("loss")};
    report.gossip = gossip(rule, set.text("mode"), static_cast<int>(set.integer("trials")), set.real("round"), inputs.seed, context);
    report.hasGossip = true;
    report.warnings.push_back("These rounds are a model for planning: they are synchronous, and no device was asked.");
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}
} // namespace

GossipFleet::GossipFleet(const GossipRule& rule, std::uint64_t seed) : m_rule(rule), m_state(seed), m_versions(static_cast<std::size_t>(rule.devices)) {}

std::uint32_t GossipFleet::draw(std::uint32_t below) noexcept { return static_cast<std::uint32_t>(((nextBits(m_state) >> 32U) * below) >> 32U); }

bool GossipFleet::lost() noexcept { return m_rule.loss > 0 && static_cast<double>(nextBits(m_state) >> 11U) * 0x1p-53 < m_rule.loss; }

double GossipFleet::informed() const noexcept { return static_cast<double>(m_knowing) / m_rule.devices; }

void GossipFleet::update()
{
    m_versions[draw(static_cast<std::uint32_t>(m_rule.devices))] = ++m_newest;
    m_knowing = 1;
}

void GossipFleet::round()
{
    m_before = m_versions;
    const auto count = static_cast<std::uint32_t>(m_rule.devices);
    for (std::uint32_t device = 0; device < count; ++device) {
        // One that knows has nothing to ask, and one that knows nothing has nothing to tell.
        const bool tells = m_rule.mode != GossipMode::Pull && m_before[device] > 0, asks = m_rule.mode != GossipMode::Push && m_before[device] < m_newest;
        if (!tells && !asks)
            continue;
        for (int call = 0; call < m_rule.fanout; ++call) {
            std::uint32_t other = draw(count - 1);
            other += other >= device ? 1U : 0U;
            ++m_messages;
            if (lost())
                continue;
            if (tells)
                m_versions[other] = std::max(m_versions[other], m_before[device]);
            if (asks)
                m_versions[device] = std::max(m_versions[device], m_before[other]);
        }
    }
    m_knowing = static_cast<int>(std::ranges::count(m_versions, m_newest));
}

Method gossipMethod()
{
    using Type = ParameterType;
    Method method;
    method.declaration = {.id = "fleet.gossip", .lab = "fleet", .title = "Updates by gossip",
        .reference = "Demers et al. 1987, epidemic algorithms; rounds by Frieze, Grimmett 1985 and Karp et al. 2000",
        .schema = ParameterSchema({
            {.name = "devices", .title = "Devices", .type = Type::Integer, .defaultValue = std::int64_t{64}, .minimum = 2, .maximum = 4096, .logarithmic = true, .help = "That hear of updates; the chain is solved for 256 at most"},
            {.name = "mode", .title = "Mode", .type = Type::Choice, .defaultValue = std::string("push-pull"), .help = "Who knows tells, who does not asks, or both", .choices = {"push", "pull", "push-pull"}},
            {.name = "fanout", .title = "Fan-out", .type = Type::Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 8, .help = "Calls of a device in a round"},
            {.name = "loss", .title = "Loss", .type = Type::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 0.9, .help = "Share of the calls that are lost"},
            {.name = "round", .title = "Round", .type = Type::Real, .defaultValue = 1.0, .minimum = 0.001, .maximum = 3600, .logarithmic = true, .unit = "s", .help = "Time between rounds"},
            {.name = "trials", .title = "Trials", .type = Type::Integer, .defaultValue = std::int64_t{400}, .minimum = 1, .maximum = 10000, .logarithmic = true, .help = "Updates that are followed until all know"},
        })};
    method.run = run;
    return method;
}

} // namespace tamis::fleet

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/cache_bench.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/number_text.h"
#include "core/bench/cache_bench_parts.h"
#include "core/bench/zipf_ids.h"
#include "core/cache/method.h"
#include "core/cache/trace.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <unordered_map>

namespace tamis::bench {
namespace {
using namespace tamis::cache;

constexpr std::size_t kBlock = 4096; ///< requests looked up, then simulated
constexpr int kRounds = 2;           ///< of each policy, the better counts
constexpr double kTouchedBytes = 8 + 4 + 8 + 16; ///< a request's id, its slot, the id there, the policy's node

/// libCacheSim (develop, 2025), one thread, this trace's law and sizes, on a machine of this kind: requests in millions a second, misses at 10,000 and 100,000 objects. Constants, not measured here.
struct Published {
    const char* policy;
    double millions = kNoFigure, missSmall = kNoFigure, missLarge = kNoFigure;
};
constexpr Published kPublished[] = {{"fifo", 5.14, .4499, .2529}, {"sieve", 5.03, .3414, .1904}, {"clock", 4.42}, {"lru", 4.34, .4150, .2233}, {"slru", 3.58}, {"arc", 3.30, .3404, .1903}, {"two-q", 2.28},
    {"lfu", 2.19, .3429, .1904}, {"s3-fifo", 1.86, .3379, .1886}, {"w-tinylfu", 1.75, .3338, .1878}, {"lirs", 1.37}, {"lru-k"}, {"gdsf"}, {"random"}};

struct Measured {
    double seconds = std::numeric_limits<double>::infinity();
    Counts counts;
    std::size_t stateBytes = 0, held = 0;
    double miss() const { return 1 - static_cast<double>(counts.hits) / static_cast<double>(counts.requests); }
};

class Rates {
public:
    Rates(const RunContext& context, const CacheBenchInputs& in) : m_context(context), m_in(in) { m_ids = ZipfIds(in.objects, 1.0, 42).next(in.requests); }

    std::vector<BenchResult> run()
    {
        measureBandwidth();
        measureLookup();
        std::vector<BenchResult> results{lookupEntry()};
        Measured lru;
        for (const Published& each : kPublished) {
            const Method& method = *findMethod("cache." + std::string(each.policy));
            const Measured both = measure(method, m_in.capacity, true), alone = measure(method, m_in.capacity, false), small = measure(method, m_in.small, false, 1);
            results.push_back(entry(each, both, alone, small));
            if (std::string(each.policy) == "lru")
                lru = both;
            m_context.setFraction(static_cast<double>(&each - kPublished + 1) / static_cast<double>(std::size(kPublished)));
        }
        results.push_back(liveEntry(lru));
        return results;
    }

private:
    void measureBandwidth()
    {
        std::vector<std::byte> from(std::size_t{64} << 20U, std::byte{1}), to(from.size());
        double best = std::numeric_limits<double>::infinity();
        for (int round = 0; round < 3; ++round)
            best = std::min(best, processorSeconds([&] { std::memcpy(to.data(), from.data(), from.size()); }));
        m_bandwidth = static_cast<double>(from.size()) / best;
    }
    void measureLookup()
    {
        m_objects.resize(m_ids.size());
        for (int round = 0; round < kRounds; ++round) {
            ObjectNumbers numbers;
            m_lookupSeconds = std::min(m_lookupSeconds, processorSeconds([&] {
                blocks([&](std::size_t first, std::size_t count) { numbers.of(std::span(m_ids).subspan(first, count), std::span(m_objects).subspan(first, count)); });
            }));
            m_known = numbers.count();
            m_lookupBytes = numbers.bytesHeld();
        }
    }
    template <class Function> void blocks(Function&& function) const
    {
        for (std::size_t first = 0; first < m_ids.size(); first += kBlock) {
            if (first % (16 * kBlock) == 0)
                m_context.throwIfStopped();
            function(first, std::min(kBlock, m_ids.size() - first));
        }
    }
    Measured measure(const Method& method, std::uint64_t capacity, bool fromIds, int rounds = kRounds) const
    {
        Measured best;
        for (int round = 0; round < rounds; ++round) {
            const PolicyPtr policy = method.policy({capacity, 1, 1}, {});
            Counts counts;
            ObjectNumbers numbers;
            std::vector<std::uint32_t> block(kBlock);
            const double seconds = processorSeconds([&] {
                if (!fromIds)
                    policy->know(m_known);
                blocks([&](std::size_t first, std::size_t count) {
                    std::span<const std::uint32_t> objects = std::span(m_objects).subspan(first, count);
                    if (fromIds) {
                        numbers.of(std::span(m_ids).subspan(first, count), block);
                        policy->know(numbers.count());
                        objects = std::span(block).first(count);
                    }
                    policy->run({objects, {}, {}}, counts);
                });
            });
            best.seconds = std::min(best.seconds, seconds);
            best.counts = counts;
            best.stateBytes = policy->stateBytes();
            best.held = policy->contents().size();
        }
        return best;
    }
    double millions(double seconds) const { return static_cast<double>(m_ids.size()) / seconds * 1e-6; }
    std::string unit() const { return "s of the processor for " + fixedText(static_cast<double>(m_ids.size()) * 1e-6, 1) + " M requests"; }
    void bound(BenchResult& result, double bytes) const
    {
        result.bound = fixedText(bytes, 0) + " bytes that a request touches at " + fixedText(m_bandwidth * 1e-6, 0) + " MB/s of copies";
        result.boundFraction = static_cast<double>(m_ids.size()) * bytes / m_bandwidth / result.oursSeconds;
    }
    BenchResult lookupEntry() const
    {
        BenchResult result{.name = "numbers of ids alone", .oursSeconds = m_lookupSeconds, .peerSeconds = kNoFigure, .ratio = kNoFigure, .unit = unit(),
                           .note = fixedText(millions(m_lookupSeconds), 2) + " M ids/s, " + std::to_string(m_known) + " objects, " +
                                   fixedText(static_cast<double>(m_lookupBytes) / static_cast<double>(m_known), 1) + " bytes each"};
        bound(result, 8 + 4 + 8);
        return result;
    }
    std::string missText(const Published& peer, const Measured& large, const Measured& small) const
    {
        std::string text = "misses " + fixedText(small.miss(), 4) + " at " + std::to_string(m_in.small) + " and " + fixedText(large.miss(), 4) + " at " + std::to_string(m_in.capacity) + " objects";
        if (!std::isnan(peer.missSmall))
            text += " (libCacheSim, on its own trace of this law at 10000 and 100000: " + fixedText(peer.missSmall, 4) + ", " + fixedText(peer.missLarge, 4) + ")";
        return text;
    }
    BenchResult entry(const Published& peer, const Measured& both, const Measured& alone, const Measured& small) const
    {
        BenchResult result{.name = std::string(peer.policy) + " from ids", .oursSeconds = both.seconds, .peerSeconds = kNoFigure, .ratio = kNoFigure, .unit = unit()};
        if (!std::isnan(peer.millions)) {
            result.peerSeconds = static_cast<double>(m_ids.size()) / (peer.millions * 1e6);
            result.peerName = "a constant: libCacheSim's " + fixedText(peer.millions, 2) + " M requests/s on one thread, measured on this kind of machine, not in this run";
            result.ratio = result.peerSeconds / result.oursSeconds;
        }
        bound(result, kTouchedBytes);
        result.note = fixedText(millions(both.seconds), 2) + " M requests/s with the lookup of ids, " + fixedText(millions(alone.seconds), 2) + " on numbers; policy's state " +
                      fixedText(static_cast<double>(alone.stateBytes) / static_cast<double>(alone.held), 1) + " bytes a held object (" +
                      fixedText(static_cast<double>(alone.stateBytes) / static_cast<double>(m_known), 1) + " a known one); " + missText(peer, both, small);
        return result;
    }
    /// As a script does it.
    BenchResult liveEntry(const Measured& ours) const
    {
        std::list<std::uint64_t> order;
        std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> places;
        std::uint64_t hits = 0;
        const double seconds = processorSeconds([&] {
            blocks([&](std::size_t first, std::size_t count) {
                for (std::size_t i = first; i < first + count; ++i) {
                    const std::uint64_t id = m_ids[i];
                    if (const auto at = places.find(id); at != places.end()) {
                        ++hits;
                        order.splice(order.begin(), order, at->second);
                        continue;
                    }
                    if (order.size() == m_in.capacity) {
                        places.erase(order.back());
                        order.pop_back();
                    }
                    order.push_front(id);
                    places.emplace(id, order.begin());
                }
            });
        });
        if (hits != ours.counts.hits)
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(ours.counts.hits) + " hits, expected the " + std::to_string(hits) + " of a plain list", "least recently used");
        BenchResult result{.name = "lru from ids, live peer", .oursSeconds = ours.seconds, .peerSeconds = seconds, .peerName = "std::list and std::unordered_map, in this run", .ratio = seconds / ours.seconds, .unit = unit(),
                           .note = "the same " + std::to_string(hits) + " hits; peer " + fixedText(millions(seconds), 2) + " M requests/s"};
        bound(result, kTouchedBytes);
        return result;
    }

    const RunContext& m_context;
    const CacheBenchInputs& m_in;
    std::vector<std::uint64_t> m_ids;
    std::vector<std::uint32_t> m_objects; ///< their numbers
    std::size_t m_known = 0, m_lookupBytes = 0;
    double m_lookupSeconds = std::numeric_limits<double>::infinity(), m_bandwidth = 0;
};
} // namespace

std::vector<BenchResult> benchCacheRates(const RunContext& context, const CacheBenchInputs& inputs)
{
    requireMemory(inputs.requests * 12 + inputs.objects * 160, "the trace of the cache bench");
    return Rates(context, inputs).run();
}

std::vector<BenchResult> benchCache(const RunContext& context, const CacheBenchInputs& inputs)
{
    if (inputs.requests == 0 || inputs.objects == 0 || inputs.capacity == 0 || inputs.small == 0 || inputs.curveRequests == 0 || inputs.curveObjects == 0 || inputs.sizes < 2)
        throw Error(ErrorCode::InvalidParameter, "expected some requests, objects and capacities, and two sizes at least", "cache bench");
    if (inputs.streamAlone)
        return benchCacheStream(context, inputs);
    context.setParts(10);
    std::vector<BenchResult> streamed = benchCacheStream(context.part(2, "streaming a file"), inputs); // first: what it takes of memory is looked at
    std::vector<BenchResult> results = benchCacheRates(context.part(5, "policies on one thread"), inputs);
    for (std::vector<BenchResult> part : {benchCacheCurves(context.part(3, "curves"), inputs), std::move(streamed)})
        results.insert(results.end(), part.begin(), part.end());
    context.finish();
    return results;
}

} // namespace tamis::bench

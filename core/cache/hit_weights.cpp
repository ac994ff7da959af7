// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/hit_weights.h"

#include "core/cache/online_regression.h"
#include "core/cache/sampled_policy.h"

#include <array>
#include <cmath>

namespace tamis::cache {
namespace {
constexpr std::size_t kRequests = 4;     ///< whose ages count
constexpr std::size_t kFeatures = 6;     ///< 1, log2 requests so far, whether there were any, log2 gap, log2 size, log2 (1 + cost)
constexpr std::uint64_t kFirstStays = 64; ///< before importance is trusted
constexpr double kLeastImportance = 0.01, kMostHits = 16;

struct Past {
    std::uint64_t last = 0;
    std::uint32_t requests = 0;
};

struct Entry {
    std::uint32_t object = 0, size = 1, hits = 0;
    double importance = 1;
    std::array<std::uint64_t, kRequests> times{}; ///< newest first; 0: none
    std::array<double, kFeatures> x{};            ///< as it came in
};

class HitWeights final : public RememberingPolicy<HitWeights, Entry, Past> {
public:
    HitWeights(std::uint64_t capacity, std::size_t sample, double forgetting, bool bySize, std::uint64_t seed)
        : RememberingPolicy(capacity, sample, seed), m_regression(kFeatures, forgetting), m_bySize(bySize) {}
    bool touch(const Request& request)
    {
        ++m_now;
        Past& past = this->past(request.object);
        m_gap = past.last > 0 ? m_now - past.last : 0;
        past.last = m_now;
        ++past.requests;
        Entry* entry = find(request.object);
        if (!entry)
            return false;
        ++entry->hits;
        std::shift_right(entry->times.begin(), entry->times.end(), 1);
        entry->times[0] = m_now;
        return true;
    }
    void insert(const Request& request)
    {
        Entry entry{.object = request.object, .size = request.size};
        const auto before = static_cast<double>(past(request.object).requests - 1);
        entry.x = {1, std::log2(1 + before), before > 0 ? 1.0 : 0.0, m_gap > 0 ? std::log2(static_cast<double>(m_gap)) : 0.0, std::log2(static_cast<double>(request.size)),
                   std::log2(1 + static_cast<double>(request.cost))};
        if (m_regression.learned() >= kFirstStays)
            entry.importance = std::max(kLeastImportance, m_regression.predict(entry.x));
        entry.times[0] = m_now;
        put(entry);
    }
    /// What it brought is known now.
    void gone(const Entry& entry) { m_regression.learn(entry.x, std::min(kMostHits, static_cast<double>(entry.hits))); }
    double worth(const Entry& entry) const noexcept
    {
        double sum = 0;
        for (std::size_t i = 0; i < kRequests && entry.times[i] > 0; ++i)
            sum += 1.0 / static_cast<double>(m_now - entry.times[i] + 1);
        return sum * entry.importance / (m_bySize ? static_cast<double>(entry.size) : 1.0);
    }
    std::vector<PolicyFigure> figures() const override
    {
        constexpr std::array<const char*, kFeatures> kNames{"constant", "weight of requests", "weight of coming back", "weight of the gap", "weight of the size", "weight of the cost"};
        std::vector<PolicyFigure> figures;
        for (std::size_t i = 0; i < kFeatures; ++i)
            figures.push_back({kNames[i], m_regression.weights()[i]});
        return figures;
    }

private:
    RecursiveLeastSquares m_regression;
    bool m_bySize;
    std::uint64_t m_now = 0, m_gap = 0;
};
} // namespace

Method hitWeightsMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.hit-weights",
        .lab = "cache",
        .title = "Recency sum x fitted importance",
        .reference = "sum of 1 / age over the last four requests x the hits expected of a stay, by recursive least squares on stays that ended; the least of a sample leaves",
        .schema = ParameterSchema({
            {.name = "sample", .title = "Sample", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .unit = "objects", .help = "Looked at for each that leaves"},
            {.name = "forgetting", .title = "Forgetting", .type = ParameterType::Real, .defaultValue = 0.9998, .minimum = 0.9, .maximum = 1, .help = "What a stay counts for each one that ended since; 1: all alike"},
            {.name = "by-size", .title = "By size", .type = ParameterType::Boolean, .defaultValue = true, .help = "What a byte brings instead of what an object brings"},
        })};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = hitWeightsMethod().declaration.schema.complete(given);
        return std::make_unique<HitWeights>(inputs.capacity, static_cast<std::size_t>(parameters.integer("sample")), parameters.real("forgetting"), parameters.boolean("by-size"), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache

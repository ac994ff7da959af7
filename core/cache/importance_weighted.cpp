// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/importance_weighted.h"

#include "core/cache/sampled_policy.h"

#include <array>

namespace tamis::cache {
namespace {
constexpr std::size_t kMostRequests = 8;

enum class Importance { CostPerSize, Cost, Same };

struct Entry {
    std::uint32_t object = 0, size = 1;
    std::size_t requests = 1; ///< of `times`, kMostRequests at most
    double importance = 1;
    std::array<std::uint64_t, kMostRequests> times{}; ///< newest first
};

class ImportanceWeighted final : public SampledPolicy<ImportanceWeighted, Entry> {
public:
    ImportanceWeighted(std::uint64_t capacity, std::size_t k, Importance importance, std::size_t sample, std::uint64_t seed)
        : SampledPolicy(capacity, sample, seed), m_k(k), m_importance(importance) {}
    bool touch(const Request& request) noexcept
    {
        ++m_now;
        Entry* entry = find(request.object);
        if (!entry)
            return false;
        std::shift_right(entry->times.begin(), entry->times.end(), 1);
        entry->times[0] = m_now;
        entry->requests = std::min(entry->requests + 1, m_k);
        return true;
    }
    void insert(const Request& request)
    {
        Entry entry{.object = request.object, .size = request.size};
        const auto cost = static_cast<double>(request.cost);
        entry.importance = m_importance == Importance::Same ? 1.0 : m_importance == Importance::Cost ? cost : cost / static_cast<double>(request.size);
        entry.times[0] = m_now;
        put(entry);
    }
    double worth(const Entry& entry) const noexcept
    {
        double sum = 0;
        for (std::size_t i = 0; i < entry.requests; ++i)
            sum += 1.0 / static_cast<double>(m_now - entry.times[i] + 1);
        return sum * entry.importance;
    }

private:
    std::size_t m_k;
    Importance m_importance;
    std::uint64_t m_now = 0;
};
} // namespace

Method importanceWeightedMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.importance-weighted",
        .lab = "cache",
        .title = "Recency sum x importance",
        .reference = "sum of 1 / age over the last K requests x importance, the least of a sample leaves; not LRU-K, nearer to LRFU (Lee et al. 2001) and Hyperbolic",
        .schema = ParameterSchema({
            {.name = "k", .title = "K", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = static_cast<double>(kMostRequests), .unit = "requests", .help = "The last ones, since it came in, whose ages count"},
            {.name = "importance", .title = "Importance", .type = ParameterType::Choice, .defaultValue = std::string("cost-per-size"), .help = "What an object is worth besides; costs are the trace's, 1 without", .choices = {"cost-per-size", "cost", "same"}},
            {.name = "sample", .title = "Sample", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .unit = "objects", .help = "Looked at for each that leaves"},
        })};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = importanceWeightedMethod().declaration.schema.complete(given);
        const std::string& importance = parameters.text("importance");
        return std::make_unique<ImportanceWeighted>(inputs.capacity, static_cast<std::size_t>(parameters.integer("k")),
                                                    importance == "same" ? Importance::Same : importance == "cost" ? Importance::Cost : Importance::CostPerSize,
                                                    static_cast<std::size_t>(parameters.integer("sample")), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache

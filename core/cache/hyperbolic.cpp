// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/hyperbolic.h"

#include "core/cache/request_worth.h"
#include "core/cache/sampled_policy.h"
#include "core/cache/standing_text.h"

namespace tamis::cache {
namespace {
struct Entry {
    std::uint32_t object = 0, size = 1;
    std::uint64_t requests = 1, since = 0;
    double weight = 1; ///< cost and uniqueness to their powers
};

/// Priority requests x cost x uniqueness / (age x size).
class Hyperbolic final : public SampledPolicy<Hyperbolic, Entry> {
public:
    Hyperbolic(std::uint64_t capacity, std::size_t sample, bool bySize, const RequestWorth& worth, std::uint64_t seed) : SampledPolicy(capacity, sample, seed), m_bySize(bySize), m_worth(worth) {}
    bool touch(const Request& request) noexcept
    {
        ++m_now;
        Entry* entry = find(request.object);
        if (!entry)
            return false;
        ++entry->requests;
        return true;
    }
    void insert(const Request& request) { put({request.object, request.size, 1, m_now, m_worth.ofObject(request)}); }
    double worth(const Entry& entry) const noexcept
    {
        const double age = static_cast<double>(m_now - entry.since) + 1;
        return m_worth.ofRequests(static_cast<double>(entry.requests)) * entry.weight / (age * (m_bySize ? static_cast<double>(entry.size) : 1.0));
    }
    std::string standing(std::uint32_t object) const override
    {
        const Entry* entry = find(object);
        if (!entry)
            return {};
        return "weight " + std::to_string(worth(*entry)) + ": " + counted(entry->requests, "request") + " in " + std::to_string(m_now - entry->since + 1) + (m_bySize ? ", by its size" : "");
    }

private:
    bool m_bySize;
    RequestWorth m_worth;
    std::uint64_t m_now = 0;
};

ParameterSchema schema()
{
    std::vector<ParameterSpec> specs{
        {.name = "sample", .title = "Sample", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .unit = "objects", .help = "Looked at for each that leaves"},
        {.name = "by-size", .title = "By size", .type = ParameterType::Boolean, .defaultValue = false, .help = "Divide by the size: small objects stay longer"},
    };
    for (const ParameterSpec& spec : RequestWorth::specs())
        specs.push_back(spec);
    return ParameterSchema(specs);
}
} // namespace

Method hyperbolicMethod()
{
    Method method;
    method.declaration = {.id = "cache.hyperbolic",
                          .lab = "cache",
                          .title = "Hyperbolic",
                          .reference = "Blankstein, Sen, Freedman 2017: requests x cost per time in the cache, the least of a sample leaves; cost and uniqueness, its factor, are the trace's, 1 without",
                          .schema = schema()};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = schema().complete(given);
        return std::make_unique<Hyperbolic>(inputs.capacity, static_cast<std::size_t>(parameters.integer("sample")), parameters.boolean("by-size"), RequestWorth::from(parameters), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache

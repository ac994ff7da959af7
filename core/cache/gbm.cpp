// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/gbm.h"

#include "core/base/error.h"
#include "core/cache/boosted_trees.h"
#include "core/cache/reuse_learning.h"

namespace tamis::cache {
namespace {
class Model {
public:
    explicit Model(const BoostingSettings& settings) : m_settings(settings) {}
    void learn(std::span<const float> rows, std::span<const std::uint8_t> labels) { m_trees.fit(rows, labels, kReuseFeatures, m_settings); }
    bool fitted() const noexcept { return m_trees.fitted(); }
    double score(std::span<const float> x) const noexcept { return m_trees.score(x); }
    /// Shares of what the splits gained.
    void figures(std::vector<PolicyFigure>& figures) const
    {
        const std::vector<double> gains = m_trees.gains();
        double all = 0;
        for (const double gain : gains)
            all += gain;
        const auto share = [&](std::size_t first, std::size_t count) {
            double sum = 0;
            for (std::size_t i = first; i < first + count; ++i)
                sum += gains[i];
            return all > 0 ? sum / all : 0.0;
        };
        figures.push_back({"gain by age", share(0, 1)});
        figures.push_back({"by requests", share(1, 1)});
        figures.push_back({"by gaps", share(2, kPastGaps)});
        figures.push_back({"by size", share(2 + kPastGaps, 1)});
        figures.push_back({"by decayed counters", share(3 + kPastGaps, kDecays)});
    }

private:
    BoostingSettings m_settings;
    BoostedTrees m_trees;
};

/// A fit is one request's work, and must not be long: with eleven features, a tenth of a second at most.
constexpr std::int64_t kMostWork = std::int64_t{1} << 22U;
void requireWork(const Parameters& parameters)
{
    const std::int64_t work = parameters.integer("window") * parameters.integer("trees") * (parameters.integer("depth") + 1);
    if (work > kMostWork)
        throw Error(ErrorCode::InvalidParameter, "found window x trees x (depth + 1) = " + std::to_string(work) + ", expected 4,194,304 at most: so many rows are looked at in one fit", "cache.gbm");
}

ParameterSchema schema()
{
    std::vector<ParameterSpec> specs = reuseSchema().specs();
    specs.push_back({.name = "trees", .title = "Trees", .type = ParameterType::Integer, .defaultValue = std::int64_t{24}, .minimum = 1, .maximum = 256, .help = "Whose scores are summed"});
    specs.push_back({.name = "depth", .title = "Depth", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 8, .help = "Of each tree"});
    return ParameterSchema(specs);
}
} // namespace

Method gbmMethod()
{
    Method method;
    method.declaration = {.id = "cache.gbm", .lab = "cache", .title = "Reuse by boosted trees", .reference = "Song, Berger, Li, Lloyd 2020, LRB, in the small: who is least likely to come back within a horizon leaves, by gradient-boosted trees fitted again on the latest labels", .schema = schema()};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = schema().complete(given);
        requireWork(parameters);
        BoostingSettings boosting;
        boosting.trees = static_cast<std::size_t>(parameters.integer("trees"));
        boosting.depth = static_cast<std::size_t>(parameters.integer("depth"));
        return std::make_unique<ReuseLearning<Model>>(inputs.capacity, reuseSettings(parameters), Model(boosting), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache

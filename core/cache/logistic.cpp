// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/logistic.h"

#include "core/cache/online_regression.h"
#include "core/cache/reuse_learning.h"

namespace tamis::cache {
namespace {
class Model {
public:
    void learn(std::span<const float> rows, std::span<const std::uint8_t> labels) { m_regression.fit(rows, labels, kReuseFeatures, 1e-3); }
    bool fitted() const noexcept { return m_regression.fitted(); }
    double score(std::span<const float> x) const noexcept { return m_regression.score(x); }
    void figures(std::vector<PolicyFigure>& figures) const
    {
        figures.push_back({"weight of age", m_regression.weights()[0]});
        figures.push_back({"weight of requests", m_regression.weights()[1]});
        figures.push_back({"weight of the last gap", m_regression.weights()[2]});
    }

private:
    LogisticRegression m_regression;
};
} // namespace

ParameterSchema reuseSchema()
{
    return ParameterSchema({
        {.name = "sample", .title = "Sample", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .unit = "objects", .help = "Ranked for each that leaves"},
        {.name = "window", .title = "Window", .type = ParameterType::Integer, .defaultValue = std::int64_t{8192}, .minimum = 256, .maximum = 32768, .logarithmic = true, .unit = "labels", .help = "The latest, that the model is fitted to"},
        {.name = "retrain", .title = "Fit after", .type = ParameterType::Integer, .defaultValue = std::int64_t{4096}, .minimum = 256, .maximum = 1e6, .logarithmic = true, .unit = "labels", .help = "New ones between fits; sooner at first"},
        {.name = "horizon", .title = "Horizon", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .logarithmic = true, .unit = "requests", .help = "Within which coming back counts as soon; 0: twice what an object stays for"},
        {.name = "every", .title = "Look after", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 1e6, .logarithmic = true, .unit = "requests", .help = "Between looks at a held object, which become labels"},
        {.name = "by-size", .title = "By size", .type = ParameterType::Boolean, .defaultValue = false, .help = "What a byte brings instead of what an object brings"},
    });
}

ReuseSettings reuseSettings(const Parameters& complete)
{
    ReuseSettings settings;
    settings.sample = static_cast<std::size_t>(complete.integer("sample"));
    settings.window = static_cast<std::size_t>(complete.integer("window"));
    settings.retrain = static_cast<std::size_t>(complete.integer("retrain"));
    settings.horizon = static_cast<std::uint64_t>(complete.integer("horizon"));
    settings.every = static_cast<std::uint64_t>(complete.integer("every"));
    settings.bySize = complete.boolean("by-size");
    return settings;
}

Method logisticMethod()
{
    Method method;
    method.declaration = {.id = "cache.logistic", .lab = "cache", .title = "Reuse by logistic regression", .reference = "who is least likely to come back within a horizon leaves; features and labels as LRB (Song et al. 2020), fitted again on the latest labels", .schema = reuseSchema()};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        return std::make_unique<ReuseLearning<Model>>(inputs.capacity, reuseSettings(reuseSchema().complete(given)), Model(), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache

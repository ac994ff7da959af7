// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/mixture.h"

#include "core/base/error.h"
#include "core/kernels/score_scan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>

namespace tamis::encoder {
namespace {
using tensor::MatrixView;
constexpr const char* kId = "encoder.mixture";
constexpr std::int64_t kThresholdRows = 4096; // that a threshold is taken from

class LinearRouter final : public Router {
public:
    LinearRouter(LinearMap map, Routing routing, std::int64_t active, const std::vector<float>& load)
        : m_map(std::move(map)), m_routing(routing), m_active(active), m_all(m_map.bias.size()),
          m_mean(routing == Routing::TopExperts ? static_cast<double>(active) : std::accumulate(load.begin(), load.end(), 0.0))
    {
        std::iota(m_all.begin(), m_all.end(), 0);
    }
    std::int64_t width() const noexcept override { return m_map.weight.cols(); }
    std::int64_t groups() const noexcept override { return m_map.weight.rows(); }
    std::uint64_t parameters() const noexcept override { return m_map.weight.size() + m_map.bias.size(); }
    double macs() const noexcept override { return static_cast<double>(m_map.weight.size()); }
    double meanGroups() const noexcept override { return m_mean; }
    void route(std::span<const float> x, std::vector<std::int32_t>& chosen) const override
    {
        const std::vector<float> z = logits(x);
        const auto better = [&](std::int32_t a, std::int32_t b) {
            const float za = z[static_cast<std::size_t>(a)], zb = z[static_cast<std::size_t>(b)];
            return za != zb ? za > zb : a < b;
        };
        chosen.clear();
        if (m_routing == Routing::Relu) {
            std::ranges::copy_if(m_all, std::back_inserter(chosen), [&](std::int32_t e) { return z[static_cast<std::size_t>(e)] > 0; });
            std::ranges::sort(chosen, better);
            return;
        }
        chosen = m_all;
        std::ranges::partial_sort(chosen, chosen.begin() + m_active, better);
        chosen.resize(static_cast<std::size_t>(m_active));
    }
    void shares(std::span<const float> x, std::span<double> shares) const override
    {
        const std::vector<float> z = logits(x);
        const auto most = static_cast<double>(*std::ranges::max_element(z));
        for (std::size_t e = 0; e < z.size(); ++e)
            shares[e] = m_routing == Routing::Relu ? std::max(0.0, static_cast<double>(z[e])) : std::exp(static_cast<double>(z[e]) - most);
        const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
        for (double& share : shares)
            share = sum > 0 ? share / sum : 0;
    }

private:
    std::vector<float> logits(std::span<const float> x) const
    {
        std::vector<float> z(m_all.size());
        kernels::scoreListed(m_map.weight.view(), m_map.bias, x, m_all, z.data());
        return z;
    }
    LinearMap m_map;
    Routing m_routing;
    std::int64_t m_active;
    std::vector<std::int32_t> m_all; ///< 0 to E - 1
    double m_mean;
};

Routing routingFrom(const Parameters& parameters)
{
    return parameters.text("routing") == "relu" ? Routing::Relu : Routing::TopExperts;
}

/// Moves all biases together such that `active` experts a row are positive on average.
void fitThreshold(LinearMap& map, MatrixView<const float> rows, std::int64_t active, const RunContext& context)
{
    std::vector<std::int32_t> all(map.bias.size());
    std::iota(all.begin(), all.end(), 0);
    const std::int64_t count = std::min(kThresholdRows, rows.rows);
    std::vector<float> z(static_cast<std::size_t>(count) * all.size());
    for (std::int64_t t = 0; t < count; ++t) {
        context.throwIfStopped();
        kernels::scoreListed(map.weight.view(), map.bias, rows.row(t * rows.rows / count), all, z.data() + static_cast<std::size_t>(t) * all.size());
    }
    const std::size_t cut = std::min(static_cast<std::size_t>(count * active), z.size() - 1);
    const bool every = static_cast<std::size_t>(count * active) > cut;
    std::ranges::nth_element(z, z.begin() + static_cast<std::ptrdiff_t>(cut), std::greater<>());
    for (float& bias : map.bias)
        bias -= every ? z[cut] - 1 : z[cut];
}

/// One build: what its steps share.
class Building {
public:
    Building(const Inputs& inputs, const Parameters& parameters, const RunContext& context)
        : m_inputs(inputs), m_parameters(parameters), m_context(context), m_dictionary(*inputs.dictionary), m_calibration(inputs.calibration.view()),
          m_settings(parameters, inputs.seed)
    {
        const std::int64_t experts = parameters.integer("experts");
        if (experts > m_dictionary.latents())
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(experts) + " experts for " + std::to_string(m_dictionary.latents()) + " latents, expected at most one a latent", "experts");
        requireRowsToRouteBy(inputs);
        m_target.groups = experts;
        m_target.balance = parameters.real("balance");
        m_target.active = std::min(parameters.integer("active"), experts);
        if (m_target.active != parameters.integer("active"))
            m_built.warnings.push_back("The active experts are " + std::to_string(experts) + ", not " + std::to_string(parameters.integer("active")) + ": there are no more.");
    }

    Built run()
    {
        m_context.setParts(10);
        const LatentGroups groups = partition();
        m_target.groupOf = groupOfLatents(groups, m_dictionary.latents());
        const FeatureScale scale = featureScale(m_calibration, m_context);
        LinearMap map = m_parameters.text("router") == "random" ? randomRouter(m_target.groups, scale, m_settings.seed) : trainedMap(scale);
        const Routing routing = routingFrom(m_parameters);
        if (routing == Routing::Relu)
            fitThreshold(map, m_calibration, m_target.active, m_context);
        const auto statistics = routingStatistics(*linearRouter(map, routing, m_target.active, std::vector<float>(map.bias.size())), m_calibration, m_context.part(1, "routing"));
        m_built.warnings.push_back(sentenceOf(statistics, "experts"));
        keep(map, statistics);
        m_built.encoder = std::make_shared<RoutedEncoder>(m_inputs.dictionary, linearRouter(std::move(map), routing, m_target.active, {statistics.load.begin(), statistics.load.end()}), groups, m_context);
        m_context.finish();
        return std::move(m_built);
    }

private:
    LatentGroups partition()
    {
        const RunContext part = m_context.part(2, "dealing out the latents");
        std::vector<std::int32_t> all(static_cast<std::size_t>(m_dictionary.latents()));
        std::iota(all.begin(), all.end(), 0);
        return affinityOf(m_inputs, m_parameters, part).split(all, m_target.groups, m_settings.seed, RunContext(part.stopToken()));
    }
    LinearMap trainedMap(const FeatureScale& scale)
    {
        train::ParameterSet<float> set;
        const bool relu = routingFrom(m_parameters) == Routing::Relu;
        addRouter(set, m_target.groups, m_dictionary.width(), relu ? 1.0F : 0.0F); // ReLU: all gates open at the mean of what they aim at
        const EncoderObjective objective = relu ? reluObjective(set, m_target, scale, std::make_shared<AdaptiveCoefficient>()) : topExpertsObjective(set, m_target, scale);
        trainInto(m_built, set, m_inputs, m_settings, objective, m_context.part(7, "training the router"));
        return unscaled(set, scale);
    }
    void keep(const LinearMap& map, const RoutingStatistics& statistics)
    {
        std::vector<TrainedTensor> tensors = tensorsOf(map);
        tensors.push_back({"experts", {m_dictionary.latents()}, {}, m_target.groupOf});
        tensors.push_back({"load", {m_target.groups}, {statistics.load.begin(), statistics.load.end()}, {}});
        m_built.trained = trainedBy(kId, m_parameters, m_dictionary, std::move(tensors), RunContext(m_context.stopToken()));
    }

    const Inputs& m_inputs;
    const Parameters& m_parameters;
    RunContext m_context;
    const Dictionary& m_dictionary;
    MatrixView<const float> m_calibration;
    EncoderTrainingSettings m_settings;
    RouterTarget m_target;
    Built m_built;
};

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = mixtureMethod().declaration.schema.complete(given);
    return Building(inputs, parameters, context).run();
}

EncoderPtr restore(const Inputs& inputs, const TrainedEncoder& trained, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    trained.requireFor(kId, dictionary, context);
    const Parameters parameters = mixtureMethod().declaration.schema.complete(trained.parameters);
    const std::int64_t experts = parameters.integer("experts");
    LinearMap map = routerOf(trained, experts);
    const auto& load = trained.floats("load", {experts});
    for (std::size_t e = 0; e < load.values.size(); ++e)
        if (load.values[e] < 0 || load.values[e] > 1 + 1e-5F) // sums of 1 / rows
            throw Error(ErrorCode::MalformedFile, "the load of expert " + std::to_string(e) + " is " + std::to_string(load.values[e]) + ", expected a share of the tokens", load.name);
    auto router = linearRouter(std::move(map), routingFrom(parameters), std::min(parameters.integer("active"), experts), load.values);
    return std::make_shared<RoutedEncoder>(inputs.dictionary, std::move(router), groupsFrom(trained.indices("experts", {dictionary.latents()}), experts), context);
}

/// ReLU gates and the load balance are trained towards the mean number of active experts.
std::vector<std::string> afterTraining(const Parameters& parameters)
{
    const bool free = parameters.text("routing") == "top-e" && parameters.real("balance") == 0;
    return free ? std::vector<std::string>{"active"} : std::vector<std::string>();
}

std::vector<ParameterSpec> mixtureParameters()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "active", .title = "Active experts", .type = Type::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 1024, .step = 1, .logarithmic = true,
         .help = "Experts e a token whose latents are scored; relu: their mean number"},
        {.name = "experts", .title = "Experts", .type = Type::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .step = 1, .logarithmic = true,
         .help = "Parts E that the latents are dealt out to; routing costs D E"},
        {.name = "routing", .title = "Routing", .type = Type::Choice, .defaultValue = std::string("top-e"),
         .help = "top-e: the e largest of a softmax; relu: every expert whose gate is positive, their mean number driven to e", .choices = {"top-e", "relu"}},
        partitionParameter(),
        routerParameter("Router"),
        {.name = "balance", .title = "Load balance", .type = Type::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 10,
         .help = "top-e: weight of the load-balance loss; relu: 1 weighs the L1 of each expert by its load, 0 all alike"}};
    std::ranges::move(routerTrainingParameters(), std::back_inserter(specs));
    return specs;
}
} // namespace

std::shared_ptr<const Router> linearRouter(LinearMap map, Routing routing, std::int64_t active, std::vector<float> load)
{
    const auto experts = static_cast<std::int64_t>(map.bias.size());
    if (map.weight.rows() != experts || load.size() != map.bias.size() || active < 1 || active > experts)
        throw Error(ErrorCode::InvalidParameter, "found a router of " + std::to_string(map.weight.rows()) + " experts with " + std::to_string(experts) + " biases, " + std::to_string(load.size()) +
                                                     " loads and " + std::to_string(active) + " active, expected as many of each and 1 to all active");
    return std::make_shared<LinearRouter>(std::move(map), routing, active, load);
}

Method mixtureMethod()
{
    return trainedMethod({.id = kId,
                          .lab = "encoder",
                          .title = "Mixture of experts",
                          .reference = "A linear router over groups of latents, as in Switch SAEs (Mudide et al. 2024, 2410.08201); ReLU routing: ReMoE (Wang, Chen, Zhu 2024, 2412.14711)",
                          .schema = ParameterSchema(mixtureParameters())},
                         build, restore, afterTraining);
}

} // namespace tamis::encoder

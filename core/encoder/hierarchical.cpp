// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/hierarchical.h"

#include "core/base/error.h"
#include "core/kernels/score_scan.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace tamis::encoder {
namespace {
using tensor::MatrixView;
constexpr const char* kId = "encoder.hierarchical";

struct Node {
    double score = 0;       ///< log p of the path
    std::int32_t place = 0; ///< in its level
};
bool better(const Node& a, const Node& b) { return a.score != b.score ? a.score > b.score : a.place < b.place; }

class TreeRouter final : public Router {
public:
    TreeRouter(LinearMap map, TreeShape shape, std::int64_t beam) : m_map(std::move(map)), m_shape(shape), m_beam(beam) {}
    std::int64_t width() const noexcept override { return m_map.weight.cols(); }
    std::int64_t groups() const noexcept override { return m_shape.leaves(); }
    std::uint64_t parameters() const noexcept override { return m_map.weight.size() + m_map.bias.size(); }
    double macs() const noexcept override { return static_cast<double>(m_shape.scored(m_beam)) * static_cast<double>(width()); }
    double meanGroups() const noexcept override { return static_cast<double>(m_beam); }
    void route(std::span<const float> x, std::vector<std::int32_t>& chosen) const override
    {
        chosen.clear();
        for (const Node& leaf : search(x, m_beam))
            chosen.push_back(leaf.place);
    }
    void shares(std::span<const float> x, std::span<double> shares) const override
    {
        for (const Node& leaf : search(x, m_shape.leaves()))
            shares[static_cast<std::size_t>(leaf.place)] = std::exp(leaf.score);
    }

private:
    /// The `beam` best leaves, best first.
    std::vector<Node> search(std::span<const float> x, std::int64_t beam) const
    {
        const auto branching = static_cast<std::int32_t>(m_shape.branching);
        std::vector<Node> kept{{}}, children;
        std::vector<std::int32_t> listed;
        std::vector<float> logits;
        std::int32_t offset = 0;
        std::int64_t above = 1; // nodes of the level above
        for (std::int64_t level = 0; level < m_shape.levels; ++level) {
            listed.clear();
            for (const Node& parent : kept)
                for (std::int32_t c = 0; c < branching; ++c)
                    listed.push_back(offset + parent.place * branching + c);
            logits.resize(listed.size());
            kernels::scoreListed(m_map.weight.view(), m_map.bias, x, listed, logits.data());
            children.clear();
            for (std::size_t p = 0; p < kept.size(); ++p)
                addChildren(kept[p], std::span(logits).subspan(p * static_cast<std::size_t>(branching), static_cast<std::size_t>(branching)), children);
            const auto most = static_cast<std::ptrdiff_t>(std::min<std::int64_t>(beam, static_cast<std::int64_t>(children.size())));
            std::ranges::partial_sort(children, children.begin() + most, better);
            children.resize(static_cast<std::size_t>(most));
            kept.swap(children);
            above *= branching;
            offset += static_cast<std::int32_t>(above);
        }
        return kept;
    }
    static void addChildren(const Node& parent, std::span<const float> logits, std::vector<Node>& children)
    {
        const auto most = static_cast<double>(*std::ranges::max_element(logits));
        double sum = 0;
        for (const float logit : logits)
            sum += std::exp(static_cast<double>(logit) - most);
        const double base = parent.score - most - std::log(sum);
        for (std::size_t c = 0; c < logits.size(); ++c)
            children.push_back({base + static_cast<double>(logits[c]), parent.place * static_cast<std::int32_t>(logits.size()) + static_cast<std::int32_t>(c)});
    }

    LinearMap m_map;
    TreeShape m_shape;
    std::int64_t m_beam;
};

TreeShape shapeFrom(const Parameters& parameters, const Dictionary& dictionary)
{
    const TreeShape shape{parameters.integer("levels"), parameters.integer("branching")};
    if (shape.leaves() > dictionary.latents())
        throw Error(ErrorCode::InvalidParameter, "found a tree of " + std::to_string(shape.leaves()) + " leaves for " + std::to_string(dictionary.latents()) + " latents, expected at most one a latent", "levels");
    return shape;
}

/// One build: what its steps share.
class Building {
public:
    Building(const Inputs& inputs, const Parameters& parameters, const RunContext& context)
        : m_inputs(inputs), m_parameters(parameters), m_context(context), m_dictionary(*inputs.dictionary), m_calibration(inputs.calibration.view()),
          m_settings(parameters, inputs.seed), m_shape(shapeFrom(parameters, *inputs.dictionary)), m_beam(std::min(parameters.integer("beam"), m_shape.leaves()))
    {
        requireRowsToRouteBy(inputs);
        if (m_beam != parameters.integer("beam"))
            m_built.warnings.push_back("The beam is " + std::to_string(m_beam) + ", not " + std::to_string(parameters.integer("beam")) + ": the tree has no more leaves.");
    }

    Built run()
    {
        m_context.setParts(10);
        LatentGroups leaves = partition();
        const std::vector<std::int32_t> leafOf = groupOfLatents(leaves, m_dictionary.latents());
        const FeatureScale scale = featureScale(m_calibration, m_context);
        LinearMap map = m_parameters.text("router") == "random" ? randomRouter(m_shape.nodes(), scale, m_settings.seed) : trainedMap(leafOf, scale);
        keep(map, leafOf);
        const auto router = treeRouter(std::move(map), m_shape, m_beam);
        m_built.warnings.push_back(sentenceOf(routingStatistics(*router, m_calibration, m_context.part(1, "routing")), "leaves"));
        m_built.encoder = std::make_shared<RoutedEncoder>(m_inputs.dictionary, router, std::move(leaves), m_context);
        m_context.finish();
        return std::move(m_built);
    }

private:
    /// Level after level, each group in turn.
    LatentGroups partition()
    {
        const RunContext part = m_context.part(2, "growing the tree");
        const LatentAffinity affinity = affinityOf(m_inputs, m_parameters, part);
        LatentGroups groups(1);
        groups[0].resize(static_cast<std::size_t>(m_dictionary.latents()));
        std::iota(groups[0].begin(), groups[0].end(), 0);
        for (std::int64_t level = 0; level < m_shape.levels; ++level) {
            LatentGroups next;
            for (const auto& group : groups)
                std::ranges::move(affinity.split(group, m_shape.branching, m_settings.seed, RunContext(part.stopToken())), std::back_inserter(next));
            groups = std::move(next);
        }
        return groups;
    }
    LinearMap trainedMap(const std::vector<std::int32_t>& leafOf, const FeatureScale& scale)
    {
        train::ParameterSet<float> set;
        addRouter(set, m_shape.nodes(), m_dictionary.width(), 0);
        trainInto(m_built, set, m_inputs, m_settings, treeObjective(set, leafOf, m_shape.levels, m_shape.branching, scale), m_context.part(7, "training the routers"));
        return unscaled(set, scale);
    }
    void keep(const LinearMap& map, const std::vector<std::int32_t>& leafOf)
    {
        std::vector<TrainedTensor> tensors = tensorsOf(map);
        tensors.push_back({"leaves", {m_dictionary.latents()}, {}, leafOf});
        m_built.trained = trainedBy(kId, m_parameters, m_dictionary, std::move(tensors), RunContext(m_context.stopToken()));
    }

    const Inputs& m_inputs;
    const Parameters& m_parameters;
    RunContext m_context;
    const Dictionary& m_dictionary;
    MatrixView<const float> m_calibration;
    EncoderTrainingSettings m_settings;
    TreeShape m_shape;
    std::int64_t m_beam;
    Built m_built;
};

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = hierarchicalMethod().declaration.schema.complete(given);
    return Building(inputs, parameters, context).run();
}

EncoderPtr restore(const Inputs& inputs, const TrainedEncoder& trained, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    trained.requireFor(kId, dictionary, context);
    const Parameters parameters = hierarchicalMethod().declaration.schema.complete(trained.parameters);
    const TreeShape shape = shapeFrom(parameters, dictionary);
    LinearMap map = routerOf(trained, shape.nodes());
    LatentGroups leaves = groupsFrom(trained.indices("leaves", {dictionary.latents()}), shape.leaves());
    return std::make_shared<RoutedEncoder>(inputs.dictionary, treeRouter(std::move(map), shape, std::min(parameters.integer("beam"), shape.leaves())), std::move(leaves), context);
}

std::vector<ParameterSpec> hierarchicalParameters()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "beam", .title = "Beam", .type = Type::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 4096, .step = 1, .logarithmic = true,
         .help = "Nodes kept on each level; the latents of so many leaves are scored"},
        {.name = "levels", .title = "Levels", .type = Type::Integer, .defaultValue = std::int64_t{2}, .minimum = 1, .maximum = 4, .step = 1, .help = "Choices from the root to a leaf"},
        {.name = "branching", .title = "Branching", .type = Type::Integer, .defaultValue = std::int64_t{8}, .minimum = 2, .maximum = 64, .step = 1, .help = "Children of an inner node"},
        partitionParameter(), routerParameter("Routers")};
    std::ranges::move(routerTrainingParameters(), std::back_inserter(specs));
    return specs;
}
} // namespace

std::int64_t TreeShape::leaves() const noexcept
{
    std::int64_t count = 1;
    for (std::int64_t level = 0; level < levels; ++level)
        count *= branching;
    return count;
}

std::int64_t TreeShape::nodes() const noexcept
{
    return scored(leaves());
}

std::int64_t TreeShape::scored(std::int64_t beam) const noexcept
{
    std::int64_t sum = 0, above = 1;
    for (std::int64_t level = 0; level < levels; ++level) {
        sum += std::min(beam, above) * branching;
        above *= branching;
    }
    return sum;
}

std::shared_ptr<const Router> treeRouter(LinearMap map, TreeShape shape, std::int64_t beam)
{
    const auto biases = static_cast<std::int64_t>(map.bias.size());
    if (map.weight.rows() != shape.nodes() || biases != shape.nodes() || beam < 1 || beam > shape.leaves())
        throw Error(ErrorCode::InvalidParameter, "found a tree router of " + std::to_string(map.weight.rows()) + " rows and " + std::to_string(biases) + " biases with a beam of " + std::to_string(beam) +
                                                     ", expected " + std::to_string(shape.nodes()) + " of each and a beam of 1 to " + std::to_string(shape.leaves()));
    return std::make_shared<TreeRouter>(std::move(map), shape, beam);
}

Method hierarchicalMethod()
{
    return trainedMethod({.id = kId,
                          .lab = "encoder",
                          .title = "Hierarchical router",
                          .reference = "A tree of linear routers over the latents, searched with a beam; hierarchical softmax as in Morin and Bengio 2005",
                          .schema = ParameterSchema(hierarchicalParameters())},
                         build, restore, [](const Parameters&) { return std::vector<std::string>{"beam"}; });
}

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
// The cost of a checkpoint from its shapes: no weight is read, so that models larger than the memory can be looked at.
#include "core/cost/checkpoint_cost.h"

#include "core/cost/layer_chain.h"
#include "core/nn/architecture.h"
#include "core/nn/relative_attention.h"

#include <optional>

namespace tamis::cost {
namespace {

/// Names of the operators that the checkpoint has, and the forms of those that are not stored dense.
class OperatorListing {
public:
    OperatorListing(const nn::Architecture& architecture, const nn::TensorSource& source, CostOptions& options)
        : m_architecture(architecture), m_source(source), m_options(options)
    {
    }
    void list();

private:
    void add(const std::string& name, int block, io::Role role);
    std::uint64_t elements(const std::string& tensor) const; ///< 0 where there is none
    std::optional<OperatorForm> formOf(const std::string& name) const;

    const nn::Architecture& m_architecture;
    const nn::TensorSource& m_source;
    CostOptions& m_options;
};

std::uint64_t OperatorListing::elements(const std::string& tensor) const
{
    if (!m_source.has(tensor))
        return 0;
    std::uint64_t count = 1;
    for (const std::int64_t side : m_source.shape(tensor, {}))
        count = countOf({static_cast<std::int64_t>(count), side});
    return count;
}

std::optional<OperatorForm> OperatorListing::formOf(const std::string& name) const
{
    OperatorForm form;
    const std::uint64_t biases = elements(name + ".bias");
    const auto fill = [&](std::string kind, std::uint64_t weights, std::uint64_t indices) {
        form.form = std::move(kind);
        form.parameters = weights + biases;
        form.bytes = countOf({static_cast<std::int64_t>(form.parameters), m_options.weightBytes}) + 8 * indices;
        form.macsPerToken = weights;
    };
    const auto sum = [&](std::initializer_list<const char*> tensors) {
        std::uint64_t count = 0;
        for (const char* tensor : tensors)
            count += elements(name + tensor);
        return count;
    };
    if (m_source.has(name + ".weight"))
        fill("dense", sum({".weight"}), 0);
    else if (nn::hasOperator(m_source, name + ".part0"))
        for (int part = 0; part < nn::kMostParts; ++part) {
            const auto each = formOf(name + ".part" + std::to_string(part));
            if (!each)
                break;
            form.form = "stacked";
            form.parameters += each->parameters;
            form.bytes += each->bytes;
            form.macsPerToken += each->macsPerToken;
        }
    else if (m_source.has(name + ".tiled_weight") || m_source.has(name + ".tiled_b"))
        fill(m_source.has(name + ".tiled_weight") ? "tiled" : "tiled-factors", sum({".tiled_weight", ".tiled_a", ".tiled_b"}), sum({".tiled_perm"}));
    else if (m_source.has(name + ".selected_weight"))
        fill("selected", sum({".selected_weight"}), sum({".selected_rows", ".selected_columns"}));
    else if (m_source.has(name + ".remap_b")) {
        const std::uint64_t bytes = sum({".remap_b", ".remap_a"}), halves = sum({".remap_b_rest", ".remap_a_rest"});
        fill("remapped", bytes + halves, 0); // as packed, whatever the type of the other weights
        form.bytes = bytes + 2 * (halves + sum({".remap_scale_b", ".remap_scale_a"})) + 4 * sum({".remap_scale"}) +
                     countOf({static_cast<std::int64_t>(biases), m_options.weightBytes});
    } else if (m_source.has(name + ".lowrank_b"))
        fill(m_source.has(name + ".lowrank_perm") ? "block-identity" : "factors", sum({".lowrank_a", ".lowrank_b"}), sum({".lowrank_perm"}));
    else
        return std::nullopt;
    return form;
}

void OperatorListing::add(const std::string& name, int block, io::Role role)
{
    const bool tied = role == io::Role::Head && m_architecture.spec.text.tiedHead;
    if (name.empty() || (!tied && !nn::hasOperator(m_source, name)))
        return;
    const bool stackedBias = m_source.has(name + ".part0.bias");
    m_options.names.push_back({name, block, role, 0, 0, m_source.has(name + ".bias") || stackedBias});
    const bool projected = role == io::Role::Query || role == io::Role::Key || role == io::Role::Value;
    const bool asTheSpecSays = !projected || m_source.has(name + ".bias") == m_architecture.spec.blocks[static_cast<std::size_t>(block)].attention.qkvBias;
    if (tied || (m_source.has(name + ".weight") && asTheSpecSays)) // else one of three projections without a bias
        return;
    if (auto form = formOf(name))
        m_options.operators[name] = std::move(*form);
}

void OperatorListing::list()
{
    using io::Role;
    const auto& names = m_architecture.names;
    add(names.patch, -1, Role::Patch);
    add(names.projectIn, -1, Role::Other);
    for (std::size_t i = 0; i < names.blocks.size(); ++i) {
        const auto& n = names.blocks[i];
        const auto& spec = m_architecture.spec.blocks[i];
        const int block = static_cast<int>(i);
        add(spec.attention.fusedQkv ? n.qkv : "", block, Role::QueryKeyValue);
        add(spec.attention.fusedQkv ? "" : n.query, block, Role::Query);
        add(spec.attention.fusedQkv ? "" : n.key, block, Role::Key);
        add(spec.attention.fusedQkv ? "" : n.value, block, Role::Value);
        add(n.output, block, Role::Output);
        if (n.sharesBiasTable) {
            const nn::AttentionCost cost = nn::relativeCost(spec.attention, m_architecture.spec.tokens(0), 0);
            m_options.attentions[block] = {"relative", cost.parameters, cost.macs, cost.liveFloats};
        }
        if (spec.mlp.hidden > 0) {
            add(spec.mlp.gated ? n.gate : "", block, Role::Gate);
            add(n.up, block, Role::Up);
            add(n.down, block, Role::Down);
        }
        add(n.merge, block, Role::Other);
    }
    add(names.transform, -1, Role::Other);
    if (m_architecture.spec.classes > 0)
        add(names.head, -1, Role::Head);
    if (m_architecture.spec.distillationHead)
        add(names.secondHead, -1, Role::Head);
}

} // namespace

report::ModelCostReport modelCost(const io::Checkpoint& checkpoint, CostOptions options, std::int64_t imageHeight, std::int64_t imageWidth)
{
    const nn::CheckpointSource source(checkpoint);
    const nn::Architecture architecture = nn::readArchitecture(checkpoint.config(), source, {imageHeight, imageWidth});
    options.names.clear();
    options.operators.clear();
    options.attentions.clear();
    OperatorListing(architecture, source, options).list();
    return modelCost(architecture.spec, options);
}

} // namespace tamis::cost

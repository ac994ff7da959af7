// SPDX-License-Identifier: GPL-3.0-or-later
// The costs of a model's operators as they are, replaced ones included.
#include "core/cost/model_cost.h"

namespace tamis::cost {
namespace {

/// An operator in dense form whose matrix is stored as the embedding's: the architecture's own count is right.
bool sharesItsMatrix(const nn::Model& model, const nn::LinearSlot& slot)
{
    return slot.role == io::Role::Head && model.spec().text.tiedHead && slot.op->kind() == "dense";
}

} // namespace

report::ModelCostReport modelCost(const nn::Model& model, CostOptions options)
{
    options.names.clear();
    options.operators.clear();
    options.attentions.clear();
    for (const nn::LinearSlot* slot : model.linears()) {
        options.names.push_back({slot->name, slot->layer, slot->role, slot->op->outFeatures(), slot->op->inFeatures(), !slot->op->bias().empty()});
        if (sharesItsMatrix(model, *slot))
            continue;
        const nn::OperatorCost cost = slot->op->cost();
        options.operators[slot->name] = {std::string(slot->op->kind()), cost.parameters, cost.bytes, cost.macsPerToken};
    }
    // tokens at every block: the chain knows them
    const auto plain = modelCost(model.spec(), options);
    for (const auto& layer : plain.layers) {
        if (layer.kind != "attention")
            continue;
        const auto& attention = model.blocks()[static_cast<std::size_t>(layer.block)].attention;
        const nn::AttentionCost cost = attention->cost(layer.inputShape.front());
        options.attentions[layer.block] = {std::string(attention->kind()), cost.parameters, cost.macs, cost.liveFloats};
    }
    return modelCost(model.spec(), options);
}

} // namespace tamis::cost

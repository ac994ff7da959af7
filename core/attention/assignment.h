// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which operator stands where: by block, or by head. The form that a plan stores and that everything else in the lab takes.
#include "core/attention/method.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tamis::attention {

inline constexpr std::int64_t kAllHeads = -1;

/// Of one block. Later choices take the place of earlier ones for the same heads.
struct HeadChoice {
    int block = 0;
    std::int64_t head = kAllHeads;
    std::string method; ///< "attention.nystrom"; empty: exact
    Parameters parameters;
    bool operator==(const HeadChoice&) const = default;
};

/// What stands in one block when later choices have taken the place of earlier ones. Points into the choices.
struct BlockChoices {
    int block = 0;
    const HeadChoice* whole = nullptr;     ///< one choice for all heads; null: by head
    std::vector<const HeadChoice*> heads;  ///< [heads]; null: the head keeps exact attention
};
/// Of the blocks that are named, ascending. Throws Error{InvalidParameter} for a block or a head that is not there.
std::vector<BlockChoices> choicesByBlock(const nn::Model& model, std::span<const HeadChoice> choices);

/// Operators to put in place of a model's own, one a block; null: the block keeps its own.
using BlockOperators = std::vector<nn::AttentionPtr>;

struct AssignmentInputs {
    std::uint64_t seed = 0;
    /// From collectSamples(); needed where a method fits to samples.
    std::vector<std::shared_ptr<const BlockSamples>> samples;
    RunContext context = {}; ///< that ends fits
};

/// What the method is given for this block (kAllHeads) or one head of it.
Inputs inputsFor(const nn::Model& model, int block, std::int64_t head, const AssignmentInputs& with);
/// One method for all heads of these blocks; no blocks: of all.
std::vector<HeadChoice> everywhere(const nn::Model& model, const std::string& method, const Parameters& parameters, std::span<const int> blocks);
/// Whether samples are needed for these choices.
bool needsSamples(std::span<const HeadChoice> choices);
/// The blocks that are named, each once, ascending.
std::vector<int> blocksOf(std::span<const HeadChoice> choices);
/// Blocks in parallel. Throws Error{InvalidParameter} for a block, a head or a method that is not there, and what methods throw.
BlockOperators operatorsFor(const nn::Model& model, std::span<const HeadChoice> choices, const AssignmentInputs& with = {});
/// One operator of one head for each head of spec (heads = keyValueHeads = 1); a method that shares among a group's heads does so no more.
nn::AttentionPtr byHead(const nn::AttentionSpec& spec, std::vector<nn::AttentionPtr> heads);
/// The same, each head by a rule of its own.
nn::AttentionPtr headsByRule(const nn::AttentionSpec& spec, const std::function<HeadRulePtr(std::int64_t head)>& rule);
/// The model with them.
std::shared_ptr<const nn::Model> replaced(std::shared_ptr<const nn::Model> model, const BlockOperators& operators);

} // namespace tamis::attention

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method of the attention lab is: declared once, used by the window, the command line and the tests alike.
#include "core/attention/block_samples.h"
#include "core/attention/head_rule.h"
#include "core/attention/tape_operator.h"
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace tamis::attention {

/// What an operator is made for: one block, or one head of it.
struct Inputs {
    nn::AttentionSpec spec; ///< of the block, or of one of its heads alone (heads = keyValueHeads = 1)
    int block = 0;
    int blocks = 1;           ///< of the model: for settings that change with depth
    std::int64_t head = 0;    ///< the first of spec's heads in the block
    std::int64_t width = 0;   ///< of the rows that q, k and v are projected from
    std::int64_t prefix = 0;  ///< tokens before the patches (class, registers); 0 in language models
    std::int64_t gridHeight = 0, gridWidth = 0; ///< patches, row by row; 0 in language models
    std::uint64_t seed = 0;
    std::shared_ptr<const BlockSamples> samples; ///< of these heads; null where the method does not fit to any
    RunContext context = {}; ///< that ends a fit: methods that fit throw Error{Cancelled}
};

/// What a fit takes, before it is begun.
struct FitCost {
    std::uint64_t macs = 0;  ///< in double, those of decompositions too
    std::uint64_t bytes = 0; ///< held at once, samples apart
};

struct Method {
    MethodDeclaration declaration;
    bool baseline = false; ///< trivial
    bool fits = false;     ///< reads Inputs::samples; op throws Error{InvalidParameter} without them
    /// Throws Error{InvalidParameter, UnsupportedFeature (attention that it is not for)}.
    std::function<nn::AttentionPtr(const Inputs&, const Parameters&)> op;
    /// The same operator on the tape, so that a model can be trained around it; empty: it cannot. Throws as op.
    std::function<std::unique_ptr<TapeOperator>(const Inputs&, const Parameters&)> onTape = {};
    /// Of a fit to so many samples of so many tokens; there where `fits`. Allocates nothing; throws as op.
    std::function<FitCost(const Inputs&, const Parameters&, std::int64_t tokens, std::size_t samples)> fitCost = {};
    /// Numbers that onTape() would train, before they are allocated; empty: few.
    std::function<std::uint64_t(const Inputs&, const Parameters&)> trainedNumbers = {};
    /// Settings to compare at where samples have so many tokens; empty: by the schema (usual_settings.h).
    std::function<std::vector<Parameters>(std::int64_t tokens)> usual = {};
};

/// Every method of the lab, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::attention

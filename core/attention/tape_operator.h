// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// An attention operator while a model is trained around it.
#include "core/nn/attention_op.h"
#include "core/train/observe.h"
#include "core/train/parameter_set.h"

#include <string>
#include <vector>

namespace tamis::attention {

/// Own parameters of an operator, or of one of several that it is made of: `prefix` ("head.2.") goes before the names of the set.
struct OwnParameters {
    std::string prefix;
    train::ParameterSet<float>* set = nullptr;
};

/// Owned by one training. Its own parameters, if it has any, are trained beside the model's.
class TapeOperator {
public:
    virtual ~TapeOperator() = default;
    virtual train::ParameterSet<float>* parameters() noexcept { return nullptr; } ///< null: none of its own
    /// All of them: parameters() as a rule, several for operators that are made of others.
    virtual std::vector<OwnParameters> parameterSets()
    {
        if (train::ParameterSet<float>* own = parameters())
            return {{"", own}};
        return {};
    }
    /// Before a step of training, from 0 on: what is drawn may be drawn again. -1, and until this is called: as op() is. What was given to a tape at another step stays as long as that tape needs
    /// it, so long as looks (-1) and steps take turns with tapes of their own.
    virtual void beginStep(std::int64_t step) { (void)step; }
    /// The mixed values, [rows, heads * headDim], as nn::AttentionOp::apply gives them for each sequence.
    virtual train::Variable<float> mix(train::Tape<float>& tape, const train::AttentionRows<float>& rows) = 0;
    /// What it is now, for inference.
    virtual nn::AttentionPtr op() const = 0;
};

} // namespace tamis::attention

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a model costs, layer after layer, from its architecture alone: see docs/cost.md for what is counted.
#include "core/nn/model.h"
#include "core/nn/model_spec.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::cost {

/// A linear operator in another form than dense.
struct OperatorForm {
    std::string form; ///< "factors", "tiled", ...
    std::uint64_t parameters = 0, bytes = 0, macsPerToken = 0;
};

/// An attention in another form, or one that has said what it costs.
struct AttentionForm {
    std::string form; ///< "exact", "window", ...
    std::uint64_t parameters = 0;
    std::uint64_t macs = 0;       ///< one sample
    std::uint64_t liveFloats = 0; ///< memory of its own while it runs, one sample
};

struct CostOptions {
    std::int64_t tokens = 0; ///< of a text; 0: 512, or the positions that the model has if fewer. Vision: the image decides
    std::int64_t batch = 1;
    /// As Tamis runs it: attention in tiles, activation, residual and scale inside the products. False: as an eager
    /// framework does, attention probabilities formed and every pointwise step reading and writing memory.
    bool fused = true;
    std::int64_t weightBytes = 4, activationBytes = 4; ///< of one number, in memory
    std::int64_t cacheBytes = 2;                       ///< of one number of the key-value cache
    report::Ceilings ceilings;                         ///< gflops 0: no prediction
    /// The operators' names; matched to the chain by block, role and shape (a side of 0 fits any), each to the first operator
    /// in execution order that has none. Operators without one get a general name ("blocks.3.up").
    std::vector<nn::OperatorShape> names;
    std::map<std::string, OperatorForm> operators; ///< by name
    std::map<int, AttentionForm> attentions;       ///< by block
};

/// Throws Error{InvalidParameter (an option or a dimension of the architecture out of its range), LimitExceeded (a count
/// that does not fit 64 bits)}. Names and forms that no operator of the chain has give warnings.
report::ModelCostReport modelCost(const nn::ModelSpec& spec, const CostOptions& options = {});

/// The same for a model with its operators as they are: names, forms and attentions come from the model, in place of
/// those of the options.
report::ModelCostReport modelCost(const nn::Model& model, CostOptions options = {});

/// Sets intensity and predicted milliseconds of every layer and the total, at the report's batch:
/// max(2 macs batch / peak, (weights read + activations batch) / bandwidth). `ceilings` with gflops or bandwidth 0: not predicted.
void predictLatency(report::ModelCostReport& report, const report::Ceilings& ceilings);

} // namespace tamis::cost

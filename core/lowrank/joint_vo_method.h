// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/compression_run.h"
#include "core/lowrank/joint_vo.h"

#include <optional>
#include <vector>

namespace tamis::lowrank {

/// lowrank.joint-vo: values and outputs of every layer jointly, head by head or separately, everything else by whitened factors;
/// docs/methods/lowrank.joint-vo.md.
Method jointVoMethod();

/// Form, choice of ranks and samples: "form", "vo-split", "value-share", "error-samples".
std::vector<ParameterSpec> jointVoFormParameters();

/// The value and output part of a method: solves layers, collects planes, contraction costs and the parts of the error.
class ValueCompression {
public:
    explicit ValueCompression(CompressionRun& run) : m_run(run) {}
    struct Chosen {
        nn::LinearPtr value, output;
    };
    /// Nothing where the budget leaves both dense.
    std::optional<Chosen> compress(const LayerTargets& layer, const RunContext& context);
    /// Once every operator is put: figures, scalars and, with samples, the decomposition of the error.
    void fill(const RunContext& context);

private:
    struct Layer {
        int layer = -1;
        double objective = 0;
        std::int64_t valueRank = 0, outputRank = 0;
        ContractionCost contraction;
    };
    JointVo::Solution solve(const JointVo& vo, const LayerTargets& layer, const RunContext& context);
    CompressionRun& m_run;
    std::vector<Layer> m_layers;
};

} // namespace tamis::lowrank

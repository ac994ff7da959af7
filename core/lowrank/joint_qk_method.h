// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/compression_run.h"
#include "core/lowrank/joint_qk.h"

#include <map>
#include <optional>

namespace tamis::lowrank {

/// lowrank.joint-qk: queries and keys of every layer jointly, everything else by whitened factors; docs/methods/lowrank.joint-qk.md.
Method jointQkMethod();

/// Parameters of the choice of ranks ("rank-choice", "energy", "split", "query-share") and "map-samples".
std::vector<ParameterSpec> jointQkRankParameters();

/// The query and key part of a method: solves layers, collects planes, figures and map errors for the report.
class ScoreCompression {
public:
    explicit ScoreCompression(CompressionRun& run) : m_run(run) {}
    /// The joint projections of a layer at the ranks that the budget and the parameters give; nothing where the budget leaves both
    /// dense.
    struct Chosen {
        nn::LinearPtr query, key;
    };
    std::optional<Chosen> compress(const LayerTargets& layer, const RunContext& context);
    /// Heads (map errors on samples, where there are any), planes and figures into the run's report.
    void fill(const RunContext& context);

private:
    struct Layer {
        int layer = -1;
        JointQk::Solution joint, separate;
        std::vector<std::int64_t> directions; ///< a head: how many of its core hold 99 % of its energy
    };
    RankPair ranks(const JointQk& joint, const LayerTargets& layer) const;
    void fillHeads(const RunContext& context);
    void fillFigures();
    CompressionRun& m_run;
    std::vector<Layer> m_layers;
};

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Ranks trained in the joint planes of queries and keys (LatentLLM) instead of each matrix's own outputs: docs/methods/lowrank.dobi.md.
// Private to the lab.
#include "core/lowrank/dobi_ranks.h"
#include "core/lowrank/joint_qk.h"
#include "core/lowrank/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tamis::lowrank {

/// W ~ B A with the plane's directions in the order of their score energy: gate i is on row i of A.
struct GatedPlane {
    tensor::Matrix<float> a, b; ///< [p, n], [m, p]
};

class DobiPlanes {
public:
    DobiPlanes() = default; ///< none
    /// Of every layer whose query and key projections are both among `matrices`, as wide as `budget` can use and `beyond` more. Layers
    /// with a fused projection, or a norm that breaks bilinearity, have none: a sentence in `warnings`. Needs inputs.calibration
    /// (Error{InvalidParameter}).
    DobiPlanes(const Inputs& inputs, const std::vector<const io::MatrixRef*>& matrices, const RankBudget& budget, std::int64_t beyond,
               std::vector<std::string>& warnings, const RunContext& context);

    /// Null where the matrix has none.
    const GatedPlane* find(std::string_view matrix) const;
    /// What `matrix` becomes when its layer's pair is solved for the ranks of both (by name); null where it has no plane, or one of
    /// the two stays dense.
    nn::LinearPtr operatorAt(const std::string& matrix, const std::map<std::string, std::int64_t>& ranks, plan::Accounting accounting, const RunContext& context) const;

private:
    struct Pair {
        JointQk joint;
        std::string query, key;
    };
    std::vector<Pair> m_pairs;
    std::map<std::string, std::size_t, std::less<>> m_pairOf;
    std::map<std::string, GatedPlane, std::less<>> m_planes;
};

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/dobi_planes.h"

#include "core/base/error.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {

GatedPlane planeOf(const nn::LinearOp& op)
{
    const auto tensors = op.tensors(""); // factors: A, B and a bias
    const auto asMatrix = [](const nn::NamedTensor& tensor) {
        tensor::Matrix<float> m(tensor.shape.at(0), tensor.shape.at(1));
        std::ranges::copy(tensor.values, m.values().begin());
        return m;
    };
    return {asMatrix(tensors.at(0)), asMatrix(tensors.at(1))};
}

} // namespace

DobiPlanes::DobiPlanes(const Inputs& inputs, const std::vector<const io::MatrixRef*>& matrices, const RankBudget& budget, std::int64_t beyond,
                       std::vector<std::string>& warnings, const RunContext& context)
{
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "the joint planes of queries and keys need a calibration set, expected one, or scores=own", "lowrank.dobi");
    std::map<int, std::pair<std::size_t, std::size_t>> layers; // query, key; one past the matrices: none
    std::size_t fused = 0;
    for (std::size_t i = 0; i < matrices.size(); ++i) {
        auto& pair = layers.try_emplace(matrices[i]->layer, matrices.size(), matrices.size()).first->second;
        if (matrices[i]->role == io::Role::Query)
            pair.first = i;
        else if (matrices[i]->role == io::Role::Key)
            pair.second = i;
        fused += matrices[i]->role == io::Role::QueryKeyValue;
    }
    if (fused > 0)
        warnings.push_back(std::to_string(fused) + " fused projections of queries, keys and values have one rank for the three and were gated in their own outputs' directions.");
    for (const auto& [layer, pair] : layers) {
        if (pair.first == matrices.size() || pair.second == matrices.size())
            continue;
        context.throwIfStopped();
        JointQk joint = JointQk::prepare(inputs, layer, {}, context);
        warnings.insert(warnings.end(), joint.notices().begin(), joint.notices().end());
        if (!joint.bilinear())
            continue;
        const auto solution = joint.solve(std::min(budget.largest(pair.first) + beyond, joint.maxQueryRank()), std::min(budget.largest(pair.second) + beyond, joint.maxKeyRank()), context);
        const std::string &query = matrices[pair.first]->name, &key = matrices[pair.second]->name;
        m_planes[query] = planeOf(*solution.query);
        m_planes[key] = planeOf(*solution.key);
        m_pairOf[query] = m_pairOf[key] = m_pairs.size();
        m_pairs.push_back({std::move(joint), query, key});
    }
}

const GatedPlane* DobiPlanes::find(std::string_view matrix) const
{
    const auto found = m_planes.find(matrix);
    return found == m_planes.end() ? nullptr : &found->second;
}

nn::LinearPtr DobiPlanes::operatorAt(const std::string& matrix, const std::map<std::string, std::int64_t>& ranks, plan::Accounting accounting, const RunContext& context) const
{
    const auto found = m_pairOf.find(matrix);
    if (found == m_pairOf.end())
        return nullptr;
    const Pair& pair = m_pairs[found->second];
    const std::int64_t query = ranks.at(pair.query), key = ranks.at(pair.key);
    if (query == kStaysDense || key == kStaysDense)
        return nullptr;
    const auto solution = pair.joint.solve(query, key, context, accounting);
    return matrix == pair.query ? solution.query : solution.key;
}

} // namespace tamis::lowrank

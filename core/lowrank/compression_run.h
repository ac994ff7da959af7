// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the joint methods share: the targets of each layer, the ranks that the budget gives them, whitened factors for what is not
// joint, and the report. One run; not thread-safe.
#include "core/lowrank/attention_parts.h"
#include "core/lowrank/method.h"
#include "core/tensor/matrix.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::lowrank {

/// The targets of one block; null where it has none of that role, or it is not asked for.
struct LayerTargets {
    int layer = -1;
    const io::MatrixRef *fused = nullptr, *query = nullptr, *key = nullptr, *value = nullptr, *output = nullptr;
    std::vector<const io::MatrixRef*> others;
    bool scores() const noexcept { return fused || (query && key); }
    bool values() const noexcept { return (fused || value) && output; }
};

class CompressionRun {
public:
    /// Finds targets and ranks. `inputs` must outlive the run. Throws what targets() and chooseRanks() throw, and
    /// Error{InvalidParameter} without model, checkpoint or calibration set.
    CompressionRun(std::string id, const Inputs& inputs, const plan::BudgetRequest& budget, Parameters complete, const Finished& finished,
                   const RunContext& context);

    const std::vector<LayerTargets>& layers() const noexcept { return m_layers; }
    const Inputs& inputs() const noexcept { return m_inputs; }
    const plan::BudgetRequest& budget() const noexcept { return m_budget; }
    report::LowRankReport& report() noexcept { return m_result.report; }

    /// What the budget leaves for a matrix, or for `rows` of its outputs, in budget units: those of its rank, or all of the dense
    /// ones where it stays dense.
    double units(const io::MatrixRef& matrix, std::int64_t rows = 0) const;
    /// The rank that the budget gives a matrix, or `rows` of its outputs at the same keep; 0: dense.
    std::int64_t rank(const io::MatrixRef& matrix, std::int64_t rows = 0) const;
    bool ranksByHand(const io::MatrixRef& matrix) const; ///< an override says its rank

    /// Puts `op` in the place of a matrix; null: it stays dense, and is listed.
    void put(const io::MatrixRef& matrix, nn::LinearPtr op, const RunContext& context, double minimumLoss = report::kNotMeasured);
    /// Whitened factors at the budget's rank.
    void putLocal(const io::MatrixRef& matrix, double ridge, const RunContext& context);
    void warn(std::string sentence) { m_result.report.warnings.push_back(std::move(sentence)); }

    /// The model with what was put so far.
    std::shared_ptr<const nn::Model> model() const { return compressed(*m_inputs.model, m_result); }

    Compression finish();

private:
    const Inputs& m_inputs;
    plan::BudgetRequest m_budget;
    const Finished& m_finished;
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
    std::vector<const io::MatrixRef*> m_targets;
    std::vector<LayerTargets> m_layers;
    std::map<std::string, std::int64_t> m_ranks;
    Compression m_result;
};

/// Whitened factors of any weight [m, n] under C [n, n]: B = U_r, A = U_r^T W, U the eigenvectors of W C W^T (of R C R^T for a tall
/// W = Q R). `energy` (may be null): the eigenvalues.
struct LocalFactors {
    tensor::Matrix<double> b, a; ///< [m, r], [r, n]
};
LocalFactors whitenedFactors(const tensor::Matrix<double>& w, const tensor::Matrix<double>& c, std::int64_t rank, std::vector<double>* energy = nullptr,
                             const RunContext& context = {});

/// The rows of a fused projection that `part` holds, as whitened factors at the keep that the budget gives the whole; with their bias.
nn::LinearPtr localRows(const CompressionRun& run, const io::MatrixRef& fused, const Projection& part, double ridge, const RunContext& context);

/// How a pair of planes shares a budget.
enum class RankSplit { Spectra, Equal, Share };
struct PlaneSize {
    std::int64_t rows = 0, cols = 0;
    const std::vector<double>* energy = nullptr; ///< descending
};
struct RankPair {
    std::int64_t first = 0, second = 0;
};
/// Ranks, multiples of `alignment` and at least it, whose cost stays within `units` where that is possible. Spectra: step by step
/// where the most energy a unit is left (both energies in the same measure); Equal: the same share of each plane's dense units;
/// Share: `share` of the units for the first. No rank beyond the largest that is cheaper than dense.
RankPair splitRanks(const PlaneSize& first, const PlaneSize& second, double units, plan::Accounting accounting, std::int64_t alignment, RankSplit split,
                    double share = 0.5);
/// Smallest rank whose directions hold `energy` of the total, 0 < energy <= 1; at least 1.
std::int64_t rankForEnergy(const std::vector<double>& energies, double energy);

} // namespace tamis::lowrank

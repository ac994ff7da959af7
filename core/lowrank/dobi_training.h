// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Ranks trained through truncated activations: docs/methods/lowrank.dobi.md. Private to the lab.
#include "core/lowrank/dobi_planes.h"
#include "core/lowrank/dobi_ranks.h"
#include "core/lowrank/incremental_pca.h"
#include "core/lowrank/method.h"
#include "core/lowrank/training_objective.h"
#include "core/train/parameter_set.h"
#include "core/train/truncation_op.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::lowrank {

enum class RankGateKind { Tanh, HardConcrete };
/// How gradients reach earlier layers.
enum class TruncationBackward {
    Exact,      ///< through the decomposition of every step's activations
    Projection, ///< these decomposed again every step, their singular vectors taken for constants
    Frozen      ///< the dense model's singular vectors, decomposed once
};

struct DobiSettings {
    DobiSettings() = default;
    explicit DobiSettings(const Parameters& complete);
    std::size_t samples = 24;
    std::int64_t group = 1, batch = 8, epochs = 8;
    double learningRate = 0.5, beta = 10, budgetWeight = 200, errorWeight = 0;
    bool perplexity = true; ///< exp of the cross entropy as the task loss
    RankGateKind gate = RankGateKind::Tanh;
    TruncationBackward backward = TruncationBackward::Exact;
    bool jointScores = false; ///< queries and keys are gated in the joint planes of their scores
    std::uint64_t seed = 0;
};

struct TrainingEpoch {
    double loss = 0;  ///< mean cross entropy of its steps, activations truncated by the gates
    double share = 0; ///< of the dense units, at its end
};

class DobiTraining {
public:
    /// Reads the samples, runs them through the dense model and decomposes the outputs of `matrices`. Samples of another length
    /// than the first are left out with a warning. Throws Error{InvalidParameter (no sample, a batch smaller than a group),
    /// LimitExceeded (singular vectors beyond 4 GiB), NonFinite, Cancelled} and what TrainingObjective throws.
    DobiTraining(const Inputs& inputs, const std::vector<const io::MatrixRef*>& matrices, const RankBudget& budget, const DobiSettings& settings,
                 std::vector<std::string>& warnings, const RunContext& context);

    /// Adam on one number a matrix (tanh gates) or one a direction (hard concrete), all else frozen. Throws Error{NonFinite} with
    /// step and matrix, Error{Cancelled} within 100 ms of a stop.
    std::vector<TrainingEpoch> train(const RunContext& context);
    /// Fractional ranks that the gates stand at now, in the order of the matrices.
    std::vector<double> ranks() const;
    /// Mean cross entropy over the training samples with the activations cut at these ranks.
    double taskLoss(const std::vector<std::int64_t>& ranks, const RunContext& context);
    /// The directions that each group of samples keeps of one matrix's outputs: its leading right singular vectors; with hard
    /// concrete gates those that are most likely open.
    std::vector<Subspace> subspaces(std::size_t matrix, std::int64_t rank) const;
    const DobiPlanes& planes() const noexcept { return m_planes; } ///< what stands in the place of those directions for queries and keys

private:
    struct Gated {
        const io::MatrixRef* ref = nullptr;
        tensor::Matrix<float> weight;             ///< [m, n]
        std::int64_t width = 0;                   ///< gates
        const GatedPlane* plane = nullptr;        ///< gated there; null: in the outputs' own directions
        train::Parameter<float>* parameter = nullptr; ///< k [1, 1], or logits [1, width]
        std::vector<tensor::Matrix<float>> vectors;   ///< of each group
        std::vector<std::vector<float>> values;
    };
    void loadSamples(const Inputs& inputs, std::vector<std::string>& warnings, const RunContext& context);
    void addMatrix(const Inputs& inputs, const io::MatrixRef& matrix, std::int64_t rank, std::int64_t most);
    void collect(const RunContext& context);
    train::Variable<float> truncated(train::Tape<float>& tape, const Gated& gated, train::Variable<float> x, train::Variable<float> bias, train::Variable<float> gates,
                                     const std::vector<std::size_t>& groups) const;
    train::Variable<float> gatesOf(train::Tape<float>& tape, std::size_t matrix, std::uint64_t step) const;
    train::Variable<float> penalty(train::Tape<float>& tape, double& share) const;
    std::vector<measure::LoadedSample> samplesOf(const std::vector<std::size_t>& groups) const;
    /// Mean cross entropy of the groups; gates(i) are those of matrix i.
    template <class Gates> train::Variable<float> lossOf(train::Tape<float>& tape, const std::vector<std::size_t>& groups, const Gates& gates);
    double step(train::Tape<float>& tape, const std::vector<std::size_t>& groups, std::uint64_t step, double& share);
    std::vector<std::int64_t> order(const Gated& gated) const;

    DobiSettings m_settings;
    const RankBudget& m_budget;
    TrainingObjective m_objective;
    DobiPlanes m_planes;
    std::vector<measure::LoadedSample> m_samples;
    std::size_t m_groups = 0;
    std::int64_t m_rows = 0; ///< of a group
    train::ParameterSet<float> m_parameters;
    std::vector<Gated> m_matrices;
    std::map<std::string, std::size_t, std::less<>> m_byName;
};

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What routed encoders have in common when they are trained: their parameters, groups of latents, a linear router, and what it is trained
// against: the share of the exact codes' mass (the sum of their values) that lies in each group. Private to the lab.
#include "core/encoder/encoder_training.h"
#include "core/encoder/latent_groups.h"
#include "core/train/parameter_set.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::encoder {

/// encoderTrainingParameters() with the defaults of routers: they are linear, so that steps may be large and none is one too many.
std::vector<ParameterSpec> routerTrainingParameters();
/// partition: how latents are grouped, as groupByNamed().
ParameterSpec partitionParameter();
/// router: trained or random.
ParameterSpec routerParameter(const std::string& title);

/// Throws Error{InvalidParameter} for fewer than 2 calibration rows or another width than the dictionary's.
void requireRowsToRouteBy(const Inputs& inputs);
/// Of the calibration rows, by partition of `complete`; nothing of it is seen as progress. Throws as LatentAffinity, Error{Cancelled}.
LatentAffinity affinityOf(const Inputs& inputs, const Parameters& complete, const RunContext& context);

/// Features as routers are trained on them: (x - mean) / deviation, a feature that never varies is left out.
struct FeatureScale {
    std::vector<double> mean, inverse; ///< [D]
};
/// Throws Error{Cancelled}.
FeatureScale featureScale(tensor::MatrixView<const float> rows, const RunContext& context = {});

/// A linear map [outputs, D] with bias for rows as they are.
struct LinearMap {
    tensor::Matrix<float> weight;
    std::vector<float> bias;
};
/// weight and bias of the set, which read scaled features, for rows as they are; in double, rounded once.
LinearMap unscaled(train::ParameterSet<float>& set, const FeatureScale& scale);
/// Parameters "router.weight" [outputs, D] of zeros and "router.bias" [outputs] of `bias`.
void addRouter(train::ParameterSet<float>& set, std::int64_t outputs, std::int64_t width, float bias);
/// Weights N(0, 1 / D) for scaled features, bias 0: the trivial router, which knows nothing.
LinearMap randomRouter(std::int64_t outputs, const FeatureScale& scale, std::uint64_t seed);
/// The map as a trained encoder keeps it: "router.weight" [outputs, D] and "router.bias" [outputs].
std::vector<TrainedTensor> tensorsOf(const LinearMap& map);
/// The map that was kept. Throws Error{MalformedFile} for tensors that are missing or of other shapes.
LinearMap routerOf(const TrainedEncoder& trained, std::int64_t outputs);

/// shares [n, groups]: of row t, sum of z_j over the codes in each group over that of all; 0 for a row without codes.
void massShares(const SparseCodes& codes, std::span<const std::int32_t> groupOf, tensor::MatrixView<float> shares);

struct RouterTarget {
    std::vector<std::int32_t> groupOf; ///< [M]
    std::int64_t groups = 1;
    std::int64_t active = 1; ///< e
    double balance = 0;
};

/// Cross entropy of softmax(router) and the shares; plus balance * E * sum_e f_e P_e, f_e the share of the choices of the e largest that fall on
/// expert e, P_e its mean probability (Fedus et al. 2021, "Switch Transformers", where e = 1). Checked: the cross entropy.
EncoderObjective topExpertsObjective(train::ParameterSet<float>& set, RouterTarget target, FeatureScale scale);

/// lambda of ReMoE: the L1 coefficient that drives a number of active experts to its target.
struct AdaptiveCoefficient {
    double value = 1e-8, factor = 1.2; ///< the paper's
    /// After a step in which `mean` experts a token were active: times `factor` where there were too many, over it where too few.
    void follow(double mean, double wanted) noexcept;
};

/// ReMoE (Wang, Chen, Zhu 2024, 2412.14711): gates g = max(router, 0). Mean over tokens and experts of (g_e - E s_e)^2, s the shares, plus
/// lambda * mean over tokens of sum_e (1 + balance (f_e - 1)) g_e, f_e the load of expert e over the mean load wanted (E / (e n) times the tokens
/// where g_e > 0): balance 1 is the paper's refined L1. lambda follows the mean number of active experts. Checked: the mean share of the
/// mass that no active expert holds when a threshold leaves e experts a token on average, as the finished router has it.
EncoderObjective reluObjective(train::ParameterSet<float>& set, RouterTarget target, FeatureScale scale, std::shared_ptr<AdaptiveCoefficient> coefficient);

/// Cross entropy of the leaves of a tree whose inner nodes have `branching` children each and the shares: all nodes are trained together.
/// Router outputs are nodes, level after level, the children of one node side by side.
EncoderObjective treeObjective(train::ParameterSet<float>& set, std::vector<std::int32_t> leafOf, std::int64_t levels, std::int64_t branching, FeatureScale scale);

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Heads behind blocks: what they look at, and their training on what the model leaves there.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/series.h"
#include "core/tensor/matrix.h"
#include "core/tokens/exit_rule.h"

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace tamis::tokens {

/// Numbers that a head looks at: the tokens that the model's own head looks at (class; class and distillation; the patches' mean; class and
/// mean), each normed to mean 0 and variance 1. A weight and a bias of that norm would change nothing: the head is linear.
std::int64_t exitFeatureCount(const nn::ModelSpec& spec);
/// `features` [exitFeatureCount] of x [tokens, width] behind a block.
void exitFeatures(const nn::ModelSpec& spec, kernels::ConstRows x, std::span<float> features, nn::Scratch& scratch);

/// What the model leaves behind its blocks, photo by photo. Heads are trained on it and tested on it.
struct ExitFeatures {
    std::vector<tensor::Matrix<float>> features; ///< [blocks - 1], each [photos, exitFeatureCount]
    tensor::Matrix<float> logits;                ///< [photos, classes], the whole model's
    std::vector<int> labels;                     ///< [photos], -1: not known
};
/// Photos in parallel; those that cannot be read are left out, with a warning. Throws Error{InvalidParameter (a label beyond the classes)}, NonFinite (with the photo), Cancelled.
ExitFeatures captureExits(const nn::Model& model, const measure::SampleSource& source, std::vector<std::string>& warnings, const RunContext& context);
/// Those of these photos, in this order.
ExitFeatures selected(const ExitFeatures& from, const std::vector<std::size_t>& photos);

/// [classes, features], [classes].
struct ExitHead {
    tensor::Matrix<float> weight;
    std::vector<float> bias;
};

struct ExitTraining {
    bool labels = true;        ///< a photo's label is what its heads learn, where there is one; the model's probabilities where there is none. false: always those
    double decay = 1e-3;       ///< decay / 2 |weights|^2 is added to the loss, of weights over features of variance 1 over the photos
    std::int64_t steps = 300;
    double rate = 0.03;        ///< the largest of AdamW's, falling to 0 in half a cosine
    std::stop_token enough;    ///< ends with the best so far
};
struct TrainedExits {
    std::vector<ExitHead> heads;       ///< [blocks - 1]
    std::vector<report::Series> losses; ///< mean over the heads, nats: training (with decay), held out (without)
};
/// Heads behind all blocks but the last: of each the weights and bias that minimise the mean cross entropy with what it learns, plus decay. Convex, with one
/// minimum. All photos in every step, so nothing is drawn. `heldOut` may have no photo. Throws Error{InvalidParameter}, Error{Cancelled}.
TrainedExits trainExits(const ExitFeatures& training, const ExitFeatures& heldOut, const ExitTraining& settings, const RunContext& context);

/// Logits [photos, classes] of a head.
tensor::Matrix<float> exitLogits(const ExitHead& head, const tensor::Matrix<float>& features);

/// [photos, classes]: what heads learn from photos; labels as in ExitTraining.
tensor::Matrix<float> exitTargets(const ExitFeatures& photos, bool labels);

/// The factor (1 / temperature, Guo et al. 2017) in [0.01, 100] with which logits have the least mean cross entropy with the targets, to 1e-9 of itself. Throws Error{Cancelled}.
double sharpness(const tensor::Matrix<float>& logits, const tensor::Matrix<float>& targets, const RunContext& context = {});
/// The head with its logits times the factor.
void sharpen(ExitHead& head, double factor);

/// The table of these exits (blocks) of photos. Agreement is with the whole model's best class.
ExitTable exitTable(const ExitFeatures& photos, const std::vector<ExitHead>& heads, ExitRule rule, const RunContext& context);

} // namespace tamis::tokens

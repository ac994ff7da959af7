// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Gates on the branches of a frozen vision transformer: which of them may go when only so many multiply-adds are wanted.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/series.h"
#include "core/train/vit_on_tape.h"

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

enum class GateKind {
    HardConcrete,   ///< Louizos, Welling, Kingma 2018: noise that is stretched and cut, so that a gate is exactly 0 or 1 at times; its gradient exists
    StraightThrough ///< 0 or 1 drawn with probability sigmoid(a); the gradient goes through as if that were the gate
};
/// "hard-concrete", "straight-through". Throws Error{InvalidParameter}.
GateKind parseGateKind(std::string_view name);

/// Gates stand in the order of the branches: attention of block 0, MLP of block 0, attention of block 1, ...
/// Share of each in the multiply-adds of all branches on all tokens: [2 blocks], sum 1.
std::vector<double> branchShares(const nn::ModelSpec& spec);
/// Names of the linear operators that a branch ends with; empty for a block without an MLP.
std::vector<std::string> branchEnds(const nn::Model& model);

/// The gate without noise: clamp(1.2 sigmoid(a) - 0.1, 0, 1); or 1 where sigmoid(a) > 1/2, else 0.
double settledGate(GateKind kind, double logit);
/// Probability that the gate is not 0: sigmoid(a - 2/3 log(0.1 / 1.1)), the expected L0 norm; or sigmoid(a).
double openProbability(GateKind kind, double logit);

/// Of all logits; a hard-concrete gate that settles below 1/2 counts as closed, 0.
std::vector<double> settledGates(GateKind kind, std::span<const float> logits);
/// Without regard to where they settle: those of the lowest logits are closed (0), one after the other, until at most `share` of the multiply-adds is left; the others are
/// open (1). For gates that have not made up their mind.
std::vector<double> rankedGates(std::span<const float> logits, std::span<const double> shares, double share);

/// Expected share of the multiply-adds, [1, 1]: sum of shares times the probability that each gate of `logits` [1, 2 blocks] is open. `shares` are borrowed until reset().
template <class T> train::Variable<T> expectedShare(train::Tape<T>& tape, train::Variable<T> logits, GateKind kind, train::View<const T> shares);
/// The model with each branch times its gate of `gates` [1, 2 blocks]. `ones` [1, width], borrowed until reset().
template <class T>
train::Variable<T> gatedLogits(train::Tape<T>& tape, train::VitOnTape<T>& vit, const std::vector<std::string>& ends, train::Variable<T> patchRows, std::int64_t images, train::Variable<T> gates,
                               train::View<const T> ones);

struct GateTraining {
    GateKind kind = GateKind::HardConcrete;
    double target = 0.75;     ///< expected share of the branches' multiply-adds
    std::int64_t steps = 200, batch = 16; ///< no larger than there are photos to train on
    double rate = 0.1;
    std::uint64_t seed = 0;
    std::stop_token enough;
};
struct TrainedGates {
    std::vector<float> logits;          ///< [2 blocks]
    /// "training" (cross entropy with the whole model's probabilities, nats), "expected share", "held out" (the cross entropy on photos kept apart, gates settled).
    std::vector<report::Series> losses;
    std::vector<std::string> warnings;
};
/// Minimises the mean cross entropy of the gated model with the whole model's probabilities where the expected share is the target: by AdamW on the gates alone, with an
/// augmented Lagrangian for the share, whose target falls from 1 in the first half of the steps. `vit` is the model on the tape; its rates become 0.
/// Photos that cannot be read are left out with a warning; the last eighth (splitPhotos()) is kept apart, and only looked at. Throws Error{InvalidParameter (also: fewer than two photos), OutOfMemory
/// (a batch too large), Cancelled, NonFinite}.
TrainedGates trainGates(const nn::Model& model, train::VitOnTape<float>& vit, const measure::SampleSource& photos, const GateTraining& settings, const RunContext& context);

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// DynamicViT's predictors and what they are trained by, on the tape. Rao et al. 2021 (arXiv 2106.02034), as their code has it. Private to the lab.
#include "core/train/parameter_set.h"
#include "core/train/vit_on_tape.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

/// One tensor of a predictor for tokens of `width` features; names and shapes are those of files.
struct PredictorTensor {
    std::string name; ///< "2.mix.weight"
    std::vector<std::int64_t> shape;
};
/// norm, mix, half, quarter and keep of the `stage`-th predictor, in order. Throws Error{UnsupportedFeature} for a width that is odd or below 4.
std::vector<PredictorTensor> predictorTensors(std::size_t stage, std::int64_t width);
/// Numbers of one predictor: 961,730 for a width of 768.
std::int64_t predictorParameters(std::int64_t width);
/// Multiply-adds of one predictor over `tokens` patches.
std::uint64_t predictorMacs(std::int64_t tokens, std::int64_t width);
/// Weights from a normal distribution of deviation 0.02, biases 0, the norm 1 and 0: a function of the seed.
template <class T> void addPredictors(train::ParameterSet<T>& set, std::size_t stages, std::int64_t width, std::uint64_t seed);

struct LearnedSettings {
    std::vector<int> blocks; ///< before which a predictor decides, ascending
    double keep = 0.7;       ///< the k-th leaves keep^k of the patches
    double ratioWeight = 2, distilWeight = 0.5, classWeight = 1;
};

/// int(patches keep^stage), 1 at least; stages count from 1.
std::int64_t learnedCount(std::int64_t patches, double keep, std::size_t stage);

/// What one pass leaves; loss [1, 1].
template <class T> struct LearnedPass {
    train::Variable<T> loss, logits;
    std::vector<train::Variable<T>> decisions; ///< [images patches, 1] of each stage
};

/// Some photos through the model with the patches that the predictors drop masked, and the loss against the whole model (the same `model`, whose
/// parameters have rate 0):
///   classWeight CE(logits, labels) + ratioWeight mean over stages and photos of (kept share - keep^k)^2
///   + distilWeight KL(whole | logits) + distilWeight mean squared difference of the normed patches that are left at the end.
/// Photos without a label take the whole model's best class. Models without classes: the mean squared difference of their outputs for the first and
/// third terms. `noise` [images patches, 2] a stage: hard decisions by it, straight through. Empty: the learnedCount() best of those there are stay,
/// as when the model runs. Blocks before the first stage see plain attention.
template <class T>
LearnedPass<T> learnedPass(train::Tape<T>& tape, train::VitOnTape<T>& model, train::ParameterSet<T>& predictors, const LearnedSettings& settings, train::View<const T> patchRows,
                           std::span<const std::int32_t> labels, std::span<const train::View<const T>> noise);

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What encoders that score all latents have in common when they are trained: their parameters, what their scores are held against, and what
// comes after the scores. Private to the lab.
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/encoder_training.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::encoder {

/// Scores [n, M] of rows x [n, D], bias included.
using ScoresOnTape = std::function<train::Variable<float>(train::Tape<float>&, train::Variable<float> x, std::int64_t step, bool checking)>;

/// objective: exact-codes, ranking or reconstruction; temperature and value-weight, of ranking; target: exact or input, of reconstruction.
std::vector<ParameterSpec> objectiveParameters(const std::string& objective = "exact-codes");
/// exact-codes: codeError() over the mean energy of exact codes, E. ranking: setDivergence() at the temperature times sqrt(E / k), the root mean
/// square of a value, plus value-weight times valueError() over E. reconstruction: squared error of what the k largest positive scores decode
/// to, over the target's variance: the fraction of variance unexplained, of what the exact codes decode to or of the input.
EncoderObjective objectiveOf(const Parameters& complete, const Inputs& inputs, ScoresOnTape scores);

/// `own`, then what every trained scorer takes: the objective, how its start weighs directions, the training, and candidates: 0, or how many
/// of the best are scored exactly.
ParameterSchema scorerSchema(std::vector<ParameterSpec> own, const std::string& objective = "exact-codes");
/// trainInto() for objectiveOf() the scores, which are made from the set.
void trainScores(Built& built, train::ParameterSet<float>& set, const Parameters& complete, const Inputs& inputs, ScoresOnTape scores, const RunContext& context);

/// `parameters` with candidates brought to what there is: 0, or from k to M, with a warning where that is another number.
void clampCandidates(Parameters& parameters, const Dictionary& dictionary, std::vector<std::string>& warnings);
/// The k largest positive scores, or with candidates > 0 those of the exact scores of the best. Throws Error{InvalidParameter} as twoStageEncoder.
EncoderPtr encoderFrom(const std::shared_ptr<const Dictionary>& dictionary, ScorerPtr scorer, std::int64_t candidates);

/// A matrix as a parameter of the set, rounded to float.
train::Parameter<float>& addParameter(train::ParameterSet<float>& set, std::string name, tensor::MatrixView<const double> values, bool decays = true);
/// All parameters of a set as tensors of their shapes, in their order.
std::vector<TrainedTensor> tensorsOf(const train::ParameterSet<float>& set);
tensor::Matrix<double> asMatrix(const TrainedTensor& tensor); ///< of two sides, exactly

} // namespace tamis::encoder

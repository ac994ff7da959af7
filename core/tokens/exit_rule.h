// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// When an early answer is sure enough: confidences, thresholds, and what they cost over many photos.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace tamis::tokens {

enum class ExitRule {
    MaxProbability, ///< the largest of softmax(logits)
    Entropy         ///< 1 - H(softmax(logits)) / ln classes
};
/// "max-probability", "entropy". Throws Error{InvalidParameter}.
ExitRule parseExitRule(std::string_view name);
/// The parameter that chooses it, with these names.
ParameterSpec exitRuleParameter();

/// 0 .. 1, larger is surer, for either rule; 1 where there is one class. Sums in double. Throws Error{NonFinite}.
double confidenceOf(ExitRule rule, std::span<const float> logits);

/// A threshold that no confidence reaches.
inline constexpr double kNever = std::numeric_limits<double>::infinity();

/// max(0, start - slope i) for exit i: a later exit asks for less. slope 0: the same for all.
std::vector<double> fallingThresholds(double start, double slope, std::size_t exits);

/// What exits say of photos: exit by exit how sure, and whether they name the class that the whole model does.
struct ExitTable {
    tensor::Matrix<float> confidence;   ///< [photos, exits]
    tensor::Matrix<std::uint8_t> agrees; ///< [photos, exits], 0 or 1
};

struct ExitOutcome {
    double cost = 0;                     ///< mean over the photos
    double agreement = 1;                ///< with the whole model; those that do not leave agree
    std::vector<std::int64_t> histogram; ///< [exits + 1] photos that leave at each, the last: at none
};

/// A photo leaves at the first exit whose confidence is at least its threshold. `costs` [exits + 1]: of leaving at each, everything before it
/// included; the last: of the whole model with all exits tried. Throws Error{InvalidParameter} for lengths that disagree or no photo.
ExitOutcome outcomeOf(const ExitTable& table, std::span<const double> thresholds, std::span<const double> costs);

/// For each exit kNever and at most `count` confidences that photos have there, at equal shares of the photos, falling.
std::vector<std::vector<double>> candidateThresholds(const ExitTable& table, std::size_t count);

/// Of all combinations of `candidates` [exits][any] that agree on at least `target` of the photos, the cheapest; of equal cost the one that
/// agrees most. Exits are decided one after the other, keeping the partial choices that can still meet the target; where there are more
/// than kWidth for one of kBands equal bands of disagreements used up, those whose cost is least if all photos still there left at the next exit.
/// Up to there the result is exact; beyond it never worse than leaving nowhere. Throws Error{InvalidParameter} as outcomeOf, Error{Cancelled}.
std::vector<double> tuneThresholds(const ExitTable& table, std::span<const double> costs, double target, const std::vector<std::vector<double>>& candidates,
                                   const RunContext& context = {});
inline constexpr std::size_t kWidth = 64, kBands = 16;

} // namespace tamis::tokens

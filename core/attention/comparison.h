// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Methods at several settings over all samples: what each keeps of the whole model and what it costs, computed and measured.
#include "core/attention/assignment.h"
#include "core/attention/fitting_split.h"
#include "core/attention/tuned.h"
#include "core/attention/usual_settings.h"
#include "core/report/attention_report.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

struct ComparisonOptions {
    std::vector<int> blocks;        ///< whose attention is replaced; empty: all
    std::size_t mapSamples = 4;     ///< samples, from the first, whose heads are compared
    std::shared_ptr<const measure::SampleSource> fitting = {}; ///< whose first operators are fitted to, where a setting is; null: the first of the samples, which are then not scored
    std::size_t fittedSamples = kFittedSamples;                ///< at most
    std::shared_ptr<const TunedModel> tuned = {};              ///< of the model that is compared, `exact`: its operators as they were trained are a point behind the exact one
    std::uint64_t seed = 0;
    int latencyRuns = 5;            ///< passes of the first sample, in turn with the whole model, whose median is the latency; 0: none
};

/// Exact attention, the trivial operators (nothing, the mean of the values, and, where attention is not causal, keys and values pooled to 64) and then
/// every setting, in place of the same blocks' attention. Errors of heads are means over heads on the whole model's inputs; quality is of all
/// samples but those that a setting is fitted to, for every point alike (splitForFitting; of a single sample, settings that are fitted fail). A setting that cannot be carried out, or a trivial one that the model refuses, is a point with a failure; a setting that is one of the
/// trivial points is not measured again. `finished` is called with all points so far. Points, times apart, do not depend on the number of threads.
/// Throws Error{InvalidParameter (no sample), UnsupportedFeature (attention in windows of a grid), NonFinite (the whole model's outputs), Cancelled}, and what
/// loading throws.
report::AttentionComparison compareMethods(const std::shared_ptr<const nn::Model>& model, const measure::SampleSource& samples, std::span<const ComparedSetting> settings,
                                           const ComparisonOptions& options = {}, const RunContext& context = {},
                                           const std::function<void(const report::AttentionComparison&)>& finished = {});

/// One point: `changed` (null: the whole model) on all samples. What names the point is left as it is. Also for a model trained around its operators.
void measurePoint(report::AttentionPoint& point, const nn::Model& whole, const nn::Model* changed, const measure::SampleSource& samples, int latencyRuns, const RunContext& context);

/// The method and the settings that stand in all of these choices; where there are several, the first with a title that says so. Nothing replaced: an empty method.
report::AttentionPoint pointOf(std::span<const HeadChoice> choices);

/// What points are judged by: minus the perplexity, top-1, agreement or the outputs' cosine, the first that the whole model has; larger is better.
double comparedQuality(const report::AttentionComparison& comparison, const report::AttentionPoint& point);
/// [points] whether no other has as few multiply-adds and as much quality, and one of them better. Failed ones: never.
std::vector<bool> paretoFront(const report::AttentionComparison& comparison);

} // namespace tamis::attention

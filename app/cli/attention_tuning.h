// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run attention.* --tune`, `--tuned`: the model trained around its operators, and measured.
#include "app/cli/console.h"
#include "app/cli/run_options.h"
#include "core/attention/fine_tuning.h"
#include "core/report/evaluation_report.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::cli {

/// Throws UsageError for options that do not go together or training settings out of range, Error{IoFailure} where --save-tuned cannot be written.
void requireTuning(const RunOptions& options);
bool tunes(const RunOptions& options);
/// --tune and --tune-set. Throws UsageError.
attention::TuningSettings tuningSettings(const RunOptions& options);
/// --train-images or --train-tokens. Throws what openSamples throws.
std::shared_ptr<const measure::SampleSource> trainingSamples(const RunOptions& options, const nn::Model& model, const RunContext& context);
/// What is known of --tuned's file; nothing without it. Throws what reading throws.
std::optional<attention::Tuned> tunedOf(const RunOptions& options, const RunContext& context);

struct TunedOutcome {
    std::string name; ///< "tuned", "exact" (the model's own attention, trained as long)
    attention::Tuned tuned;
    double trainSeconds = 0; ///< 0: from a file
    report::EvaluationReport quality;
};

/// Trains (or takes `restored`) and evaluates on `measured`; with --tune-exact the model's own attention too. --save-tuned is written as soon as there is
/// something to write. Throws what training and evaluating throw.
std::vector<TunedOutcome> tunedOutcomes(Console& console, const RunOptions& options, const io::Checkpoint& checkpoint, const nn::Model& model, std::span<const attention::HeadChoice> choices,
                                        const attention::AssignmentInputs& with, std::optional<attention::Tuned> restored, const measure::SampleSource& measured, const RunContext& context);
nlohmann::ordered_json tunedJson(const TunedOutcome& outcome);
std::string tunedText(const TunedOutcome& outcome);
/// Losses on the samples kept apart, step by step, of what was trained around operators beside the model's own attention; as perplexities where labels of texts alone
/// were learnt. Empty without --tune-exact.
std::string checksText(const std::vector<TunedOutcome>& outcomes);

} // namespace tamis::cli

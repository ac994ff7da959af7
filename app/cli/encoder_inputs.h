// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What `run encoder.*` reads: an autoencoder, the activations it is measured on, those that a method fits to.
#include "app/cli/compare_options.h"
#include "app/cli/console.h"
#include "app/cli/run_options.h"
#include "core/encoder/activation_rows.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"
#include "core/encoder/model_site.h"
#include "core/io/sae_options.h"
#include "core/report/encoder_report.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::cli {

/// Throws UsageError naming the methods there are.
const encoder::Method& encoderMethodNamed(const std::string& id);

struct EncoderInputs {
    encoder::Inputs fit;                ///< dictionary, prepared calibration rows, seed
    encoder::RowsPointer measured;      ///< rows to measure on, as given; never all of them in memory
    std::string calibration;            ///< where the calibration rows come from; empty: none
    std::shared_ptr<const nn::Model> model; ///< null without --model
    int block = -1;                     ///< after which the autoencoder sits in it
    std::vector<std::string> warnings;  ///< of rows that are fitted to and measured on
};

/// Throws UsageError for options that are missing or contradict each other, and what reading throws.
EncoderInputs openEncoderInputs(const RunOptions& options, const CommonOptions& common, const RunContext& context);

nlohmann::ordered_json inputsJson(const RunOptions& options, const EncoderInputs& inputs);
nlohmann::ordered_json toJson(const report::EncoderReport& report); ///< its part of tamis.run/1: cost, baseline, quality, tokens, ...
std::string described(const report::EncoderReport& report);         ///< for people

/// --encoder, --assume, --activations, --activations-site, --calibration-activations, --block, --k.
void declareEncoder(OptionSet& set, RunOptions& options);
/// The switches of --assume NAME=VALUE. Throws UsageError with what there is.
io::SaeReadOptions assumedFrom(const std::vector<std::string>& assignments);

/// One encoder of one autoencoder: `tamis-cli run encoder.*`.
void runEncoder(Console& console, const RunOptions& options);

/// Encoders of one autoencoder side by side: `tamis-cli compare --encoder`.
void compareEncoders(Console& console, const CompareOptions& options);

} // namespace tamis::cli

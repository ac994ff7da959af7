// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What training leaves of a method of the lab: predictors, exit heads, gates; and the file that holds it.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/trained_file.h"
#include "core/report/series.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

using io::TrainedTensor;

struct TrainedParts {
    std::string method;    ///< id of the method that trained them
    Parameters parameters; ///< complete
    std::string model;     ///< SHA-256 of the checkpoint they were trained for
    std::vector<TrainedTensor> tensors; ///< of floats, never of integers
    std::vector<report::Series> losses; ///< "training", "held out"; not in files
    std::vector<std::string> warnings;  ///< not in files

    /// Throws Error{MalformedFile} when there is none of that name, or it has another shape than asked for.
    const TrainedTensor& floats(std::string_view name, const std::vector<std::int64_t>& shape) const;
    /// What every chain() asks first. Throws Error{InvalidParameter} unless `wanted` trained them for the checkpoint of that SHA-256.
    void requireFor(const std::string& wanted, const std::string& modelSha256) const;
};

/// As safetensors, method, parameters and model in its metadata; docs/formats-trained-tokens.md. The file is there whole or not at all.
/// Throws what writing throws.
void writeTrainedParts(const std::filesystem::path& file, const TrainedParts& parts, const RunContext& context = {});
/// Throws Error{MalformedFile} with what, where, found and expected; numbers are finite. The method's chain() checks names and shapes.
TrainedParts readTrainedParts(const std::filesystem::path& file, const RunContext& context = {});

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A model that was trained around the attention operators of an assignment: what changed, and how it is put together again.
#include "core/attention/assignment.h"
#include "core/io/checkpoint.h"
#include "core/io/trained_file.h"
#include "core/report/series.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::attention {

/// A model that was trained around operators, in parts: what stands in the place of the whole model and of the operators that choices would make.
struct TunedModel {
    std::shared_ptr<const nn::Model> exact; ///< the trained weights with the model's own attention
    BlockOperators operators;               ///< as they were trained, one a block; null: the block keeps its own
    std::vector<HeadChoice> choices;        ///< that they are of
    std::uint64_t seed = 0;
    /// The operator of a block where these choices are those it was trained around, whether defaults are said or not; else null.
    nn::AttentionPtr operatorFor(std::span<const HeadChoice> wanted, std::uint64_t wantedSeed, int block) const;
};

struct Tuned {
    std::string model;               ///< SHA-256 of the checkpoint
    std::vector<HeadChoice> choices; ///< may be empty: the model's own attention, trained as long
    std::uint64_t seed = 0;          ///< AssignmentInputs::seed of the operators
    Parameters settings;             ///< of the training: tuningParameters(), complete
    std::vector<io::TrainedTensor> weights; ///< that were trained, named and shaped as in the checkpoint
    std::vector<io::TrainedTensor> own;     ///< of operators: "attention.<block>.<name>", "attention.<block>.head.<head>.<name>"

    // Of the run; not in the file.
    std::vector<report::Series> losses; ///< "training", "held out"
    std::vector<std::string> warnings;
    std::int64_t steps = 0, bestStep = 0;
    double startLoss = 0, bestLoss = 0; ///< on the samples kept apart

    /// The checkpoint's model with the trained weights and operators. `with.samples` for methods that fit; `with.seed` is not read. Throws
    /// Error{InvalidParameter} for another checkpoint than it was trained from, Error{MalformedFile} for a tensor that is missing or of another
    /// shape, and what loading and methods throw.
    std::shared_ptr<const nn::Model> apply(const io::Checkpoint& checkpoint, const AssignmentInputs& with = {}, const RunContext& context = {}) const;
    /// The same before it is put together. Throws as apply().
    TunedModel parts(const io::Checkpoint& checkpoint, const AssignmentInputs& with = {}, const RunContext& context = {}) const;
    /// The file is there whole or not at all. Throws what writing throws.
    void write(const std::filesystem::path& file, const RunContext& context = {}) const;
    /// Throws Error{MalformedFile, UnsupportedFeature, OutOfMemory, IoFailure, Cancelled}.
    static Tuned read(const std::filesystem::path& file, const RunContext& context = {});
};

} // namespace tamis::attention

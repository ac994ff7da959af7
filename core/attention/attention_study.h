// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One model and its samples under changing choices of operators: the viewed head at once, all heads and the output behind it.
#include "core/attention/assignment.h"
#include "core/attention/attention_capture.h"
#include "core/attention/fitting_split.h"
#include "core/attention/tuned.h"
#include "core/report/attention_report.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace tamis::attention {

struct AttentionRequest {
    std::vector<HeadChoice> choices; ///< what stands where; the rest is exact
    std::size_t sample = 0;          ///< viewed
    int layer = 0;                   ///< viewed
    std::int64_t head = 0;           ///< viewed
    std::size_t average = 4;         ///< samples that heads are compared on: the viewed one and others, evenly spread
    std::size_t fitted = kFittedSamples; ///< samples, from the first, that operators are fitted to, at most, where one is
    std::uint64_t seed = 0;
    bool operator==(const AttentionRequest&) const = default;
};

/// One head of a captured sample: both maps, its errors, and the blocks that a sparse operator read. `op` null: exact (approximate is the exact
/// map, errors 0). Without labels of tokens: they are whose tokenizer it is. Milliseconds for some hundred tokens. Throws what maps throw.
report::AttentionHeadView viewOf(const AttentionCapture& capture, int layer, std::int64_t head, const nn::AttentionOp* op, const RunContext& context = {});

/// `count` of samples `first` .. `of` - 1, the viewed one first where it is among them, the others evenly spread over the rest.
std::vector<std::size_t> spreadSamples(std::size_t viewed, std::size_t count, std::size_t of, std::size_t first = 0);

/// Keeps the last samples' runs (256 MiB), operators of choices that stay, samples that operators are fitted to, and what does not depend on
/// choices: a moved slider then costs the changed blocks and one forward pass. One thread at a time.
class AttentionStudy {
public:
    /// Operators that are fitted are to the first of `fitting`; without it, to the first of the samples, and heads are then compared on the others
    /// alone (fittedCount). Throws Error{InvalidParameter (nothing to look at), UnsupportedFeature (attention in windows of a grid)}.
    /// `tuned`: `model` after a training around operators. Heads are then compared on the trained weights' queries, keys and values; where the choices of a block are those it was
    /// trained around, its operator is the trained one. The output's effect is that of all of it: the trained model against `model`.
    AttentionStudy(std::shared_ptr<const nn::Model> model, std::shared_ptr<const measure::SampleSource> samples, std::shared_ptr<const measure::SampleSource> fitting = nullptr,
                   std::shared_ptr<const TunedModel> tuned = nullptr);
    ~AttentionStudy();
    const std::shared_ptr<const nn::Model>& model() const noexcept; ///< whose heads are compared: the trained weights where there are
    const measure::SampleSource& samples() const noexcept;

    /// The viewed head alone (AttentionReport::view; the list of heads is empty). Nothing where the sample has not been run yet, or the head's operator has to be fitted, unless
    /// heads are fitted one by one and another setting of the method stands there: the head is then fitted alone. Throws as whole(), but is not stopped.
    std::optional<report::AttentionReport> first(const AttentionRequest& request);

    using Publish = std::function<void(const report::AttentionReport&)>;
    /// Everything but HeadComparison::logits and ::suited (head_effects.h, suited_methods.h). `publish` receives the viewed head before all heads, these on the
    /// viewed sample with the output's effect (complete), and again after every further sample. Sample, layer and head beyond the last are clamped.
    /// Classes and tokens have no names yet. Throws Error{InvalidParameter, UnsupportedFeature (choices), NonFinite, Cancelled}, and what loading throws.
    report::AttentionReport whole(const AttentionRequest& request, const RunContext& context, const Publish& publish = {});

    /// Run once and kept. Throws what captureAttention throws.
    std::shared_ptr<const AttentionCapture> capture(std::size_t sample, const RunContext& context);
    /// With what is kept: operators for the request's choices, one a block. Throws what operatorsFor throws.
    BlockOperators operators(const AttentionRequest& request, const RunContext& context);
    /// The first sample that heads under these choices may be compared on: behind those that operators are fitted to. Throws as fittedCount.
    std::size_t firstScored(const AttentionRequest& request, std::span<const HeadChoice> choices) const;
    /// What operatorsFor() needs for these choices; samples are collected once. `context` ends fits, too.
    AssignmentInputs assignmentInputs(const AttentionRequest& request, std::span<const HeadChoice> choices, const RunContext& context);

private:
    /// At the viewed head: its block's as a rule, one of the head alone where that is quicker. Null: exact.
    nn::AttentionPtr viewedOperator(const AttentionRequest& request, const RunContext& context);
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace tamis::attention

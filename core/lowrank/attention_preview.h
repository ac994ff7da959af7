// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the attention-map view shows while ranks are dragged: queries and keys of every layer through joint planes and through
// separate factors of the same parameters, on one sample. docs/attention-maps.md.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/lowrank/method.h"
#include "core/report/attention_map_report.h"

#include <functional>
#include <memory>
#include <optional>

namespace tamis::lowrank {

/// "query-rank" and "key-rank", what the joint planes depend on (jointQkParameters(), the displacements only where positions are rotary),
/// "scope", "states" and "average". The defaults of the ranks halve the parameters of q and k.
ParameterSchema attentionMapSchema(const nn::Model& model, std::size_t samples);

struct AttentionMapRequest {
    std::size_t sample = 0;
    int layer = 0;
    std::int64_t head = 0;
    std::int64_t map = 0; ///< window of a windowed attention
    report::MapSource source = report::MapSource::Joint;
    Parameters parameters;                 ///< of attentionMapSchema(); what is missing has its default
    std::shared_ptr<const nn::Model> plan; ///< any compressed model of the same architecture, compared too; may be null
    bool operator==(const AttentionMapRequest&) const = default;
};

/// Holds what does not depend on ranks: the layers' problems under one calibration, and runs of the last samples. A new rank then costs
/// a solution and a forward pass. One thread at a time.
class AttentionPreview {
public:
    /// Of `inputs`: checkpoint, model, calibration and samples. Throws Error{InvalidParameter} where one of model, calibration and
    /// samples is missing or empty.
    explicit AttentionPreview(Inputs inputs);
    ~AttentionPreview();

    const Inputs& inputs() const noexcept;
    const ParameterSchema& schema() const noexcept; ///< of attentionMapSchema()

    /// The shown head alone, the shown source alone, on the dense model's hidden states. Nothing where the sample has not been run
    /// yet, or the layer would have to be prepared and is large. Throws as whole(), but is not stopped.
    std::optional<report::AttentionMapReport> first(const AttentionMapRequest& request);

    using Publish = std::function<void(const report::AttentionMapReport&)>;
    /// Everything; `publish` receives the shown head before all heads, and these after every sample that is averaged over. Layer, head
    /// and ranks beyond the model's are clamped. Throws Error{InvalidParameter (parameters, a calibration set of another model),
    /// NonFinite, Cancelled} and what loading a sample throws.
    report::AttentionMapReport whole(const AttentionMapRequest& request, const RunContext& context, const Publish& publish = {});

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace tamis::lowrank

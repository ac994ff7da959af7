// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One model's run of one sample, kept, and what another model's blocks and output are against it.
#include "core/base/run_context.h"
#include "core/measure/forward.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/attention_map_report.h"
#include "core/tensor/matrix.h"

#include <memory>
#include <vector>

namespace tamis::measure {

/// What one model did with one sample. Immutable once recorded; keeps the model.
struct SampleRun {
    std::shared_ptr<const nn::Model> model;
    std::vector<tensor::Matrix<float>> blockInputs, blockOutputs; ///< [tokens, width] a block
    tensor::Matrix<float> features; ///< decoders: after the last norm, the head is applied slice by slice; others: the output
};

/// Fills the blocks of a run while the model runs; subclasses look at the attentions.
class RunRecorder : public StoppingObserver {
public:
    RunRecorder(const RunContext& context, SampleRun& run) : StoppingObserver(context), m_run(run) {}
    void blockOutput(std::size_t sample, int block, kernels::ConstRows x) override;
    void linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x) override;

private:
    SampleRun& m_run;
};

/// Runs run.model over the sample; `recorder` is of the same run. Throws what nn::Model::run throws, and Error{Cancelled}.
void recordRun(SampleRun& run, const LoadedSample& sample, RunRecorder& recorder, const RunContext& context);

/// Blocks and output of `other` against `dense`, which ran the same sample. `ownOutputs`: what each block of the other made of the dense run's
/// input, or empty. The source stays at its default. Throws Error{NonFinite} for an output that is not, Error{Cancelled}.
report::OutputEffect outputEffect(const SampleRun& dense, const SampleRun& other, const std::vector<tensor::Matrix<float>>& ownOutputs, const RunContext& context);

/// What of an output changed.
struct OutputDifference {
    double kl = report::kNotMeasured;        ///< KL(dense || other), nats, mean over the rows; models without classes: not measured
    double agreement = report::kNotMeasured; ///< rows with the same best class
    double cosine = report::kNotMeasured;    ///< of the outputs, mean over the rows
};
/// Of the features of two models, or of one model with other blocks. Throws Error{NonFinite, Cancelled}.
OutputDifference outputDifference(const nn::Model& dense, const tensor::Matrix<float>& features, const nn::Model& other, const tensor::Matrix<float>& otherFeatures,
                                  const RunContext& context);

} // namespace tamis::measure

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A dense model's run of one sample, kept, and what another model's attention and blocks make of it. docs/attention-maps.md.
#include "core/base/run_context.h"
#include "core/measure/sample_run.h"
#include "core/nn/model.h"
#include "core/report/attention_map_report.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace tamis::lowrank {

/// q, k, v that an attention was given, copied. `block`'s model must outlive it: padding values stay the model's own.
class AttentionCopy {
public:
    AttentionCopy() = default;
    AttentionCopy(const nn::Block& block, const nn::AttentionInput& input);
    nn::AttentionInput input() const; ///< views into this object
    const nn::Block* block = nullptr;

private:
    tensor::Matrix<float> m_q, m_k, m_v;
    const float *m_paddingQuery = nullptr, *m_paddingKey = nullptr, *m_paddingValue = nullptr;
};

/// What one model did with one sample. Immutable; keeps the model.
struct SampleRun : measure::SampleRun {
    std::vector<AttentionCopy> attention; ///< a block
};

/// Throws what nn::Model::run throws, and Error{Cancelled}.
std::shared_ptr<const SampleRun> runSample(std::shared_ptr<const nn::Model> model, const measure::LoadedSample& sample, const RunContext& context);

/// What block `block` of `model` makes of the input that the dense run had there: no error of earlier blocks is in it.
struct BlockRun {
    AttentionCopy attention;
    tensor::Matrix<float> output;
};
BlockRun runBlockOn(const nn::Model& model, const SampleRun& dense, int block, const RunContext& context);

/// Errors of heads [firstHead, firstHead + count) (count -1: all that follow) of each of `others` against `exact`, on maps of
/// the same tokens; result[i][h - firstHead] is of others[i]. Sums in double. Throws Error{InvalidParameter} for attentions of other
/// heads or tokens, Error{Cancelled}.
std::vector<std::vector<report::MapErrors>> headErrors(const AttentionCopy& exact, std::span<const AttentionCopy* const> others,
                                                       std::int64_t firstHead, std::int64_t count, const RunContext& context);

/// Mean over the rows of sum |p - p'| / 2.
double meanTotalVariation(const tensor::Matrix<float>& p, const tensor::Matrix<float>& q);

using measure::outputEffect;

} // namespace tamis::lowrank

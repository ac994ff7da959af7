// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/whole_frame.h"

#include <numeric>

namespace tamis::reuse {

ParameterSpec wholeAboveParameter()
{
    return {.name = "whole-above", .title = "Whole above", .type = ParameterType::Real, .defaultValue = 0.7, .minimum = 0, .maximum = 1,
            .help = "Share of patches beyond the threshold above which the frame is computed whole; 1: never"};
}

void beginAnswer(const TokenModel& model, FrameAnswer& answer)
{
    answer.keyFrame = false;
    answer.patches.assign(static_cast<std::size_t>(model.patches()), report::PatchSource::Reused);
    answer.change.clear();
    answer.movedFrom.clear();
    answer.foundIn.clear();
    answer.macs = answer.overheadMacs = 0;
    answer.hits = answer.misses = answer.falseHits = 0;
}

void runWhole(const TokenModel& model, kernels::Rows x, TokenState& state, FrameAnswer& answer, nn::Scratch& scratch)
{
    if (state.empty() || state.hidden.rows() != model.tokens())
        state = model.emptyState(model.tokens());
    std::vector<std::int32_t> all(static_cast<std::size_t>(model.tokens()));
    std::iota(all.begin(), all.end(), 0);
    model.runRows(x, all, state, scratch);
    model.answer(state.hidden.view(), answer.answer, scratch);
    answer.keyFrame = true;
    answer.patches.assign(static_cast<std::size_t>(model.patches()), report::PatchSource::Computed);
    answer.macs += model.rowsMacs(static_cast<double>(model.tokens()), static_cast<double>(model.tokens())) + model.headMacs();
}

} // namespace tamis::reuse

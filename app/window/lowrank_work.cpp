// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_work.h"

namespace tamis::app {

lowrank::Inputs lowRankInputs(RunnableModel& model, std::shared_ptr<const measure::SampleSource> samples, const RunContext& context)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = model.workspace()->checkpoint;
    inputs.calibration = model.workspace()->calibration;
    inputs.model = model.dense(context);
    inputs.samples = std::move(samples);
    return inputs;
}

} // namespace tamis::app

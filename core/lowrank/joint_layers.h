// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Layer after layer: joint parts where a method has them, whitened factors elsewhere.
#include "core/lowrank/joint_qk_method.h"
#include "core/lowrank/joint_vo_method.h"

#include <functional>

namespace tamis::lowrank {

/// Replaces the MLP's operators of a layer itself and answers true, or leaves them to whitened factors.
using MlpCompression = std::function<bool(const LayerTargets& layer, const RunContext& context)>;

/// Every target of `run` put once. `scores`, `values` and `mlp` may be null. The ridge is the run's parameter "ridge".
void compressLayers(CompressionRun& run, ScoreCompression* scores, ValueCompression* values, const RunContext& context, const MlpCompression& mlp = {});

} // namespace tamis::lowrank

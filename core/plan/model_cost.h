// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/io/checkpoint.h"
#include "core/report/budget_report.h"

namespace tamis::plan {

/// The whole model as it is on disk: parameters and bytes of every tensor; MACs of its linear operators a token (a lookup
/// in an embedding costs none; an output head tied to the embedding, and so not stored, is not counted). Latency: NaN.
report::Cost modelCost(const io::Checkpoint& checkpoint);

} // namespace tamis::plan

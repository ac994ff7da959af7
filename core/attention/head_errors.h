// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What operators make of the heads' maps and outputs, on the queries, keys and values that the whole model has there: no error of an earlier
// block is in it.
#include "core/attention/assignment.h"
#include "core/measure/sample_source.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::attention {

/// Of one head, over all samples.
struct HeadError {
    int layer = 0;
    std::int64_t head = 0;
    double map = 0;    ///< mean over queries and samples of sum |p - p'| / 2; above 1 where the map has negative entries
    double output = 0; ///< |o - o'|_F / |o|_F of the mixed values, over all samples
    double cosine = 0; ///< of o and o', over all samples
};

/// Heads of the blocks that have an operator, by layer and head; from the first `samples` of the source. Sums in double in the order of the
/// samples: the same for any number of threads. Throws Error{InvalidParameter (no sample), Cancelled}, and what loading and operators throw.
std::vector<HeadError> headErrors(const nn::Model& model, const BlockOperators& operators, const measure::SampleSource& source, std::size_t samples, const RunContext& context);

} // namespace tamis::attention

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Input rows of the feed-forward layers, collected from a model that runs. Private to the lab.
#include "core/lowrank/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct MlpRows {
    tensor::Matrix<float> fit;   ///< [t, n]
    tensor::Matrix<float> check; ///< [t', n] of other samples
};

/// For every named linear operator about `rows` inputs, evenly spread over the samples and over the tokens of each; a fifth of the
/// samples, every fifth, gives the rows to check on. Fewer than five samples: none to check on. At most 1024 samples run. The same
/// rows for any number of threads. Throws Error{InvalidParameter} without a sample or model, Error{Cancelled}, and what loading a
/// sample throws.
std::map<std::string, MlpRows> collectRows(const Inputs& inputs, const std::vector<std::string>& names, std::int64_t rows, const RunContext& context);

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What training leaves of a method of the lab: predictors, exit heads, gates.
#include "core/base/parameter_schema.h"
#include "core/report/series.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

struct TrainedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values; ///< row by row
};

struct TrainedParts {
    std::string method;    ///< id of the method that trained them
    Parameters parameters; ///< complete
    std::string model;     ///< SHA-256 of the checkpoint they were trained for
    std::vector<TrainedTensor> tensors;
    std::vector<report::Series> losses; ///< "training", "held out"; not in files
    std::vector<std::string> warnings;  ///< not in files
};

} // namespace tamis::tokens

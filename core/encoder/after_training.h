// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which parameters of a trained encoder may change without training anew.
#include "core/base/parameter_schema.h"

#include <string>
#include <vector>

namespace tamis::encoder {

/// Names of the parameters that training of the method `id` with these complete `parameters` never reads, the finished encoder alone does:
/// restore() takes a TrainedEncoder with other values of them. Empty for methods that train nothing.
std::vector<std::string> readAfterTraining(const std::string& id, const Parameters& parameters);

} // namespace tamis::encoder

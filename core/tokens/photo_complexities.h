// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Complexities of a folder's photos, for thresholds that lie among them. Private to the lab.
#include "core/measure/sample_source.h"
#include "core/tokens/image_complexity.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace tamis::tokens {

/// Of at most `most` photos of the source, evenly spaced, in their order; those that cannot be read are left out. Photos in parallel. Measured once for the last few
/// sources and measures that were asked for, as long as those sources live: a parameter that has nothing to do with it reads no photo again. Thread-safe.
/// Throws Error{InvalidParameter} where no photo can be read or one has another size than the model's, Error{Cancelled}.
std::shared_ptr<const std::vector<double>> photoComplexities(const std::shared_ptr<const measure::SampleSource>& source, Complexity measure, const nn::PatchSpec& patch, std::size_t most,
                                                             const RunContext& context);

} // namespace tamis::tokens

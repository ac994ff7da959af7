// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which samples operators are fitted to, and which they are scored on: never the same ones.
#include "core/measure/sample_source.h"

#include <cstddef>
#include <memory>

namespace tamis::attention {

inline constexpr std::size_t kFittedSamples = 8; ///< at most

struct FittingSplit {
    std::shared_ptr<const measure::SampleSource> fitted; ///< null: nothing is fitted
    std::shared_ptr<const measure::SampleSource> scored;
};

/// Samples `first` .. `first + count - 1` of a source; its description says which.
std::shared_ptr<const measure::SampleSource> sampleRange(std::shared_ptr<const measure::SampleSource> source, std::size_t first, std::size_t count);
/// How many samples, from the first, are fitted to where a source gives both: `most`, but no more than half. Throws Error{InvalidParameter} for one
/// sample or none.
std::size_t fittedCount(const measure::SampleSource& source, std::size_t most = kFittedSamples);
/// `fits` false: all are scored. With `given`: its first `most` are fitted to, and all of `source` are scored. Otherwise the first fittedCount() of
/// `source` are fitted to and the rest are scored. Throws as fittedCount, and Error{InvalidParameter} for a `given` without a sample.
FittingSplit splitForFitting(std::shared_ptr<const measure::SampleSource> source, std::shared_ptr<const measure::SampleSource> given, bool fits, std::size_t most = kFittedSamples);

} // namespace tamis::attention

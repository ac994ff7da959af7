// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/measure/sample_source.h"

#include <memory>

namespace tamis::measure {

/// `count` samples of `source`, evenly spread over it (folders are sorted by class, texts by time); all of them when it has
/// no more or `count` is 0.
std::unique_ptr<SampleSource> evenSubset(std::unique_ptr<SampleSource> source, std::size_t count);

} // namespace tamis::measure

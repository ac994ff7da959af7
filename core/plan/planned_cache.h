// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <cstdint>
#include <string>

namespace tamis::plan {

/// A cache lab's policy at one size. What its parameters may be is the policy's to say, when it is made.
struct PlannedCache {
    std::string policy;          ///< "cache.s3-fifo"
    Parameters parameters;
    std::uint64_t size = 1;      ///< 1 at least; bytes where `bytes` is true, else objects
    bool bytes = false;
    double warmUp = 0;           ///< share of a trace that fills the cache and is not counted, below 1
    std::string trace;           ///< that it was chosen on: for information; may be empty
    Parameters rules{};          ///< of capacity, those that are not the cache lab's defaults
    bool operator==(const PlannedCache&) const = default;
};

} // namespace tamis::plan

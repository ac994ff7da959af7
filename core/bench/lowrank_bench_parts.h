// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The measurements that benchLowRank() is made of. Private to bench.
#include "core/bench/bench.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace tamis::bench {

double secondsOf(const std::function<void()>& work);
/// Double-precision rate of a product on all cores, the best of three rounds.
double doublePeakFlops(const RunContext& context);

std::vector<BenchResult> benchDecomposition(std::int64_t size, const RunContext& context);
/// Square shapes from 256 to `largest` by doubling.
std::vector<BenchResult> benchBlockIdentity(std::int64_t largest, const RunContext& context);
std::vector<BenchResult> benchModelCompression(const std::filesystem::path& model, const RunContext& context);

} // namespace tamis::bench

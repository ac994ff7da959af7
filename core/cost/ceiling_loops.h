// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The two loops that ceilings are measured with, in the widest vectors of this machine. Private to the measurement.
#include <cstddef>
#include <cstdint>

namespace tamis::cost {

/// Fused multiply-adds in registers only; returns a value that depends on all of them. FLOP: rounds * fmaFlopsPerRound().
float fmaLoop(std::int64_t rounds) noexcept;
std::int64_t fmaFlopsPerRound() noexcept;

/// Sum of `count` floats, each read once; `count` is a multiple of 256, `values` 64-byte aligned.
float readLoop(const float* values, std::size_t count) noexcept;

} // namespace tamis::cost

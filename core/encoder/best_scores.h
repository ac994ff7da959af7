// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The largest of a stream of scores, without sorting the stream: made for thousands of them, where a heap (kernels::TopScores) is for few.
#include "core/kernels/top_scores.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::encoder {

/// Keeps the `count` largest scores above `above`; of equal scores the lower latent, whatever the order in which they come. NaN and what
/// is not above `above` are left out. Not thread-safe.
class BestScores {
public:
    BestScores(std::size_t count, float above);
    /// Scores of latents first, first + 1, ...
    void offer(std::int32_t first, std::span<const float> scores);
    void offer(const std::vector<kernels::Scored>& others);
    /// Those kept, largest first; starts anew.
    std::vector<kernels::Scored> take();

private:
    void reserve(std::size_t more);
    void prune();
    std::size_t m_count;
    float m_above;
    float m_bar;                       ///< a score that is not above it cannot be among the best
    std::size_t m_used = 0;
    std::vector<std::uint64_t> m_keys; ///< the first m_used: score in order-preserving bits, then the latent's complement
};

} // namespace tamis::encoder

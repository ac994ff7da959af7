// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features of a frame as the difference from what the receiver has of the frame before.
#include "core/tensor/matrix.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::fleet {

/// Of what was sent for one frame.
struct DeltaFrame {
    double bytes = 0;         ///< levels at their entropy (order 0, this frame's own), 4 bytes a row for the scale, a bit a row that says whether it is sent
    double rawBytes = 0;      ///< the same without the entropy code
    std::uint64_t rows = 0;   ///< that were sent
    double squaredError = 0, squaredNorm = 0; ///< of the features that the receiver has
};

/// A sender that knows what its receiver holds, so that errors do not add up: differences from that are divided by a scale and rounded to int8, row
/// by row; rows whose difference is below `threshold` of their norm are not sent. The first frame is a difference from zeros. Not thread-safe.
class DeltaSender {
public:
    explicit DeltaSender(double threshold) : m_threshold(threshold) {}
    /// Throws Error{InvalidParameter (another shape than before), NonFinite}.
    DeltaFrame send(const tensor::Matrix<float>& frame);
    const tensor::Matrix<float>& received() const noexcept { return m_received; }

private:
    bool sendRow(std::span<const float> row, std::span<float> received, std::span<std::uint64_t> histogram);
    double m_threshold;
    tensor::Matrix<float> m_received;
};

/// Bits of counts of symbols at their entropy.
double entropyBits(std::span<const std::uint64_t> counts) noexcept;

} // namespace tamis::fleet

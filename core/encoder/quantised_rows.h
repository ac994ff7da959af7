// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Encoder rows as 8- or 4-bit integers together with what they lost, so that one scan bounds every latent's float32 score from both
// sides. Derivation: docs/methods/encoder.certified.md.
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/rotation.h"
#include "core/kernels/bound_table.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::encoder {

struct QuantisationSettings {
    int bits = 8;        ///< 8: the bounds hold; 4: all M of a token hold with probability 1 - delta over the draw of the dither
    bool rotated = true; ///< by a Rotation
    double delta = 1e-3; ///< bits = 4
    std::uint64_t seed = 0;
};

/// An input in the two planes that the rows are multiplied by. Keep it where it is: `token` points into it.
struct QuantisedToken {
    QuantisedToken() = default;
    QuantisedToken(QuantisedToken&&) = default;
    QuantisedToken& operator=(QuantisedToken&&) = default;
    std::vector<std::int8_t> high, low;
    kernels::BoundToken token;
    bool bounded = true; ///< false: so large that scores may leave float32's range, nothing is promised
};

/// Immutable.
class QuantisedRows {
public:
    /// Throws Error{InvalidParameter} for other bits or a delta outside of (0, 1), Error{LimitExceeded} for more than 65,536 features,
    /// Error{NonFinite}, Error{Cancelled}.
    QuantisedRows(const Dictionary& dictionary, const QuantisationSettings& settings, const RunContext& context = {});
    std::int64_t latents() const noexcept { return m_latents; }
    std::int64_t width() const noexcept { return m_width; }
    const QuantisationSettings& settings() const noexcept { return m_settings; }
    std::uint64_t bytes() const noexcept; ///< read by one scan

    /// `x` [D], finite.
    QuantisedToken quantised(std::span<const float> x) const;

    std::int64_t stripes() const noexcept { return (m_latents + kernels::kStripe - 1) / kernels::kStripe; }
    /// sums[t * stride + 64 * s ...] of stripes [first, first + count) for any number of tokens (BoundTable::sumBytes).
    void sums(std::int64_t first, std::int64_t count, std::span<const kernels::BoundToken> tokens, std::int32_t* sums, std::int64_t stride) const;
    /// Constants from stripe `first` on; padding rows have a bias that is half the lowest float.
    kernels::BoundRows constants(std::int64_t first) const noexcept;

    struct Bounds {
        std::vector<float> lower, upper; ///< [M]
    };
    /// Of every latent's score, for histograms and tests. NaN where a bound leaves the range of numbers.
    Bounds bounds(std::span<const float> x) const;

private:
    struct Row;
    void quantise(const Dictionary& dictionary, std::int64_t latent, std::vector<double>& scratch);
    void store(std::int64_t latent, std::span<const int> q);
    std::int64_t stripeBytes() const noexcept { return kernels::kStripe * m_depth * m_settings.bits / 8; }

    QuantisationSettings m_settings;
    std::int64_t m_latents = 0, m_width = 0, m_depth = 0; ///< depth: D in whole groups of 8
    Rotation m_rotation;
    std::vector<double> m_dither; ///< [D] in [-1/2, 1/2]; empty with 8 bits
    double m_hoeffding = 0;       ///< sqrt(ln(2 M / delta) / 6)
    double m_largest = 0;         ///< of |row| + |bias|
    std::shared_ptr<std::byte[]> m_rows;
    std::vector<float> m_scale, m_bias, m_spread, m_length;
};

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Second moments of one linear input, streamed.
//
// Products of floats are exact in double, so the double symmetric update is as good as exact; a float update of short
// chunks would be off by 1e-7 of the diagonal and hide the small eigenvalues that whitening divides by. For vit20 it costs
// 1.9 MFLOP a token (n^2 for n = 128 three times and 512 once, six blocks), 480 GFLOP for 1,000 photos of 257 tokens: 4 s at
// the 116 to 150 GFLOP/s that two cores reach, so there is nothing to trade.
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/kernels/packed_matrix.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::measure {

/// Rows are added sample by sample; the result depends on the rows and their order alone, not on threads or on how samples
/// were batched. One thread at a time. After an exception the sums are unspecified.
class GramAccumulator {
public:
    /// Of the linear input `name` with that many features.
    GramAccumulator(std::string name, std::int64_t features);

    const std::string& name() const noexcept { return m_name; }
    std::int64_t features() const noexcept { return m_gram.rows(); }
    std::uint64_t count() const noexcept { return m_count; } ///< tokens in the gram

    /// Adds x [tokens, features] to gram and mean and keeps the rows `kept` of it as samples. Throws Error{NonFinite} naming
    /// `sample`, Error{InvalidParameter} for another number of features, Error{Cancelled}.
    void add(kernels::ConstRows x, std::span<const std::int64_t> kept, const std::string& sample, const RunContext& context);
    /// Keeps the rows `kept` of x as held-out rows, nothing else. Throws as add().
    void addHeldOut(kernels::ConstRows x, std::span<const std::int64_t> kept, const std::string& sample);

    /// What was summed so far, both triangles of the gram filled. Throws Error{InvalidParameter} when no token was added.
    io::CalibrationSite site() const;
    /// The sums as they are, for a state on disk.
    struct State {
        std::uint64_t count = 0;
        tensor::Matrix<double> gram; ///< [n, n], upper triangle
        std::vector<double> sum;     ///< [n]
        std::vector<float> samples, heldOut; ///< [rows, n], row-major
    };
    State state() const;
    /// Continues from `state`. Throws Error{MalformedFile} when its sizes do not fit this input.
    void restore(State state);

private:
    void requireShape(kernels::ConstRows x) const;
    [[noreturn]] void failNonFinite(kernels::ConstRows x, const std::string& sample) const;
    std::string m_name;
    std::uint64_t m_count = 0;
    tensor::Matrix<double> m_gram;
    std::vector<double> m_sum;
    std::vector<float> m_samples, m_heldOut;
};

} // namespace tamis::measure

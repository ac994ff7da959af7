// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which latents belong together: groups of equal size such that the active latents of a token lie in few of them.
#include "core/encoder/dictionary.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::encoder {

enum class GroupBy {
    CoFiring, ///< latents that are active for the same tokens
    Rows,     ///< latents whose scores rise and fall together
    None      ///< neighbours: equal runs
};
/// "co-firing", "rows", "none"; throws Error{InvalidParameter} for another name.
GroupBy groupByNamed(std::string_view name);

/// Latents of each group, ascending.
using LatentGroups = std::vector<std::vector<std::int32_t>>;

/// What calibration rows say of which latents belong together. Immutable and safe to use from several threads.
class LatentAffinity {
public:
    /// `calibration` are prepared rows [t, D], `exact` their exact codes. None needs neither. Throws Error{InvalidParameter} for no row, another
    /// width, or rows that are all equal, Error{Cancelled}.
    LatentAffinity(const Dictionary& dictionary, GroupBy by, tensor::MatrixView<const float> calibration, const SparseCodes& exact, const RunContext& context = {});

    /// Parts `latents` (ascending) into `groups` whose sizes differ by one at most; 1 <= groups <= latents; in steps of the
    /// largest divisor of `groups` up to 16, or all at once where it has none. Rows: balanced spherical k-means of
    /// L^T w_i, C = L L^T the covariance of the calibration rows, from latents drawn by `seed`: the cosine of two is the correlation of
    /// their scores. CoFiring: from there on each latent goes where those that are active with it are, in rounds, as long as sum over tokens and groups
    /// of (active latents)^2 rises; latents that are never active follow their rows. The same numbers for any number of threads. Throws Error{InvalidParameter},
    /// Error{Cancelled}.
    LatentGroups split(std::span<const std::int32_t> latents, std::int64_t groups, std::uint64_t seed, const RunContext& context = {}) const;

private:
    using Assignment = std::vector<std::int32_t>; ///< group of each of the latents that are split
    tensor::Matrix<double> rowGains(std::span<const std::int32_t> latents, const Assignment& groupOf, std::int64_t groups, const RunContext& context) const;
    Assignment byRows(std::span<const std::int32_t> latents, std::int64_t groups, std::uint64_t seed, const RunContext& context) const;
    Assignment byFiring(std::span<const std::int32_t> latents, std::int64_t groups, Assignment groupOf, const RunContext& context) const;
    std::span<const std::int32_t> tokensOf(std::int32_t latent) const;

    GroupBy m_by;
    tensor::Matrix<float> m_rows;          ///< [M, D], L^T w_i of length 1
    std::vector<std::size_t> m_first;      ///< [M + 1]: the tokens of latent i are at [m_first[i], m_first[i + 1]) of m_tokens
    std::vector<std::int32_t> m_tokens;    ///< ascending for each latent
    std::int64_t m_tokenCount = 0;
};

/// Mean over tokens with an active latent of sum_g (share of its active latents that lie in group g)^2: 1 where each lies in one group whole.
double concentration(const SparseCodes& codes, const LatentGroups& groups);

/// The group of each latent, [M]. Throws Error{InvalidParameter} unless each of 0 to M - 1 is in one group.
std::vector<std::int32_t> groupOfLatents(const LatentGroups& groups, std::int64_t latents);

} // namespace tamis::encoder

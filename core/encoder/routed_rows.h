// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A dictionary's rows gathered group by group, so that scoring a group reads memory from one end to the other.
#include "core/encoder/dictionary.h"
#include "core/encoder/latent_groups.h"
#include "core/kernels/scan_rows.h"
#include "core/kernels/top_scores.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::encoder {

/// Immutable and safe to use from several threads.
class RoutedRows {
public:
    /// Copies the rows. Throws Error{InvalidParameter} for an empty group or groups that are no partition of the latents, Error{NonFinite},
    /// Error{Cancelled}.
    RoutedRows(const Dictionary& dictionary, LatentGroups groups, const RunContext& context = {});

    const LatentGroups& groups() const noexcept { return m_groups; }
    std::int64_t size(std::int32_t group) const { return static_cast<std::int64_t>(m_groups[static_cast<std::size_t>(group)].size()); }
    std::uint64_t bytes() const noexcept; ///< of rows and biases, panels filled up, and the latents' names
    /// bytes that scoring one latent reads, panels filled up: mean over all
    double bytesPerLatent() const noexcept;

    /// For each row of `prepared` its k best positive latents among chosen[row] (groups, each once, any order), in order, `row` the latent; scores
    /// are those of encoder.exact, bit for bit, whatever else is scored. Throws Error{Cancelled}.
    std::vector<std::vector<kernels::Scored>> best(tensor::MatrixView<const float> prepared, std::span<const std::vector<std::int32_t>> chosen, std::int64_t k,
                                                   const RunContext& context = {}) const;

private:
    using Found = std::vector<std::vector<kernels::Scored>>;
    Found tokenByToken(tensor::MatrixView<const float> prepared, std::span<const std::vector<std::int32_t>> chosen, std::int64_t k, const RunContext& context) const;
    Found groupByGroup(tensor::MatrixView<const float> prepared, std::span<const std::vector<std::int32_t>> chosen, std::int64_t k, const RunContext& context) const;
    std::int64_t m_width = 0, m_latents = 0;
    LatentGroups m_groups;
    std::vector<kernels::ScanRows> m_rows; ///< by group
};

} // namespace tamis::encoder

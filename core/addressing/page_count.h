// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Pages of 4 KiB that rows of a table lie on: what a read fetches, whatever it asked for.
#include "core/addressing/embed_table.h"

#include <cstdint>
#include <span>

namespace tamis::addressing {

struct PageCount {
    std::uint64_t tokens = 0;      ///< asked for
    std::uint64_t usefulBytes = 0; ///< of the rows asked for
    std::uint64_t readBytes = 0;   ///< of the different rows
    std::uint64_t pages = 0;       ///< different ones, of each batch
    double bytesPerToken() const noexcept { return tokens == 0 ? 0 : static_cast<double>(usefulBytes) / static_cast<double>(tokens); }
    double pagesPerToken() const noexcept { return tokens == 0 ? 0 : static_cast<double>(pages) / static_cast<double>(tokens); }
    /// Bytes of the pages over bytes of the rows asked for: below 1 where equal rows of a batch are read once.
    double amplification() const noexcept { return usefulBytes == 0 ? 0 : static_cast<double>(pages * kPageBytes) / static_cast<double>(usefulBytes); }
};

/// Of `tokens` in batches of `batch` tokens (1: decoding; a window: reading a prompt), nothing kept from one batch to the next. Throws
/// Error{InvalidParameter} for a token beyond the table and a batch of 0.
PageCount countPages(const EmbedTable& table, std::span<const std::int32_t> tokens, std::size_t batch);

} // namespace tamis::addressing

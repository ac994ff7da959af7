// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/panel_scan.h"

#include "core/base/error.h"
#include "core/kernels/product_blocks.h"
#include "core/kernels/scan_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::kernels {
namespace {
constexpr std::int64_t kBlockPanels = 8; // scored before they are compared: 256 scores

void scorePanels(const ScanRows& rows, std::int64_t first, std::int64_t count, const float* x, float* scores)
{
    const ScanTable& scan = scans();
    const std::int64_t depth = rows.width();
    for (std::int64_t p = 0; p < count; p += 2) {
        const std::int64_t two = std::min<std::int64_t>(2, count - p);
        const void* const from = rows.panel(first + p);
        float* const to = scores + p * kPanelWidth;
        switch (rows.precision()) {
        case ScanPrecision::Float32: scan.scoreFloats(static_cast<const float*>(from), two, depth, x, depth, 1, to, two * kPanelWidth); break;
        case ScanPrecision::Bfloat16: scan.scoreHalves(static_cast<const std::uint16_t*>(from), two, depth, x, depth, 1, to, two * kPanelWidth); break;
        case ScanPrecision::Int8: scan.scoreBytes(static_cast<const std::int8_t*>(from), two, depth, x, depth, 1, to, two * kPanelWidth); break;
        }
    }
}
} // namespace

void offerPanels(const ScanRows& rows, std::int64_t first, std::int64_t count, std::span<const float> x, std::span<const std::int32_t> names, TopScores& best,
                 const RunContext& context)
{
    if (static_cast<std::int64_t>(x.size()) != rows.width() || static_cast<std::int64_t>(names.size()) != rows.rows())
        throw Error(ErrorCode::InvalidParameter, "found an input of " + std::to_string(x.size()) + " features and " + std::to_string(names.size()) + " names, expected " +
                                                     std::to_string(rows.width()) + " features and " + std::to_string(rows.rows()) + " names");
    alignas(64) std::array<float, kBlockPanels * kPanelWidth> scores;
    std::array<std::int32_t, kBlockPanels * kPanelWidth> survivors;
    for (std::int64_t panel = first; panel < first + count; panel += kBlockPanels) {
        context.throwIfStopped();
        const std::int64_t here = std::min(kBlockPanels, first + count - panel);
        scorePanels(rows, panel, here, x.data(), scores.data());
        // Names are in any order: an equal score may have the lower name.
        const float bar = best.full() ? std::nextafter(best.threshold(), -std::numeric_limits<float>::infinity()) : best.threshold();
        const std::int64_t found = scans().finish(scores.data(), rows.scale(panel), rows.bias(panel), here * kPanelWidth, bar, survivors.data());
        for (std::int64_t i = 0; i < found; ++i) {
            const auto at = static_cast<std::size_t>(survivors[static_cast<std::size_t>(i)]);
            best.offer({scores[at], names[static_cast<std::size_t>(panel * kPanelWidth) + at]});
        }
    }
}

} // namespace tamis::kernels

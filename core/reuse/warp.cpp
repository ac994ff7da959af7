// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/warp.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

bool Warp::moves() const noexcept
{
    return std::ranges::any_of(sources, [](const Source& source) { return !source.own; });
}

Warp warpOf(const std::vector<Displacement>& motion, std::int64_t gridRows, std::int64_t gridColumns, std::int64_t patchHeight, std::int64_t patchWidth, bool bilinear)
{
    constexpr float kLeast = 1.0f / 64;
    Warp warp;
    warp.sources.resize(motion.size());
    warp.nearestCell.resize(motion.size());
    for (std::size_t p = 0; p < motion.size(); ++p) {
        const auto ownRow = static_cast<std::int64_t>(p) / gridColumns, ownColumn = static_cast<std::int64_t>(p) % gridColumns;
        float down = motion[p].dy / static_cast<float>(patchHeight), across = motion[p].dx / static_cast<float>(patchWidth);
        down = std::abs(down) < kLeast ? 0 : down;
        across = std::abs(across) < kLeast ? 0 : across;
        const float row = std::clamp(static_cast<float>(ownRow) + down, 0.0f, static_cast<float>(gridRows - 1)), column = std::clamp(static_cast<float>(ownColumn) + across, 0.0f, static_cast<float>(gridColumns - 1));
        const auto nearRow = static_cast<std::int64_t>(std::lround(row)), nearColumn = static_cast<std::int64_t>(std::lround(column));
        warp.nearestCell[p] = static_cast<std::int32_t>(nearRow * gridColumns + nearColumn);
        Warp::Source& source = warp.sources[p];
        const auto top = static_cast<std::int64_t>(row), left = static_cast<std::int64_t>(column);
        const float fy = row - static_cast<float>(top), fx = column - static_cast<float>(left);
        if (!bilinear || (fy == 0 && fx == 0)) {
            source.cells[0] = warp.nearestCell[p];
        } else {
            const std::int64_t bottom = std::min(top + 1, gridRows - 1), right = std::min(left + 1, gridColumns - 1);
            const std::int64_t cells[] = {top * gridColumns + left, top * gridColumns + right, bottom * gridColumns + left, bottom * gridColumns + right};
            const float weights[] = {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx};
            for (std::size_t i = 0; i < 4; ++i) {
                source.cells[i] = static_cast<std::int32_t>(cells[i]);
                source.weights[i] = weights[i];
            }
        }
        source.own = source.cells[0] == static_cast<std::int32_t>(p) && source.weights[0] == 1;
    }
    return warp;
}

void warpRows(const Warp& warp, std::int64_t prefix, kernels::ConstRows from, kernels::Rows to)
{
    for (std::int64_t i = 0; i < prefix; ++i)
        std::ranges::copy(from.row(i), to.row(i).begin());
    for (std::size_t p = 0; p < warp.sources.size(); ++p) {
        const Warp::Source& source = warp.sources[p];
        float* out = to.data + (prefix + static_cast<std::int64_t>(p)) * to.stride;
        const auto row = [&](std::size_t i) { return from.data + (prefix + source.cells[i]) * from.stride; };
        if (source.weights[0] == 1) {
            std::copy_n(row(0), from.cols, out);
            continue;
        }
        const float *a = row(0), *b = row(1), *c = row(2), *d = row(3);
        for (std::int64_t j = 0; j < from.cols; ++j)
            out[j] = source.weights[0] * a[j] + source.weights[1] * b[j] + source.weights[2] * c[j] + source.weights[3] * d[j];
    }
}

void warpState(const Warp& warp, std::int64_t prefix, const TokenState& from, TokenState& to, const RunContext& context)
{
    for (std::size_t i = 0; i < from.keys.size(); ++i) {
        context.throwIfStopped();
        warpRows(warp, prefix, from.keys[i].view(), to.keys[i].view());
        warpRows(warp, prefix, from.values[i].view(), to.values[i].view());
    }
    warpRows(warp, prefix, from.hidden.view(), to.hidden.view());
}

} // namespace tamis::reuse

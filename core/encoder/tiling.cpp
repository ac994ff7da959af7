// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/tiling.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kLatentsATask = 1024; // sums over latents are taken in these pieces, whatever the threads

std::vector<std::int32_t> places(const std::vector<std::int32_t>& tileOf, std::int64_t tile)
{
    std::vector<std::int32_t> found;
    for (std::size_t i = 0; i < tileOf.size(); ++i)
        if (tileOf[i] == tile)
            found.push_back(static_cast<std::int32_t>(i));
    return found;
}

std::vector<std::int32_t> runs(std::int64_t count, std::int64_t tiles)
{
    std::vector<std::int32_t> tileOf(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
        tileOf[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i * tiles / count);
    return tileOf;
}

double energy(MatrixView<const float> w, std::span<const double> variance, std::int64_t i, std::size_t j)
{
    const auto value = static_cast<double>(w(i, static_cast<std::int64_t>(j)));
    return value * value * variance[j];
}

/// [M, tiles]: the energy of each latent in each tile's inputs.
Matrix<double> latentGains(MatrixView<const float> w, std::span<const double> variance, const Tiling& tiling, const RunContext& context)
{
    Matrix<double> gains(w.rows, tiling.tiles);
    parallelFor(context, static_cast<std::size_t>((w.rows + kLatentsATask - 1) / kLatentsATask), [&](std::size_t task) {
        const std::int64_t first = static_cast<std::int64_t>(task) * kLatentsATask;
        for (std::int64_t i = first; i < std::min(w.rows, first + kLatentsATask); ++i)
            for (std::size_t j = 0; j < variance.size(); ++j)
                gains(i, tiling.inputs[j]) += energy(w, variance, i, j);
    });
    return gains;
}

/// [D, tiles]: the energy of each input in each tile's latents.
Matrix<double> inputGains(MatrixView<const float> w, std::span<const double> variance, const Tiling& tiling, const RunContext& context)
{
    const auto tasks = static_cast<std::size_t>((w.rows + kLatentsATask - 1) / kLatentsATask);
    std::vector<Matrix<double>> parts(tasks);
    parallelFor(context, tasks, [&](std::size_t task) {
        parts[task] = Matrix<double>(w.cols, tiling.tiles);
        const std::int64_t first = static_cast<std::int64_t>(task) * kLatentsATask;
        for (std::int64_t i = first; i < std::min(w.rows, first + kLatentsATask); ++i)
            for (std::size_t j = 0; j < variance.size(); ++j)
                parts[task](static_cast<std::int64_t>(j), tiling.latents[static_cast<std::size_t>(i)]) += energy(w, variance, i, j);
    });
    Matrix<double> gains(w.cols, tiling.tiles);
    for (const Matrix<double>& part : parts)
        for (std::size_t i = 0; i < gains.size(); ++i)
            gains.data()[i] += part.data()[i];
    return gains;
}
} // namespace

std::vector<std::int32_t> Tiling::inputsOf(std::int64_t tile) const
{
    return places(inputs, tile);
}

std::vector<std::int32_t> Tiling::latentsOf(std::int64_t tile) const
{
    return places(latents, tile);
}

Tiling runsOf(std::int64_t width, std::int64_t latents, std::int64_t tiles)
{
    if (tiles < 1 || tiles > std::min(width, latents))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(tiles) + " tiles, expected 1 to " + std::to_string(std::min(width, latents)), "tiles");
    return {tiles, runs(width, tiles), runs(latents, tiles)};
}

double keptEnergy(MatrixView<const float> w, std::span<const double> variance, const Tiling& tiling)
{
    double kept = 0;
    for (std::int64_t i = 0; i < w.rows; ++i)
        for (std::size_t j = 0; j < variance.size(); ++j)
            if (tiling.inputs[j] == tiling.latents[static_cast<std::size_t>(i)])
                kept += energy(w, variance, i, j);
    return kept;
}

std::vector<std::int32_t> balancedGroups(const Matrix<double>& gains, const RunContext& context)
{
    const std::int64_t items = gains.rows(), groups = gains.cols();
    std::vector<std::int32_t> groupOf(static_cast<std::size_t>(items), -1);
    std::vector<std::int64_t> size(static_cast<std::size_t>(groups));
    std::vector<double> means(static_cast<std::size_t>(items));
    std::int64_t larger = items % groups; // groups that may hold one more
    const auto fits = [&](std::int64_t g) {
        const std::int64_t members = size[static_cast<std::size_t>(g)];
        return members < items / groups || (members == items / groups && larger > 0);
    };
    struct Choice {
        double advantage = 0; ///< over the mean of the item's groups
        std::int32_t item = 0, group = 0;
    };
    const auto later = [](const Choice& a, const Choice& b) {
        return a.advantage != b.advantage ? a.advantage < b.advantage : a.item != b.item ? a.item > b.item : a.group > b.group;
    };
    // Of each item its best choice that still fits: what does not fit now never will, so that no other can come before it.
    const auto best = [&](std::int64_t i) {
        const auto row = gains.view().row(i);
        Choice choice{0, static_cast<std::int32_t>(i), -1};
        for (std::int64_t g = 0; g < groups; ++g)
            if (const double advantage = row[static_cast<std::size_t>(g)] - means[static_cast<std::size_t>(i)]; fits(g) && (choice.group < 0 || advantage > choice.advantage))
                choice = {advantage, choice.item, static_cast<std::int32_t>(g)};
        return choice;
    };
    std::vector<Choice> heap;
    for (std::int64_t i = 0; i < items; ++i) {
        const auto row = gains.view().row(i);
        means[static_cast<std::size_t>(i)] = std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(groups);
        heap.push_back(best(i));
    }
    std::ranges::make_heap(heap, later);
    for (std::int64_t steps = 0; !heap.empty(); ++steps) {
        if (steps % kLatentsATask == 0)
            context.throwIfStopped();
        std::ranges::pop_heap(heap, later);
        const Choice choice = heap.back();
        if (!fits(choice.group)) {
            heap.back() = best(choice.item);
            std::ranges::push_heap(heap, later);
            continue;
        }
        heap.pop_back();
        auto& members = size[static_cast<std::size_t>(choice.group)];
        larger -= members == items / groups ? 1 : 0;
        ++members;
        groupOf[static_cast<std::size_t>(choice.item)] = choice.group;
    }
    return groupOf;
}

Tiling energyTiling(MatrixView<const float> w, std::span<const double> variance, std::int64_t tiles, int rounds, const RunContext& context)
{
    Tiling best = runsOf(w.cols, w.rows, tiles);
    double kept = keptEnergy(w, variance, best);
    for (int round = 0; round < rounds; ++round) {
        context.throwIfStopped();
        Tiling next = best;
        next.latents = balancedGroups(latentGains(w, variance, next, context));
        next.inputs = balancedGroups(inputGains(w, variance, next, context));
        const double energyNow = keptEnergy(w, variance, next);
        if (!(energyNow > kept))
            break;
        kept = energyNow;
        best = std::move(next);
    }
    return best;
}

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/protection.h"

#include "core/base/error.h"
#include "core/tokens/image_complexity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>

namespace tamis::tokens {
namespace {
constexpr std::array<std::string_view, 4> kNames{"none", "border", "gradient", "both"};

class ProtectedStep final : public Reduction {
public:
    ProtectedStep(ReductionPtr inner, const nn::PatchSpec& patch, Protection protection, double share)
        : m_inner(std::move(inner)), m_patch(patch), m_protection(protection), m_share(share)
    {
    }
    Assignment assign(const Look& look) const override
    {
        TokenSet set = look.set;
        set.wishes.resize(set.row.size(), Wish::None);
        const auto mark = [&](const std::vector<std::uint8_t>& patches) {
            for (std::size_t i = 0; i < patches.size(); ++i)
                if (Wish& wish = set.wishes[static_cast<std::size_t>(set.prefix) + i]; patches[i] && wish == Wish::None)
                    wish = Wish::Keep;
        };
        if (m_protection != Protection::Gradient)
            mark(borderPatches(m_patch.gridHeight, m_patch.gridWidth));
        if (m_protection != Protection::Border)
            mark(highestPatches(patchEdges(look.image, m_patch, look.scratch.context()), m_share));
        return m_inner->assign({look.block, look.layer, look.attention, look.x, set, look.image, look.remembered, look.rollout, look.imageScores, look.scratch});
    }

private:
    ReductionPtr m_inner;
    nn::PatchSpec m_patch;
    Protection m_protection;
    double m_share;
};
} // namespace

std::vector<std::uint8_t> borderPatches(std::int64_t gridRows, std::int64_t gridCols)
{
    std::vector<std::uint8_t> border;
    for (std::int64_t row = 0; row < gridRows; ++row)
        for (std::int64_t col = 0; col < gridCols; ++col)
            border.push_back(row == 0 || col == 0 || row == gridRows - 1 || col == gridCols - 1 ? 1 : 0);
    return border;
}

std::vector<std::uint8_t> highestPatches(std::span<const double> values, double share)
{
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t one, std::size_t other) { return values[one] > values[other]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())))));
    std::vector<std::uint8_t> highest(values.size());
    for (const std::size_t patch : order)
        highest[patch] = values[patch] > 0 ? 1 : 0;
    return highest;
}

ReductionPtr protectedStep(ReductionPtr inner, const nn::PatchSpec& patch, Protection protection, double share)
{
    if (protection == Protection::None)
        return inner;
    return std::make_shared<ProtectedStep>(std::move(inner), patch, protection, share);
}

ParameterSpec protectParameter()
{
    return {.name = "protect", .title = "Protect", .type = ParameterType::Choice, .defaultValue = std::string(kNames[0]),
            .help = "Patches that stay whatever their score, within the number kept: the border of the grid, the strongest edges of the image (its gradient, not the loss's)",
            .choices = {kNames.begin(), kNames.end()}};
}

ParameterSpec protectShareParameter()
{
    return {.name = "protect-share", .title = "Protected edges", .type = ParameterType::Real, .defaultValue = 0.1, .minimum = 0, .maximum = 1, .step = 0.05,
            .help = "Part of all patches that protect = gradient or both keeps for their edges"};
}

void protectPatches(const nn::PatchSpec& patch, const Parameters& parameters, Chain& chain)
{
    const auto found = std::ranges::find(kNames, parameters.text("protect"));
    if (found == kNames.end())
        throw Error(ErrorCode::InvalidParameter, "found '" + parameters.text("protect") + "', expected none, border, gradient or both", "protect");
    for (Step& step : chain.steps)
        step.reduction = protectedStep(std::move(step.reduction), patch, static_cast<Protection>(found - kNames.begin()), parameters.real("protect-share"));
}

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/down_sampling.h"

#include "core/base/error.h"
#include "core/tokens/reduced_forward.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::tokens {
namespace {
class CellStep final : public Reduction {
public:
    CellStep(double keep, bool mean) : m_side(std::sqrt(keep)), m_mean(mean) {}
    Assignment assign(const Look& look) const override
    {
        const TokenSet& set = look.set;
        const std::int64_t rows = cellsOf(set.gridRows), columns = cellsOf(set.gridCols);
        const std::vector<std::uint8_t> isProtected = set.protectedRows();
        Assignment a;
        a.to.assign(set.sizes.size(), -1);
        for (std::int64_t i = 0; i < set.prefix; ++i)
            a.to[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(a.count++);
        std::map<std::int64_t, std::int32_t> rowOf; // by cell
        for (const auto& [token, source] : firstSources(set)) {
            const std::int64_t patch = source - set.prefix, y = patch / set.gridCols, x = patch % set.gridCols;
            const std::int64_t cellY = y * rows / set.gridRows, cellX = x * columns / set.gridCols;
            if (isProtected[static_cast<std::size_t>(token)]) {
                a.to[static_cast<std::size_t>(token)] = static_cast<std::int32_t>(a.count++);
                continue;
            }
            if (!m_mean && (y != middle(cellY, rows, set.gridRows) || x != middle(cellX, columns, set.gridCols)))
                continue;
            const auto [place, isNew] = rowOf.try_emplace(cellY * columns + cellX, static_cast<std::int32_t>(a.count));
            a.count += isNew ? 1 : 0;
            a.to[static_cast<std::size_t>(token)] = place->second;
        }
        return a;
    }

private:
    std::int64_t cellsOf(std::int64_t side) const { return std::clamp<std::int64_t>(std::llround(m_side * static_cast<double>(side)), 1, side); }
    /// The patch in the middle of a cell.
    static std::int64_t middle(std::int64_t cell, std::int64_t cells, std::int64_t side)
    {
        const std::int64_t begin = (cell * side + cells - 1) / cells, end = ((cell + 1) * side + cells - 1) / cells;
        return (begin + end - 1) / 2;
    }
    /// Patch tokens and the first source that each holds, in the order of the sources.
    static std::vector<std::pair<std::int32_t, std::int64_t>> firstSources(const TokenSet& set)
    {
        std::vector<std::pair<std::int32_t, std::int64_t>> result;
        std::vector<std::uint8_t> seen(set.sizes.size());
        for (std::size_t source = static_cast<std::size_t>(set.prefix); source < set.row.size(); ++source)
            if (const std::int32_t token = set.row[source]; token >= 0 && !seen[static_cast<std::size_t>(token)]) {
                seen[static_cast<std::size_t>(token)] = 1;
                result.emplace_back(token, static_cast<std::int64_t>(source));
            }
        return result;
    }
    double m_side;
    bool m_mean;
};

Chain downSamplingChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = downSamplingMethod().declaration.schema.complete(given);
    const std::int64_t block = parameters.integer("block");
    Chain chain;
    chain.steps.push_back({static_cast<int>(block), Place::BeforeBlock, std::make_shared<CellStep>(parameters.real("keep"), parameters.text("cell") == "mean")});
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

Method downSamplingMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.downsample",
        .lab = "tokens",
        .title = "Uniform down-sampling (baseline)",
        .reference = "Trivial baseline: a coarser grid of cells, whatever the picture shows",
        .schema = ParameterSchema({
            {.name = "keep", .title = "Keep", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0.01, .maximum = 1, .step = 0.05,
             .help = "Part of the patches; both sides of the grid shrink by its root, rounded"},
            {.name = "block", .title = "Before block", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 255, .step = 1,
             .help = "The first block that sees the coarser grid"},
            {.name = "cell", .title = "A cell becomes", .type = ParameterType::Choice, .defaultValue = std::string("mean"),
             .help = "mean: the mean of its tokens; middle: the token in its middle alone", .choices = {"mean", "middle"}},
        })};
    method.baseline = true;
    method.chain = downSamplingChain;
    return method;
}

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/whole_trace.h"

#include <algorithm>
#include <numeric>

namespace tamis::tokens {

std::uint64_t patchMacs(const nn::ModelSpec& spec)
{
    const std::vector<BlockTokens> none(spec.blocks.size());
    return modelMacs(spec, none) - headMacs(spec);
}

void traceFirstBlocks(const nn::ModelSpec& spec, std::size_t run, Trace& trace)
{
    std::vector<BlockTokens> tokens = wholeTokens(spec);
    std::fill(tokens.begin() + static_cast<std::ptrdiff_t>(run), tokens.end(), BlockTokens{});
    const std::vector<std::uint64_t> macs = blockMacs(spec, tokens);
    const TokenSet whole = wholeSet(spec.patch.prefixTokens, spec.patch.gridHeight, spec.patch.gridWidth);
    TokenSet none = whole;
    none.sizes.clear();
    none.keyWeights.clear();
    none.row.assign(none.row.size(), -1);
    trace.layers.clear();
    for (std::size_t block = 0; block < tokens.size(); ++block)
        trace.layers.push_back({tokens[block], block < run ? whole : none, {}, macs[block]});
    trace.macs = std::accumulate(macs.begin(), macs.end(), patchMacs(spec));
}

} // namespace tamis::tokens

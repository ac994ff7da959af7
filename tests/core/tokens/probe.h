// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A step that changes nothing and lets a test look at what steps see.
#include "core/tokens/reduction.h"

#include <functional>
#include <memory>
#include <numeric>
#include <utility>

namespace tamis::test {

class Probe final : public tokens::Reduction {
public:
    explicit Probe(std::function<void(const tokens::Look&)> see) : m_see(std::move(see)) {}
    tokens::Assignment assign(const tokens::Look& look) const override
    {
        m_see(look);
        tokens::Assignment a;
        a.count = look.x.rows;
        a.to.resize(static_cast<std::size_t>(a.count));
        std::iota(a.to.begin(), a.to.end(), 0);
        return a;
    }

private:
    std::function<void(const tokens::Look&)> m_see;
};

/// Behind the attention of every block.
inline tokens::Chain probeChain(int blocks, const std::function<void(const tokens::Look&)>& see)
{
    tokens::Chain chain;
    for (int block = 0; block < blocks; ++block)
        chain.steps.push_back({block, tokens::Place::BetweenBranches, std::make_shared<Probe>(see)});
    return chain;
}

} // namespace tamis::test

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/reuse_runs.h"

#include <algorithm>
#include <utility>

namespace tamis::app {

void ReuseRuns::add(const std::string& key, Run run, std::span<const std::string> kept)
{
    std::erase_if(m_runs, [&](const Named& each) { return each.key == key; });
    m_runs.push_back({key, std::move(run)});
    const auto isLoose = [&](const Named& each) { return std::ranges::find(kept, each.key) == kept.end(); };
    for (auto loose = static_cast<std::size_t>(std::ranges::count_if(m_runs, isLoose)); loose > kMost; --loose)
        m_runs.erase(std::ranges::find_if(m_runs, isLoose));
}

ReuseRuns::Run ReuseRuns::find(const std::string& key) const
{
    const auto at = std::ranges::find(m_runs, key, &Named::key);
    return at == m_runs.end() ? nullptr : at->run;
}

} // namespace tamis::app

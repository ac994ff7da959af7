// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/listed_scores.h"

#include "core/kernels/score_scan.h"

#include <algorithm>

namespace tamis::encoder {

std::vector<kernels::Scored> bestOfListed(const Dictionary& dictionary, std::span<const float> x, std::span<const std::int32_t> listed)
{
    const auto k = static_cast<std::size_t>(dictionary.k());
    std::vector<float> scores(listed.size());
    kernels::scoreListed(dictionary.rows(), dictionary.bias(), x, listed, scores.data());
    kernels::TopScores best(k);
    for (std::size_t i = 0; i < listed.size(); ++i)
        best.offer({scores[i], listed[i]});
    auto found = best.take();
    kernels::keepBest(found, k);
    return found;
}

std::int64_t candidatesWithin(const Dictionary& dictionary, std::int64_t asked, std::vector<std::string>& warnings)
{
    const std::int64_t candidates = std::clamp(asked, dictionary.k(), dictionary.latents());
    if (candidates != asked)
        warnings.push_back("The candidates are " + std::to_string(candidates) + ", not " + std::to_string(asked) + ": there must be from k = " + std::to_string(dictionary.k()) + " to all " +
                           std::to_string(dictionary.latents()) + " latents.");
    return candidates;
}

} // namespace tamis::encoder

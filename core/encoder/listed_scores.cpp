// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/listed_scores.h"

#include "core/kernels/score_scan.h"

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

} // namespace tamis::encoder

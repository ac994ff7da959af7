// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/encoder_tokens.h"

#include <algorithm>

namespace tamis::report {

std::optional<std::size_t> sampleOf(const TokenPlaces& places, std::int64_t token)
{
    const auto after = std::ranges::upper_bound(places.samples, token, {}, &TokenSample::first);
    if (after == places.samples.begin())
        return {};
    const auto found = std::prev(after);
    if (token >= found->first + found->count)
        return {};
    return static_cast<std::size_t>(found - places.samples.begin());
}

std::string placeName(const TokenPlaces& places, std::int64_t token)
{
    const auto sample = sampleOf(places, token);
    if (!sample)
        return {};
    const std::int64_t at = token - places.samples[*sample].first, prefix = static_cast<std::int64_t>(places.prefix.size());
    if (!places.photos())
        return "position " + std::to_string(at) + " of " + std::to_string(places.samples[*sample].count);
    if (at < prefix)
        return places.prefix[static_cast<std::size_t>(at)];
    return "row " + std::to_string((at - prefix) / places.gridWidth) + ", column " + std::to_string((at - prefix) % places.gridWidth);
}

LatentMap latentMap(const SampleLatents& sample, std::int32_t latent, std::int64_t cut)
{
    LatentMap map;
    map.latent = latent;
    map.exact.assign(sample.exact.size(), 0);
    map.returned = map.exact;
    map.missed.assign(sample.exact.size(), 0);
    float most = 0;
    for (std::size_t t = 0; t < sample.exact.size(); ++t) {
        if (const auto found = std::ranges::find(sample.exact[t], latent, &SampleLatents::Wanted::latent); found != sample.exact[t].end()) {
            map.exact[t] = found->value;
            map.returned[t] = found->returned == found->returned ? found->returned : 0;
            map.missed[t] = !isFound(*found, sample.coarse, cut);
            ++map.fires;
            map.missing += map.missed[t];
            map.most = std::max(map.most, found->value);
        } else if (const auto other = std::ranges::find(sample.others[t], latent, &SampleLatents::Other::latent); other != sample.others[t].end()) {
            map.returned[t] = other->value;
            ++map.alone;
            most = std::max(most, other->value);
        }
    }
    if (map.fires == 0)
        map.most = most;
    return map;
}

} // namespace tamis::report

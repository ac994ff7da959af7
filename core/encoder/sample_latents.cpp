// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/sample_latents.h"

#include "core/base/error.h"
#include "core/encoder/coarse_scorer.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace tamis::encoder {

SparseCodes codesOf(const SparseCodes& all, std::int64_t first, std::int64_t count)
{
    if (first < 0 || count < 0 || first + count > all.tokens())
        throw Error(ErrorCode::InvalidParameter, "found tokens " + std::to_string(first) + " to " + std::to_string(first + count) + ", expected some of the " + std::to_string(all.tokens()));
    SparseCodes part;
    for (std::int64_t t = first; t < first + count; ++t) {
        const auto latents = all.latentsOf(t);
        const auto values = all.valuesOf(t);
        part.latents.insert(part.latents.end(), latents.begin(), latents.end());
        part.values.insert(part.values.end(), values.begin(), values.end());
        part.first.push_back(part.latents.size());
    }
    return part;
}

report::SampleLatents sampleLatents(const SparseCodes& exact, tensor::MatrixView<const float> prepared, const TopKEncoder& encoder, std::int64_t first, const RunContext& context)
{
    if (exact.tokens() != prepared.rows)
        throw Error(ErrorCode::InvalidParameter, "found codes of " + std::to_string(exact.tokens()) + " tokens for " + std::to_string(prepared.rows) + " rows");
    context.setParts(2);
    const SparseCodes codes = encoder.encode(prepared, context.part(1, "codes"));
    const auto* coarse = dynamic_cast<const CoarseEncoder*>(&encoder);
    std::vector<std::int32_t> places;
    if (coarse)
        places = coarseRanks(*coarse->scorer(), prepared, exact, context.part(1, "places"));
    report::SampleLatents sample;
    sample.first = first;
    sample.coarse = coarse != nullptr;
    sample.exact.resize(static_cast<std::size_t>(prepared.rows));
    sample.others.resize(sample.exact.size());
    for (std::int64_t t = 0; t < prepared.rows; ++t) {
        context.throwIfStopped();
        const auto at = static_cast<std::size_t>(t);
        const auto latents = exact.latentsOf(t), returned = codes.latentsOf(t);
        std::unordered_map<std::int32_t, std::size_t> wanted;
        for (std::size_t i = 0; i < latents.size(); ++i) {
            wanted.emplace(latents[i], i);
            sample.exact[at].push_back({latents[i], exact.valuesOf(t)[i], coarse ? places[exact.first[at] + i] : -1});
        }
        for (std::size_t i = 0; i < returned.size(); ++i) {
            const float value = codes.valuesOf(t)[i];
            const auto found = wanted.find(returned[i]);
            if (found == wanted.end()) {
                sample.others[at].push_back({returned[i], value});
                continue;
            }
            auto& entry = sample.exact[at][found->second];
            entry.returned = value;
            if (!coarse)
                entry.place = static_cast<std::int64_t>(i);
        }
    }
    context.finish();
    return sample;
}

} // namespace tamis::encoder

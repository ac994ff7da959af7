// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What routers are trained and measured on: the language model's bundled activations, fitted to the first 512 rows, measured on the other 256.
#include "tests/core/encoder/trained_cases.h"

namespace tamis::test {

inline const encoder::Inputs& routedInputs()
{
    static const encoder::Inputs inputs = bundledInputs("tinylm.block3.k32/sparsify", 512);
    return inputs;
}

/// 300 steps on 128 rows each, and `own`.
inline Parameters routerTraining(const encoder::Method& method, const Settings& own)
{
    Settings all{{"steps", std::int64_t{300}}, {"batch", std::int64_t{128}}, {"check-every", std::int64_t{20}}};
    all.insert(all.end(), own.begin(), own.end());
    return settingsOf(method, all);
}

/// On the rows that were not seen.
inline report::EncoderQuality routedQuality(const encoder::TopKEncoder& encoder)
{
    static const auto exact = encoder::exactTokens(routedInputs().dictionary, bundledRows("tinylm", 512, 256));
    return encoder::measureEncoder(*exact, encoder, "routed", {}, {.latencyBatches = {}}).quality;
}

inline encoder::EncoderPtr restored(const encoder::Method& method, const encoder::Built& built)
{
    encoder::Inputs bare;
    bare.dictionary = routedInputs().dictionary;
    return method.restore(bare, *built.trained, {});
}

} // namespace tamis::test

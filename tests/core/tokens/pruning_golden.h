// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// vit20 against tests/golden/pruning_golden.npz, which make_pruning_golden.py writes.
#include "tests/core/tokens/bundled_model.h"

#include <algorithm>
#include <cmath>

namespace tamis::test {

inline io::NpyArray pruningGolden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/pruning_golden.npz");
    return archive->read(name);
}

/// Who holds whom behind every block exactly, sizes exactly, logits to 1e-4 of the largest: 6 blocks of float sums against double ones.
inline void verifyPruning(const std::string& name, const std::string& method, const std::vector<std::pair<std::string, std::string>>& settings)
{
    const auto model = tokenModel("vit20");
    const TokenImages images("vit20");
    const tokens::Chain chain = chainOf(method, model, settings);
    const std::vector<float> logits = pruningGolden("vit20." + name + ".logits").toFloats(), row = pruningGolden("vit20." + name + ".row").toFloats(),
                             sizes = pruningGolden("vit20." + name + ".sizes").toFloats();
    std::size_t at = 0, logit = 0;
    for (const nn::Sample& sample : images.samples) {
        tokens::Trace trace;
        const std::vector<float> output = runOne(*model, chain, sample, &trace);
        for (const tokens::TracedLayer& layer : trace.layers)
            for (std::size_t source = 0; source < layer.set.row.size(); ++source, ++at) {
                QCOMPARE(layer.set.row[source], static_cast<std::int32_t>(row[at]));
                QCOMPARE(source < layer.set.sizes.size() ? layer.set.sizes[source] : 0.0f, sizes[at]);
            }
        QVERIFY(trace.layers.back().set.tokens() < 257);
        float largest = 1, difference = 0;
        for (const float value : output) {
            largest = std::max(largest, std::abs(logits[logit]));
            difference = std::max(difference, std::abs(value - logits[logit++]));
        }
        QVERIFY2(difference <= 1e-4f * largest, qPrintable(QString::number(static_cast<double>(difference))));
    }
    QCOMPARE(at, row.size());
}

} // namespace tamis::test

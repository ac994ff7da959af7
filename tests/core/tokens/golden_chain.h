// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A chain against what PyTorch says in double: the scripts tests/golden/make_token_*_golden.py say what their archives hold.
#include "tests/core/tokens/bundled_model.h"

#include <algorithm>
#include <cmath>

namespace tamis::test {

inline GoldenArray mergingGolden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/token_merging/golden.npz");
    const io::NpyArray array = archive->read(name);
    return {array.shape, array.toFloats()};
}

/// Who holds whom after each block exactly, sizes exactly, logits to 1e-4 of the largest (float against double). The last call of a test function.
inline void verifyGolden(GoldenArray (*golden)(const std::string&), const std::string& modelName, const std::string& name, const nn::Model& model, const tokens::Chain& chain,
                         GoldenArray (*inputs)(const std::string&) = tokenGolden)
{
    const TokenImages images(modelName, inputs);
    const std::string key = modelName + "." + name + ".";
    const GoldenArray logits = golden(key + "logits"), row = golden(key + "row"), sizes = golden(key + "sizes");
    const auto classes = static_cast<std::size_t>(model.outputWidth());
    const auto blocks = static_cast<std::size_t>(row.shape[1]), sources = static_cast<std::size_t>(row.shape[2]);
    bool reduced = false;
    for (std::size_t image = 0; image < images.samples.size(); ++image) {
        tokens::Trace trace;
        const std::vector<float> output = runOne(model, chain, images.samples[image], &trace);
        QCOMPARE(trace.layers.size(), blocks);
        for (std::size_t block = 0; block < blocks; ++block) {
            const tokens::TokenSet& set = trace.layers[block].set;
            reduced = reduced || set.sizes.size() < sources;
            for (std::size_t source = 0; source < sources; ++source) {
                const std::size_t at = (image * blocks + block) * sources + source;
                QCOMPARE(set.row[source], static_cast<std::int32_t>(row.values[at]));
                QCOMPARE(source < set.sizes.size() ? set.sizes[source] : 0.0f, sizes.values[at]);
            }
        }
        float largest = 0, difference = 0;
        for (std::size_t k = 0; k < classes; ++k) {
            largest = std::max(largest, std::abs(logits.values[image * classes + k]));
            difference = std::max(difference, std::abs(output[k] - logits.values[image * classes + k]));
        }
        QVERIFY2(difference <= 1e-4f * std::max(1.0f, largest), qPrintable(QString::number(static_cast<double>(difference))));
    }
    QVERIFY(reduced);
}

} // namespace tamis::test

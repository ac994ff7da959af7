// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// tests/golden/make_resolution_golden.py says what the archive holds.
#include "tests/core/tokens/bundled_model.h"

#include <algorithm>
#include <cmath>

namespace tamis::test {

inline GoldenArray resolutionGolden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/resolution/golden.npz");
    const io::NpyArray array = archive->read(name);
    return {array.shape, array.toFloats()};
}

/// Largest difference over max(1, largest magnitude), of one image's logits.
inline double logitDifference(const std::vector<float>& output, const GoldenArray& logits, std::size_t image)
{
    double difference = 0, largest = 1;
    for (std::size_t k = 0; k < output.size(); ++k) {
        const float expected = logits.values[image * output.size() + k];
        largest = std::max(largest, static_cast<double>(std::abs(expected)));
        difference = std::max(difference, static_cast<double>(std::abs(output[k] - expected)));
    }
    return difference / largest;
}

} // namespace tamis::test

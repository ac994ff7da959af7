// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Samples for the bundled vision model that need no file.
#include "core/measure/sample_source.h"

#include <random>
#include <string>

namespace tamis::test {

/// Photos of noise, 3 x 64 x 64, with labels 0, 1, ...
class NoisePhotos final : public measure::SampleSource {
public:
    explicit NoisePhotos(std::size_t count) : m_count(count) {}
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return "noise " + std::to_string(index); }
    std::string description() const override { return "noise"; }
    std::string sha256(const RunContext&) const override { return {}; }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        std::mt19937 random(static_cast<unsigned>(index) + 1);
        std::normal_distribution<float> normal;
        sample = {};
        sample.image.resize(3 * 64 * 64);
        for (float& value : sample.image)
            value = normal(random);
        sample.label = static_cast<int>(index);
    }

private:
    std::size_t m_count;
};

} // namespace tamis::test

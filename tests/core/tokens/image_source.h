// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The golden images of vit20 as a folder of photos.
#include "core/measure/sample_source.h"
#include "tests/core/tokens/bundled_model.h"

#include <cmath>

namespace tamis::test {

/// Over and over, each time brighter, with labels (-1 beyond them); `poisoned`: the third has a pixel that is not a number.
class ImageSource final : public measure::SampleSource {
public:
    ImageSource(std::size_t count, std::vector<int> labels, bool poisoned = false) : m_images("vit20"), m_count(count), m_labels(std::move(labels)), m_poisoned(poisoned) {}
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return "photo " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        const auto image = m_images.samples[index % 2].image;
        sample = {};
        sample.image.assign(image.begin(), image.end());
        for (float& value : sample.image)
            value *= 1 + 0.05f * static_cast<float>(index / 2);
        if (m_poisoned && index == 2)
            sample.image[7] = NAN;
        sample.label = index < m_labels.size() ? m_labels[index] : -1;
    }
    std::string description() const override { return "images"; }
    std::string sha256(const RunContext&) const override { return {}; }

private:
    TokenImages m_images;
    std::size_t m_count;
    std::vector<int> m_labels;
    bool m_poisoned;
};

} // namespace tamis::test

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Frames for vit20 (64 x 64 pixels, patches of 4): noise that moves on by whole patches and comes round again.
#include "core/base/split_mix.h"
#include "core/measure/sample_source.h"

class MovingNoise final : public tamis::measure::SampleSource {
public:
    MovingNoise(std::size_t frames, int across, int down) : m_frames(frames), m_across(across), m_down(down) {}
    std::size_t count() const noexcept override { return m_frames; }
    std::string name(std::size_t index) const override { return "frame " + std::to_string(index); }
    void load(std::size_t index, tamis::measure::LoadedSample& sample) const override
    {
        sample.image.resize(3 * 64 * 64);
        sample.tokens.clear();
        sample.tokenTypes.clear();
        const int frame = static_cast<int>(index);
        for (int channel = 0; channel < 3; ++channel)
            for (int y = 0; y < 64; ++y)
                for (int x = 0; x < 64; ++x) {
                    const int fromX = ((x - frame * m_across) % 64 + 64) % 64, fromY = ((y - frame * m_down) % 64 + 64) % 64;
                    const std::uint64_t bits = tamis::mixedBits(tamis::kSplitMixStep * static_cast<std::uint64_t>(1 + channel * 4096 + fromY * 64 + fromX));
                    sample.image[static_cast<std::size_t>(channel * 4096 + y * 64 + x)] = static_cast<float>(bits >> 40U) / 8388608.0F - 1.0F; // -1 .. 1
                }
    }
    std::string description() const override { return "moving noise"; }
    std::string sha256(const tamis::RunContext&) const override { return {}; }

private:
    std::size_t m_frames;
    int m_across, m_down;
};

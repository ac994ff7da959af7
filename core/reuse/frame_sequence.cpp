// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/frame_sequence.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

tensor::Matrix<float> greyOf(std::span<const float> image, const inputs::ImagePreprocess& preprocess)
{
    constexpr float kShares[] = {0.299f, 0.587f, 0.114f};
    tensor::Matrix<float> grey(preprocess.height, preprocess.width);
    const std::size_t pixels = grey.size();
    const auto values = grey.values();
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const float gain = kShares[channel] * preprocess.std[channel] / static_cast<float>(preprocess.rescaleFactor);
        const float offset = kShares[channel] * preprocess.mean[channel] / static_cast<float>(preprocess.rescaleFactor);
        const float* from = image.data() + channel * pixels;
        for (std::size_t i = 0; i < pixels; ++i)
            values[i] += gain * from[i] + offset;
    }
    for (float& level : values)
        if (!std::isfinite(level))
            level = 0;
    return grey;
}

void checkSequence(const FrameSequence& sequence, const RunContext& context)
{
    if (sequence.frames.size() < 2)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(sequence.frames.size()) + (sequence.frames.size() == 1 ? " frame" : " frames") + ", expected two at least: features are reused from one to the next", sequence.name);
    const std::size_t values = sequence.preprocess.values();
    if (sequence.frames.size() > kMaximumFrames || sequence.frames.size() > kMaximumSequenceBytes / (sizeof(float) * std::max<std::size_t>(values, 1)))
        throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(sequence.frames.size()) + " frames of " + std::to_string(values) + " values, expected at most " + std::to_string(kMaximumFrames) + " frames and " +
                                                  std::to_string(kMaximumSequenceBytes >> 20U) + " MiB", sequence.name);
    for (const Frame& frame : sequence.frames) {
        context.throwIfStopped();
        if (frame.image.size() != values)
            throw Error(ErrorCode::InvalidParameter, "found an image of " + std::to_string(frame.image.size()) + " values, expected " + std::to_string(values) + " as in the other frames", frame.file);
        if (!std::ranges::all_of(frame.image, [](float value) { return std::isfinite(value); }))
            throw Error(ErrorCode::NonFinite, "found a pixel that is no number, expected finite ones", frame.file);
    }
}

} // namespace tamis::reuse

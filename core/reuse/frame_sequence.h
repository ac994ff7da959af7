// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Images of a sequence as a model reads them. Plain values: who decodes pictures fills them.
#include "core/base/run_context.h"
#include "core/inputs/image.h"
#include "core/inputs/image_preprocess.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tamis::reuse {

/// Where a window lies in a picture that is larger than the model's image, in patches.
struct Place {
    std::int64_t row = 0, column = 0;
    bool operator==(const Place&) const = default;
};

struct Frame {
    std::string file;
    std::vector<float> image;   ///< [3, height, width], normalised
    std::optional<Place> place; ///< of a window of a larger picture
};

struct FrameSequence {
    std::string name;
    inputs::ImagePreprocess preprocess; ///< that made the images: grey levels are had back by it
    std::vector<Frame> frames;
    inputs::Image picture; ///< the first frame as its file holds it; no pixels: not kept
};

/// Most frames of a sequence.
inline constexpr std::size_t kMaximumFrames = 100'000;
/// Most bytes that the images of a sequence take.
inline constexpr std::size_t kMaximumSequenceBytes = std::size_t{4} << 30;

/// Rec. 601 grey levels, 0 .. 255 for what a picture held, [height, width], of a normalised image; 0 where that is no finite number.
tensor::Matrix<float> greyOf(std::span<const float> image, const inputs::ImagePreprocess& preprocess);

/// Throws Error{InvalidParameter (fewer than two frames, an image of another size than the preprocessing says), LimitExceeded, NonFinite (with its file),
/// Cancelled}.
void checkSequence(const FrameSequence& sequence, const RunContext& context = {});

} // namespace tamis::reuse

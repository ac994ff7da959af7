// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// From a picture to what an image model reads: resize, crop, scale, normalise, as timm's evaluation transform and the image
// processors of transformers do for a PIL picture. The settings come from the model: image_preprocess_config.h.
// References: timm 0.9 data/transforms_factory.py and transforms.py, torchvision 0.15 transforms/functional.py,
// transformers 4.30 image_transforms.py.
#include "core/inputs/image.h"
#include "core/inputs/resize.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tamis::inputs {

/// How the picture is resized before the crop.
enum class ResizeRule {
    None,         ///< not at all
    Squash,       ///< straight to resizeWidth x resizeHeight
    ShortestSide, ///< shortest side to resizeHeight (= resizeWidth), the other to int(side * long / short)
    Cover,        ///< the proportions kept, as small as covers resizeWidth x resizeHeight, sides rounded half to even
    Contain       ///< the proportions kept, as large as fits into resizeWidth x resizeHeight, sides rounded half to even
};

/// Where a centred crop, or the picture in a larger frame, lies when the margins are odd.
enum class Centring {
    Torchvision, ///< crop: half to even; frame: the smaller margin left and above
    Transformers ///< crop: the smaller margin left and above; frame: the larger
};

struct ImagePreprocess {
    std::int64_t height = 224, width = 224; ///< of the result
    ResizeRule rule = ResizeRule::ShortestSide;
    std::int64_t resizeHeight = 224, resizeWidth = 224; ///< what the rule aims at
    Interpolation interpolation = Interpolation::Bicubic;
    bool crop = true; ///< to height x width at the centre; without it the resized picture must have that size
    Centring centring = Centring::Torchvision;
    std::array<std::uint8_t, 3> fill{};   ///< colour of the frame where the picture is smaller than the crop
    double rescaleFactor = 1.0 / 255.0;   ///< of the bytes, before normalising
    std::array<float, 3> mean{};          ///< subtracted
    std::array<float, 3> std{1, 1, 1};    ///< divided by
    std::string origin;                   ///< where the settings come from, for people

    std::size_t values() const noexcept { return static_cast<std::size_t>(3 * height * width); } ///< of the result
    bool operator==(const ImagePreprocess&) const = default;
};

/// The same settings with the resize rule replaced by "straight to the model's size": nothing of the picture is cut off, its
/// proportions change.
ImagePreprocess squashed(ImagePreprocess settings);

/// One line for people: "shortest side to 73, bicubic, the centre 64 x 64, from config.json, pretrained_cfg".
std::string summaryOf(const ImagePreprocess& settings);

/// Throws Error{InvalidParameter} for sizes, factors or deviations that cannot be used; `subject` names the model.
void checkImagePreprocess(const ImagePreprocess& settings, const std::string& subject);

/// Resize and crop: the height x width picture that the model looks at, for display and for preprocess().
/// Throws Error{InvalidParameter} (the picture has another size and the settings neither resize nor crop), and as resized().
Image croppedForModel(const Image& image, const ImagePreprocess& settings);

/// `chw`: [3, height, width] floats, (byte * rescaleFactor - mean) / std in float arithmetic. Runs on one thread; call it for
/// several pictures at once. Throws as croppedForModel(), and Error{InvalidParameter} when chw.size() != settings.values().
void preprocess(const Image& image, const ImagePreprocess& settings, std::span<float> chw);

} // namespace tamis::inputs

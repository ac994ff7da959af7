// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/image_preprocess.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace tamis::inputs {
namespace {

/// Python's round(x / 2.0) for a whole number x >= 0: halves go to the even neighbour.
std::int64_t halfToEven(std::int64_t x)
{
    const std::int64_t below = x / 2;
    return x % 2 != 0 && below % 2 != 0 ? below + 1 : below;
}

/// Python's round(x): halves go to the even neighbour, whatever the rounding mode of the thread.
std::int64_t roundHalfToEven(double x)
{
    const double below = std::floor(x), part = x - below;
    const bool up = part > 0.5 || (part == 0.5 && std::fmod(below, 2.0) != 0.0);
    return static_cast<std::int64_t>(below) + (up ? 1 : 0);
}

/// Width and height after the resize.
std::pair<std::int64_t, std::int64_t> resizedSides(const Image& image, const ImagePreprocess& settings)
{
    const auto width = static_cast<double>(image.width), height = static_cast<double>(image.height);
    switch (settings.rule) {
    case ResizeRule::None:
        return {image.width, image.height};
    case ResizeRule::Squash:
        return {settings.resizeWidth, settings.resizeHeight};
    case ResizeRule::ShortestSide: {
        const std::int64_t side = settings.resizeHeight;
        const auto other = [side](std::int64_t longer, std::int64_t shorter) {
            return static_cast<std::int64_t>(static_cast<double>(side * longer) / static_cast<double>(shorter));
        };
        return image.width <= image.height ? std::pair{side, other(image.height, image.width)} : std::pair{other(image.width, image.height), side};
    }
    case ResizeRule::Cover:
    case ResizeRule::Contain: {
        const double byHeight = height / static_cast<double>(settings.resizeHeight), byWidth = width / static_cast<double>(settings.resizeWidth);
        const double ratio = settings.rule == ResizeRule::Cover ? std::min(byHeight, byWidth) : std::max(byHeight, byWidth);
        return {std::max<std::int64_t>(1, roundHalfToEven(width / ratio)), std::max<std::int64_t>(1, roundHalfToEven(height / ratio))};
    }
    }
    return {image.width, image.height};
}

/// First element of the centred window of `window` elements in a line of `line`; negative where the window is larger.
std::int64_t windowStart(std::int64_t line, std::int64_t window, Centring centring)
{
    const std::int64_t margin = line - window;
    if (centring == Centring::Torchvision)
        return margin >= 0 ? halfToEven(margin) : -(-margin / 2);
    return margin >= 0 ? margin / 2 : -((1 - margin) / 2);
}

/// The centred part of `image`, with a frame of the fill colour where it is smaller.
Image centreCrop(const Image& image, const ImagePreprocess& settings)
{
    Image result = blankImage(settings.width, settings.height);
    const std::int64_t left = windowStart(image.width, settings.width, settings.centring);
    const std::int64_t top = windowStart(image.height, settings.height, settings.centring);
    const bool framed = left < 0 || top < 0;
    if (framed && settings.fill != std::array<std::uint8_t, 3>{})
        for (std::size_t i = 0; i < result.rgb.size(); ++i)
            result.rgb[i] = settings.fill[i % 3];
    const std::int64_t firstRow = std::max<std::int64_t>(top, 0), lastRow = std::min(image.height, top + settings.height);
    const std::int64_t firstColumn = std::max<std::int64_t>(left, 0), lastColumn = std::min(image.width, left + settings.width);
    for (std::int64_t y = firstRow; y < lastRow; ++y)
        std::memcpy(result.row(y - top) + (firstColumn - left) * 3, image.row(y) + firstColumn * 3,
                    static_cast<std::size_t>((lastColumn - firstColumn) * 3));
    return result;
}

std::string sidesText(std::int64_t width, std::int64_t height) { return std::to_string(width) + " x " + std::to_string(height); }

} // namespace

ImagePreprocess squashed(ImagePreprocess settings)
{
    settings.rule = ResizeRule::Squash;
    settings.resizeHeight = settings.height;
    settings.resizeWidth = settings.width;
    settings.crop = false;
    return settings;
}

std::string summaryOf(const ImagePreprocess& settings)
{
    const std::string target = sidesText(settings.resizeWidth, settings.resizeHeight);
    std::string text;
    switch (settings.rule) {
    case ResizeRule::None: text = "not resized"; break;
    case ResizeRule::Squash: text = "straight to " + target; break;
    case ResizeRule::ShortestSide: text = "shortest side to " + std::to_string(settings.resizeHeight); break;
    case ResizeRule::Cover: text = "as small as covers " + target; break;
    case ResizeRule::Contain: text = "as large as fits " + target; break;
    }
    if (settings.rule != ResizeRule::None)
        text += ", " + std::string(interpolationName(settings.interpolation));
    const bool cuts = settings.crop && !(settings.rule == ResizeRule::Squash && settings.resizeWidth == settings.width && settings.resizeHeight == settings.height);
    if (cuts)
        text += ", the centre " + sidesText(settings.width, settings.height);
    return settings.origin.empty() ? text : text + ", from " + settings.origin;
}

void checkImagePreprocess(const ImagePreprocess& settings, const std::string& subject)
{
    checkImageSides(settings.width, settings.height, subject);
    if (settings.rule != ResizeRule::None)
        checkImageSides(settings.resizeWidth, settings.resizeHeight, subject);
    if (settings.rule == ResizeRule::ShortestSide && settings.resizeWidth != settings.resizeHeight)
        throw Error(ErrorCode::InvalidParameter,
                    "resizes the shortest side to " + sidesText(settings.resizeWidth, settings.resizeHeight) + ", expected one number", subject);
    // grey levels are had back by its reciprocal in float arithmetic
    if (!std::isfinite(settings.rescaleFactor) || !(static_cast<float>(settings.rescaleFactor) >= std::numeric_limits<float>::min()))
        throw Error(ErrorCode::InvalidParameter, "the rescale factor is " + std::to_string(settings.rescaleFactor) + ", expected a finite number over 0", subject);
    for (std::size_t channel = 0; channel < 3; ++channel)
        if (!std::isfinite(settings.mean[channel]) || !std::isfinite(settings.std[channel]) || !(settings.std[channel] > 0.0F))
            throw Error(ErrorCode::InvalidParameter, "mean and deviation of channel " + std::to_string(channel) + " are " +
                            std::to_string(settings.mean[channel]) + " and " + std::to_string(settings.std[channel]) +
                            ", expected finite numbers and a deviation over 0", subject);
}

Image croppedForModel(const Image& image, const ImagePreprocess& settings)
{
    checkImage(image);
    checkImagePreprocess(settings, "image settings");
    const auto [width, height] = resizedSides(image, settings);
    const bool resizes = width != image.width || height != image.height;
    if (!settings.crop && (width != settings.width || height != settings.height))
        throw Error(ErrorCode::InvalidParameter,
                    "has " + sidesText(width, height) + " pixels" + (resizes ? " after its resize" : "") + ", expected " +
                        sidesText(settings.width, settings.height) + ": the model's settings do not crop",
                    "picture");
    if (!settings.crop || (width == settings.width && height == settings.height))
        return resizes ? resized(image, width, height, settings.interpolation) : image;
    return resizes ? centreCrop(resized(image, width, height, settings.interpolation), settings) : centreCrop(image, settings);
}

void preprocess(const Image& image, const ImagePreprocess& settings, std::span<float> chw)
{
    const Image cropped = croppedForModel(image, settings);
    if (chw.size() != settings.values())
        throw Error(ErrorCode::InvalidParameter,
                    "room for " + std::to_string(chw.size()) + " values was given, expected 3 x " + sidesText(settings.height, settings.width), "picture");
    const std::size_t pixels = chw.size() / 3;
    for (std::size_t channel = 0; channel < 3; ++channel) {
        std::array<float, 256> values; // of every byte
        for (std::size_t byte = 0; byte < values.size(); ++byte) {
            const auto scaled = static_cast<float>(static_cast<double>(byte) * settings.rescaleFactor);
            values[byte] = (scaled - settings.mean[channel]) / settings.std[channel];
        }
        const std::uint8_t* source = cropped.rgb.data() + channel;
        float* target = chw.data() + channel * pixels;
        for (std::size_t i = 0; i < pixels; ++i)
            target[i] = values[source[i * 3]];
    }
}

} // namespace tamis::inputs

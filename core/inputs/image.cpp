// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/image.h"

#include "core/base/error.h"

namespace tamis::inputs {

void checkImageSides(std::int64_t width, std::int64_t height, const std::string& subject)
{
    const std::string sides = std::to_string(width) + " x " + std::to_string(height) + " pixels";
    if (width < 1 || height < 1)
        throw Error(ErrorCode::InvalidParameter, "has " + sides + ", expected at least 1 x 1", subject);
    if (width > kMaximumImageSide || height > kMaximumImageSide || width * height > kMaximumImagePixels)
        throw Error(ErrorCode::LimitExceeded,
                    "has " + sides + ", expected at most " + std::to_string(kMaximumImageSide) + " a side and " +
                        std::to_string(kMaximumImagePixels) + " in all",
                    subject);
}

Image blankImage(std::int64_t width, std::int64_t height, const std::string& subject)
{
    checkImageSides(width, height, subject);
    return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3))};
}

void checkImage(const Image& image, const std::string& subject)
{
    checkImageSides(image.width, image.height, subject);
    if (image.rgb.size() != static_cast<std::size_t>(image.width * image.height * 3))
        throw Error(ErrorCode::InvalidParameter,
                    "holds " + std::to_string(image.rgb.size()) + " bytes, expected 3 for each of " + std::to_string(image.width) + " x " +
                        std::to_string(image.height) + " pixels",
                    subject);
}

} // namespace tamis::inputs

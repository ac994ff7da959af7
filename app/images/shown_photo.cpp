// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/images/shown_photo.h"

#include <algorithm>
#include <cstdint>

namespace tamis::app {
namespace {
constexpr std::int64_t kPhotoSide = 512; ///< pixels, about
}

QImage toImage(const inputs::Image& picture)
{
    return QImage(picture.rgb.data(), static_cast<int>(picture.width), static_cast<int>(picture.height), static_cast<int>(3 * picture.width), QImage::Format_RGB888).copy();
}

QImage shownPhoto(const inputs::Image& image, inputs::ImagePreprocess settings)
{
    const std::int64_t factor = settings.rule == inputs::ResizeRule::None ? 1 : std::max<std::int64_t>(1, kPhotoSide / std::max<std::int64_t>(settings.height, 1));
    for (std::int64_t* side : {&settings.height, &settings.width, &settings.resizeHeight, &settings.resizeWidth})
        *side *= factor;
    return toImage(inputs::croppedForModel(image, settings));
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A photo as people are shown what a model sees of it.
#include "core/inputs/image.h"
#include "core/inputs/image_preprocess.h"

#include <QImage>

namespace tamis::app {

/// A copy.
QImage toImage(const inputs::Image& picture);
/// The part of the photo that the model sees, at a multiple of its resolution, about 512 pixels high. Any thread.
QImage shownPhoto(const inputs::Image& image, inputs::ImagePreprocess settings);

} // namespace tamis::app

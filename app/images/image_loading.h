// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Picture files, decoded by Qt's image plugins (JPEG, PNG, BMP, GIF, PPM ... as installed; pictures that are drawn from a
// description, such as SVG, are left out). Usable from any thread; needs no QGuiApplication.
#include "core/inputs/image.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::app {

struct ImageLimits {
    std::int64_t fileBytes = std::int64_t{512} << 20;
    std::int64_t pixels = 100'000'000;
};

/// The picture upright (the EXIF orientation is applied) as RGB bytes, as PIL's convert("RGB") makes them: alpha is dropped, not
/// blended; palettes are looked up; grey is repeated; of 16-bit channels the high byte is kept. The first frame of an animation.
/// Throws Error{IoFailure, MalformedFile, UnsupportedFeature, LimitExceeded} with one sentence naming the file.
inputs::Image loadImage(const std::filesystem::path& file, const ImageLimits& limits = {});

/// Whether the name ends as that of a picture that loadImage() may read.
bool isImageName(const std::filesystem::path& file);

/// The pictures of a directory, by name alone, in natural order of their paths relative to it ("a2.jpg" before "a10.jpg").
/// Hidden files and directories are left out, links to directories are not followed. `directory` may be one file: then that.
/// Throws Error{IoFailure}, and Error{LimitExceeded} beyond `limit` pictures.
std::vector<std::filesystem::path> listImages(const std::filesystem::path& directory, bool recursive = false, std::size_t limit = 1'000'000);

} // namespace tamis::app

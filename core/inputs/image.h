// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::inputs {

/// A picture in memory: `height` rows of `width` pixels, each three bytes R, G, B, without padding.
struct Image {
    std::int64_t width = 0;
    std::int64_t height = 0;
    std::vector<std::uint8_t> rgb; ///< width * height * 3 bytes

    const std::uint8_t* row(std::int64_t y) const noexcept { return rgb.data() + y * width * 3; }
    std::uint8_t* row(std::int64_t y) noexcept { return rgb.data() + y * width * 3; }
    bool operator==(const Image&) const = default;
};

inline constexpr std::int64_t kMaximumImageSide = 65'535;         ///< of a picture read or made
inline constexpr std::int64_t kMaximumImagePixels = 178'956'970;  ///< 512 MiB of RGB

/// Throws Error{InvalidParameter} for a side below 1, Error{LimitExceeded} beyond the two limits above; `subject` names the
/// picture in the error.
void checkImageSides(std::int64_t width, std::int64_t height, const std::string& subject);

/// A black picture. Throws as checkImageSides().
Image blankImage(std::int64_t width, std::int64_t height, const std::string& subject = "picture");

/// Throws Error{InvalidParameter} when the sides and the number of bytes contradict each other, or as checkImageSides().
void checkImage(const Image& image, const std::string& subject = "picture");

} // namespace tamis::inputs

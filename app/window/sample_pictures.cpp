// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/sample_pictures.h"

#include "app/images/image_loading.h"
#include "core/base/error.h"

#include <algorithm>
#include <system_error>

namespace tamis::app {
namespace fs = std::filesystem;
namespace {
constexpr std::int64_t kPhotoSide = 384; ///< pixels, about
} // namespace

QImage photoAsRead(const fs::path& file, inputs::ImagePreprocess settings)
{
    const std::int64_t factor = settings.rule == inputs::ResizeRule::None ? 1 : std::max<std::int64_t>(1, kPhotoSide / std::max<std::int64_t>(settings.height, 1));
    for (std::int64_t* side : {&settings.height, &settings.width, &settings.resizeHeight, &settings.resizeWidth})
        *side *= factor;
    const inputs::Image seen = inputs::croppedForModel(loadImage(file), settings);
    return QImage(seen.rgb.data(), static_cast<int>(seen.width), static_cast<int>(seen.height), static_cast<int>(3 * seen.width), QImage::Format_RGB888).copy();
}

std::shared_ptr<const inputs::Tokenizer> tokenizerBeside(const fs::path& model)
{
    std::error_code error;
    const fs::path folder = fs::is_directory(model, error) ? model : model.parent_path();
    if (!fs::is_regular_file(folder / "tokenizer.json", error))
        return nullptr;
    try {
        return inputs::Tokenizer::read(folder);
    } catch (const Error&) {
        return nullptr; // numbers stand for the words
    }
}

} // namespace tamis::app

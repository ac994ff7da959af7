// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Samples as people see them beside what a model makes of them. Runs on workers, never on the window's thread.
#include "core/inputs/image_preprocess.h"
#include "core/inputs/tokenizer.h"

#include <QImage>

#include <filesystem>
#include <memory>

namespace tamis::app {

/// The part of the photo that the model reads, at a multiple of its resolution: some 384 pixels high. Throws what decoding throws.
QImage photoAsRead(const std::filesystem::path& file, inputs::ImagePreprocess settings);

/// tokenizer.json beside the model's weights; null where there is none or it cannot be read.
std::shared_ptr<const inputs::Tokenizer> tokenizerBeside(const std::filesystem::path& model);

} // namespace tamis::app

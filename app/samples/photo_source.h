// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/inputs/image_preprocess.h"
#include "core/measure/sample_source.h"

#include <filesystem>
#include <memory>

namespace tamis::app {

struct PhotoRequest {
    std::filesystem::path folder; ///< searched with its subfolders; or one picture
    std::filesystem::path labels; ///< TSV of file<TAB>class index, relative to the folder: those photos, in that order; empty: all
    bool squash = false;          ///< resize straight to the model's size instead of as its files say
};

/// Photos as `model` (whose files are at `modelPath`) reads them. Throws Error{InvalidParameter (an empty folder, a label of a
/// photo that is not there, settings of another image size than the model's, a model that reads no images), UnsupportedFeature
/// (a build without image plugins)}, and what reading labels and settings throws. load() throws what decoding throws.
std::unique_ptr<measure::SampleSource> openPhotos(const PhotoRequest& request, const std::filesystem::path& modelPath, const nn::Model& model,
                                                  const RunContext& context);

/// How `model` (whose files are at `modelPath`) reads a picture. Throws as openPhotos().
inputs::ImagePreprocess photoSettings(bool squash, const std::filesystem::path& modelPath, const nn::Model& model);

} // namespace tamis::app

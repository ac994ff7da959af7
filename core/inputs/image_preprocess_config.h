// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Image settings out of a model's files. docs/inputs.md lists the keys.
#include "core/inputs/image_preprocess.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace tamis::inputs {

/// preprocessor_config.json of transformers: the processors of ViT, DeiT, CLIP, BEiT, ConvNeXT, SigLIP, BiT and BLIP under their
/// present and former names, or none, each with the defaults of its class. Throws Error{MalformedFile, LimitExceeded} for
/// values that cannot be used, Error{UnsupportedFeature} for a processor of another kind.
ImagePreprocess parsePreprocessorConfig(std::string_view json, const std::string& subject);

/// config.json of timm: `pretrained_cfg` or `default_cfg`, or the same keys at the top; timm's defaults for what is absent.
/// A config.json of transformers, or a plain one: the model's `image_size` with the defaults of the image processor that
/// belongs to its `model_type` (`origin` says so). Throws as above, and Error{MalformedFile} when no image size is stated.
ImagePreprocess parseModelImageConfig(std::string_view json, const std::string& subject);

/// Of a model's directory, or of the directory of a weight file: preprocessor_config.json, else config.json.
/// Throws as above, and Error{IoFailure} when there is neither.
ImagePreprocess readImagePreprocess(const std::filesystem::path& model);

} // namespace tamis::inputs

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the readers of vision transformers share.
#include "core/nn/architecture.h"

namespace tamis::nn {

/// [height, width] of a size, of [height, width] or of [channels, height, width]. Throws Error{MalformedFile} naming `what` for anything else.
std::vector<std::int64_t> sizePair(std::vector<std::int64_t> values, const char* what);

/// Patch and image sizes; the grid follows the image that the model is fed, the table the one it was trained on. Throws Error{LimitExceeded} for
/// sizes that no model has, Error{InvalidParameter} for an image that is not whole patches.
void setPatches(ModelSpec& spec, const std::vector<std::int64_t>& image, const std::vector<std::int64_t>& patch, ImageSize size);

/// Where the table of `rows` positions does not have the grid that the config's image size gives, it is taken as square. Throws Error{MalformedFile}.
void fitTable(ModelSpec& spec, std::int64_t rows);

/// A pre-norm block with one key-value head a head. Throws Error{MalformedFile} for heads that do not divide the width.
BlockSpec plainBlock(const ModelSpec& spec, std::int64_t heads, std::int64_t hidden, kernels::Activation activation, const NormSpec& norm);

} // namespace tamis::nn

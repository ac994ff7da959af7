// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/vit_parts.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>

namespace tamis::nn {

std::vector<std::int64_t> sizePair(std::vector<std::int64_t> values, const char* what)
{
    if (values.size() == 1)
        values.push_back(values[0]);
    if (values.size() == 3) // channels, height, width
        values.erase(values.begin());
    if (values.size() != 2 || values[0] < 1 || values[1] < 1)
        throw Error(ErrorCode::MalformedFile, std::string("has no usable ") + what + ", expected a size or [height, width]", "config.json");
    return values;
}

void setPatches(ModelSpec& spec, const std::vector<std::int64_t>& image, const std::vector<std::int64_t>& patch, ImageSize size)
{
    PatchSpec& p = spec.patch;
    if (std::max({patch[0], patch[1], p.channels}) > 4096 || std::max({image[0], image[1], size.height, size.width}) > 65536 || p.registerTokens > 4096)
        throw Error(ErrorCode::LimitExceeded, "has patches or channels over 4096, images over 65536, or over 4096 register tokens", "config.json");
    p.patchHeight = patch[0];
    p.patchWidth = patch[1];
    p.tableHeight = image[0] / patch[0];
    p.tableWidth = image[1] / patch[1];
    p.imageHeight = size.height > 0 ? size.height : image[0];
    p.imageWidth = size.width > 0 ? size.width : image[1];
    p.gridHeight = p.imageHeight / patch[0];
    p.gridWidth = p.imageWidth / patch[1];
    if (p.gridHeight < 1 || p.gridWidth < 1 || p.imageHeight % patch[0] != 0 || p.imageWidth % patch[1] != 0)
        throw Error(ErrorCode::InvalidParameter, "an image of " + std::to_string(p.imageHeight) + " x " + std::to_string(p.imageWidth) +
                                                     " is not whole patches of " + std::to_string(patch[0]) + " x " + std::to_string(patch[1]));
    if (p.gridHeight * p.gridWidth > (1 << 20))
        throw Error(ErrorCode::LimitExceeded, "gives " + std::to_string(p.gridHeight * p.gridWidth) + " patches, expected at most 1048576", "config.json");
}

void fitTable(ModelSpec& spec, std::int64_t rows)
{
    PatchSpec& p = spec.patch;
    const std::int64_t prefix = p.positionsOnPrefix ? p.prefixTokens : 0;
    if (rows - prefix == p.tableHeight * p.tableWidth)
        return;
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(std::max<std::int64_t>(rows - prefix, 0)))));
    if (side < 1 || side * side != rows - prefix)
        throw Error(ErrorCode::MalformedFile, "the position table has " + std::to_string(rows) + " rows, expected " +
                                                  std::to_string(prefix + p.tableHeight * p.tableWidth) + " or a square number of patches and " +
                                                  std::to_string(prefix) + " tokens");
    p.tableHeight = p.tableWidth = side;
}

BlockSpec plainBlock(const ModelSpec& spec, std::int64_t heads, std::int64_t hidden, kernels::Activation activation, const NormSpec& norm)
{
    BlockSpec block;
    block.width = spec.width;
    if (heads < 1 || spec.width % heads != 0)
        throw Error(ErrorCode::MalformedFile, "a width of " + std::to_string(spec.width) + " is not a multiple of " + std::to_string(heads) + " heads", "config.json");
    block.attention.heads = block.attention.keyValueHeads = heads;
    block.attention.headDim = spec.width / heads;
    block.attention.scale = 1.0f / std::sqrt(static_cast<float>(block.attention.headDim));
    block.mlp.hidden = hidden;
    block.mlp.activation = activation;
    block.mlp.bias = true;
    block.norm = norm;
    return block;
}

} // namespace tamis::nn

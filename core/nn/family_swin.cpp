// SPDX-License-Identifier: GPL-3.0-or-later
// Swin Transformers: timm's names with the merge at the end of a stage (before 0.9) or at the start of the next, and
// Hugging Face's.
#include "core/base/error.h"
#include "core/nn/architecture.h"

#include <algorithm>
#include <cmath>

namespace tamis::nn {

namespace {
std::string stagePrefix(bool hf, std::size_t stage)
{
    return (hf ? "encoder.layers." : "layers.") + std::to_string(stage) + ".";
}

BlockNames blockNames(bool hf, const std::string& p)
{
    BlockNames n;
    n.attentionNorm = p + (hf ? "layernorm_before" : "norm1");
    n.mlpNorm = p + (hf ? "layernorm_after" : "norm2");
    if (hf) {
        n.query = p + "attention.self.query";
        n.key = p + "attention.self.key";
        n.value = p + "attention.self.value";
    } else {
        n.qkv = p + "attn.qkv";
    }
    n.output = p + (hf ? "attention.output.dense" : "attn.proj");
    n.biasTable = p + (hf ? "attention.self.relative_position_bias_table" : "attn.relative_position_bias_table");
    n.up = p + (hf ? "intermediate.dense" : "mlp.fc1");
    n.down = p + (hf ? "output.dense" : "mlp.fc2");
    return n;
}

struct Stages {
    std::vector<std::int64_t> depths, heads;
    std::int64_t window;
    std::int64_t hidden; ///< of the first stage
    kernels::Activation activation;
    NormSpec norm;
};

/// A window as large as an axis of the grid holds all of it and does not shift along it. timm decides each axis on its own;
/// Hugging Face shifts neither when one is that small, and does not run a grid smaller than the window.
void setWindow(AttentionSpec& attention, std::int64_t window, bool odd, std::int64_t height, std::int64_t width, bool hf)
{
    if (hf && std::min(height, width) < window)
        throw Error(ErrorCode::UnsupportedFeature, "a stage has a grid of " + std::to_string(height) + " x " + std::to_string(width) + " tokens, smaller than its window of " +
                                                       std::to_string(window) + ", which the library of this checkpoint does not run", "config.json");
    const bool still = hf && std::min(height, width) <= window;
    const auto shiftOf = [&](std::int64_t axis) { return odd && axis > window && !still ? window / 2 : 0; };
    attention.window = std::min(window, height);
    attention.windowAcross = std::min(window, width);
    attention.shift = shiftOf(height);
    attention.shiftAcross = shiftOf(width);
}

void addBlocks(Architecture& a, const Stages& stages, const TensorSource& source, bool hf, const std::string& prefix)
{
    std::int64_t height = a.spec.patch.gridHeight, width = a.spec.patch.gridWidth, features = a.spec.width;
    const bool mergeAtEnd = hf || hasOperator(source, "layers.0.downsample.reduction");
    for (std::size_t stage = 0; stage < stages.depths.size(); ++stage) {
        for (std::int64_t i = 0; i < stages.depths[stage]; ++i) {
            BlockSpec block;
            block.width = features;
            block.gridHeight = height;
            block.gridWidth = width;
            const std::int64_t heads = stages.heads[stage];
            if (heads < 1 || heads > 1024 || features % heads != 0)
                throw Error(ErrorCode::MalformedFile, "a stage of width " + std::to_string(features) + " has " + std::to_string(heads) + " heads, expected a divisor", "config.json");
            block.attention.heads = block.attention.keyValueHeads = heads;
            block.attention.headDim = features / heads;
            block.attention.scale = 1.0f / std::sqrt(static_cast<float>(block.attention.headDim));
            block.attention.fusedQkv = !hf;
            block.attention.shiftBeforePadding = !hf;
            setWindow(block.attention, stages.window, i % 2 == 1, height, width, hf);
            block.mlp.hidden = stages.hidden << stage;
            block.mlp.bias = true;
            block.mlp.activation = stages.activation;
            block.norm = stages.norm;
            BlockNames n = blockNames(hf, prefix + stagePrefix(hf, stage) + "blocks." + std::to_string(i) + ".");
            block.attention.qkvBias = source.has((hf ? n.query : n.qkv) + ".bias");
            block.attention.outputBias = true;
            block.mergeAfter = i + 1 == stages.depths[stage] && stage + 1 < stages.depths.size();
            if (block.mergeAfter) {
                const std::string p = prefix + stagePrefix(hf, mergeAtEnd ? stage : stage + 1) + "downsample.";
                n.mergeNorm = p + "norm";
                n.merge = p + "reduction";
            }
            a.spec.blocks.push_back(block);
            a.names.blocks.push_back(std::move(n));
        }
        height = (height + 1) / 2;
        width = (width + 1) / 2;
        features *= 2;
    }
}

void setImage(PatchSpec& p, const ConfigReader& config, ImageSize size)
{
    std::vector<std::int64_t> image = config.integers({"image_size", "img_size", "model_args.img_size", "pretrained_cfg.input_size"});
    std::vector<std::int64_t> patch = config.integers({"patch_size", "model_args.patch_size"});
    if (image.size() == 3)
        image.erase(image.begin());
    if (image.size() == 1)
        image.push_back(image[0]);
    if (patch.empty())
        patch = {4};
    if (patch.size() == 1)
        patch.push_back(patch[0]);
    if (image.size() != 2 || patch.size() != 2 || patch[0] < 1 || patch[1] < 1)
        throw Error(ErrorCode::MalformedFile, "has no usable image_size and patch_size", "config.json");
    if (std::max({patch[0], patch[1], p.channels}) > 4096 || std::max({image[0], image[1], size.height, size.width}) > 16384)
        throw Error(ErrorCode::LimitExceeded, "has patches or channels over 4096, or images over 16384", "config.json");
    p.patchHeight = patch[0];
    p.patchWidth = patch[1];
    p.imageHeight = size.height > 0 ? size.height : image[0];
    p.imageWidth = size.width > 0 ? size.width : image[1];
    p.gridHeight = p.tableHeight = p.imageHeight / patch[0];
    p.gridWidth = p.tableWidth = p.imageWidth / patch[1];
    if (p.gridHeight < 1 || p.gridWidth < 1 || p.imageHeight % patch[0] != 0 || p.imageWidth % patch[1] != 0)
        throw Error(ErrorCode::InvalidParameter, "an image of " + std::to_string(p.imageHeight) + " x " + std::to_string(p.imageWidth) + " is not whole patches of " +
                                                     std::to_string(patch[0]) + " x " + std::to_string(patch[1]));
}
} // namespace

std::optional<Architecture> readSwin(const ConfigReader& config, const TensorSource& source, ImageSize size)
{
    const bool timm = source.has("layers.0.blocks.0.attn.relative_position_bias_table") && hasOperator(source, "patch_embed.proj");
    std::string prefix = "swin.";
    if (!timm && !source.has(prefix + "encoder.layers.0.blocks.0.attention.self.relative_position_bias_table")) {
        prefix.clear();
        if (!source.has("encoder.layers.0.blocks.0.attention.self.relative_position_bias_table"))
            return std::nullopt;
    }
    if (timm)
        prefix.clear();
    const bool hf = !timm;
    if (source.has("layers.0.blocks.0.attn.logit_scale") || config.text({"model_type"}) == "swinv2")
        throw Error(ErrorCode::UnsupportedFeature, "is a Swin V2 model, which Tamis does not run", source.subject());
    if (config.flag({"use_absolute_embeddings", "ape"}, false))
        throw Error(ErrorCode::UnsupportedFeature, "has absolute position embeddings in a Swin model, which Tamis does not run", source.subject());
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::Swin;
    const auto architectures = config.texts({"architectures"});
    s.architecture = hf && !architectures.empty() ? architectures[0] : config.text({"architecture"});
    s.width = config.required({"embed_dim", "model_args.embed_dim"});
    s.patch.channels = config.integer({"in_chans", "num_channels", "model_args.in_chans"}, 3);
    s.patch.positions = false;
    setImage(s.patch, config, size);
    Stages stages{config.integers({"depths", "model_args.depths"}), config.integers({"num_heads", "model_args.num_heads"}),
                  config.integer({"window_size", "model_args.window_size"}, 7), config.multiple({"mlp_ratio", "model_args.mlp_ratio"}, s.width, 4.0),
                  config.activation({"hidden_act", "act_layer"}, kernels::Activation::Gelu),
                  {NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_eps"}, 1e-5)), true}};
    const bool tooDeep = std::any_of(stages.depths.begin(), stages.depths.end(), [](std::int64_t d) { return d < 1 || d > 1024; });
    if (tooDeep || stages.depths.empty() || stages.depths.size() != stages.heads.size() || stages.depths.size() > 8 || stages.window < 1 || stages.window > 64)
        throw Error(ErrorCode::MalformedFile, "has " + std::to_string(stages.depths.size()) + " depths and " + std::to_string(stages.heads.size()) +
                                                  " num_heads, expected one of each a stage, 1 to 8 stages of 1 to 1024 blocks, and windows of 1 to 64", "config.json");
    const std::string embeddings = hf ? prefix + "embeddings." : "patch_embed.";
    s.patch.norm = source.has(embeddings + "norm.weight");
    s.patch.bias = true;
    addBlocks(a, stages, source, hf, prefix);
    s.preNorm = s.patch.norm ? stages.norm : NormSpec{NormKind::None};
    s.finalNorm = stages.norm;
    s.pool = Pool::Mean;
    a.names.patch = embeddings + (hf ? "patch_embeddings.projection" : "proj");
    a.names.preNorm = embeddings + "norm";
    a.names.finalNorm = hf ? prefix + "layernorm" : "norm";
    a.names.head = hf ? "classifier" : (hasOperator(source, "head.fc") ? "head.fc" : "head");
    s.classes = operatorOutputs(source, a.names.head, hf ? config.entries("id2label") : config.integer({"num_classes"}, 0));
    s.headBias = source.has(a.names.head + ".bias");
    s.task = s.classes > 0 ? Task::ImageClassification : Task::ImageFeatures;
    return a;
}

} // namespace tamis::nn

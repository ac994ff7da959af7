// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/vit_on_tape.h"

#include "core/base/error.h"
#include "core/train/attention_ops.h"
#include "core/train/counter_random.h"
#include "core/train/linear_ops.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/token_ops.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tamis::train {
namespace {
using kernels::Activation;

std::string blockName(std::int64_t index) { return "blocks." + std::to_string(index); }

void requireVit(bool holds, const std::string& message, const std::string& subject)
{
    if (!holds)
        throw Error(ErrorCode::UnsupportedFeature, message, subject);
}

const io::TensorEntry& entry(const io::Checkpoint& checkpoint, const std::string& name, std::size_t rank)
{
    const io::TensorEntry* found = checkpoint.find(name);
    if (!found)
        throw Error(ErrorCode::MalformedFile, "the tensor is missing, expected for a vision transformer with timm's names", checkpoint.path().string() + ": " + name);
    if (found->shape.size() != rank)
        throw Error(ErrorCode::MalformedFile, "found shape " + io::shapeText(found->shape) + ", expected " + std::to_string(rank) + " sides",
                    checkpoint.path().string() + ": " + name);
    return *found;
}

Activation activationNamed(const std::string& name, const std::string& subject)
{
    if (name == "gelu")
        return Activation::Gelu;
    if (name == "gelu_tanh" || name == "gelu_new" || name == "gelu_pytorch_tanh")
        return Activation::GeluTanh;
    if (name == "quick_gelu")
        return Activation::QuickGelu;
    if (name == "relu")
        return Activation::Relu;
    throw Error(ErrorCode::UnsupportedFeature, "hidden_act is \"" + name + "\", expected gelu, gelu_tanh, quick_gelu or relu", subject);
}

/// Height and width of the images: config.json's image_size where it has one that fits, else a square.
void readImageSize(const nlohmann::json& config, std::int64_t patches, VitShape& shape, const std::string& subject)
{
    const auto key = config.find("image_size") != config.end() ? config.find("image_size") : config.find("img_size");
    const auto whole = [](const nlohmann::json& value) { return value.is_number_integer() ? value.get<std::int64_t>() : 0; };
    if (key != config.end() && key->is_array() && key->size() == 2) {
        shape.imageHeight = whole((*key)[0]);
        shape.imageWidth = whole((*key)[1]);
    } else if (key != config.end() && whole(*key) > 0) {
        shape.imageHeight = shape.imageWidth = whole(*key);
    } else {
        const auto root = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(patches))));
        shape.imageHeight = shape.imageWidth = root * shape.patch;
    }
    constexpr std::int64_t kSide = 1 << 16;
    requireVit(shape.imageHeight > 0 && shape.imageWidth > 0 && shape.imageHeight <= kSide && shape.imageWidth <= kSide &&
                   shape.imageHeight % shape.patch == 0 && shape.imageWidth % shape.patch == 0 && shape.patches() == patches,
               "the position table has " + std::to_string(patches) + " patches, which image_size and the patch size do not give", subject);
}

VitShape readShape(const io::Checkpoint& checkpoint)
{
    const std::string subject = checkpoint.path().string();
    const auto config = nlohmann::json::parse(checkpoint.config().rawJson);
    VitShape shape;
    const auto& patch = entry(checkpoint, "patch_embed.proj.weight", 4).shape;
    const auto& positions = entry(checkpoint, "pos_embed", 3).shape;
    (void)entry(checkpoint, "cls_token", 3);
    requireVit(patch[2] == patch[3], "the patches are " + std::to_string(patch[2]) + " x " + std::to_string(patch[3]) + ", expected squares", subject);
    shape.width = patch[0];
    shape.channels = patch[1];
    shape.patch = patch[2];
    shape.hidden = entry(checkpoint, "blocks.0.mlp.fc1.weight", 2).shape[0];
    shape.classes = entry(checkpoint, "head.weight", 2).shape[0];
    shape.depth = 0;
    while (checkpoint.find(blockName(shape.depth) + ".norm1.weight"))
        ++shape.depth;
    const auto number = [&](const char* key) { return config.contains(key) && config[key].is_number() ? config[key].get<double>() : 0.0; };
    shape.heads = checkpoint.config().heads.value_or(static_cast<std::int64_t>(number("num_heads")));
    requireVit(shape.width > 0 && shape.patch > 0 && shape.heads > 0 && shape.width % shape.heads == 0,
               "config.json names " + std::to_string(shape.heads) + " heads for a width of " + std::to_string(shape.width) + ", expected a divisor", subject);
    if (number("layer_norm_eps") > 0)
        shape.epsilon = number("layer_norm_eps");
    if (config.contains("hidden_act") && config["hidden_act"].is_string())
        shape.activation = activationNamed(config["hidden_act"].get<std::string>(), subject);
    if (config.contains("global_pool") && config["global_pool"].is_string())
        requireVit(config["global_pool"] == "token", "global_pool is \"" + config["global_pool"].get<std::string>() + "\", expected token", subject);
    for (const char* other : {"dist_token", "norm_pre.weight", "fc_norm.weight", "reg_token", "blocks.0.attn.q_norm.weight"})
        requireVit(!checkpoint.find(other), std::string("the checkpoint has ") + other + ", which cannot be trained yet", subject);
    readImageSize(config, positions[1] - 1, shape, subject);
    return shape;
}

/// Normal, cut at two deviations, by position: inverse transform sampling with bisection-free rejection over attempts.
double cutNormal(std::uint64_t seed, std::uint64_t position)
{
    for (std::uint64_t attempt = 0;; ++attempt) {
        const double u = uniformAt(seed, (position * 64 + attempt) * 2), v = uniformAt(seed, (position * 64 + attempt) * 2 + 1);
        const double value = std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * v); // Box, Muller
        if (std::abs(value) < 2)
            return value;
    }
}
} // namespace

template <class T> VitOnTape<T>::VitOnTape(const VitShape& shape) : m_shape(shape) {}

template <class T> void VitOnTape<T>::declare()
{
    const std::int64_t d = m_shape.width;
    const auto linearNamed = [&](const std::string& name, std::int64_t out, std::int64_t in) {
        m_parameters.add(name + ".weight", {out, in});
        m_parameters.add(name + ".bias", {out}, {}, false);
    };
    const auto normNamed = [&](const std::string& name) {
        m_parameters.add(name + ".weight", {d}, {}, false);
        m_parameters.add(name + ".bias", {d}, {}, false);
    };
    m_parameters.add("cls_token", {1, 1, d}, {}, false);
    m_parameters.add("pos_embed", {1, m_shape.tokens(), d}, {}, false);
    m_parameters.add("patch_embed.proj.weight", {d, m_shape.channels, m_shape.patch, m_shape.patch});
    m_parameters.add("patch_embed.proj.bias", {d}, {}, false);
    for (std::int64_t b = 0; b < m_shape.depth; ++b) {
        const std::string name = blockName(b);
        normNamed(name + ".norm1");
        linearNamed(name + ".attn.qkv", 3 * d, d);
        linearNamed(name + ".attn.proj", d, d);
        normNamed(name + ".norm2");
        linearNamed(name + ".mlp.fc1", m_shape.hidden, d);
        linearNamed(name + ".mlp.fc2", d, m_shape.hidden);
        if (m_layerScale) {
            m_parameters.add(name + ".ls1.gamma", {d}, {}, false);
            m_parameters.add(name + ".ls2.gamma", {d}, {}, false);
        }
    }
    normNamed("norm");
    linearNamed("head", m_shape.classes, d);
}

template <class T> VitOnTape<T> VitOnTape<T>::load(const io::Checkpoint& checkpoint, const RunContext& context)
{
    VitOnTape model(readShape(checkpoint));
    model.m_layerScale = checkpoint.find("blocks.0.ls1.gamma") != nullptr;
    model.declare();
    for (Parameter<T>& parameter : model.m_parameters.all()) {
        context.throwIfStopped();
        const io::TensorEntry& source = entry(checkpoint, parameter.name, parameter.shape.size());
        if (source.shape != parameter.shape)
            throw Error(ErrorCode::MalformedFile, "found shape " + io::shapeText(source.shape) + ", expected " + io::shapeText(parameter.shape),
                        checkpoint.path().string() + ": " + parameter.name);
        const std::vector<float> values = checkpoint.readFloats(source);
        std::ranges::copy(values, parameter.values.data());
    }
    return model;
}

template <class T> VitOnTape<T> VitOnTape<T>::initialised(const VitShape& shape, std::uint64_t seed)
{
    require(shape.channels > 0 && shape.patch > 0 && shape.imageHeight >= shape.patch && shape.imageWidth >= shape.patch &&
                shape.imageHeight % shape.patch == 0 && shape.imageWidth % shape.patch == 0,
            "vit", "the image's sides must be multiples of the patch");
    require(shape.width > 0 && shape.depth > 0 && shape.heads > 0 && shape.width % shape.heads == 0 && shape.hidden > 0 && shape.classes > 0, "vit",
            "width, depth, hidden features and classes must be positive, and the width a multiple of the heads");
    VitOnTape model(shape);
    model.declare();
    std::uint64_t index = 0;
    for (Parameter<T>& parameter : model.m_parameters.all()) {
        ++index;
        const bool isNorm = parameter.name.find("norm") != std::string::npos && parameter.name.ends_with(".weight");
        for (std::size_t i = 0; i < parameter.values.size(); ++i) {
            const bool drawn = parameter.shape.size() > 1;
            parameter.values.values()[i] = drawn ? static_cast<T>(0.02 * cutNormal(seed + index * 0x9E3779B97F4A7C15ULL, i)) : isNorm ? T{1} : T{0};
        }
    }
    return model;
}

template <class T> void VitOnTape<T>::cutPatches(std::span<const float> image, T* rows) const
{
    if (static_cast<std::int64_t>(image.size()) != m_shape.imageValues())
        throw Error(ErrorCode::InvalidParameter,
                    "an image of " + std::to_string(image.size()) + " values was given, expected " + std::to_string(m_shape.channels) + " x " +
                        std::to_string(m_shape.imageHeight) + " x " + std::to_string(m_shape.imageWidth),
                    "image");
    const std::int64_t p = m_shape.patch, height = m_shape.imageHeight, width = m_shape.imageWidth;
    T* out = rows;
    for (std::int64_t top = 0; top < height; top += p)
        for (std::int64_t left = 0; left < width; left += p)
            for (std::int64_t c = 0; c < m_shape.channels; ++c)
                for (std::int64_t y = 0; y < p; ++y)
                    for (std::int64_t x = 0; x < p; ++x)
                        *out++ = static_cast<T>(image[static_cast<std::size_t>((c * height + top + y) * width + left + x)]);
}

template <class T> Variable<T> VitOnTape<T>::named(Tape<T>& tape, const std::string& name)
{
    Parameter<T>* parameter = m_parameters.find(name);
    return parameter ? tape.parameter(*parameter) : Variable<T>{};
}

template <class T> Variable<T> VitOnTape<T>::norm(Tape<T>& tape, const std::string& name, Variable<T> x)
{
    return layerNorm(x, named(tape, name + ".weight"), named(tape, name + ".bias"), m_shape.epsilon);
}

template <class T>
Variable<T> VitOnTape<T>::layer(Tape<T>& tape, const std::string& name, Variable<T> x, Variable<T> base, Activation kind, const ObserveLinear<T>& observe)
{
    const Variable<T> weight = named(tape, name + ".weight"), bias = named(tape, name + ".bias");
    if (!observe)
        return base ? linearResidual(x, weight, bias, base) : linear(x, weight, bias, kind);
    Variable<T> y = linear(x, weight, bias);
    observe(name, y);
    if (kind != Activation::None)
        y = activation(y, kind);
    return base ? add(y, base) : y;
}

template <class T>
Variable<T> VitOnTape<T>::block(Tape<T>& tape, const std::string& name, Variable<T> x, std::int64_t images, const ObserveLinear<T>& observe)
{
    const std::int64_t d = m_shape.width;
    const auto onto = [&](const std::string& linearName, const std::string& scaleName, Variable<T> branch) {
        if (!m_layerScale)
            return layer(tape, linearName, branch, x, Activation::None, observe);
        return add(multiplyRow(layer(tape, linearName, branch, {}, Activation::None, observe), named(tape, scaleName)), x);
    };
    const Variable<T> qkv = layer(tape, name + ".attn.qkv", norm(tape, name + ".norm1", x), {}, Activation::None, observe);
    const Variable<T> mixed = attention(tape.window(qkv, 0, d), tape.window(qkv, d, d), tape.window(qkv, 2 * d, d),
                                        {.sequences = images, .heads = m_shape.heads});
    x = onto(name + ".attn.proj", name + ".ls1.gamma", mixed);
    const Variable<T> hidden = layer(tape, name + ".mlp.fc1", norm(tape, name + ".norm2", x), {}, m_shape.activation, observe);
    return onto(name + ".mlp.fc2", name + ".ls2.gamma", hidden);
}

template <class T>
Variable<T> VitOnTape<T>::logits(Tape<T>& tape, Variable<T> patchRows, std::int64_t images, const ObserveLinear<T>& observe)
{
    if (images <= 0 || patchRows.rows() != images * m_shape.patches() || patchRows.cols() != m_shape.patchValues())
        refuseShapes("vit", "patch rows " + shapeOf(patchRows) + " for " + std::to_string(images) + " images",
                     "[images x " + std::to_string(m_shape.patches()) + ", " + std::to_string(m_shape.patchValues()) + "]");
    Variable<T> x = layer(tape, "patch_embed.proj", patchRows, {}, Activation::None, observe);
    x = joinTokens(named(tape, "cls_token"), x, named(tape, "pos_embed"), images);
    for (std::int64_t b = 0; b < m_shape.depth; ++b)
        x = block(tape, blockName(b), x, images, observe);
    return layer(tape, "head", norm(tape, "norm", tokenOfEach(x, images, 0)), {}, Activation::None, observe);
}

template class VitOnTape<float>;
template class VitOnTape<double>;

} // namespace tamis::train

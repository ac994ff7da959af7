// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/tensor_source.h"

#include "core/base/error.h"
#include "core/io/tensor_entry.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace tamis::nn {

bool hasOperator(const TensorSource& source, const std::string& name)
{
    for (const char* form : {".weight", ".lowrank_b", ".remap_b", ".tiled_weight", ".tiled_b", ".selected_weight"})
        if (source.has(name + form) || source.has(name + ".part0" + form))
            return true;
    return false;
}

std::int64_t operatorOutputs(const TensorSource& source, const std::string& name, std::int64_t expected)
{
    for (const char* form : {".weight", ".lowrank_b"})
        if (source.has(name + form)) {
            const auto shape = source.shape(name + form, {expected, 1});
            return shape.empty() ? 0 : shape[0];
        }
    if (source.has(name + ".remap_b")) {
        const auto rows = source.shape(name + ".remap_b", {expected, 1});
        const auto rest = source.has(name + ".remap_b_rest") ? source.shape(name + ".remap_b_rest", {0, 1}) : std::vector<std::int64_t>{0};
        return rows.empty() || rest.empty() ? 0 : rows[0] + rest[0];
    }
    for (const char* form : {".selected_rows", ".selected_weight"}) // the rows, where there are some, are one an output
        if (source.has(name + form)) {
            const auto shape = source.shape(name + form, {expected});
            return shape.empty() ? 0 : shape[0];
        }
    for (const char* form : {".tiled_weight", ".tiled_b"})
        if (source.has(name + form)) {
            const auto shape = source.shape(name + form, {1, expected, 1});
            return shape.size() < 2 ? 0 : shape[0] * shape[1];
        }
    std::int64_t outputs = 0; // of the parts of a stacked operator
    for (int part = 0; hasOperator(source, name + ".part" + std::to_string(part)) && part < kMostParts; ++part)
        outputs += operatorOutputs(source, name + ".part" + std::to_string(part), expected);
    return outputs;
}

std::int64_t tableRows(const TensorSource& source, const std::string& tensor, std::int64_t width, std::int64_t expected)
{
    if (!source.has(tensor))
        throw Error(ErrorCode::MalformedFile, "has no tensor " + tensor + ", which its architecture needs", source.subject());
    const std::vector<std::int64_t> shape = source.shape(tensor, {expected, width});
    std::int64_t rows = shape.size() < 2 || shape.back() != width ? 0 : 1;
    for (std::size_t i = 0; i + 1 < shape.size(); ++i)
        rows *= shape[i];
    if (rows < 1)
        throw Error(ErrorCode::MalformedFile, "tensor " + tensor + " has shape " + io::shapeText(shape) + ", expected rows of " + std::to_string(width) + " numbers by config.json",
                    source.subject());
    return rows;
}

bool CheckpointSource::has(std::string_view tensor) const
{
    return m_checkpoint.find(tensor) != nullptr;
}

std::vector<std::int64_t> CheckpointSource::shape(std::string_view tensor, const std::vector<std::int64_t>&) const
{
    return m_checkpoint.find(tensor)->shape;
}

std::vector<float> CheckpointSource::values(std::string_view tensor, const std::vector<std::int64_t>&) const
{
    return m_checkpoint.readFloats(*m_checkpoint.find(tensor));
}

std::string CheckpointSource::subject() const
{
    return m_checkpoint.path().string();
}

namespace {
/// SplitMix64 (Steele et al. 2014): any start gives an independent-looking stream, for a handful of operations a number.
std::uint64_t nextRandom(std::uint64_t& state)
{
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
} // namespace

RandomSource RandomSource::timmVit(std::uint64_t seed)
{
    return {seed, {"cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight",
                   "attn.proj.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias",
                   "norm.weight", "norm.bias", "head.weight", "head.bias"}};
}

RandomSource RandomSource::llama(std::uint64_t seed)
{
    return {seed, {"embed_tokens.weight", "lm_head.weight", "_proj.weight", "layernorm.weight", "model.norm.weight"}};
}

bool RandomSource::has(std::string_view tensor) const
{
    const auto endsHere = [&](const std::string& ending) {
        return tensor.ends_with(ending) && (tensor.size() == ending.size() || ending[0] == '_' || std::string_view("._").find(tensor[tensor.size() - ending.size() - 1]) != std::string_view::npos);
    };
    return std::any_of(m_endings.begin(), m_endings.end(), endsHere) && !tensor.ends_with("fc_norm.weight") && !tensor.ends_with("attn.norm.weight") &&
           !tensor.ends_with("mlp.norm.weight");
}

std::vector<std::int64_t> RandomSource::shape(std::string_view, const std::vector<std::int64_t>& expected) const
{
    return expected;
}

std::vector<float> RandomSource::values(std::string_view tensor, const std::vector<std::int64_t>& shape) const
{
    std::size_t count = 1;
    for (const std::int64_t d : shape)
        count *= static_cast<std::size_t>(d);
    const bool isNorm = shape.size() == 1 && tensor.ends_with(".weight");
    const double inputs = shape.size() > 1 ? static_cast<double>(count) / static_cast<double>(shape[0]) : 1;
    const double spread = isNorm ? 0.1 : shape.size() > 1 ? 1 / std::sqrt(inputs) : 0.02;
    std::uint64_t state = m_seed;
    for (const char c : tensor)
        state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3u; // FNV-1a
    std::vector<float> values(count);
    for (float& v : values) { // a sum of four uniform halves of a word: mean 0, variance 1, good enough to fill weights
        const std::uint64_t bits = nextRandom(state);
        double sum = 0;
        for (int i = 0; i < 4; ++i)
            sum += static_cast<double>((bits >> (16 * i)) & 0xffff) / 65536.0 - 0.5;
        v = static_cast<float>((isNorm ? 1.0 : 0.0) + spread * sum * std::sqrt(3.0));
    }
    return values;
}

} // namespace tamis::nn

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/layout.h"

#include "core/io/model_config.h"
#include "core/io/tensor_entry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <tuple>

namespace tamis::io {
namespace {

constexpr int kMaximumLayer = 99'999; // a larger number in a name is no layer

/// What a tensor name ends with, and what that means. Suffixes begin at a part of the name ("." or its beginning).
struct Rule {
    std::string_view suffix;
    Role role;
    bool transposed = false;
};

constexpr std::array kClipBlock{
    Rule{"self_attn.q_proj", Role::Query}, Rule{"self_attn.k_proj", Role::Key}, Rule{"self_attn.v_proj", Role::Value},
    Rule{"self_attn.out_proj", Role::Output}, Rule{"mlp.fc1", Role::Up}, Rule{"mlp.fc2", Role::Down},
};
constexpr std::array kClipOutside{
    Rule{"embeddings.patch_embedding", Role::Patch}, Rule{"embeddings.position_embedding", Role::Position}, Rule{"visual_projection", Role::Head},
};
constexpr std::array kSwinBlock{
    Rule{"attn.qkv", Role::QueryKeyValue}, Rule{"attn.proj", Role::Output}, Rule{"mlp.fc1", Role::Up}, Rule{"mlp.fc2", Role::Down},
    Rule{"attn.relative_position_bias_table", Role::Position}, Rule{"attention.self.relative_position_bias_table", Role::Position},
    Rule{"attention.self.query", Role::Query}, Rule{"attention.self.key", Role::Key}, Rule{"attention.self.value", Role::Value},
    Rule{"attention.output.dense", Role::Output}, Rule{"intermediate.dense", Role::Up}, Rule{"output.dense", Role::Down},
};
constexpr std::array kSwinOutside{
    Rule{"patch_embed.proj", Role::Patch}, Rule{"embeddings.patch_embeddings.projection", Role::Patch}, Rule{"head", Role::Head},
    Rule{"head.fc", Role::Head}, Rule{"classifier", Role::Head},
};

struct Description {
    Family family;
    std::string_view stem;           ///< the parts before the layer number, "encoder.layer"
    std::string_view characteristic; ///< a name in every block that tells the family
    std::span<const Rule> inBlock;
    std::span<const Rule> outside;
};

constexpr std::array kTimmBlock{
    Rule{"attn.qkv", Role::QueryKeyValue}, Rule{"attn.proj", Role::Output}, Rule{"mlp.fc1", Role::Up}, Rule{"mlp.fc2", Role::Down},
    Rule{"mlp.fc1_x", Role::Up}, Rule{"mlp.fc1_g", Role::Gate}, // SwiGLU
    Rule{"attn.q_proj", Role::Query}, Rule{"attn.k_proj", Role::Key}, Rule{"attn.v_proj", Role::Value},
};
constexpr std::array kTimmOutside{
    Rule{"patch_embed.proj", Role::Patch}, Rule{"pos_embed", Role::Position}, Rule{"cls_token", Role::Embedding},
    Rule{"reg_token", Role::Embedding}, Rule{"head", Role::Head}, Rule{"head_dist", Role::Head}, Rule{"head.fc", Role::Head},
};
constexpr std::array kHfVitBlock{
    Rule{"attention.attention.query", Role::Query}, Rule{"attention.attention.key", Role::Key},
    Rule{"attention.attention.value", Role::Value}, Rule{"attention.output.dense", Role::Output},
    Rule{"intermediate.dense", Role::Up}, Rule{"output.dense", Role::Down},
    Rule{"mlp.fc1", Role::Up}, Rule{"mlp.fc2", Role::Down}, // DINOv2
    Rule{"relative_position_bias.relative_position_bias_table", Role::Position}, // BEiT
};
constexpr std::array kHfVitOutside{
    Rule{"embeddings.patch_embeddings.projection", Role::Patch}, Rule{"embeddings.position_embeddings", Role::Position},
    Rule{"embeddings.mask_token", Role::Embedding}, Rule{"classifier", Role::Head}, Rule{"cls_classifier", Role::Head},
    Rule{"distillation_classifier", Role::Head}, Rule{"relative_position_bias.relative_position_bias_table", Role::Position},
};
constexpr std::array kDinov3Block{
    Rule{"attention.q_proj", Role::Query}, Rule{"attention.k_proj", Role::Key}, Rule{"attention.v_proj", Role::Value},
    Rule{"attention.o_proj", Role::Output}, Rule{"mlp.gate_proj", Role::Gate}, Rule{"mlp.up_proj", Role::Up}, Rule{"mlp.down_proj", Role::Down},
};
constexpr std::array kDinov3Outside{
    Rule{"embeddings.patch_embeddings", Role::Patch}, Rule{"embeddings.mask_token", Role::Embedding},
    Rule{"embeddings.register_tokens", Role::Embedding}, Rule{"classifier", Role::Head},
};
constexpr std::array kLlamaBlock{
    Rule{"self_attn.q_proj", Role::Query}, Rule{"self_attn.k_proj", Role::Key}, Rule{"self_attn.v_proj", Role::Value},
    Rule{"self_attn.qkv_proj", Role::QueryKeyValue}, Rule{"self_attn.o_proj", Role::Output},
    Rule{"gate_proj", Role::Gate}, Rule{"up_proj", Role::Up}, Rule{"down_proj", Role::Down}, // of an MLP or of an expert
    Rule{"w1", Role::Gate}, Rule{"w3", Role::Up}, Rule{"w2", Role::Down},                    // Mixtral's experts
};
constexpr std::array kLlamaOutside{
    Rule{"embed_tokens", Role::Embedding}, Rule{"lm_head", Role::Head}, Rule{"score", Role::Head},
};
constexpr std::array kGpt2Block{
    Rule{"attn.c_attn", Role::QueryKeyValue, true}, Rule{"attn.c_proj", Role::Output, true}, Rule{"mlp.c_fc", Role::Up, true},
    Rule{"mlp.c_proj", Role::Down, true},
};
constexpr std::array kGpt2Outside{
    Rule{"wte", Role::Embedding}, Rule{"wpe", Role::Position}, Rule{"lm_head", Role::Head}, Rule{"score", Role::Head},
};
constexpr std::array kOptBlock{
    Rule{"self_attn.q_proj", Role::Query}, Rule{"self_attn.k_proj", Role::Key}, Rule{"self_attn.v_proj", Role::Value},
    Rule{"self_attn.out_proj", Role::Output}, Rule{"fc1", Role::Up}, Rule{"fc2", Role::Down},
};
constexpr std::array kOptOutside{
    Rule{"embed_tokens", Role::Embedding}, Rule{"embed_positions", Role::Position}, Rule{"lm_head", Role::Head},
    Rule{"score", Role::Head},
};
constexpr std::array kBertBlock{
    Rule{"attention.self.query", Role::Query}, Rule{"attention.self.key", Role::Key}, Rule{"attention.self.value", Role::Value},
    Rule{"attention.output.dense", Role::Output}, Rule{"intermediate.dense", Role::Up}, Rule{"output.dense", Role::Down},
};
constexpr std::array kBertOutside{
    Rule{"embeddings.word_embeddings", Role::Embedding}, Rule{"embeddings.token_type_embeddings", Role::Embedding},
    Rule{"embeddings.position_embeddings", Role::Position}, Rule{"cls.predictions.decoder", Role::Head},
    Rule{"cls.seq_relationship", Role::Head}, Rule{"classifier", Role::Head}, Rule{"qa_outputs", Role::Head},
};

// The more particular names first: OPT's stem contains LLaMA's.
constexpr std::array kFamilies{
    Description{Family::Gpt2, "h", "attn.c_attn", kGpt2Block, kGpt2Outside},
    Description{Family::Opt, "decoder.layers", "self_attn.out_proj", kOptBlock, kOptOutside},
    Description{Family::HfVit, "encoder.layer", "attention.attention.query", kHfVitBlock, kHfVitOutside},
    Description{Family::Bert, "encoder.layer", "attention.self.query", kBertBlock, kBertOutside},
    Description{Family::Llama, "layers", "self_attn.o_proj", kLlamaBlock, kLlamaOutside},
    Description{Family::Swin, "blocks", "attn.relative_position_bias_table", kSwinBlock, kSwinOutside},
    Description{Family::Swin, "blocks", "attention.self.relative_position_bias_table", kSwinBlock, kSwinOutside},
    Description{Family::TimmVit, "blocks", "attn.qkv", kTimmBlock, kTimmOutside},
    Description{Family::HfVit, "vision_model.encoder.layers", "self_attn.out_proj", kClipBlock, kClipOutside},
    Description{Family::HfVit, "layer", "attention.q_proj", kDinov3Block, kDinov3Outside},
};

std::string_view withoutWeight(std::string_view name)
{
    constexpr std::string_view kSuffix = ".weight";
    if (name.size() > kSuffix.size() && name.ends_with(kSuffix))
        name.remove_suffix(kSuffix.size());
    return name;
}

/// "attn.qkv" of "attn.qkv.part2": a part of an operator that stands for the whole.
std::string_view withoutPart(std::string_view name)
{
    constexpr std::string_view kPart = ".part";
    std::size_t digits = name.size();
    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
        --digits;
    const std::string_view stem = name.substr(0, digits);
    return digits < name.size() && stem.size() > kPart.size() && stem.ends_with(kPart) ? stem.substr(0, stem.size() - kPart.size()) : name;
}

/// The operator that a tensor belongs to: its weight, or a factor that an export wrote in place of it.
std::string_view operatorName(std::string_view name)
{
    for (const std::string_view suffix : {".weight", ".lowrank_a", ".lowrank_b", ".tiled_weight", ".tiled_a", ".tiled_b"})
        if (name.size() > suffix.size() && name.ends_with(suffix))
            return withoutPart(name.substr(0, name.size() - suffix.size()));
    return name;
}

/// `text` ends with `suffix`, which begins at a part of it.
bool endsWithParts(std::string_view text, std::string_view suffix)
{
    return text.ends_with(suffix) && (text.size() == suffix.size() || text[text.size() - suffix.size() - 1] == '.');
}

struct Numbered {
    std::string_view before; ///< "transformer.h"
    int number = -1;
    std::string_view after;  ///< "attn.c_attn"
};

/// The first part of the name that is a number, as a layer would be.
std::optional<Numbered> numberedPart(std::string_view name)
{
    for (std::size_t begin = 0; begin < name.size();) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        const std::string_view part = name.substr(begin, end - begin);
        int number = 0;
        const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
        if (!part.empty() && part[0] != '-' && error == std::errc() && stop == part.data() + part.size() && number <= kMaximumLayer)
            return Numbered{name.substr(0, begin > 0 ? begin - 1 : 0), number, end < name.size() ? name.substr(end + 1) : std::string_view()};
        begin = end + 1;
    }
    return std::nullopt;
}

/// The block that the name belongs to, when its layer number stands where the family has it. Swin counts blocks within
/// stages ("layers.2.blocks.5"): the number is then that within the stage.
std::optional<Numbered> blockPart(std::string_view name, std::string_view stem)
{
    const std::optional<Numbered> found = numberedPart(name);
    if (found && endsWithParts(found->before, stem))
        return found;
    if (!found || !endsWithParts(found->before, "layers") || stem != "blocks")
        return std::nullopt;
    const std::optional<Numbered> inner = numberedPart(found->after);
    return inner && inner->before == stem ? inner : std::nullopt;
}

/// The stage of a Swin block or merge, -1 for other names.
int stageOf(std::string_view name)
{
    const std::optional<Numbered> found = numberedPart(name);
    return found && endsWithParts(found->before, "layers") ? found->number : -1;
}

/// Blocks in the stages before each stage.
using StageOffsets = std::map<int, int>;

StageOffsets stageOffsets(const std::vector<TensorEntry>& tensors)
{
    StageOffsets depths, offsets;
    for (const TensorEntry& tensor : tensors)
        if (const auto block = blockPart(tensor.name, "blocks"); block && stageOf(tensor.name) >= 0)
            depths[stageOf(tensor.name)] = std::max(depths[stageOf(tensor.name)], block->number + 1);
    int before = 0;
    for (const auto& [stage, depth] : depths) {
        offsets[stage] = before;
        before = std::min(before + depth, kMaximumLayer);
    }
    return offsets;
}

const Description* describe(const std::vector<TensorEntry>& tensors)
{
    // An encoder beside a decoder (BART, Whisper) has OPT's names, but is not OPT.
    const bool hasEncoder = std::any_of(tensors.begin(), tensors.end(), [](const TensorEntry& tensor) {
        return blockPart(tensor.name, "encoder.layers").has_value();
    });
    for (const Description& description : kFamilies) {
        if (description.family == Family::Opt && hasEncoder)
            continue;
        const bool found = std::any_of(tensors.begin(), tensors.end(), [&](const TensorEntry& tensor) {
            const std::optional<Numbered> block = blockPart(operatorName(tensor.name), description.stem);
            return block && tensor.shape.size() == 2 && block->after == description.characteristic;
        });
        if (found)
            return &description;
    }
    return nullptr;
}

/// LLaMA, Mistral and Qwen share names: model_type decides; without it, what only some of them have.
Family amongLlamas(const std::vector<TensorEntry>& tensors, const ModelConfig& config)
{
    static constexpr std::pair<std::string_view, Family> kTypes[] = {
        {"llama", Family::Llama}, {"mistral", Family::Mistral}, {"mixtral", Family::Mistral}, {"qwen2", Family::Qwen2},
        {"qwen2_moe", Family::Qwen2}, {"qwen3", Family::Qwen3}, {"qwen3_moe", Family::Qwen3}};
    for (const auto& [type, family] : kTypes)
        if (config.modelType == type)
            return family;
    const auto has = [&](std::string_view suffix) {
        return std::any_of(tensors.begin(), tensors.end(), [&](const TensorEntry& tensor) { return endsWithParts(tensor.name, suffix); });
    };
    if (has("self_attn.q_norm.weight")) // Qwen3 normalises queries and keys
        return Family::Qwen3;
    if (has("self_attn.q_proj.bias")) // Qwen2 alone has biases there
        return Family::Qwen2;
    return Family::Llama;
}

const Rule* matchingRule(std::string_view name, std::span<const Rule> rules)
{
    const Rule* best = nullptr; // "attention.output.dense" rather than "output.dense"
    for (const Rule& rule : rules)
        if (endsWithParts(name, rule.suffix) && (best == nullptr || rule.suffix.size() > best->suffix.size()))
            best = &rule;
    return best;
}

/// Sets rows and cols as the contract of MatrixRef says; false for what is no matrix.
bool setShape(const TensorEntry& tensor, MatrixRef& matrix)
{
    std::span<const std::int64_t> shape = tensor.shape;
    while (shape.size() > 2 && shape[0] == 1)
        shape = shape.subspan(1);
    if (shape.size() < 2 || (tensor.shape.size() > 2 && shape[0] == 1))
        return false;
    matrix.rows = shape[0];
    matrix.cols = 1;
    for (const std::int64_t dimension : shape.subspan(1))
        matrix.cols *= dimension;
    return matrix.rows > 0 && matrix.cols > 0;
}

std::optional<MatrixRef> asMatrix(const TensorEntry& tensor, const Description* family, const StageOffsets& offsets)
{
    MatrixRef matrix;
    if (!setShape(tensor, matrix))
        return std::nullopt;
    const std::string_view name = operatorName(tensor.name);
    matrix.name = withoutWeight(tensor.name);
    matrix.tensor = tensor.name;
    const Rule* rule = nullptr;
    if (const std::optional<Numbered> block = family ? blockPart(name, family->stem) : std::nullopt) {
        const auto offset = offsets.find(stageOf(name));
        matrix.layer = std::min(block->number + (offset != offsets.end() ? offset->second : 0), kMaximumLayer);
        rule = matchingRule(block->after, family->inBlock);
    } else if (family != nullptr) {
        rule = matchingRule(name, family->outside);
    }
    if (const std::optional<Numbered> number = numberedPart(name); number && family == nullptr)
        matrix.layer = number->number;
    const bool isTable = rule != nullptr && (rule->role == Role::Embedding || rule->role == Role::Position);
    const bool isStack = tensor.shape.size() > 2 && !isTable && (rule == nullptr || rule->role != Role::Patch);
    if (rule != nullptr && !isStack)
        matrix.role = rule->role;
    const bool multiplies = tensor.shape.size() == 2 || matrix.role == Role::Patch;
    matrix.linear = multiplies && !isTable && tensor::isFloating(tensor.dtype);
    const bool isFactor = matrix.name != name; // factors are [out, in] in every family
    if (rule != nullptr && rule->transposed && tensor.shape.size() == 2 && !isFactor) {
        matrix.transposed = true;
        std::swap(matrix.rows, matrix.cols);
    }
    return matrix;
}

bool comesBefore(const MatrixRef& a, const MatrixRef& b)
{
    const auto section = [](const MatrixRef& matrix) {
        if (matrix.layer >= 0)
            return 1;
        return matrix.role == Role::Patch || matrix.role == Role::Embedding || matrix.role == Role::Position ? 0 : 2;
    };
    const auto key = [&](const MatrixRef& matrix) { return std::tuple(section(matrix), matrix.layer, matrix.role); };
    return key(a) != key(b) ? key(a) < key(b) : naturalLess(a.tensor, b.tensor);
}
} // namespace

std::string_view familyName(Family family) noexcept
{
    switch (family) {
    case Family::Unknown: return "unknown";
    case Family::TimmVit: return "timm-vit";
    case Family::HfVit: return "hf-vit";
    case Family::Llama: return "llama";
    case Family::Mistral: return "mistral";
    case Family::Qwen2: return "qwen2";
    case Family::Qwen3: return "qwen3";
    case Family::Gpt2: return "gpt2";
    case Family::Opt: return "opt";
    case Family::Bert: return "bert";
    case Family::Swin: return "swin";
    }
    return "unknown";
}

std::string_view roleName(Role role) noexcept
{
    switch (role) {
    case Role::Query: return "q";
    case Role::Key: return "k";
    case Role::Value: return "v";
    case Role::QueryKeyValue: return "qkv";
    case Role::Output: return "o";
    case Role::Up: return "up";
    case Role::Gate: return "gate";
    case Role::Down: return "down";
    case Role::Patch: return "patch";
    case Role::Embedding: return "embedding";
    case Role::Position: return "position";
    case Role::Head: return "head";
    case Role::Other: return "other";
    }
    return "other";
}

ModelLayout recogniseLayout(const std::vector<TensorEntry>& tensors, const ModelConfig& config)
{
    ModelLayout layout;
    const Description* family = describe(tensors);
    if (family != nullptr)
        layout.family = family->family == Family::Llama ? amongLlamas(tensors, config) : family->family;
    const StageOffsets offsets = layout.family == Family::Swin ? stageOffsets(tensors) : StageOffsets();
    for (const TensorEntry& tensor : tensors) {
        const std::optional<MatrixRef> matrix = asMatrix(tensor, family, offsets);
        if (!matrix)
            continue;
        layout.layers = std::max(layout.layers, matrix->layer + 1);
        layout.matrices.push_back(*matrix);
    }
    std::sort(layout.matrices.begin(), layout.matrices.end(), comesBefore);
    return layout;
}

} // namespace tamis::io

// SPDX-License-Identifier: GPL-3.0-or-later
// BEiT as Hugging Face writes it (Bao et al. 2022, arXiv 2106.08254): a bias by displacement for every pair of tokens, no bias of keys.
#include "core/base/error.h"
#include "core/nn/vit_parts.h"

namespace tamis::nn {

namespace {
constexpr const char* kTable = "relative_position_bias.relative_position_bias_table";

BlockNames blockNames(const std::string& p)
{
    BlockNames n;
    n.attentionNorm = p + "layernorm_before";
    n.mlpNorm = p + "layernorm_after";
    n.query = p + "attention.attention.query";
    n.key = p + "attention.attention.key";
    n.value = p + "attention.attention.value";
    n.output = p + "attention.output.dense";
    n.up = p + "intermediate.dense";
    n.down = p + "output.dense";
    n.attentionScale = p + "lambda_1";
    n.mlpScale = p + "lambda_2";
    return n;
}

std::optional<std::string> prefixOf(const ConfigReader& config, const TensorSource& source)
{
    const bool named = config.text({"model_type"}) == "beit";
    for (const char* prefix : {"beit.", ""})
        if (source.has(std::string(prefix) + "embeddings.patch_embeddings.projection.weight") && (named || *prefix != '\0'))
            return prefix;
    return std::nullopt;
}

/// The table of a block, or the one that all share; "" where there is neither.
void setTable(BlockNames& n, const ConfigReader& config, const TensorSource& source, const std::string& prefix, std::size_t block)
{
    const std::string own = prefix + "encoder.layer." + std::to_string(block) + ".attention.attention." + kTable, shared = prefix + "encoder." + kTable;
    const bool ofBlocks = config.flag({"use_relative_position_bias"}, false), ofAll = config.flag({"use_shared_relative_position_bias"}, false);
    if (ofBlocks && ofAll)
        throw Error(ErrorCode::UnsupportedFeature, "use_relative_position_bias and use_shared_relative_position_bias are both true, expected one of them", "config.json");
    for (const auto& [asked, tensor] : {std::pair{ofBlocks, own}, {ofAll, shared}})
        if (!asked && source.has(tensor))
            throw Error(ErrorCode::MalformedFile, "has " + tensor + ", which config.json does not ask for", source.subject());
    n.biasTable = ofBlocks ? own : ofAll ? shared : std::string();
    n.sharesBiasTable = ofAll && block > 0;
}

void setEnds(Architecture& a, const ConfigReader& config, const TensorSource& source, const std::string& prefix, const NormSpec& norm)
{
    ModelSpec& s = a.spec;
    const bool mean = config.flag({"use_mean_pooling"}, true);
    s.pool = mean ? Pool::Mean : Pool::ClassToken;
    s.finalNorm = mean ? NormSpec{NormKind::None} : norm;
    s.poolNorm = mean ? norm : NormSpec{NormKind::None};
    s.classes = hasOperator(source, "classifier") ? operatorOutputs(source, "classifier", config.entries("id2label")) : 0;
    s.headBias = source.has("classifier.bias");
    s.task = s.classes > 0 ? Task::ImageClassification : Task::ImageFeatures;
    a.names.classToken = prefix + "embeddings.cls_token";
    a.names.positions = prefix + "embeddings.position_embeddings";
    a.names.patch = prefix + "embeddings.patch_embeddings.projection";
    a.names.finalNorm = prefix + "layernorm";
    a.names.poolNorm = prefix + "pooler.layernorm";
    a.names.head = "classifier";
}
} // namespace

std::optional<Architecture> readBeit(const ConfigReader& config, const TensorSource& source, ImageSize size)
{
    const std::optional<std::string> found = prefixOf(config, source);
    if (!found)
        return std::nullopt;
    const std::string& prefix = *found;
    if (hasOperator(source, "lm_head"))
        throw Error(ErrorCode::UnsupportedFeature, "is a masked image model (BEiT's lm_head), expected a classifier or features", source.subject());
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::HfVit;
    const auto architectures = config.texts({"architectures"});
    s.architecture = architectures.empty() ? config.text({"model_type"}) : architectures[0];
    s.width = config.required({"hidden_size"});
    s.patch.channels = config.integer({"num_channels"}, 3);
    s.patch.classToken = true;
    s.patch.prefixTokens = 1;
    s.patch.positions = source.has(prefix + "embeddings.position_embeddings");
    setPatches(s, sizePair(config.integers({"image_size"}), "image_size"), sizePair(config.integers({"patch_size"}), "patch_size"), size);
    if (s.patch.tableHeight < 1 || s.patch.tableWidth < 1)
        throw Error(ErrorCode::MalformedFile, "image_size is smaller than a patch, expected one patch at least", "config.json");

    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_eps"}, 1e-12)), true};
    const kernels::Activation activation = config.activation({"hidden_act"}, kernels::Activation::Gelu);
    const std::int64_t heads = config.required({"num_attention_heads"}), hidden = config.required({"intermediate_size"});
    for (std::int64_t i = 0; i < config.depth({"num_hidden_layers"}); ++i) {
        BlockSpec block = plainBlock(s, heads, hidden, activation, norm);
        BlockNames n = blockNames(prefix + "encoder.layer." + std::to_string(i) + ".");
        setTable(n, config, source, prefix, static_cast<std::size_t>(i));
        if (!n.biasTable.empty()) { // the whole grid is one window, and the class token takes part
            block.attention.window = s.patch.gridHeight;
            block.attention.windowAcross = s.patch.gridWidth;
        }
        block.attention.qkvBias = source.has(n.query + ".bias"); // of q and v; k has none
        block.attention.outputBias = true;
        block.layerScale = source.has(n.attentionScale);
        s.blocks.push_back(block);
        a.names.blocks.push_back(std::move(n));
    }
    setEnds(a, config, source, prefix, norm);
    return a;
}

} // namespace tamis::nn

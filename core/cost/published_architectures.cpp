// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/published_architectures.h"

#include <cmath>

namespace tamis::cost {
namespace {
using namespace nn;

AttentionSpec selfAttention(std::int64_t heads, std::int64_t headDim, bool bias)
{
    AttentionSpec attention;
    attention.heads = attention.keyValueHeads = heads;
    attention.headDim = headDim;
    attention.scale = 1 / std::sqrt(static_cast<float>(headDim));
    attention.qkvBias = attention.outputBias = bias;
    return attention;
}

/// Pre-norm block with biases, fused qkv and GELU: ViT's and GPT-2's.
BlockSpec biasedBlock(std::int64_t width, std::int64_t heads, std::int64_t hidden, bool fusedQkv)
{
    BlockSpec block;
    block.width = width;
    block.attention = selfAttention(heads, width / heads, true);
    block.attention.fusedQkv = fusedQkv;
    block.mlp.hidden = hidden;
    block.mlp.bias = true;
    return block;
}

ModelSpec distilled(ModelSpec spec)
{
    spec.patch.distillationToken = spec.distillationHead = true;
    spec.patch.prefixTokens = 2;
    return spec;
}

ModelSpec swin(std::int64_t width, std::vector<int> depths, std::vector<std::int64_t> heads)
{
    ModelSpec spec;
    spec.architecture = "swin";
    spec.task = Task::ImageClassification;
    spec.width = width;
    spec.patch.patchHeight = spec.patch.patchWidth = 4;
    spec.patch.imageHeight = spec.patch.imageWidth = 224;
    spec.patch.gridHeight = spec.patch.gridWidth = 56;
    spec.patch.positions = false;
    spec.patch.norm = true;
    spec.preNorm.kind = NormKind::LayerNorm;
    spec.pool = Pool::Mean;
    spec.classes = 1000;
    spec.headBias = true;
    std::int64_t grid = 56;
    for (std::size_t stage = 0; stage < depths.size(); ++stage, grid /= 2, width *= 2)
        for (int i = 0; i < depths[stage]; ++i) {
            BlockSpec block = biasedBlock(width, heads[stage], 4 * width, true);
            block.gridHeight = block.gridWidth = grid;
            block.attention.window = block.attention.windowAcross = 7;
            block.attention.shift = i % 2 == 1 && grid > 7 ? 3 : 0;
            block.mergeAfter = i + 1 == depths[stage] && stage + 1 < depths.size();
            spec.blocks.push_back(block);
        }
    return spec;
}

ModelSpec languageModel(io::Family family, const char* architecture, std::int64_t vocabulary, std::int64_t width, std::int64_t positions)
{
    ModelSpec spec;
    spec.family = family;
    spec.architecture = architecture;
    spec.task = Task::CausalLanguage;
    spec.width = width;
    spec.text.vocabulary = vocabulary;
    spec.text.maxPositions = positions;
    spec.pool = Pool::None;
    return spec;
}

ModelSpec gpt2Like(std::int64_t width, std::int64_t depth, std::int64_t heads)
{
    ModelSpec spec = languageModel(io::Family::Gpt2, "GPT2LMHeadModel", 50257, width, 1024);
    spec.text.learnedPositions = spec.text.tiedHead = true;
    BlockSpec block = biasedBlock(width, heads, 4 * width, true);
    block.attention.causal = true;
    block.mlp.activation = kernels::Activation::GeluTanh;
    spec.blocks.assign(static_cast<std::size_t>(depth), block);
    return spec;
}

ModelSpec optLike(std::int64_t width, std::int64_t depth, std::int64_t heads)
{
    ModelSpec spec = languageModel(io::Family::Opt, "OPTForCausalLM", 50272, width, 2048);
    spec.text.learnedPositions = spec.text.tiedHead = true;
    spec.text.positionOffset = 2;
    BlockSpec block = biasedBlock(width, heads, 4 * width, false);
    block.attention.causal = true;
    block.mlp.activation = kernels::Activation::Relu;
    spec.blocks.assign(static_cast<std::size_t>(depth), block);
    return spec;
}

ModelSpec bertLike(std::int64_t width, std::int64_t depth, std::int64_t heads)
{
    ModelSpec spec = languageModel(io::Family::Bert, "BertModel", 30522, width, 512);
    spec.task = Task::TextFeatures;
    spec.text.tokenTypes = 2;
    spec.text.learnedPositions = spec.text.embeddingNorm = true;
    spec.preNorm.kind = NormKind::LayerNorm;
    spec.finalNorm.kind = NormKind::None;
    spec.pool = Pool::ClassToken;
    spec.pooler = true;
    BlockSpec block = biasedBlock(width, heads, 4 * width, false);
    block.postNorm = true;
    spec.blocks.assign(static_cast<std::size_t>(depth), block);
    return spec;
}

} // namespace

ModelSpec visionTransformer(std::int64_t width, std::int64_t depth, std::int64_t heads, std::int64_t patch, std::int64_t image,
                            std::int64_t classes)
{
    ModelSpec spec;
    spec.family = io::Family::TimmVit;
    spec.architecture = "vit_patch" + std::to_string(patch) + "_" + std::to_string(image);
    spec.task = classes > 0 ? Task::ImageClassification : Task::ImageFeatures;
    spec.width = width;
    spec.patch.patchHeight = spec.patch.patchWidth = patch;
    spec.patch.imageHeight = spec.patch.imageWidth = image;
    spec.patch.gridHeight = spec.patch.gridWidth = spec.patch.tableHeight = spec.patch.tableWidth = image / patch;
    spec.patch.classToken = true;
    spec.patch.prefixTokens = 1;
    spec.classes = classes;
    spec.headBias = classes > 0;
    spec.blocks.assign(static_cast<std::size_t>(depth), biasedBlock(width, heads, 4 * width, true));
    return spec;
}

ModelSpec deitTiny16() { return visionTransformer(192, 12, 3, 16); }
ModelSpec deitSmall16() { return visionTransformer(384, 12, 6, 16); }
ModelSpec vitBase16(std::int64_t image) { return visionTransformer(768, 12, 12, 16, image); }
ModelSpec vitBase32() { return visionTransformer(768, 12, 12, 32); }
ModelSpec vitLarge16() { return visionTransformer(1024, 24, 16, 16); }
ModelSpec vitHuge14() { return visionTransformer(1280, 32, 16, 14); }
ModelSpec deitTinyDistilled16() { return distilled(deitTiny16()); }
ModelSpec deitSmallDistilled16() { return distilled(deitSmall16()); }
ModelSpec deitBaseDistilled16() { return distilled(vitBase16()); }

ModelSpec dinov2Small14()
{
    ModelSpec spec = visionTransformer(384, 12, 6, 14, 518, 0);
    for (auto& block : spec.blocks)
        block.layerScale = true;
    return spec;
}

ModelSpec clipVisionBase32()
{
    ModelSpec spec = visionTransformer(768, 12, 12, 32, 224, 0);
    spec.family = io::Family::HfVit;
    spec.architecture = "CLIPVisionModel";
    spec.patch.bias = false;
    spec.preNorm.kind = NormKind::LayerNorm;
    for (auto& block : spec.blocks) {
        block.attention.fusedQkv = false;
        block.mlp.activation = kernels::Activation::QuickGelu;
    }
    return spec;
}

ModelSpec swinTiny() { return swin(96, {2, 2, 6, 2}, {3, 6, 12, 24}); }
ModelSpec swinSmall() { return swin(96, {2, 2, 18, 2}, {3, 6, 12, 24}); }
ModelSpec swinBase() { return swin(128, {2, 2, 18, 2}, {4, 8, 16, 32}); }

ModelSpec llamaLike(std::int64_t vocabulary, std::int64_t width, std::int64_t depth, std::int64_t heads, std::int64_t keyValueHeads,
                    std::int64_t hidden, std::int64_t positions)
{
    ModelSpec spec = languageModel(io::Family::Llama, "LlamaForCausalLM", vocabulary, width, positions);
    BlockSpec block;
    block.width = width;
    block.attention = selfAttention(heads, width / heads, false);
    block.attention.keyValueHeads = keyValueHeads;
    block.attention.causal = block.attention.rope.enabled = true;
    block.attention.rope.dimensions = width / heads;
    block.mlp = {hidden, true, false, kernels::Activation::Silu};
    block.norm = spec.finalNorm = {NormKind::RmsNorm, 1e-5f, false};
    spec.blocks.assign(static_cast<std::size_t>(depth), block);
    return spec;
}

ModelSpec llama2With7B() { return llamaLike(32000, 4096, 32, 32, 32, 11008, 4096); }
ModelSpec llama2With13B() { return llamaLike(32000, 5120, 40, 40, 40, 13824, 4096); }
ModelSpec llama3With8B() { return llamaLike(128256, 4096, 32, 32, 8, 14336, 8192); }
ModelSpec tinyLlama1B() { return llamaLike(32000, 2048, 22, 32, 4, 5632, 2048); }

ModelSpec mistral7B()
{
    ModelSpec spec = llamaLike(32000, 4096, 32, 32, 8, 14336, 32768);
    spec.family = io::Family::Mistral;
    spec.architecture = "MistralForCausalLM";
    for (auto& block : spec.blocks)
        block.attention.slidingWindow = 4096;
    return spec;
}

ModelSpec qwen2With0_5B()
{
    ModelSpec spec = llamaLike(151936, 896, 24, 14, 2, 4864, 131072);
    spec.family = io::Family::Qwen2;
    spec.architecture = "Qwen2ForCausalLM";
    spec.text.tiedHead = true;
    for (auto& block : spec.blocks)
        block.attention.qkvBias = true;
    return spec;
}

ModelSpec qwen3With0_6B()
{
    ModelSpec spec = llamaLike(151936, 1024, 28, 16, 8, 3072, 40960);
    spec.family = io::Family::Qwen3;
    spec.architecture = "Qwen3ForCausalLM";
    spec.text.tiedHead = true;
    for (auto& block : spec.blocks) {
        block.attention.headDim = block.attention.rope.dimensions = 128;
        block.attention.queryKeyNorm = {NormKind::RmsNorm, 1e-6f, false};
    }
    return spec;
}

ModelSpec gpt2() { return gpt2Like(768, 12, 12); }
ModelSpec gpt2Medium() { return gpt2Like(1024, 24, 16); }
ModelSpec gpt2Xl() { return gpt2Like(1600, 48, 25); }

ModelSpec opt125M() { return optLike(768, 12, 12); }

ModelSpec opt350M()
{
    ModelSpec spec = optLike(1024, 24, 16);
    spec.text.embeddingWidth = 512;
    spec.pooler = true; // back to that width before the head
    spec.finalNorm.kind = NormKind::None;
    for (auto& block : spec.blocks)
        block.postNorm = true;
    return spec;
}

ModelSpec bertBaseMasked()
{
    ModelSpec spec = bertBase();
    spec.architecture = "BertForMaskedLM";
    spec.task = Task::MaskedLanguage;
    spec.pool = Pool::None;
    spec.poolNorm.kind = NormKind::LayerNorm;
    spec.text.tiedHead = spec.headBias = true;
    spec.classes = spec.text.vocabulary;
    return spec;
}

ModelSpec bertBase() { return bertLike(768, 12, 12); }
ModelSpec bertLarge() { return bertLike(1024, 24, 16); }

} // namespace tamis::cost

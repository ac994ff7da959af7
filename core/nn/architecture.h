// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// An architecture with the names of its tensors: what a family's file finds out, and the builder binds.
#include "core/nn/config_reader.h"
#include "core/nn/model_spec.h"
#include "core/nn/tensor_source.h"

#include <optional>
#include <string>
#include <vector>

namespace tamis::nn {

struct BlockNames { ///< "" where a block has none
    std::string attentionNorm, mlpNorm;
    std::string qkv, query, key, value, output, queryNorm, keyNorm;
    std::string up, gate, down;
    std::string attentionScale, mlpScale; ///< full tensor names of LayerScale
    std::string biasTable;                ///< Swin and BEiT, full tensor name
    bool sharesBiasTable = false;         ///< with the first block
    std::string mergeNorm, merge;
};

struct ModelNames { ///< linear operators and norms without ".weight"; tables and tokens as full tensor names
    std::string classToken, distillationToken, registerTokens, positions, patch, patchNorm;
    std::string tokenEmbedding, tokenTypes, embeddingNorm, projectIn;
    std::string preNorm, finalNorm, poolNorm, transform, head, secondHead;
    std::string headBias; ///< of a tied head, full tensor name
    std::vector<BlockNames> blocks;
};

struct Architecture {
    ModelSpec spec;
    ModelNames names;
    bool transposed = false;           ///< linear weights are stored [in, out] (GPT-2)
    kernels::Activation transformActivation = kernels::Activation::None;
    NormSpec transformNorm{NormKind::None}; ///< MLM heads
};

struct ImageSize {
    std::int64_t height = 0, width = 0; ///< 0: as the config says
};

// One reader a family: nullopt when the names are another family's. Throws Error{UnsupportedFeature, MalformedFile}.
std::optional<Architecture> readTimmVit(const ConfigReader& config, const TensorSource& source, ImageSize size);
std::optional<Architecture> readHfVit(const ConfigReader& config, const TensorSource& source, ImageSize size);  ///< ViT, DeiT, DINOv2
std::optional<Architecture> readDinov3Vit(const ConfigReader& config, const TensorSource& source, ImageSize size);
std::optional<Architecture> readBeit(const ConfigReader& config, const TensorSource& source, ImageSize size);
std::optional<Architecture> readClipVision(const ConfigReader& config, const TensorSource& source, ImageSize size);
std::optional<Architecture> readSwin(const ConfigReader& config, const TensorSource& source, ImageSize size);
std::optional<Architecture> readLlama(const ConfigReader& config, const TensorSource& source); ///< LLaMA, Mistral, Qwen2, Qwen3
std::optional<Architecture> readGpt2(const ConfigReader& config, const TensorSource& source);
std::optional<Architecture> readOpt(const ConfigReader& config, const TensorSource& source);
std::optional<Architecture> readBert(const ConfigReader& config, const TensorSource& source);  ///< BERT, RoBERTa

/// Throws Error{UnsupportedFeature} when no family knows the names.
Architecture readArchitecture(const io::ModelConfig& config, const TensorSource& source, ImageSize size);

} // namespace tamis::nn

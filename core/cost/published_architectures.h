// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Well-known architectures as their authors published them: to check the cost model by, and as shapes for benches.
#include "core/nn/model_spec.h"

#include <cstdint>

namespace tamis::cost {

/// ViT / DeiT with a class token, biases everywhere and GELU. `classes` 0: no head.
nn::ModelSpec visionTransformer(std::int64_t width, std::int64_t depth, std::int64_t heads, std::int64_t patch,
                                std::int64_t image = 224, std::int64_t classes = 1000);

nn::ModelSpec deitTiny16();  ///< also ViT-Ti/16
nn::ModelSpec deitSmall16(); ///< also ViT-S/16
nn::ModelSpec vitBase16(std::int64_t image = 224); ///< also DeiT-B
nn::ModelSpec vitBase32();
nn::ModelSpec vitLarge16();
nn::ModelSpec vitHuge14();
nn::ModelSpec deitTinyDistilled16();
nn::ModelSpec deitSmallDistilled16();
nn::ModelSpec deitBaseDistilled16();
nn::ModelSpec dinov2Small14(); ///< LayerScale, trained at 518 x 518; without the mask token, which only training uses
nn::ModelSpec clipVisionBase32(); ///< the image tower, without the projection

nn::ModelSpec swinTiny();
nn::ModelSpec swinSmall();
nn::ModelSpec swinBase();

/// LLaMA's shape: RMSNorm, SwiGLU, rotary positions, no biases, causal, head not tied.
nn::ModelSpec llamaLike(std::int64_t vocabulary, std::int64_t width, std::int64_t depth, std::int64_t heads, std::int64_t keyValueHeads,
                        std::int64_t hidden, std::int64_t positions);

nn::ModelSpec llama2With7B();
nn::ModelSpec llama2With13B();
nn::ModelSpec llama3With8B();
nn::ModelSpec tinyLlama1B();
nn::ModelSpec mistral7B(); ///< v0.1: sliding window of 4,096
nn::ModelSpec qwen2With0_5B();
nn::ModelSpec qwen3With0_6B();

nn::ModelSpec gpt2();
nn::ModelSpec gpt2Medium();
nn::ModelSpec gpt2Xl();
nn::ModelSpec opt125M();
nn::ModelSpec opt350M(); ///< embeddings narrower than the model, norms after the branches
nn::ModelSpec bertBase(); ///< BertModel: with the pooler, no head
nn::ModelSpec bertBaseMasked(); ///< BertForMaskedLM: its head shares the embedding's matrix
nn::ModelSpec bertLarge();

} // namespace tamis::cost

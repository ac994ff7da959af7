// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which families of autoencoder files there are, and what their files leave open.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io
{

enum class SaeFormat {
    Sparsify,           ///< EleutherAI: cfg.json, sae.safetensors
    SaeLens,            ///< cfg.json, sae_weights.safetensors
    OpenAi,             ///< openai/sparse_autoencoder: one .pt
    DictionaryLearning, ///< saprmarks/dictionary_learning: config.json, ae.pt
    GemmaScope,         ///< params.npz
    LlamaScope          ///< OpenMOSS: hyperparams.json with checkpoints/, or config.json with sae_weights.safetensors
};
/// "sparsify", "saelens", "openai", "dictionary-learning", "gemma-scope", "llama-scope".
std::string_view saeFormatName(SaeFormat format) noexcept;

/// AsStated: what the file says, or where it says nothing, what the library that writes it does; a note tells which.
enum class SaeChoice { AsStated, Yes, No };

/// The switches of what files leave open. What was assumed is in SparseAutoencoder::notes.
struct SaeReadOptions {
    /// OpenAI: the input passes a layer norm. The file does not say; as stated: where the activation is TopK.
    SaeChoice layerNorm = SaeChoice::AsStated;
    /// Gemma Scope: trained on embeddings times sqrt(D), so encoder rows are divided and decoder rows multiplied by it.
    /// As stated: where the path has "embedding" in it.
    SaeChoice embedding = SaeChoice::AsStated;
    /// Llama Scope, normalised by the data set: inputs are to be scaled to the average norm sqrt(D). No: the weights
    /// are taken for inputs as they are.
    SaeChoice inputScaling = SaeChoice::AsStated;
    /// Llama Scope: latents are selected by their value times the length of their decoder row. dictionary_learning:
    /// values are multiplied by that length (reconstructions are the same).
    SaeChoice decoderNorms = SaeChoice::AsStated;
    /// Llama Scope, normalised by the data set: thresholds count in the units of the inputs as they are, not of the
    /// scaled ones.
    bool thresholdOfRawInputs = false;
    /// Autoencoders trained with BatchTopK (and JumpReLU of Llama Scope): the k largest of every token instead of those
    /// above the threshold.
    bool perTokenTopK = false;
    /// SAELens's expected_average_only_in and Llama Scope's data set norm: the number that inputs are multiplied by,
    /// before what the files say of it. 1: it is in the weights already.
    std::optional<double> inputScale;
};

/// Sets one switch from "name=value", as the command line has it: layer-norm, embedding, input-scaling, decoder-norms
/// (yes, no, stated), raw-threshold, per-token-topk (yes, no), input-scale (a number above 0). Throws
/// Error{InvalidParameter} naming what there is.
void setSaeReadOption(SaeReadOptions& options, std::string_view assignment);

} // namespace tamis::io

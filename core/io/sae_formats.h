// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How each family of files becomes io::SparseAutoencoder, one function a family. Used by sae_checkpoint.cpp only.
#include "core/io/sae_checkpoint.h"
#include "core/io/sae_tensors.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io
{

struct SaeFiles {
    SaeFormat format = SaeFormat::SaeLens;
    std::filesystem::path weights, config; ///< no config for OpenAi and GemmaScope
};

SparseAutoencoder readSparsify(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context);
SparseAutoencoder readSaeLens(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context);
SparseAutoencoder readOpenAi(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context);
SparseAutoencoder readDictionaryLearning(const SaeFiles& files, const SaeReadOptions& options,
                                         const RunContext& context);
SparseAutoencoder readGemmaScope(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context);
SparseAutoencoder readLlamaScope(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context);

/// Sizes from the encoder's shape ([M, D], or [D, M] unless `latentsFirst`), held against what the configuration
/// states, and k against M. `configFile` is the subject of what disagrees. Throws Error{MalformedFile, LimitExceeded}.
void settleSizes(const SaeTensors& tensors, std::string_view encoder, bool latentsFirst, SaeConfig& config,
                 const std::string& configFile);

/// Notes the keys of a configuration that nothing is known of.
void noteUnknownKeys(SparseAutoencoder& autoencoder, const std::vector<std::string>& quotedKeys, std::string_view file);
/// Notes the tensors that were not read, but for those of no effect on codes and reconstructions.
void noteUnusedTensors(SparseAutoencoder& autoencoder, const SaeTensors& tensors,
                       const std::vector<std::string_view>& harmless = {});

/// Whether a switch is on, where the file alone would have it `stated`.
inline bool chosen(SaeChoice choice, bool stated)
{
    return choice == SaeChoice::AsStated ? stated : choice == SaeChoice::Yes;
}

} // namespace tamis::io

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a sparse autoencoder's files hold, for `inspect`.
#include "core/io/sae_checkpoint.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace tamis::cli {

/// {"format", "width", "latents", "k" (null where it does not count), "activation", "normalisation",
/// "subtractsDecoderBias", "transcodes", "skips", "valuesApartFromScores", "model", "site", "notes"}
nlohmann::ordered_json autoencoderJson(const io::SparseAutoencoder& autoencoder);

/// The same as lines of text, the notes below.
std::string describedAutoencoder(const io::SparseAutoencoder& autoencoder);

} // namespace tamis::cli

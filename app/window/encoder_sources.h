// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the encoder tab works on: the autoencoder, and tokens to measure on and to fit to. Read on workers, never on the window's thread.
#include "core/base/run_context.h"
#include "core/io/sae_checkpoint.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace tamis::app {

/// Where the lab's inputs lie. Empty tokens: those beside the autoencoder; empty calibration: a half of the tokens.
struct EncoderPaths {
    std::filesystem::path autoencoder, tokens, calibration;
    bool operator==(const EncoderPaths&) const = default;
};

/// What was opened, immutable: rows as they are in the files, at most kMostTokens to measure on and kMostFitted to fit to.
struct EncoderSources {
    EncoderPaths paths;           ///< as asked for
    std::filesystem::path tokens; ///< that were read; empty: there are none
    std::shared_ptr<const io::SparseAutoencoder> autoencoder;
    tensor::Matrix<float> measured, fitted;
    bool halved = false;       ///< one file: its first half is fitted to, its second measured
    std::int64_t rows = 0;     ///< in the token file
    std::int64_t ownK = 0;     ///< of a TopK autoencoder; else what the lab takes
    static constexpr std::int64_t kMostTokens = 4096, kMostFitted = 16384;
};
using SourcesPointer = std::shared_ptr<const EncoderSources>;

/// heldout.npy in the autoencoder's folder or above it, or there a <name>.heldout.npy whose name the folders' names begin with. Empty:
/// none.
std::filesystem::path tokensBeside(const std::filesystem::path& autoencoder);
/// Throws what reading throws, and Error{InvalidParameter} where there are no tokens or too few to halve.
SourcesPointer openEncoderSources(const EncoderPaths& paths, const RunContext& context);

/// At most `most` of the rows from `first` to `end`, evenly spread.
tensor::Matrix<float> someRows(const tensor::Matrix<float>& all, std::int64_t first, std::int64_t end, std::int64_t most);

} // namespace tamis::app

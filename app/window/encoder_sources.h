// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the encoder tab works on: the autoencoder, and tokens to measure on and to fit to. Read on workers, never on the window's thread.
#include "app/session/session_state.h"
#include "app/window/model_work.h"
#include "core/base/run_context.h"
#include "core/io/sae_checkpoint.h"
#include "core/report/encoder_tokens.h"
#include "core/tensor/matrix.h"

#include <QImage>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// Where the lab's inputs lie. What is empty is found: the tokens beside the autoencoder, the photos or the text that are at hand, the site and
/// the block that the autoencoder names; calibration: a half of the tokens.
struct EncoderPaths {
    std::filesystem::path autoencoder, tokens, calibration;
    TokenOrigin origin = TokenOrigin::Rows;
    std::string site; ///< of the calibration set
    int block = -1;   ///< after which the model's tokens are taken
    std::vector<std::string> assumed; ///< "name=value": what the autoencoder's files leave open
    bool operator==(const EncoderPaths&) const = default;
};
EncoderPaths pathsOf(const EncoderChoice& choice);
/// The origins that need the model that is open.
inline bool readsModel(TokenOrigin origin) { return origin != TokenOrigin::Rows; }

/// What is open beside the autoencoder, for tokens to come from.
struct TokenSurroundings {
    std::shared_ptr<RunnableModel> model; ///< null: none is open
    std::filesystem::path photos, text;   ///< taken where the paths name none; empty: there are none
};

/// What was opened, immutable: rows as they are where the autoencoder reads. No row is both measured and fitted to. Photos and texts are
/// measured whole, so that there may be somewhat more than kMostTokens.
struct EncoderSources {
    EncoderPaths paths;           ///< as asked for, with what was found for an origin that reads the model
    std::filesystem::path tokens; ///< that were read: a file, a folder of photos, the calibration set
    std::shared_ptr<const io::SparseAutoencoder> autoencoder;
    tensor::Matrix<float> measured, fitted; ///< `fitted` may be empty: there is one sample only
    bool halved = false;       ///< one source: a half of it is fitted to, the other measured
    std::int64_t rows = 0;     ///< in the token file; tokens of all samples that were run
    std::int64_t ownK = 0;     ///< of a TopK autoencoder; else what the lab takes
    std::string measuredOn, fittedTo; ///< in words: "10 photos of photos, after block 3 of vit20"; fittedTo is empty where nothing is
    std::filesystem::path model;      ///< whose rows these are; empty: rows of a file
    std::shared_ptr<const report::TokenPlaces> places; ///< photos and texts; null: nothing is known of where rows come from
    std::vector<QImage> photos;       ///< what the model sees, as many as places->samples; empty for texts
    std::vector<std::string> sites;   ///< of the calibration set, as wide as the autoencoder reads
    int blocks = 0;                   ///< of the model that was run
    static constexpr std::int64_t kMostTokens = 4096, kMostFitted = 16384;
};
using SourcesPointer = std::shared_ptr<const EncoderSources>;

/// heldout.npy in the autoencoder's folder or above it, or there a <name>.heldout.npy whose name the folders' names begin with. Empty:
/// none.
std::filesystem::path tokensBeside(const std::filesystem::path& autoencoder);
/// The block after which an autoencoder reads, by the hook or the folders that name it: "blocks.3.hook_resid_post", "layers.3", "block3"; of
/// "hook_resid_pre" the one before. Nothing: no name says so, or the site is no residual stream.
std::optional<int> blockNamed(const std::string& site, const std::filesystem::path& autoencoder);
/// Throws what reading and running the model throw, and Error{InvalidParameter} where there are no tokens, too few to halve, no model that
/// the origin needs, no site that fits, or the same rows to measure on and to fit to.
SourcesPointer openEncoderSources(const EncoderPaths& paths, const RunContext& context, const TokenSurroundings& surroundings = {});

/// At most `most` of the rows from `first` to `end`, evenly spread.
tensor::Matrix<float> someRows(const tensor::Matrix<float>& all, std::int64_t first, std::int64_t end, std::int64_t most);

} // namespace tamis::app

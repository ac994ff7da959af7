// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A bundled autoencoder cut down to few latents, for tests that build every method.
#include "core/io/sae_checkpoint.h"

#include <algorithm>
#include <filesystem>

namespace tamis::app::test {

/// Writes the first `latents` of vit20's with k = 16 into `folder`/cut, with its tokens beside it; returns that directory.
inline std::filesystem::path writeCutAutoencoder(const std::filesystem::path& folder, std::int64_t latents = 192)
{
    const std::filesystem::path saes = std::filesystem::canonical(TAMIS_SOURCE_DIR "/datasets/sae");
    auto cut = io::readSparseAutoencoder(saes / "vit20.block3.k16" / "sparsify");
    const auto first = [latents](const tensor::Matrix<float>& all) {
        tensor::Matrix<float> some(latents, all.cols());
        std::copy_n(all.data(), some.size(), some.data());
        return some;
    };
    cut.encoder = first(cut.encoder);
    cut.decoder = first(cut.decoder);
    cut.encoderBias.resize(static_cast<std::size_t>(latents));
    cut.config.latents = latents;
    const auto directory = folder / "cut";
    io::writeSparseAutoencoder(directory, cut, io::SaeLayout::Sparsify);
    std::filesystem::copy_file(saes / "vit20.block3.heldout.npy", directory / "heldout.npy", std::filesystem::copy_options::overwrite_existing);
    return directory;
}

} // namespace tamis::app::test

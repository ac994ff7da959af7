// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The bundled autoencoders and the activations that were kept apart for them.
#include "core/encoder/dictionary.h"
#include "core/io/npy.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

namespace tamis::test {

inline std::shared_ptr<const encoder::Dictionary> bundledDictionary(const std::string& name)
{
    const std::filesystem::path path = std::filesystem::path(TAMIS_SOURCE_DIR "/datasets/sae") / name;
    return encoder::Dictionary::of(std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(path)));
}

/// Rows [first, first + count) of datasets/sae/<model>.block3.heldout.npy.
inline tensor::Matrix<float> bundledRows(const std::string& model, std::int64_t first, std::int64_t count)
{
    const auto all = io::readNpy(std::filesystem::path(TAMIS_SOURCE_DIR "/datasets/sae") / (model + ".block3.heldout.npy")).toFloatMatrix();
    tensor::Matrix<float> rows(count, all.cols());
    std::copy_n(all.data() + first * all.cols(), rows.size(), rows.data());
    return rows;
}

} // namespace tamis::test

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the bundled workspace (small real models and photos) is on this machine.
#include <filesystem>

namespace tamis::app {

/// The datasets directory: $TAMIS_DATASETS, else ../share/tamis/datasets beside the running program, else the source tree
/// it was built from. Throws Error{IoFailure} naming the places when none of them holds vit20, or when $TAMIS_DATASETS is
/// set and does not.
std::filesystem::path bundledDatasets();

std::filesystem::path bundledModel();       ///< bundledDatasets() / vit20
std::filesystem::path bundledCalibration(); ///< its calibration set
std::filesystem::path bundledPhotos();      ///< photos, with LICENCES.tsv

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>

namespace tamis::encoder {

/// Activations as rows of a .npy [rows, width], as they are (not prepared). Throws Error{InvalidParameter} for another shape or no row,
/// Error{NonFinite} naming the first row that holds no numbers, and what io::readNpy throws; the subject is the file.
tensor::Matrix<float> readActivations(const std::filesystem::path& file, std::int64_t width, const RunContext& context = {});

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/activation_rows.h"

#include "core/base/error.h"
#include "core/io/npy.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::encoder {

tensor::Matrix<float> readActivations(const std::filesystem::path& file, std::int64_t width, const RunContext& context)
{
    const io::NpyHeader header = io::readNpyHeader(file);
    const std::string subject = file.string();
    std::string shape;
    for (const std::int64_t size : header.shape)
        shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    if (header.shape.size() != 2 || header.shape[1] != width || header.shape[0] < 1)
        throw Error(ErrorCode::InvalidParameter,
                    "found an array of shape [" + shape + "], expected [rows, " + std::to_string(width) + "], one row a token as wide as the autoencoder", subject);
    context.throwIfStopped();
    tensor::Matrix<float> rows = io::readNpy(file).toFloatMatrix();
    for (std::int64_t t = 0; t < rows.rows(); ++t)
        if (!std::ranges::all_of(rows.view().row(t), [](float value) { return std::isfinite(value); }))
            throw Error(ErrorCode::NonFinite, "row " + std::to_string(t) + " holds a value that is no finite number, expected finite activations", subject);
    context.finish();
    return rows;
}

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/round_to_nearest.h"

#include "core/base/error.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/targets.h"
#include "core/plan/model_cost.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

namespace tamis::lowrank {
namespace {

double asFloat16(double value)
{
    std::array<std::byte, 2> stored{};
    tensor::encode(tensor::DType::F16, std::span<const double>(&value, 1), stored);
    double back = 0;
    tensor::decode(tensor::DType::F16, stored, std::span<double>(&back, 1));
    return back;
}

} // namespace

tensor::Matrix<double> roundToNearest(const tensor::Matrix<double>& w, int bits)
{
    if (bits != 8 && bits != 4)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(bits) + " bits, expected 8 or 4", "round-to-nearest");
    const double levels = (1 << (bits - 1)) - 1;
    tensor::Matrix<double> q(w.rows(), w.cols());
    for (std::int64_t i = 0; i < w.rows(); ++i) {
        double largest = 0;
        for (std::int64_t j = 0; j < w.cols(); ++j)
            largest = std::max(largest, std::abs(w(i, j)));
        const double scale = asFloat16(largest / levels);
        if (scale <= 0) // a row of zeros, or below float16's range
            continue;
        for (std::int64_t j = 0; j < w.cols(); ++j)
            q(i, j) = scale * std::clamp(std::nearbyint(w(i, j) / scale), -levels, levels);
    }
    return q;
}

std::uint64_t roundToNearestBytes(std::int64_t m, std::int64_t n, int bits) noexcept
{
    return static_cast<std::uint64_t>(m * ((n * bits + 7) / 8) + 2 * m);
}

Compression roundedModel(const Inputs& inputs, int bits, const RunContext& context)
{
    Compression compression;
    auto& report = compression.report;
    report.method = "round-to-nearest";
    report.baselineCost = report.cost = plan::modelCost(*inputs.checkpoint);
    const auto chosen = targets(inputs, report.warnings, context);
    context.setParts(static_cast<double>(chosen.size()));
    for (const io::MatrixRef* matrix : chosen) {
        context.throwIfStopped();
        const auto op = nn::denseOp(rounded(roundToNearest(inputs.checkpoint->readMatrixDouble(*matrix), bits)).view(), inputs.model->find(matrix->name)->op->bias());
        std::optional<io::CalibrationSite> site;
        if (inputs.calibration)
            site = inputs.calibration->read(matrix->name);
        auto measured = measureOperator(*inputs.checkpoint, *matrix, op.get(), site ? &*site : nullptr, context.part(1, matrix->name));
        measured.layout = std::to_string(bits) + "-bit";
        measured.cost.bytes = roundToNearestBytes(matrix->rows, matrix->cols, bits);
        const auto* entry = inputs.checkpoint->find(matrix->tensor);
        const std::uint64_t before = entry ? entry->bytes : measured.denseCost.bytes;
        report.cost.bytes = report.cost.bytes - before + measured.cost.bytes;
        compression.operators.push_back({matrix->name, op, measured});
        report.matrices.push_back(std::move(measured));
    }
    return compression;
}

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/gemm.h"
#include "core/lowrank/junction.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

const io::MatrixRef* reader(const Inputs& inputs, const io::MatrixRef& matrix)
{
    using io::Role;
    const bool mlp = matrix.role == Role::Up || matrix.role == Role::Gate;
    if (!mlp && matrix.role != Role::Value)
        return nullptr;
    const Role wanted = mlp ? Role::Down : Role::Output;
    for (const io::MatrixRef& each : inputs.checkpoint->layout().matrices)
        if (each.role == wanted && each.layer == matrix.layer && each.linear)
            return &each;
    return nullptr;
}

/// Heads that read value head g: consecutive groups of heads share one (grouped-query attention). 0: shapes say nothing.
std::int64_t sharing(const Inputs& inputs, const io::MatrixRef& matrix, const io::MatrixRef& next)
{
    if (next.cols == matrix.rows)
        return 1;
    const auto layer = static_cast<std::size_t>(std::max(matrix.layer, 0));
    if (matrix.role != io::Role::Value || !inputs.model || layer >= inputs.model->blocks().size())
        return 0;
    const auto& attention = inputs.model->blocks()[layer].spec.attention;
    const bool fits = attention.keyValueHeads > 0 && attention.heads % attention.keyValueHeads == 0 && attention.keyValueHeads * attention.headDim == matrix.rows &&
                      attention.heads * attention.headDim == next.cols;
    return fits ? attention.heads / attention.keyValueHeads : 0;
}
} // namespace

Matrix<double> nextMetric(const Inputs& inputs, const io::MatrixRef& matrix, const io::CalibrationSite& site, std::string& words, const RunContext& context)
{
    const io::MatrixRef* next = reader(inputs, matrix);
    const std::int64_t shared = next ? sharing(inputs, matrix, *next) : 0;
    if (shared > 0) {
        words = next->name;
        const Matrix<double> n = inputs.checkpoint->readMatrixDouble(*next);
        const Matrix<double> whole = linalg::gram(n.view(), linalg::Side::Columns, context);
        if (shared == 1)
            return whole;
        // Head h reads value head h / shared: what several heads read of one value head adds up (a bound: their maps differ).
        Matrix<double> metric(matrix.rows, matrix.rows);
        const std::int64_t width = inputs.model->blocks()[static_cast<std::size_t>(matrix.layer)].spec.attention.headDim;
        for (std::int64_t head = 0; head < whole.rows() / width; ++head)
            for (std::int64_t i = 0; i < width; ++i)
                for (std::int64_t j = 0; j < width; ++j)
                    metric(head / shared * width + i, head / shared * width + j) += whole(head * width + i, head * width + j);
        return metric;
    }
    if (static_cast<std::int64_t>(site.outputGradSq.size()) == matrix.rows && *std::ranges::max_element(site.outputGradSq) > 0) {
        words = "the mean-squared output gradients";
        Matrix<double> metric(matrix.rows, matrix.rows);
        for (std::int64_t i = 0; i < matrix.rows; ++i)
            metric(i, i) = site.outputGradSq[static_cast<std::size_t>(i)];
        return metric;
    }
    words = "the outputs as they are";
    return {};
}

} // namespace tamis::lowrank

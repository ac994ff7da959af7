// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/float_product.h"

#include "core/base/error.h"

#include <cblas.h>

#include <algorithm>
#include <string>

namespace tamis::linalg {

void floatProduct(Turn turnA, Turn turnB, float alpha, tensor::MatrixView<const float> a, tensor::MatrixView<const float> b, float beta, tensor::MatrixView<float> c)
{
    const std::int64_t rows = turnA == Turn::None ? a.rows : a.cols, inner = turnA == Turn::None ? a.cols : a.rows;
    const std::int64_t innerB = turnB == Turn::None ? b.rows : b.cols, cols = turnB == Turn::None ? b.cols : b.rows;
    if (rows != c.rows || cols != c.cols || inner != innerB)
        throw Error(ErrorCode::InvalidParameter, "found a product of [" + std::to_string(rows) + ", " + std::to_string(inner) + "] and [" + std::to_string(innerB) + ", " + std::to_string(cols)
                                                     + "] for [" + std::to_string(c.rows) + ", " + std::to_string(c.cols) + "], expected shapes that agree");
    if (rows == 0 || cols == 0)
        return;
    const auto turned = [](Turn turn) { return turn == Turn::None ? CblasNoTrans : CblasTrans; };
    const auto size = [](std::int64_t value) { return static_cast<blasint>(std::max<std::int64_t>(value, 1)); };
    cblas_sgemm(CblasRowMajor, turned(turnA), turned(turnB), static_cast<blasint>(rows), static_cast<blasint>(cols), static_cast<blasint>(inner), alpha, a.data, size(a.stride), b.data,
                size(b.stride), beta, c.data, size(c.stride));
}

void floatProduct(const RunContext& context, Turn turnA, Turn turnB, float alpha, tensor::MatrixView<const float> a, tensor::MatrixView<const float> b, float beta, tensor::MatrixView<float> c)
{
    constexpr double kMacs = 1 << 27; // some 3 ms of one core
    const bool turned = turnA == Turn::Transpose;
    const std::int64_t rows = turned ? a.cols : a.rows, inner = turned ? a.rows : a.cols;
    if (rows != c.rows)
        return floatProduct(turnA, turnB, alpha, a, b, beta, c); // which throws
    const auto most = static_cast<std::int64_t>(std::max(1.0, kMacs / std::max(1.0, static_cast<double>(inner) * static_cast<double>(c.cols))));
    for (std::int64_t first = 0; first < rows; first += most) {
        context.throwIfStopped();
        const std::int64_t count = std::min(most, rows - first);
        floatProduct(turnA, turnB, alpha, turned ? tensor::MatrixView<const float>{a.data + first, a.rows, count, a.stride} : tensor::MatrixView<const float>{a.data + first * a.stride, count, a.cols, a.stride}, b,
                     beta, {c.data + first * c.stride, count, c.cols, c.stride});
    }
}

} // namespace tamis::linalg

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

} // namespace tamis::linalg

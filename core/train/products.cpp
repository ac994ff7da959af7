// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/products.h"

#include "core/base/error.h"

#include <cblas.h>

#include <limits>
#include <string>

namespace tamis::train {
namespace {
int side(std::int64_t length)
{
    if (length > std::numeric_limits<int>::max())
        throw Error(ErrorCode::LimitExceeded, "a matrix side of " + std::to_string(length) + " was given, at most 2147483647 can be multiplied");
    return static_cast<int>(length);
}
CBLAS_TRANSPOSE blas(Op op) { return op == Op::None ? CblasNoTrans : CblasTrans; }
int leading(std::int64_t stride) { return side(std::max<std::int64_t>(1, stride)); }

template <class T> void scaleRows(T beta, tensor::MatrixView<T> c)
{
    for (std::int64_t i = 0; i < c.rows; ++i)
        for (T& value : c.row(i))
            value = beta == T{0} ? T{0} : beta * value;
}
} // namespace

void multiply(Op opA, Op opB, float alpha, tensor::MatrixView<const float> a, tensor::MatrixView<const float> b, float beta, tensor::MatrixView<float> c)
{
    const std::int64_t inner = opA == Op::None ? a.cols : a.rows;
    if (c.rows == 0 || c.cols == 0)
        return;
    if (inner == 0)
        return scaleRows(beta, c);
    cblas_sgemm(CblasRowMajor, blas(opA), blas(opB), side(c.rows), side(c.cols), side(inner), alpha, a.data, leading(a.stride), b.data,
                leading(b.stride), beta, c.data, leading(c.stride));
}

void multiply(Op opA, Op opB, double alpha, tensor::MatrixView<const double> a, tensor::MatrixView<const double> b, double beta, tensor::MatrixView<double> c)
{
    const std::int64_t inner = opA == Op::None ? a.cols : a.rows;
    if (c.rows == 0 || c.cols == 0)
        return;
    if (inner == 0)
        return scaleRows(beta, c);
    cblas_dgemm(CblasRowMajor, blas(opA), blas(opB), side(c.rows), side(c.cols), side(inner), alpha, a.data, leading(a.stride), b.data,
                leading(b.stride), beta, c.data, leading(c.stride));
}

} // namespace tamis::train

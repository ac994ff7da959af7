// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/tridiagonal.h"

#include "core/base/error.h"
#include "core/linalg/tiles.h"

#include <cblas.h>
#include <lapack.h>

#include <algorithm>
#include <cmath>

namespace tamis::linalg {
namespace {
/// Sides for which values come by way of a band matrix (LAPACK's two stages): some 7 % less than one stage at 1024 (more at 512), because
/// the first stage is products and not passes over memory; one call of at most some 70 ms, so that a stop is seen in time.
constexpr std::int64_t kTwoStageFrom = 768, kTwoStageTo = 1100;
constexpr std::int64_t kPanel = 32;
constexpr std::int64_t kWhole = 1024;     // trailing matrices up to here are updated by one task
constexpr std::int64_t kTile = 512;       // of the trailing update
constexpr std::int64_t kStripColumns = 256, kStripRows = 512; // of a matrix-vector product: 1 MiB, read twice from L2

/// y = A x for the lower triangle of column-major A [n, n]: strips of columns, each into its own partial sum.
class SymmetricProduct {
public:
    explicit SymmetricProduct(std::int64_t n) : m_partial(n > kWhole ? static_cast<std::size_t>(tileCount(n, kStripColumns) * n) : 0) {}

    void operator()(std::int64_t n, const double* a, std::int64_t stride, const double* x, double* y, const RunContext& context)
    {
        if (n <= kWhole) {
            cblas_dsymv(CblasColMajor, CblasLower, toInt(n), 1.0, a, toInt(stride), x, 1, 0.0, y, 1);
            return;
        }
        const std::int64_t strips = tileCount(n, kStripColumns);
        forTiles(context, strips, [&](std::int64_t s) { strip(tileRange(n, kStripColumns, s), n, a, stride, x, m_partial.data() + s * n); });
        std::fill_n(y, n, 0.0);
        for (std::int64_t s = 0; s < strips; ++s) {
            const std::int64_t top = s * kStripColumns;
            cblas_daxpy(toInt(n - top), 1.0, m_partial.data() + s * n + top, 1, y + top, 1);
        }
    }

private:
    static void strip(TileRange columns, std::int64_t n, const double* a, std::int64_t stride, const double* x, double* sum)
    {
        const int width = toInt(columns.size()), ld = toInt(stride);
        const double* diagonal = a + columns.begin * stride + columns.begin;
        cblas_dsymv(CblasColMajor, CblasLower, width, 1.0, diagonal, ld, x + columns.begin, 1, 0.0, sum + columns.begin, 1);
        for (std::int64_t row = columns.end; row < n; row += kStripRows) {
            const int height = toInt(std::min(kStripRows, n - row));
            const double* block = a + columns.begin * stride + row;
            cblas_dgemv(CblasColMajor, CblasNoTrans, height, width, 1.0, block, ld, x + columns.begin, 1, 0.0, sum + row, 1);
            cblas_dgemv(CblasColMajor, CblasTrans, height, width, 1.0, block, ld, x + row, 1, 1.0, sum + columns.begin, 1);
        }
    }
    std::vector<double> m_partial;
};

/// The state of one reduction; column-major lower triangle.
class Reduction {
public:
    Reduction(tensor::MatrixView<double> a, Tridiagonal& result, const RunContext& context)
        : m_a(a.data), m_stride(a.stride), m_n(a.rows), m_w(static_cast<std::size_t>(a.rows * kPanel)), m_product(a.rows),
          m_result(result), m_context(context)
    {
    }
    void run()
    {
        for (std::int64_t first = 0; first < m_n; first += kPanel) {
            const std::int64_t count = std::min(kPanel, m_n - first);
            for (std::int64_t j = 0; j < count; ++j) {
                m_context.throwIfStopped();
                column(first, j);
            }
            updateTrailing(first, count);
            for (std::int64_t i = first; i < first + count; ++i) {
                if (i + 1 < m_n)
                    *at(i + 1, i) = m_result.offDiagonal[static_cast<std::size_t>(i)];
                m_result.diagonal[static_cast<std::size_t>(i)] = *at(i, i);
            }
            const double left = 1.0 - static_cast<double>(first + count) / static_cast<double>(m_n);
            m_context.setFraction(std::min(0.999, 1.0 - left * left * left));
        }
    }

private:
    double* at(std::int64_t row, std::int64_t column) { return m_a + column * m_stride + row; }
    double* w(std::int64_t row, std::int64_t column) { return m_w.data() + column * m_n + row; }

    /// Brings column first + j up to date, makes its reflector and its column of W (LAPACK dlatrd, lower).
    void column(std::int64_t first, std::int64_t j)
    {
        const std::int64_t i = first + j;
        const int ld = toInt(m_stride), ldw = toInt(m_n), count = toInt(j), height = toInt(m_n - i);
        cblas_dgemv(CblasColMajor, CblasNoTrans, height, count, -1.0, at(i, first), ld, w(i, 0), ldw, 1.0, at(i, i), 1);
        cblas_dgemv(CblasColMajor, CblasNoTrans, height, count, -1.0, w(i, 0), ldw, at(i, first), ld, 1.0, at(i, i), 1);
        const int below = height - 1;
        if (below == 0)
            return;
        double* v = at(i + 1, i);
        double& tau = m_result.tau[static_cast<std::size_t>(i)];
        const int one = 1;
        LAPACK_dlarfg(&below, v, at(std::min(i + 2, m_n - 1), i), &one, &tau);
        m_result.offDiagonal[static_cast<std::size_t>(i)] = *v;
        *v = 1.0;
        double* y = w(i + 1, j);
        m_product(below, at(i + 1, i + 1), m_stride, v, y, m_context);
        double* head = w(first, j); // rows first .. first + j of this column of W are free: scratch for j numbers
        cblas_dgemv(CblasColMajor, CblasTrans, below, count, 1.0, w(i + 1, 0), ldw, v, 1, 0.0, head, 1);
        cblas_dgemv(CblasColMajor, CblasNoTrans, below, count, -1.0, at(i + 1, first), ld, head, 1, 1.0, y, 1);
        cblas_dgemv(CblasColMajor, CblasTrans, below, count, 1.0, at(i + 1, first), ld, v, 1, 0.0, head, 1);
        cblas_dgemv(CblasColMajor, CblasNoTrans, below, count, -1.0, w(i + 1, 0), ldw, head, 1, 1.0, y, 1);
        cblas_dscal(below, tau, y, 1);
        cblas_daxpy(below, -0.5 * tau * cblas_ddot(below, y, 1, v, 1), v, 1, y, 1);
    }

    /// A -= V W^T + W V^T on what stands right of and below the panel.
    void updateTrailing(std::int64_t first, std::int64_t count)
    {
        const std::int64_t top = first + count, size = m_n - top, tile = size <= kWhole ? std::max<std::int64_t>(size, 1) : kTile;
        const std::int64_t tiles = tileCount(size, tile);
        const int ld = toInt(m_stride), ldw = toInt(m_n), depth = toInt(count);
        forTiles(m_context, tiles * (tiles + 1) / 2, [&](std::int64_t index) {
            const TrianglePosition position = trianglePosition(tiles, index); // column <= row in the lower triangle
            const TileRange columns = tileRange(size, tile, position.row), rows = tileRange(size, tile, position.column);
            const std::int64_t r = top + rows.begin, c = top + columns.begin;
            const int height = toInt(rows.size()), width = toInt(columns.size());
            if (r == c) {
                cblas_dsyr2k(CblasColMajor, CblasLower, CblasNoTrans, height, depth, -1.0, at(r, first), ld, w(r, 0), ldw, 1.0,
                             at(r, c), ld);
                return;
            }
            cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, height, width, depth, -1.0, at(r, first), ld, w(c, 0), ldw, 1.0,
                        at(r, c), ld);
            cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, height, width, depth, -1.0, w(r, 0), ldw, at(c, first), ld, 1.0,
                        at(r, c), ld);
        });
    }

    double* m_a;
    std::int64_t m_stride, m_n;
    std::vector<double> m_w; // column-major [n, kPanel], rows as in A
    SymmetricProduct m_product;
    Tridiagonal& m_result;
    const RunContext& m_context;
};
} // namespace

Tridiagonal reduceToTridiagonal(tensor::MatrixView<double> a, const RunContext& context)
{
    const auto n = static_cast<std::size_t>(a.rows), links = std::max<std::size_t>(1, n > 0 ? n - 1 : 0);
    Tridiagonal result{std::vector<double>(n), std::vector<double>(links), std::vector<double>(links)};
    if (n > 0)
        Reduction(a, result, context).run();
    return result;
}

Tridiagonal reduceForValues(tensor::MatrixView<double> a, const RunContext& context)
{
    if (a.rows < kTwoStageFrom || a.rows > kTwoStageTo)
        return reduceToTridiagonal(a, context);
    context.throwIfStopped();
    const int n = toInt(a.rows), ld = toInt(a.stride);
    const auto size = static_cast<std::size_t>(n);
    Tridiagonal result{std::vector<double>(size), std::vector<double>(size - 1), {}};
    std::vector<double> tau(size - 1), reflectors(1), work(1);
    int reflectorSize = -1, workSize = -1, status = 0;
    const auto call = [&] {
        LAPACK_dsytrd_2stage("N", "L", &n, a.data, &ld, result.diagonal.data(), result.offDiagonal.data(), tau.data(),
                             reflectors.data(), &reflectorSize, work.data(), &workSize, &status);
    };
    call(); // asks for the sizes
    reflectorSize = static_cast<int>(reflectors[0]);
    workSize = static_cast<int>(work[0]);
    reflectors.resize(static_cast<std::size_t>(reflectorSize));
    work.resize(static_cast<std::size_t>(workSize));
    call();
    context.throwIfStopped();
    return result;
}

std::vector<double> tridiagonalEigenvalues(Tridiagonal matrix, const RunContext& context)
{
    context.throwIfStopped();
    const int n = toInt(static_cast<std::int64_t>(matrix.diagonal.size()));
    int status = 0;
    if (n > 0)
        LAPACK_dsterf(&n, matrix.diagonal.data(), matrix.offDiagonal.data(), &status);
    if (status != 0)
        throw Error(ErrorCode::NonFinite, "the QL iteration left " + std::to_string(status) + " off-diagonal elements of " +
                                              std::to_string(n) + " unconverged");
    return std::move(matrix.diagonal);
}

} // namespace tamis::linalg

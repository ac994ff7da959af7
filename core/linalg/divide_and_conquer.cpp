// SPDX-License-Identifier: GPL-3.0-or-later
// Divide and conquer for the symmetric tridiagonal eigenproblem, organised as LAPACK's dlaed0, dlaed1 and dlaed3, with the
// roots of the secular equation and the products of a merge as tiles: they see a stop, and use all threads.
#include "core/base/error.h"
#include "core/linalg/tiles.h"
#include "core/linalg/tridiagonal.h"

#include <cblas.h>
#include <lapack.h>

#include <algorithm>
#include <cmath>

extern "C" {
// LAPACK auxiliaries that lapack.h does not declare.
void dlaed2_(int* k, const int* n, const int* n1, double* d, double* q, const int* ldq, int* indxq, double* rho, double* z,
             double* dlamda, double* w, double* q2, int* indx, int* indxc, int* indxp, int* coltyp, int* info);
void dlaed4_(const int* n, const int* i, const double* d, const double* z, double* delta, const double* rho, double* lambda,
             int* info);
void dlamrg_(const int* n1, const int* n2, const double* a, const int* dtrd1, const int* dtrd2, int* index);
}

namespace tamis::linalg {
namespace {
constexpr std::int64_t kLeaf = 25;      // solved by dsteqr
constexpr std::int64_t kRootTile = 64;  // secular roots a task
constexpr std::int64_t kWidth = 256, kHeight = 512; // of an output tile of a merge

void checkStatus(int status, const char* routine)
{
    if (status != 0)
        throw Error(ErrorCode::NonFinite, std::string("LAPACK's ") + routine + " did not converge (status " +
                                              std::to_string(status) + ")");
}

/// Scratch for the largest merge, made once.
struct Scratch {
    explicit Scratch(std::int64_t n)
        : z(static_cast<std::size_t>(n)), poles(z), weights(z), packed(static_cast<std::size_t>(n * n)),
          coefficients(static_cast<std::size_t>(n * n)), order(static_cast<std::size_t>(n)), compressed(order), deflated(order),
          columnTypes(static_cast<std::size_t>(std::max<std::int64_t>(n, 4)))
    {
    }
    std::vector<double> z, poles, weights, packed, coefficients;
    std::vector<int> order, compressed, deflated, columnTypes;
};

/// Two solved neighbours [0, cut) and [cut, n) at (d, q) become one.
class Merge {
public:
    Merge(std::int64_t n, std::int64_t cut, double* d, double* q, std::int64_t stride, int* sorting, double rho, Scratch& scratch,
          const RunContext& context)
        : m_n(n), m_cut(cut), m_d(d), m_q(q), m_stride(stride), m_sorting(sorting), m_rho(rho), m_scratch(scratch),
          m_context(context)
    {
    }
    void run()
    {
        // z: the last row of Q1 and the first of Q2
        cblas_dcopy(toInt(m_cut), m_q + m_cut - 1, toInt(m_stride), m_scratch.z.data(), 1);
        cblas_dcopy(toInt(m_n - m_cut), m_q + m_cut * m_stride + m_cut, toInt(m_stride), m_scratch.z.data() + m_cut, 1);
        const int n = toInt(m_n), cut = toInt(m_cut), ld = toInt(m_stride);
        int status = 0;
        dlaed2_(&m_k, &n, &cut, m_d, m_q, &ld, m_sorting, &m_rho, m_scratch.z.data(), m_scratch.poles.data(),
                m_scratch.weights.data(), m_scratch.packed.data(), m_scratch.order.data(), m_scratch.compressed.data(),
                m_scratch.deflated.data(), m_scratch.columnTypes.data(), &status);
        checkStatus(status, "dlaed2");
        if (m_k == 0) {
            for (int i = 0; i < n; ++i)
                m_sorting[i] = i + 1;
            return;
        }
        solveSecularEquation();
        if (m_k > 2)
            refineVectors();
        else
            permuteVectors();
        multiply();
        const int solved = m_k, rest = n - m_k, up = 1, down = -1;
        dlamrg_(&solved, &rest, m_d, &up, &down, m_sorting);
    }

private:
    double* column(std::int64_t j) { return m_q + j * m_stride; }

    void solveSecularEquation()
    {
        forTiles(m_context, tileCount(m_k, kRootTile), [&](std::int64_t tile) {
            const TileRange range = tileRange(m_k, kRootTile, tile);
            for (std::int64_t j = range.begin; j < range.end; ++j) {
                const int index = toInt(j + 1);
                int status = 0;
                dlaed4_(&m_k, &index, m_scratch.poles.data(), m_scratch.weights.data(), column(j), &m_rho, m_d + j, &status);
                checkStatus(status, "dlaed4");
            }
        });
    }
    /// Rows from the order of the poles into the order of the packed columns (dlaed4 gives unit vectors for k <= 2).
    void permuteVectors()
    {
        if (m_k < 2)
            return;
        for (int j = 0; j < 2; ++j) {
            const double first[2] = {column(j)[0], column(j)[1]};
            column(j)[0] = first[m_scratch.compressed[0] - 1];
            column(j)[1] = first[m_scratch.compressed[1] - 1];
        }
    }
    /// Gu and Eisenstat: the weights for which the computed roots are exact give orthogonal vectors.
    void refineVectors()
    {
        std::vector<double> refined(static_cast<std::size_t>(m_k));
        const double* poles = m_scratch.poles.data();
        forTiles(m_context, tileCount(m_k, kRootTile), [&](std::int64_t tile) {
            const TileRange rows = tileRange(m_k, kRootTile, tile);
            for (std::int64_t i = rows.begin; i < rows.end; ++i)
                refined[static_cast<std::size_t>(i)] = column(i)[i];
            for (std::int64_t j = 0; j < m_k; ++j)
                for (std::int64_t i = rows.begin; i < rows.end; ++i)
                    if (i != j)
                        refined[static_cast<std::size_t>(i)] *= column(j)[i] / (poles[i] - poles[j]);
            for (std::int64_t i = rows.begin; i < rows.end; ++i) {
                double& weight = refined[static_cast<std::size_t>(i)];
                weight = std::copysign(std::sqrt(-weight), m_scratch.weights[static_cast<std::size_t>(i)]);
            }
        });
        forTiles(m_context, tileCount(m_k, kRootTile), [&](std::int64_t tile) {
            const TileRange columns = tileRange(m_k, kRootTile, tile);
            std::vector<double> vector(static_cast<std::size_t>(m_k));
            for (std::int64_t j = columns.begin; j < columns.end; ++j) {
                for (std::size_t i = 0; i < vector.size(); ++i)
                    vector[i] = refined[i] / column(j)[i];
                const double norm = cblas_dnrm2(m_k, vector.data(), 1);
                for (std::size_t i = 0; i < vector.size(); ++i)
                    column(j)[i] = vector[static_cast<std::size_t>(m_scratch.compressed[i] - 1)] / norm;
            }
        });
    }
    /// Q = [Q11 Q12; Q22 Q23] S: columns of type 1 live in the upper half only, 3 in the lower, 2 in both.
    void multiply()
    {
        const std::int64_t upper = m_cut, lower = m_n - m_cut;
        const std::int64_t type1 = m_scratch.columnTypes[0], type2 = m_scratch.columnTypes[1], type3 = m_scratch.columnTypes[2];
        const std::int64_t inUpper = type1 + type2, inLower = type2 + type3;
        const std::int64_t tilesAcross = tileCount(m_k, kWidth);
        forTiles(m_context, tilesAcross, [&](std::int64_t tile) {
            const TileRange columns = tileRange(m_k, kWidth, tile);
            for (std::int64_t j = columns.begin; j < columns.end; ++j)
                std::copy_n(column(j), m_k, m_scratch.coefficients.data() + j * m_k);
        });
        const std::int64_t tilesUp = tileCount(upper, kHeight), tilesLow = tileCount(lower, kHeight);
        forTiles(m_context, (tilesUp + tilesLow) * tilesAcross, [&](std::int64_t tile) {
            const TileRange columns = tileRange(m_k, kWidth, tile % tilesAcross);
            const std::int64_t down = tile / tilesAcross;
            const double* coefficients = m_scratch.coefficients.data() + columns.begin * m_k;
            if (down < tilesUp)
                multiplyTile(m_scratch.packed.data(), upper, inUpper, tileRange(upper, kHeight, down), coefficients, columns, 0);
            else
                multiplyTile(m_scratch.packed.data() + upper * inUpper, lower, inLower, tileRange(lower, kHeight, down - tilesUp),
                             coefficients + type1, columns, upper);
        });
    }
    void multiplyTile(const double* packed, std::int64_t height, std::int64_t inner, TileRange rows, const double* coefficients,
                      TileRange columns, std::int64_t offset)
    {
        double* target = m_q + columns.begin * m_stride + offset + rows.begin;
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, toInt(rows.size()), toInt(columns.size()), toInt(inner), 1.0,
                    packed + rows.begin, toInt(std::max<std::int64_t>(1, height)), coefficients, m_k, 0.0, target, toInt(m_stride));
    }

    std::int64_t m_n, m_cut;
    double* m_d;
    double* m_q;
    std::int64_t m_stride;
    int* m_sorting;
    double m_rho;
    Scratch& m_scratch;
    const RunContext& m_context;
    int m_k = 0;
};

std::vector<std::int64_t> leafBoundaries(std::int64_t n)
{
    std::vector<std::int64_t> sizes{n};
    while (sizes.back() > kLeaf) {
        std::vector<std::int64_t> halves;
        for (const std::int64_t size : sizes) {
            halves.push_back(size / 2);
            halves.push_back(size - size / 2);
        }
        sizes = std::move(halves);
    }
    std::vector<std::int64_t> boundaries{0};
    for (const std::int64_t size : sizes)
        boundaries.push_back(boundaries.back() + size);
    return boundaries;
}

void solveLeaf(std::int64_t size, double* d, const double* e, double* q, std::int64_t stride, int* sorting)
{
    const int n = toInt(size), ld = toInt(stride);
    int status = 0;
    std::vector<double> links(e, e + std::max<std::int64_t>(size - 1, 0)), work(static_cast<std::size_t>(std::max<std::int64_t>(2 * size, 1)));
    links.resize(static_cast<std::size_t>(size));
    LAPACK_dsteqr("I", &n, d, links.data(), q, &ld, work.data(), &status);
    checkStatus(status, "dsteqr");
    for (int i = 0; i < n; ++i)
        sorting[i] = i + 1;
}

/// Scales to unit norm as dstedc does (the thresholds of the deflation assume it); returns the factor taken out.
double normalise(Tridiagonal& matrix)
{
    double norm = 0;
    for (const double value : matrix.diagonal)
        norm = std::max(norm, std::abs(value));
    for (const double value : matrix.offDiagonal)
        norm = std::max(norm, std::abs(value));
    if (norm == 0)
        return 0;
    for (double& value : matrix.diagonal)
        value /= norm;
    for (double& value : matrix.offDiagonal)
        value /= norm;
    return norm;
}

/// Rows of `vectors` (memory: the columns of the column-major Q) into the order `sorting`, values with them.
void sortPairs(std::vector<double>& values, tensor::MatrixView<double> vectors, const std::vector<int>& sorting)
{
    const std::int64_t n = vectors.rows;
    std::vector<double> sorted(static_cast<std::size_t>(n)), kept(static_cast<std::size_t>(n));
    std::vector<char> placed(static_cast<std::size_t>(n), 0);
    for (std::int64_t i = 0; i < n; ++i)
        sorted[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(sorting[static_cast<std::size_t>(i)] - 1)];
    for (std::int64_t start = 0; start < n; ++start) { // cycle by cycle, in place
        if (placed[static_cast<std::size_t>(start)])
            continue;
        std::copy_n(vectors.row(start).data(), n, kept.data());
        std::int64_t to = start;
        for (;;) {
            placed[static_cast<std::size_t>(to)] = 1;
            const std::int64_t from = sorting[static_cast<std::size_t>(to)] - 1;
            if (from == start)
                break;
            std::copy_n(vectors.row(from).data(), n, vectors.row(to).data());
            to = from;
        }
        std::copy_n(kept.data(), n, vectors.row(to).data());
    }
    values = std::move(sorted);
}
} // namespace

std::vector<double> divideAndConquer(Tridiagonal matrix, tensor::MatrixView<double> vectors, const RunContext& context)
{
    const auto n = static_cast<std::int64_t>(matrix.diagonal.size());
    if (n == 0)
        return {};
    for (std::int64_t i = 0; i < n; ++i)
        std::ranges::fill(vectors.row(i), 0.0);
    const double norm = normalise(matrix);
    std::vector<double>& d = matrix.diagonal;
    const std::vector<double>& e = matrix.offDiagonal;
    std::vector<std::int64_t> boundaries = leafBoundaries(n);
    for (std::size_t leaf = 1; leaf + 1 < boundaries.size(); ++leaf) { // rank-one tears
        const auto at = static_cast<std::size_t>(boundaries[leaf]);
        d[at - 1] -= std::abs(e[at - 1]);
        d[at] -= std::abs(e[at - 1]);
    }
    std::vector<int> sorting(static_cast<std::size_t>(n));
    const auto block = [&](std::int64_t at) { return vectors.data + at * vectors.stride + at; };
    for (std::size_t leaf = 0; leaf + 1 < boundaries.size(); ++leaf) {
        const std::int64_t at = boundaries[leaf];
        solveLeaf(boundaries[leaf + 1] - at, d.data() + at, e.data() + at, block(at), vectors.stride, sorting.data() + at);
    }
    Scratch scratch(n);
    double level = 1;
    while (boundaries.size() > 2) {
        std::vector<std::int64_t> merged{0};
        for (std::size_t pair = 0; pair + 2 < boundaries.size(); pair += 2) {
            context.throwIfStopped();
            const std::int64_t at = boundaries[pair], cut = boundaries[pair + 1], end = boundaries[pair + 2];
            Merge(end - at, cut - at, d.data() + at, block(at), vectors.stride, sorting.data() + at,
                  e[static_cast<std::size_t>(cut - 1)], scratch, context)
                .run();
            merged.push_back(end);
        }
        boundaries = std::move(merged);
        context.setFraction(std::min(0.99, 1.0 / static_cast<double>(boundaries.size()) + 0.001 * level++));
    }
    sortPairs(d, vectors, sorting);
    for (double& value : d)
        value *= norm;
    return std::move(d);
}

} // namespace tamis::linalg

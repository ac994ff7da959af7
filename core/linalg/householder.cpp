// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/householder.h"

#include "core/linalg/tiles.h"

#include <lapack.h>

#include <algorithm>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kBlock = 64;
}

void blockFactor(std::int64_t rows, std::int64_t count, const double* v, std::int64_t strideV, const double* tau, double* t,
                 std::int64_t strideT)
{
    const int m = toInt(rows), k = toInt(count), ldv = toInt(strideV), ldt = toInt(strideT);
    LAPACK_dlarft("F", "C", &m, &k, v, &ldv, tau, t, &ldt);
}

void applyBlock(bool transposed, std::int64_t rows, std::int64_t columns, std::int64_t count, const double* v,
                std::int64_t strideV, const double* t, std::int64_t strideT, double* c, std::int64_t strideC)
{
    if (rows == 0 || columns == 0 || count == 0)
        return;
    const int m = toInt(rows), n = toInt(columns), k = toInt(count);
    const int ldv = toInt(strideV), ldt = toInt(strideT), ldc = toInt(strideC);
    std::vector<double> work(static_cast<std::size_t>(columns * count));
    LAPACK_dlarfb("L", transposed ? "T" : "N", "F", "C", &m, &n, &k, v, &ldv, t, &ldt, c, &ldc, work.data(), &n);
}

BlockReflectors::BlockReflectors(const Reflectors& reflectors) : m_reflectors(reflectors)
{
    const std::int64_t blocks = tileCount(reflectors.count, kBlock);
    m_factors.resize(static_cast<std::size_t>(blocks * kBlock * kBlock));
    for (std::int64_t b = 0; b < blocks; ++b) {
        const TileRange range = tileRange(reflectors.count, kBlock, b);
        const std::int64_t top = reflectors.first + range.begin;
        blockFactor(reflectors.rows - top, range.size(), reflectors.v + range.begin * reflectors.stride + top, reflectors.stride,
                    reflectors.tau + range.begin, m_factors.data() + b * kBlock * kBlock, kBlock);
    }
}

void BlockReflectors::apply(double* c, std::int64_t stride, std::int64_t begin, std::int64_t end, std::int64_t firstIdentityRow,
                            const RunContext& context) const
{
    const Reflectors& h = m_reflectors;
    for (std::int64_t b = tileCount(h.count, kBlock) - 1; b >= 0; --b) {
        context.throwIfStopped();
        const TileRange range = tileRange(h.count, kBlock, b);
        const std::int64_t top = h.first + range.begin;
        if (top >= firstIdentityRow)
            continue;
        applyBlock(false, h.rows - top, end - begin, range.size(), h.v + range.begin * h.stride + top, h.stride,
                   m_factors.data() + b * kBlock * kBlock, kBlock, c + begin * stride + top, stride);
    }
}

} // namespace tamis::linalg

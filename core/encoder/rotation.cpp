// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/rotation.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <random>

namespace tamis::encoder {
namespace {
void hadamard(double* x, std::size_t size)
{
    for (std::size_t half = 1; half < size; half *= 2)
        for (std::size_t begin = 0; begin < size; begin += 2 * half) {
            double *a = x + begin, *b = x + begin + half;
            for (std::size_t i = 0; i < half; ++i) {
                const double sum = a[i] + b[i], difference = a[i] - b[i];
                a[i] = sum;
                b[i] = difference;
            }
        }
    const double scale = 1 / std::sqrt(static_cast<double>(size));
    for (std::size_t i = 0; i < size; ++i)
        x[i] *= scale;
}
} // namespace

Rotation::Rotation(std::int64_t width, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    for (std::int64_t i = 0; i < width; ++i)
        m_signs.push_back(random() & 1U ? 1.0 : -1.0);
}

void Rotation::apply(std::span<double> x) const
{
    if (identity())
        return;
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] *= m_signs[i];
    for (std::size_t begin = 0; begin < x.size();) {
        const std::size_t size = std::bit_floor(x.size() - begin);
        hadamard(x.data() + begin, size);
        begin += size;
    }
}

} // namespace tamis::encoder

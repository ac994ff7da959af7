// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/incremental_pca.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;

constexpr int kMostSteps = 100;
constexpr double kStill = 1e-9;
constexpr double kNull = 1e-14; ///< eigenvalues below this share of the largest are rounding

void require(bool holds, const std::string& sentence)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, sentence, "subspaces");
}

Matrix<double> firstRows(const Matrix<double>& m, std::int64_t count)
{
    Matrix<double> rows(std::min(count, m.rows()), m.cols());
    std::copy_n(m.data(), rows.size(), rows.data());
    return rows;
}

double squaredDistance(const Matrix<double>& vectors, const Matrix<double>& centre, double centreNorm, const RunContext& context)
{
    // |V^T V - M|^2 = k - 2 tr(V M V^T) + |M|^2
    const Matrix<double> turned = linalg::product(vectors.view(), centre.view(), context);
    double inner = 0;
    for (std::size_t i = 0; i < turned.size(); ++i)
        inner += turned.values()[i] * vectors.values()[i];
    return std::max(0.0, static_cast<double>(vectors.rows()) - 2 * inner + centreNorm);
}

Matrix<double> weightedSum(const std::vector<Subspace>& samples, const std::vector<double>& weights, const RunContext& context)
{
    const std::int64_t width = samples.front().vectors.cols();
    Matrix<double> sum(width, width);
    for (std::size_t i = 0; i < samples.size(); ++i)
        linalg::gemm(Op::Transpose, Op::None, weights[i], samples[i].vectors.view(), samples[i].vectors.view(), 1.0, sum.view(), context);
    return sum;
}

/// Weiszfeld: weights 1 / distance, which the sum of distances never grows under.
Matrix<double> geometricMedian(const std::vector<Subspace>& samples, const RunContext& context)
{
    std::vector<double> weights(samples.size(), 1.0 / static_cast<double>(samples.size()));
    Matrix<double> centre = weightedSum(samples, weights, context);
    for (int step = 0; step < kMostSteps; ++step) {
        const double norm = linalg::squaredNorm(centre.view());
        double total = 0;
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const double floor = 1e-12 * static_cast<double>(samples[i].vectors.rows()); // a sample at the centre itself
            weights[i] = 1 / std::sqrt(std::max(floor, squaredDistance(samples[i].vectors, centre, norm, context)));
            total += weights[i];
        }
        for (double& weight : weights)
            weight /= total;
        Matrix<double> next = weightedSum(samples, weights, context);
        double moved = 0;
        for (std::size_t i = 0; i < next.size(); ++i)
            moved += std::pow(next.values()[i] - centre.values()[i], 2);
        centre = std::move(next);
        if (moved <= kStill * kStill * norm)
            break;
    }
    return centre;
}

Matrix<double> leading(Matrix<double> symmetric, std::int64_t count, const RunContext& context)
{
    const auto eigen = linalg::symmetricEigen(std::move(symmetric), context);
    std::int64_t present = 0;
    while (present < count && present < eigen.vectors.rows() && eigen.values[static_cast<std::size_t>(present)] > kNull * eigen.values.front())
        ++present;
    return firstRows(eigen.vectors, present);
}
} // namespace

IncrementalPca::IncrementalPca(std::int64_t width, std::int64_t capacity) : m_width(width), m_capacity(capacity)
{
    require(capacity >= 1 && capacity <= width, "found room for " + std::to_string(capacity) + " directions of width " + std::to_string(width) + ", expected 1 to the width");
    m_rows = Matrix<double>(0, width);
}

void IncrementalPca::add(tensor::MatrixView<const double> rows, const std::vector<double>& weights, const RunContext& context)
{
    require(rows.cols == m_width, "found vectors of width " + std::to_string(rows.cols) + ", expected " + std::to_string(m_width));
    require(weights.empty() || static_cast<std::int64_t>(weights.size()) == rows.rows,
            "found " + std::to_string(weights.size()) + " weights for " + std::to_string(rows.rows) + " vectors, expected one each");
    Matrix<double> all(m_rows.rows() + rows.rows, m_width);
    std::ranges::copy(m_rows.values(), all.data());
    for (std::int64_t i = 0; i < rows.rows; ++i)
        for (std::int64_t j = 0; j < m_width; ++j)
            all(m_rows.rows() + i, j) = (weights.empty() ? 1.0 : weights[static_cast<std::size_t>(i)]) * rows(i, j);
    // What is kept are rows R with R^T R the best approximation: eigenvectors of the smaller Gram matrix turn `all` into it.
    const bool narrow = all.rows() >= m_width;
    const auto eigen = linalg::symmetricEigen(linalg::gramUpper(all.view(), narrow ? linalg::Side::Columns : linalg::Side::Rows, context), context);
    std::int64_t kept = 0;
    while (kept < m_capacity && kept < eigen.vectors.rows() && eigen.values[static_cast<std::size_t>(kept)] > kNull * eigen.values.front())
        ++kept;
    m_values.assign(eigen.values.begin(), eigen.values.begin() + kept);
    const Matrix<double> turning = firstRows(eigen.vectors, kept);
    m_rows = narrow ? turning : linalg::product(turning.view(), all.view(), context);
    for (std::int64_t i = 0; i < kept && narrow; ++i)
        for (std::int64_t j = 0; j < m_width; ++j)
            m_rows(i, j) *= std::sqrt(m_values[static_cast<std::size_t>(i)]);
}

Matrix<double> IncrementalPca::components(std::int64_t count) const
{
    Matrix<double> unit = firstRows(m_rows, count);
    for (std::int64_t i = 0; i < unit.rows(); ++i) {
        double square = 0;
        for (const double value : unit.view().row(i))
            square += value * value;
        for (std::int64_t j = 0; j < unit.cols(); ++j)
            unit(i, j) /= std::sqrt(square);
    }
    return unit;
}

Matrix<double> meanSubspace(const std::vector<Subspace>& samples, std::int64_t count, SubspaceMean mean, const RunContext& context)
{
    require(!samples.empty() && count > 0, "found no sample, or no direction to find, expected one at least");
    const std::int64_t width = samples.front().vectors.cols();
    for (const Subspace& sample : samples)
        require(sample.vectors.cols() == width && sample.values.size() == static_cast<std::size_t>(sample.vectors.rows()),
                "found subspaces of widths " + std::to_string(width) + " and " + std::to_string(sample.vectors.cols()) + ", expected equal ones, and a value a vector");
    if (mean == SubspaceMean::GeometricMedian)
        return leading(geometricMedian(samples, context), count, context);
    std::int64_t most = 0;
    for (const Subspace& sample : samples)
        most += sample.vectors.rows();
    IncrementalPca pca(width, std::min(width, std::max(2 * count, std::min<std::int64_t>(most, 512)))); // what is cut off is small beside the wanted
    for (const Subspace& sample : samples) {
        std::vector<double> weights;
        if (mean == SubspaceMean::Weighted) {
            double sum = 0;
            for (const double value : sample.values)
                sum += value * value;
            for (const double value : sample.values)
                weights.push_back(sum > 0 ? value / std::sqrt(sum) : 0.0);
        }
        pca.add(sample.vectors.view(), weights, context);
    }
    return pca.components(count);
}

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/product_quantiser.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/table_scan.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace tamis::encoder {
namespace {
using kernels::kTableBlock;
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kRowsACentroid = 128; // that k-means sees

/// Axes in which rows and activations are cut into parts: w' = rows w, x' = activations (x - mean), w' . x' = w . (x - mean).
struct Axes {
    Matrix<float> rows, activations; ///< [D, D]; empty: as they lie
};

Axes axesOf(const Moments* moments, const RunContext& context)
{
    if (!moments)
        return {};
    const std::int64_t width = moments->c.rows();
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(moments->c, context);
    Axes axes{Matrix<float>(width, width), Matrix<float>(width, width)};
    for (std::int64_t i = 0; i < width; ++i) {
        const double value = eigen.values[static_cast<std::size_t>(i)];
        if (!(value > linalg::kRankTolerance * eigen.values[0]))
            break; // no activation has a share in what is left
        for (std::int64_t j = 0; j < width; ++j) {
            axes.rows(i, j) = static_cast<float>(eigen.vectors(i, j) * std::sqrt(value));
            axes.activations(i, j) = static_cast<float>(eigen.vectors(i, j) / std::sqrt(value));
        }
    }
    return axes;
}

class ProductScorer final : public CoarseScorer {
public:
    ProductScorer(const Dictionary& dictionary, const ProductSettings& settings, const Moments* moments, const RunContext& context);
    std::int64_t width() const noexcept override { return m_width; }
    std::int64_t latents() const noexcept override { return m_latents; }
    EncoderCost cost() const noexcept override;
    Matrix<float> reduced(MatrixView<const float> prepared) const override;
    void slab(MatrixView<const float> reduced, std::int64_t slab, MatrixView<float> scores) const override;

private:
    bool few() const noexcept { return m_centroidCount == 16; }
    std::int64_t partCount() const noexcept { return few() ? m_parts + m_parts % 2 : m_parts; } ///< with an empty one where they must be even
    Matrix<float> part(const Dictionary& dictionary, const Axes& axes, std::int64_t index) const;
    void encodePart(std::int64_t index, const std::vector<std::uint8_t>& codes);
    void fillTables(std::span<const float> x, std::span<float> tables) const;

    std::int64_t m_width, m_latents, m_parts, m_centroidCount, m_dimensions;
    kernels::PackedMatrix m_turn;                ///< of activations; empty: none
    std::vector<float> m_shift;                  ///< -activations mean
    std::vector<float> m_tables;                 ///< [parts][dimensions][centroids]
    std::vector<std::uint8_t> m_codes;           ///< as kernels/table_scan.h reads them
    std::vector<float> m_bias;
};

ProductScorer::ProductScorer(const Dictionary& dictionary, const ProductSettings& settings, const Moments* moments, const RunContext& context)
    : m_width(dictionary.width()), m_latents(dictionary.latents()), m_parts(settings.parts), m_centroidCount(settings.centroids),
      m_dimensions((m_width + settings.parts - 1) / settings.parts), m_bias(dictionary.bias())
{
    const Axes axes = axesOf(moments, context);
    if (moments) {
        m_turn = kernels::PackedMatrix(axes.activations.view());
        m_shift.resize(static_cast<std::size_t>(m_width));
        for (std::int64_t i = 0; i < m_width; ++i) {
            double shift = 0;
            for (std::int64_t j = 0; j < m_width; ++j)
                shift -= static_cast<double>(axes.activations(i, j)) * moments->mean[static_cast<std::size_t>(j)];
            m_shift[static_cast<std::size_t>(i)] = static_cast<float>(shift);
        }
        m_bias = foldedBias(dictionary.rows(), dictionary.bias(), {}, moments->mean, context); // of factors of rank 0: b + W mean
    }
    const std::int64_t blocks = (m_latents + kTableBlock - 1) / kTableBlock;
    m_tables.resize(static_cast<std::size_t>(m_parts * m_dimensions * m_centroidCount));
    m_codes.resize(static_cast<std::size_t>(blocks * kTableBlock * (few() ? partCount() / 2 : m_parts)));
    std::vector<std::vector<std::uint8_t>> codes(static_cast<std::size_t>(m_parts));
    parallelFor(context, codes.size(), [&](std::size_t index) {
        const Matrix<float> rows = part(dictionary, axes, static_cast<std::int64_t>(index));
        const std::int64_t seen = std::min(m_latents, kRowsACentroid * m_centroidCount);
        Matrix<float> sample(seen, m_dimensions);
        for (std::int64_t i = 0; i < seen; ++i)
            std::ranges::copy(rows.view().row(i * m_latents / seen), sample.view().row(i).begin());
        const KMeans means = kMeans(sample.view(), m_centroidCount, settings.iterations, settings.seed + index, context);
        codes[index] = nearestCentroids(rows.view(), means.centroids.view(), context);
        for (std::int64_t d = 0; d < m_dimensions; ++d)
            for (std::int64_t c = 0; c < m_centroidCount; ++c)
                m_tables[(index * static_cast<std::size_t>(m_dimensions) + static_cast<std::size_t>(d)) * static_cast<std::size_t>(m_centroidCount) + static_cast<std::size_t>(c)] =
                    means.centroids(c, d);
    });
    for (std::int64_t index = 0; index < m_parts; ++index)
        encodePart(index, codes[static_cast<std::size_t>(index)]);
}

/// Directions index, index + parts, ... of all rows: [M, dimensions], zeros beyond the last direction.
Matrix<float> ProductScorer::part(const Dictionary& dictionary, const Axes& axes, std::int64_t index) const
{
    Matrix<float> rows(m_latents, m_dimensions);
    if (!axes.rows.empty()) {
        Matrix<float> directions(m_dimensions, m_width);
        for (std::int64_t d = 0; d < m_dimensions && index + d * m_parts < m_width; ++d)
            std::ranges::copy(axes.rows.view().row(index + d * m_parts), directions.view().row(d).begin());
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(m_latents), static_cast<int>(m_dimensions), static_cast<int>(m_width), 1.0F, dictionary.rows().data,
                    static_cast<int>(dictionary.rows().stride), directions.data(), static_cast<int>(m_width), 0.0F, rows.data(), static_cast<int>(m_dimensions));
        return rows;
    }
    for (std::int64_t i = 0; i < m_latents; ++i)
        for (std::int64_t d = 0; d < m_dimensions && index + d * m_parts < m_width; ++d)
            rows(i, d) = dictionary.rows()(i, index + d * m_parts);
    return rows;
}

void ProductScorer::encodePart(std::int64_t index, const std::vector<std::uint8_t>& codes)
{
    const std::int64_t stored = few() ? partCount() / 2 : m_parts;
    for (std::int64_t i = 0; i < m_latents; ++i) {
        const std::int64_t slot = few() ? index / 2 : index;
        std::uint8_t& to = m_codes[static_cast<std::size_t>((i / kTableBlock * stored + slot) * kTableBlock + i % kTableBlock)];
        const std::uint8_t code = codes[static_cast<std::size_t>(i)];
        to = few() && index % 2 ? static_cast<std::uint8_t>(to | code << 4) : static_cast<std::uint8_t>(to | code);
    }
}

EncoderCost ProductScorer::cost() const noexcept
{
    const auto latents = static_cast<std::uint64_t>(m_latents), width = static_cast<std::uint64_t>(m_width);
    const std::uint64_t turn = m_turn.rows() > 0 ? width * width : 0, tables = m_tables.size();
    EncoderCost cost;
    cost.parameters = turn + tables + latents * static_cast<std::uint64_t>(m_parts + 1);
    cost.bytes = 4 * (turn + m_shift.size() + tables + latents) + m_codes.size();
    cost.macs = static_cast<double>(turn + tables) + static_cast<double>(latents) * static_cast<double>(m_parts); // a look-up and an addition each
    cost.bytesRead = static_cast<double>(cost.bytes);
    return cost;
}

/// tables[part][centroid] = x' . centroid
void ProductScorer::fillTables(std::span<const float> x, std::span<float> tables) const
{
    std::ranges::fill(tables, 0.0F);
    for (std::int64_t s = 0; s < m_parts; ++s) {
        float* const table = tables.data() + s * m_centroidCount;
        for (std::int64_t d = 0; d < m_dimensions && s + d * m_parts < m_width; ++d) {
            const float value = x[static_cast<std::size_t>(s + d * m_parts)];
            const float* const from = m_tables.data() + (s * m_dimensions + d) * m_centroidCount;
            for (std::int64_t c = 0; c < m_centroidCount; ++c)
                table[c] += value * from[c];
        }
    }
}

/// 256 centroids: the tables. 16: the step, the sum of the parts' least values, then the tables in bytes.
Matrix<float> ProductScorer::reduced(MatrixView<const float> prepared) const
{
    Matrix<float> turned;
    MatrixView<const float> x = prepared;
    if (m_turn.rows() > 0) {
        turned = Matrix<float>(prepared.rows, m_width);
        kernels::multiply(prepared, m_turn, {.bias = m_shift.data()}, turned.view(), false);
        x = turned.view();
    }
    if (!few()) {
        Matrix<float> tables(x.rows, m_parts * 256);
        for (std::int64_t t = 0; t < x.rows; ++t)
            fillTables(x.row(t), tables.view().row(t));
        return tables;
    }
    Matrix<float> reduced(x.rows, 2 + partCount() * 4);
    std::vector<float> tables(static_cast<std::size_t>(m_parts * 16));
    for (std::int64_t t = 0; t < x.rows; ++t) {
        fillTables(x.row(t), tables);
        float widest = 0, least = 0;
        for (std::int64_t s = 0; s < m_parts; ++s) {
            const auto [low, high] = std::minmax_element(tables.begin() + s * 16, tables.begin() + (s + 1) * 16);
            widest = std::max(widest, *high - *low);
            least += *low;
        }
        const float step = widest > 0 ? widest / 255 : 1;
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(partCount() * 16));
        for (std::int64_t s = 0; s < m_parts; ++s) {
            const float low = *std::min_element(tables.begin() + s * 16, tables.begin() + (s + 1) * 16);
            for (std::int64_t c = 16 * s; c < 16 * s + 16; ++c)
                bytes[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(std::clamp(std::nearbyint((tables[static_cast<std::size_t>(c)] - low) / step), 0.0F, 255.0F));
        }
        float* const row = reduced.view().row(t).data();
        row[0] = step;
        row[1] = least;
        std::memcpy(row + 2, bytes.data(), bytes.size());
    }
    return reduced;
}

void ProductScorer::slab(MatrixView<const float> reduced, std::int64_t slab, MatrixView<float> scores) const
{
    const std::int64_t stored = few() ? partCount() / 2 : m_parts, blocks = (scores.cols + kTableBlock - 1) / kTableBlock;
    const std::uint8_t* const codes = m_codes.data() + slab * kSlabLatents * stored;
    const float* const bias = m_bias.data() + slab * kSlabLatents;
    for (std::int64_t t = 0; t < reduced.rows; ++t) {
        const float* const row = reduced.row(t).data();
        float* const to = scores.row(t).data();
        if (few()) {
            std::array<std::uint16_t, kSlabLatents> sums;
            kernels::sumTables16(codes, reinterpret_cast<const std::uint8_t*>(row + 2), partCount(), blocks, sums.data());
            for (std::int64_t i = 0; i < scores.cols; ++i)
                to[i] = bias[i] + (row[1] + row[0] * static_cast<float>(sums[static_cast<std::size_t>(i)]));
        } else {
            std::array<float, kSlabLatents> sums;
            kernels::sumTables256(codes, row, m_parts, blocks, sums.data());
            for (std::int64_t i = 0; i < scores.cols; ++i)
                to[i] = bias[i] + sums[static_cast<std::size_t>(i)];
        }
    }
}
} // namespace

ScorerPtr productScorer(const Dictionary& dictionary, const ProductSettings& settings, const Moments* moments, const RunContext& context)
{
    const std::int64_t most = std::min<std::int64_t>(dictionary.width(), 256);
    if (settings.parts < 1 || settings.parts > most)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.parts) + " sub-vectors, expected 1 to " + std::to_string(most));
    if (settings.centroids != 16 && settings.centroids != 256)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.centroids) + " centroids, expected 16 or 256");
    return std::make_shared<ProductScorer>(dictionary, settings, moments, context);
}

} // namespace tamis::encoder

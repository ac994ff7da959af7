// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/quantised_scorer.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/scan_table.h"
#include "core/kernels/table_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace tamis::encoder {
namespace {
using kernels::kPanelWidth;
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kSliceDepth = 128; // inputs whose weights are widened at a time: 16 KB

double squaredError(std::span<const float> row, float scale, float most)
{
    double error = 0;
    for (const float w : row) {
        const float q = std::clamp(std::nearbyint(w / scale), -most, most);
        const double difference = static_cast<double>(w) - static_cast<double>(q * scale);
        error += difference * difference;
    }
    return error;
}

class QuantisedScorer final : public CoarseScorer {
public:
    QuantisedScorer(const Dictionary& dictionary, int bits, const std::vector<double>& mean, const RunContext& context)
        : m_width(dictionary.width()), m_latents(dictionary.latents()), m_bits(bits), m_depth(bits == 4 ? (m_width + 1) / 2 : m_width)
    {
        const std::int64_t panels = (m_latents + kPanelWidth - 1) / kPanelWidth;
        m_stored.resize(static_cast<std::size_t>(panels * kPanelWidth * m_depth));
        m_scale.resize(static_cast<std::size_t>(panels * kPanelWidth));
        m_bias.resize(m_scale.size());
        parallelFor(context, static_cast<std::size_t>(panels), [&](std::size_t panel) {
            for (std::int64_t j = 0; j < kPanelWidth; ++j)
                if (const std::int64_t latent = static_cast<std::int64_t>(panel) * kPanelWidth + j; latent < m_latents)
                    store(dictionary, latent, mean);
        });
    }
    std::int64_t width() const noexcept override { return m_width; }
    std::int64_t latents() const noexcept override { return m_latents; }
    EncoderCost cost() const noexcept override
    {
        EncoderCost cost;
        cost.parameters = static_cast<std::uint64_t>(m_latents) * static_cast<std::uint64_t>(m_width + 2);
        cost.bytes = static_cast<std::uint64_t>(m_latents) * static_cast<std::uint64_t>(m_depth + 8);
        cost.macs = static_cast<double>(m_latents) * static_cast<double>(m_width);
        cost.bytesRead = static_cast<double>(cost.bytes);
        return cost;
    }
    Matrix<float> reduced(MatrixView<const float> prepared) const override
    {
        Matrix<float> same(prepared.rows, prepared.cols);
        for (std::int64_t t = 0; t < prepared.rows; ++t)
            std::ranges::copy(prepared.row(t), same.view().row(t).begin());
        return same;
    }
    void slab(MatrixView<const float> x, std::int64_t slab, MatrixView<float> scores) const override;

private:
    void store(const Dictionary& dictionary, std::int64_t latent, const std::vector<double>& mean);
    const std::int8_t* panelOf(std::int64_t panel, std::vector<std::int8_t>& decoded) const;
    void scoreMany(const float* tiles, std::int64_t tokens, const std::int8_t* weights, float* sums) const;

    std::int64_t m_width, m_latents;
    int m_bits;
    std::int64_t m_depth;              ///< bytes a row
    std::vector<std::int8_t> m_stored; ///< panels of 32 rows, input after input; 4 bits: inputs 2 p in the low, 2 p + 1 in the high half, plus 8
    std::vector<float> m_scale, m_bias;
};

void QuantisedScorer::store(const Dictionary& dictionary, std::int64_t latent, const std::vector<double>& mean)
{
    const std::span<const float> row = dictionary.rows().row(latent);
    const QuantisedRow quantised = quantisedRow(row, m_bits);
    std::int8_t* const panel = m_stored.data() + latent / kPanelWidth * kPanelWidth * m_depth + latent % kPanelWidth;
    const auto at = static_cast<std::size_t>(latent);
    double bias = static_cast<double>(dictionary.bias()[at]);
    for (std::int64_t p = 0; p < m_depth; ++p) {
        const auto valueAt = [&](std::int64_t input) { return input < m_width ? quantised.values[static_cast<std::size_t>(input)] : std::int8_t{0}; };
        panel[p * kPanelWidth] = m_bits == 8 ? valueAt(p) : static_cast<std::int8_t>((valueAt(2 * p) + 8) | (valueAt(2 * p + 1) + 8) << 4);
    }
    for (std::size_t j = 0; j < mean.size(); ++j)
        bias += (static_cast<double>(row[j]) - static_cast<double>(quantised.scale) * quantised.values[j]) * mean[j];
    m_scale[at] = quantised.scale;
    m_bias[at] = static_cast<float>(bias);
}

/// [input][32 rows] in bytes.
const std::int8_t* QuantisedScorer::panelOf(std::int64_t panel, std::vector<std::int8_t>& decoded) const
{
    const std::int8_t* const stored = m_stored.data() + panel * kPanelWidth * m_depth;
    if (m_bits == 8)
        return stored;
    decoded.resize(static_cast<std::size_t>(2 * m_depth * kPanelWidth));
    kernels::splitNibbles(reinterpret_cast<const std::uint8_t*>(stored), m_depth, decoded.data());
    return decoded.data();
}

/// Tokens as scoreTile reads them: slice after slice of inputs, in each tile after tile, in that input after input.
void tile(MatrixView<const float> x, std::vector<float>& tiles)
{
    tiles.resize(static_cast<std::size_t>(x.rows * x.cols));
    float* to = tiles.data();
    for (std::int64_t k0 = 0; k0 < x.cols; k0 += kSliceDepth)
        for (std::int64_t t = 0; t < x.rows; t += kernels::kScanTile)
            for (std::int64_t p = k0; p < std::min(x.cols, k0 + kSliceDepth); ++p)
                for (std::int64_t r = t; r < std::min(x.rows, t + kernels::kScanTile); ++r)
                    *to++ = x(r, p);
}

/// sums[t * 32 + j]; the same bits as scoreBytes gives, whatever the number of tokens.
void QuantisedScorer::scoreMany(const float* tiles, std::int64_t tokens, const std::int8_t* weights, float* sums) const
{
    const kernels::ScanTable& scan = kernels::scans();
    alignas(64) std::array<float, kSliceDepth * kPanelWidth> floats;
    for (std::int64_t k0 = 0; k0 < m_width; k0 += kSliceDepth) {
        const std::int64_t depth = std::min(kSliceDepth, m_width - k0);
        scan.widenBytes(weights + k0 * kPanelWidth, depth * kPanelWidth, floats.data());
        for (std::int64_t t = 0; t < tokens; t += kernels::kScanTile) {
            const std::int64_t rows = std::min(kernels::kScanTile, tokens - t);
            scan.scoreTile(tiles, rows, floats.data(), depth, sums + t * kPanelWidth, kPanelWidth, k0 > 0, weights, 0);
            tiles += rows * depth;
        }
    }
}

void QuantisedScorer::slab(MatrixView<const float> x, std::int64_t slab, MatrixView<float> scores) const
{
    static thread_local std::vector<std::int8_t> decoded;
    static thread_local std::vector<float> tiles;
    const kernels::ScanTable& scan = kernels::scans();
    const bool few = x.rows <= scan.fewTokens;
    if (!few)
        tile(x, tiles);
    std::vector<float> sums(static_cast<std::size_t>(x.rows * kPanelWidth));
    for (std::int64_t first = 0; first < scores.cols; first += kPanelWidth) {
        const std::int64_t latent = slab * kSlabLatents + first, count = std::min(kPanelWidth, scores.cols - first);
        const std::int8_t* const weights = panelOf(latent / kPanelWidth, decoded);
        if (few)
            scan.scoreBytes(weights, 1, m_width, x.data, x.stride, x.rows, sums.data(), kPanelWidth);
        else
            scoreMany(tiles.data(), x.rows, weights, sums.data());
        const float *const scale = m_scale.data() + latent, *const bias = m_bias.data() + latent;
        for (std::int64_t t = 0; t < x.rows; ++t) {
            float* const to = scores.data + t * scores.stride + first;
            for (std::int64_t j = 0; j < count; ++j)
                to[j] = sums[static_cast<std::size_t>(t * kPanelWidth + j)] * scale[j] + bias[j];
        }
    }
}
} // namespace

QuantisedRow quantisedRow(std::span<const float> row, int bits)
{
    const float most = bits == 8 ? 127 : 7;
    float largest = 0;
    for (const float w : row)
        largest = std::max(largest, std::abs(w));
    QuantisedRow quantised;
    quantised.values.resize(row.size());
    if (largest == 0 || largest / most == 0)
        return quantised;
    quantised.scale = largest / most;
    if (bits == 4) {
        double least = squaredError(row, quantised.scale, most);
        for (int step = 1; step <= 12; ++step) {
            const float scale = largest / most * (1 - 0.05F * static_cast<float>(step));
            if (const double error = squaredError(row, scale, most); error < least) {
                least = error;
                quantised.scale = scale;
            }
        }
    }
    for (std::size_t j = 0; j < row.size(); ++j)
        quantised.values[j] = static_cast<std::int8_t>(std::clamp(std::nearbyint(row[j] / quantised.scale), -most, most));
    return quantised;
}

ScorerPtr quantisedScorer(const Dictionary& dictionary, int bits, const std::vector<double>& mean, const RunContext& context)
{
    if (bits != 8 && bits != 4)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(bits) + " bits, expected 8 or 4");
    return std::make_shared<QuantisedScorer>(dictionary, bits, mean, context);
}

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/tiled.h"

#include "core/base/error.h"
#include "core/encoder/low_rank.h"
#include "core/kernels/packed_matrix.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"

#include <algorithm>
#include <string>

namespace tamis::encoder {
namespace {
using linalg::Op;
using tensor::Matrix;
using tensor::MatrixView;
constexpr const char* kId = "encoder.tiled";
constexpr int kRounds = 20;

Matrix<double> part(const Matrix<double>& c, const std::vector<std::int32_t>& columns, bool square)
{
    const auto rows = square ? static_cast<std::int64_t>(columns.size()) : c.rows();
    Matrix<double> picked(rows, static_cast<std::int64_t>(columns.size()));
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns.size(); ++j)
            picked(i, static_cast<std::int64_t>(j)) = c(square ? columns[static_cast<std::size_t>(i)] : i, columns[j]);
    return picked;
}

Matrix<double> rootOf(const Matrix<double>& c, const RunContext& context)
{
    const double diagonal = linalg::meanDiagonal(c);
    for (double ridge = 0; ridge < 1; ridge = ridge == 0 ? 1e-12 : 10 * ridge)
        if (auto root = linalg::choleskyRoot(linalg::withRidge(c, ridge * diagonal), context))
            return std::move(*root);
    throw Error(ErrorCode::InvalidParameter, "found calibration activations that are all equal on the inputs of one tile, expected some that vary");
}

kernels::PackedMatrix packed(const Matrix<double>& m, std::span<const std::size_t> rows)
{
    Matrix<float> rounded(static_cast<std::int64_t>(rows.size()), m.cols());
    for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::int64_t j = 0; j < m.cols(); ++j)
            rounded(static_cast<std::int64_t>(i), j) = static_cast<float>(m(static_cast<std::int64_t>(rows[i]), j));
    return kernels::PackedMatrix(rounded.view());
}

kernels::PackedMatrix packed(const Matrix<double>& m)
{
    std::vector<std::size_t> all(static_cast<std::size_t>(m.rows()));
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = i;
    return packed(m, all);
}

/// The latents of one tile that lie in one slab.
struct Piece {
    std::size_t tile = 0;
    kernels::PackedMatrix rows;        ///< on what reduced() gives for the tile
    std::vector<std::int32_t> places;  ///< in the slab
};

class TiledScorer final : public CoarseScorer {
public:
    TiledScorer(std::int64_t width, std::vector<float> bias)
        : m_width(width), m_latents(static_cast<std::int64_t>(bias.size())), m_bias(std::move(bias)), m_slabs(static_cast<std::size_t>(slabs()))
    {
    }
    void add(const TileFactors& tile)
    {
        const Matrix<double>&outer = tile.outer, &inner = tile.inner;
        const std::size_t index = m_inputs.size();
        m_inputs.push_back(tile.inputs);
        m_inner.push_back(inner.empty() ? kernels::PackedMatrix() : packed(inner));
        m_offsets.push_back(m_reduced);
        m_reduced += outer.cols();
        m_products += static_cast<std::uint64_t>(outer.size() + inner.size());
        for (std::size_t slab = 0; slab < m_slabs.size(); ++slab) {
            Piece piece{index, {}, {}};
            std::vector<std::size_t> rows;
            for (std::size_t i = 0; i < tile.latents.size(); ++i)
                if (static_cast<std::size_t>(tile.latents[i] / kSlabLatents) == slab) {
                    rows.push_back(i);
                    piece.places.push_back(static_cast<std::int32_t>(tile.latents[i] % kSlabLatents));
                }
            if (rows.empty())
                continue;
            piece.rows = packed(outer, rows);
            m_slabs[slab].push_back(std::move(piece));
        }
    }

    std::int64_t width() const noexcept override { return m_width; }
    std::int64_t latents() const noexcept override { return m_latents; }
    EncoderCost cost() const noexcept override
    {
        EncoderCost cost;
        cost.parameters = m_products + m_bias.size();
        cost.bytes = 4 * cost.parameters;
        cost.macs = static_cast<double>(m_products);
        cost.bytesRead = static_cast<double>(cost.bytes);
        return cost;
    }
    Matrix<float> reduced(MatrixView<const float> prepared) const override;
    void slab(MatrixView<const float> reduced, std::int64_t slab, MatrixView<float> scores) const override;

private:
    std::int64_t m_width, m_latents, m_reduced = 0;
    std::uint64_t m_products = 0;
    std::vector<float> m_bias;
    std::vector<std::vector<std::int32_t>> m_inputs;
    std::vector<kernels::PackedMatrix> m_inner;
    std::vector<std::int64_t> m_offsets; ///< of each tile's columns in what reduced() gives
    std::vector<std::vector<Piece>> m_slabs;
};

/// The inputs of tile after tile, or what their inner factors make of them.
Matrix<float> TiledScorer::reduced(MatrixView<const float> prepared) const
{
    Matrix<float> result(prepared.rows, m_reduced);
    for (std::size_t tile = 0; tile < m_inputs.size(); ++tile) {
        const auto& inputs = m_inputs[tile];
        const bool whole = m_inner[tile].rows() == 0;
        Matrix<float> own(prepared.rows, static_cast<std::int64_t>(inputs.size()));
        for (std::int64_t t = 0; t < prepared.rows; ++t)
            for (std::size_t j = 0; j < inputs.size(); ++j)
                own(t, static_cast<std::int64_t>(j)) = prepared(t, inputs[j]);
        const MatrixView<float> to{result.data() + m_offsets[tile], prepared.rows, whole ? own.cols() : m_inner[tile].rows(), m_reduced};
        if (whole)
            for (std::int64_t t = 0; t < prepared.rows; ++t)
                std::ranges::copy(own.view().row(t), to.row(t).begin());
        else
            kernels::multiply(own.view(), m_inner[tile], {}, to, false);
    }
    return result;
}

void TiledScorer::slab(MatrixView<const float> reduced, std::int64_t slab, MatrixView<float> scores) const
{
    const float* const bias = m_bias.data() + slab * kSlabLatents;
    for (const Piece& piece : m_slabs[static_cast<std::size_t>(slab)]) {
        Matrix<float> own(reduced.rows, piece.rows.rows());
        kernels::multiply({reduced.data + m_offsets[piece.tile], reduced.rows, piece.rows.cols(), reduced.stride}, piece.rows, {}, own.view(), false);
        for (std::int64_t t = 0; t < reduced.rows; ++t)
            for (std::size_t i = 0; i < piece.places.size(); ++i)
                scores(t, piece.places[i]) = own(t, static_cast<std::int64_t>(i)) + bias[piece.places[i]];
    }
}

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = tiledMethod().declaration.schema.complete(given);
    const Dictionary& dictionary = *inputs.dictionary;
    const Moments moments = weightedMoments(inputs, weightingFrom(parameters), context);
    const std::int64_t tiles = parameters.integer("tiles");
    std::vector<double> variance;
    for (std::int64_t j = 0; j < dictionary.width(); ++j)
        variance.push_back(moments.c(j, j));
    const Tiling tiling = parameters.text("permutation") == "none" ? runsOf(dictionary.width(), dictionary.latents(), tiles)
                                                                   : energyTiling(dictionary.rows(), variance, tiles, kRounds, context);
    Built built;
    const std::int64_t asked = parameters.integer("rank"), most = dictionary.width() / tiles;
    if (asked > most)
        built.warnings.push_back("The rank of a tile is " + std::to_string(most) + ", not " + std::to_string(asked) + ": a tile has no more inputs.");
    auto scorer = tiledScorer(dictionary.rows(), dictionary.bias(), moments, tiling, std::min(asked, most), context);
    built.encoder = coarseOnly(std::move(scorer), dictionary.k());
    return built;
}
} // namespace

TileRows tileRows(MatrixView<const float> w, const Moments& moments, const Tiling& tiling, std::int64_t tile, const RunContext& context)
{
    TileRows result{tiling.inputsOf(tile), tiling.latentsOf(tile), {}};
    Matrix<double> rows(static_cast<std::int64_t>(result.latents.size()), w.cols);
    for (std::size_t i = 0; i < result.latents.size(); ++i)
        std::ranges::copy(w.row(result.latents[i]), rows.view().row(static_cast<std::int64_t>(i)).begin());
    result.rows = linalg::product(rows.view(), part(moments.c, result.inputs, false).view(), context);
    const Matrix<double> root = rootOf(part(moments.c, result.inputs, true), context);
    linalg::solveRight(Op::Transpose, root.view(), result.rows.view(), context); // C = L L^T: first L^-T, then L^-1
    linalg::solveRight(Op::None, root.view(), result.rows.view(), context);
    return result;
}

std::vector<TileFactors> tileFactors(MatrixView<const float> w, const Moments& moments, const Tiling& tiling, std::int64_t rank, const RunContext& context)
{
    std::vector<TileFactors> tiles;
    for (std::int64_t tile = 0; tile < tiling.tiles; ++tile) {
        context.throwIfStopped();
        TileRows own = tileRows(w, moments, tiling, tile, context);
        TileFactors factors{std::move(own.inputs), std::move(own.latents), std::move(own.rows), {}};
        if (rank > 0) {
            Matrix<float> rows(factors.outer.rows(), factors.outer.cols());
            std::ranges::transform(factors.outer.values(), rows.values().begin(), [](double value) { return static_cast<float>(value); });
            Moments some{part(moments.c, factors.inputs, true), {}};
            WeightedFactors pair = weightedFactors(rows.view(), some, std::min(rank, rows.rows()), context);
            factors.outer = std::move(pair.b);
            factors.inner = std::move(pair.a);
        }
        tiles.push_back(std::move(factors));
    }
    return tiles;
}

std::vector<float> tileBias(MatrixView<const float> w, const std::vector<float>& bias, const std::vector<TileFactors>& tiles, const std::vector<double>& mean, const RunContext& context)
{
    std::vector<float> folded(bias.size());
    for (const TileFactors& tile : tiles) {
        context.throwIfStopped();
        const Matrix<double> all = tile.inner.empty() ? tile.outer : linalg::product(tile.outer.view(), tile.inner.view(), context);
        for (std::size_t i = 0; i < tile.latents.size(); ++i) {
            const std::int32_t latent = tile.latents[i];
            double value = static_cast<double>(bias[static_cast<std::size_t>(latent)]);
            for (std::int64_t j = 0; j < w.cols; ++j)
                value += static_cast<double>(w(latent, j)) * mean[static_cast<std::size_t>(j)];
            for (std::size_t j = 0; j < tile.inputs.size(); ++j)
                value -= all(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)) * mean[static_cast<std::size_t>(tile.inputs[j])];
            folded[static_cast<std::size_t>(latent)] = static_cast<float>(value);
        }
    }
    return folded;
}

ScorerPtr tiledScorer(std::int64_t width, std::vector<float> bias, const std::vector<TileFactors>& tiles)
{
    const auto latents = static_cast<std::int64_t>(bias.size());
    std::size_t named = 0;
    for (const TileFactors& tile : tiles) {
        const auto inputs = static_cast<std::int64_t>(tile.inputs.size());
        named += tile.latents.size();
        const bool fits = tile.outer.rows() == static_cast<std::int64_t>(tile.latents.size()) && (tile.inner.empty() ? tile.outer.cols() == inputs : tile.outer.cols() == tile.inner.rows() && tile.inner.cols() == inputs);
        const auto outside = [](std::int64_t count) { return [count](std::int32_t place) { return place < 0 || place >= count; }; };
        if (!fits || std::ranges::any_of(tile.inputs, outside(width)) || std::ranges::any_of(tile.latents, outside(latents)))
            throw Error(ErrorCode::InvalidParameter, "found a tile whose factors do not fit its " + std::to_string(inputs) + " inputs and " + std::to_string(tile.latents.size()) + " latents");
    }
    if (named != bias.size())
        throw Error(ErrorCode::InvalidParameter, "found tiles of " + std::to_string(named) + " latents, expected each of " + std::to_string(latents) + " in one tile");
    auto scorer = std::make_shared<TiledScorer>(width, std::move(bias));
    for (const TileFactors& tile : tiles)
        scorer->add(tile);
    return scorer;
}

ScorerPtr tiledScorer(MatrixView<const float> w, const std::vector<float>& bias, const Moments& moments, const Tiling& tiling, std::int64_t rank, const RunContext& context)
{
    const auto tiles = tileFactors(w, moments, tiling, rank, context);
    return tiledScorer(w.cols, tileBias(w, bias, tiles, moments.mean, context), tiles);
}

Method tiledMethod()
{
    std::vector<ParameterSpec> specs{
        {.name = "tiles", .title = "Tiles", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 1024, .step = 1, .logarithmic = true,
         .help = "Parts that inputs and latents are cut into; a latent reads the inputs of its part"},
        {.name = "permutation", .title = "Permutation", .type = ParameterType::Choice, .defaultValue = std::string("covariance"),
         .help = "covariance: inputs and latents are dealt out so that the blocks hold most of the scores' energy; none: in the order they have", .choices = {"covariance", "none"}},
        {.name = "rank", .title = "Rank of a tile", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 4096, .step = 1, .logarithmic = true,
         .help = "Directions of each tile's inputs; 0: whole blocks"}};
    for (ParameterSpec& spec : weightingParameters())
        specs.push_back(std::move(spec));
    Method method;
    method.declaration = {.id = kId,
                          .lab = "encoder",
                          .title = "Tiled",
                          .reference = "Block-diagonal rows by least squares over the activations; balanced co-clustering of inputs and latents",
                          .schema = ParameterSchema(std::move(specs))};
    method.needsCalibration = true;
    method.build = build;
    return method;
}

} // namespace tamis::encoder

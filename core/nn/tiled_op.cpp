// SPDX-License-Identifier: GPL-3.0-or-later
// Block-diagonal operators, with dense or low-rank tiles: T tiles cost 1 / T of the dense product.
#include "core/base/error.h"
#include "core/nn/linear_op.h"

#include <algorithm>

namespace tamis::nn {

using kernels::ConstRows;
using kernels::Epilogue;
using kernels::PackedMatrix;
using kernels::Rows;
using tensor::Matrix;

namespace {
/// One tile: its product, or B (A x).
struct Tile {
    PackedMatrix b, a; ///< a is empty (no rows) for a dense tile
    bool factored() const noexcept { return a.rows() > 0; }
    std::int64_t in() const noexcept { return factored() ? a.cols() : b.cols(); }
    std::int64_t out() const noexcept { return b.rows(); }
};

class TiledOp final : public LinearOp {
public:
    TiledOp(std::vector<Tile> tiles, std::vector<std::int64_t> permutation, std::vector<float> bias)
        : LinearOp(std::move(bias)), m_tiles(std::move(tiles)), m_permutation(std::move(permutation))
    {
    }
    std::string_view kind() const noexcept override { return m_tiles[0].factored() ? "tiled-factors" : "tiled"; }
    std::int64_t inFeatures() const noexcept override { return count() * m_tiles[0].in(); }
    std::int64_t outFeatures() const noexcept override { return count() * m_tiles[0].out(); }
    std::int64_t rank() const noexcept override
    {
        const Tile& t = m_tiles[0];
        return count() * (t.factored() ? t.a.rows() : std::min(t.in(), t.out()));
    }
    OperatorCost cost() const noexcept override
    {
        const Tile& t = m_tiles[0];
        const auto weights = static_cast<std::uint64_t>(count() * (t.factored() ? t.a.rows() * (t.in() + t.out()) : t.in() * t.out()));
        return {weights + m_bias.size(), 4 * (weights + m_bias.size()) + 8 * m_permutation.size(), weights};
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        Scratch::Frame frame(scratch);
        if (!m_permutation.empty()) {
            const Rows gathered = frame.take(x.rows, x.cols);
            for (std::int64_t i = 0; i < x.rows; ++i)
                for (std::int64_t j = 0; j < x.cols; ++j)
                    gathered(i, j) = x(i, m_permutation[static_cast<std::size_t>(j)]);
            x = gathered;
        }
        const bool factored = m_tiles[0].factored();
        const Rows latent = factored ? frame.take(x.rows, m_tiles[0].a.rows()) : Rows{};
        std::int64_t in = 0, out = 0;
        for (const Tile& tile : m_tiles) {
            const auto columns = [&](auto view) {
                view.data = view.data ? view.data + out : nullptr;
                view.cols = tile.out();
                return view;
            };
            ConstRows part{x.data + in, x.rows, tile.in(), x.stride};
            if (factored) {
                multiply(part, tile.a, {}, latent, scratch.parallel());
                part = latent;
            }
            multiply(part, tile.b,
                     {.bias = m_bias.empty() ? nullptr : m_bias.data() + out,
                      .activation = epilogue.activation,
                      .factor = columns(epilogue.factor),
                      .scale = epilogue.scale ? epilogue.scale + out : nullptr,
                      .base = columns(epilogue.base)},
                     columns(y), scratch.parallel());
            in += tile.in();
            out += tile.out();
        }
    }
    Matrix<float> dense() const override
    {
        Matrix<float> w(outFeatures(), inFeatures());
        for (std::int64_t t = 0; t < count(); ++t) {
            const Tile& tile = m_tiles[static_cast<std::size_t>(t)];
            const Matrix<float> b = tile.b.unpack(), a = tile.factored() ? tile.a.unpack() : Matrix<float>();
            for (std::int64_t i = 0; i < tile.out(); ++i)
                for (std::int64_t j = 0; j < tile.in(); ++j) {
                    double sum = tile.factored() ? 0 : double(b(i, j));
                    for (std::int64_t k = 0; k < a.rows(); ++k)
                        sum += double(b(i, k)) * a(k, j);
                    const std::int64_t column = t * tile.in() + j;
                    w(t * tile.out() + i, m_permutation.empty() ? column : m_permutation[static_cast<std::size_t>(column)]) = static_cast<float>(sum);
                }
        }
        return w;
    }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        const auto stack = [&](const char* suffix, auto member) {
            NamedTensor all{name + suffix, {count(), (m_tiles[0].*member).rows(), (m_tiles[0].*member).cols()}, {}, {}};
            for (const Tile& tile : m_tiles) {
                const Matrix<float> m = (tile.*member).unpack();
                all.values.insert(all.values.end(), m.values().begin(), m.values().end());
            }
            return all;
        };
        std::vector<NamedTensor> all;
        if (m_tiles[0].factored()) {
            all.push_back(stack(".tiled_a", &Tile::a));
            all.push_back(stack(".tiled_b", &Tile::b));
        } else {
            all.push_back(stack(".tiled_weight", &Tile::b));
        }
        if (!m_permutation.empty())
            all.push_back({name + ".tiled_perm", {inFeatures()}, {}, m_permutation});
        if (!m_bias.empty())
            all.push_back(biasTensor(name));
        return all;
    }

private:
    std::int64_t count() const noexcept { return static_cast<std::int64_t>(m_tiles.size()); }
    std::vector<Tile> m_tiles;
    std::vector<std::int64_t> m_permutation;
};

LinearPtr make(std::vector<Tile> tiles, std::vector<std::int64_t> permutation, std::vector<float> bias)
{
    const auto fail = [](const std::string& sentence) { throw Error(ErrorCode::InvalidParameter, sentence); };
    if (tiles.empty())
        fail("a tiled operator needs at least one tile");
    const auto same = [&](const Tile& t) {
        return t.in() == tiles[0].in() && t.out() == tiles[0].out() && t.a.rows() == tiles[0].a.rows() && (!t.factored() || t.b.cols() == t.a.rows());
    };
    if (!std::all_of(tiles.begin(), tiles.end(), same))
        fail("the tiles of an operator differ in shape");
    const auto count = static_cast<std::int64_t>(tiles.size());
    if (!bias.empty() && static_cast<std::int64_t>(bias.size()) != count * tiles[0].out())
        fail("a bias of " + std::to_string(bias.size()) + " numbers does not fit " + std::to_string(count * tiles[0].out()) + " outputs");
    if (!permutation.empty())
        requirePermutation(permutation, count * tiles[0].in());
    return std::make_shared<TiledOp>(std::move(tiles), std::move(permutation), std::move(bias));
}
} // namespace

LinearPtr tiledOp(const std::vector<Matrix<float>>& tiles, std::vector<std::int64_t> permutation, std::vector<float> bias)
{
    std::vector<Tile> packed;
    for (const Matrix<float>& tile : tiles)
        packed.push_back({PackedMatrix(tile.view()), {}});
    return make(std::move(packed), std::move(permutation), std::move(bias));
}

LinearPtr tiledFactorsOp(const std::vector<TileFactors>& tiles, std::vector<std::int64_t> permutation, std::vector<float> bias)
{
    std::vector<Tile> packed;
    for (const TileFactors& tile : tiles) {
        if (tile.a.rows() < 1 || tile.b.cols() != tile.a.rows())
            throw Error(ErrorCode::InvalidParameter, "the factors of a tile do not multiply");
        packed.push_back({PackedMatrix(tile.b.view()), PackedMatrix(tile.a.view())});
    }
    return make(std::move(packed), std::move(permutation), std::move(bias));
}

} // namespace tamis::nn

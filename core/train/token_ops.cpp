// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/token_ops.h"

#include "core/base/error.h"
#include "core/train/functions.h"
#include "core/train/products.h"

#include <vector>

namespace tamis::train {
namespace {
constexpr std::int64_t kColumns = 64; // a task of scattering owns some columns of all rows: no two tasks write one place

template <class T> T* at(View<T> view, std::int64_t row) { return view.data + row * view.stride; }

template <class T> void scatter(const RunContext& context, const std::int32_t* indices, View<T> gradient, GradientTarget<T> target)
{
    const Tiling columns(gradient.cols, kColumns);
    forTiles(context, columns.count, [&](std::int64_t tile) {
        const std::int64_t begin = columns.begin(tile), count = columns.extent(tile);
        for (std::int64_t i = 0; i < target.view.rows && !target.add; ++i)
            std::fill_n(at(target.view, i) + begin, count, T{0});
        for (std::int64_t i = 0; i < gradient.rows; ++i)
            addScaled(T{1}, at(gradient, i) + begin, at(target.view, indices[i]) + begin, count);
    });
}

template <class T> std::int64_t tokensOf(const char* operation, Variable<T> x, std::int64_t sequences)
{
    if (sequences <= 0 || x.rows() % sequences != 0 || x.rows() == 0)
        refuseShapes(operation, shapeOf(x), "rows that are a multiple of " + std::to_string(sequences) + " sequences");
    return x.rows() / sequences;
}

template <class T> struct Join {
    Variable<T> prefix, x, positions;
    std::int64_t sequences = 0, before = 0, tokens = 0; ///< rows of the prefix; tokens of a joined sequence

    View<const T> source() const { return x.value(); }
    void forwardRow(std::int64_t row, T* out) const
    {
        const std::int64_t sequence = row / tokens, token = row % tokens, cols = x.cols();
        const View<const T> start = prefix ? prefix.value() : View<const T>{}, body = x.value();
        const T* from = token < before ? at(start, token) : at(body, sequence * (tokens - before) + token - before);
        if (!positions) {
            std::copy_n(from, cols, out);
            return;
        }
        const T* shift = at(positions.value(), token);
        for (std::int64_t j = 0; j < cols; ++j)
            out[j] = from[j] + shift[j];
    }
    /// The gradients of one token of all sequences.
    void backwardToken(std::int64_t token, View<T> gradient, GradientTarget<T> dprefix, GradientTarget<T> dx, GradientTarget<T> dpositions) const
    {
        const auto collect = [&](GradientTarget<T> target, std::int64_t row) {
            T* out = at(target.view, row);
            if (!target.add)
                std::fill_n(out, gradient.cols, T{0});
            for (std::int64_t s = 0; s < sequences; ++s)
                addScaled(T{1}, at(gradient, s * tokens + token), out, gradient.cols);
        };
        if (dpositions)
            collect(dpositions, token);
        if (token < before) {
            if (dprefix)
                collect(dprefix, token);
            return;
        }
        for (std::int64_t s = 0; s < sequences && dx; ++s) {
            const T* from = at(gradient, s * tokens + token);
            T* out = at(dx.view, s * (tokens - before) + token - before);
            for (std::int64_t j = 0; j < gradient.cols; ++j)
                out[j] = dx.add ? out[j] + from[j] : from[j];
        }
    }
};
} // namespace

template <class T> Variable<T> gatherRows(Variable<T> table, std::span<const std::int32_t> indices)
{
    Tape<T>& tape = table.tape();
    const View<const T> from = table.value();
    for (const std::int32_t index : indices)
        if (index < 0 || index >= from.rows)
            throw Error(ErrorCode::InvalidParameter, "found row " + std::to_string(index) + " of a table of " + std::to_string(from.rows) + " rows",
                        "gatherRows");
    const auto count = static_cast<std::int64_t>(indices.size());
    const Variable<T> y = tape.output(count, from.cols, {table});
    auto* own = tape.template scratch<std::int32_t>(count);
    std::ranges::copy(indices, own);
    const View<T> out = tape.mutableValue(y);
    const Tiling tiles(count, rowsPerTask(from.cols));
    forTiles(tape.context(), tiles.count, [&](std::int64_t tile) {
        for (std::int64_t i = tiles.begin(tile); i < tiles.begin(tile) + tiles.extent(tile); ++i)
            std::copy_n(at(from, own[i]), from.cols, at(out, i));
    });
    tape.onBackward(y, [table, own](View<T> gradient) {
        Tape<T>& owner = table.tape();
        if (const GradientTarget<T> target = owner.target(table))
            scatter(owner.context(), own, gradient, target);
    });
    return y;
}

template <class T> Variable<T> tokenOfEach(Variable<T> x, std::int64_t sequences, std::int64_t token)
{
    const std::int64_t tokens = tokensOf("tokenOfEach", x, sequences);
    require(token >= 0 && token < tokens, "tokenOfEach", "the token is not one of a sequence");
    std::vector<std::int32_t> rows(static_cast<std::size_t>(sequences));
    for (std::size_t s = 0; s < rows.size(); ++s)
        rows[s] = static_cast<std::int32_t>(static_cast<std::int64_t>(s) * tokens + token);
    return gatherRows(x, rows);
}

template <class T> Variable<T> meanOfEach(Variable<T> x, std::int64_t sequences, std::int64_t first)
{
    const std::int64_t tokens = tokensOf("meanOfEach", x, sequences);
    require(first >= 0 && first < tokens, "meanOfEach", "no token is left to average");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(sequences, x.cols(), {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    const T share = T{1} / static_cast<T>(tokens - first);
    forTiles(tape.context(), sequences, [&](std::int64_t s) {
        std::fill_n(at(out, s), out.cols, T{0});
        for (std::int64_t t = first; t < tokens; ++t)
            addScaled(T{1}, at(in, s * tokens + t), at(out, s), out.cols);
        scaleRow(share, at(out, s), out.cols);
    });
    tape.onBackward(y, [x, sequences, tokens, first, share](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const GradientTarget<T> dx = owner.target(x);
        if (!dx)
            return;
        forTiles(owner.context(), sequences, [&](std::int64_t s) {
            for (std::int64_t t = 0; t < tokens; ++t) {
                T* to = at(dx.view, s * tokens + t);
                if (!dx.add)
                    std::fill_n(to, gradient.cols, T{0});
                if (t >= first)
                    addScaled(share, at(gradient, s), to, gradient.cols);
            }
        });
    });
    return y;
}

template <class T> Variable<T> joinTokens(Variable<T> prefix, Variable<T> x, Variable<T> positions, std::int64_t sequences)
{
    const std::int64_t own = tokensOf("joinTokens", x, sequences), before = prefix ? prefix.rows() : 0, tokens = before + own;
    if (prefix && prefix.cols() != x.cols())
        refuseShapes("joinTokens", "a prefix " + shapeOf(prefix), std::to_string(x.cols()) + " columns");
    if (positions && (positions.rows() != tokens || positions.cols() != x.cols()))
        refuseShapes("joinTokens", "positions " + shapeOf(positions), "[" + std::to_string(tokens) + ", " + std::to_string(x.cols()) + "]");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(sequences * tokens, x.cols(), {prefix, x, positions});
    const Join<T> join{prefix, x, positions, sequences, before, tokens};
    const View<T> out = tape.mutableValue(y);
    const Tiling tiles(out.rows, rowsPerTask(out.cols));
    forTiles(tape.context(), tiles.count, [&](std::int64_t tile) {
        for (std::int64_t row = tiles.begin(tile); row < tiles.begin(tile) + tiles.extent(tile); ++row)
            join.forwardRow(row, at(out, row));
    });
    tape.onBackward(y, [join](View<T> gradient) {
        Tape<T>& owner = join.x.tape();
        const GradientTarget<T> dprefix = join.prefix ? owner.target(join.prefix) : GradientTarget<T>{}, dx = owner.target(join.x);
        const GradientTarget<T> dpositions = join.positions ? owner.target(join.positions) : GradientTarget<T>{};
        forTiles(owner.context(), join.tokens, [&](std::int64_t token) { join.backwardToken(token, gradient, dprefix, dx, dpositions); });
    });
    return y;
}

template <class T> Variable<T> joinColumns(Variable<T> a, Variable<T> b)
{
    if (a.rows() != b.rows())
        refuseShapes("joinColumns", shapeOf(a) + " and " + shapeOf(b), "equally many rows");
    Tape<T>& tape = a.tape();
    const std::int64_t left = a.cols(), right = b.cols();
    const Variable<T> y = tape.output(a.rows(), left + right, {a, b});
    const View<T> out = tape.mutableValue(y);
    const View<const T> first = a.value(), second = b.value();
    for (std::int64_t i = 0; i < out.rows; ++i) {
        std::copy_n(at(first, i), left, at(out, i));
        std::copy_n(at(second, i), right, at(out, i) + left);
    }
    tape.onBackward(y, [a, b, left, right](View<T> gradient) {
        Tape<T>& owner = a.tape();
        const auto take = [&](GradientTarget<T> target, std::int64_t begin, std::int64_t count) {
            for (std::int64_t i = 0; i < gradient.rows && target; ++i)
                for (std::int64_t j = 0; j < count; ++j)
                    target.view(i, j) = (target.add ? target.view(i, j) : T{0}) + gradient(i, begin + j);
        };
        take(owner.target(a), 0, left);
        take(owner.target(b), left, right);
    });
    return y;
}

#define TAMIS_TOKEN_OPS(T)                                                                                                    \
    template Variable<T> gatherRows<T>(Variable<T>, std::span<const std::int32_t>);                                           \
    template Variable<T> tokenOfEach<T>(Variable<T>, std::int64_t, std::int64_t);                                             \
    template Variable<T> meanOfEach<T>(Variable<T>, std::int64_t, std::int64_t);                                              \
    template Variable<T> joinTokens<T>(Variable<T>, Variable<T>, Variable<T>, std::int64_t);                                  \
    template Variable<T> joinColumns<T>(Variable<T>, Variable<T>)
TAMIS_TOKEN_OPS(float);
TAMIS_TOKEN_OPS(double);
#undef TAMIS_TOKEN_OPS

} // namespace tamis::train

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/attention_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

#include <cmath>
#include <vector>

namespace tamis::train {
namespace {
constexpr std::int64_t kTileScores = 131072; // scores at a time: 0.5 MiB of floats, twice in the backward pass

template <class T> struct Attention {
    Variable<T> q, k, v, bias;
    std::int64_t sequences = 0, heads = 0, group = 1; ///< query heads of one key head
    std::int64_t queries = 0, keys = 0;               ///< tokens of a sequence
    std::int64_t depth = 0, mixed = 0;                ///< features of a head's key and value
    T scale = 1;
    bool causal = false;
    std::int64_t window = 0;
    T* logSums = nullptr; ///< [sequences, heads, queries]
    View<T> out;

    std::int64_t keyHeads() const { return heads / group; }
    std::int64_t tileRows() const { return std::clamp<std::int64_t>(kTileScores / keys, 16, 512); }
    T* logSum(std::int64_t sequence, std::int64_t head) const { return logSums + (sequence * heads + head) * queries; }

    /// Keys [begin, end) that query i sees.
    std::int64_t firstKey(std::int64_t i) const { return window > 0 ? std::max<std::int64_t>(0, i + keys - queries - window + 1) : 0; }
    std::int64_t endKey(std::int64_t i) const { return causal ? i + keys - queries + 1 : keys; }
};

/// The part of a matrix that belongs to one sequence and head.
template <class V> V headOf(V all, std::int64_t sequence, std::int64_t tokens, std::int64_t head, std::int64_t width)
{
    return columnsOf(rowsOf(all, sequence * tokens, tokens), head * width, width);
}

/// Memory of this thread for a tile of scores and one of their gradients; grows once.
template <class T> T* threadScratch(std::int64_t count)
{
    thread_local std::vector<T> memory;
    if (memory.size() < static_cast<std::size_t>(count))
        memory.resize(static_cast<std::size_t>(count));
    return memory.data();
}

/// Queries [row, row + rows) of one head against the keys that any of them sees.
template <class T> struct Tile {
    const Attention<T>& a;
    std::int64_t sequence, head, row, rows;
    std::int64_t begin = 0, end = 0; ///< keys
    View<const T> q, k, v;

    Tile(const Attention<T>& attention, std::int64_t sequence_, std::int64_t head_, std::int64_t row_, std::int64_t rows_)
        : a(attention), sequence(sequence_), head(head_), row(row_), rows(rows_), begin(attention.firstKey(row_)),
          end(attention.endKey(row_ + rows_ - 1))
    {
        q = rowsOf(headOf(a.q.value(), sequence, a.queries, head, a.depth), row, rows);
        k = rowsOf(headOf(a.k.value(), sequence, a.keys, head / a.group, a.depth), begin, end - begin);
        v = rowsOf(headOf(a.v.value(), sequence, a.keys, head / a.group, a.mixed), begin, end - begin);
    }
    View<T> scoresIn(T* memory) const { return {memory, rows, end - begin, end - begin}; }
    /// Products of queries and keys, not scaled yet; scaled and biased where there is a bias.
    void scores(View<T> s) const
    {
        multiply(Op::None, Op::Transpose, a.bias ? a.scale : T{1}, q, k, T{0}, s);
        if (!a.bias)
            return;
        const View<const T> table = a.bias.value();
        for (std::int64_t i = 0; i < rows; ++i)
            addScaled(T{1}, table.data + (head * a.queries + row + i) * table.stride + begin, s.data + i * s.stride, s.cols);
    }
    T rest() const { return a.bias ? T{1} : a.scale; } ///< what scores() leaves to multiply
    /// Calls each(i, from, count) with the visible part of row i after zeroing the rest.
    template <class Each> void visible(View<T> s, const Each& each) const
    {
        for (std::int64_t i = 0; i < rows; ++i) {
            T* line = s.data + i * s.stride;
            const std::int64_t first = a.firstKey(row + i) - begin, last = a.endKey(row + i) - begin;
            std::fill(line, line + first, T{0});
            std::fill(line + last, line + s.cols, T{0});
            each(i, line + first, last - first);
        }
    }
};

template <class T> void forwardHead(const RunContext& context, const Attention<T>& a, std::int64_t sequence, std::int64_t head)
{
    const View<T> out = headOf(a.out, sequence, a.queries, head, a.mixed);
    T* logSums = a.logSum(sequence, head);
    const Tiling tiles(a.queries, a.tileRows());
    for (std::int64_t t = 0; t < tiles.count; ++t) {
        context.throwIfStopped();
        const Tile<T> tile(a, sequence, head, tiles.begin(t), tiles.extent(t));
        const View<T> s = tile.scoresIn(threadScratch<T>(tile.rows * (tile.end - tile.begin) + tile.rows));
        T* inverse = s.data + s.rows * s.cols;
        tile.scores(s);
        tile.visible(s, [&](std::int64_t i, T* line, std::int64_t count) {
            const ExpSum<T> sums = expShifted(line, tile.rest(), count);
            logSums[tile.row + i] = sums.maximum + std::log(sums.sum);
            inverse[i] = T{1} / sums.sum;
        });
        const View<T> mixed = rowsOf(out, tile.row, tile.rows);
        multiply(Op::None, Op::None, T{1}, readOnly(s), tile.v, T{0}, mixed);
        for (std::int64_t i = 0; i < mixed.rows; ++i)
            scaleRow(inverse[i], mixed.data + i * mixed.stride, mixed.cols);
    }
}

template <class T> struct AttentionBackward {
    const RunContext& context;
    const Attention<T>& a;
    View<const T> gradient;
    GradientTarget<T> dq, dk, dv, dbias;

    /// All query heads of one key head. With o = P v and D = rowsum(do * o): dv = P^T do, dP = do v^T,
    /// dS = P * (dP - D), dq = scale dS k, dk = scale dS^T q (Dao et al. 2022, appendix B).
    void group(std::int64_t sequence, std::int64_t keyHead) const
    {
        const auto cleared = [&](const GradientTarget<T>& target, std::int64_t width) {
            if (!target)
                return View<T>{};
            const View<T> own = headOf(target.view, sequence, a.keys, keyHead, width);
            for (std::int64_t i = 0; i < own.rows && !target.add; ++i)
                std::fill_n(own.data + i * own.stride, own.cols, T{0});
            return own;
        };
        const View<T> keyGradient = cleared(dk, a.depth), valueGradient = cleared(dv, a.mixed);
        const Tiling tiles(a.queries, a.tileRows());
        for (std::int64_t head = keyHead * a.group; head < (keyHead + 1) * a.group; ++head)
            for (std::int64_t t = 0; t < tiles.count; ++t) {
                context.throwIfStopped();
                one(Tile<T>(a, sequence, head, tiles.begin(t), tiles.extent(t)), keyGradient, valueGradient);
            }
    }

    void one(const Tile<T>& tile, View<T> keyGradient, View<T> valueGradient) const
    {
        const std::int64_t count = tile.rows * (tile.end - tile.begin);
        T* memory = threadScratch<T>(2 * count);
        const View<T> p = tile.scoresIn(memory), dp = tile.scoresIn(memory + count);
        const T* logSums = a.logSum(tile.sequence, tile.head) + tile.row;
        const View<const T> up = rowsOf(headOf(gradient, tile.sequence, a.queries, tile.head, a.mixed), tile.row, tile.rows);
        const View<const T> o = rowsOf(headOf(readOnly(a.out), tile.sequence, a.queries, tile.head, a.mixed), tile.row, tile.rows);
        tile.scores(p);
        tile.visible(p, [&](std::int64_t i, T* line, std::int64_t visible) { expAgain(line, tile.rest(), logSums[i], visible); });
        if (valueGradient.data)
            multiply(Op::Transpose, Op::None, T{1}, readOnly(p), up, T{1}, rowsOf(valueGradient, tile.begin, p.cols));
        if (!dq && !dk && !dbias)
            return;
        multiply(Op::None, Op::Transpose, T{1}, up, tile.v, T{0}, dp);
        for (std::int64_t i = 0; i < tile.rows; ++i) {
            const T along = dot(up.data + i * up.stride, o.data + i * o.stride, a.mixed);
            const T* probability = p.data + i * p.stride;
            T* line = dp.data + i * dp.stride;
            for (std::int64_t j = 0; j < dp.cols; ++j)
                line[j] = probability[j] * (line[j] - along);
            if (dbias)
                addScaled(T{1}, line, dbias.view.data + (tile.head * a.queries + tile.row + i) * dbias.view.stride + tile.begin, dp.cols);
        }
        if (dq)
            multiply(Op::None, Op::None, a.scale, readOnly(dp), tile.k, dq.add ? T{1} : T{0},
                     rowsOf(headOf(dq.view, tile.sequence, a.queries, tile.head, a.depth), tile.row, tile.rows));
        if (keyGradient.data)
            multiply(Op::Transpose, Op::None, a.scale, readOnly(dp), tile.q, T{1}, rowsOf(keyGradient, tile.begin, dp.cols));
    }
};

template <class T> void backward(const Attention<T>& a, View<const T> gradient)
{
    Tape<T>& tape = a.q.tape();
    const AttentionBackward<T> pass{tape.context(), a, gradient, tape.target(a.q), tape.target(a.k), tape.target(a.v),
                                    a.bias ? tape.target(a.bias) : GradientTarget<T>{}};
    if (!pass.dbias) {
        forTiles(tape.context(), a.sequences * a.keyHeads(), [&](std::int64_t task) { pass.group(task / a.keyHeads(), task % a.keyHeads()); });
        return;
    }
    for (std::int64_t i = 0; i < pass.dbias.view.rows && !pass.dbias.add; ++i)
        std::fill_n(pass.dbias.view.data + i * pass.dbias.view.stride, pass.dbias.view.cols, T{0});
    forTiles(tape.context(), a.keyHeads(), [&](std::int64_t keyHead) { // a head's bias collects over the sequences in their order
        for (std::int64_t sequence = 0; sequence < a.sequences; ++sequence)
            pass.group(sequence, keyHead);
    });
}

template <class T> Attention<T> checked(Variable<T> q, Variable<T> k, Variable<T> v, const AttentionShape& shape, Variable<T> bias)
{
    const std::int64_t keyHeads = shape.keyValueHeads > 0 ? shape.keyValueHeads : shape.heads;
    require(shape.sequences > 0 && shape.heads > 0 && shape.heads % keyHeads == 0, "attention",
            "sequences and heads must be positive, and heads a multiple of the key heads");
    require(shape.window >= 0 && (shape.window == 0 || shape.causal), "attention", "a sliding window needs causal attention");
    const bool divides = q.rows() % shape.sequences == 0 && k.rows() % shape.sequences == 0 && q.cols() % shape.heads == 0 && v.cols() % keyHeads == 0;
    if (!divides || q.rows() == 0 || k.rows() == 0 || v.rows() != k.rows() || k.cols() != q.cols() / shape.heads * keyHeads)
        refuseShapes("attention", "q " + shapeOf(q) + ", k " + shapeOf(k) + ", v " + shapeOf(v),
                     "shapes for " + std::to_string(shape.sequences) + " sequences, " + std::to_string(shape.heads) + " heads and " +
                         std::to_string(keyHeads) + " key heads");
    Attention<T> a{.q = q, .k = k, .v = v, .bias = bias, .sequences = shape.sequences, .heads = shape.heads, .group = shape.heads / keyHeads,
                   .queries = q.rows() / shape.sequences, .keys = k.rows() / shape.sequences, .depth = q.cols() / shape.heads,
                   .mixed = v.cols() / keyHeads, .causal = shape.causal, .window = shape.window};
    a.scale = static_cast<T>(shape.scale != 0 ? shape.scale : 1.0 / std::sqrt(static_cast<double>(a.depth)));
    require(!a.causal || a.keys >= a.queries, "attention", "causal attention needs as many keys as queries, or more");
    if (bias && (bias.rows() != a.heads * a.queries || bias.cols() != a.keys))
        refuseShapes("attention", "a bias " + shapeOf(bias), "[" + std::to_string(a.heads * a.queries) + ", " + std::to_string(a.keys) + "]");
    return a;
}

template <class T> void rotate(View<const T> x, View<const T> cosines, View<const T> sines, T direction, std::int64_t headDim, std::int64_t row, T* y, bool add)
{
    const std::int64_t token = row % cosines.rows, half = cosines.cols;
    const T *c = cosines.data + token * cosines.stride, *s = sines.data + token * sines.stride;
    for (std::int64_t base = 0; base < x.cols; base += headDim) {
        const T* in = x.data + row * x.stride + base;
        T* out = y + base;
        for (std::int64_t j = 0; j < half; ++j) {
            const T first = in[j] * c[j] - direction * in[j + half] * s[j];
            const T second = in[j + half] * c[j] + direction * in[j] * s[j];
            out[j] = add ? out[j] + first : first;
            out[j + half] = add ? out[j + half] + second : second;
        }
        for (std::int64_t j = 2 * half; j < headDim; ++j)
            out[j] = add ? out[j] + in[j] : in[j];
    }
}
} // namespace

template <class T> Variable<T> attention(Variable<T> q, Variable<T> k, Variable<T> v, const AttentionShape& shape, Variable<T> bias)
{
    Tape<T>& tape = q.tape();
    if (q.index() == k.index() || k.index() == v.index() || q.index() == v.index()) { // windows add to what is there, in any order
        q = tape.window(q, 0, q.cols());
        k = tape.window(k, 0, k.cols());
        v = tape.window(v, 0, v.cols());
    }
    Attention<T> a = checked(q, k, v, shape, bias);
    const Variable<T> y = tape.output(q.rows(), a.heads * a.mixed, {q, k, v, bias});
    a.out = tape.mutableValue(y);
    a.logSums = tape.template scratch<T>(a.sequences * a.heads * a.queries);
    forTiles(tape.context(), a.sequences * a.heads,
             [&](std::int64_t task) { forwardHead(tape.context(), a, task / a.heads, task % a.heads); });
    tape.onBackward(y, [a](View<T> gradient) { backward(a, readOnly(gradient)); });
    return y;
}

template <class T> Variable<T> rotary(Variable<T> x, View<const T> cosines, View<const T> sines, std::int64_t headDim)
{
    require(headDim > 0 && x.cols() % headDim == 0 && 2 * cosines.cols <= headDim && cosines.cols == sines.cols && cosines.rows == sines.rows,
            "rotary", "cosines and sines must be equally large, with at most half a head's features");
    require(cosines.rows > 0 && x.rows() % cosines.rows == 0, "rotary", "the rows must be a multiple of the positions");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const auto all = [cosines, sines, headDim](const RunContext& context, View<const T> from, View<T> to, T direction, bool add) {
        const Tiling tiles(from.rows, rowsPerTask(from.cols));
        forTiles(context, tiles.count, [&](std::int64_t tile) {
            for (std::int64_t row = tiles.begin(tile); row < tiles.begin(tile) + tiles.extent(tile); ++row)
                rotate(from, cosines, sines, direction, headDim, row, to.data + row * to.stride, add);
        });
    };
    all(tape.context(), x.value(), tape.mutableValue(y), T{1}, false);
    tape.onBackward(y, [x, all](View<T> gradient) {
        if (const GradientTarget<T> dx = x.tape().target(x))
            all(x.tape().context(), readOnly(gradient), dx.view, T{-1}, dx.add);
    });
    return y;
}

#define TAMIS_ATTENTION_OPS(T)                                                                                                \
    template Variable<T> attention<T>(Variable<T>, Variable<T>, Variable<T>, const AttentionShape&, Variable<T>);             \
    template Variable<T> rotary<T>(Variable<T>, View<const T>, View<const T>, std::int64_t)
TAMIS_ATTENTION_OPS(float);
TAMIS_ATTENTION_OPS(double);
#undef TAMIS_ATTENTION_OPS

} // namespace tamis::train

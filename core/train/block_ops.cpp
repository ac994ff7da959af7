// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/block_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace tamis::train {
namespace {
constexpr std::int64_t kTileScores = 131072; // scores at a time

template <class T> T* at(View<T> view, std::int64_t row) { return view.data + row * view.stride; }

template <class V> V headOf(V all, std::int64_t sequence, std::int64_t tokens, std::int64_t head, std::int64_t width)
{
    return columnsOf(rowsOf(all, sequence * tokens, tokens), head * width, width);
}

template <class T> T* threadScratch(std::int64_t count)
{
    thread_local std::vector<T> memory;
    if (memory.size() < static_cast<std::size_t>(count))
        memory.resize(static_cast<std::size_t>(count));
    return memory.data();
}

template <class T> struct MaskedAttention {
    Variable<T> q, k, v;
    const std::uint8_t* seen = nullptr;
    std::int64_t sequences = 0, heads = 0, group = 1, queries = 0, keys = 0, depth = 0, mixed = 0;
    T scale = 1;
    T* logSums = nullptr; ///< [sequences, heads, queries]; of a query that sees nothing infinite
    View<T> out;

    std::int64_t keyHeads() const { return heads / group; }
    std::int64_t tileRows() const { return std::clamp<std::int64_t>(kTileScores / keys, 16, 512); }
    const std::uint8_t* mask(std::int64_t sequence, std::int64_t head, std::int64_t query) const { return seen + ((sequence * keyHeads() + head / group) * queries + query) * keys; }
    View<const T> queriesOf(std::int64_t sequence, std::int64_t head, std::int64_t row, std::int64_t count) const { return rowsOf(headOf(q.value(), sequence, queries, head, depth), row, count); }
    View<const T> keysOf(std::int64_t sequence, std::int64_t head) const { return headOf(k.value(), sequence, keys, head / group, depth); }
    View<const T> valuesOf(std::int64_t sequence, std::int64_t head) const { return headOf(v.value(), sequence, keys, head / group, mixed); }

    /// A row of scores becomes exp(scale score - maximum) where it is seen, zero elsewhere.
    void weigh(T* line, const std::uint8_t* visible, T& logSum, T& inverse) const
    {
        T top = -std::numeric_limits<T>::infinity();
        for (std::int64_t j = 0; j < keys; ++j)
            if (visible[j])
                top = std::max(top, line[j]);
        logSum = std::numeric_limits<T>::infinity();
        inverse = 0;
        if (top == -std::numeric_limits<T>::infinity()) {
            std::fill_n(line, keys, T{0});
            return;
        }
        for (std::int64_t j = 0; j < keys; ++j)
            if (!visible[j])
                line[j] = top;
        const T maximum = expShifted(line, scale, keys).maximum;
        clear(line, visible);
        const T total = sum(line, keys);
        logSum = maximum + std::log(total);
        inverse = T{1} / total;
    }
    /// The probabilities once more.
    void again(T* line, const std::uint8_t* visible, T logSum) const
    {
        if (logSum == std::numeric_limits<T>::infinity()) {
            std::fill_n(line, keys, T{0});
            return;
        }
        for (std::int64_t j = 0; j < keys; ++j)
            if (!visible[j])
                line[j] = logSum / scale;
        expAgain(line, scale, logSum, keys);
        clear(line, visible);
    }
    void clear(T* line, const std::uint8_t* visible) const
    {
        for (std::int64_t j = 0; j < keys; ++j)
            if (!visible[j])
                line[j] = 0;
    }
};

template <class T> void forwardHead(const RunContext& context, const MaskedAttention<T>& a, std::int64_t sequence, std::int64_t head)
{
    T* logSums = a.logSums + (sequence * a.heads + head) * a.queries;
    const Tiling tiles(a.queries, a.tileRows());
    for (std::int64_t t = 0; t < tiles.count; ++t) {
        context.throwIfStopped();
        const std::int64_t begin = tiles.begin(t), count = tiles.extent(t);
        T* memory = threadScratch<T>(count * (a.keys + 1));
        const View<T> s{memory, count, a.keys, a.keys};
        T* inverse = memory + count * a.keys;
        multiply(Op::None, Op::Transpose, T{1}, a.queriesOf(sequence, head, begin, count), a.keysOf(sequence, head), T{0}, s);
        for (std::int64_t i = 0; i < count; ++i)
            a.weigh(at(s, i), a.mask(sequence, head, begin + i), logSums[begin + i], inverse[i]);
        const View<T> mixed = rowsOf(headOf(a.out, sequence, a.queries, head, a.mixed), begin, count);
        multiply(Op::None, Op::None, T{1}, readOnly(s), a.valuesOf(sequence, head), T{0}, mixed);
        for (std::int64_t i = 0; i < count; ++i)
            scaleRow(inverse[i], at(mixed, i), a.mixed);
    }
}

/// dv = P^T do, dS = P * (do v^T - rowsum(do * o)), dq = scale dS k, dk = scale dS^T q.
template <class T> struct MaskedBackward {
    const RunContext& context;
    const MaskedAttention<T>& a;
    View<const T> gradient;
    GradientTarget<T> dq, dk, dv;

    View<T> cleared(const GradientTarget<T>& target, std::int64_t sequence, std::int64_t keyHead, std::int64_t width) const
    {
        if (!target)
            return {};
        const View<T> own = headOf(target.view, sequence, a.keys, keyHead, width);
        for (std::int64_t i = 0; i < own.rows && !target.add; ++i)
            std::fill_n(at(own, i), own.cols, T{0});
        return own;
    }
    void group(std::int64_t sequence, std::int64_t keyHead) const
    {
        const View<T> keyGradient = cleared(dk, sequence, keyHead, a.depth), valueGradient = cleared(dv, sequence, keyHead, a.mixed);
        const Tiling tiles(a.queries, a.tileRows());
        for (std::int64_t head = keyHead * a.group; head < (keyHead + 1) * a.group; ++head)
            for (std::int64_t t = 0; t < tiles.count; ++t) {
                context.throwIfStopped();
                tile(sequence, head, tiles.begin(t), tiles.extent(t), keyGradient, valueGradient);
            }
    }
    void tile(std::int64_t sequence, std::int64_t head, std::int64_t begin, std::int64_t count, View<T> keyGradient, View<T> valueGradient) const
    {
        T* memory = threadScratch<T>(2 * count * a.keys);
        const View<T> p{memory, count, a.keys, a.keys}, dp{memory + count * a.keys, count, a.keys, a.keys};
        const View<const T> up = rowsOf(headOf(gradient, sequence, a.queries, head, a.mixed), begin, count);
        const View<const T> o = rowsOf(headOf(readOnly(a.out), sequence, a.queries, head, a.mixed), begin, count);
        const View<const T> queries = a.queriesOf(sequence, head, begin, count);
        const T* logSums = a.logSums + (sequence * a.heads + head) * a.queries + begin;
        multiply(Op::None, Op::Transpose, T{1}, queries, a.keysOf(sequence, head), T{0}, p);
        for (std::int64_t i = 0; i < count; ++i)
            a.again(at(p, i), a.mask(sequence, head, begin + i), logSums[i]);
        if (valueGradient.data)
            multiply(Op::Transpose, Op::None, T{1}, readOnly(p), up, T{1}, valueGradient);
        if (!dq && !dk)
            return;
        multiply(Op::None, Op::Transpose, T{1}, up, a.valuesOf(sequence, head), T{0}, dp);
        for (std::int64_t i = 0; i < count; ++i) {
            const T along = dot(up.data + i * up.stride, o.data + i * o.stride, a.mixed);
            T* line = at(dp, i);
            for (std::int64_t j = 0; j < a.keys; ++j)
                line[j] = p(i, j) * (line[j] - along);
        }
        if (dq)
            multiply(Op::None, Op::None, a.scale, readOnly(dp), a.keysOf(sequence, head), dq.add ? T{1} : T{0}, rowsOf(headOf(dq.view, sequence, a.queries, head, a.depth), begin, count));
        if (keyGradient.data)
            multiply(Op::Transpose, Op::None, a.scale, readOnly(dp), queries, T{1}, keyGradient);
    }
};

template <class T> MaskedAttention<T> checked(Variable<T> q, Variable<T> k, Variable<T> v, const std::uint8_t* seen, const AttentionShape& shape)
{
    const std::int64_t keyHeads = shape.keyValueHeads > 0 ? shape.keyValueHeads : shape.heads;
    require(shape.sequences > 0 && shape.heads > 0 && shape.heads % keyHeads == 0, "masked attention", "sequences and heads must be positive, and heads a multiple of the key heads");
    require(seen && q.index() != k.index() && k.index() != v.index() && q.index() != v.index(), "masked attention", "a mask must be there, and queries, keys and values must be different variables");
    const bool divides = q.rows() % shape.sequences == 0 && k.rows() % shape.sequences == 0 && q.cols() % shape.heads == 0 && v.cols() % keyHeads == 0;
    if (!divides || q.rows() == 0 || k.rows() == 0 || v.rows() != k.rows() || k.cols() != q.cols() / shape.heads * keyHeads)
        refuseShapes("masked attention", "q " + shapeOf(q) + ", k " + shapeOf(k) + ", v " + shapeOf(v),
                     "shapes for " + std::to_string(shape.sequences) + " sequences, " + std::to_string(shape.heads) + " heads and " + std::to_string(keyHeads) + " key heads");
    MaskedAttention<T> a{.q = q, .k = k, .v = v, .seen = seen, .sequences = shape.sequences, .heads = shape.heads, .group = shape.heads / keyHeads, .queries = q.rows() / shape.sequences,
                         .keys = k.rows() / shape.sequences, .depth = q.cols() / shape.heads, .mixed = v.cols() / keyHeads};
    a.scale = static_cast<T>(shape.scale != 0 ? shape.scale : 1.0 / std::sqrt(static_cast<double>(a.depth)));
    return a;
}

/// target (+)= value(row, column) for all elements.
template <class T, class Value> void fill(const RunContext& context, View<T> target, bool add, const Value& value)
{
    const Tiling tiles(target.rows, rowsPerTask(target.cols));
    forTiles(context, tiles.count, [&](std::int64_t tile) {
        for (std::int64_t i = tiles.begin(tile); i < tiles.begin(tile) + tiles.extent(tile); ++i) {
            T* out = at(target, i);
            for (std::int64_t j = 0; j < target.cols; ++j)
                out[j] = add ? out[j] + value(i, j) : value(i, j);
        }
    });
}
} // namespace

template <class T> Variable<T> maskedAttention(Variable<T> q, Variable<T> k, Variable<T> v, const std::uint8_t* seen, const AttentionShape& shape)
{
    MaskedAttention<T> a = checked(q, k, v, seen, shape);
    Tape<T>& tape = q.tape();
    const Variable<T> y = tape.output(q.rows(), a.heads * a.mixed, {q, k, v});
    a.out = tape.mutableValue(y);
    a.logSums = tape.template scratch<T>(a.sequences * a.heads * a.queries);
    forTiles(tape.context(), a.sequences * a.heads, [&](std::int64_t task) { forwardHead(tape.context(), a, task / a.heads, task % a.heads); });
    tape.onBackward(y, [a](View<T> gradient) {
        Tape<T>& owner = a.q.tape();
        const MaskedBackward<T> pass{owner.context(), a, readOnly(gradient), owner.target(a.q), owner.target(a.k), owner.target(a.v)};
        forTiles(owner.context(), a.sequences * a.keyHeads(), [&](std::int64_t task) { pass.group(task / a.keyHeads(), task % a.keyHeads()); });
    });
    return y;
}

std::int64_t blocksWithin(std::int64_t length, std::int64_t tokens, std::int64_t stride) noexcept { return length < tokens ? 0 : (length - tokens) / stride + 1; }

template <class T> Variable<T> unfoldBlocks(Variable<T> x, std::int64_t sequences, std::int64_t heads, std::int64_t tokens, std::int64_t stride)
{
    require(sequences > 0 && heads > 0 && tokens > 0 && stride > 0 && x.rows() % sequences == 0 && x.cols() % heads == 0, "blocks of tokens",
            "sequences must divide the rows, heads the columns, and a block must have tokens");
    const std::int64_t length = x.rows() / sequences, blocks = blocksWithin(length, tokens, stride), d = x.cols() / heads;
    require(blocks > 0, "blocks of tokens", "a sequence must be as long as a block");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(sequences * blocks * heads, tokens * d, {x});
    const View<const T> from = x.value();
    fill(tape.context(), tape.mutableValue(y), false, [&](std::int64_t row, std::int64_t column) {
        const std::int64_t head = row % heads, block = row / heads % blocks, sequence = row / heads / blocks;
        return from(sequence * length + block * stride + column / d, head * d + column % d);
    });
    tape.onBackward(y, [x, length, blocks, heads, tokens, stride, d](View<T> gradient) {
        const GradientTarget<T> dx = x.tape().target(x);
        if (!dx)
            return;
        fill(x.tape().context(), dx.view, dx.add, [&](std::int64_t row, std::int64_t column) {
            const std::int64_t sequence = row / length, token = row % length, head = column / d;
            const std::int64_t first = token < tokens ? 0 : (token - tokens) / stride + 1, last = std::min(blocks - 1, token / stride);
            T total = 0; // over the blocks that hold the token
            for (std::int64_t block = first; block <= last; ++block)
                total += gradient((sequence * blocks + block) * heads + head, (token - block * stride) * d + column % d);
            return total;
        });
    });
    return y;
}

template <class T> Variable<T> meanOfParts(Variable<T> x, std::int64_t count)
{
    require(count > 0 && x.cols() % count == 0, "mean of parts", "the columns must be a multiple of the parts");
    Tape<T>& tape = x.tape();
    const std::int64_t d = x.cols() / count;
    const Variable<T> y = tape.output(x.rows(), d, {x});
    const View<const T> from = x.value();
    fill(tape.context(), tape.mutableValue(y), false, [&](std::int64_t row, std::int64_t column) {
        T total = 0;
        for (std::int64_t part = 0; part < count; ++part)
            total += from(row, part * d + column);
        return total / static_cast<T>(count);
    });
    tape.onBackward(y, [x, count, d](View<T> gradient) {
        if (const GradientTarget<T> dx = x.tape().target(x))
            fill(x.tape().context(), dx.view, dx.add, [&](std::int64_t row, std::int64_t column) { return gradient(row, column % d) / static_cast<T>(count); });
    });
    return y;
}

template <class T> Variable<T> joinHeads(Variable<T> x, std::int64_t heads)
{
    require(heads > 0 && x.rows() % heads == 0, "join of heads", "the rows must be a multiple of the heads");
    Tape<T>& tape = x.tape();
    const std::int64_t d = x.cols();
    const Variable<T> y = tape.output(x.rows() / heads, heads * d, {x});
    const View<const T> from = x.value();
    fill(tape.context(), tape.mutableValue(y), false, [&](std::int64_t row, std::int64_t column) { return from(row * heads + column / d, column % d); });
    tape.onBackward(y, [x, heads, d](View<T> gradient) {
        if (const GradientTarget<T> dx = x.tape().target(x))
            fill(x.tape().context(), dx.view, dx.add, [&](std::int64_t row, std::int64_t column) { return gradient(row / heads, row % heads * d + column); });
    });
    return y;
}

template <class T> Variable<T> gateHeads(Variable<T> x, Variable<T> gates)
{
    require(gates.cols() > 0 && x.rows() == gates.rows() && x.cols() % gates.cols() == 0, "gates of heads", "there must be a gate for each row and head");
    Tape<T>& tape = x.tape();
    const std::int64_t d = x.cols() / gates.cols();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x, gates});
    const View<const T> values = x.value(), factors = gates.value();
    fill(tape.context(), tape.mutableValue(y), false, [&](std::int64_t row, std::int64_t column) { return values(row, column) * factors(row, column / d); });
    tape.onBackward(y, [x, gates, d](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const View<const T> own = x.value(), by = gates.value();
        if (const GradientTarget<T> dg = owner.target(gates))
            fill(owner.context(), dg.view, dg.add, [&](std::int64_t row, std::int64_t head) { return dot(gradient.data + row * gradient.stride + head * d, own.data + row * own.stride + head * d, d); });
        if (const GradientTarget<T> dx = owner.target(x))
            fill(owner.context(), dx.view, dx.add, [&](std::int64_t row, std::int64_t column) { return gradient(row, column) * by(row, column / d); });
    });
    return y;
}

#define TAMIS_BLOCK_OPS(T)                                                                                                                          \
    template Variable<T> maskedAttention<T>(Variable<T>, Variable<T>, Variable<T>, const std::uint8_t*, const AttentionShape&);                     \
    template Variable<T> unfoldBlocks<T>(Variable<T>, std::int64_t, std::int64_t, std::int64_t, std::int64_t);                                      \
    template Variable<T> meanOfParts<T>(Variable<T>, std::int64_t);                                                                                 \
    template Variable<T> joinHeads<T>(Variable<T>, std::int64_t);                                                                                   \
    template Variable<T> gateHeads<T>(Variable<T>, Variable<T>)
TAMIS_BLOCK_OPS(float);
TAMIS_BLOCK_OPS(double);
#undef TAMIS_BLOCK_OPS

} // namespace tamis::train

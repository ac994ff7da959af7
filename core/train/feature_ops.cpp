// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/feature_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tamis::train {
namespace {
constexpr std::int64_t kTileWeights = 131072; // weights of a tile of queries

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

template <class T> void clearRows(View<T> rows)
{
    for (std::int64_t i = 0; i < rows.rows; ++i)
        std::fill_n(rows.data + i * rows.stride, rows.cols, T{0});
}

template <class T> T featureOf(FeatureKind kind, T y)
{
    switch (kind) {
    case FeatureKind::EluPlusOne: return y > 0 ? y + 1 : std::exp(y);
    case FeatureKind::Relu: return y > 0 ? y : T{0};
    case FeatureKind::SquaredRelu: return y > 0 ? y * y : T{0};
    }
    return 0;
}

template <class T> T slopeOf(FeatureKind kind, T y)
{
    switch (kind) {
    case FeatureKind::EluPlusOne: return y > 0 ? T{1} : std::exp(y);
    case FeatureKind::Relu: return y > 0 ? T{1} : T{0};
    case FeatureKind::SquaredRelu: return y > 0 ? 2 * y : T{0};
    }
    return 0;
}

/// What the backward pass of positive features needs to know of the forward one.
template <class T> struct Positive {
    Variable<T> x;
    View<const T> directions, out;
    std::int64_t sequences = 1, heads = 1, tokens = 0;
    T factor = 1, epsilon = 0, ratio = 1;
    bool keys = false, causal = false;
    std::int32_t* largest = nullptr;    ///< [sequences, heads, tokens]: the direction of each row's largest w . y
    std::int32_t* largestRow = nullptr; ///< [sequences, heads, tokens]: the row that has each row's c

    std::int64_t count() const { return directions.rows; }
    std::int64_t width() const { return count() + (causal ? 1 : 0); }
    std::int64_t dim() const { return directions.cols; }

    void forward(std::int64_t sequence, std::int64_t head, View<T> block) const
    {
        const View<const T> own = headOf(x.value(), sequence, tokens, head, dim());
        const View<T> features = columnsOf(block, 0, count());
        multiply(Op::None, Op::Transpose, factor, own, directions, T{0}, features);
        std::int32_t *best = largest + (sequence * heads + head) * tokens, *rows = largestRow + (sequence * heads + head) * tokens;
        std::vector<T> most(static_cast<std::size_t>(tokens));
        for (std::int64_t i = 0; i < tokens; ++i) {
            const T* line = features.data + i * features.stride;
            best[i] = static_cast<std::int32_t>(std::max_element(line, line + count()) - line);
            most[static_cast<std::size_t>(i)] = line[best[i]];
            rows[i] = static_cast<std::int32_t>(i);
            if (keys && i > 0 && !(line[best[i]] > most[static_cast<std::size_t>(rows[i - 1])]))
                rows[i] = rows[i - 1];
        }
        if (keys && !causal)
            std::fill_n(rows, tokens, rows[tokens - 1]);
        for (std::int64_t i = 0; i < tokens; ++i) {
            T* line = features.data + i * features.stride;
            const T* from = own.data + i * own.stride;
            const T c = most[static_cast<std::size_t>(rows[i])], shift = c + T{0.5} * factor * factor * dot(from, from, dim());
            for (std::int64_t j = 0; j < count(); ++j)
                line[j] = ratio * (std::exp(line[j] - shift) + epsilon);
            if (causal)
                line[count()] = c;
        }
    }

    /// With u = w . y and e = exp(u - |y|^2 / 2 - c): du = ratio e g, less its sum at the place of c, and dy = du w - (sum du) y.
    void backward(std::int64_t sequence, std::int64_t head, View<const T> gradient, const GradientTarget<T>& target) const
    {
        const View<T> du{threadScratch<T>(tokens * (count() + 1)), tokens, count(), count()};
        T* sums = du.data + tokens * count();
        const View<const T> own = headOf(x.value(), sequence, tokens, head, dim());
        const std::int32_t *best = largest + (sequence * heads + head) * tokens, *rows = largestRow + (sequence * heads + head) * tokens;
        for (std::int64_t i = 0; i < tokens; ++i) {
            const T *g = gradient.data + i * gradient.stride, *feature = out.data + (sequence * tokens + i) * out.stride + head * width();
            T* line = du.data + i * du.stride;
            for (std::int64_t j = 0; j < count(); ++j)
                line[j] = g[j] * (feature[j] - ratio * epsilon);
            sums[i] = sum(line, count());
        }
        for (std::int64_t i = 0; i < tokens; ++i)
            du(rows[i], best[rows[i]]) += (causal ? gradient(i, count()) : T{0}) - sums[i];
        const View<T> to = headOf(target.view, sequence, tokens, head, dim());
        multiply(Op::None, Op::None, factor, readOnly(du), directions, target.add ? T{1} : T{0}, to);
        for (std::int64_t i = 0; i < tokens; ++i)
            addScaled(-sums[i] * factor * factor, own.data + i * own.stride, to.data + i * to.stride, dim());
    }
};

template <class T> struct FeatureAttention {
    Variable<T> f, g, v;
    std::int64_t sequences = 0, heads = 0, group = 1, queries = 0, keys = 0, features = 0, mixed = 0;
    bool causal = false, running = false;
    T floor = 0;
    View<T> out;

    std::int64_t keyHeads() const { return heads / group; }
    /// A key head's features, and with `running` its stabiliser, the column behind them.
    template <class V> V keyHeadOf(V all, std::int64_t sequence, std::int64_t head) const { return headOf(all, sequence, keys, head, features + (running ? 1 : 0)); }
    View<const T> keyFeatures(std::int64_t sequence, std::int64_t head) const { return columnsOf(keyHeadOf(g.value(), sequence, head), 0, features); }
    /// exp(c_j - c_i), j <= i: at most 1.
    T rescaled(View<const T> keyHead, std::int64_t j, std::int64_t i) const
    {
        const T from = keyHead(j, features), to = keyHead(i, features);
        return from == to ? T{1} : std::exp(from - to);
    }
    std::int64_t tileRows() const { return std::clamp<std::int64_t>(kTileWeights / keys, 16, 512); }
    /// What every key has of query i whatever its features.
    T floorOf(std::int64_t sequence, std::int64_t head, std::int64_t i) const
    {
        const View<const T> own = headOf(f.value(), sequence, queries, head, features);
        return floor * sum(own.data + i * own.stride, features);
    }
    /// Rows [row, row + count) of P into `memory`, over the first keys; inverse[i] is 1 / the row's sum, 0 where that is 0.
    View<T> weights(std::int64_t sequence, std::int64_t head, std::int64_t row, std::int64_t count, T* memory, T* inverse) const
    {
        const std::int64_t end = causal ? row + count : keys;
        const View<T> p{memory, count, end, end};
        multiply(Op::None, Op::Transpose, T{1}, rowsOf(headOf(f.value(), sequence, queries, head, features), row, count),
                 rowsOf(keyFeatures(sequence, head / group), 0, end), T{0}, p);
        for (std::int64_t i = 0; i < count; ++i) {
            T* line = p.data + i * p.stride;
            const std::int64_t seen = causal ? row + i + 1 : keys;
            if (running) {
                const View<const T> own = keyHeadOf(g.value(), sequence, head / group);
                const T least = floorOf(sequence, head, row + i);
                for (std::int64_t j = 0; j < seen; ++j)
                    line[j] = line[j] * rescaled(own, j, row + i) + least;
            }
            std::fill(line + seen, line + end, T{0});
            const T all = sum(line, seen);
            inverse[i] = all == 0 ? T{0} : T{1} / all;
            if (all == 0)
                std::fill_n(line, seen, T{1} / static_cast<T>(seen));
            else
                scaleRow(inverse[i], line, seen);
        }
        return p;
    }

    void forwardHead(const RunContext& context, std::int64_t sequence, std::int64_t head) const
    {
        const Tiling tiles(queries, tileRows());
        for (std::int64_t t = 0; t < tiles.count; ++t) {
            context.throwIfStopped();
            const std::int64_t row = tiles.begin(t), count = tiles.extent(t);
            T* memory = threadScratch<T>(count * (keys + 1));
            const View<T> p = weights(sequence, head, row, count, memory + count, memory);
            multiply(Op::None, Op::None, T{1}, readOnly(p), rowsOf(headOf(v.value(), sequence, keys, head / group, mixed), 0, p.cols), T{0},
                     rowsOf(headOf(out, sequence, queries, head, mixed), row, count));
        }
    }

    /// All query heads of one key head. With a = f g^T, P = a / sum a and o = P v: dv = P^T do, da = (do v^T - do . o) / sum a, df = da g, dg = da^T f.
    void backwardGroup(const RunContext& context, View<const T> gradient, const GradientTarget<T>& df, const GradientTarget<T>& dg, const GradientTarget<T>& dv, std::int64_t sequence, std::int64_t keyHead) const
    {
        const View<T> keyGradient = dg ? keyHeadOf(dg.view, sequence, keyHead) : View<T>{};
        const View<T> valueGradient = dv ? headOf(dv.view, sequence, keys, keyHead, mixed) : View<T>{};
        if (dg && !dg.add)
            clearRows(keyGradient);
        if (dv && !dv.add)
            clearRows(valueGradient);
        const Tiling tiles(queries, tileRows());
        for (std::int64_t head = keyHead * group; head < (keyHead + 1) * group; ++head)
            for (std::int64_t t = 0; t < tiles.count; ++t) {
                context.throwIfStopped();
                backwardTile(gradient, df, keyGradient, valueGradient, sequence, head, tiles.begin(t), tiles.extent(t));
            }
    }

    void backwardTile(View<const T> gradient, const GradientTarget<T>& df, View<T> keyGradient, View<T> valueGradient, std::int64_t sequence, std::int64_t head, std::int64_t row, std::int64_t count) const
    {
        T* memory = threadScratch<T>(count * (2 * keys + 1));
        const View<T> p = weights(sequence, head, row, count, memory + count, memory);
        const View<T> da{memory + count + count * keys, count, p.cols, p.cols};
        const View<const T> up = rowsOf(headOf(gradient, sequence, queries, head, mixed), row, count);
        const View<const T> o = rowsOf(headOf(readOnly(out), sequence, queries, head, mixed), row, count);
        if (valueGradient.data)
            multiply(Op::Transpose, Op::None, T{1}, readOnly(p), up, T{1}, rowsOf(valueGradient, 0, p.cols));
        if (!df && !keyGradient.data)
            return;
        multiply(Op::None, Op::Transpose, T{1}, up, rowsOf(headOf(v.value(), sequence, keys, head / group, mixed), 0, p.cols), T{0}, da);
        for (std::int64_t i = 0; i < count; ++i) {
            const T along = dot(up.data + i * up.stride, o.data + i * o.stride, mixed);
            const std::int64_t seen = causal ? row + i + 1 : keys;
            T* line = da.data + i * da.stride;
            for (std::int64_t j = 0; j < da.cols; ++j)
                line[j] = j < seen ? memory[i] * (line[j] - along) : T{0};
        }
        std::vector<T> floors(static_cast<std::size_t>(running ? count : 0));
        if (running)
            behindStabiliser(sequence, head, row, p, memory, da, keyGradient, floors.data());
        if (df)
            multiply(Op::None, Op::None, T{1}, readOnly(da), rowsOf(keyFeatures(sequence, head / group), 0, da.cols), df.add ? T{1} : T{0},
                     rowsOf(headOf(df.view, sequence, queries, head, features), row, count));
        for (std::int64_t i = 0; df && i < static_cast<std::int64_t>(floors.size()); ++i) {
            T* line = headOf(df.view, sequence, queries, head, features).data + (row + i) * df.view.stride;
            for (std::int64_t r = 0; r < features; ++r)
                line[r] += floors[static_cast<std::size_t>(i)];
        }
        if (keyGradient.data)
            multiply(Op::Transpose, Op::None, T{1}, readOnly(da), rowsOf(headOf(f.value(), sequence, queries, head, features), row, count), T{1},
                     rowsOf(columnsOf(keyGradient, 0, features), 0, da.cols));
    }

    /// From the gradient of a_ij = f_i . g_j exp(c_j - c_i) + floor sum f_i to that of the product f_i . g_j, in place; what c gets is added to
    /// keyGradient's last column, and floors[i] is what each feature of f_i gets.
    void behindStabiliser(std::int64_t sequence, std::int64_t head, std::int64_t row, View<T> p, const T* inverse, View<T> da, View<T> keyGradient, T* floors) const
    {
        const View<const T> own = keyHeadOf(g.value(), sequence, head / group);
        for (std::int64_t i = 0; i < da.rows; ++i) {
            T* line = da.data + i * da.stride;
            const T least = floorOf(sequence, head, row + i);
            T all = 0;
            for (std::int64_t j = 0; j <= row + i; ++j) {
                const T scaled = inverse[i] == 0 ? T{0} : line[j] * (p(i, j) / inverse[i] - least);
                floors[i] += floor * line[j];
                line[j] *= rescaled(own, j, row + i);
                all += scaled;
                if (keyGradient.data)
                    keyGradient(j, features) += scaled;
            }
            if (keyGradient.data)
                keyGradient(row + i, features) -= all;
        }
    }
};
} // namespace

template <class T> Variable<T> linearFeatures(Variable<T> x, FeatureKind kind, double factor)
{
    Tape<T>& tape = x.tape();
    const View<const T> in = x.value();
    const Variable<T> y = tape.output(in.rows, in.cols, {x});
    const View<T> out = tape.mutableValue(y);
    const T by = static_cast<T>(factor);
    const Tiling tiles(in.rows, rowsPerTask(in.cols));
    forTiles(tape.context(), tiles.count, [&](std::int64_t tile) {
        for (std::int64_t i = tiles.begin(tile); i < tiles.begin(tile) + tiles.extent(tile); ++i)
            for (std::int64_t j = 0; j < in.cols; ++j)
                out(i, j) = featureOf(kind, by * in(i, j));
    });
    tape.onBackward(y, [x, kind, by](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const GradientTarget<T> target = owner.target(x);
        if (!target)
            return;
        const View<const T> from = x.value();
        const Tiling parts(from.rows, rowsPerTask(from.cols));
        forTiles(owner.context(), parts.count, [&](std::int64_t tile) {
            for (std::int64_t i = parts.begin(tile); i < parts.begin(tile) + parts.extent(tile); ++i)
                for (std::int64_t j = 0; j < from.cols; ++j) {
                    const T own = gradient(i, j) * by * slopeOf(kind, by * from(i, j));
                    target.view(i, j) = target.add ? target.view(i, j) + own : own;
                }
        });
    });
    return y;
}

template <class T> Variable<T> positiveFeatures(Variable<T> x, View<const T> directions, const PositiveFeatureShape& shape)
{
    require(shape.sequences > 0 && shape.heads > 0 && directions.rows > 0 && directions.cols > 0, "positiveFeatures", "sequences, heads and directions must be there");
    if (x.rows() == 0 || x.rows() % shape.sequences != 0 || x.cols() != shape.heads * directions.cols)
        refuseShapes("positiveFeatures", "x " + shapeOf(x), std::to_string(shape.sequences) + " sequences of " + std::to_string(shape.heads) + " x " + std::to_string(directions.cols) + " features");
    Tape<T>& tape = x.tape();
    Positive<T> p{.x = x, .directions = directions, .out = {}, .sequences = shape.sequences, .heads = shape.heads, .tokens = x.rows() / shape.sequences,
                  .factor = static_cast<T>(shape.factor), .epsilon = static_cast<T>(shape.epsilon), .ratio = T{1} / std::sqrt(static_cast<T>(directions.rows)), .keys = shape.keys, .causal = shape.keys && shape.causal};
    if (p.causal)
        p.epsilon = 0;
    p.largest = tape.template scratch<std::int32_t>(x.rows() * shape.heads);
    p.largestRow = tape.template scratch<std::int32_t>(x.rows() * shape.heads);
    const Variable<T> y = tape.output(x.rows(), shape.heads * p.width(), {x});
    const View<T> out = tape.mutableValue(y);
    p.out = readOnly(out);
    forTiles(tape.context(), p.sequences * p.heads,
             [&](std::int64_t task) { p.forward(task / p.heads, task % p.heads, headOf(out, task / p.heads, p.tokens, task % p.heads, p.width())); });
    tape.onBackward(y, [p](View<T> gradient) {
        Tape<T>& owner = p.x.tape();
        if (const GradientTarget<T> target = owner.target(p.x))
            forTiles(owner.context(), p.sequences * p.heads, [&](std::int64_t task) {
                p.backward(task / p.heads, task % p.heads, headOf(readOnly(gradient), task / p.heads, p.tokens, task % p.heads, p.width()), target);
            });
    });
    return y;
}

template <class T> Variable<T> featureAttention(Variable<T> f, Variable<T> g, Variable<T> v, const FeatureShape& shape)
{
    const std::int64_t keyHeads = shape.keyValueHeads > 0 ? shape.keyValueHeads : shape.heads;
    require(shape.sequences > 0 && shape.heads > 0 && shape.heads % keyHeads == 0, "featureAttention", "sequences and heads must be positive, and heads a multiple of the key heads");
    require(shape.causal || !shape.running, "featureAttention", "a stabiliser that grows along the keys is for causal attention");
    const bool divides = f.rows() % shape.sequences == 0 && g.rows() % shape.sequences == 0 && f.cols() % shape.heads == 0 && v.cols() % keyHeads == 0;
    if (!divides || f.rows() == 0 || g.rows() == 0 || v.rows() != g.rows() || g.cols() != (f.cols() / shape.heads + (shape.running ? 1 : 0)) * keyHeads || (shape.causal && f.rows() != g.rows()))
        refuseShapes("featureAttention", "f " + shapeOf(f) + ", g " + shapeOf(g) + ", v " + shapeOf(v),
                     "shapes for " + std::to_string(shape.sequences) + " sequences, " + std::to_string(shape.heads) + " heads and " + std::to_string(keyHeads) + " key heads");
    Tape<T>& tape = f.tape();
    FeatureAttention<T> a{.f = f, .g = g, .v = v, .sequences = shape.sequences, .heads = shape.heads, .group = shape.heads / keyHeads, .queries = f.rows() / shape.sequences,
                          .keys = g.rows() / shape.sequences, .features = f.cols() / shape.heads, .mixed = v.cols() / keyHeads, .causal = shape.causal, .running = shape.running, .floor = shape.running ? static_cast<T>(shape.floor) : T{0}};
    const Variable<T> y = tape.output(f.rows(), a.heads * a.mixed, {f, g, v});
    a.out = tape.mutableValue(y);
    forTiles(tape.context(), a.sequences * a.heads, [&](std::int64_t task) { a.forwardHead(tape.context(), task / a.heads, task % a.heads); });
    tape.onBackward(y, [a](View<T> gradient) {
        Tape<T>& owner = a.f.tape();
        const GradientTarget<T> df = owner.target(a.f), dg = owner.target(a.g), dv = owner.target(a.v);
        forTiles(owner.context(), a.sequences * a.keyHeads(),
                 [&](std::int64_t task) { a.backwardGroup(owner.context(), readOnly(gradient), df, dg, dv, task / a.keyHeads(), task % a.keyHeads()); });
    });
    return y;
}

template <class T> Variable<T> projectTokens(Variable<T> projection, Variable<T> x, std::int64_t sequences)
{
    require(sequences > 0, "projectTokens", "there must be a sequence");
    if (projection.rows() == 0 || x.rows() != sequences * projection.cols())
        refuseShapes("projectTokens", "a projection " + shapeOf(projection) + " and x " + shapeOf(x), "[m, n] and [" + std::to_string(sequences) + " n, features]");
    Tape<T>& tape = x.tape();
    const std::int64_t to = projection.rows(), from = projection.cols();
    const Variable<T> y = tape.output(sequences * to, x.cols(), {projection, x});
    const View<T> out = tape.mutableValue(y);
    forTiles(tape.context(), sequences, [&](std::int64_t s) { multiply(Op::None, Op::None, T{1}, projection.value(), rowsOf(x.value(), s * from, from), T{0}, rowsOf(out, s * to, to)); });
    tape.onBackward(y, [projection, x, sequences, to, from](View<T> gradient) {
        Tape<T>& owner = x.tape();
        if (const GradientTarget<T> dp = owner.target(projection))
            for (std::int64_t s = 0; s < sequences; ++s) // one after the other: a fixed order of the sum
                multiply(Op::None, Op::Transpose, T{1}, rowsOf(readOnly(gradient), s * to, to), rowsOf(x.value(), s * from, from), dp.add || s > 0 ? T{1} : T{0}, dp.view);
        if (const GradientTarget<T> dx = owner.target(x))
            forTiles(owner.context(), sequences, [&](std::int64_t s) {
                multiply(Op::Transpose, Op::None, T{1}, projection.value(), rowsOf(readOnly(gradient), s * to, to), dx.add ? T{1} : T{0}, rowsOf(dx.view, s * from, from));
            });
    });
    return y;
}

#define TAMIS_FEATURE_OPS(T)                                                                                       \
    template Variable<T> linearFeatures<T>(Variable<T>, FeatureKind, double);                                      \
    template Variable<T> positiveFeatures<T>(Variable<T>, View<const T>, const PositiveFeatureShape&);             \
    template Variable<T> featureAttention<T>(Variable<T>, Variable<T>, Variable<T>, const FeatureShape&);          \
    template Variable<T> projectTokens<T>(Variable<T>, Variable<T>, std::int64_t)
TAMIS_FEATURE_OPS(float);
TAMIS_FEATURE_OPS(double);
#undef TAMIS_FEATURE_OPS

} // namespace tamis::train

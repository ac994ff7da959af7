// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/policy_ops.h"

#include "core/train/counter_random.h"
#include "core/train/functions.h"
#include "core/train/products.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tamis::train {
namespace {
constexpr std::int64_t kTileScores = 131072; // scores at a time

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

/// What the forward pass leaves of a row of scores.
template <class T> struct RowSums {
    T maximum = 0, inverse = 0; ///< of scale q k^T; 1 / (sum of weights + epsilon)
    std::int32_t largest = 0;   ///< the first key of the maximum
};

template <class T> struct PolicyAttention {
    Variable<T> q, k, v, policy;
    std::int64_t sequences = 0, heads = 0, tokens = 0, depth = 0, mixed = 0;
    T scale = 1, epsilon = 0;
    RowSums<T>* rows = nullptr;  ///< [sequences, heads, tokens]
    T* policies = nullptr;       ///< [sequences, tokens]
    View<T> out;

    RowSums<T>* rowsOfHead(std::int64_t sequence, std::int64_t head) const { return rows + (sequence * heads + head) * tokens; }
    std::int64_t tileRows() const { return std::clamp<std::int64_t>(kTileScores / tokens, 16, 512); }
    T floor() const { return epsilon / static_cast<T>(tokens); } ///< that every key gets
    /// A query's row times the policy, but for its own key.
    void weigh(std::int64_t sequence, std::int64_t query, T* line) const
    {
        const T* weights = policies + sequence * tokens;
        const T own = line[query];
        for (std::int64_t j = 0; j < tokens; ++j)
            line[j] *= weights[j];
        line[query] = own;
    }
    /// scale q k^T of the queries [row, row + s.rows).
    void scores(std::int64_t sequence, std::int64_t head, std::int64_t row, View<T> s) const
    {
        multiply(Op::None, Op::Transpose, scale, rowsOf(headOf(q.value(), sequence, tokens, head, depth), row, s.rows), headOf(k.value(), sequence, tokens, head, depth), T{0}, s);
    }
};

template <class T> void forwardHead(const RunContext& context, const PolicyAttention<T>& a, std::int64_t sequence, std::int64_t head)
{
    const View<T> out = headOf(a.out, sequence, a.tokens, head, a.mixed);
    RowSums<T>* sums = a.rowsOfHead(sequence, head);
    const Tiling tiles(a.tokens, a.tileRows());
    for (std::int64_t t = 0; t < tiles.count; ++t) {
        context.throwIfStopped();
        const std::int64_t begin = tiles.begin(t), count = tiles.extent(t);
        const View<T> s{threadScratch<T>(count * a.tokens), count, a.tokens, a.tokens};
        a.scores(sequence, head, begin, s);
        for (std::int64_t i = 0; i < count; ++i) {
            T* line = s.data + i * s.stride;
            RowSums<T>& row = sums[begin + i];
            row.largest = static_cast<std::int32_t>(std::max_element(line, line + a.tokens) - line);
            row.maximum = expShifted(line, T{1}, a.tokens).maximum;
            a.weigh(sequence, begin + i, line);
            row.inverse = T{1} / (sum(line, a.tokens) + a.epsilon);
            for (std::int64_t j = 0; j < a.tokens; ++j)
                line[j] = (line[j] + a.floor()) * row.inverse;
        }
        multiply(Op::None, Op::None, T{1}, readOnly(s), headOf(a.v.value(), sequence, a.tokens, head, a.mixed), T{0}, rowsOf(out, begin, count));
    }
}

/// With w = e p, o = P v and D_i = do_i . o_i: dw_ij = (do_i . v_j - D_i) / (sum w + epsilon); de = dw p and ds = dw w; the first of the largest
/// scores takes -sum_j ds_ij, which the shift by it asks for; dp_ij = dw_ij e_ij off the diagonal.
template <class T> struct PolicyBackward {
    const RunContext& context;
    const PolicyAttention<T>& a;
    View<const T> gradient;
    GradientTarget<T> dq, dk, dv;
    T* dpolicy = nullptr; ///< [sequences, heads, tokens], or null

    void head(std::int64_t sequence, std::int64_t index) const
    {
        const auto cleared = [&](const GradientTarget<T>& target, std::int64_t width) {
            if (!target)
                return View<T>{};
            const View<T> own = headOf(target.view, sequence, a.tokens, index, width);
            for (std::int64_t i = 0; i < own.rows && !target.add; ++i)
                std::fill_n(own.data + i * own.stride, own.cols, T{0});
            return own;
        };
        const View<T> keys = cleared(dk, a.depth), values = cleared(dv, a.mixed);
        T* policies = dpolicy ? dpolicy + (sequence * a.heads + index) * a.tokens : nullptr;
        if (policies)
            std::fill_n(policies, a.tokens, T{0});
        const Tiling tiles(a.tokens, a.tileRows());
        for (std::int64_t t = 0; t < tiles.count; ++t) {
            context.throwIfStopped();
            tile(sequence, index, tiles.begin(t), tiles.extent(t), keys, values, policies);
        }
    }

    void tile(std::int64_t sequence, std::int64_t index, std::int64_t begin, std::int64_t count, View<T> keys, View<T> values, T* policies) const
    {
        T* memory = threadScratch<T>(2 * count * a.tokens);
        const View<T> e{memory, count, a.tokens, a.tokens}, dw{memory + count * a.tokens, count, a.tokens, a.tokens};
        const View<const T> up = rowsOf(headOf(gradient, sequence, a.tokens, index, a.mixed), begin, count);
        const View<const T> o = rowsOf(headOf(readOnly(a.out), sequence, a.tokens, index, a.mixed), begin, count);
        const RowSums<T>* sums = a.rowsOfHead(sequence, index) + begin;
        a.scores(sequence, index, begin, e);
        multiply(Op::None, Op::Transpose, T{1}, up, headOf(a.v.value(), sequence, a.tokens, index, a.mixed), T{0}, dw);
        for (std::int64_t i = 0; i < count; ++i) {
            T *line = e.data + i * e.stride, *slope = dw.data + i * dw.stride;
            expAgain(line, T{1}, sums[i].maximum, a.tokens);
            const T along = dot(up.data + i * up.stride, o.data + i * o.stride, a.mixed);
            for (std::int64_t j = 0; j < a.tokens; ++j)
                slope[j] = (slope[j] - along) * sums[i].inverse;
            if (policies) {
                const T own = policies[begin + i]; // a token sees itself whatever the policy
                for (std::int64_t j = 0; j < a.tokens; ++j)
                    policies[j] += slope[j] * line[j];
                policies[begin + i] = own;
            }
            a.weigh(sequence, begin + i, line);
            for (std::int64_t j = 0; j < a.tokens; ++j)
                slope[j] *= line[j];
            slope[sums[i].largest] -= sum(slope, a.tokens);
            for (std::int64_t j = 0; j < a.tokens; ++j)
                line[j] = (line[j] + a.floor()) * sums[i].inverse; // P
        }
        if (values.data)
            multiply(Op::Transpose, Op::None, T{1}, readOnly(e), up, T{1}, values);
        if (dq)
            multiply(Op::None, Op::None, a.scale, readOnly(dw), headOf(a.k.value(), sequence, a.tokens, index, a.depth), dq.add ? T{1} : T{0},
                     rowsOf(headOf(dq.view, sequence, a.tokens, index, a.depth), begin, count));
        if (keys.data)
            multiply(Op::Transpose, Op::None, a.scale, readOnly(dw), rowsOf(headOf(a.q.value(), sequence, a.tokens, index, a.depth), begin, count), T{1}, keys);
    }
};

template <class T> void backward(const PolicyAttention<T>& a, View<const T> gradient)
{
    Tape<T>& tape = a.q.tape();
    const GradientTarget<T> dpolicy = tape.target(a.policy);
    const std::int64_t count = a.sequences * a.heads * a.tokens;
    T* own = dpolicy ? tape.borrow(count) : nullptr;
    const PolicyBackward<T> pass{tape.context(), a, gradient, tape.target(a.q), tape.target(a.k), tape.target(a.v), own};
    forTiles(tape.context(), a.sequences * a.heads, [&](std::int64_t task) { pass.head(task / a.heads, task % a.heads); });
    if (!dpolicy)
        return;
    for (std::int64_t row = 0; row < a.sequences * a.tokens; ++row) { // a token's heads in their order, whatever thread did them
        T total = dpolicy.add ? dpolicy.view(row, 0) : T{0};
        for (std::int64_t head = 0; head < a.heads; ++head)
            total += own[(row / a.tokens * a.heads + head) * a.tokens + row % a.tokens];
        dpolicy.view(row, 0) = total;
    }
    tape.release(own, count);
}

template <class T> std::int64_t tokensOf(const char* operation, Variable<T> x, Variable<T> policy, std::int64_t sequences)
{
    if (sequences <= 0 || x.rows() == 0 || x.rows() % sequences != 0 || policy.rows() != x.rows() || policy.cols() != 1)
        refuseShapes(operation, shapeOf(x) + " with a policy " + shapeOf(policy), "a policy [rows, 1] and rows that are a multiple of " + std::to_string(sequences) + " sequences");
    return x.rows() / sequences;
}
} // namespace

template <class T> Variable<T> policyAttention(Variable<T> q, Variable<T> k, Variable<T> v, Variable<T> policy, const AttentionShape& shape, double epsilon)
{
    Tape<T>& tape = q.tape();
    if (q.index() == k.index() || k.index() == v.index() || q.index() == v.index()) { // windows add to what is there, in any order
        q = tape.window(q, 0, q.cols());
        k = tape.window(k, 0, k.cols());
        v = tape.window(v, 0, v.cols());
    }
    const std::int64_t tokens = tokensOf("policyAttention", q, policy, shape.sequences);
    require(shape.heads > 0 && (shape.keyValueHeads == 0 || shape.keyValueHeads == shape.heads) && !shape.causal && epsilon >= 0, "policyAttention",
            "heads must be positive, each with keys of its own, none of them causal, and epsilon not negative");
    if (k.rows() != q.rows() || v.rows() != q.rows() || k.cols() != q.cols() || q.cols() % shape.heads != 0 || v.cols() % shape.heads != 0)
        refuseShapes("policyAttention", "q " + shapeOf(q) + ", k " + shapeOf(k) + ", v " + shapeOf(v), "shapes for " + std::to_string(shape.heads) + " heads");
    PolicyAttention<T> a{.q = q, .k = k, .v = v, .policy = policy, .sequences = shape.sequences, .heads = shape.heads, .tokens = tokens, .depth = q.cols() / shape.heads,
                         .mixed = v.cols() / shape.heads};
    a.scale = static_cast<T>(shape.scale != 0 ? shape.scale : 1.0 / std::sqrt(static_cast<double>(a.depth)));
    a.epsilon = static_cast<T>(epsilon);
    const Variable<T> y = tape.output(q.rows(), v.cols(), {q, k, v, policy});
    a.out = tape.mutableValue(y);
    a.rows = tape.template scratch<RowSums<T>>(a.sequences * a.heads * a.tokens);
    a.policies = tape.template scratch<T>(q.rows());
    for (std::int64_t row = 0; row < q.rows(); ++row)
        a.policies[row] = policy.value()(row, 0);
    forTiles(tape.context(), a.sequences * a.heads, [&](std::int64_t task) { forwardHead(tape.context(), a, task / a.heads, task % a.heads); });
    tape.onBackward(y, [a](View<T> gradient) { backward(a, readOnly(gradient)); });
    return y;
}

template <class T> Variable<T> policyMean(Variable<T> x, Variable<T> policy, std::int64_t sequences)
{
    const std::int64_t tokens = tokensOf("policyMean", x, policy, sequences);
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(sequences, x.cols(), {x, policy});
    T* inverse = tape.template scratch<T>(sequences); // 1 / sum of the policy; 0 where that is 0
    const View<const T> in = x.value(), weights = policy.value();
    const View<T> out = tape.mutableValue(y);
    forTiles(tape.context(), sequences, [&](std::int64_t s) {
        T* mean = out.data + s * out.stride;
        std::fill_n(mean, out.cols, T{0});
        T total = 0;
        for (std::int64_t row = s * tokens; row < (s + 1) * tokens; ++row) {
            total += weights(row, 0);
            addScaled(weights(row, 0), in.data + row * in.stride, mean, out.cols);
        }
        inverse[s] = total != T{0} ? T{1} / total : T{0};
        scaleRow(inverse[s], mean, out.cols);
    });
    tape.onBackward(y, [x, policy, y, inverse, sequences, tokens](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const GradientTarget<T> dx = owner.target(x), dp = owner.target(policy);
        const View<const T> from = x.value(), p = policy.value(), mean = y.value();
        forTiles(owner.context(), sequences, [&](std::int64_t s) {
            const T* up = gradient.data + s * gradient.stride;
            const T along = dot(up, mean.data + s * mean.stride, gradient.cols);
            for (std::int64_t row = s * tokens; row < (s + 1) * tokens; ++row) {
                if (dx) {
                    T* to = dx.view.data + row * dx.view.stride;
                    if (!dx.add)
                        std::fill_n(to, gradient.cols, T{0});
                    addScaled(p(row, 0) * inverse[s], up, to, gradient.cols);
                }
                if (dp) {
                    const T slope = (dot(up, from.data + row * from.stride, gradient.cols) - along) * inverse[s];
                    dp.view(row, 0) = dp.add ? dp.view(row, 0) + slope : slope;
                }
            }
        });
    });
    return y;
}

template <class T> Variable<T> straightThroughKeep(Variable<T> x, View<const T> noise)
{
    if (x.cols() != 2 || noise.rows != x.rows() || noise.cols != 2)
        refuseShapes("straightThroughKeep", shapeOf(x) + " with noise [" + std::to_string(noise.rows) + ", " + std::to_string(noise.cols) + "]", "two columns, as many rows of noise");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), 1, {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    T* slopes = tape.template scratch<T>(x.rows());
    for (std::int64_t i = 0; i < in.rows; ++i) {
        const T first = in(i, 0) + noise(i, 0), second = in(i, 1) + noise(i, 1), soft = T{1} / (T{1} + std::exp(second - first));
        out(i, 0) = first >= second ? T{1} : T{0};
        slopes[i] = soft * (T{1} - soft);
    }
    tape.onBackward(y, [x, slopes](View<T> gradient) {
        const GradientTarget<T> target = x.tape().target(x);
        for (std::int64_t i = 0; target && i < gradient.rows; ++i) {
            const T slope = gradient(i, 0) * slopes[i];
            target.view(i, 0) = target.add ? target.view(i, 0) + slope : slope;
            target.view(i, 1) = target.add ? target.view(i, 1) - slope : -slope;
        }
    });
    return y;
}

template <class T> void gumbelNoise(View<T> out, std::uint64_t seed)
{
    for (std::int64_t i = 0; i < out.rows; ++i)
        for (std::int64_t j = 0; j < out.cols; ++j) {
            const double u = std::max(uniformAt(seed, static_cast<std::uint64_t>(i * out.cols + j)), 0x1.0p-54);
            out(i, j) = static_cast<T>(-std::log(-std::log(u)));
        }
}

#define TAMIS_POLICY_OPS(T)                                                                                                                    \
    template Variable<T> policyAttention<T>(Variable<T>, Variable<T>, Variable<T>, Variable<T>, const AttentionShape&, double);                \
    template Variable<T> policyMean<T>(Variable<T>, Variable<T>, std::int64_t);                                                                \
    template Variable<T> straightThroughKeep<T>(Variable<T>, View<const T>);                                                                   \
    template void gumbelNoise<T>(View<T>, std::uint64_t)
TAMIS_POLICY_OPS(float);
TAMIS_POLICY_OPS(double);
#undef TAMIS_POLICY_OPS

} // namespace tamis::train

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/norm_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

#include <cmath>

namespace tamis::train {
namespace {
constexpr std::int64_t kChunks = 64; // partial sums of the weights' gradients, at most

template <class T> struct Norm {
    Variable<T> x, weight, bias;
    bool centred = true;
    std::int64_t width = 0;     ///< features of a group; x.cols / width groups a row
    T* shift = nullptr;         ///< [rows * groups]
    T* inverse = nullptr;       ///< 1 / deviation, [rows * groups]

    std::int64_t groups() const { return x.cols() / width; }

    void forwardRow(std::int64_t row, T epsilon, T* y) const
    {
        const View<const T> in = x.value();
        const T* w = weight ? weight.value().data : nullptr;
        const T* b = bias ? bias.value().data : nullptr;
        for (std::int64_t g = 0; g < groups(); ++g) {
            const T* from = in.data + row * in.stride + g * width;
            const T mean = centred ? sum(from, width) / static_cast<T>(width) : T{0};
            const T scale = T{1} / std::sqrt(squares(from, mean, width) / static_cast<T>(width) + epsilon);
            shift[row * groups() + g] = mean;
            inverse[row * groups() + g] = scale;
            T* out = y + g * width;
            for (std::int64_t j = 0; j < width; ++j)
                out[j] = (from[j] - mean) * scale * (w ? w[j] : T{1}) + (b ? b[j] : T{0});
        }
    }

    /// dx = inverse (g w - mean(g w) - xhat mean(g w xhat)), without the first mean when not centred. `product` holds width.
    void backwardRow(std::int64_t row, const T* gradient, T* dx, bool add, T* dw, T* db, T* product) const
    {
        const View<const T> in = x.value();
        const T* w = weight ? weight.value().data : nullptr;
        T* normalised = product + width;
        for (std::int64_t g = 0; g < groups(); ++g) {
            const T* from = in.data + row * in.stride + g * width;
            const T* up = gradient + g * width;
            const T mean = shift[row * groups() + g], scale = inverse[row * groups() + g];
            for (std::int64_t j = 0; j < width; ++j)
                normalised[j] = (from[j] - mean) * scale;
            if (dw)
                for (std::int64_t j = 0; j < width; ++j)
                    dw[j] += up[j] * normalised[j];
            if (db)
                addScaled(T{1}, up, db, width);
            if (!dx)
                continue;
            if (w)
                for (std::int64_t j = 0; j < width; ++j)
                    product[j] = up[j] * w[j];
            else
                std::copy_n(up, width, product);
            const T average = centred ? sum(product, width) / static_cast<T>(width) : T{0};
            const T along = dot(product, normalised, width) / static_cast<T>(width);
            T* out = dx + g * width;
            for (std::int64_t j = 0; j < width; ++j)
                out[j] = (add ? out[j] : T{0}) + scale * (product[j] - average - normalised[j] * along);
        }
    }
};

template <class T> void reduce(const T* partials, std::int64_t chunks, GradientTarget<T> target)
{
    T* out = target.view.data;
    if (!target.add)
        std::fill_n(out, target.view.cols, T{0});
    for (std::int64_t c = 0; c < chunks; ++c)
        addScaled(T{1}, partials + c * target.view.cols, out, target.view.cols);
}

template <class T> void backward(const Norm<T>& norm, View<T> gradient)
{
    Tape<T>& tape = norm.x.tape();
    const GradientTarget<T> dx = tape.target(norm.x);
    const GradientTarget<T> dw = norm.weight ? tape.target(norm.weight) : GradientTarget<T>{};
    const GradientTarget<T> db = norm.bias ? tape.target(norm.bias) : GradientTarget<T>{};
    const std::int64_t width = norm.width;
    const Tiling chunks(gradient.rows, std::max(rowsPerTask(gradient.cols) / 2, (gradient.rows + kChunks - 1) / kChunks));
    T* partials = tape.borrow(4 * chunks.count * width); // of a chunk: two sums and two rows to work in
    forTiles(tape.context(), chunks.count, [&](std::int64_t chunk) {
        T* ownWeight = partials + chunk * width;
        T* ownBias = ownWeight + chunks.count * width;
        T* work = partials + 2 * (chunks.count + chunk) * width;
        std::fill_n(ownWeight, width, T{0});
        std::fill_n(ownBias, width, T{0});
        for (std::int64_t row = chunks.begin(chunk); row < chunks.begin(chunk) + chunks.extent(chunk); ++row)
            norm.backwardRow(row, gradient.data + row * gradient.stride, dx ? dx.view.data + row * dx.view.stride : nullptr, dx.add,
                             dw ? ownWeight : nullptr, db ? ownBias : nullptr, work);
    });
    if (dw)
        reduce(partials, chunks.count, dw);
    if (db)
        reduce(partials + chunks.count * width, chunks.count, db);
    tape.release(partials, 4 * chunks.count * width);
}

template <class T> Variable<T> apply(Norm<T> norm, double epsilon)
{
    Tape<T>& tape = norm.x.tape();
    const std::int64_t rows = norm.x.rows(), cols = norm.x.cols();
    if (norm.width <= 0 || cols % norm.width != 0)
        refuseShapes("norm", "x " + shapeOf(norm.x), "a multiple of " + std::to_string(norm.width) + " columns");
    for (const Variable<T>& vector : {norm.weight, norm.bias})
        if (vector && (vector.rows() != 1 || vector.cols() != norm.width))
            refuseShapes("norm", "a weight or bias " + shapeOf(vector), "[1, " + std::to_string(norm.width) + "]");
    const Variable<T> y = tape.output(rows, cols, {norm.x, norm.weight, norm.bias});
    norm.shift = tape.template scratch<T>(rows * norm.groups());
    norm.inverse = tape.template scratch<T>(rows * norm.groups());
    const View<T> out = tape.mutableValue(y);
    const Tiling tiles(rows, rowsPerTask(cols));
    forTiles(tape.context(), tiles.count, [&](std::int64_t tile) {
        for (std::int64_t row = tiles.begin(tile); row < tiles.begin(tile) + tiles.extent(tile); ++row)
            norm.forwardRow(row, static_cast<T>(epsilon), out.data + row * out.stride);
    });
    tape.onBackward(y, [norm](View<T> gradient) { backward(norm, gradient); });
    return y;
}
} // namespace

template <class T> Variable<T> layerNorm(Variable<T> x, Variable<T> weight, Variable<T> bias, double epsilon)
{
    return apply<T>({.x = x, .weight = weight, .bias = bias, .centred = true, .width = x.cols()}, epsilon);
}

template <class T> Variable<T> rmsNorm(Variable<T> x, Variable<T> weight, double epsilon)
{
    return apply<T>({.x = x, .weight = weight, .bias = {}, .centred = false, .width = x.cols()}, epsilon);
}

template <class T> Variable<T> headRmsNorm(Variable<T> x, Variable<T> weight, double epsilon)
{
    require(static_cast<bool>(weight), "head norm", "there is no weight to take a head's width from");
    return apply<T>({.x = x, .weight = weight, .bias = {}, .centred = false, .width = weight.cols()}, epsilon);
}

template <class T> Variable<T> headLayerNorm(Variable<T> x, Variable<T> weight, Variable<T> bias, double epsilon)
{
    require(static_cast<bool>(weight), "head norm", "there is no weight to take a head's width from");
    return apply<T>({.x = x, .weight = weight, .bias = bias, .centred = true, .width = weight.cols()}, epsilon);
}

#define TAMIS_NORM_OPS(T)                                                                                                     \
    template Variable<T> layerNorm<T>(Variable<T>, Variable<T>, Variable<T>, double);                                         \
    template Variable<T> rmsNorm<T>(Variable<T>, Variable<T>, double);                                                        \
    template Variable<T> headRmsNorm<T>(Variable<T>, Variable<T>, double);                                                    \
    template Variable<T> headLayerNorm<T>(Variable<T>, Variable<T>, Variable<T>, double)
TAMIS_NORM_OPS(float);
TAMIS_NORM_OPS(double);
#undef TAMIS_NORM_OPS

} // namespace tamis::train

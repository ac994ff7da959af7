// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/router_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

#include <algorithm>
#include <cmath>

namespace tamis::train {
namespace {
/// The loss of one run; slope = share (p sum t - t).
template <class T> T runLoss(const T* logits, const T* targets, T* slope, std::int64_t choices, T share)
{
    std::copy_n(logits, choices, slope);
    const ExpSum<T> sums = expShifted(slope, T{1}, choices);
    const T mass = sum(targets, choices), logSum = sums.maximum + std::log(sums.sum);
    for (std::int64_t j = 0; j < choices; ++j)
        slope[j] = share * (mass * slope[j] / sums.sum - targets[j]);
    return mass * logSum - dot(targets, logits, choices);
}
} // namespace

template <class T> Variable<T> softCrossEntropy(Variable<T> logits, View<const T> targets, std::int64_t choices)
{
    const View<const T> in = logits.value();
    if (in.rows != targets.rows || in.cols != targets.cols || in.rows == 0)
        refuseShapes("softCrossEntropy", "logits " + shapeOf(logits) + " and targets [" + std::to_string(targets.rows) + ", " + std::to_string(targets.cols) + "]", "equal shapes with a row");
    require(choices > 0 && in.cols % choices == 0, "softCrossEntropy", "the columns must be whole runs of choices");
    Tape<T>& tape = logits.tape();
    const View<T> slopes{tape.template scratch<T>(in.rows * in.cols), in.rows, in.cols, in.cols};
    T* losses = tape.template scratch<T>(in.rows);
    const T share = T{1} / static_cast<T>(in.rows);
    const Tiling tiles(in.rows, rowsPerTask(in.cols));
    forTiles(tape.context(), tiles.count, [&](std::int64_t tile) {
        for (std::int64_t i = tiles.begin(tile); i < tiles.begin(tile) + tiles.extent(tile); ++i) {
            losses[i] = 0;
            for (std::int64_t j = 0; j < in.cols; j += choices)
                losses[i] += runLoss(&in(i, j), &targets(i, j), &slopes(i, j), choices, share);
        }
    });
    const Variable<T> y = tape.output(1, 1, {logits});
    tape.mutableValue(y).data[0] = share * sum(losses, in.rows);
    tape.onBackward(y, [logits, slopes](View<T> gradient) {
        Tape<T>& owner = logits.tape();
        const GradientTarget<T> target = owner.target(logits);
        if (!target)
            return;
        const T seed = gradient.data[0];
        for (std::int64_t i = 0; i < slopes.rows; ++i)
            for (std::int64_t j = 0; j < slopes.cols; ++j)
                target.view(i, j) = (target.add ? target.view(i, j) : T{0}) + seed * slopes(i, j);
    });
    return y;
}

template Variable<float> softCrossEntropy(Variable<float>, View<const float>, std::int64_t);
template Variable<double> softCrossEntropy(Variable<double>, View<const double>, std::int64_t);

} // namespace tamis::train

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The training loop: loss, gradients, clipping, schedule, step.
#include "core/train/optimiser.h"
#include "core/train/tape.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace tamis::train {

struct TrainingSettings {
    OptimiserSettings optimiser;
    Schedule schedule;                                            ///< schedule.total is the number of steps
    double clipNorm = std::numeric_limits<double>::infinity();    ///< of all gradients together
    std::int64_t accumulate = 1;                                  ///< losses averaged into one step
    std::function<bool()> enough;                                 ///< asked after every step, after `observe`: true ends training; may be empty
};

struct TrainingStep {
    std::int64_t step = 0; ///< from 0
    double loss = 0;       ///< before the step; the mean when several are accumulated
    double gradientNorm = 0, learningRate = 0;
};

/// Builds the loss [1, 1] of one part of a step on the tape, from tape.parameter(...) of the set that is trained.
template <class T> using BuildLoss = std::function<Variable<T>(Tape<T>& tape, std::int64_t step, std::int64_t part)>;

/// Runs schedule.total steps, or fewer when settings.enough says so; `observe` (may be empty) is called after each, on this thread. Blocks. A stop is seen within
/// 100 ms and throws Error{Cancelled}: the parameters are those of the last whole step. Progress is the fraction of steps.
/// Throws Error{NonFinite} with the step when the loss is no number, before it spoils the parameters, and what `build` throws.
/// Returns all steps.
template <class T>
std::vector<TrainingStep> train(ParameterSet<T>& parameters, const TrainingSettings& settings, const BuildLoss<T>& build, const RunContext& context = {},
                                const std::function<void(const TrainingStep&)>& observe = {});

/// The same for the parameters of several sets together: one step, one norm of all gradients.
template <class T>
std::vector<TrainingStep> train(const std::vector<ParameterSet<T>*>& sets, const TrainingSettings& settings, const BuildLoss<T>& build, const RunContext& context = {},
                                const std::function<void(const TrainingStep&)>& observe = {});

/// The order in which samples are visited: every epoch a permutation of all, a function of the seed alone.
class SampleOrder {
public:
    SampleOrder(std::int64_t samples, std::uint64_t seed); ///< Error{InvalidParameter} without a sample
    /// Sample at `position` of the endless sequence of epochs. Positions may be asked for in any order; going on within an
    /// epoch is fast.
    std::int64_t at(std::int64_t position);

private:
    void shuffle(std::int64_t epoch);
    std::vector<std::int64_t> m_order;
    std::uint64_t m_seed;
    std::int64_t m_epoch = -1;
};

} // namespace tamis::train

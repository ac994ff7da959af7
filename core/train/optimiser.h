// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Steps along gradients. Formulas and defaults are PyTorch's, so that its recipes carry over; results do not depend on the
// number of threads.
#include "core/base/run_context.h"
#include "core/train/parameter_set.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::train {

enum class OptimiserKind { AdamW, Sgd };

struct OptimiserSettings {
    OptimiserKind kind = OptimiserKind::AdamW;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8; ///< AdamW
    double momentum = 0.9;                             ///< Sgd: v = momentum v + g, first v = g; w -= rate v
    /// AdamW: w -= rate * decay * w before the step (Loshchilov, Hutter 2019). Sgd: added to the gradient. Of parameters that decay.
    double weightDecay = 0.01;
};

/// Holds the moments of a set, which must outlive it. Parameters added to the set later take part from then on.
template <class T> class Optimiser {
public:
    /// Throws Error{InvalidParameter} for settings out of range.
    Optimiser(ParameterSet<T>& parameters, const OptimiserSettings& settings);
    ~Optimiser();
    Optimiser(const Optimiser&) = delete;
    Optimiser& operator=(const Optimiser&) = delete;

    /// One step with the gradients that the parameters hold. A stop is seen before it, not within: never half a step.
    void step(double learningRate, const RunContext& context = {});
    std::int64_t steps() const noexcept;

private:
    struct Content;
    std::unique_ptr<Content> m_content;
};

/// Scales all gradients so that their common Euclidean norm is at most `maximum` (as torch.nn.utils.clip_grad_norm_: by
/// maximum / (norm + 1e-6) where that is below 1). Returns the norm before; infinity as `maximum` only measures.
template <class T> double clipGradients(ParameterSet<T>& parameters, double maximum, const RunContext& context = {});

enum class ScheduleKind { Constant, Linear, Cosine };

/// The learning rate of each step: up from 0 in `warmUp` steps (step s < warmUp: peak (s + 1) / warmUp), then constant, or down to
/// `floor` at step `total` - 1, in a line or half a cosine.
struct Schedule {
    ScheduleKind kind = ScheduleKind::Cosine;
    double peak = 1e-3, floor = 0;
    std::int64_t warmUp = 0, total = 1;
    double at(std::int64_t step) const noexcept;
};

extern template class Optimiser<float>;
extern template class Optimiser<double>;

} // namespace tamis::train

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/optimiser.h"

#include "core/base/error.h"
#include "core/train/functions.h"
#include "core/train/products.h"

#include <cmath>
#include <numbers>

namespace tamis::train {
namespace {
constexpr std::int64_t kTile = 32768; // numbers updated, or squared and summed, by one task

struct Piece {
    std::size_t parameter = 0;
    std::int64_t begin = 0, count = 0;
};

template <class T> std::vector<Piece> piecesOf(const ParameterSet<T>& parameters)
{
    std::vector<Piece> pieces;
    for (std::size_t p = 0; p < parameters.all().size(); ++p) {
        const auto size = static_cast<std::int64_t>(parameters.all()[p].values.size());
        for (std::int64_t begin = 0; begin < size; begin += kTile)
            pieces.push_back({p, begin, std::min(kTile, size - begin)});
    }
    return pieces;
}

void requireBetween(double value, double low, double high, const char* name)
{
    if (!(value >= low && value < high))
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(value) + ", expected at least " + std::to_string(low) + " and less than " + std::to_string(high), name);
}

/// The numbers of one AdamW step, as PyTorch's single-tensor path takes them.
template <class T> struct AdamStep {
    T keep, beta1, beta2, rate, rootCorrection, epsilon;

    void apply(T* w, const T* g, T* m, T* v, std::int64_t count) const
    {
        for (std::int64_t i = 0; i < count; ++i) {
            m[i] = beta1 * m[i] + (T{1} - beta1) * g[i];
            v[i] = beta2 * v[i] + (T{1} - beta2) * g[i] * g[i];
            w[i] = keep * w[i] - rate * m[i] / (std::sqrt(v[i]) / rootCorrection + epsilon);
        }
    }
};
} // namespace

template <class T> struct Optimiser<T>::Content {
    ParameterSet<T>& parameters;
    OptimiserSettings settings;
    std::int64_t steps = 0;
    std::vector<Piece> pieces;
    std::vector<std::vector<T>> first, second; ///< of each parameter

    void follow()
    {
        if (first.size() == parameters.all().size())
            return;
        pieces = piecesOf(parameters);
        for (std::size_t p = first.size(); p < parameters.all().size(); ++p) {
            first.emplace_back(parameters.all()[p].values.size());
            second.emplace_back(settings.kind == OptimiserKind::AdamW ? parameters.all()[p].values.size() : 0);
        }
    }

    void adam(Parameter<T>& parameter, const Piece& piece, double learningRate)
    {
        const double rate = learningRate * parameter.rate, decay = parameter.decays ? settings.weightDecay : 0;
        const auto step = static_cast<double>(steps);
        const AdamStep<T> numbers{.keep = static_cast<T>(1 - rate * decay), .beta1 = static_cast<T>(settings.beta1), .beta2 = static_cast<T>(settings.beta2),
                                  .rate = static_cast<T>(rate / (1 - std::pow(settings.beta1, step))),
                                  .rootCorrection = static_cast<T>(std::sqrt(1 - std::pow(settings.beta2, step))),
                                  .epsilon = static_cast<T>(settings.epsilon)};
        numbers.apply(parameter.values.data() + piece.begin, parameter.gradient.data() + piece.begin,
                      first[piece.parameter].data() + piece.begin, second[piece.parameter].data() + piece.begin, piece.count);
    }

    void sgd(Parameter<T>& parameter, const Piece& piece, double learningRate)
    {
        const T rate = static_cast<T>(learningRate * parameter.rate), decay = static_cast<T>(parameter.decays ? settings.weightDecay : 0);
        const T momentum = static_cast<T>(steps == 1 ? 0 : settings.momentum);
        T* w = parameter.values.data() + piece.begin;
        const T* g = parameter.gradient.data() + piece.begin;
        T* v = first[piece.parameter].data() + piece.begin;
        for (std::int64_t i = 0; i < piece.count; ++i) {
            v[i] = momentum * v[i] + g[i] + decay * w[i];
            w[i] -= rate * v[i];
        }
    }
};

template <class T>
Optimiser<T>::Optimiser(ParameterSet<T>& parameters, const OptimiserSettings& settings) : m_content(new Content{parameters, settings, 0, {}, {}, {}})
{
    requireBetween(settings.beta1, 0, 1, "beta1");
    requireBetween(settings.beta2, 0, 1, "beta2");
    requireBetween(settings.momentum, 0, 1, "momentum");
    requireBetween(settings.weightDecay, 0, 1e6, "weightDecay");
    requireBetween(settings.epsilon, 0, 1, "epsilon");
    m_content->follow();
}

template <class T> Optimiser<T>::~Optimiser() = default;
template <class T> std::int64_t Optimiser<T>::steps() const noexcept { return m_content->steps; }

template <class T> void Optimiser<T>::step(double learningRate, const RunContext& context)
{
    context.throwIfStopped();
    Content& content = *m_content;
    content.follow();
    ++content.steps;
    forTiles(RunContext(), static_cast<std::int64_t>(content.pieces.size()), [&](std::int64_t i) {
        const Piece& piece = content.pieces[static_cast<std::size_t>(i)];
        Parameter<T>& parameter = content.parameters.all()[piece.parameter];
        if (content.settings.kind == OptimiserKind::AdamW)
            content.adam(parameter, piece, learningRate);
        else
            content.sgd(parameter, piece, learningRate);
    });
}

template <class T> double clipGradients(ParameterSet<T>& parameters, double maximum, const RunContext& context)
{
    const std::vector<Piece> pieces = piecesOf(parameters);
    std::vector<double> sums(pieces.size());
    forTiles(context, static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
        const Piece& piece = pieces[static_cast<std::size_t>(i)];
        const T* g = parameters.all()[piece.parameter].gradient.data() + piece.begin;
        sums[static_cast<std::size_t>(i)] = static_cast<double>(dot(g, g, piece.count)); // 1024 terms a lane at most: float is enough
    });
    const double norm = std::sqrt(sum(sums.data(), static_cast<std::int64_t>(sums.size())));
    const double factor = maximum / (norm + 1e-6);
    if (!(factor < 1))
        return norm;
    forTiles(context, static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
        const Piece& piece = pieces[static_cast<std::size_t>(i)];
        scaleRow(static_cast<T>(factor), parameters.all()[piece.parameter].gradient.data() + piece.begin, piece.count);
    });
    return norm;
}

double Schedule::at(std::int64_t step) const noexcept
{
    if (step < warmUp)
        return peak * static_cast<double>(step + 1) / static_cast<double>(warmUp);
    if (kind == ScheduleKind::Constant || total - warmUp <= 1)
        return peak;
    const double way = std::min(1.0, static_cast<double>(step - warmUp) / static_cast<double>(total - 1 - warmUp));
    return kind == ScheduleKind::Linear ? peak + (floor - peak) * way : floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * way));
}

template class Optimiser<float>;
template class Optimiser<double>;
template double clipGradients<float>(ParameterSet<float>&, double, const RunContext&);
template double clipGradients<double>(ParameterSet<double>&, double, const RunContext&);

} // namespace tamis::train

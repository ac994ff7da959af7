// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/token_gate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::reuse {

std::vector<ParameterSpec> gateParameters(double threshold)
{
    return {
        {.name = "policy", .title = "Policy", .type = ParameterType::Choice, .defaultValue = std::string("threshold"), .help = "Tokens that are computed: changed by more than the threshold, the r most changed, or a fraction of all",
         .choices = {"threshold", "top-r", "fraction"}},
        {.name = "threshold", .title = "Threshold", .type = ParameterType::Real, .defaultValue = threshold, .minimum = 0, .maximum = 10, .logarithmic = true,
         .help = "Of a token's change over the root mean square of all tokens"},
        {.name = "r", .title = "r", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 0, .maximum = 1e6, .unit = "tokens", .help = "With top-r: tokens that are computed"},
        {.name = "fraction", .title = "Fraction", .type = ParameterType::Real, .defaultValue = 0.25, .minimum = 0, .maximum = 1, .help = "With fraction: of the tokens that are computed"},
    };
}

GateSettings gateSettings(const Parameters& parameters)
{
    const std::string& policy = parameters.text("policy");
    return {policy == "top-r" ? GatePolicy::TopR : policy == "fraction" ? GatePolicy::Fraction : GatePolicy::Threshold, parameters.real("threshold"), parameters.integer("r"), parameters.real("fraction")};
}

void relativeErrors(kernels::ConstRows current, kernels::ConstRows reference, std::span<float> errors)
{
    double energy = 0;
    for (std::int64_t i = 0; i < current.rows; ++i) {
        const float *c = current.data + i * current.stride, *p = reference.data + i * reference.stride;
        constexpr std::int64_t kLanes = 8; // sums side by side, for the registers
        float squared[kLanes] = {}, own[kLanes] = {};
        std::int64_t j = 0;
        for (; j + kLanes <= current.cols; j += kLanes)
            for (std::int64_t lane = 0; lane < kLanes; ++lane) {
                const float e = c[j + lane] - p[j + lane];
                squared[lane] += e * e;
                own[lane] += p[j + lane] * p[j + lane];
            }
        for (; j < current.cols; ++j) {
            squared[0] += (c[j] - p[j]) * (c[j] - p[j]);
            own[0] += p[j] * p[j];
        }
        double error = 0;
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
            error += static_cast<double>(squared[lane]);
            energy += static_cast<double>(own[lane]);
        }
        errors[static_cast<std::size_t>(i)] = static_cast<float>(std::sqrt(error));
    }
    const double size = std::sqrt(energy / static_cast<double>(std::max<std::int64_t>(current.rows, 1)));
    if (size > 0)
        for (float& error : errors)
            error = static_cast<float>(static_cast<double>(error) / size);
}

std::vector<std::int32_t> gated(std::span<const float> errors, const GateSettings& settings)
{
    std::vector<std::int32_t> chosen;
    if (std::ranges::all_of(errors, [](float error) { return error == 0; }))
        return chosen;
    for (std::size_t i = 0; i < errors.size(); ++i)
        if (settings.policy != GatePolicy::Threshold || !(static_cast<double>(errors[i]) <= settings.threshold))
            chosen.push_back(static_cast<std::int32_t>(i));
    if (settings.policy == GatePolicy::Threshold)
        return chosen;
    const double most = settings.policy == GatePolicy::TopR ? static_cast<double>(settings.r) : std::ceil(settings.fraction * static_cast<double>(errors.size()) - 1e-9);
    if (static_cast<double>(chosen.size()) <= most)
        return chosen;
    const auto size = [&](std::int32_t i) {
        const float error = errors[static_cast<std::size_t>(i)];
        return std::isnan(error) ? std::numeric_limits<float>::infinity() : error;
    };
    std::ranges::stable_sort(chosen, [&](std::int32_t a, std::int32_t b) { return size(a) > size(b); });
    chosen.resize(static_cast<std::size_t>(most));
    std::ranges::sort(chosen);
    return chosen;
}

} // namespace tamis::reuse

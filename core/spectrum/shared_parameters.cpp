// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/shared_parameters.h"

namespace tamis::spectrum {

ParameterSpec ridgeParameter(std::string help)
{
    return {.name = "ridge",
            .title = "Ridge",
            .type = ParameterType::Real,
            .defaultValue = 0.0,
            .minimum = 0,
            .maximum = 1,
            .logarithmic = true,
            .unit = "x mean diagonal of C",
            .help = std::move(help)};
}

ParameterSpec scaleExponentParameter(std::string help)
{
    return {.name = "alpha", .title = "Exponent", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 2, .step = 0.05, .help = std::move(help)};
}

ParameterSpec iterationsParameter(const std::string& atZero)
{
    return {.name = "iterations",
            .title = "Iterations",
            .type = ParameterType::Integer,
            .defaultValue = std::int64_t{10},
            .minimum = 0,
            .maximum = 1000,
            .help = "Of the alternation at most; 0: " + atZero};
}

ParameterSpec toleranceParameter()
{
    return {.name = "tolerance",
            .title = "Tolerance",
            .type = ParameterType::Real,
            .defaultValue = 1e-3,
            .minimum = 0,
            .maximum = 1,
            .logarithmic = true,
            .help = "The alternation stops when an iteration takes less than this share off the objective"};
}

} // namespace tamis::spectrum

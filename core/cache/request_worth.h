// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an object is worth besides its size: requests, cost and uniqueness, each to its power. Private to the lab.
#include "core/base/parameter_schema.h"
#include "core/cache/policy.h"

#include <cmath>
#include <vector>

namespace tamis::cache {

/// requests^frequency x cost^cost x uniqueness^uniqueness. Where an exponent is 1 and where a cost or uniqueness is 1 no power is taken: nothing is rounded.
struct RequestWorth {
    double frequency = 1, cost = 1, uniqueness = 1; ///< exponents

    double ofRequests(double count) const noexcept { return frequency == 1 ? count : std::pow(count, frequency); }
    double ofObject(const Request& request) const noexcept { return power(request.cost, cost) * power(request.uniqueness, uniqueness); }

    static std::vector<ParameterSpec> specs()
    {
        const auto exponent = [](const char* name, const char* title, const char* help) {
            return ParameterSpec{.name = name, .title = title, .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 4, .help = help};
        };
        return {exponent("frequency", "Frequency", "Exponent of the requests; 0: they do not count"),
                exponent("cost", "Cost", "Exponent of what the trace's cost column holds: of recomputing, or how far an object lies from its neighbours; 0: it does not count"),
                exponent("uniqueness", "Uniqueness", "Exponent of what the trace's uniqueness column holds: 1 / number of similar features, 1 without one; 0: it does not count")};
    }
    static RequestWorth from(const Parameters& complete) { return {complete.real("frequency"), complete.real("cost"), complete.real("uniqueness")}; }

private:
    static double power(float value, double exponent) noexcept { return value == 1 ? 1.0 : std::pow(static_cast<double>(value), exponent); }
};

} // namespace tamis::cache

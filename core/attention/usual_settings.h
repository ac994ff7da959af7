// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method is compared at where nobody said otherwise.
#include "core/attention/method.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::nn {
class Model;
} // namespace tamis::nn

namespace tamis::attention {

/// One thing to compare.
struct ComparedSetting {
    std::string method;    ///< id
    Parameters parameters; ///< those that differ from the defaults, at least
    bool operator==(const ComparedSetting&) const = default;
};

/// The method at three values of the first of its schema's parameters that is a number (half of the default, the default, twice it, within its
/// range) or a choice (the first three); seeds are not meant. Once where it has none, and once where `given` says it. Everything else as in `given`. Methods whose defaults are for long texts
/// say for samples of `tokens` (0: not known) what they are compared at (Method::usual), where nothing is given.
std::vector<ComparedSetting> usualSettings(const Method& method, const Parameters& given = {}, std::int64_t tokens = 0);
/// Those of every method of the lab, baselines too: none of them needs a file of the user's.
std::vector<ComparedSetting> usualSettings(std::int64_t tokens = 0);
/// What every method is compared with.
struct TrivialOperator {
    ComparedSetting setting;
    std::string title;
};
/// Nothing, the mean of the values and, where no block is causal (pooling has no meaning there), keys and values pooled to 64.
std::vector<TrivialOperator> trivialOperators(const nn::Model& model);
/// Those parameters that have not their defaults, as "landmarks 32".
std::string settingsText(const ParameterSchema& schema, const Parameters& parameters);
/// What was said, defaults too, by the method's schema: what points of a comparison differ by.
std::string shownSettings(const ComparedSetting& setting);

} // namespace tamis::attention

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Methods at several settings over a folder of photos: what each keeps of the whole model and what it costs, computed and measured.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/token_report.h"
#include "core/tokens/method.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tamis::app {

/// One thing to compare.
struct TokenConfiguration {
    std::string method; ///< id
    Parameters parameters;
};

/// Every method that trains nothing, at several values of the parameter that says how many tokens go: `keep`, a share, or `r`, tokens a
/// block, or `most`, patches, for what `spec` has; at its defaults where it has none of them. Without those that need a file.
std::vector<TokenConfiguration> usualTokenConfigurations(const nn::ModelSpec& spec);
/// Those parameters that have not their defaults, as "keep 0.5, fuse false".
std::string tokenSettingsText(const ParameterSchema& schema, const Parameters& parameters);

struct TokenComparisonOptions {
    std::int64_t batch = 8;       ///< photos a measured pass; the first ones, over again where there are fewer
    double latencySeconds = 0.25; ///< of each point, at least three passes; 0: latency is not measured
    std::size_t sampleBytes = std::size_t{256} << 20; ///< of prepared photos kept between points; others are read again
};

/// Each configuration on all photos of `samples`, beside the whole model, the first point. Photos that cannot be read are left out and named
/// in the warnings. `finished` is called with all points so far. A configuration that cannot be carried out is a point with a failure. Points,
/// times apart, do not depend on the number of threads. Throws what requireReducible throws, Error{InvalidParameter} where no photo can be
/// read, Error{Cancelled}.
report::TokenComparison compareTokenMethods(const tokens::Inputs& inputs, const measure::SampleSource& samples, const std::vector<TokenConfiguration>& configurations,
                                          const TokenComparisonOptions& options = {}, const RunContext& context = {},
                                          const std::function<void(const report::TokenComparison&)>& finished = {});

} // namespace tamis::app

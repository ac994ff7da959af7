// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/anchored.h"

#include "core/lowrank/saes.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
constexpr const char* kId = "lowrank.anchored";
/// What this method shares with lowrank.saes, word for word.
constexpr const char* kShared[] = {"ridge", "samples", "held-out", "reference"};

std::vector<ParameterSpec> anchoredParameters()
{
    std::vector<ParameterSpec> specs = saesMethod().declaration.schema.specs();
    std::erase_if(specs, [](const ParameterSpec& spec) { return std::ranges::find(kShared, spec.name) == std::end(kShared); });
    return specs;
}

/// Charts and numbers of the adaptive beta say nothing here.
void keepWhatCounts(report::LowRankReport& report)
{
    std::erase_if(report.figures, [](const report::MethodFigure& figure) { return figure.id == "beta" || figure.id == "validity" || figure.id.starts_with("rho-"); });
    std::erase_if(report.scalars, [](const auto& scalar) { return scalar.first.starts_with("beta of ") || scalar.first.starts_with("tau of "); });
}

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    const Parameters parameters = anchoredMethod().declaration.schema.complete(given);
    Parameters saes;
    for (const auto& [name, value] : parameters.all())
        saes.set(name, value);
    saes.set("beta-mode", std::string("fixed"));
    saes.set("beta", 1.0);
    Compression result = saesMethod().compress(inputs, budget, saes, context, finished);
    result.report.method = kId;
    result.report.parameters = parameters;
    keepWhatCounts(result.report);
    return result;
}
} // namespace

Method anchoredMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Sequential, fitted to the dense outputs (AA-SVD)",
                          .reference = "Anchored target W Xf X^T on the compressed path's inputs: AA-SVD (2604.02119)",
                          .schema = ParameterSchema(anchoredParameters())};
    method.needsCalibration = false;
    method.needsSamples = true;
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/latent.h"

#include "core/lowrank/joint_layers.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
constexpr const char* kId = "lowrank.latent";

/// Parameters of both parts, those that they share once.
std::vector<ParameterSpec> latentParameters()
{
    std::vector<ParameterSpec> all{{.name = "qk",
                                    .title = "Queries and keys",
                                    .type = ParameterType::Choice,
                                    .defaultValue = std::string("joint"),
                                    .help = "Shared planes under the attention-map objective, or whitened factors of either alone",
                                    .choices = {"joint", "separate"}}};
    for (const auto& specs : {jointVoFormParameters(), jointVoParameters(), jointQkParameters(), jointQkRankParameters()})
        for (const ParameterSpec& spec : specs)
            if (std::ranges::find(all, spec.name, &ParameterSpec::name) == all.end())
                all.push_back(spec);
    return all;
}

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    context.setParts(11);
    CompressionRun run(kId, inputs, budget, latentMethod().declaration.schema.complete(given), finished, context.part(2, "ranks"));
    ScoreCompression scores(run);
    ValueCompression values(run);
    compressLayers(run, run.report().parameters.text("qk") == "joint" ? &scores : nullptr, &values, context.part(7, "layers"));
    scores.fill(context.part(1, "attention maps"));
    values.fill(context.part(1, "error by cause"));
    return run.finish();
}
} // namespace

Method latentMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "LatentLLM",
                          .reference = "Root-covariance factors with joint QK and VO: LatentLLM (2505.18413); VO by head: MoDeGPT (2408.09632)",
                          .schema = ParameterSchema(latentParameters())};
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank

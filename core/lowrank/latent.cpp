// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/latent.h"

#include "core/lowrank/joint_layers.h"

#include <algorithm>
#include <map>

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
                                    .choices = {"joint", "separate"}},
                                   {.name = "ud",
                                    .title = "MLP",
                                    .type = ParameterType::Choice,
                                    .defaultValue = std::string("separate"),
                                    .help = "Whitened factors of either projection, or jointly as lowrank.joint-ud does it with its defaults",
                                    .choices = {"separate", "joint"}}};
    for (const auto& specs : {jointVoFormParameters(), jointVoParameters(), jointQkParameters(), jointQkRankParameters()})
        for (const ParameterSpec& spec : specs)
            if (std::ranges::find(all, spec.name, &ParameterSpec::name) == all.end())
                all.push_back(spec);
    return all;
}

/// What lowrank.joint-ud makes of the MLPs at the ranks that the run's budget gives them, by name.
std::map<std::string, nn::LinearPtr> jointMlps(CompressionRun& run, const RunContext& context)
{
    Inputs inputs = run.inputs();
    inputs.matrices.clear();
    plan::BudgetRequest budget = run.budget();
    budget.overrides.clear();
    for (const LayerTargets& layer : run.layers())
        for (const io::MatrixRef* matrix : layer.others)
            if (matrix->role == io::Role::Up || matrix->role == io::Role::Gate || matrix->role == io::Role::Down) {
                inputs.matrices.push_back(matrix->name);
                if (run.budget().allocation != plan::Allocation::Uniform || !run.budget().overrides.empty())
                    budget.overrides[matrix->name] = {.rank = run.rank(*matrix) > 0 ? run.rank(*matrix) : std::min(matrix->rows, matrix->cols), .locked = true};
            }
    std::map<std::string, nn::LinearPtr> operators;
    if (inputs.matrices.empty())
        return operators;
    const Method* method = findMethod("lowrank.joint-ud");
    Parameters parameters;
    parameters.set("ridge", run.report().parameters.real("ridge"));
    Compression mlps = method->compress(inputs, budget, parameters, context, {});
    for (std::string& warning : mlps.report.warnings)
        run.warn(std::move(warning));
    for (CompressedOperator& each : mlps.operators)
        operators.emplace(each.name, std::move(each.op));
    return operators;
}

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    context.setParts(16);
    CompressionRun run(kId, inputs, budget, latentMethod().declaration.schema.complete(given), finished, context.part(2, "ranks"));
    ScoreCompression scores(run);
    ValueCompression values(run);
    const bool jointMlp = run.report().parameters.text("ud") == "joint";
    const auto mlps = jointMlp ? jointMlps(run, context.part(5, "MLPs")) : std::map<std::string, nn::LinearPtr>{};
    const MlpCompression put = [&](const LayerTargets& layer, const RunContext& part) {
        for (const io::MatrixRef* matrix : layer.others) {
            const auto found = mlps.find(matrix->name);
            if (found != mlps.end())
                run.put(*matrix, found->second, part);
            else // no projection of an MLP, or one that the joint form left as it was
                run.putLocal(*matrix, run.report().parameters.real("ridge"), part);
        }
        return true;
    };
    compressLayers(run, run.report().parameters.text("qk") == "joint" ? &scores : nullptr, &values, context.part(7, "layers"), jointMlp ? put : MlpCompression{});
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

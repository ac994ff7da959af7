// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/distilled.h"

#include "core/lowrank/factor_training.h"

namespace tamis::lowrank {
namespace {
constexpr const char* kId = "lowrank.distilled";

std::vector<ParameterSpec> distilledParameters()
{
    std::vector<ParameterSpec> specs{
        {.name = "temperature",
         .title = "Temperature",
         .defaultValue = 1.0,
         .minimum = 0.1,
         .maximum = 20,
         .help = "T of T^2 KL(softmax(dense / T) | softmax(logits / T)): above 1, improbable outputs weigh more"},
        {.name = "hidden",
         .title = "Weight of the blocks' outputs",
         .defaultValue = 0.0,
         .minimum = 0,
         .maximum = 100,
         .logarithmic = true,
         .help = "Times the mean over blocks of |x - x_dense|^2 / |x_dense|^2, added to the divergence of the outputs"}};
    for (ParameterSpec& spec : factorTrainingParameters())
        specs.push_back(std::move(spec));
    return specs;
}

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    const Parameters parameters = distilledMethod().declaration.schema.complete(given);
    const ObjectiveSettings objective{.distil = true, .temperature = parameters.real("temperature"), .hiddenWeight = parameters.real("hidden")};
    return compressByTraining(kId, inputs, budget, parameters, objective, context, finished);
}
} // namespace

Method distilledMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Distilled factors",
                          .reference = "Gradient descent on B and A for the dense model's outputs: knowledge distillation (Hinton, Vinyals, Dean 2015, 1503.02531) from the whitened optimum",
                          .schema = ParameterSchema(distilledParameters())};
    method.needsSamples = true;
    method.trains = true;
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank

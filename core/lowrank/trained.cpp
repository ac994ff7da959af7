// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/trained.h"

#include "core/lowrank/factor_training.h"

namespace tamis::lowrank {
namespace {
constexpr const char* kId = "lowrank.trained";

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    const Parameters parameters = trainedMethod().declaration.schema.complete(given);
    return compressByTraining(kId, inputs, budget, parameters, {}, context, finished);
}
} // namespace

Method trainedMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Trained factors",
                          .reference = "Gradient descent on B and A for the task's own loss: cross entropy of next tokens or classes, AdamW (1711.05101) from the whitened optimum",
                          .schema = ParameterSchema(factorTrainingParameters())};
    method.needsSamples = true;
    method.trains = true;
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank

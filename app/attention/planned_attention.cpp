// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/attention/planned_attention.h"

#include "core/attention/fitting_split.h"
#include "core/base/error.h"

namespace tamis::app {

std::vector<attention::HeadChoice> choicesOf(const plan::Plan& plan, const std::string& subject)
{
    std::vector<attention::HeadChoice> choices;
    for (std::size_t i = 0; i < plan.attention.size(); ++i) {
        const plan::PlannedAttention& planned = plan.attention[i];
        const std::string at = "attention[" + std::to_string(i) + "]";
        attention::HeadChoice choice{planned.block, planned.head, planned.method, {}};
        if (!planned.method.empty()) {
            const attention::Method* method = attention::findMethod(planned.method);
            if (!method)
                throw Error(ErrorCode::UnsupportedFeature, at + ".method: found '" + planned.method + "', expected a method that this program has (tamis-cli methods)", subject);
            try {
                choice.parameters = method->declaration.schema.complete(planned.parameters);
            } catch (const Error& error) {
                throw Error(ErrorCode::MalformedFile, at + ".parameters: " + std::string(error.what()), subject);
            }
        }
        choices.push_back(std::move(choice));
    }
    return choices;
}

std::vector<plan::PlannedAttention> plannedOf(std::span<const attention::HeadChoice> choices)
{
    std::vector<plan::PlannedAttention> planned;
    for (const attention::HeadChoice& choice : choices)
        planned.push_back({choice.block, choice.head, choice.method, choice.parameters});
    return planned;
}

std::shared_ptr<const nn::Model> withPlannedAttention(std::shared_ptr<const nn::Model> model, const plan::Plan& plan, const std::string& subject,
                                                      const measure::SampleSource* fitted, const RunContext& context)
{
    const auto choices = choicesOf(plan, subject);
    attention::AssignmentInputs with{.seed = static_cast<std::uint64_t>(plan.attentionSeed), .samples = {}, .context = RunContext(context.stopToken())};
    if (fitted && attention::needsSamples(choices))
        with.samples = attention::collectSamples(*model, *fitted, attention::kFittedSamples, attention::blocksOf(choices), context);
    return attention::replaced(model, attention::operatorsFor(*model, choices, with));
}

} // namespace tamis::app

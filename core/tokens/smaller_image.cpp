// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/smaller_image.h"

#include "core/tokens/multi_scale.h"
#include "core/tokens/scaled_model.h"

#include <cmath>

namespace tamis::tokens {
namespace {
Chain smallerImageChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = smallerImageMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    std::vector<ScaledModel> one;
    one.emplace_back(std::make_shared<const nn::PatchEmbedding>(inputs.model), std::sqrt(parameters.real("keep")));
    Chain chain;
    chain.route = multiScaleRoute(inputs.model, std::move(one), Fuse::Mean);
    return chain;
}
} // namespace

Method smallerImageMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.smaller-image",
        .lab = "tokens",
        .title = "Smaller image (baseline)",
        .reference = "Trivial baseline: uniform down-scaling of the image itself, antialiased, to whole patches",
        .schema = ParameterSchema({
            {.name = "keep", .title = "Keep", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0.01, .maximum = 1, .step = 0.05,
             .help = "Part of the patches; both sides of the image shrink by its root, rounded to whole patches"},
        })};
    method.baseline = true;
    method.chain = smallerImageChain;
    return method;
}

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/method.h"

#include "core/lowrank/anchored.h"
#include "core/lowrank/distilled.h"
#include "core/lowrank/dobi.h"
#include "core/lowrank/joint_qk_method.h"
#include "core/lowrank/joint_ud.h"
#include "core/lowrank/joint_vo_method.h"
#include "core/lowrank/latent.h"
#include "core/lowrank/local.h"
#include "core/lowrank/saes.h"
#include "core/lowrank/trained.h"

#include <algorithm>

namespace tamis::lowrank {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{
        // Menu order: local, sequential, joint, trained.
        localMethod(),
        saesMethod(),
        anchoredMethod(),
        jointQkMethod(),
        jointVoMethod(),
        jointUdMethod(),
        latentMethod(),
        trainedMethod(),
        distilledMethod(),
        dobiMethod(),
    };
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

std::shared_ptr<const nn::Model> compressed(const nn::Model& model, const Compression& compression)
{
    std::vector<nn::Model::Replacement> replacements;
    for (const CompressedOperator& each : compression.operators)
        replacements.push_back({each.name, each.op});
    return model.replaced(replacements);
}

} // namespace tamis::lowrank

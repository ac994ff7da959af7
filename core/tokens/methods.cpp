// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/method.h"

#include "core/tokens/adaptive.h"
#include "core/tokens/ats.h"
#include "core/tokens/cascade.h"
#include "core/tokens/chain.h"
#include "core/tokens/diff_rate.h"
#include "core/tokens/down_sampling.h"
#include "core/tokens/dynamic_vit.h"
#include "core/tokens/early_exit.h"
#include "core/tokens/evit.h"
#include "core/tokens/gated.h"
#include "core/tokens/learned.h"
#include "core/tokens/merge.h"
#include "core/tokens/mixed_patches.h"
#include "core/tokens/multi_scale.h"
#include "core/tokens/pitome.h"
#include "core/tokens/random_pruning.h"
#include "core/tokens/resolution_routing.h"
#include "core/tokens/smaller_image.h"
#include "core/tokens/tome.h"
#include "core/tokens/top_rho.h"
#include "core/tokens/truncated.h"
#include "core/tokens/vision_zip.h"
#include "core/tokens/zero_tprune.h"

#include <algorithm>

namespace tamis::tokens {

std::vector<Parameters> settingsOver(const std::string& name, const std::vector<ParameterValue>& values)
{
    std::vector<Parameters> settings(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        settings[i].set(name, values[i]);
    return settings;
}

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{
        // Menu order: merging, pruning, both, other ways through the model, baselines.
        tomeMethod(),
        mergeMethod(),
        pitomeMethod(),
        evitMethod(),
        topRhoMethod(),
        dynamicVitMethod(),
        learnedMethod(),
        atsMethod(),
        adaptiveMethod(),
        zeroTpruneMethod(),
        diffRateMethod(),
        visionZipMethod(),
        chainMethod(),
        mixedPatchesMethod(),
        resolutionRoutingMethod(),
        multiScaleMethod(),
        earlyExitMethod(),
        cascadeMethod(),
        gatedMethod(),
        randomPruningMethod(),
        downSamplingMethod(),
        truncatedMethod(),
        smallerImageMethod(),
    };
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::tokens

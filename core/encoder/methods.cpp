// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/method.h"

#include "core/encoder/certified.h"
#include "core/encoder/distilled.h"
#include "core/encoder/exact.h"
#include "core/encoder/faiss_method.h"
#include "core/encoder/hierarchical.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/low_rank_trained.h"
#include "core/encoder/mips.h"
#include "core/encoder/mixture.h"
#include "core/encoder/tiled.h"
#include "core/encoder/tiled_trained.h"
#include "core/encoder/two_stage.h"

#include <algorithm>

namespace tamis::encoder {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{
        // Menu order: exact, coarse, learned, indexed.
        exactMethod(),
        certifiedMethod(),
        lowRankMethod(),
        tiledMethod(),
        twoStageMethod(),
        lowRankTrainedMethod(),
        tiledTrainedMethod(),
        distilledMethod(),
        mixtureMethod(),
        hierarchicalMethod(),
        mipsMethod(),
        faissMethod(),
    };
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::encoder

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/band.h"
#include "core/attention/block_sparse.h"
#include "core/attention/chosen_windows.h"
#include "core/attention/fitted_linformer.h"
#include "core/attention/indexer.h"
#include "core/attention/linear.h"
#include "core/attention/linformer.h"
#include "core/attention/low_rank_scores.h"
#include "core/attention/mean_value.h"
#include "core/attention/method.h"
#include "core/attention/moba.h"
#include "core/attention/native_sparse.h"
#include "core/attention/nystrom.h"
#include "core/attention/performer.h"
#include "core/attention/quest.h"
#include "core/attention/quantised.h"
#include "core/attention/tiled.h"
#include "core/attention/window.h"

#include <algorithm>

namespace tamis::attention {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{
        // Menu order: exact, fewer bits, fewer pairs, fewer keys, features, baselines.
        tiledMethod(),
        quantisedMethod(),
        bandMethod(),
        windowMethod(),
        chosenWindowsMethod(),
        blockSparseMethod(),
        linformerMethod(),
        fittedLinformerMethod(),
        nativeSparseMethod(),
        mobaMethod(),
        questMethod(),
        indexerMethod(),
        nystromMethod(),
        jointQkMethod(),
        performerMethod(),
        linearMethod(),
        meanValueMethod(),
        zeroMethod(),
    };
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::attention

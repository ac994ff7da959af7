// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/adaptive_lru_k.h"
#include "core/cache/ar_gap.h"
#include "core/cache/arc.h"
#include "core/cache/belady.h"
#include "core/cache/clock.h"
#include "core/cache/fifo.h"
#include "core/cache/gbm.h"
#include "core/cache/gdsf.h"
#include "core/cache/hit_weights.h"
#include "core/cache/hyperbolic.h"
#include "core/cache/importance_weighted.h"
#include "core/cache/lecar.h"
#include "core/cache/lfu.h"
#include "core/cache/lirs.h"
#include "core/cache/logistic.h"
#include "core/cache/lru.h"
#include "core/cache/lru_k.h"
#include "core/cache/method.h"
#include "core/cache/random_eviction.h"
#include "core/cache/s3_fifo.h"
#include "core/cache/sieve.h"
#include "core/cache/sized_bound.h"
#include "core/cache/slru.h"
#include "core/cache/two_q.h"
#include "core/cache/w_tinylfu.h"

#include <algorithm>

namespace tamis::cache {

const std::vector<Method>& methods()
{
    static const std::vector<Method> all{
        // Menu order: by recency, by queues, by frequency, both, learned, limits and baselines.
        lruMethod(),    lruKMethod(),  adaptiveLruKMethod(), slruMethod(),       mruMethod(),  fifoMethod(), clockMethod(),      sieveMethod(),              s3FifoMethod(), twoQMethod(),
        arcMethod(),    lirsMethod(),  wTinyLfuMethod(),     leCaRMethod(),      lfuMethod(),  gdsfMethod(), hyperbolicMethod(), importanceWeightedMethod(),
        hitWeightsMethod(), arGapMethod(), logisticMethod(), gbmMethod(),
        randomMethod(), beladyMethod(), beladySizeMethod(), sizedBoundMethod(),
    };
    return all;
}

const Method* findMethod(std::string_view id)
{
    const auto found = std::ranges::find(methods(), id, [](const Method& method) -> const std::string& { return method.declaration.id; });
    return found == methods().end() ? nullptr : &*found;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/exit_heads.h"
#include "core/tokens/method.h"
#include "core/tokens/route.h"

#include <memory>
#include <span>
#include <vector>

namespace tamis::tokens {

/// A head behind a block, and from which confidence on its answer stands.
struct Exit {
    int block = 0;
    ExitHead head;
    double threshold = kNever;
};

/// Block after block until an exit is sure enough; behind the last block the model's own head. Exits by ascending block, none behind the last; an empty
/// list is the model. The heads tried are counted, each exitFeatureCount x classes.
std::shared_ptr<const Route> earlyExitRoute(std::shared_ptr<const nn::Model> model, std::vector<Exit> exits, ExitRule rule);

/// Multiply-adds of leaving behind each of these blocks with the heads tried so far, and of the whole model with all of them: [blocks + 1].
std::vector<double> exitCosts(const nn::ModelSpec& spec, std::span<const int> blocks);

/// Blocks until one of the heads trained behind them is sure.
Method earlyExitMethod();

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Wang, Dedhia, Jha 2024, "Zero-TPrune: Zero-Shot Token Pruning through Leveraging of the Attention Graph in Pre-Trained Transformers".
#include "core/tokens/method.h"
#include "core/tokens/schedule.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// `votes` times s <- A^T s: A [n, n] with rows that sum to 1, s [n] whose sum stays what it is.
std::vector<double> weightedPageRank(tensor::MatrixView<const double> graph, std::vector<double> signal, int votes, const RunContext& context);

/// [n] root mean square of the signals [heads][n], over the heads whose variance over the tokens from `first` on, scaled to a mean of 1 there, lies
/// between `least` and `most`; over all heads where it does in none.
std::vector<double> emphasisedImportance(const std::vector<std::vector<double>>& heads, std::size_t first, double least, double most);

/// Votes of the importance stage: 50, 10 and 1 in the first quarter, the middle and the last quarter of the depth.
int votesOf(int block, int depth);

struct ZeroTprune {
    Keep keep = 0.7;
    double similar = 0.3;         ///< part of the pruned patches that go for their likeness
    int votes = 10;
    bool classStart = false;      ///< the class token starts with sqrt(n) times the signal of another
    bool alternate = false;       ///< every second patch by importance may go for its likeness, instead of the lower half
    bool keys = true;             ///< likeness of keys, instead of features
    double leastVariance = 0.01, mostVariance = 0.7;
};
ReductionPtr zeroTpruneStep(const ZeroTprune& settings);

Method zeroTpruneMethod();

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the token lab produces and its views show. Plain values. Source tokens are those that enter the first block: prefix tokens (class,
// distillation, registers), then the patches row by row.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// What the user has said of a source token: it stays at every step, it goes at the first, or the method decides.
enum class TokenWish : std::uint8_t { None, Keep, Drop };

/// The tokens that leave one block.
struct TokenLayer {
    int block = 0;
    std::int64_t before = 0, after = 0; ///< tokens in the block's attention and in its MLP
    std::vector<std::int32_t> group;    ///< [source tokens]: the token that holds it after the block, -1: pruned
    std::vector<float> sizes;           ///< [after]: source tokens that each stands for
    std::vector<float> scores;          ///< [source tokens]: what the reduction went by, of the token that held it before the block; NaN: none. Empty: no reduction here
    std::uint64_t macs = 0;             ///< of the block
};

struct ClassProbability {
    int index = -1;
    std::string name; ///< empty: not known
    double probability = 0;
};

/// One photo through a model, whole and reduced.
struct TokenOverlay {
    std::string file, method;
    std::string title, settings; ///< of the method, as people read them; empty: the whole model
    std::int64_t gridRows = 0, gridCols = 0, prefix = 0;
    std::vector<TokenLayer> layers;                      ///< [blocks]
    std::vector<ClassProbability> before, after;         ///< best first, at most 5; empty for models without classes
    double embeddingShift = kNotMeasured;                ///< 1 - cosine of the features before the head, whole and reduced
    std::vector<float> unmergedShift;                    ///< [patches] 1 - cosine of the features behind the last norm, whole and those of the token that holds the patch; 1: pruned. Empty: not known
    std::uint64_t macs = 0, fullMacs = 0;                ///< of the whole model, both
    std::string scoreTitle;                              ///< what `scores` are, with unit
    std::string remark;                                  ///< what the method did with this photo; empty: nothing to say
    std::vector<std::string> warnings;
};

/// What the rows and the columns of a photo's attention sum to, over all heads and blocks of the whole model.
struct AttentionRange {
    double leastRow = 1, mostRow = 1;           ///< of a query: 1 but for rounding, whatever its token
    double leastReceived = 0, mostReceived = 0; ///< by a token, mean over heads and queries
};

/// One method at one setting over a folder.
struct TokenPoint {
    std::string method, title, settings;
    Parameters parameters; ///< complete
    std::uint64_t macs = 0;
    double tokensKept = 1;                ///< mean over photos and blocks of after / source tokens
    double top1 = kNotMeasured, agreement = kNotMeasured, kl = kNotMeasured; ///< labels; with the whole model
    double embeddingShift = kNotMeasured; ///< as TokenOverlay's, mean over photos
    double latencyMs = kNotMeasured;      ///< measured, one batch
    double wholeLatencyMs = kNotMeasured; ///< of the whole model, in turn with it
    double matchingMs = kNotMeasured;     ///< of it, what the choice of tokens takes
    std::vector<double> tokensPerLayer;   ///< [blocks], mean over photos, in the MLP
    std::vector<std::int64_t> keptCounts; ///< [photos]: tokens that reach the head
    bool baseline = false;                ///< the whole model, or a trivial reduction
    std::string failure;
};

struct TokenComparison {
    std::string model, samples;
    std::int64_t photos = 0, batch = 1;
    std::size_t planned = 0;
    std::vector<TokenPoint> points; ///< the whole model first
    std::vector<std::string> warnings; ///< photos that were left out, with the reason
};

} // namespace tamis::report

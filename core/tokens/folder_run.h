// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A chain over many photos, against the whole model: fidelity, accuracy, cost, latency.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/report/token_report.h"
#include "core/tokens/overlay.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::tokens {

/// What the whole model says of every photo: once for all chains that are compared with it.
struct WholeFolder {
    std::vector<WholeResult> photos; ///< without rows
    std::vector<int> labels;       ///< -1: not known
    double top1 = report::kNotMeasured; ///< of those with a label
};
/// Throws Error{InvalidParameter (no photo, a label beyond the classes), NonFinite (an output, with its photo), Cancelled}, what loading
/// throws, and what requireReducible throws.
WholeFolder wholeFolder(const nn::Model& model, const measure::SampleSource& source, const RunContext& context);

/// One photo through the reduced model.
struct PhotoRun {
    std::string file;
    int label = -1;
    report::ClassProbability before, after;   ///< best class; index -1 in models without classes
    std::vector<std::int32_t> row;            ///< [source tokens] the token that holds it behind the last block that was run, -1: pruned
    std::vector<BlockTokens> tokens;          ///< [blocks]
    std::uint64_t macs = 0;
    double embeddingShift = 0;                ///< as report::TokenOverlay's
    double unmergedShift = report::kNotMeasured; ///< mean over the patches of report::TokenOverlay's
    std::string remark;                       ///< as report::TokenOverlay's
};

struct FolderRun {
    report::TokenPoint point;     ///< without names, parameters and latency
    double embeddingShift = report::kNotMeasured; ///< mean over the photos
    double unmergedShift = report::kNotMeasured;  ///< likewise, of those that have one
    std::vector<PhotoRun> photos; ///< in the order of the source
};

/// Photos in parallel; sums in their order, so that results do not depend on the number of threads. MACs are the mean over the photos, rounded.
/// With `unmergedAgainst`, the whole model, each photo runs through it once more for its features on the grid. Throws as wholeFolder.
FolderRun runFolder(const nn::Model& model, const Chain& chain, const measure::SampleSource& source, const WholeFolder& whole, const RunContext& context,
                    const nn::Model* unmergedAgainst = nullptr);

/// The same for the whole model: what every chain is compared with.
report::TokenPoint wholePoint(const nn::Model& model, const WholeFolder& whole);

struct LatencyOptions {
    std::int64_t batch = 8;
    int rounds = 5;     ///< whole and reduced in turn; medians
    double seconds = 0; ///< more rounds until they have taken as long
};
struct Latency {
    double wholeMs = report::kNotMeasured, reducedMs = report::kNotMeasured; ///< one batch
    double matchingMs = report::kNotMeasured; ///< of the reduced one, choosing tokens and moving rows, divided by the samples that run at once
};
/// The first `batch` photos, over again where there are fewer. Throws as wholeFolder, Error{InvalidParameter} for a batch or rounds below 1.
Latency measureLatency(const nn::Model& model, const Chain& chain, const measure::SampleSource& source, const LatencyOptions& options, const RunContext& context);

} // namespace tamis::tokens

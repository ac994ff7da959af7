// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One attention head of a dense model and of an approximation of it on one sample, and what the approximation does to all
// heads, to the blocks and to the output. Plain values. The terms are those of docs/attention-maps.md.
#include "core/base/parameter_schema.h"
#include "core/report/evaluation_report.h"
#include "core/report/lowrank_report.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// Which approximation of q and k: one pair of shared latent planes for all heads' maps, or each projection for itself, both
/// with the same ranks and therefore the same parameters; or the operators of the plan.
enum class MapSource { Joint, Separate, Plan };

/// Of one head, or means over samples of them. kNotMeasured: not defined for this attention (scores in windows), or not yet.
struct MapErrors {
    double map = kNotMeasured;    ///< mean over queries of sum |p - p'| / 2, within 0 .. 1
    double logit = kNotMeasured;  ///< |S - S'|_F / |S|_F of the scaled scores of all pairs that may see one another
    double output = kNotMeasured; ///< |o - o'|_F / |o|_F of the head's contribution after the output projection, without bias
};

struct AttentionHead {
    int layer = -1;
    std::int64_t head = 0;
    MapErrors joint, separate, plan;
    const MapErrors& of(MapSource source) const { return source == MapSource::Joint ? joint : source == MapSource::Separate ? separate : plan; }
    MapErrors& of(MapSource source) { return source == MapSource::Joint ? joint : source == MapSource::Separate ? separate : plan; }
};

/// A class or a token with its probability.
struct Guess {
    int index = -1;
    std::string name; ///< empty: no name is known
    double probability = 0;
};

/// What the approximation does beyond the maps, on the same sample.
struct OutputEffect {
    MapSource source = MapSource::Joint;
    std::vector<LayerError> layers;  ///< one a block: relativeError and cosine through the whole model, ownError of the block alone
    double kl = kNotMeasured;        ///< KL(dense || approximate), nats, mean over the rows of the output
    double agreement = kNotMeasured; ///< rows with the same best class
    std::int64_t rows = 0;           ///< of the output: 1 for images, the tokens of a text
    std::int64_t shownRow = 0;       ///< that before and after are of: the last one
    std::vector<Guess> before, after; ///< best first, at most 3; empty for models whose output is features
};

/// Parameters of q and k of one layer, biases left out.
struct MapCost {
    std::int64_t dense = 0, approximate = 0; ///< joint and separate alike
};

struct AttentionMapReport {
    std::string model, sample;     ///< in words
    std::size_t sampleIndex = 0;
    Parameters parameters;         ///< complete
    int layer = 0;
    std::int64_t head = 0, map = 0; ///< map: window of a windowed attention
    MapSource source = MapSource::Joint; ///< whose map is shown

    int layers = 0;
    std::int64_t heads = 0, keyValueHeads = 0, maps = 1; ///< of the shown layer
    std::vector<std::int64_t> headsOfLayer;              ///< [layers]
    std::int64_t mostQueryRank = 0, mostKeyRank = 0;     ///< full rank of the layer's planes
    std::int64_t queryRank = 0, keyRank = 0;             ///< used
    bool rotary = false;           ///< the layer turns q and k by position: a window of displacements applies
    bool causal = false;

    std::int64_t tokens = 0;       ///< side of the maps
    std::int64_t prefixTokens = 0, gridHeight = 0, gridWidth = 0; ///< photos: tokens are prefix, then patches row by row; 0: text
    std::vector<std::string> tokenLabels; ///< [tokens] or empty: the index
    std::vector<float> exact, approximate; ///< [tokens * tokens], query by query; rows sum to 1
    AttentionHead shown;           ///< errors of the shown head on this sample

    std::vector<PlaneSpectrum> planes; ///< "query" and "key" of the layer
    MapCost cost;
    bool complete = false;         ///< what follows is there
    std::vector<AttentionHead> allHeads; ///< layer by layer; means over averagedSamples
    std::size_t averagedSamples = 0;
    std::vector<OutputEffect> effects; ///< one a source that was asked for
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report

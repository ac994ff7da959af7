// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the attention lab produces and its views show. Plain values. Terms: docs/attention-lab.md.
#include "core/base/parameter_schema.h"
#include "core/report/attention_map_report.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// What a head of the whole model does, over the samples: means over queries.
struct HeadTraits {
    double entropy = kNotMeasured;       ///< of a row of the map, nats
    double evenness = kNotMeasured;      ///< entropy / log of the keys that the query may see, 0 .. 1
    double distance = kNotMeasured;      ///< sum_j p_ij |i - j|: rows and columns of the grid (Euclid) among patches of photos, places in texts; over the row's mass on those patches
    double prefixMass = kNotMeasured;    ///< probability on the tokens before the patches; texts: on the first token
    double effectiveRank = kNotMeasured; ///< exp of the entropy of the map's normalised singular values
    double tokens = kNotMeasured;        ///< mean tokens of the samples, for what these numbers are of
};

/// One head: exact against what stands in its place, on the queries, keys and values of the whole model.
struct HeadComparison {
    int layer = 0;
    std::int64_t head = 0;
    std::string method;            ///< what stands there; empty: exact
    double map = kNotMeasured;     ///< mean over queries and samples of sum |p - p'| / 2
    double output = kNotMeasured;  ///< |o - o'|_F / |o|_F of the mixed values
    double cosine = kNotMeasured;  ///< of o and o'
    double logits = kNotMeasured;  ///< KL (nats, mean over rows) of the model's output where this head alone is replaced; models without classes: 1 - cosine of the features
    HeadTraits traits;
    std::string suited;            ///< id of the measured method with the least output error at no more multiply-adds than asked; empty: not measured
    std::string suitedSettings;    ///< its parameters, as people read them
    double suitedOutput = kNotMeasured;
};

/// A trivial operator in the same places.
struct TrivialErrors {
    std::string method, title; ///< "attention.mean-value"
    double map = kNotMeasured, output = kNotMeasured; ///< means over heads
};

/// What a sparse operator read: blocks of keys by query.
struct BlockMap {
    std::int64_t queries = 0, blocks = 0, blockTokens = 0;
    std::vector<std::uint8_t> selected;  ///< [queries * blocks]: 1 where the query (its group) read the block
    std::vector<float> scores;           ///< [queries * blocks]: what was selected by; empty: not known
    std::vector<float> gates;            ///< [queries * 3]: compression, selection, window; empty: no gates
    std::vector<std::int64_t> tokensRead; ///< [queries], of keys and values, all branches
};

/// One head on one sample.
struct AttentionHeadView {
    std::string sample;            ///< in words
    std::size_t sampleIndex = 0;
    int layer = 0;
    std::int64_t head = 0;
    std::int64_t tokens = 0, prefixTokens = 0, gridHeight = 0, gridWidth = 0; ///< photos: prefix, then patches row by row; grid 0: text
    bool causal = false;
    std::vector<std::string> tokenLabels;   ///< [tokens], or empty: the index
    std::vector<float> exact, approximate;  ///< [tokens * tokens], query by query
    MapErrors errors;                       ///< of this head on this sample
    BlockMap blocks;                        ///< queries 0: the operator has none
};

struct AttentionCostRow {
    std::int64_t tokens = 0;
    double ms = kNotMeasured;          ///< measured, all heads of one block
    double predictedMs = kNotMeasured; ///< by the operator's multiply-adds and bytes, and this machine's ceilings
    std::uint64_t macs = 0, liveBytes = 0; ///< liveBytes: scratch beside q, k, v and the output
    std::uint64_t readBytes = 0;       ///< by the cache-traffic model; 0: none for this operator
    std::string failure;               ///< left out, and why ("needs 4 GiB")
};

/// Cost of one operator against the number of tokens.
struct AttentionCostCurve {
    std::string method, title, settings; ///< method empty: exact
    std::vector<AttentionCostRow> rows;  ///< ascending tokens
    double measuredCrossover = kNotMeasured, predictedCrossover = kNotMeasured; ///< tokens from which it is faster than exact; not a number: nowhere in range
};

/// Of the open model with the present choices.
struct AttentionReport {
    std::string model, samples;
    int layers = 0;
    std::vector<std::int64_t> headsOfLayer; ///< [layers]
    std::vector<HeadComparison> heads;      ///< layer by layer
    std::vector<TrivialErrors> trivial;
    std::size_t averagedSamples = 0;
    AttentionHeadView view;
    bool complete = false;                  ///< what follows is there
    std::uint64_t macs = 0, wholeMacs = 0;  ///< of the whole model, one sample
    std::uint64_t attentionMacs = 0, wholeAttentionMacs = 0;
    std::uint64_t liveBytes = 0, wholeLiveBytes = 0; ///< scratch of the attention of one sample, one worker's, in the block that needs most
    OutputEffect effect;                    ///< on the viewed sample; source is Plan
    std::string fitted;                     ///< samples that operators are fitted to, in words; empty: none is fitted
    std::vector<std::string> warnings;
    double seconds = 0;
};

/// One method at one setting over all samples.
struct AttentionPoint {
    std::string method, title, settings;
    Parameters parameters;          ///< complete
    bool baseline = false, tuned = false; ///< trivial; the model was trained around it
    double mapError = kNotMeasured, outputError = kNotMeasured; ///< means over heads
    double top1 = kNotMeasured, perplexity = kNotMeasured, agreement = kNotMeasured, kl = kNotMeasured, cosine = kNotMeasured;
    std::uint64_t macs = 0;         ///< of the whole model, one sample
    std::uint64_t liveBytes = 0;    ///< as AttentionReport's
    double latencyMs = kNotMeasured, wholeLatencyMs = kNotMeasured;
    std::string failure;
};

struct AttentionComparison {
    std::string model, samples; ///< those that are scored
    std::string fitted;         ///< samples that operators are fitted to, in words; empty: none is fitted
    std::size_t planned = 0;
    std::vector<AttentionPoint> points; ///< exact first
    std::vector<std::string> warnings;
};

} // namespace tamis::report

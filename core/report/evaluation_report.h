// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a model still does: quality on labelled photos or token files, and fidelity to the uncompressed model.
#include "core/report/budget_report.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// A mean over samples with its spread over batches; NaN: not applicable.
struct Measured {
    double mean = kNotMeasured;
    double deviation = kNotMeasured; ///< standard deviation of the batch means
    bool present() const { return mean == mean; }
};

/// Of one model on its own.
struct Quality {
    Measured top1, top5;             ///< fractions, with labels
    Measured perplexity, bitsPerByte; ///< with tokens; bits per byte only with text
    std::uint64_t samples = 0;       ///< with a label, or with scored tokens
    std::uint64_t correct = 0;       ///< of them right at first guess, with labels
    std::uint64_t tokens = 0;        ///< scored
};

/// Of the compressed against the uncompressed model, without labels.
struct Fidelity {
    Measured agreement;   ///< top-1 agreement, fraction
    Measured kl;          ///< KL(dense || compressed), nats a prediction
    Measured logitCosine;            ///< of the outputs, where these are features
    std::uint64_t predictions = 0;   ///< rows of logits compared
};

struct LayerError {
    int block = -1;
    double relativeError = 0; ///< ||compressed - dense|| / ||dense|| of the block's output, root of summed squares
    double cosine = 1;
    double ownError = kNotMeasured; ///< of the block alone, fed the dense model's input: what this block adds
};

struct HeadError {
    int block = -1;
    std::int64_t head = 0;
    double mapError = 0; ///< mean over queries of the total variation distance: sum |p - p'| / 2
};

struct Prediction {
    std::string sample;            ///< file name or sequence number
    int label = -1;                ///< -1: unknown
    std::vector<int> classes;      ///< best first, at most 5
    std::vector<float> probabilities;
    std::vector<int> compressedClasses;
    std::vector<float> compressedProbabilities;
};

struct EvaluationReport {
    std::string model, plan, inputs; ///< what was evaluated, in words
    Cost cost, baselineCost;         ///< of the compressed (or only) model, of the dense one
    Quality quality, baselineQuality;
    Fidelity fidelity;               ///< empty without a plan
    std::vector<LayerError> layers;
    std::vector<HeadError> heads;
    std::vector<Prediction> predictions; ///< images only
    std::vector<std::string> classNames;
    std::uint64_t batches = 0;
    double seconds = 0;              ///< of the whole evaluation
    std::uint64_t mapSamples = 0;    ///< samples whose attention maps were compared
    std::string fitted; ///< samples that the plan's attention is fitted to, in words; empty: it is not
    std::vector<std::string> warnings;
};

} // namespace tamis::report

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What each matrix's compression alone does to the model: the evidence of measured allocations, and the table that a view
// shows. Plain values.
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// One matrix compressed to one keep, all others dense.
struct SensitivityPoint {
    double keep = 1;       ///< asked for, of this matrix's budget units
    std::int64_t rank = 0;
    double kl = kNotMeasured;         ///< KL(dense || compressed), nats a prediction; NaN for models of features
    double nllChange = kNotMeasured;  ///< compressed minus dense, nats a scored token or label; NaN without them; may be negative
    double perplexity = kNotMeasured; ///< of the model with this one matrix compressed; NaN but for decoders
    double cosineLoss = kNotMeasured; ///< 1 - mean cosine of the outputs
    double relativeLoss = kNotMeasured; ///< predicted by the spectrum: |(W - W') X|^2 / |W X|^2
};

struct MatrixSensitivity {
    std::string name, role;
    int layer = -1;
    std::int64_t rows = 0, cols = 0;
    std::vector<SensitivityPoint> points; ///< one a keep of the report, in its order; a keep that no rank meets is left out
};

/// How much a block changes what flows through it.
struct BlockInfluence {
    int block = -1;
    double influence = kNotMeasured; ///< 1 - mean over tokens of cos(block's input, block's output)
};

/// A table of matrix x keep. While it is measured it holds the finished matrices.
struct SensitivityReport {
    std::string model, samples; ///< in words
    std::string method;         ///< decomposition: "spectrum.whitened", "spectrum.plain"
    std::string accounting;
    std::vector<double> keeps;  ///< ascending
    double perplexity = kNotMeasured; ///< of the dense model, NaN but for decoders
    std::vector<MatrixSensitivity> matrices; ///< in execution order
    std::vector<BlockInfluence> blocks;      ///< empty where it was not asked for
    std::size_t planned = 0;         ///< matrices when it is complete
    std::uint64_t sampleCount = 0, predictions = 0; ///< behind every number
    double seconds = 0;
    std::vector<std::string> warnings;
};

} // namespace tamis::report

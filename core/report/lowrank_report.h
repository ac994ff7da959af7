// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the low-rank lab produces and its views show. Plain values. Losses are squared errors summed over the calibration
// tokens (or held-out rows); relative ones are divided by the energy, the loss of the zero operator.
#include "core/base/parameter_schema.h"
#include "core/report/budget_report.h"
#include "core/report/evaluation_report.h"
#include "core/report/series.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tamis::report {

/// One replaced (or kept) linear operator.
struct LowRankMatrix {
    std::string name, role;
    int layer = -1;
    std::int64_t rows = 0, cols = 0;
    std::string layout = "dense"; ///< nn::LinearOp::kind()
    std::int64_t rank = 0;        ///< p when dense
    double keep = 1;              ///< parameters (bytes for remapped) of the operator over the dense one's, biases left out
    Cost cost, denseCost;
    std::uint64_t packedParameters = 0; ///< of cost.parameters: in a form of their own, whatever type the checkpoint stores
    bool ownBasis = false; ///< outputs or inputs stand in a basis of their own (split heads), so that no loss by itself means anything
    double loss = kNotMeasured, energy = kNotMeasured;                 ///< |(W - W') X|^2 and |W X|^2 under the calibration gram
    double heldOutLoss = kNotMeasured, heldOutEnergy = kNotMeasured;   ///< the same on the held-out rows
    double minimumLoss = kNotMeasured;   ///< the least that any factors of this rank lose under the calibration, where it was computed
    double condition = kNotMeasured;     ///< of the junction's block
    double maxCoefficient = kNotMeasured; ///< largest |coefficient| of the junction
    std::vector<std::string> warnings;
    double relativeLoss() const { return loss / energy; }
    double heldOutRelativeLoss() const { return heldOutLoss / heldOutEnergy; }
};

/// Of one attention head, compressed against dense, on the same hidden states unless said otherwise.
struct LowRankHead {
    int layer = -1;
    std::int64_t head = 0;
    double mapError = kNotMeasured;    ///< mean over queries of sum |p - p'| / 2
    double logitError = kNotMeasured;  ///< |S - S'|_F / |S|_F of the scores before the softmax
    double outputError = kNotMeasured; ///< |o - o'|_F / |o|_F of the head's contribution after the output projection
    double separateMapError = kNotMeasured; ///< mapError of separate whitened factors of the same parameters
};

/// Energies of the directions of one shared latent plane, descending: what a rank is chosen on.
struct PlaneSpectrum {
    int layer = -1;
    std::string plane; ///< "query", "key", "value", "output", "up", "down"
    std::vector<double> energy;
    std::int64_t rank = 0; ///< kept
};

/// A named chart of a method's own: beta against its criterion, the loss of each outer iteration.
struct MethodFigure {
    std::string id, title, xTitle, yTitle;
    bool logX = false, logY = false;
    std::vector<Series> series;
};

/// Of one compression.
struct LowRankReport {
    std::string method;
    Parameters parameters; ///< complete
    double keep = 1;       ///< asked for
    double achievedKeep = 1;
    std::string allocation, accounting;
    Cost cost, baselineCost; ///< of the whole model; latency where it was measured
    std::vector<LowRankMatrix> matrices; ///< of every operator that the method looked at, in execution order
    std::vector<LowRankHead> heads;
    std::vector<PlaneSpectrum> planes;
    std::vector<MethodFigure> figures;
    std::vector<std::pair<std::string, double>> scalars; ///< what else the method reports: ("beta of layer 3", 0.41)
    std::vector<std::string> warnings; ///< fall-backs and clamps, one sentence each
    double seconds = 0;

    double relativeLoss() const;        ///< mean over replaced matrices with a loss; NaN without one, or where one stands in a basis of its own
    double heldOutRelativeLoss() const;
};

/// One configuration in a comparison: the same calibration, the same held-out samples, the same accounting for all.
struct ComparisonRow {
    std::string label;    ///< "whitened, uniform"
    std::string method;   ///< id, or "dense", "round-to-nearest 8 bit"
    std::string settings; ///< one line
    double keep = 1;      ///< asked for
    Cost cost;
    double relativeLoss = kNotMeasured, heldOutRelativeLoss = kNotMeasured;
    Quality quality;
    Fidelity fidelity;
    double latencyMs = kNotMeasured; ///< measured, one sample through the whole model
    double seconds = 0;              ///< to compress
    bool baseline = false;           ///< dense or round-to-nearest: not a low-rank method
    std::string failure;             ///< why there are no numbers; empty as a rule
    std::vector<LayerError> layers;  ///< error growth by depth
};

struct MethodComparison {
    std::string model, calibration, samples; ///< in words
    std::string qualityName;  ///< "perplexity", "top-1", "logit cosine"
    std::vector<ComparisonRow> rows;
    std::size_t planned = 0;  ///< rows when it is complete
    double seconds = 0;
};

} // namespace tamis::report

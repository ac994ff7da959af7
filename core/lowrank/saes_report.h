// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What sequential compression saw on its way, as figures and scalars.
#include "core/lowrank/sequential_statistics.h"
#include "core/report/lowrank_report.h"

#include <string>
#include <vector>

namespace tamis::lowrank {

/// Of one replaced matrix.
struct MatrixRecord {
    std::string name;
    int layer = -1;
    double beta = 0;
    bool adaptive = false; ///< beta was chosen from the curve
    AcesCurve curve;
    double calibration = report::kNotMeasured, heldOut = report::kNotMeasured; ///< |M X - W Xf|^2 / |W Xf|^2
    double validity() const { return curve.validity(beta); }
    /// That the first-order criterion need not hold, where it chose and beta |D|_2 exceeds the gap.
    bool beyondGap() const;
    std::vector<std::string> warnings() const;
};

class SaesRecord {
public:
    void addMatrix(MatrixRecord record) { m_matrices.push_back(std::move(record)); }
    void addBlock(int block, const ModelPaths::Errors& errors) { m_blocks.push_back({block, errors}); }
    /// Figures "error-by-depth", "cumulative-loss", "beta", "validity" and one "rho-<block>" a block; scalars; one warning for
    /// all matrices beyond the validity gap.
    void fill(report::LowRankReport& report, bool reference) const;

private:
    struct BlockErrors {
        int block;
        ModelPaths::Errors errors;
    };
    report::MethodFigure errorByDepth(bool reference) const;
    report::MethodFigure losses() const;
    report::MethodFigure betas() const;
    report::MethodFigure validities() const;
    void addCurves(report::LowRankReport& report) const;
    std::vector<MatrixRecord> m_matrices;
    std::vector<BlockErrors> m_blocks;
};

} // namespace tamis::lowrank

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The labelled, approximate way: parameters and report fields shared by the lab's methods. Private to the lab.
#include "core/base/parameter_schema.h"
#include "core/linalg/randomised_svd.h"
#include "core/report/spectrum_report.h"

#include <cstdint>
#include <vector>

namespace tamis::spectrum {

/// "preview" and "preview-rank".
std::vector<ParameterSpec> previewParameters();

struct PreviewSettings {
    explicit PreviewSettings(const Parameters& complete);
    /// A preview only where it is cheaper: the rank with its oversampling is below min(rows, cols).
    bool applies(std::int64_t rows, std::int64_t cols) const noexcept;
    linalg::RandomisedOptions options() const noexcept;
    double passes() const noexcept;                            ///< multiply-adds an element of the operator
    std::uint64_t bytes(std::int64_t rowsAndCols) const noexcept; ///< of its tall matrices

    bool enabled = false;
    std::int64_t rank = 64;
};

/// `kept[i]`: loss that direction i removes from `total`; `squaredNorm` of the matrix whose singular values these are.
void fillPreview(report::MatrixSpectrum& entry, const linalg::RandomisedEigen& leading, const std::vector<double>& kept, double total,
                 double squaredNorm);

} // namespace tamis::spectrum

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Re-opens what an export wrote and measures it against the plan. Internal to core/plan.
#include "core/plan/operator_content.h"

#include <memory>

namespace tamis::plan {

/// The files as re-opened; null for those that were not written.
struct WrittenFiles {
    std::shared_ptr<const io::Checkpoint> factors, dense, base, adapter;
};

/// Measures every replacement: |(W - W')X|^2 = tr((W - W') C (W - W')^T) with the calibration's gram C for a method that
/// needs calibration, |W - W'|_F^2 otherwise. docs/formats-plan.md, "Verification", derives the tolerances from the
/// rounding of the stored dtypes. Throws Error{IoFailure} naming the first tensor that does not agree.
std::vector<VerifiedMatrix> verifyExport(const std::vector<Replacement>& replacements, const spectrum::Method& method,
                                         const spectrum::Inputs& inputs, const WrittenFiles& files, const RunContext& context);

} // namespace tamis::plan

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which operator suits which head: all candidates on every head's own queries, keys and values, and choices under a budget of multiply-adds.
#include "core/attention/assignment.h"
#include "core/attention/attention_capture.h"
#include "core/attention/usual_settings.h"
#include "core/report/attention_report.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::attention {

/// One setting at one head.
struct MeasuredCandidate {
    std::size_t setting = 0;   ///< index into HeadCandidates::settings
    std::uint64_t macs = 0;    ///< of the head alone, one sample
    double output = 0;         ///< |o - o'|_F / |o|_F over the samples
    bool operator==(const MeasuredCandidate&) const = default;
};

struct CandidatesOfHead {
    int layer = 0;
    std::int64_t head = 0;
    std::uint64_t exactMacs = 0;                ///< of the exact head
    std::vector<MeasuredCandidate> candidates;  ///< in the order of the settings; those that the head's attention refuses are left out
};

struct HeadCandidates {
    std::vector<ComparedSetting> settings;
    std::vector<CandidatesOfHead> heads; ///< by layer and head
    std::vector<std::string> refused;    ///< settings that no head takes, and why
};

/// Every setting at every head, made for that head alone. Cost: one application of each. `samples` at least one. Heads in parallel; the numbers do
/// not depend on it. Throws Error{InvalidParameter (no sample), Cancelled}.
HeadCandidates measureCandidates(const nn::Model& model, const std::vector<ComparedSetting>& settings, const AssignmentInputs& with,
                                 std::span<const std::shared_ptr<const AttentionCapture>> samples, const RunContext& context);

/// Fills HeadComparison::suited of the heads of a report: the candidate of least output error at no more than `keep` of the exact head's
/// multiply-adds (of equals the cheaper, then the first). The exact head is no candidate; where no candidate is cheap enough nothing is filled.
void fillSuited(std::vector<report::HeadComparison>& heads, const HeadCandidates& candidates, double keep);

/// One choice a head that is not exact, so that the sum of the heads' multiply-adds is at most `keep` of the exact heads': from exact heads, always
/// the step to the cheaper candidate that adds the least output error a multiply-add saved, along each head's lower convex hull of (multiply-adds,
/// output error). Greedy over hulls: the sum of errors is the least that is possible for the sum of multiply-adds that it ends at, and for a
/// budget in between it is at most one step's error above the optimum. Where not even the cheapest fit: those.
std::vector<HeadChoice> suitedChoices(const HeadCandidates& candidates, double keep);

} // namespace tamis::attention

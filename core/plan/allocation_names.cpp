// SPDX-License-Identifier: GPL-3.0-or-later
// The names of allocate.h, as plans, sessions and the command line write them.
#include "core/plan/allocate.h"

#include "core/base/error.h"

#include <array>

namespace tamis::plan {
namespace {

constexpr std::array kAllocations = {Allocation::Uniform,       Allocation::Energy,        Allocation::Greedy,      Allocation::LogLoss,
                                     Allocation::EffectiveRank, Allocation::DepthWeighted, Allocation::Sensitivity,
                                     Allocation::MeasuredGreedy, Allocation::LossAware};

/// The value of that name; throws with all names otherwise.
template <class Value, class Name> Value named(std::span<const Value> values, Name nameOf, std::string_view name, const char* subject)
{
    std::string expected;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (nameOf(values[i]) == name)
            return values[i];
        expected += (i == 0 ? "" : i + 1 == values.size() ? " or " : ", ") + std::string(nameOf(values[i]));
    }
    throw Error(ErrorCode::InvalidParameter, "found '" + std::string(name) + "', expected " + expected, subject);
}

} // namespace

std::string_view allocationName(Allocation allocation) noexcept
{
    switch (allocation) {
    case Allocation::Uniform: return "uniform";
    case Allocation::Energy: return "energy";
    case Allocation::Greedy: return "greedy";
    case Allocation::LogLoss: return "log-loss";
    case Allocation::EffectiveRank: return "effective-rank";
    case Allocation::DepthWeighted: return "depth-weighted";
    case Allocation::Sensitivity: return "sensitivity";
    case Allocation::MeasuredGreedy: return "measured-greedy";
    case Allocation::LossAware: return "loss-aware";
    }
    return "greedy";
}

Allocation parseAllocation(std::string_view name) { return named(allAllocations(), allocationName, name, "allocation"); }

std::span<const Allocation> allAllocations() noexcept { return kAllocations; }

bool needsEvidence(Allocation allocation) noexcept
{
    return allocation == Allocation::Sensitivity || allocation == Allocation::MeasuredGreedy || allocation == Allocation::LossAware;
}

std::string_view importanceName(Importance importance) noexcept
{
    return importance == Importance::BlockInfluence ? "block-influence" : "effective-rank";
}

Importance parseImportance(std::string_view name)
{
    constexpr std::array all = {Importance::EffectiveRank, Importance::BlockInfluence};
    return named(std::span<const Importance>(all), importanceName, name, "importance");
}

std::string_view harmName(HarmMeasure measure) noexcept { return measure == HarmMeasure::Likelihood ? "nll" : "kl"; }

HarmMeasure parseHarm(std::string_view name)
{
    constexpr std::array all = {HarmMeasure::Divergence, HarmMeasure::Likelihood};
    return named(std::span<const HarmMeasure>(all), harmName, name, "harm");
}

} // namespace tamis::plan

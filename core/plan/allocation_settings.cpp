// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/allocation_settings.h"

#include <array>

namespace tamis::plan {
namespace {

constexpr std::array kReals = {
    RealSetting{"floor", "floor", &AllocationSettings::floor, 0, 1, "Floor", "effective-rank: share of the uniform keep that every matrix gets"},
    RealSetting{"importance-weight", "importanceWeight", &AllocationSettings::importanceWeight, 0, 1, "Importance weight",
                "effective-rank: 0 shares by loss alone, 1 by importance alone"},
    RealSetting{"least-log", "leastLog", &AllocationSettings::leastLog, 1e-3, 10, "Least logarithm", "log-loss: logarithms of losses below this count as this"},
    RealSetting{"most-removed", "mostRemoved", &AllocationSettings::mostRemoved, 0, 1, "Most removed", "log-loss: largest share removed of a matrix"},
    RealSetting{"depth-gamma", "depthGamma", &AllocationSettings::depthGamma, 0, 100, "Depth gamma", "depth-weighted: the first block's loss counts 1 + gamma times"},
    RealSetting{"depth-alpha", "depthAlpha", &AllocationSettings::depthAlpha, 0, 10, "Depth alpha", "depth-weighted: how fast the reach of a block falls with distance"}};

constexpr const char* kImportance = "importance";
constexpr const char* kHarm = "harm";
constexpr const char* kSearch = "search-importance-weight";

std::string text(std::string_view name) { return std::string(name); }

} // namespace

std::span<const RealSetting> realSettings() noexcept { return kReals; }

const ParameterSchema& allocationSchema()
{
    static const ParameterSchema schema = [] {
        const AllocationSettings defaults;
        std::vector<ParameterSpec> specs;
        for (const RealSetting& real : kReals)
            specs.push_back({.name = real.name, .title = real.title, .type = ParameterType::Real, .defaultValue = defaults.*real.member, .minimum = real.least,
                             .maximum = real.most, .help = real.help});
        specs.push_back({.name = kImportance, .title = "Importance", .type = ParameterType::Choice, .defaultValue = text(importanceName(defaults.importance)),
                         .help = "effective-rank: what importance is; block-influence runs the model on samples",
                         .choices = {text(importanceName(Importance::EffectiveRank)), text(importanceName(Importance::BlockInfluence))}});
        specs.push_back({.name = kSearch, .title = "Search the weight", .type = ParameterType::Boolean, .defaultValue = defaults.searchImportanceWeight,
                         .help = "effective-rank: try weights 0, 0.1 .. 1 on samples and take the best (low-rank lab)"});
        specs.push_back({.name = kHarm, .title = "Harm", .type = ParameterType::Choice, .defaultValue = text(harmName(defaults.harm)),
                         .help = "sensitivity: KL from the dense model, or the samples' own negative log-likelihood",
                         .choices = {text(harmName(HarmMeasure::Divergence)), text(harmName(HarmMeasure::Likelihood))}});
        return ParameterSchema(std::move(specs));
    }();
    return schema;
}

AllocationSettings settingsFrom(const Parameters& given)
{
    const Parameters complete = allocationSchema().complete(given);
    AllocationSettings settings;
    for (const RealSetting& real : kReals)
        settings.*real.member = complete.real(real.name);
    settings.importance = parseImportance(complete.text(kImportance));
    settings.searchImportanceWeight = complete.boolean(kSearch);
    settings.harm = parseHarm(complete.text(kHarm));
    return settings;
}

Parameters parametersOf(const AllocationSettings& settings)
{
    Parameters parameters;
    for (const RealSetting& real : kReals)
        parameters.set(real.name, settings.*real.member);
    parameters.set(kImportance, text(importanceName(settings.importance)));
    parameters.set(kSearch, settings.searchImportanceWeight);
    parameters.set(kHarm, text(harmName(settings.harm)));
    return parameters;
}

void requireSettings(const AllocationSettings& settings) { allocationSchema().complete(parametersOf(settings)); }

} // namespace tamis::plan

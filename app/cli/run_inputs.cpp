// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_inputs.h"

#include "app/cli/method_choice.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/plan/allocation_settings.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fnmatch.h>

namespace tamis::cli {
namespace {
/// Parse errors of the schema are errors of the command line.
template <class Function> auto asUsage(Function&& function)
{
    try {
        return function();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::InvalidParameter)
            throw UsageError(error.what());
        throw;
    }
}
} // namespace

const spectrum::Method& methodNamed(const std::string& id)
{
    const bool otherLab = id.starts_with("lowrank.") || id.starts_with("encoder.") || id.starts_with("tokens.");
    return methodAmong(spectrum::methods(), id, otherLab ? "; tamis-cli run takes lowrank.*, encoder.* and tokens.* too" : "");
}

Parameters parametersFrom(const MethodDeclaration& method, const std::vector<std::string>& settings, const CommonOptions& common)
{
    return asUsage([&] {
        const auto& schema = method.schema;
        Parameters parameters = schema.defaults();
        if (common.seed && schema.find("seed"))
            parameters.set("seed", *common.seed);
        for (const auto& setting : settings) {
            const auto [name, text] = splitAssignment(setting, "--set");
            parameters.set(name, schema.parse(name, text));
        }
        return schema.complete(parameters);
    });
}

plan::AllocationSettings allocationSettingsFrom(const std::vector<std::string>& settings)
{
    return asUsage([&] {
        Parameters given;
        for (const auto& setting : settings) {
            const auto [name, text] = splitAssignment(setting, "--allocation-set");
            given.set(name, plan::allocationSchema().parse(name, text));
        }
        return plan::settingsFrom(given);
    });
}

spectrum::Inputs openInputs(const spectrum::Method& method, const std::string& model, const std::string& calibration,
                            const RunContext& context)
{
    if (method.needsCalibration && calibration.empty())
        throw UsageError(method.declaration.id + " needs a calibration set: --calibration FILE");
    spectrum::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(model, context);
    if (calibration.empty())
        return inputs;
    inputs.calibration = io::CalibrationSet::open(calibration, context);
    const auto& meant = inputs.calibration->modelSha256();
    if (!meant.empty() && meant != inputs.checkpoint->sha256(context))
        context.warn("the calibration set " + calibration + " was made with another model (its weights have SHA-256 " + meant + ")");
    return inputs;
}

std::string calibrationOf(const std::string& given, const std::string& planFile, const plan::Plan& plan)
{
    if (!given.empty() || plan.calibrationPath.empty())
        return given;
    std::error_code failure;
    const std::filesystem::path named = plan.calibrationPath;
    if (named.is_relative() && !std::filesystem::exists(named, failure))
        if (const auto beside = std::filesystem::path(planFile).parent_path() / named; std::filesystem::exists(beside, failure))
            return beside.string();
    return named.string();
}

bool matchesPattern(const std::string& pattern, const std::string& name) { return fnmatch(pattern.c_str(), name.c_str(), 0) == 0; }

std::vector<std::string> selectMatrices(const io::Checkpoint& checkpoint, const std::vector<std::string>& patterns,
                                        const std::string& flag)
{
    const auto& matrices = checkpoint.layout().matrices;
    for (const auto& pattern : patterns)
        if (std::ranges::none_of(matrices, [&](const io::MatrixRef& matrix) { return matchesPattern(pattern, matrix.name); }))
            throw UsageError(flag + ": no matrix of the model is named '" + pattern +
                             "' (tamis-cli inspect lists them; quote patterns from the shell)");
    std::vector<std::string> names;
    for (const auto& matrix : matrices)
        if (std::ranges::any_of(patterns, [&](const std::string& pattern) { return matchesPattern(pattern, matrix.name); }))
            names.push_back(matrix.name);
    return names;
}

nlohmann::ordered_json inputsJson(const spectrum::Inputs& inputs, const RunContext& context)
{
    nlohmann::ordered_json json;
    json["model"] = {{"path", inputs.checkpoint->path().string()}, {"sha256", inputs.checkpoint->sha256(context)}};
    json["calibration"] = nullptr;
    if (inputs.calibration)
        json["calibration"] = {{"path", inputs.calibration->path().string()},
                               {"sha256", inputs.calibration->sha256(context)},
                               {"inputs", inputs.calibration->inputs()},
                               {"tokens", inputs.calibration->tokens()}};
    return json;
}

} // namespace tamis::cli

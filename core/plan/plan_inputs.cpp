// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan_inputs.h"

#include "core/base/error.h"

namespace tamis::plan {
namespace {

[[noreturn]] void refuse(const char* what, const std::string& planned, const std::string& found)
{
    throw Error(ErrorCode::InvalidParameter,
                "found a " + std::string(what) + " with SHA-256 " + found + ", expected " +
                    (planned.empty() ? "the plan to name one" : planned + ", with which the plan was made"),
                "plan");
}

} // namespace

const spectrum::Method& methodOf(const Plan& plan)
{
    if (const auto* method = spectrum::findMethod(plan.method))
        return *method;
    throw Error(ErrorCode::UnsupportedFeature, "found the method '" + plan.method + "', which this program does not have", "plan");
}

void requireModel(const Plan& plan, const io::Checkpoint& checkpoint, const RunContext& context)
{
    if (const std::string model = checkpoint.sha256(context); plan.modelSha256 != model)
        refuse("model", plan.modelSha256, model);
}

void requireCalibration(const Plan& plan, const io::CalibrationSet& calibration, const RunContext& context)
{
    const std::string found = calibration.sha256(context);
    if (plan.calibrationSha256 == found)
        return;
    if (const auto& captured = calibration.modelSha256(); !captured.empty() && captured != plan.modelSha256)
        throw Error(ErrorCode::InvalidParameter, "was captured from another model: found the SHA-256 " + captured + " of its model, expected "
                                                     + plan.modelSha256, calibration.path().string());
    refuse("calibration set", plan.calibrationSha256, found);
}

void requireInputs(const Plan& plan, const spectrum::Method& method, const spectrum::Inputs& inputs, const RunContext& context)
{
    requireModel(plan, *inputs.checkpoint, context);
    if (!method.needsCalibration)
        return;
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, plan.method + " needs the calibration set that the plan was made with, found none",
                    "plan");
    requireCalibration(plan, *inputs.calibration, context);
}

} // namespace tamis::plan

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

void requireInputs(const Plan& plan, const spectrum::Method& method, const spectrum::Inputs& inputs, const RunContext& context)
{
    const std::string model = inputs.checkpoint->sha256(context);
    if (plan.modelSha256 != model)
        refuse("model", plan.modelSha256, model);
    if (!method.needsCalibration)
        return;
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, plan.method + " needs the calibration set that the plan was made with, found none",
                    "plan");
    const std::string calibration = inputs.calibration->sha256(context);
    if (plan.calibrationSha256 == calibration)
        return;
    if (const auto& captured = inputs.calibration->modelSha256(); !captured.empty() && captured != model)
        throw Error(ErrorCode::InvalidParameter, "was captured from another model: found the SHA-256 " + captured + " of its model, expected "
                                                     + model, inputs.calibration->path().string());
    refuse("calibration set", plan.calibrationSha256, calibration);
}

} // namespace tamis::plan

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan.h"

#include "core/base/atomic_file.h"
#include "core/io/json_limits.h"

namespace tamis::plan {
namespace {
constexpr std::size_t kMaximumPlanBytes = 64u << 20;
} // namespace

Plan readPlan(const std::filesystem::path& file)
{
    Plan plan = planFromJson(io::readSmallFile(file.string(), kMaximumPlanBytes), file.string());
    if (!plan.factorsPath.empty() && !std::filesystem::path(plan.factorsPath).is_absolute())
        plan.factorsPath = (std::filesystem::absolute(file).parent_path() / plan.factorsPath).lexically_normal().string();
    return plan;
}

void writePlan(const std::filesystem::path& file, const Plan& plan)
{
    Plan written = plan;
    if (const std::filesystem::path factors = plan.factorsPath; factors.is_absolute()) {
        const auto relative = factors.lexically_normal().lexically_relative(std::filesystem::absolute(file).parent_path().lexically_normal());
        if (!relative.empty() && *relative.begin() != "..") // plan and factors move together
            written.factorsPath = relative.string();
    }
    writeFileAtomically(file, planToJson(written));
}

} // namespace tamis::plan

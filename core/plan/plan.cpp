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
    return planFromJson(io::readSmallFile(file.string(), kMaximumPlanBytes), file.string());
}

void writePlan(const std::filesystem::path& file, const Plan& plan)
{
    writeFileAtomically(file, planToJson(plan));
}

} // namespace tamis::plan

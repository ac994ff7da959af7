// SPDX-License-Identifier: GPL-3.0-or-later
// Any text is either refused with an Error or a plan that survives being written and read again.
#include "core/base/error.h"
#include "core/plan/plan.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using namespace tamis;
    plan::Plan plan;
    try {
        plan = plan::planFromJson({reinterpret_cast<const char*>(bytes), size}, "input");
    } catch (const Error&) {
        return 0;
    }
    const std::string text = plan::planToJson(plan);
    if (plan::planToJson(plan::planFromJson(text, "written")) != text)
        std::abort();
    return 0;
}

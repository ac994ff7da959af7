// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/configuration_text.h"

#include "core/base/error.h"

namespace tamis::lowrank {
namespace {

bool setBudget(OwnBudget& budget, std::string_view name, std::string_view value)
{
    if (name == "allocate")
        budget.allocation = plan::parseAllocation(value);
    else if (name == "accounting")
        budget.accounting = plan::parseAccounting(value);
    else if (name == "unit")
        budget.unit = plan::parseUnit(value);
    else
        return false;
    return true;
}
} // namespace

void OwnBudget::applyTo(plan::BudgetRequest& budget) const
{
    budget.allocation = allocation.value_or(budget.allocation);
    budget.accounting = accounting.value_or(budget.accounting);
    budget.unit = unit.value_or(budget.unit);
}

std::string OwnBudget::title() const
{
    std::string title;
    if (allocation)
        title += ", " + std::string(plan::allocationName(*allocation));
    if (accounting)
        title += ", " + std::string(plan::accountingName(*accounting));
    if (unit)
        title += ", " + std::string(plan::unitName(*unit));
    return title;
}

ConfigurationText parseConfiguration(std::string_view text)
{
    ConfigurationText made;
    const auto end = text.find(':');
    made.method = findMethod(text.substr(0, end));
    if (!made.method)
        throw Error(ErrorCode::InvalidParameter, "there is no such method in the low-rank lab", std::string(text.substr(0, end)));
    for (auto at = end; at != std::string_view::npos;) {
        const auto next = text.find(':', at + 1);
        const std::string_view setting = text.substr(at + 1, next == std::string_view::npos ? next : next - at - 1);
        const auto equals = setting.find('=');
        if (equals == std::string_view::npos || equals == 0)
            throw Error(ErrorCode::InvalidParameter, "found \"" + std::string(setting) + "\", expected name=value", std::string(text));
        const std::string name(setting.substr(0, equals));
        const std::string_view value = setting.substr(equals + 1);
        if (!setBudget(made.budget, name, value))
            made.parameters.set(name, made.method->declaration.schema.parse(name, value));
        at = next;
    }
    return made;
}

std::string configurationText(const Method& method, const Parameters& parameters, const OwnBudget& budget)
{
    std::string text = method.declaration.id;
    const Parameters defaults = method.declaration.schema.defaults();
    for (const auto& [name, value] : parameters.all())
        if (defaults.contains(name) && defaults.value(name) != value)
            text += ":" + name + "=" + toText(value);
    if (budget.allocation)
        text += ":allocate=" + std::string(plan::allocationName(*budget.allocation));
    if (budget.accounting)
        text += ":accounting=" + std::string(plan::accountingName(*budget.accounting));
    if (budget.unit)
        text += ":unit=" + std::string(plan::unitName(*budget.unit));
    return text;
}

} // namespace tamis::lowrank

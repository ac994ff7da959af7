// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// "lowrank.local:preconditioner=identity:allocate=greedy": a method with settings of its own, as the command line, the window and its
// sessions name it.
#include "core/lowrank/method.h"

#include <optional>
#include <string>
#include <string_view>

namespace tamis::lowrank {

/// What a configuration says of its budget instead of what holds for all that are compared.
struct OwnBudget {
    std::optional<plan::Allocation> allocation; ///< "allocate"
    std::optional<plan::Accounting> accounting; ///< "accounting"
    std::optional<plan::BudgetUnit> unit;       ///< "unit"
    void applyTo(plan::BudgetRequest& budget) const;
    std::string title() const; ///< ", greedy, block-identity"; empty: nothing of its own
    bool operator==(const OwnBudget&) const = default;
};

struct ConfigurationText {
    const Method* method = nullptr;
    Parameters parameters; ///< those that are named
    OwnBudget budget;
};

/// Throws Error{InvalidParameter} for a method, parameter or setting that there is not, and for a value that it does not take.
ConfigurationText parseConfiguration(std::string_view text);
/// The method's id, `:name=value` for every one of `parameters` that has not its default, by name, then the budget's settings.
std::string configurationText(const Method& method, const Parameters& parameters, const OwnBudget& budget = {});

} // namespace tamis::lowrank

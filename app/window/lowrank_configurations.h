// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What can be compared: a method of the low-rank lab with some of its parameters set, named as the command line names it.
#include "core/lowrank/configuration_text.h"

#include <string>
#include <string_view>
#include <vector>

namespace tamis::app {

struct Configuration {
    std::string id;    ///< "lowrank.local:preconditioner=cholesky"
    std::string title; ///< "Cholesky (SVD-LLM)"
    const lowrank::Method* method = nullptr;
    Parameters parameters; ///< those that differ from the method's defaults
    bool usual = false;    ///< belongs to the lab's own choice
    lowrank::OwnBudget budget; ///< instead of what holds for all
};

/// lowrank::configurationText().
std::string configurationId(const lowrank::Method& method, const Parameters& parameters, const lowrank::OwnBudget& budget = {});
/// Throws what lowrank::parseConfiguration() throws.
Configuration configuration(std::string_view id);
/// Every method of the lab, the local one once a preconditioner, in menu order.
std::vector<Configuration> offeredConfigurations();

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What `run` says of a training, whatever the lab, and what it asks before one.
#include "core/report/series.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace tamis::cli {

/// [{name, x[], y[]}].
nlohmann::ordered_json seriesJson(const std::vector<report::Series>& series);
/// How a training went, in one line: by its series "held out", the loss on the `what` ("rows") kept apart; without it by the ends of every series. Empty for none.
std::string trainingText(const std::vector<report::Series>& series, const std::string& what);
/// Throws Error{IoFailure} where `path`, unless it is empty, cannot become a file.
void requireWritable(const std::string& path, const std::string& content);

} // namespace tamis::cli

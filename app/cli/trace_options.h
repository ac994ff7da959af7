// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What --trace-format, --column and sizes with units say.
#include "core/io/trace_reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::cli {

/// "1000", "64MiB", "2GB", "4k". Throws UsageError that begins with `option`; 0 is refused.
std::uint64_t sizeFrom(std::string_view text, const std::string& option);

/// `columns`: "id=3". `operation` and `weights` say whether a column of reads and writes, or of costs and of uniqueness, is taken. Throws UsageError.
io::TraceOptions traceOptionsFrom(const std::string& format, const std::vector<std::string>& columns, bool operation, bool weights = false);

} // namespace tamis::cli

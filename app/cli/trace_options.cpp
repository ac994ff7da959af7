// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/trace_options.h"

#include "app/cli/usage_error.h"

#include <charconv>
#include <cmath>

namespace tamis::cli {
namespace {
/// 1000 for "k" and "kB", 1024 for "Ki" and "KiB", and so on; 0 for another text.
double factorOf(std::string_view unit)
{
    constexpr std::string_view kPrefixes = "KMGT";
    if (unit.empty())
        return 1;
    const std::size_t place = kPrefixes.find(unit.front() == 'k' ? 'K' : unit.front());
    const std::string_view rest = unit.substr(1);
    if (place == std::string_view::npos)
        return 0;
    if (rest.empty() || rest == "B")
        return std::pow(1000.0, static_cast<double>(place + 1));
    return rest == "i" || rest == "iB" ? std::pow(1024.0, static_cast<double>(place + 1)) : 0;
}
} // namespace

std::uint64_t sizeFrom(std::string_view text, const std::string& option)
{
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const double size = number * factorOf(text.substr(static_cast<std::size_t>(end - text.data())));
    if (error != std::errc() || !(size >= 1) || size > 9e18)
        throw UsageError(option + ": found '" + std::string(text) + "', expected a size of 1 at least, such as 1000 or 64MiB");
    return static_cast<std::uint64_t>(std::llround(size));
}

io::TraceOptions traceOptionsFrom(const std::string& format, const std::vector<std::string>& columns, bool operation, bool weights)
{
    io::TraceOptions trace;
    const auto found = io::traceFormatNamed(format);
    if (!found)
        throw UsageError("--trace-format: found '" + format + "', expected automatic, ids, csv, lirs, arc, oracle-general, vscsi, be64, be32, le64 or le32");
    trace.format = *found;
    for (const std::string& column : columns) {
        const std::size_t equals = column.find('=');
        const std::string name = column.substr(0, equals), value = equals == std::string::npos ? std::string() : column.substr(equals + 1);
        std::string* to = name == "id"                       ? &trace.columns.id
                          : weights && name == "cost"        ? &trace.columns.cost
                          : weights && name == "uniqueness"  ? &trace.columns.uniqueness
                          : name == "time"                   ? &trace.columns.time
                          : name == "size"                   ? &trace.columns.size
                          : operation && name == "operation" ? &trace.columns.operation
                                                             : nullptr;
        if (!to || value.empty())
            throw UsageError("--column: found '" + column + "', expected id=, time=" + (operation ? ", size= or operation=" : weights ? ", size=, cost= or uniqueness=" : " or size=") + " and a name or number of a column");
        *to = value;
    }
    return trace;
}

} // namespace tamis::cli

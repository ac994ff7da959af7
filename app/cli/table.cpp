// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace tamis::cli {
namespace {
/// Characters a terminal shows: UTF-8 continuation bytes take no place.
std::size_t width(const std::string& text)
{
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string formatted(double value, std::chars_format format, int precision)
{
    std::array<char, 400> buffer; // the longest double in fixed notation takes 309 digits before the point
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, precision);
    return {buffer.data(), result.ptr};
}
} // namespace

Table::Table(std::vector<std::string> heading, std::size_t leftColumns) : m_leftColumns(leftColumns)
{
    m_rows.push_back(std::move(heading));
}

void Table::add(std::vector<std::string> row)
{
    row.resize(m_rows.front().size());
    m_rows.push_back(std::move(row));
}

std::string Table::text() const
{
    std::vector<std::size_t> widths(m_rows.front().size());
    for (const auto& row : m_rows)
        for (std::size_t c = 0; c < row.size(); ++c)
            widths[c] = std::max(widths[c], width(row[c]));
    std::string text;
    for (std::size_t r = 0; r < m_rows.size(); ++r) {
        std::string line;
        for (std::size_t c = 0; c < widths.size(); ++c) {
            const std::string padding(widths[c] - width(m_rows[r][c]), ' ');
            line += (c ? "  " : "") + (c < m_leftColumns ? m_rows[r][c] + padding : padding + m_rows[r][c]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
        if (r == 0) {
            std::size_t whole = 2 * (widths.size() - 1);
            for (const auto column : widths)
                whole += column;
            text += std::string(whole, '-') + "\n";
        }
    }
    return text;
}

std::string fixed(double value, int decimals)
{
    return std::isfinite(value) ? formatted(value, std::chars_format::fixed, decimals) : "-";
}

std::string significant(double value, int digits)
{
    if (std::isnan(value))
        return "-";
    if (std::isinf(value))
        return value > 0 ? "inf" : "-inf";
    return formatted(value, std::chars_format::general, digits);
}

std::string grouped(std::uint64_t value)
{
    std::string digits = std::to_string(value);
    for (std::size_t place = digits.size(); place > 3; place -= 3)
        digits.insert(place - 3, " ");
    return digits;
}

std::string byteSize(std::uint64_t bytes)
{
    constexpr std::array<std::string_view, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (size >= 1024 && unit + 1 < kUnits.size()) {
        size /= 1024;
        ++unit;
    }
    return (unit == 0 ? std::to_string(bytes) : fixed(size, 1)) + " " + std::string(kUnits[unit]);
}

std::string percent(double fraction, int decimals)
{
    return std::isfinite(fraction) ? fixed(100 * fraction, decimals) + " %" : "-";
}

} // namespace tamis::cli

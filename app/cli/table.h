// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Plain tables and numbers for people, the same in every locale.
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::cli {

/// Columns padded to their widest cell; the first `leftColumns` are left-aligned, the others right-aligned.
class Table {
public:
    explicit Table(std::vector<std::string> heading, std::size_t leftColumns = 1);
    void add(std::vector<std::string> row); ///< as many cells as the heading
    std::string text() const;               ///< heading, rule, rows, each ended by a newline

private:
    std::vector<std::vector<std::string>> m_rows;
    std::size_t m_leftColumns;
};

std::string fixed(double value, int decimals);          ///< "0.600"; "-" when not finite
std::string significant(double value, int digits = 4);  ///< "1.234e-05" or "12.34"; "-" for NaN, "inf"
std::string grouped(std::uint64_t value);               ///< "1 234 567"
std::string byteSize(std::uint64_t bytes);              ///< "4.9 MiB"
std::string percent(double fraction, int decimals = 1); ///< "12.3 %"

} // namespace tamis::cli

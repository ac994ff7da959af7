// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/assignment.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::linalg {
namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Minimum-cost flow of one unit a pair: source, rows, columns, sink. Costs are `largest - value`, 0 at least.
class Augmenter {
public:
    Augmenter(tensor::MatrixView<const double> values, double largest)
        : m_values(values), m_largest(largest), m_columnOf(static_cast<std::size_t>(values.rows), -1), m_rowOf(static_cast<std::size_t>(values.cols), -1),
          m_ofRow(m_columnOf.size()), m_ofColumn(m_rowOf.size()), m_distance(m_rowOf.size()), m_from(m_rowOf.size()), m_visited(m_rowOf.size())
    {
    }
    /// One pair more; false when there is none to be had.
    bool augment()
    {
        const std::int64_t end = shortestPath();
        if (end < 0)
            return false;
        raisePotentials();
        for (std::int64_t column = end; column >= 0;) {
            const std::int64_t row = m_from[at(column)];
            const std::int64_t next = m_columnOf[at(row)];
            m_columnOf[at(row)] = column;
            m_rowOf[at(column)] = row;
            column = next;
        }
        return true;
    }
    std::vector<std::int64_t> columnOf() && { return std::move(m_columnOf); }

private:
    static std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }
    /// Ways from a row that is `distance` from the source to every column.
    void relax(std::int64_t row, double distance)
    {
        const auto values = m_values.row(row);
        const double base = distance + m_largest + m_ofRow[at(row)];
        for (std::size_t column = 0; column < values.size(); ++column)
            if (const double reach = std::max(distance, base - values[column] - m_ofColumn[column]); !m_visited[column] && reach < m_distance[column]) {
                m_distance[column] = reach;
                m_from[column] = row;
            }
    }
    /// The free column at the end of the shortest path, -1: none. Leaves its length, less the sink's potential, in m_length.
    std::int64_t shortestPath()
    {
        std::ranges::fill(m_distance, kInfinity);
        std::ranges::fill(m_visited, std::uint8_t{0});
        m_length = kInfinity;
        std::int64_t end = -1;
        for (std::int64_t row = 0; row < m_values.rows; ++row)
            if (m_columnOf[at(row)] < 0)
                relax(row, 0);
        for (;;) {
            std::int64_t nearest = -1;
            for (std::int64_t column = 0; column < m_values.cols; ++column)
                if (!m_visited[at(column)] && m_distance[at(column)] < (nearest < 0 ? m_length : m_distance[at(nearest)]))
                    nearest = column;
            if (nearest < 0) // no way left, or none shorter than the one found
                return end;
            m_visited[at(nearest)] = 1;
            if (const std::int64_t row = m_rowOf[at(nearest)]; row >= 0)
                relax(row, m_distance[at(nearest)]);
            else if (const double length = m_distance[at(nearest)] + m_ofColumn[at(nearest)] - m_ofSink; length < m_length) {
                m_length = std::max(0.0, length);
                end = nearest;
            }
        }
    }
    /// Keeps every remaining cost at 0 or more, and those along paired edges at 0.
    void raisePotentials()
    {
        for (std::size_t column = 0; column < m_ofColumn.size(); ++column) {
            const double rise = std::min(m_distance[column], m_length);
            m_ofColumn[column] += rise;
            if (m_rowOf[column] >= 0)
                m_ofRow[at(m_rowOf[column])] += rise;
        }
        m_ofSink += m_length;
    }
    tensor::MatrixView<const double> m_values;
    double m_largest, m_length = 0, m_ofSink = 0;
    std::vector<std::int64_t> m_columnOf, m_rowOf;
    std::vector<double> m_ofRow, m_ofColumn, m_distance;
    std::vector<std::int64_t> m_from;
    std::vector<std::uint8_t> m_visited;
};
} // namespace

Assigned bestAssignment(tensor::MatrixView<const double> values, std::int64_t pairs, const RunContext& context)
{
    if (pairs < 0)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(pairs) + " pairs to assign, expected 0 or more");
    double largest = -kInfinity;
    for (std::int64_t row = 0; row < values.rows; ++row)
        for (const double value : values.row(row)) {
            if (std::isnan(value) || value == kInfinity)
                throw Error(ErrorCode::NonFinite, "found NaN or infinity among the values to assign by in row " + std::to_string(row) + ", expected numbers or -infinity");
            largest = std::max(largest, value);
        }
    Assigned result;
    result.columnOf.assign(static_cast<std::size_t>(values.rows), -1);
    if (largest == -kInfinity)
        return result;
    Augmenter augmenter(values, largest);
    while (result.pairs < pairs) {
        context.throwIfStopped();
        if (!augmenter.augment())
            break;
        ++result.pairs;
    }
    result.columnOf = std::move(augmenter).columnOf();
    for (std::int64_t row = 0; row < values.rows; ++row)
        if (const std::int64_t column = result.columnOf[static_cast<std::size_t>(row)]; column >= 0)
            result.total += values(row, column);
    return result;
}

} // namespace tamis::linalg

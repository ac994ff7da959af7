// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/isolines.h"

#include "core/base/error.h"

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>

namespace tamis::report {
namespace {
/// Of the grid: from (row, column) to the right, or downwards.
struct Edge {
    std::size_t row = 0, column = 0;
    bool down = false;
    auto operator<=>(const Edge&) const = default;
};

class Tracer {
public:
    Tracer(std::span<const double> values, std::size_t rows, std::size_t columns, double level) : m_values(values), m_rows(rows), m_columns(columns), m_level(level) {}

    std::vector<std::vector<Point>> lines()
    {
        for (std::size_t row = 0; row + 1 < m_rows; ++row)
            for (std::size_t column = 0; column + 1 < m_columns; ++column)
                cross(row, column);
        std::vector<std::vector<Point>> found;
        for (const auto& [edge, neighbours] : m_joined) // open ones from their ends
            if (neighbours.size() == 1 && !m_visited.contains(edge))
                found.push_back(follow(edge));
        for (const auto& [edge, neighbours] : m_joined)
            if (!m_visited.contains(edge)) {
                found.push_back(follow(edge));
                found.back().push_back(found.back().front());
            }
        return found;
    }

private:
    double value(std::size_t row, std::size_t column) const { return m_values[row * m_columns + column]; }
    void join(const Edge& a, const Edge& b)
    {
        m_joined[a].push_back(b);
        m_joined[b].push_back(a);
    }

    void cross(std::size_t row, std::size_t column)
    {
        const std::array corners{value(row, column), value(row, column + 1), value(row + 1, column + 1), value(row + 1, column)}; // clockwise
        double mean = 0;
        for (const double corner : corners) {
            if (!std::isfinite(corner))
                return;
            mean += corner / 4;
        }
        const std::array edges{Edge{row, column, false}, Edge{row, column + 1, true}, Edge{row + 1, column, false}, Edge{row, column, true}}; // from corner i to i + 1
        std::vector<Edge> cut;
        for (std::size_t i = 0; i < 4; ++i)
            if ((corners[i] >= m_level) != (corners[(i + 1) % 4] >= m_level))
                cut.push_back(edges[i]);
        if (cut.size() == 2)
            join(cut[0], cut[1]);
        else if (cut.size() == 4 && (corners[0] >= m_level) == (mean >= m_level)) { // the first corner joins the third across the cell
            join(cut[0], cut[1]);
            join(cut[2], cut[3]);
        } else if (cut.size() == 4) {
            join(cut[3], cut[0]);
            join(cut[1], cut[2]);
        }
    }

    Point pointOn(const Edge& edge) const
    {
        const double from = value(edge.row, edge.column), to = edge.down ? value(edge.row + 1, edge.column) : value(edge.row, edge.column + 1);
        const double t = (m_level - from) / (to - from);
        const double x = static_cast<double>(edge.column), y = static_cast<double>(edge.row);
        return edge.down ? Point{x, y + t} : Point{x + t, y};
    }

    std::vector<Point> follow(Edge edge)
    {
        std::vector<Point> line;
        for (bool more = true; more;) {
            m_visited.insert(edge);
            line.push_back(pointOn(edge));
            more = false;
            for (const Edge& next : m_joined.at(edge))
                if (!m_visited.contains(next)) {
                    edge = next;
                    more = true;
                    break;
                }
        }
        return line;
    }

    std::span<const double> m_values;
    std::size_t m_rows, m_columns;
    double m_level;
    std::map<Edge, std::vector<Edge>> m_joined; ///< across the cells; one or two each
    std::set<Edge> m_visited;
};
} // namespace

std::vector<std::vector<Point>> isolines(std::span<const double> values, std::size_t rows, std::size_t columns, double level)
{
    if (values.size() != rows * columns)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(values.size()) + " values, expected " + std::to_string(rows) + " x " + std::to_string(columns));
    return Tracer(values, rows, columns, level).lines();
}

} // namespace tamis::report

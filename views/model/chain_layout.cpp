// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/chain_layout.h"

#include "views/model/layer_measure.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using report::LayerCost;
constexpr double kMarginPixels = 12, kRowGap = 8, kPairGap = 4;

/// Consecutive layers of one block, or of none.
struct Group {
    int block = -1;
    std::vector<int> layers;
};

bool standsOutside(const std::vector<LayerCost>& layers, std::size_t i)
{
    return layers[i].block < 0 || layers[i].kind == "merge" ||
           (layers[i].kind == "norm" && i + 1 < layers.size() && layers[i + 1].kind == "merge");
}

std::vector<Group> groupsOf(const std::vector<LayerCost>& layers)
{
    std::vector<Group> groups;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const int block = standsOutside(layers, i) ? -1 : layers[i].block;
        if (groups.empty() || groups.back().block != block)
            groups.push_back({block, {}});
        groups.back().layers.push_back(static_cast<int>(i));
    }
    return groups;
}

bool alike(const LayerCost& a, const LayerCost& b)
{
    return a.kind == b.kind && a.form == b.form && a.role == b.role && a.rank == b.rank && a.inputShape == b.inputShape &&
           a.outputShape == b.outputShape && a.parameters == b.parameters && a.macs == b.macs;
}

bool alike(const std::vector<LayerCost>& layers, const Group& a, const Group& b)
{
    const auto at = [&](int i) -> const LayerCost& { return layers[static_cast<std::size_t>(i)]; };
    return a.block >= 0 && b.block >= 0 && std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                                                      [&](int i, int j) { return alike(at(i), at(j)); });
}

bool isWide(const LayerCost& layer) { return !layer.form.empty() || layer.kind == "attention" || layer.kind == "merge" || layer.kind == "embedding" || layer.kind == "patch"; }

/// q, k, v and gate, up read the same input: they stand side by side.
bool besidePrevious(const LayerCost& layer, const LayerCost& previous)
{
    if (layer.kind != "linear" || previous.kind != "linear")
        return false;
    const auto pair = [&](const char* a, const char* b) { return previous.role == a && layer.role == b; };
    return pair("q", "k") || pair("k", "v") || pair("gate", "up") || pair("up", "gate");
}

/// Branches as spans of layer positions within a block. Pre-norm: from a norm to before the next. Post-norm (no norm at the
/// start): from after a norm to before the next. Norms of queries and keys, which stand before the attention, open none.
std::vector<std::pair<std::size_t, std::size_t>> branchesOf(const std::vector<const LayerCost*>& layers)
{
    std::vector<std::size_t> norms;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        if (layers[i]->kind != "norm")
            continue;
        std::size_t next = i;
        while (next < layers.size() && layers[next]->kind == "norm")
            ++next;
        if (next == layers.size() || layers[next]->kind != "attention")
            norms.push_back(i);
    }
    if (norms.empty())
        return {};
    std::vector<std::pair<std::size_t, std::size_t>> spans;
    const bool before = norms.front() == 0;
    for (std::size_t n = 0; n < norms.size(); ++n) {
        const std::size_t first = before ? norms[n] : n == 0 ? 0 : norms[n - 1] + 1;
        const std::size_t end = !before ? norms[n] : n + 1 < norms.size() ? norms[n + 1] : layers.size();
        const auto works = [](const LayerCost* l) { return l->kind == "linear" || l->kind == "attention"; };
        if (end > first && std::any_of(layers.begin() + static_cast<std::ptrdiff_t>(first), layers.begin() + static_cast<std::ptrdiff_t>(end), works))
            spans.emplace_back(first, end - 1);
    }
    return spans;
}

class Builder {
public:
    Builder(const report::ModelCostReport& report, double line) : m_layers(report.layers), m_line(line) {}

    void addBlock(const std::vector<Group>& groups, std::size_t first, std::size_t count, int runStart, bool folded)
    {
        ChainColumn column{.firstBlock = groups[first].block, .lastBlock = groups[first + count - 1].block, .runStart = runStart,
                           .folded = folded, .repeated = count > 1};
        startColumn(folded && m_lastFolded ? kRowGap : 1.7 * m_line);
        m_lastFolded = folded;
        const double width = folded ? 3.6 * m_line : 15.5 * m_line;
        column.frame = QRectF(m_x, kMarginPixels, width, 0);
        ChainBox header{.kind = ChainBox::Kind::Header, .rect = QRectF(m_x, kMarginPixels, width, 1.6 * m_line), .column = m_column};
        for (std::size_t g = first; g < first + count; ++g)
            header.layers.insert(header.layers.end(), groups[g].layers.begin(), groups[g].layers.end());
        column.fold = QRectF(m_x, kMarginPixels, folded ? width : 1.6 * m_line, 1.6 * m_line);
        m_out.boxes.push_back(header);
        m_y = header.rect.bottom() + kRowGap;
        m_row = 1;
        if (folded)
            m_out.boxes.push_back({ChainBox::Kind::Block, QRectF(m_x + kPairGap, m_y, width - 2 * kPairGap, 0), m_column, 1, header.layers});
        else
            addRows(groups, first, count, QRectF(m_x + 1.4 * m_line, 0, width - 1.4 * m_line - 8, 0), &column);
        column.frame.setBottom(m_y + 4);
        column.content = column.frame;
        m_out.columns.push_back(column);
        m_x += width;
    }
    void addOutside(const std::vector<Group>& groups, std::size_t at)
    {
        startColumn(1.7 * m_line);
        m_lastFolded = false;
        m_y = kMarginPixels;
        m_row = 0;
        const double width = 10.5 * m_line;
        ChainColumn column;
        addRows(groups, at, 1, QRectF(m_x, 0, width, 0), nullptr);
        column.content = QRectF(m_x, kMarginPixels, width, m_y - kRowGap - kMarginPixels);
        m_out.columns.push_back(column);
        m_x += width;
    }
    /// Frames get one height; what has no frame is centred.
    ChainLayout finish()
    {
        double height = 11 * m_line;
        for (const auto& column : m_out.columns)
            height = std::max(height, column.content.height());
        for (auto& box : m_out.boxes) {
            const auto& column = m_out.columns[static_cast<std::size_t>(box.column)];
            if (column.firstBlock < 0)
                box.rect.translate(0, (height - column.content.height()) / 2);
            else if (box.kind == ChainBox::Kind::Block)
                box.rect.setBottom(kMarginPixels + height - kPairGap);
        }
        for (auto& column : m_out.columns) {
            if (column.firstBlock < 0) {
                column.content.translate(0, (height - column.content.height()) / 2);
                continue;
            }
            column.frame.setHeight(height);
            column.content = column.frame;
        }
        m_out.size = QSizeF(m_x + kMarginPixels + (m_out.columns.empty() ? 0 : 6), height + 2 * kMarginPixels + 4);
        return std::move(m_out);
    }

private:
    void startColumn(double gap)
    {
        m_column = static_cast<int>(m_out.columns.size());
        m_x = m_column == 0 ? kMarginPixels : m_x + gap;
    }
    /// One box a layer of the first group; the other groups' layers at the same place go with it.
    void addRows(const std::vector<Group>& groups, std::size_t first, std::size_t count, const QRectF& place, ChainColumn* column)
    {
        const auto& own = groups[first].layers;
        std::vector<const LayerCost*> layers;
        for (const int i : own)
            layers.push_back(&m_layers[static_cast<std::size_t>(i)]);
        std::vector<QRectF> rects(own.size());
        for (std::size_t i = 0; i < own.size();) {
            std::size_t end = i + 1;
            while (end < own.size() && besidePrevious(*layers[end], *layers[end - 1]))
                ++end;
            const auto share = static_cast<double>(end - i);
            const double width = (place.width() - kPairGap * (share - 1)) / share;
            const double height = isWide(*layers[i]) ? 2 * m_line + 8 : m_line + 4;
            for (std::size_t k = i; k < end; ++k) {
                ChainBox box{.rect = QRectF(place.left() + static_cast<double>(k - i) * (width + kPairGap), m_y, width, height),
                             .column = m_column, .row = m_row};
                for (std::size_t g = first; g < first + count; ++g)
                    box.layers.push_back(groups[g].layers[k]);
                rects[k] = box.rect;
                m_out.boxes.push_back(std::move(box));
            }
            m_y += height + kRowGap;
            ++m_row;
            i = end;
        }
        if (column)
            for (const auto& [from, to] : branchesOf(layers))
                column->arcs.push_back({place.left(), rects[from].top() - kRowGap / 2 - 1, rects[to].bottom() + kRowGap / 2 - 1});
    }

    const std::vector<LayerCost>& m_layers;
    double m_line;
    ChainLayout m_out;
    double m_x = 0, m_y = 0;
    int m_column = 0, m_row = 0;
    bool m_lastFolded = false;
};
} // namespace

ChainLayout layOutChain(const report::ModelCostReport& report, ChainFolding folding, const std::set<int>& toggled, double line)
{
    const auto groups = groupsOf(report.layers);
    Builder builder(report, line);
    for (std::size_t i = 0; i < groups.size();) {
        if (groups[i].block < 0) {
            builder.addOutside(groups, i++);
            continue;
        }
        std::size_t end = i + 1;
        while (end < groups.size() && alike(report.layers, groups[i], groups[end]))
            ++end;
        const int runStart = groups[i].block;
        if (folding == ChainFolding::Repeated && end - i > 1 && toggled.count(runStart) == 0) {
            builder.addBlock(groups, i, end - i, runStart, false);
            i = end;
            continue;
        }
        const bool alone = end - i == 1;
        for (; i < end; ++i) {
            const int block = groups[i].block;
            const bool other = toggled.count(block) != 0;
            const bool folded = folding == ChainFolding::Folded ? !other : folding == ChainFolding::Expanded ? other : alone && other;
            builder.addBlock(groups, i, 1, folding == ChainFolding::Repeated ? runStart : block, folded);
        }
    }
    return builder.finish();
}

int ChainLayout::boxAt(const QPointF& position) const
{
    for (std::size_t i = 0; i < boxes.size(); ++i)
        if (boxes[i].rect.contains(position))
            return static_cast<int>(i);
    return -1;
}

int ChainLayout::columnToFold(const QPointF& position) const
{
    for (std::size_t i = 0; i < columns.size(); ++i)
        if (columns[i].fold.contains(position))
            return static_cast<int>(i);
    return -1;
}

int ChainLayout::neighbour(int from, int byColumns, int byRows) const
{
    if (from < 0 || from >= static_cast<int>(boxes.size()))
        return boxes.empty() ? -1 : 0;
    const auto& here = boxes[static_cast<std::size_t>(from)];
    int best = from;
    double nearest = INFINITY;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        const auto& there = boxes[i];
        double distance = 0;
        if (byRows != 0) {
            if (there.column != here.column || there.row != here.row + byRows)
                continue;
            distance = std::abs(there.rect.center().x() - here.rect.center().x());
        } else {
            const double step = (there.rect.center().x() - here.rect.center().x()) * byColumns;
            const bool sameRow = there.column == here.column && there.row == here.row;
            if (step <= 0 || (!sameRow && there.column != here.column + byColumns))
                continue;
            // Side by side first, then the next column at the same height.
            distance = (sameRow ? 0 : 1e6) + std::abs(there.rect.center().y() - here.rect.center().y()) + 1e-3 * step;
        }
        if (distance < nearest) {
            nearest = distance;
            best = static_cast<int>(i);
        }
    }
    return best;
}

} // namespace tamis::views

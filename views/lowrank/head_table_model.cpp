// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/head_table_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Model = HeadTableModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("HeadTableModel", "Layer"), QT_TRANSLATE_NOOP("HeadTableModel", "Block")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Head"), QT_TRANSLATE_NOOP("HeadTableModel", "Query head")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Map, joint"), QT_TRANSLATE_NOOP("HeadTableModel", "Map error through joint planes: mean over queries of sum |p - p'| / 2")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Map, separate"), QT_TRANSLATE_NOOP("HeadTableModel", "Map error through separate whitened factors of the same parameters")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Joint gains"), QT_TRANSLATE_NOOP("HeadTableModel", "How much less the joint planes' map error is; negative: more")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Output, joint"), QT_TRANSLATE_NOOP("HeadTableModel", "Relative error of the head's contribution after the output projection")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Output, separate"), QT_TRANSLATE_NOOP("HeadTableModel", "The same with separate factors")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Scores, joint"), QT_TRANSLATE_NOOP("HeadTableModel", "Relative error of the scores before the softmax")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Scores, separate"), QT_TRANSLATE_NOOP("HeadTableModel", "The same with separate factors")},
    {QT_TRANSLATE_NOOP("HeadTableModel", "Map, plan"), QT_TRANSLATE_NOOP("HeadTableModel", "Map error of the plan's operators")}};
} // namespace

void Model::setHeads(const std::vector<report::AttentionHead>& heads)
{
    const bool same = std::ranges::equal(heads, m_heads, [](const auto& a, const auto& b) { return a.layer == b.layer && a.head == b.head; });
    if (!same)
        beginResetModel();
    m_heads = heads;
    for (int column = 0; column < kColumnCount; ++column) {
        m_most[column] = 0;
        for (const auto& head : m_heads)
            if (const double v = value(head, column); std::isfinite(v))
                m_most[column] = std::max(m_most[column], v);
    }
    m_most[JointMapColumn] = m_most[SeparateMapColumn] = std::max(m_most[JointMapColumn], m_most[SeparateMapColumn]); // bars that compare
    if (!same)
        endResetModel();
    else if (!m_heads.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

int Model::rowOf(int layer, int head) const
{
    const auto at = std::ranges::find_if(m_heads, [&](const auto& h) { return h.layer == layer && h.head == head; });
    return at == m_heads.end() ? -1 : static_cast<int>(at - m_heads.begin());
}

const report::AttentionHead* Model::head(int row) const { return row >= 0 && row < rowCount() ? &m_heads[static_cast<std::size_t>(row)] : nullptr; }
bool Model::hasPlan() const { return !m_heads.empty() && std::isfinite(m_heads.front().plan.map); }
int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_heads.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

double Model::value(const report::AttentionHead& head, int column)
{
    switch (column) {
    case LayerColumn: return head.layer;
    case HeadColumn: return static_cast<double>(head.head);
    case JointMapColumn: return head.joint.map;
    case SeparateMapColumn: return head.separate.map;
    case GainColumn: return head.separate.map > 0 ? 1 - head.joint.map / head.separate.map : report::kNotMeasured;
    case JointOutputColumn: return head.joint.output;
    case SeparateOutputColumn: return head.separate.output;
    case JointLogitColumn: return head.joint.logit;
    case SeparateLogitColumn: return head.separate.logit;
    case PlanMapColumn: return head.plan.map;
    default: return report::kNotMeasured;
    }
}

QVariant Model::data(const QModelIndex& at, int role) const
{
    const auto* shown = at.isValid() ? head(at.row()) : nullptr;
    if (!shown)
        return {};
    const double number = value(*shown, at.column());
    switch (role) {
    case Qt::DisplayRole:
        return at.column() <= HeadColumn ? QString::number(static_cast<int>(number)) : at.column() == GainColumn ? formatPercent(number) : formatNumber(number, 3);
    case Qt::TextAlignmentRole: return static_cast<int>(Qt::AlignRight | Qt::AlignVCenter);
    case Qt::ToolTipRole: return tr("Layer %1, head %2: %3").arg(shown->layer).arg(shown->head).arg(tr(kHeadings[at.column()].help));
    case kSortRole: return number;
    case kFractionRole:
        if (at.column() > HeadColumn && at.column() != GainColumn && std::isfinite(number) && m_most[at.column()] > 0)
            return std::clamp(number / m_most[at.column()], 0.0, 1.0);
        return {};
    default: return {};
    }
}

QVariant Model::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/head_comparison_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"

#include <QFont>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Model = HeadComparisonModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Layer"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Block")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Head"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Query head")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "In its place"), QT_TRANSLATE_NOOP("HeadComparisonModel", "What stands in the head's place; bold: chosen for it or its block alone")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Map error"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Mean over queries and samples of sum |p - p'| / 2")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Output error"), QT_TRANSLATE_NOOP("HeadComparisonModel", "|o - o'| / |o| of the mixed values")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Cosine"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Between o and o'")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Effect"), QT_TRANSLATE_NOOP("HeadComparisonModel", "KL of the model's output, in nats, where this head alone is replaced; of models without classes: 1 - cosine of the features")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Entropy"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Of a row of the exact map, in nats")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Evenness"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Entropy over that of looking at all keys alike: 0 to 1")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Distance"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Mean distance looked at: rows and columns of the grid among patches, places in a text")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Prefix"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Probability on the tokens before the patches; in texts on the first token")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Eff. rank"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Exponential of the entropy of the exact map's normalised singular values")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Suited"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Of the methods that were measured, the one with the least output error at no more multiply-adds than asked")},
    {QT_TRANSLATE_NOOP("HeadComparisonModel", "Its output error"), QT_TRANSLATE_NOOP("HeadComparisonModel", "Output error of the suited method")}};

bool isText(int column) { return column == Model::MethodColumn || column == Model::SuitedColumn; }
bool hasBar(int column) { return column >= Model::MapColumn && !isText(column) && column != Model::CosineColumn; }
} // namespace

double headValue(const report::HeadComparison& of, int column)
{
    switch (column) {
    case Model::LayerColumn: return of.layer;
    case Model::HeadColumn: return static_cast<double>(of.head);
    case Model::MapColumn: return of.map;
    case Model::OutputColumn: return of.output;
    case Model::CosineColumn: return of.cosine;
    case Model::EffectColumn: return of.logits;
    case Model::EntropyColumn: return of.traits.entropy;
    case Model::EvennessColumn: return of.traits.evenness;
    case Model::DistanceColumn: return of.traits.distance;
    case Model::PrefixColumn: return of.traits.prefixMass;
    case Model::RankColumn: return of.traits.effectiveRank;
    case Model::SuitedOutputColumn: return of.suitedOutput;
    default: return report::kNotMeasured;
    }
}

void Model::setHeads(const std::vector<report::HeadComparison>& heads)
{
    const bool same = std::ranges::equal(heads, m_heads, [](const auto& a, const auto& b) { return a.layer == b.layer && a.head == b.head; });
    if (!same)
        beginResetModel();
    m_heads = heads;
    for (int column = 0; column < kColumnCount; ++column) {
        m_most[column] = 0;
        for (const auto& head : m_heads)
            if (const double v = headValue(head, column); std::isfinite(v))
                m_most[column] = std::max(m_most[column], v);
    }
    m_most[OutputColumn] = m_most[SuitedOutputColumn] = std::max(m_most[OutputColumn], m_most[SuitedOutputColumn]); // bars that compare
    if (!same)
        endResetModel();
    else if (!m_heads.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

void Model::setChoices(const GeneralChoice& general, const std::vector<OwnChoice>& own)
{
    m_general = general;
    m_own = own;
    if (!m_heads.empty())
        emit dataChanged(index(0, MethodColumn), index(rowCount() - 1, MethodColumn));
}

int Model::rowOf(int layer, std::int64_t head) const
{
    const auto at = std::ranges::find_if(m_heads, [&](const auto& h) { return h.layer == layer && h.head == head; });
    return at == m_heads.end() ? -1 : static_cast<int>(at - m_heads.begin());
}

const report::HeadComparison* Model::head(int row) const { return row >= 0 && row < rowCount() ? &m_heads[static_cast<std::size_t>(row)] : nullptr; }

const OwnChoice* Model::ownChoice(int layer, std::int64_t head) const
{
    const OwnChoice* found = nullptr;
    for (const OwnChoice& each : m_own)
        if (each.layer == layer && (each.head < 0 || each.head == head))
            found = &each;
    return found;
}

QString Model::methodTitle(int layer, std::int64_t head) const
{
    const OwnChoice* own = ownChoice(layer, head);
    const bool general = !m_general.blocks || std::ranges::find(*m_general.blocks, layer) != m_general.blocks->end();
    return own ? own->title : general ? m_general.title : tr("exact");
}

int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_heads.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

void Model::setTitles(const std::map<QString, QString>& titles)
{
    m_titles = titles;
    if (!m_heads.empty())
        emit dataChanged(index(0, SuitedColumn), index(rowCount() - 1, SuitedColumn));
}

QString Model::suitedTitle(const report::HeadComparison& of) const
{
    if (of.suited.empty())
        return QStringLiteral("–");
    const auto known = m_titles.find(words(of.suited));
    const QString title = known == m_titles.end() ? words(of.suited) : known->second;
    return of.suitedSettings.empty() ? title : QStringLiteral("%1, %2").arg(title, words(of.suitedSettings));
}

QVariant Model::shown(const report::HeadComparison& of, int column) const
{
    switch (column) {
    case LayerColumn:
    case HeadColumn: return QString::number(static_cast<int>(headValue(of, column)));
    case MethodColumn: return methodTitle(of.layer, of.head);
    case PrefixColumn: return formatPercent(of.traits.prefixMass);
    case SuitedColumn: return suitedTitle(of);
    default: return formatNumber(headValue(of, column), 3);
    }
}

QVariant Model::data(const QModelIndex& at, int role) const
{
    const auto* of = at.isValid() ? head(at.row()) : nullptr;
    if (!of)
        return {};
    const int column = at.column();
    switch (role) {
    case Qt::DisplayRole: return shown(*of, column);
    case Qt::TextAlignmentRole: return static_cast<int>((isText(column) ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case Qt::ToolTipRole: return tr("Layer %1, head %2: %3").arg(of->layer).arg(of->head).arg(isText(column) ? shown(*of, column).toString() : tr(kHeadings[column].help));
    case Qt::FontRole:
        if (column == MethodColumn && ownChoice(of->layer, of->head)) {
            QFont bold;
            bold.setBold(true);
            return bold;
        }
        return {};
    case kSortRole: return isText(column) ? QVariant(shown(*of, column)) : QVariant(headValue(*of, column));
    case kFractionRole:
        if (const double number = headValue(*of, column); hasBar(column) && std::isfinite(number) && m_most[column] > 0)
            return std::clamp(number / m_most[column], 0.0, 1.0);
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

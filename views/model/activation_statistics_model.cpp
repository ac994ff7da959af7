// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/activation_statistics_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Model = ActivationStatisticsModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Block"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Index of the block; a dash outside the blocks")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Input of"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "The linear operator whose input this is")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Features"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Numbers a token")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "RMS"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Root mean square of all entries")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Mean |x|"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Mean absolute value")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Maximum"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Largest absolute value")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Kurtosis"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Of all entries; 3 for a Gaussian")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Outliers"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Share of entries beyond 6 times the rms")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Top 1 %"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Share of the energy in the strongest 1 % of the features")},
    {QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Eff. rank"), QT_TRANSLATE_NOOP("ActivationStatisticsModel", "Exponential of the entropy of the second moment's eigenvalues")}};
} // namespace

void Model::setStatistics(std::vector<report::ActivationStatistics> statistics)
{
    beginResetModel();
    m_sites = std::move(statistics);
    endResetModel();
}

int Model::rowOf(const QString& name) const
{
    const std::string wanted = name.toStdString();
    const auto at = std::find_if(m_sites.begin(), m_sites.end(), [&](const auto& site) { return site.name == wanted; });
    return at == m_sites.end() ? -1 : static_cast<int>(at - m_sites.begin());
}

int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_sites.size()); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

double Model::value(const report::ActivationStatistics& site, int column)
{
    switch (column) {
    case FeaturesColumn: return static_cast<double>(site.featureRms.size());
    case RmsColumn: return site.rms;
    case MeanAbsoluteColumn: return site.meanAbsolute;
    case MaximumColumn: return site.maximum;
    case KurtosisColumn: return site.kurtosis;
    case OutliersColumn: return site.outlierShare;
    case TopFeaturesColumn: return site.topFeatureShare;
    case EffectiveRankColumn: return site.effectiveRank > 0 ? site.effectiveRank : report::kNotMeasured;
    default: return report::kNotMeasured;
    }
}

QVariant Model::data(const QModelIndex& at, int role) const
{
    if (!at.isValid() || at.row() >= rowCount())
        return {};
    const auto& site = m_sites[static_cast<std::size_t>(at.row())];
    const double number = value(site, at.column());
    switch (role) {
    case Qt::DisplayRole:
        switch (at.column()) {
        case BlockColumn: return site.block < 0 ? QStringLiteral("–") : QString::number(site.block);
        case NameColumn: return QString::fromStdString(site.name);
        case FeaturesColumn: return QString::number(site.featureRms.size());
        case OutliersColumn: return formatPercent(number, 3);
        case TopFeaturesColumn: return formatPercent(number);
        default: return formatNumber(number, 3);
        }
    case Qt::TextAlignmentRole: return static_cast<int>((at.column() > NameColumn ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case Qt::ToolTipRole: return tr("%1, %2 tokens").arg(QString::fromStdString(site.name)).arg(site.tokens);
    case kSortRole:
        return at.column() == BlockColumn ? QVariant(site.block) : at.column() == NameColumn ? QVariant(QString::fromStdString(site.name)) : QVariant(number);
    case kFractionRole:
        if (at.column() == TopFeaturesColumn)
            return std::clamp(number, 0.0, 1.0);
        if (at.column() == EffectiveRankColumn && std::isfinite(number) && !site.featureRms.empty())
            return std::min(number / static_cast<double>(site.featureRms.size()), 1.0);
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

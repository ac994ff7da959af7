// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/attention/attention_words.h"

#include <QAbstractTableModel>

#include <map>
#include <vector>

namespace tamis::views {

/// Heads with what stands in their place, what that changes, what the exact head does, and what would suit it. Answers kSortRole and kFractionRole.
class HeadComparisonModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { LayerColumn, HeadColumn, MethodColumn, MapColumn, OutputColumn, CosineColumn, EffectColumn, EntropyColumn, EvennessColumn, DistanceColumn, PrefixColumn, RankColumn,
                  SuitedColumn, SuitedOutputColumn, kColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void setHeads(const std::vector<report::HeadComparison>& heads); ///< keeps selections where the heads are the same
    void setChoices(const GeneralChoice& general, const std::vector<OwnChoice>& own); ///< later choices take the place of earlier ones
    void setTitles(const std::map<QString, QString>& titles); ///< of methods, by id
    const std::vector<report::HeadComparison>& heads() const noexcept { return m_heads; }
    const report::HeadComparison* head(int row) const; ///< nullptr outside
    int rowOf(int layer, std::int64_t head) const;     ///< -1: none
    const OwnChoice* ownChoice(int layer, std::int64_t head) const; ///< nullptr: as the others
    QString methodTitle(int layer, std::int64_t head) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QString suitedTitle(const report::HeadComparison& of) const;
    QVariant shown(const report::HeadComparison& of, int column) const;
    std::vector<report::HeadComparison> m_heads;
    std::vector<OwnChoice> m_own;
    GeneralChoice m_general;
    std::map<QString, QString> m_titles;
    double m_most[kColumnCount] = {}; ///< for bars
};

/// The number of a column; NaN for those of words.
double headValue(const report::HeadComparison& of, int column);

} // namespace tamis::views

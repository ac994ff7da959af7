// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/cache_report.h"
#include "views/cache/cache_words.h"

#include <QAbstractTableModel>

#include <vector>

namespace tamis::views {

/// A curve as it stands in the chart and in the table.
struct ShownCurve {
    report::PolicyCurve curve;
    QString title;   ///< with the settings that are not the defaults
    int kept = -1;   ///< place among the kept ones; -1: not kept
    int colour = 0;  ///< series colour; limits have none
};

/// Every curve at the cursor: ratios, state, time. A ratio that lies between two computed sizes is marked by ≈.
class CurveTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { TitleColumn, HitColumn, UnwatchedColumn, ByteHitColumn, CostColumn, StateColumn, TimeColumn, kColumnCount };
    explicit CurveTableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}
    void setCurves(const std::vector<ShownCurve>& curves, bool sized);
    void setSize(std::uint64_t size);
    void setMeasure(const CacheMeasure& measure); ///< what a cost is
    bool watchesScene() const noexcept; ///< some curve has hits with and without looking for scene changes
    const std::vector<ShownCurve>& curves() const noexcept { return m_curves; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

private:
    double number(const ShownCurve& shown, int column) const;
    QString shownText(const ShownCurve& shown, int column, double value) const;
    QString readingText(const ShownCurve& shown, int column) const; ///< what the computed neighbours of the cursor say
    std::vector<ShownCurve> m_curves;
    bool m_sized = false;
    std::uint64_t m_size = 1;
    CacheMeasure m_measure;
};

} // namespace tamis::views

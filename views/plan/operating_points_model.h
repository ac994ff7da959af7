// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"

#include <QAbstractTableModel>

#include <vector>

namespace tamis::views {

/// One row an operating point, in the order of the collection. A new label is an intent (labelEdited).
class OperatingPointsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { LabelColumn, KeepColumn, ParametersColumn, BytesColumn, MacsColumn, LatencyColumn, LossColumn, FrontColumn,
                  SettingsColumn, kColumnCount };
    using QAbstractTableModel::QAbstractTableModel;

    void setPoints(const std::vector<report::OperatingPoint>& points);
    const std::vector<report::OperatingPoint>& points() const noexcept { return m_points; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;

signals:
    void labelEdited(int index, const QString& label);

private:
    QString text(const report::OperatingPoint& point, int column) const;
    QVariant sortValue(const report::OperatingPoint& point, int column) const;
    std::vector<report::OperatingPoint> m_points;
};

} // namespace tamis::views

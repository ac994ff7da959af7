// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"

#include <QWidget>

#include <optional>
#include <vector>

class QComboBox;
class QPushButton;

namespace tamis::views {

class CopyableTableView;
class OperatingPointsModel;
class ParetoChart;

/// The collected configurations as a table beside the Pareto chart. The collection is the owner's; this shows it.
class OperatingPoints : public QWidget {
    Q_OBJECT
public:
    explicit OperatingPoints(QWidget* parent = nullptr);
    void setPoints(const std::vector<report::OperatingPoint>& points);
    void setCurrent(const std::optional<report::OperatingPoint>& point); ///< on screen now: a ring in the chart
    void setCaption(const QString& settings);
    CopyableTableView* view() const { return m_view; }
    ParetoChart* chart() const { return m_chart; }

signals:
    void addRequested();
    void removeRequested(const QList<int>& indices); ///< ascending
    void restoreRequested(int index);
    void labelEdited(int index, const QString& label);

private:
    QWidget* buildButtons();
    QList<int> selected() const;
    void updateButtons();

    OperatingPointsModel* m_model;
    CopyableTableView* m_view;
    ParetoChart* m_chart;
    QComboBox* m_unit = nullptr;
    QPushButton *m_add = nullptr, *m_remove = nullptr, *m_restore = nullptr;
    bool m_hasCurrent = false;
};

} // namespace tamis::views

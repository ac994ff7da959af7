// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QLabel;
class QPlainTextEdit;

namespace tamis::views {

class CopyableTableView;
class EncoderCostModel;
class LineChart;

/// What the encoder costs, predicted beside measured; what its method had to say; the losses of its training where there was one.
class CostPage : public QWidget {
    Q_OBJECT
public:
    explicit CostPage(QWidget* parent = nullptr);
    void setReport(std::shared_ptr<const report::EncoderReport> report); ///< null: none
    void setCaption(const QString& settings);
    void setStale(bool stale);
    EncoderCostModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    LineChart* training() const { return m_training; }

signals:
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    EncoderCostModel* m_model;
    CopyableTableView* m_table;
    QLabel* m_state;
    QPlainTextEdit* m_notices;
    LineChart* m_training;
};

} // namespace tamis::views

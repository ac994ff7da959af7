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

/// What the encoder costs, predicted beside measured; what its method had to say.
class CostPage : public QWidget {
    Q_OBJECT
public:
    explicit CostPage(QWidget* parent = nullptr);
    void setReport(std::shared_ptr<const report::EncoderReport> report); ///< null: none
    void setCaption(const QString& settings);
    EncoderCostModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }

signals:
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    EncoderCostModel* m_model;
    CopyableTableView* m_table;
    QLabel* m_state;
    QPlainTextEdit* m_notices;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <QFrame>

class QGridLayout;
class QLabel;

namespace tamis::views {

/// What there is to know of one matrix: shape, the three accountings at the same keep, calibration, warnings.
class MatrixCard : public QFrame {
    Q_OBJECT
public:
    explicit MatrixCard(QWidget* parent = nullptr);
    /// `spectrum` null: nothing selected. `budget` may be null. Copied.
    void setMatrix(const report::MatrixSpectrum* spectrum, const report::MatrixBudget* budget);

private:
    void buildAccountings(QGridLayout* grid);
    void showAccountings(const report::MatrixBudget* budget);
    void restyle();

    QLabel* m_title;
    QLabel* m_shape;
    QLabel* m_choice;
    QLabel* m_cells[3][4]; ///< accounting by rank, parameters, bytes, MACs
    QLabel* m_facts;
    QLabel* m_warnings;
};

} // namespace tamis::views

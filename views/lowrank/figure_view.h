// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/lowrank_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <optional>
#include <vector>

class QComboBox;
class QLabel;

namespace tamis::views {

class LineChart;

/// The charts that a method made of itself, one at a time. The choice stays while the new figures still have it.
class FigureView : public QWidget {
    Q_OBJECT
public:
    explicit FigureView(QWidget* parent = nullptr);
    void setFigures(std::vector<report::MethodFigure> figures, const QString& caption);
    void setEmptyText(const QString& text);
    void setCursor(std::optional<double> x, const QString& label);
    void setStale(bool stale);
    void showFigure(const QString& id);
    QString figure() const; ///< id of the one that is shown; empty: none
    LineChart* chart() const { return m_chart; }

signals:
    void figureChosen(const QString& id); ///< by the user
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void showChosen();

    std::vector<report::MethodFigure> m_figures;
    QComboBox* m_choice;
    QLabel* m_title;
    LineChart* m_chart;
};

/// One figure a layer: energy of each plane's directions over the largest, with the kept rank in the legend.
std::vector<report::MethodFigure> planeFigures(const report::LowRankReport& report);

} // namespace tamis::views

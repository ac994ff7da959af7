// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/lowrank_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <optional>

class QCheckBox;
class QComboBox;
class QListWidget;

namespace tamis::views {

class LineChart;

/// Loss against rank of one matrix under every preconditioner, and which of them to draw.
class PreconditionerPage : public QWidget {
    Q_OBJECT
public:
    explicit PreconditionerPage(QWidget* parent = nullptr);

    /// The check list of curves, for the dock beside the page, which may take it as its own.
    QWidget* settings() const { return m_settings; }
    void setMatrices(const QStringList& names);
    void setMatrix(const QString& name); ///< without a signal
    QString matrix() const;
    /// Dashed series go with the solid one of their group.
    void setFigure(const std::optional<report::MethodFigure>& figure, const QString& caption);
    void setRank(std::optional<double> rank); ///< that the matrix has in the Run page: a line
    void setStale(bool stale);
    void setEmptyText(const QString& text);
    LineChart* chart() const { return m_chart; }

signals:
    void matrixChosen(const QString& name);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void buildSettings();
    void listCurves();
    void draw();

    std::optional<report::MethodFigure> m_figure;
    QWidget* m_settings;
    QComboBox* m_matrix;
    QListWidget* m_curves;
    QCheckBox *m_heldOut, *m_logarithmic;
    LineChart* m_chart;
    bool m_showing = false;
};

} // namespace tamis::views

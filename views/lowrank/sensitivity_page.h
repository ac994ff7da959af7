// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/sensitivity_report.h"
#include "views/common/figure.h"
#include "views/common/heat_map.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <vector>

class QComboBox;
class QLabel;
class QPushButton;
class QStackedWidget;

namespace tamis::views {

class LineChart;
class PlaceholderPanel;

/// What a matrix alone, compressed to a keep, does to the model.
enum class SensitivityMeasure { Kl, NllChange, Perplexity, CosineLoss, RelativeLoss };
inline constexpr SensitivityMeasure kSensitivityMeasures[] = {SensitivityMeasure::Kl, SensitivityMeasure::NllChange, SensitivityMeasure::Perplexity, SensitivityMeasure::CosineLoss,
                                                              SensitivityMeasure::RelativeLoss};
QString sensitivityTitle(SensitivityMeasure measure);
double sensitivity(const report::SensitivityPoint& point, SensitivityMeasure measure);
/// Matrices down, keeps across; NaN where a keep was left out.
HeatGrid sensitivityGrid(const report::SensitivityReport& report, SensitivityMeasure measure);

/// The matrix by keep table as a heat map, curves of the selected matrices, the influence of the blocks.
class SensitivityPage : public QWidget {
    Q_OBJECT
public:
    explicit SensitivityPage(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::SensitivityReport> report); ///< null: not measured
    void setRunning(bool running);
    void setDisabledReason(const QString& reason); ///< why nothing can be measured now; empty: it can
    void setSelection(const QStringList& names);   ///< brushed elsewhere; no selectionChanged
    QStringList selection() const { return m_selection; }
    HeatMap* map() const { return m_map; }
    LineChart* curves() const { return m_curves; }

signals:
    void measureRequested();
    void selectionChanged(const QStringList& names);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* buildBar();
    QString caption() const;
    void showMeasures();
    void showMap();
    void showCurves();
    void showState();
    SensitivityMeasure measure() const;

    std::shared_ptr<const report::SensitivityReport> m_report;
    QStringList m_selection;
    QStackedWidget* m_pages;
    PlaceholderPanel* m_empty;
    HeatMap* m_map;
    LineChart* m_curves;
    QComboBox* m_measure;
    QLabel* m_state;
    QPushButton* m_again;
    QString m_reason;
    bool m_running = false;
};

} // namespace tamis::views

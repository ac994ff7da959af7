// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"

#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <vector>

class QComboBox;
class QDoubleSpinBox;
class QPushButton;

namespace tamis::views {

class RooflinePlot;

/// The roofline with its ceilings: a preset, or two numbers typed in, or what this machine was measured to do. Every change
/// is an intent: the next report carries the predictions made for it. The plot follows at once.
class RooflineView : public QWidget {
    Q_OBJECT
public:
    explicit RooflineView(QWidget* parent = nullptr);

    void setPresets(const std::vector<report::Ceilings>& presets);
    void setReport(std::shared_ptr<const report::ModelCostReport> report); ///< shows the report's ceilings
    void setMeasuring(bool measuring); ///< the machine is being measured
    RooflinePlot* plot() const { return m_plot; }

signals:
    void ceilingsEdited(const tamis::report::Ceilings& ceilings); ///< by the user
    void measureMachineRequested();
    void selectionChanged(const QStringList& names);
    void exportRequested(tamis::views::FigureFormat format);

private:
    void showCeilings(const report::Ceilings& ceilings);
    void presetChosen(int index);
    void numbersEdited();

    std::vector<report::Ceilings> m_presets;
    RooflinePlot* m_plot;
    QComboBox* m_preset;
    QDoubleSpinBox *m_gflops, *m_bandwidth;
    QPushButton* m_measure;
    bool m_quiet = false;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/evaluation_report.h"
#include "core/report/model_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <vector>

class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QSplitter;
class QTabWidget;

namespace tamis::views {

class ActivationStatisticsView;
class CostTable;
class EvaluationView;
class LayerChain;
class PlaceholderPanel;
class RooflineView;

/// The model's tab: the chain of layers on top, costs, roofline, activations and evaluation below. What the
/// user asks for is an intent; nothing is computed here. A selection made in one part is the selection in all.
class ModelPanel : public QWidget {
    Q_OBJECT
public:
    explicit ModelPanel(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::ModelCostReport> report); ///< null: no model is open
    void setEvaluation(std::shared_ptr<const report::EvaluationReport> report);
    void setActivations(std::vector<report::ActivationStatistics> statistics, const QString& inputs);
    void setPresets(const std::vector<report::Ceilings>& presets);
    void setEmptyState(const QString& title, const QString& text); ///< why there is no report
    /// What cannot be asked for now has a reason (tool tip); empty: it can.
    void setDisabledReasons(const QString& evaluate, const QString& capture, const QString& measure);
    void setRunning(const QString& what); ///< a job that Stop ends: "Evaluating"; empty: none
    void setStale(bool stale);            ///< the plan has changed since the last evaluation
    void setTokensRange(int least, int most, int now); ///< least = most: the model decides
    void setSelection(const QStringList& names);       ///< brushed elsewhere; no selectionChanged
    QStringList selection() const { return m_selection; }
    void showPage(QWidget* page); ///< costs(), roofline(), activations() or evaluation()

    LayerChain* chain() const { return m_chain; }
    CostTable* costs() const { return m_costs; }
    RooflineView* roofline() const { return m_roofline; }
    ActivationStatisticsView* activations() const { return m_activations; }
    EvaluationView* evaluation() const { return m_evaluation; }
    QByteArray layoutState() const;
    bool restoreLayoutState(const QByteArray& state);

signals:
    void evaluateRequested();
    void captureRequested();
    void measureRequested();         ///< latency of every layer
    void measureMachineRequested();  ///< ceilings
    void stopRequested();
    void shapeEdited(int tokens, int batch);
    void ceilingsEdited(const tamis::report::Ceilings& ceilings);
    void selectionChanged(const QStringList& names);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:

private:
    QWidget* buildActions();
    QWidget* buildChainBar();
    void connectParts();
    void select(const QStringList& names, QObject* by);
    void showSummary();

    std::shared_ptr<const report::ModelCostReport> m_report;
    QStringList m_selection;
    LayerChain* m_chain;
    CostTable* m_costs;
    RooflineView* m_roofline;
    ActivationStatisticsView* m_activations;
    EvaluationView* m_evaluation;
    PlaceholderPanel* m_empty;
    QSplitter* m_rows;
    QTabWidget* m_tabs;
    QComboBox *m_measure, *m_folding;
    QSpinBox *m_tokens, *m_batch;
    QPushButton *m_evaluate, *m_capture, *m_latencies, *m_stop;
    QLabel *m_title, *m_summary, *m_running, *m_warnings;
};

} // namespace tamis::views

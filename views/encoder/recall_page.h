// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_recall.h"
#include "core/report/encoder_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <cstdint>
#include <memory>

class QLabel;
class QTabWidget;

namespace tamis::views {

class CopyableTableView;
class HistogramChart;
class LineChart;
class MissedLatentModel;

/// All tokens: where the latents of the exact sets stand in the coarse order, recall against the cut, recall by token, and the latents that
/// are missed most. Everything follows the cut from the places in the report. Encoders without a coarse order show what they found.
class RecallPage : public QWidget {
    Q_OBJECT
public:
    explicit RecallPage(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::EncoderReport> report); ///< null: none
    /// `ofMethod`: the method re-ranks as many; else the cost of doing so is told.
    void setCut(std::int64_t cut, bool ofMethod);
    const report::RecallAtCut& recall() const noexcept { return m_recall; }
    void setCaption(const QString& settings);
    void setStale(bool stale);

    HistogramChart* places() const { return m_places; }
    LineChart* curve() const { return m_curve; }
    HistogramChart* tokens() const { return m_tokens; }
    MissedLatentModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }

signals:
    void cutMoved(qlonglong cut, bool finished); ///< by the user
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* buildUpper();
    QWidget* buildLower();
    QWidget* framed(HistogramChart* chart, const QString& title, const QString& name);
    void showCut();
    QString sentence() const;

    std::shared_ptr<const report::EncoderReport> m_report;
    report::RecallAtCut m_recall;
    std::int64_t m_cut = 1;
    bool m_ofMethod = false;
    QLabel* m_state;
    QTabWidget* m_upper;
    HistogramChart *m_places, *m_tokens;
    LineChart* m_curve;
    MissedLatentModel* m_model;
    CopyableTableView* m_table;
};

} // namespace tamis::views

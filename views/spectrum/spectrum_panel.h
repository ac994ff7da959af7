// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"
#include "core/report/landscape.h"
#include "core/report/spectrum_report.h"
#include "core/report/spectrum_series.h"

#include <QStringList>
#include <QWidget>

#include <memory>

class QCheckBox;
class QComboBox;
class QSplitter;

namespace tamis::views {

class LandscapeView;
class LineChart;
class MatrixCard;
class SpectrumTable;

/// The spectrum lab's tab: curves of the selected matrices with the rank cursor of the current one, its card, the landscape
/// and the table. It asks for curves (seriesRequested) and draws what it is given (setSeries).
class SpectrumPanel : public QWidget {
    Q_OBJECT
public:
    explicit SpectrumPanel(QWidget* parent = nullptr);

    /// Selects the first compressible matrix when nothing of the old selection is left.
    void setReport(std::shared_ptr<const report::SpectrumReport> report);
    void setBudget(std::shared_ptr<const report::BudgetReport> budget);
    void setLandscape(std::shared_ptr<const report::Landscape> landscape);
    /// Curves made for `options`; curves of other options than those on show are ignored.
    void setSeries(const std::vector<report::Series>& series, const report::SeriesOptions& options);
    void setStale(bool stale);                 ///< the spectra on show are older than the settings
    void setCaption(const QString& settings);  ///< for exports
    void setSelection(const QStringList& names); ///< brushed elsewhere; no selectionChanged
    QStringList selection() const;
    QString current() const;
    report::SeriesOptions options() const;
    bool logX() const;
    bool logY() const;
    void setOptions(const report::SeriesOptions& options, bool logX, bool logY); ///< asks for curves when they differ
    QByteArray layoutState() const; ///< of the splitters, for the session
    bool restoreLayoutState(const QByteArray& state);

    LineChart* chart() const { return m_chart; }
    LandscapeView* landscape() const { return m_landscape; }
    SpectrumTable* table() const { return m_table; }

signals:
    void seriesRequested(const QStringList& names, const tamis::report::SeriesOptions& options);
    void optionsChanged(const tamis::report::SeriesOptions& options, bool logX, bool logY); ///< by the user
    void rankDragged(const QString& name, qlonglong rank, bool finished);
    void rankEdited(const QString& name, qlonglong rank);
    void rankCleared(const QString& name);
    void lockToggled(const QString& name, bool locked);
    void selectionChanged(const QStringList& names);
    void currentChanged(const QString& name);

private:
    QWidget* buildToolBar();
    void connectParts();
    void optionEdited();
    void requestSeries();
    void showAxes();
    void showCursor();
    void showCurrent();
    const report::MatrixSpectrum* currentSpectrum() const;

    std::shared_ptr<const report::SpectrumReport> m_report;
    QComboBox* m_curve;
    QCheckBox *m_logX, *m_logY, *m_normalised, *m_heldOut, *m_sample, *m_baseline;
    LineChart* m_chart;
    MatrixCard* m_card;
    LandscapeView* m_landscape;
    SpectrumTable* m_table;
    QSplitter *m_rows, *m_top, *m_bottom;
    bool m_dragging = false, m_quiet = false;
};

} // namespace tamis::views

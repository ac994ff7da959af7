// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/cache_report.h"
#include "core/report/cache_size_report.h"
#include "views/cache/cache_words.h"
#include "views/cache/curve_table_model.h"
#include "views/common/figure.h"

#include <QWidget>

#include <cstdint>
#include <memory>
#include <vector>

class QComboBox;
class QDoubleSpinBox;
class QGridLayout;
class QLabel;
class QPushButton;
class QSlider;
class QStackedWidget;

namespace tamis::views {

class CopyableTableView;
class LineChart;
class OutcomeBars;
class PlaceholderPanel;
class ReuseDistanceView;

/// Curves of policies against the size of the cache, with a cursor that the other panels follow: what every curve is there, hits over time, reuse
/// distances, popularity, what was evicted. What the user asks for is a signal; nothing is computed here.
class CurvesPage : public QWidget {
    Q_OBJECT
public:
    explicit CurvesPage(QWidget* parent = nullptr);

    void setNothing(bool nothing); ///< no trace is open: what to open
    /// In the order in which they are drawn. Those that are not there yet have no points.
    void setCurves(const std::vector<ShownCurve>& curves, const report::CacheReport& about);
    void setRefining(const QString& what); ///< "sampled: exact curves follow"; empty: what is shown is exact and complete
    void setSize(std::uint64_t size);      ///< of the cursor, without a signal
    void setSizeReport(std::shared_ptr<const report::CacheSizeReport> report, bool refining); ///< null: none yet
    void setTraceReport(std::shared_ptr<const report::TraceReport> report);                   ///< null: none yet
    void setLevels(const QString& brief); ///< what levels of caches make of the cursor's size; empty: nothing is known
    void setCaption(const QString& settings);
    const CacheMeasure& measure() const noexcept { return m_measure; }
    void setMeasure(const CacheMeasure& measure); ///< without a signal

    LineChart* chart() const { return m_chart; }
    LineChart* overTime() const { return m_overTime; }
    LineChart* popularity() const { return m_popularity; }
    ReuseDistanceView* reuse() const { return m_reuse; }
    OutcomeBars* outcome() const { return m_outcome; }
    CopyableTableView* table() const { return m_table; }
    CurveTableModel* model() const { return m_model; }
    const report::CacheReport& about() const noexcept { return m_about; } ///< of the curves on show, without them

signals:
    void sizeEdited(quint64 size, bool finished); ///< `finished` false while the cursor is dragged
    void measureEdited();
    void removeRequested(int kept); ///< place among the kept ones
    void openRequested();           ///< from the empty state
    void bundledRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);
    void jsonRequested();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    QWidget* boxed(const QString& title, const QString& name, QWidget* body, QLabel** word = nullptr);
    void buildBar(QGridLayout* grid);
    void buildTable(QGridLayout* grid);
    void buildChart();
    void takeMeasure();
    void showMeasure();
    void showColumns();
    void showCurves();
    void showSize();
    void showOverTime();
    void showPopularity();
    QString overTimeWord() const;
    double objectsAt(std::uint64_t size) const; ///< that a cache of this size holds, about
    void moveCursor(double size, bool finished);

    std::vector<ShownCurve> m_curves;
    report::CacheReport m_about; ///< without curves
    CacheMeasure m_measure;
    std::uint64_t m_size = 0;
    std::shared_ptr<const report::CacheSizeReport> m_sizeReport;
    std::shared_ptr<const report::TraceReport> m_trace;
    bool m_quiet = false;
    QStackedWidget* m_stack;
    PlaceholderPanel* m_empty;
    LineChart *m_chart, *m_overTime, *m_popularity;
    ReuseDistanceView* m_reuse;
    OutcomeBars* m_outcome;
    CurveTableModel* m_model;
    CopyableTableView* m_table;
    QComboBox *m_counted = nullptr, *m_missed = nullptr;
    QDoubleSpinBox *m_missCost = nullptr, *m_byteCost = nullptr;
    QSlider* m_slider = nullptr;
    QLabel *m_sizeText = nullptr, *m_refining = nullptr, *m_here = nullptr, *m_overTimeWord = nullptr, *m_zipf = nullptr, *m_evicted = nullptr, *m_levels = nullptr;
    QPushButton* m_remove = nullptr;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/token_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <cstdint>
#include <memory>
#include <vector>

class QLabel;

namespace tamis::views {

class HistogramChart;
class LineChart;

/// Tokens and MACs block by block, of one photo; how many tokens the photos of a folder keep.
class LayersPage : public QWidget {
    Q_OBJECT
public:
    explicit LayersPage(QWidget* parent = nullptr);
    void setOverlay(std::shared_ptr<const report::TokenOverlay> overlay); ///< null: none
    void setKept(const std::vector<std::int64_t>& counts); ///< [photos] tokens that reach the head
    void setDepth(int depth); ///< cursor; without a signal
    /// Of the photo that is seen closely; null: not known.
    void setAttention(const report::AttentionRange* range);
    void setStale(bool stale);
    void setCaption(const QString& settings);
    LineChart* chart() const { return m_chart; }
    HistogramChart* histogram() const { return m_histogram; }

signals:
    void depthChanged(int depth); ///< by the user, who dragged the cursor
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void showCursor();

    std::shared_ptr<const report::TokenOverlay> m_overlay;
    int m_depth = 0;
    LineChart* m_chart;
    HistogramChart* m_histogram;
    QLabel *m_saved, *m_spread, *m_rowSums;
};

/// One bin a count where there are few, else even bins; empty for no counts.
std::pair<std::vector<double>, std::vector<std::int64_t>> countBins(const std::vector<std::int64_t>& counts);

} // namespace tamis::views

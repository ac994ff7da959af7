// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;
class QStackedWidget;

namespace tamis::views {

class HeatMap;
class LineChart;
class PlaceholderPanel;

/// What an operator that chooses blocks of keys has read for the shown head and sample: queries by blocks, the tokens that each query read,
/// the gates between its branches. A query chosen in one is chosen in all. Other operators: a sentence.
class SparsePage : public QWidget {
    Q_OBJECT
public:
    explicit SparsePage(QWidget* parent = nullptr);

    void setReport(const std::shared_ptr<const report::AttentionReport>& report); ///< null: none
    void setCaption(const QString& settings);
    void setQuery(int query); ///< -1: none; without a signal
    HeatMap* map() const { return m_map; }
    LineChart* read() const { return m_read; }
    LineChart* gates() const { return m_gates; }
    bool isEmpty() const;

signals:
    void queryChosen(int query);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void buildCharts(QWidget* parent);
    void showMap();
    void showCharts();
    void choose(int query);

    std::shared_ptr<const report::AttentionReport> m_report;
    QStackedWidget* m_pages;
    PlaceholderPanel* m_empty;
    QComboBox* m_colours = nullptr;
    QLabel* m_summary = nullptr;
    HeatMap* m_map = nullptr;
    LineChart *m_read = nullptr, *m_gates = nullptr;
    int m_query = -1;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/model_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <vector>

class QComboBox;
class QSplitter;
class QStackedWidget;

namespace tamis::views {

class ActivationStatisticsModel;
class CopyableTableView;
class FeatureStrip;
class LineChart;

/// What runs through a model: a table of sites, one curve a kind of site over the depth, and the features of the current site.
class ActivationStatisticsView : public QWidget {
    Q_OBJECT
public:
    explicit ActivationStatisticsView(QWidget* parent = nullptr);

    void setStatistics(std::vector<report::ActivationStatistics> statistics, const QString& inputs); ///< empty: the empty state
    void setSelection(const QStringList& names); ///< without a signal; names without a site are left out
    QStringList selection() const;
    QString current() const; ///< site whose features are shown; empty: none
    ActivationStatisticsModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    LineChart* chart() const { return m_chart; }
    FeatureStrip* strip() const { return m_strip; }
    bool isEmpty() const;

signals:
    void selectionChanged(const QStringList& names);
    void captureRequested();
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void build();
    void connectParts();
    void showCurves();
    void showFeatures();

    ActivationStatisticsModel* m_model;
    CopyableTableView* m_table;
    LineChart* m_chart;
    FeatureStrip* m_strip;
    QComboBox* m_measure;
    QStackedWidget* m_pages;
    QString m_shown;
    bool m_quiet = false;
};

} // namespace tamis::views

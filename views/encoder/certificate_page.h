// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QLabel;
class QStackedWidget;

namespace tamis::views {

class CertificateModel;
class CopyableTableView;
class HistogramChart;
class LineChart;
class PlaceholderPanel;

/// Of a certified encoder: how many sets are proven, certain up to a probability or scored whole; how many candidates the bounds leave a
/// token, by how much each result is proven, candidates against the width of the bounds beside what normally distributed scores would
/// leave, and every token with its certificate.
class CertificatePage : public QWidget {
    Q_OBJECT
public:
    explicit CertificatePage(QWidget* parent = nullptr);
    void setReport(std::shared_ptr<const report::EncoderReport> report); ///< null: none
    void setCaption(const QString& settings);
    HistogramChart* candidates() const { return m_candidates; }
    HistogramChart* margins() const { return m_margins; }
    LineChart* law() const { return m_law; }
    CertificateModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    bool shows() const; ///< certificates, and not the word why there are none

signals:
    void tokenActivated(qlonglong token); ///< by the user: to be seen closely
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* framed(HistogramChart* chart, const QString& title, const QString& name);
    QWidget* buildLower();
    void showLaw(const report::EncoderReport& report);

    QStackedWidget* m_pages;
    PlaceholderPanel* m_empty;
    QLabel* m_state;
    HistogramChart *m_candidates, *m_margins;
    LineChart* m_law;
    CertificateModel* m_model;
    CopyableTableView* m_table;
};

} // namespace tamis::views

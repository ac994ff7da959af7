// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/addressing_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QComboBox;
class QGridLayout;
class QLabel;

namespace tamis::views {

class GroupedBars;
class LineChart;
class LoadBars;

/// Sparse addressing: bytes and pages a token by layout, how long readers take, what a cache saves against its size, where routers send tokens, and
/// what the model or the memory is worth. Figures that the report does not have are hidden.
class AddressingPage : public QWidget {
    Q_OBJECT
public:
    explicit AddressingPage(QWidget* parent = nullptr);
    void setReport(std::shared_ptr<const report::AddressingReport> report); ///< null: none
    void setStale(bool stale);
    void setCaption(const QString& settings);

    GroupedBars* reads() const { return m_reads; }
    GroupedBars* latencies() const { return m_latencies; }
    GroupedBars* quality() const { return m_quality; }
    LineChart* caches() const { return m_caches; }
    LoadBars* load() const { return m_load; }
    QComboBox* routers() const { return m_routers; }

signals:
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* boxed(const QString& title, const QString& name, QWidget* body, Figure* figure, bool scrolls);
    void showReads();
    void showLatencies();
    void showQuality();
    void showCaches();
    void showRouter();

    std::shared_ptr<const report::AddressingReport> m_report;
    QLabel *m_summary, *m_routerText;
    GroupedBars *m_reads, *m_latencies, *m_quality;
    LineChart* m_caches;
    LoadBars* m_load;
    QComboBox* m_routers;
    QGridLayout* m_grid = nullptr;
    QWidget *m_timeBox = nullptr, *m_cacheBox = nullptr, *m_routerBox = nullptr, *m_qualityBox = nullptr;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/fleet_report.h"
#include "views/common/figure.h"
#include "views/common/method_form.h"

#include <QWidget>

#include <memory>
#include <vector>

class QHBoxLayout;
class QLabel;
class QLineEdit;
class QPushButton;
class QVBoxLayout;

namespace tamis::views {

class LineChart;
class NoticeBar;
class RingView;

/// Several devices: loads, curves and whether a fetch pays; a method with its parameters and a server among the settings. What the user asks for
/// is a signal; nothing is computed here.
class DevicesPage : public QWidget {
    Q_OBJECT
public:
    explicit DevicesPage(QWidget* parent = nullptr);

    void setMethods(const std::vector<OfferedMethod>& methods);
    void setChoice(const QString& method, const Parameters& parameters);
    void setServer(const QString& server);
    void setReport(std::shared_ptr<const report::FleetReport> report);    ///< null: none
    /// Tiers whose break-even stands beside methods that have none of their own; null: none.
    void setTiers(std::shared_ptr<const report::EdgeCloudReport> tiers);
    void setMeasured(std::shared_ptr<const report::RemoteReport> remote); ///< of the server; null: none. A banner says whether it is away, or was meanwhile
    void setDegraded(const QString& notice);                              ///< the banner while a job runs; empty: none
    void setStale(bool stale);
    void setCaption(const QString& settings);
    void setDisabledReason(const QString& reason); ///< why the server cannot be measured now; empty: it can
    void setRunning(bool running);                 ///< Stop in place of the button that measures

    QWidget* settings() const { return m_settings; } ///< for a dock; the page's own until one takes it
    RingView* ring() const { return m_ring; }
    LineChart* upper() const { return m_upper; }
    LineChart* lower() const { return m_lower; }
    LineChart* breakEven() const { return m_breakEven; } ///< beside a ring or gossip; else upper() draws it
    NoticeBar* banner() const { return m_banner; }

signals:
    void shown(); ///< the page came into sight
    void methodEdited(const QString& method);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void serverEdited(const QString& server);
    void measureRequested();
    void stopRequested();
    void useMeasuredRequested(); ///< the measured line for the edge
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void addServer(QVBoxLayout* column);
    void addFigures(QHBoxLayout* row);
    void showReport();
    void showBreakEven(LineChart* chart, const report::EdgeCloudReport* tiers, const report::RemoteReport* remote);

    QWidget* m_settings;
    MethodForm* m_form;
    QLineEdit* m_server = nullptr;
    QPushButton *m_measure = nullptr, *m_stop = nullptr, *m_use = nullptr;
    QLabel *m_reason = nullptr, *m_summary = nullptr, *m_measuredText = nullptr;
    NoticeBar* m_banner = nullptr;
    QWidget *m_left = nullptr, *m_ringBox = nullptr;
    RingView* m_ring = nullptr;
    LineChart *m_upper = nullptr, *m_lower = nullptr, *m_breakEven = nullptr;
    std::shared_ptr<const report::EdgeCloudReport> m_tiers;
    std::shared_ptr<const report::FleetReport> m_report;
    std::shared_ptr<const report::RemoteReport> m_measured;
};

} // namespace tamis::views

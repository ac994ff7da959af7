// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_comparison.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>
#include <optional>

class QComboBox;
class QLabel;
class QPushButton;

namespace tamis::views {

class EncoderParetoChart;

/// Encoders compared: the chart, what it is drawn against, and the button that starts the comparison.
class ParetoPage : public QWidget {
    Q_OBJECT
public:
    explicit ParetoPage(QWidget* parent = nullptr);
    void setComparison(std::shared_ptr<const report::EncoderComparison> comparison); ///< null: none
    const std::shared_ptr<const report::EncoderComparison>& comparison() const noexcept { return m_comparison; }
    void setCurrent(const std::optional<report::EncoderPoint>& point);
    void setRunning(bool running);
    void setDisabledReason(const QString& reason); ///< why nothing can be compared; empty: it can
    /// Why the model's loss cannot be measured now, empty: it can; and what was measured, in words.
    void setLossState(const QString& reason, bool measuring, const QString& note);
    EncoderParetoChart* chart() const { return m_chart; }

signals:
    void compareRequested();
    void lossRequested(); ///< to be measured
    void pointActivated(int index); ///< of comparison()->points
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void showState();
    void showEmpty();

    std::shared_ptr<const report::EncoderComparison> m_comparison;
    EncoderParetoChart* m_chart;
    QComboBox *m_loss, *m_speed;
    QPushButton *m_compare, *m_measure;
    QLabel *m_state, *m_note;
    QString m_lossReason;
    bool m_measuring = false;
    bool m_running = false;
};

} // namespace tamis::views

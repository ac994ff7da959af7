// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/attention/length_chart.h"

#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;
class QPushButton;

namespace tamis::views {

/// What attention costs against the number of tokens: time and one more measure side by side, from how many tokens on a method is faster, and
/// the button that measures it.
class LengthPage : public QWidget {
    Q_OBJECT
public:
    explicit LengthPage(QWidget* parent = nullptr);
    void setCurves(std::shared_ptr<const CostCurves> curves); ///< exact first; null: none
    const std::shared_ptr<const CostCurves>& curves() const noexcept { return m_curves; }
    void setRunning(bool running);
    void setDisabledReason(const QString& reason); ///< why nothing can be measured; empty: it can
    void setCaption(const QString& settings);
    LengthChart* time() const { return m_time; }
    LengthChart* memory() const { return m_memory; }

signals:
    void measureRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void showState();

    std::shared_ptr<const CostCurves> m_curves;
    LengthChart *m_time, *m_memory;
    QComboBox* m_beside;
    QPushButton* m_measure;
    QLabel *m_state, *m_crossovers;
    bool m_running = false;
};

} // namespace tamis::views

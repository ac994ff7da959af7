// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/series.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>
#include <vector>

class QLabel;
class QPushButton;

namespace tamis::views {

class LineChart;

/// One matrix under a method at several ridges, all else equal. Losses are relative.
struct RidgeSweep {
    struct Point {
        double ridge = 0, loss = 0, heldOut = 0; ///< NaN: not measured
        double condition = 0;                    ///< of the calibration gram with the ridge; infinite: singular; NaN: not known
    };
    QString matrix, method;
    std::vector<Point> points; ///< by ridge, ascending
    double present = 0;        ///< ridge that is set
};

/// Where the held-out loss is least; null where no point has one.
const RidgeSweep::Point* leastHeldOut(const RidgeSweep& sweep);

/// How the ridge trades calibration loss for held-out loss, and how well conditioned the gram is. The least held-out loss is
/// marked and can be taken over.
class RidgeMeter : public QWidget {
    Q_OBJECT
public:
    explicit RidgeMeter(QWidget* parent = nullptr);
    void setSweep(std::shared_ptr<const RidgeSweep> sweep); ///< null: none
    void setEmptyText(const QString& text);
    void setStale(bool stale);
    LineChart* chart() const { return m_chart; }

signals:
    void ridgeChosen(double ridge);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    std::shared_ptr<const RidgeSweep> m_sweep;
    LineChart* m_chart;
    QLabel *m_condition, *m_least;
    QPushButton* m_take;
};

} // namespace tamis::views

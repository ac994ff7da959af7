// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/hierarchy_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

namespace tamis::views {

/// Boxes from left to right, one a level and one for recomputing, each with its share of the reads as a bar; between two what moves up and down.
class LevelChain : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit LevelChain(QWidget* parent = nullptr);
    void setReport(std::shared_ptr<const report::HierarchyReport> report); ///< null: none
    void setCaption(const QString& settings) { m_caption = settings; }
    QRectF boxRect(int place) const; ///< this widget's pixels; the place behind the last level is recomputing
    QRectF barRect(int place) const; ///< the filled part

    QSize minimumSizeHint() const override { return {560, 170}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    int places() const;
    double share(int place) const;
    void paintBox(QPainter& painter, int place) const;
    void paintGap(QPainter& painter, int place) const;
    std::shared_ptr<const report::HierarchyReport> m_report;
    QString m_caption;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/token_report.h"
#include "views/common/figure.h"

#include <QString>
#include <QWidget>

#include <vector>

namespace tamis::views {

/// A class of either side; NaN: not among that side's best.
struct ClassRow {
    int index = -1;
    QString name;
    double before = report::kNotMeasured, after = report::kNotMeasured;
};
/// Every class of both, the reduced model's best first, then those that it lost.
std::vector<ClassRow> classRows(const std::vector<report::ClassProbability>& before, const std::vector<report::ClassProbability>& after);

/// What a photo is taken for on two sides: a pair of bars a class.
class ClassBars : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit ClassBars(QWidget* parent = nullptr);

    void setSides(const QString& before, const QString& after); ///< their names
    void setClasses(const std::vector<report::ClassProbability>& before, const std::vector<report::ClassProbability>& after);
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }
    const std::vector<ClassRow>& rows() const noexcept { return m_rows; }
    bool isChanged() const noexcept { return m_changed; } ///< the best class is another
    QRectF barRect(int row, bool after) const; ///< this widget's pixels; empty where nothing is known

    QSize minimumSizeHint() const override { return {260, 96}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    double rowHeight() const;
    QRectF barArea() const;
    int shownRows() const; ///< that there is room for

    std::vector<ClassRow> m_rows;
    QString m_before, m_after, m_emptyText, m_caption;
    bool m_changed = false;
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/fitted_scroll_area.h"

#include <QEvent>
#include <QScrollBar>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kLeastWidth = 270;
} // namespace

FittedScrollArea::FittedScrollArea(QWidget* parent) : QScrollArea(parent)
{
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
}

// A hint and no minimum width: that would take the place of what the settings ask for, and cut them.
QSize FittedScrollArea::minimumSizeHint() const
{
    QSize size = QScrollArea::minimumSizeHint().expandedTo(QSize(kLeastWidth, 0));
    if (widget())
        size.setWidth(std::max(size.width(), widget()->minimumSizeHint().width() + verticalScrollBar()->sizeHint().width()));
    return size;
}

bool FittedScrollArea::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == widget() && event->type() == QEvent::LayoutRequest)
        updateGeometry();
    return QScrollArea::eventFilter(watched, event);
}

} // namespace tamis::views

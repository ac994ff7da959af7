// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/elided_label.h"

#include "views/common/ink.h"

#include <QPainter>
#include <QStyle>

namespace tamis::views {

ElidedLabel::ElidedLabel(QWidget* parent, const QString& name, Ink ink) : QLabel(parent)
{
    setObjectName(name);
    setTextFormat(Qt::PlainText);
    setTextInteractionFlags(Qt::TextSelectableByMouse);
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    setInk(this, ink);
}

bool ElidedLabel::elided() const { return fontMetrics().horizontalAdvance(text()) > contentsRect().width(); }

void ElidedLabel::paintEvent(QPaintEvent* event)
{
    if (!elided())
        return QLabel::paintEvent(event);
    QPainter painter(this);
    const QRect place = contentsRect();
    style()->drawItemText(&painter, place, static_cast<int>(alignment()), palette(), isEnabled(), fontMetrics().elidedText(text(), Qt::ElideRight, place.width()), foregroundRole());
}

} // namespace tamis::views

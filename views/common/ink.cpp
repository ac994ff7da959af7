// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/ink.h"

namespace tamis::views {

void setInk(QLabel* label, Ink ink)
{
    const auto restyle = [label, ink] {
        QPalette palette = label->palette();
        palette.setColor(QPalette::WindowText, Theme::instance().color(ink));
        label->setPalette(palette);
    };
    restyle();
    QObject::connect(&Theme::instance(), &Theme::changed, label, restyle);
}

QLabel* inkedLabel(QWidget* parent, const QString& name, Ink ink)
{
    auto* label = new QLabel(parent);
    label->setObjectName(name);
    label->setTextFormat(Qt::PlainText);
    setInk(label, ink);
    return label;
}

} // namespace tamis::views

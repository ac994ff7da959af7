// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/labelled_combo.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QLabel>

namespace tamis::views {

QComboBox* labelledCombo(QWidget* parent, QBoxLayout* row, const QString& title, const QString& name, const QString& help)
{
    auto* label = new QLabel(title, parent);
    auto* box = new QComboBox(parent);
    box->setObjectName(name);
    box->setToolTip(help);
    box->setAccessibleName(QString(title).remove(QLatin1Char('&')));
    box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    label->setBuddy(box);
    row->addWidget(label);
    row->addWidget(box);
    return box;
}

} // namespace tamis::views

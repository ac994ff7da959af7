// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

class QBoxLayout;
class QComboBox;
class QWidget;

namespace tamis::views {

/// A label with its mnemonic ("&Quality") and the combo box that it belongs to, both added to `row`. `name` is the box's object name.
QComboBox* labelledCombo(QWidget* parent, QBoxLayout* row, const QString& title, const QString& name, const QString& help);

} // namespace tamis::views

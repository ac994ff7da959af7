// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDialog>

namespace tamis::app {

/// Version, licence, and the credits that the bundled photos ask for.
class AboutDialog : public QDialog
{
    Q_OBJECT
public:
    explicit AboutDialog(QWidget* parent);
};

} // namespace tamis::app

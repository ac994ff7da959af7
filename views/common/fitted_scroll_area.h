// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QScrollArea>

namespace tamis::views {

/// Scrolls up and down alone, and is never narrower than what it shows: nothing is cut off at the side.
class FittedScrollArea : public QScrollArea
{
    Q_OBJECT
public:
    explicit FittedScrollArea(QWidget* parent = nullptr);
    QSize minimumSizeHint() const override;

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
};

} // namespace tamis::views

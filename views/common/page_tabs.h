// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The pages of a lab.
#include <QTabWidget>

namespace tamis::views {

/// Its height does not follow its width, whatever wrapped texts its pages hold: else every text that changes has the texts of all pages,
/// also of those out of sight, broken into lines for several widths, a third of what the window does while a slider is dragged.
class PageTabs final : public QTabWidget {
public:
    using QTabWidget::QTabWidget;
    bool hasHeightForWidth() const override { return false; }
};

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The pages of a lab.
#include <QStackedWidget>
#include <QTabBar>
#include <QTabWidget>

#include <algorithm>

namespace tamis::views {

/// As small as the page in sight may be. Its height does not follow its width, whatever wrapped texts its pages hold: else every text that
/// changes has the texts of all pages, also of those out of sight, broken into lines for several widths, a third of what the window does
/// while a slider is dragged.
class PageTabs final : public QTabWidget {
public:
    explicit PageTabs(QWidget* parent = nullptr) : QTabWidget(parent)
    {
        connect(this, &QTabWidget::currentChanged, this, &PageTabs::updateGeometry);
    }
    QSize minimumSizeHint() const override
    {
        const QSize least = QTabWidget::minimumSizeHint();
        const auto* stack = findChild<const QStackedWidget*>(QStringLiteral("qt_tabwidget_stackedwidget"), Qt::FindDirectChildrenOnly);
        if (!stack || !currentWidget())
            return least;
        const QSize page = currentWidget()->minimumSizeHint().expandedTo(currentWidget()->minimumSize()), all = stack->minimumSizeHint();
        return QSize(std::max(least.width() - all.width() + page.width(), tabBar()->minimumSizeHint().width()), least.height() - all.height() + page.height());
    }
    bool hasHeightForWidth() const override { return false; }
};

} // namespace tamis::views

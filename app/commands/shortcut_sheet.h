// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/commands/command_registry.h"

#include <QDialog>

namespace tamis::app {

/// All commands by category with their shortcuts, and the mouse and key moves of the charts. Searchable, can be copied.
class ShortcutSheet : public QDialog
{
    Q_OBJECT
public:
    ShortcutSheet(const CommandRegistry& registry, QWidget* parent);
    static QString asText(const CommandRegistry& registry); ///< tab-separated
};

} // namespace tamis::app

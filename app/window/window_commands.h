// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace tamis::app {

class MainWindow;

/// Every command of the window, in menu order.
void registerCommands(MainWindow& window);

} // namespace tamis::app

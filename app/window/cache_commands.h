// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace tamis::app {

class MainWindow;

/// Commands of the tab of caches.
void addCacheCommands(MainWindow& window);

} // namespace tamis::app

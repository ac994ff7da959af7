// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/cache_commands.h"

#include "app/window/main_window.h"
#include "views/cache/cache_panel.h"
#include "views/cache/steps_page.h"

#include <QApplication>

namespace tamis::app {
namespace {
QString tr(const char* text) { return QApplication::translate("Commands", text); }
} // namespace

void addCacheCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Cache");
    auto& controller = w.cache().cache();
    const auto show = [&w](const char* page) {
        w.showLab(&w.cachePanel());
        if (page)
            w.document().select([page](Selection& selection) { selection.cachePage = page; });
    };
    const auto ready = [&controller] { return controller.disabledReason(); };
    add.add({"cache.show", lab, tr("Show the cache lab"), tr("What caches of every size would hit"), {QKeySequence(QStringLiteral("Ctrl+8"))}, [show] { show(nullptr); }});
    add.add({"cache.open", lab, tr("Open trace…"), tr("A list of requests: text, CSV, libCacheSim, vscsi, also compressed"), {QKeySequence(QStringLiteral("Ctrl+Alt+T"))},
             [&controller] { controller.askAndOpen(); }});
    add.add({"cache.open-bundled", lab, tr("Open the bundled trace"), tr("100 000 words of speeches as requests"), {}, [&controller] { controller.openBundled(); }});
    add.add({"cache.close", lab, tr("Close trace"), tr("Leave the list of requests"), {}, [&controller] { controller.close(); }, ready});
    add.add({"cache.curves", lab, tr("Show miss-ratio curves"), tr("Policies against the size of the cache, and one size closely"), {}, [show] { show("curves"); }});
    add.add({"cache.steps", lab, tr("Play a cache request by request"), tr("What lies where, and why what left did"), {}, [show] { show("steps"); }});
    add.add({"cache.keep", lab, tr("Keep the chosen policy to compare"), tr("With its parameters, beside what is tried next"), {QKeySequence(QStringLiteral("Ctrl+Alt+K"))}, [&controller] { controller.keep(); }, ready});
    add.add({"cache.put-plan", lab, tr("Put the cache into the plan"), tr("The chosen policy, its parameters, the size of the cursor and the warm-up"), {}, [&controller] { controller.putIntoPlan(); }, ready});
    add.add({"cache.remove-plan", lab, tr("Take the cache out of the plan"), tr("The lab keeps its settings"), {}, [&controller] { controller.removeFromPlan(); },
             [&controller] { return controller.removeDisabledReason(); }});
    add.add({"cache.export-json", lab, tr("Save curves as JSON…"), tr("All curves with their settings"), {}, [&controller] { controller.exportJson(); }, ready});
    add.add({"cache.stop", lab, tr("Stop the cache lab"), tr("What is finished stays"), {}, [&controller] { controller.stop(); }, ready});
}

} // namespace tamis::app

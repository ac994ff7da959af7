// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/frame_commands.h"

#include "app/window/main_window.h"
#include "app/window/reuse_controller.h"
#include "views/cache/cache_panel.h"

#include <QApplication>

namespace tamis::app {
namespace {
QString tr(const char* text) { return QApplication::translate("Commands", text); }
} // namespace

void addFrameCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Frames");
    auto& controller = w.cache().reuse();
    const auto open = [&controller] { return controller.disabledReason(); };
    const auto show = [&w] {
        w.showLab(&w.cache().panel());
        w.document().select([](Selection& selection) { selection.cachePage = "frames"; });
    };
    add.add({"frames.show", lab, tr("Show the frame player"), tr("Which patches of a video are computed again, and what that saves and loses"), {}, show});
    add.add({"frames.open", lab, tr("Open frames…"), tr("A folder of pictures that follow one another"), {},
             [&controller, show] {
                 show();
                 controller.askAndOpen();
             },
             [&w] { return w.model().report() ? QString() : tr("no model is open"); }});
    add.add({"frames.bundled", lab, tr("Open the bundled frames"), tr("60 frames of a camera that pans, zooms, rests and cuts"), {},
             [&controller, show] {
                 show();
                 controller.openBundled();
             },
             [&w] { return w.model().report() ? QString() : tr("no model is open"); }});
    add.add({"frames.play", lab, tr("Play or pause the frames"), tr("At the speed of the frame player"), {},
             [&controller, show] {
                 show();
                 controller.togglePlay();
             },
             open});
    add.add({"frames.next", lab, tr("Next frame"), tr("One frame forward"), {}, [&controller] { controller.step(1); }, open});
    add.add({"frames.previous", lab, tr("Previous frame"), tr("One frame back"), {}, [&controller] { controller.step(-1); }, open});
    add.add({"frames.keep", lab, tr("Keep this run of reuse"), tr("Beside those to come, in the table and the chart"), {}, [&controller] { controller.keep(); }, [&controller] { return controller.keepDisabledReason(); }});
    add.add({"frames.forget", lab, tr("Forget kept runs of reuse"), tr("All that was kept to compare with"), {}, [&controller] { controller.forgetAll(); }, [&controller] { return controller.forgetDisabledReason(); }});
    add.add({"frames.compare", lab, tr("Compare methods of reuse"), tr("Every method with the settings it starts from, and what was kept, on all frames"), {},
             [&controller, show] {
                 show();
                 controller.compare();
             },
             [&controller] { return controller.compareDisabledReason(); }});
    add.add({"frames.plan", lab, tr("Put feature reuse into the plan"), tr("The method of the frame player with its settings"), {}, [&controller] { controller.putIntoPlan(); }, [&controller] { return controller.planDisabledReason(); }});
    add.add({"frames.unplan", lab, tr("Take feature reuse out of the plan"), tr("The frame player keeps its settings"), {}, [&controller] { controller.takeOutOfPlan(); }, [&controller] { return controller.unplanDisabledReason(); }});
    add.add({"frames.stop", lab, tr("Stop the frame player"), tr("What is finished stays"), {}, [&controller] { controller.stop(); }});
}

} // namespace tamis::app

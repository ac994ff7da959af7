// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/window_commands.h"

#include "app/commands/shortcut_sheet.h"
#include "app/window/about_dialog.h"
#include "app/window/cache_commands.h"
#include "app/window/fleet_controller.h"
#include "app/window/frame_commands.h"
#include "app/window/loss_controller.h"
#include "app/window/lowrank_run_controller.h"
#include "app/window/main_window.h"
#include "app/window/training_controller.h"
#include "views/attention/attention_lab_panel.h"
#include "views/cache/cache_panel.h"
#include "views/common/chart_figure.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_panel.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/model/layer_chain.h"
#include "views/model/model_panel.h"
#include "views/photos/photo_grid.h"
#include "views/plan/cost_header.h"
#include "views/plan/operating_points.h"
#include "views/spectrum/landscape_view.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/tokens/token_panel.h"
#include "views/workspace/workspace_tree.h"

#include <QApplication>
#include <QSettings>

namespace tamis::app {
namespace {
using Keys = QList<QKeySequence>;

QString tr(const char* text) { return QApplication::translate("Commands", text); }

QKeySequence key(const char* keys) { return QKeySequence(QLatin1String(keys)); }

std::function<QString()> needsModel(MainWindow& window)
{
    return [&window] { return window.workspaces().workspace() ? QString() : tr("nothing is open"); };
}

/// A model or an autoencoder: something that a session holds.
std::function<QString()> needsSession(MainWindow& window)
{
    return [&window] {
        const auto& state = window.document().state();
        return window.workspaces().workspace() || standsAlone(state) ? QString() : tr("nothing is open");
    };
}

void addFileCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString file = tr("File");
    auto& workspaces = w.workspaces();
    add.add({"file.open", file, tr("Open…"), tr("A checkpoint, a session, a plan or a calibration set"), {QKeySequence::Open},
             [&] { workspaces.askAndOpenFile(); }});
    add.add({"file.open-directory", file, tr("Open directory…"), tr("A checkpoint's directory"), {key("Ctrl+Shift+O")},
             [&] { workspaces.askAndOpenDirectory(); }});
    add.add({"file.open-calibration", file, tr("Open calibration set…"), tr("Statistics of the inputs of the model that is open"),
             {key("Ctrl+Alt+O")}, [&] { workspaces.askAndOpenCalibration(); }, needsModel(w)});
    add.add({"file.save", file, tr("Save session"), tr("Settings, selection and operating points"), {QKeySequence::Save},
             [&] { workspaces.save(); }, needsSession(w)});
    add.add({"file.save-as", file, tr("Save session as…"), tr("Under another name"), {key("Ctrl+Shift+S")}, [&] { workspaces.saveAs(); },
             needsSession(w)});
    add.add({"file.close", file, tr("Close model"), tr("Close what is open"), {QKeySequence::Close}, [&] { workspaces.closeWorkspace(); },
             needsModel(w)});
}

void addEditCommands(MainWindow& w)
{
    auto& add = w.commands();
    auto& stack = w.document().undoStack();
    const QString edit = tr("Edit");
    add.add({"edit.undo", edit, tr("Undo"), tr("Take back the last change of settings"), {QKeySequence::Undo}, [&] { stack.undo(); },
             [&] { return stack.canUndo() ? QString() : tr("nothing to undo"); }});
    add.add({"edit.redo", edit, tr("Redo"), tr("Make it again"), {key("Ctrl+Shift+Z"), key("Ctrl+Y")}, [&] { stack.redo(); },
             [&] { return stack.canRedo() ? QString() : tr("nothing to redo"); }});
    add.add({"edit.find", edit, tr("Find in workspace"), tr("Search models, layers and matrices"), {QKeySequence::Find},
             [&w] { w.views().tree->focusSearch(); }});
    add.add({"edit.palette", edit, tr("Command palette…"), tr("Find and run any command"), {key("Ctrl+K")}, [&w] { w.palette().open(); }});
}

void addPlanCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString plan = tr("Plan");
    const auto ready = [&w] { return w.exports().disabledReason(); };
    add.add({"plan.keep-point", plan, tr("Keep this point"), tr("Add the configuration on screen to the operating points"), {key("Ctrl+D")},
             [&w] { w.spectrum().keepPoint(); }, ready});
    add.add({"plan.keep-baseline", plan, tr("Keep the plain-SVD baseline"), tr("The trivial way to the same keep, under the same calibration"),
             {key("Ctrl+Shift+D")}, [&w] { w.spectrum().keepBaseline(); }, ready});
    add.add({"plan.lock", plan, tr("Lock the matrix in focus"), tr("The allocation leaves it as it is"), {key("Ctrl+L")},
             [&w] { w.spectrum().lockCurrent(true); }, needsModel(w)});
    add.add({"plan.unlock", plan, tr("Unlock the matrix in focus"), tr("The allocation may change it again"), {key("Ctrl+Shift+L")},
             [&w] { w.spectrum().lockCurrent(false); }, needsModel(w)});
    add.add({"plan.free-ranks", plan, tr("Free all ranks"), tr("Forget ranks and locks set by hand"), {}, [&w] { w.spectrum().clearOverrides(); },
             [&w] { return w.document().state().settings.budget.overrides.empty() ? tr("no rank is set by hand") : QString(); }});
    const auto keep = [&w](double by) {
        w.document().change(tr("Keep"), {}, [&](SessionState& state) {
            state.settings.budget.keep = std::clamp(std::round((state.settings.budget.keep + by) * 1000) / 1000, 0.01, 1.0);
        });
    };
    add.add({"plan.keep-more", plan, tr("Keep 1 % more"), tr("Moves the keep of the model up"), {key("Ctrl+Up")}, [keep] { keep(0.01); }, needsModel(w)});
    add.add({"plan.keep-less", plan, tr("Keep 1 % less"), tr("Moves the keep of the model down"), {key("Ctrl+Down")}, [keep] { keep(-0.01); },
             needsModel(w)});
    auto& tokens = w.tokenPlan();
    add.add({"plan.put-tokens", plan, tr("Put the token method into the plan"), tr("The token lab's method with its parameters and the tokens behind each block as measured"), {key("Ctrl+Alt+P")},
             [&tokens] { tokens.put(); }, [&tokens] { return tokens.putDisabledReason(); }});
    add.add({"plan.take-tokens", plan, tr("Set the token lab to the plan's method"), tr("What the plan has of tokens, in the Tokens tab"), {}, [&w, &tokens] {
                 w.showLab(&w.tokenPanel());
                 tokens.takeBack();
             },
             [&tokens] { return tokens.takeBackDisabledReason(); }});
    add.add({"plan.remove-tokens", plan, tr("Take the token method out of the plan"), tr("The plan leaves tokens as they are; the lab keeps its setting"), {}, [&tokens] { tokens.remove(); },
             [&tokens] { return tokens.removeDisabledReason(); }});
    add.add({"plan.save", plan, tr("Save plan…"), tr("plan.json: what tamis-cli export takes"), {key("Ctrl+P")}, [&w] { w.exports().savePlan(); }, [&w] { return w.exports().planDisabledReason(); }});
    add.add({"plan.export", plan, tr("Export model…"), tr("Factors, dense weights, recipe and plan in a new directory, verified"), {key("Ctrl+E")},
             [&w] { w.exports().exportModel({}); }, ready});
    add.add({"plan.export-lora", plan, tr("Export with PEFT residual…"), tr("The same, and a LoRA adapter over the residual base"), {key("Ctrl+Shift+E")},
             [&w] {
                 plan::ExportOptions options;
                 options.lora = true;
                 w.exports().exportModel(options);
             },
             ready});
}

void addModelCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString model = tr("Model");
    auto& controller = w.model();
    const auto ready = [&controller] { return controller.disabledReason(); };
    const auto shown = [&w](auto action) {
        return [&w, action] {
            w.showLab(w.modelViews().panel);
            action();
        };
    };
    add.add({"model.show", model, tr("Show the model"), tr("Layers, costs, roofline, activations, evaluation"), {key("Ctrl+2")},
             [&w] { w.showLab(w.modelViews().panel); }});
    add.add({"model.show-photos", model, tr("Show the photos"), tr("What the model takes each photo for"), {key("Ctrl+3")},
             [&w] { w.showLab(w.modelViews().photos); }});
    add.add({"model.show-spectrum", model, tr("Show the spectra"), tr("The spectrum lab"), {key("Ctrl+1")}, [&w] { w.showLab(w.views().panel); }});
    add.add({"model.evaluate", model, tr("Evaluate…"), tr("Accuracy or perplexity, and how far the compressed model is from the dense one"),
             {key("Ctrl+R")}, shown([&] { controller.evaluate(); }), ready});
    add.add({"model.capture", model, tr("Capture a calibration set…"), tr("Second moments of what enters every linear operator"),
             {key("Ctrl+Shift+R")}, shown([&] { controller.capture(); }), ready});
    add.add({"model.measure", model, tr("Measure latencies"), tr("Time every layer on this machine"), {key("Ctrl+M")},
             shown([&] { controller.measureLayers(); }), ready});
    add.add({"model.measure-machine", model, tr("Measure this machine"), tr("The roofline's ceilings: multiplying and reading"), {},
             [&] { controller.measureMachine(); }});
    add.add({"model.stop", model, tr("Stop evaluation, capture and measurements"), tr("What is finished stays"), {key("Ctrl+.")},
             [&] { controller.stop(); }});
    add.add({"model.photos", model, tr("Open photos…"), tr("A folder of photos and what the model takes them for"), {key("Ctrl+Shift+P")},
             [&w] {
                 w.showLab(w.modelViews().photos);
                 w.model().askAndOpenPhotos();
             }});
    add.add({"model.close-photos", model, tr("Close photos"), tr("Leave the folder of photos"), {}, [&] { controller.closePhotos(); },
             [&controller] { return controller.photoFolder().isEmpty() ? tr("no photos are open") : QString(); }});
    const auto chain = [&](const char* id, const QString& title, views::FigureFormat format) {
        add.add({QLatin1String(id), model, title, tr("The layer chain with its costs"), {},
                 [&w, format] { w.exports().exportFigure(*w.modelViews().panel->chain(), format, QStringLiteral("layers")); }, needsModel(w)});
    };
    chain("model.chain-svg", tr("Export layers as SVG…"), views::FigureFormat::Svg);
    chain("model.chain-csv", tr("Export layers as CSV…"), views::FigureFormat::Csv);
}

void addLowRankCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Low rank");
    auto* panel = w.lowRankViews().panel;
    add.add({"lowrank.show", lab, tr("Show the low-rank lab"), tr("Methods compared, one method run, preconditioners, sensitivities"), {key("Ctrl+4")},
             [&w, panel] { w.showLab(panel); }});
    auto& controller = w.lowRank();
    const auto comparable = [&controller] { return controller.compareDisabledReason(); };
    add.add({"lowrank.compare", lab, tr("Compare methods"), tr("The checked low-rank methods on the same calibration, held-out samples and budget"), {key("Ctrl+Shift+M")},
             [&w, panel] {
                 w.showLab(panel);
                 w.lowRank().compare();
             },
             comparable});
    add.add({"lowrank.curves", lab, tr("Quality curves"), tr("The checked low-rank methods at keep 0.9 to 0.3"), {},
             [&w, panel] {
                 w.showLab(panel);
                 w.lowRank().compareCurves();
             },
             comparable});
    add.add({"lowrank.run", lab, tr("Run low-rank method"), tr("The method of the Run page with its parameters"), {key("Ctrl+Shift+J")},
             [&w, panel] {
                 w.showLab(panel);
                 w.lowRank().runs().run();
             },
             [&controller] { return controller.runs().runDisabledReason(); }});
    add.add({"lowrank.store", lab, tr("Store the low-rank result…"), tr("Factors and a plan of the method that ran"), {},
             [&controller] { controller.runs().store(); }, [&controller] { return controller.runs().storeDisabledReason(); }});
    add.add({"lowrank.sensitivity", lab, tr("Measure sensitivities"), tr("What each matrix alone, compressed, does to the model"), {},
             [&w, panel] {
                 w.showLab(panel);
                 w.lowRank().measureSensitivity();
             },
             [&controller] { return controller.sensitivityDisabledReason(); }});
    add.add({"lowrank.stop", lab, tr("Stop the low-rank lab"), tr("What is finished stays"), {}, [&controller] { controller.stop(); }});
}

void addEncoderCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Encoder");
    auto& controller = w.encoder();
    const auto opened = [&controller] { return controller.openDisabledReason(); };
    const auto show = [&w] { w.showLab(w.encoderViews().panel); };
    add.add({"encoder.show", lab, tr("Show the encoder lab"), tr("What a cheaper encoder of an autoencoder finds, misses and costs"), {key("Ctrl+5")}, show});
    add.add({"encoder.open", lab, tr("Open an autoencoder…"), tr("A sparse autoencoder's weight file; its directory can be dropped on the window"), {}, [&controller] { controller.askAndOpen(); }});
    add.add({"encoder.bundled", lab, tr("Open the bundled autoencoder"), tr("Of vit20's third block, with activations that were kept apart"), {}, [&controller] { controller.openBundled(); }});
    add.add({"encoder.tokens", lab, tr("Open activations to measure on…"), tr("An .npy of rows, as the model has them where the autoencoder reads"), {},
             [&controller] { controller.askAndOpenRows(); }, opened});
    const auto from = [&](const char* id, const QString& title, const QString& help, TokenOrigin origin) {
        add.add({QLatin1String(id), lab, title, help, {}, [&controller, origin] { controller.takeTokensFrom(origin); },
                 [&controller, origin] { return controller.openDisabledReason().isEmpty() ? controller.originReason(origin) : controller.openDisabledReason(); }});
    };
    from("encoder.photos", tr("Take tokens from photos"), tr("The open model's activations on the photos, patch by patch"), TokenOrigin::Photos);
    from("encoder.text", tr("Take tokens from text"), tr("The open model's activations on the bundled text, or another"), TokenOrigin::Text);
    from("encoder.calibration", tr("Take tokens from the calibration set"), tr("Samples of one of its sites that are as wide as the autoencoder reads"), TokenOrigin::Calibration);
    add.add({"encoder.fitted", lab, tr("Open activations to fit to…"), tr("Other rows than those that encoders are measured on"), {}, [&controller] { controller.askAndOpenCalibration(); }, opened});
    add.add({"encoder.close", lab, tr("Close the autoencoder"), tr("Leave the autoencoder"), {}, [&controller] { controller.close(); }, opened});
    add.add({"encoder.compare", lab, tr("Compare encoders"), tr("Every method that trains nothing, at several of its settings, on the same tokens"), {key("Ctrl+Shift+N")},
             [&controller, show] {
                 show();
                 controller.compare();
             },
             [&controller] { return controller.compareDisabledReason(); }});
    add.add({"encoder.train", lab, tr("Train the encoder"), tr("The chosen method, on the activations that it is fitted to"), {},
             [&controller, show] {
                 show();
                 controller.training().train();
             },
             [&controller] { return controller.training().trainDisabledReason(); }});
    add.add({"encoder.finish-training", lab, tr("Finish training now"), tr("Ends training and keeps the best encoder so far"), {}, [&controller] { controller.training().finish(); },
             [&controller] { return controller.training().finishDisabledReason(); }});
    add.add({"encoder.cancel-training", lab, tr("Cancel training"), tr("Ends training and keeps nothing of it"), {}, [&controller] { controller.training().cancel(); },
             [&controller] { return controller.training().finishDisabledReason(); }});
    add.add({"encoder.save-trained", lab, tr("Save the trained encoder…"), tr("Weights and settings as a safetensors file"), {}, [&controller] { controller.training().askAndSave(); },
             [&controller] { return controller.training().saveDisabledReason(); }});
    add.add({"encoder.open-trained", lab, tr("Open a trained encoder…"), tr("Of the autoencoder that is open, from the safetensors file it was saved to"), {},
             [&controller, show] {
                 show();
                 controller.training().askAndOpen();
             },
             opened});
    add.add({"encoder.losses", lab, tr("Measure losses of the model"), tr("The open model with the encoders of the comparison in place"), {},
             [&controller, show] {
                 show();
                 controller.showPage("compare");
                 controller.losses().measure();
             },
             [&controller] { return controller.losses().disabledReason(); }});
    add.add({"encoder.worst", lab, tr("Show the worst token"), tr("The token of whose exact set least was found"), {},
             [&controller, show] {
                 show();
                 controller.showWorstToken();
             },
             opened});
    add.add({"encoder.stop", lab, tr("Stop the encoder lab"), tr("What is finished stays"), {}, [&controller] { controller.stop(); }});
}

void addTokenCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Tokens");
    auto& controller = w.tokens();
    const auto open = [&controller] { return controller.disabledReason(); };
    const auto show = [&w] { w.showLab(&w.tokenPanel()); };
    add.add({"tokens.show", lab, tr("Show the token lab"), tr("Which tokens of a photo are kept and merged, and what fewer cost"), {key("Ctrl+6")}, show});
    add.add({"tokens.changed", lab, tr("Show the photo that changed most"), tr("Whose features moved most against the whole model"), {},
             [&controller, show] {
                 show();
                 controller.showMostChanged();
             },
             open});
    add.add({"tokens.clear", lab, tr("Forget what was asked by hand"), tr("Patches of this photo that are kept or dropped by hand"), {}, [&controller] { controller.clearHands(); }, open});
    add.add({"tokens.compare", lab, tr("Compare token methods"), tr("Every method that trains nothing and what was trained, at several settings, on the photos that are open, with measured latency"), {key("Ctrl+Shift+T")},
             [&controller, show] {
                 show();
                 controller.compare();
             },
             [&controller] { return controller.compareDisabledReason(); }});
    add.add({"tokens.train", lab, tr("Train the token method"), tr("The chosen method, on the photos that are open"), {},
             [&controller, show] {
                 show();
                 controller.training().train();
             },
             [&controller] { return controller.training().trainDisabledReason(); }});
    add.add({"tokens.finish-training", lab, tr("Finish training now"), tr("Ends training and keeps the best so far"), {}, [&controller] { controller.training().finish(); },
             [&controller] { return controller.training().finishDisabledReason(); }});
    add.add({"tokens.cancel-training", lab, tr("Cancel training"), tr("Ends training and keeps nothing of it"), {}, [&controller] { controller.training().cancel(); },
             [&controller] { return controller.training().finishDisabledReason(); }});
    add.add({"tokens.save-trained", lab, tr("Save what was trained…"), tr("Weights and settings as a safetensors file"), {}, [&controller] { controller.training().askAndSave(); },
             [&controller] { return controller.training().saveDisabledReason(); }});
    add.add({"tokens.open-trained", lab, tr("Open what was trained…"), tr("For the model that is open, from the safetensors file it was saved to"), {},
             [&controller, show] {
                 show();
                 controller.training().askAndOpen();
             },
             open});
    add.add({"tokens.stop", lab, tr("Stop the token lab"), tr("What is finished stays"), {}, [&controller] { controller.stop(); }});
}

/// What is asked for one head goes to the one that is seen closely.
void addAttentionPlaces(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Attention");
    auto& controller = w.attentionLab();
    const auto open = [&controller] { return controller.disabledReason(); };
    const auto head = [&controller] { return controller.viewed(); };
    const auto block = [&controller] { return views::HeadPlace{controller.viewed().layer, -1}; };
    add.add({"attention.use-head", lab, tr("Use the method for this head"), tr("The method of the settings in place of the head that is seen closely"), {}, [&controller, head] { controller.useHere(head()); }, open});
    add.add({"attention.use-block", lab, tr("Use the method for this block"), tr("The method of the settings in place of all heads of the block"), {}, [&controller, block] { controller.useHere(block()); }, open});
    add.add({"attention.exact-head", lab, tr("Keep this head exact"), tr("The head that is seen closely stays as it is"), {}, [&controller, head] { controller.exactHere(head()); }, open});
    add.add({"attention.exact-block", lab, tr("Keep this block exact"), tr("All heads of the block that is seen closely stay as they are"), {}, [&controller, block] { controller.exactHere(block()); }, open});
    add.add({"attention.take-suited", lab, tr("Take what suits this head"), tr("The suited method in place of the head that is seen closely"), {}, [&controller, head] { controller.takeSuited(head()); },
             [&controller] { return controller.takeDisabledReason(); }});
    add.add({"attention.take-all-suited", lab, tr("Take what suits each head"), tr("Under the asked share of all heads' multiply-adds"), {}, [&controller] { controller.takeAllSuited(); },
             [&controller] { return controller.takeDisabledReason(); }});
    add.add({"attention.forget-head", lab, tr("This head as the others"), tr("Forget what was chosen for it or its block alone"), {}, [&controller, head] { controller.forget(head()); },
             [&controller] { return controller.forgetDisabledReason(); }});
    add.add({"attention.forget-all", lab, tr("All heads as the others"), tr("Forget what was chosen for heads and blocks alone"), {}, [&controller] { controller.forgetAll(); },
             [&controller] { return controller.forgetDisabledReason(); }});
}

void addAttentionCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Attention");
    auto& controller = w.attentionLab();
    const auto show = [&w] { w.showLab(&w.attentionPanel()); };
    add.add({"attention.show", lab, tr("Show the attention lab"), tr("Cheaper attention against the exact map, in error, memory and time"), {key("Ctrl+7")}, show});
    add.add({"attention.open", lab, tr("Open photos or a text to look at…"), tr("What the open model reads"), {}, [&controller] { controller.askAndOpen(); },
             [&w] { return w.model().report() ? QString() : tr("no model is open"); }});
    add.add({"attention.worst", lab, tr("Show the worst head"), tr("The one with the largest output error"), {},
             [&controller, show] {
                 show();
                 controller.showWorst();
             },
             [&controller] { return controller.disabledReason(); }});
    addAttentionPlaces(w);
    add.add({"attention.compare", lab, tr("Compare attention methods"), tr("Every method at several settings, and the trivial operators, on the samples that are open, with measured latency"), {key("Ctrl+Shift+A")},
             [&controller, show] {
                 show();
                 controller.compare();
             },
             [&controller] { return controller.compareDisabledReason(); }});
    add.add({"attention.lengths", lab, tr("Measure attention against length"), tr("Exact attention and the method, from 64 to 16384 tokens"), {},
             [&controller, show] {
                 show();
                 controller.measureLengths();
             },
             [&controller] { return controller.lengthsDisabledReason(); }});
    add.add({"attention.effects", lab, tr("Measure effects of heads"), tr("What each head alone, replaced, does to the model's output"), {},
             [&controller, show] {
                 show();
                 controller.measureEffects();
             },
             [&controller] { return controller.effectsDisabledReason(); }});
    add.add({"attention.suited", lab, tr("Find suited attention methods"), tr("Every method at several settings on every head"), {},
             [&controller, show] {
                 show();
                 controller.findSuited();
             },
             [&controller] { return controller.suitedDisabledReason(); }});
    add.add({"attention.addressing", lab, tr("Measure reads of sparse addressing"), tr("What rows read by token or by key cost in the open language model, and what they are worth"), {},
             [&w, show] {
                 show();
                 w.addressing().measure();
             },
             [&w] { return w.addressing().disabledReason(); }});
    add.add({"attention.train", lab, tr("Train around attention"), tr("The open model, around the attention that stands in it, on the samples that the Train page names"), {},
             [&w, show] {
                 show();
                 w.attentionTraining().train();
             },
             [&w] { return w.attentionTraining().trainDisabledReason(); }});
    add.add({"attention.stop", lab, tr("Stop the attention lab"), tr("What is finished stays"), {}, [&w, &controller] {
                 controller.stop();
                 w.addressing().stop();
                 w.attentionTraining().cancel();
             }});
}

void addFleetCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString lab = tr("Cache");
    FleetController& controller = w.cache().fleet();
    const auto show = [&w] {
        w.showLab(&w.cache().panel());
        w.document().select([](Selection& selection) { selection.cachePage = "devices"; });
    };
    add.add({"cache.devices", lab, tr("Show several devices"), tr("Keys divided among devices, gossip, device, edge and cloud"), {}, show});
    add.add({"cache.measure-server", lab, tr("Measure the Redis server"), tr("The open model on the open photos through it; without them its latency"), {},
             [&controller, show] {
                 show();
                 controller.measure();
             },
             [&controller] { return controller.disabledReason(); }});
    add.add({"cache.use-measured", lab, tr("Take the measured server as the edge"), tr("Its latency and bandwidth for the edge tier"), {}, [&controller] { controller.useMeasured(); }, [&controller] { return controller.useDisabledReason(); }});
    add.add({"cache.stop-server", lab, tr("Stop measuring the server"), tr("What is measured before stays"), {}, [&controller] { controller.stop(); }});
}

void addLevelCommands(MainWindow& w)
{
    const auto showLevels = [&w] {
        w.showLab(&w.cache().panel());
        w.cache().panel().showPage(QStringLiteral("levels"));
    };
    auto& add = w.commands();
    const QString lab = tr("Cache");
    add.add({"cache.levels", lab, tr("Levels of caches"), tr("What on-chip memory, RAM and storage before recomputing save, on the open trace or on frames"), {}, showLevels});
    add.add({"cache.levels-frames", lab, tr("Levels of caches on frames…"), tr("A folder of frames, whose features in the open vision model are asked for"), {}, [&w, showLevels] {
                 showLevels();
                 w.cache().levels().askFrames();
             }});
}

void addPictureCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString file = tr("File");
    const auto figure = [&](const char* id, const QString& title, views::FigureFormat format) {
        add.add({QLatin1String(id), file, title, tr("The spectrum chart with the settings in its caption"), {},
                 [&w, format] { w.exports().exportFigure(views::ChartFigure(*w.views().panel->chart()), format, QStringLiteral("spectrum")); },
                 needsModel(w)});
    };
    figure("file.chart-png", tr("Export chart as PNG…"), views::FigureFormat::Png);
    figure("file.chart-svg", tr("Export chart as SVG…"), views::FigureFormat::Svg);
    figure("file.chart-csv", tr("Export chart as CSV…"), views::FigureFormat::Csv);
    add.add({"file.landscape-png", file, tr("Export landscape as PNG…"), tr("The landscape as it stands, with the settings"), {},
             [&w] {
                 w.exports().exportWidgetPicture(*w.views().panel->landscape(), QString::fromStdString(settingsLine(w.document().state().settings)),
                                                 QStringLiteral("landscape"));
             },
             needsModel(w)});
    add.add({"file.pareto-svg", file, tr("Export operating points as SVG…"), tr("The Pareto chart with the settings"), {},
             [&w] {
                 const QString caption = QString::fromStdString(settingsLine(w.document().state().settings));
                 w.exports().exportFigure(views::ParetoFigure(*w.views().points->chart(), caption), views::FigureFormat::Svg,
                                          QStringLiteral("operating-points"));
             },
             [&w] { return w.document().state().points.empty() ? tr("no point is kept") : QString(); }});
    add.add({"file.quit", file, tr("Quit"), tr("End Tamis"), {key("Ctrl+Q")}, [&w] { w.close(); }});
}

void addViewCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString view = tr("View");
    add.add({"view.reset-zoom", view, tr("Show the whole chart"), tr("Undo zoom and pan"), {key("Ctrl+0")},
             [&w] { w.views().panel->chart()->resetZoom(); }});
    add.add({"view.reset-landscape", view, tr("Reset the landscape"), tr("The landscape's first point of view"), {key("Ctrl+Shift+0")},
             [&w] { w.views().panel->landscape()->resetView(); }});
    const auto theme = [&](const char* id, const QString& title, views::Theme::Mode mode) {
        Command command{QLatin1String(id), view, title, tr("Colours of the window"), {},
                        [mode] {
                            views::Theme::instance().apply(*qApp, mode);
                            QSettings().setValue(QStringLiteral("theme"), static_cast<int>(mode));
                        }};
        command.checkable = true;
        command.checked = [mode] { return views::Theme::instance().mode() == mode; };
        add.add(std::move(command));
    };
    theme("view.theme-system", tr("Colours of the desktop"), views::Theme::Mode::System);
    theme("view.theme-light", tr("Light"), views::Theme::Mode::Light);
    theme("view.theme-dark", tr("Dark"), views::Theme::Mode::Dark);
}

void addHelpCommands(MainWindow& w)
{
    auto& add = w.commands();
    const QString help = tr("Help");
    add.add({"help.shortcuts", help, tr("Commands and shortcuts"), tr("The cheat sheet"), {QKeySequence(Qt::Key_F1)}, [&w] {
                 auto* sheet = new ShortcutSheet(w.commands(), &w);
                 sheet->setAttribute(Qt::WA_DeleteOnClose);
                 sheet->show();
             }});
    add.add({"help.about", help, tr("About Tamis"), tr("Version, licence, credits"), {}, [&w] {
                 auto* about = new AboutDialog(&w);
                 about->setAttribute(Qt::WA_DeleteOnClose);
                 about->show();
             }});
}
} // namespace

void registerCommands(MainWindow& window)
{
    addFileCommands(window);
    addPictureCommands(window);
    addEditCommands(window);
    addPlanCommands(window);
    addModelCommands(window);
    addLowRankCommands(window);
    addEncoderCommands(window);
    addTokenCommands(window);
    addAttentionCommands(window);
    addCacheCommands(window);
    addFleetCommands(window);
    addFrameCommands(window);
    addLevelCommands(window);
    addViewCommands(window);
    addHelpCommands(window);
}

} // namespace tamis::app

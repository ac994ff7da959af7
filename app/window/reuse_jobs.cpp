// SPDX-License-Identifier: GPL-3.0-or-later
// What the frame player does as jobs: opening a sequence, comparing methods.
#include "app/bundled/bundled.h"
#include "app/window/reuse_controller.h"
#include "core/base/error.h"
#include "core/reuse/method.h"
#include "views/reuse/frames_page.h"
#include "views/reuse/transport_bar.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>
#include <system_error>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
QString text(const std::string& s) { return QString::fromStdString(s); }

fs::path bundledFrames()
{
    try {
        const fs::path found = bundledDatasets() / "motion";
        std::error_code error;
        return fs::is_directory(found, error) ? found : fs::path();
    } catch (const Error&) { // no datasets on this machine
        return {};
    }
}
} // namespace

// The sequence -------------------------------------------------------------------------------------------------------------

void ReuseController::askAndOpen()
{
    if (const QString chosen = m_with.ask.openDirectory(tr("Open a folder of frames")); !chosen.isEmpty())
        openFrames(chosen);
}

void ReuseController::openBundled()
{
    edit(tr("Open the bundled frames"), {}, true, [](ReuseChoice& choice) { choice.frames.clear(); });
}

void ReuseController::openFrames(const QString& chosen)
{
    m_opening.reset(); // once more, though it failed before
    edit(tr("Open %1").arg(QFileInfo(chosen).fileName()), {}, true, [&](ReuseChoice& choice) { choice.frames = QFileInfo(chosen).absoluteFilePath().toStdString(); });
    showState();
}

fs::path ReuseController::folder() const
{
    const auto& chosen = m_with.document.state().reuse.frames;
    return chosen.empty() ? bundledFrames() : fs::path(chosen);
}

std::optional<ReuseController::Wanted> ReuseController::wanted() const
{
    if (!isVision())
        return {};
    Wanted made{m_model, folder()};
    return made.folder.empty() ? std::nullopt : std::optional(std::move(made));
}

void ReuseController::setModel(std::shared_ptr<RunnableModel> model, Reads reads)
{
    const bool other = model != m_model;
    m_model = std::move(model);
    m_reads = reads;
    if (other) {
        m_opening.reset();
        m_opens.stop();
        takeSources(nullptr);
    }
    showState();
}

void ReuseController::open(const Wanted& of)
{
    m_opening = of;
    m_problem.clear();
    m_opens.stop();
    m_jobs.stop();
    m_openJob = m_opens.start(
        tr("Open frames of %1").arg(text(of.folder.filename().string())), tr("Reading frames"),
        [of, guard = QPointer<ReuseController>(this)](const RunContext& context) {
            auto sources = openReuseSources(of.model, of.folder, context);
            const auto count = sources->files.size();
            QMetaObject::invokeMethod(qApp, [guard, of, sources] {
                if (guard && guard->m_opening == of)
                    guard->takeSources(sources);
            }, Qt::QueuedConnection);
            return tr("%1 frames of %2").arg(count).arg(text(of.folder.filename().string()));
        },
        [this, of](const Job& job) {
            m_openJob = 0;
            if (job.state == JobState::Failed && m_opening == of)
                m_problem = job.message;
            else if (job.state == JobState::Cancelled && m_opening == of)
                m_problem = tr("Reading was stopped.");
            showEmpty();
            emit availabilityChanged();
        });
    showEmpty();
}

// Comparisons ----------------------------------------------------------------------------------------------------------------

void ReuseController::compare()
{
    if (const QString reason = compareDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Methods cannot be compared: %1.").arg(reason));
        return;
    }
    std::vector<ReuseSetting> all;
    for (const auto& method : reuse::methods())
        if (!method.frames)
            all.push_back({method.declaration.id, {}});
    keepAndRun(tr("Compare methods of reuse"), tr("Compare %1 ways to reuse features"), all);
}

void ReuseController::sweepKey()
{
    if (const QString reason = sweepDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("There is nothing to sweep: %1.").arg(reason));
        return;
    }
    m_page.showCollisions();
    keepAndRun(tr("Sweep the key's %1").arg(text(sweptParameter(setting()))), tr("Run %1 ways to reuse features"), sweptSettings(setting()));
}

/// Beside what is kept already; what of it has not been run yet is. One undo step.
void ReuseController::keepAndRun(const QString& label, const QString& title, const std::vector<ReuseSetting>& more)
{
    std::vector<ReuseSetting> all = m_with.document.state().reuse.kept;
    for (const ReuseSetting& each : more)
        if (std::ranges::none_of(all, [&](const ReuseSetting& kept) { return settingKey(kept) == settingKey(each); }))
            all.push_back(each);
    m_restores = false; // it is what follows
    edit(label, {}, true, [&](ReuseChoice& choice) { choice.kept = all; });
    m_restores = true;
    runMissing(title.arg(all.size()));
}

std::vector<ReuseSetting> ReuseController::missing() const
{
    std::vector<ReuseSetting> found;
    for (const ReuseSetting& each : m_with.document.state().reuse.kept)
        if (reuse::findMethod(each.method) && !makesFrames(each.method) && !m_done.find(settingKey(each)))
            found.push_back(each);
    return found;
}

/// What a session has kept, once all frames were run with its own setting: in the background, until that is stopped.
void ReuseController::restore()
{
    if (m_restores && m_compareJob == 0 && inSight() && isUpToDate() && !m_result->own && !missing().empty())
        runMissing(tr("Run kept ways to reuse features"));
}

void ReuseController::runMissing(const QString& title)
{
    const auto count = m_with.document.state().reuse.kept.size();
    m_compareJob = m_jobs.start(
        title, tr("Comparing"),
        [missing = missing(), count, sources = m_sources, guard = QPointer<ReuseController>(this)](const RunContext& context) {
            context.setParts(static_cast<double>(missing.size() + 1));
            const auto whole = missing.empty() ? nullptr : reuse::runWhole(sources->model, sources->sequence, 1, context.part(1, "running every frame whole"));
            for (const ReuseSetting& each : missing) {
                auto run = runOne(*sources, each, whole, context.part(1, reuseSettingTitle(each).toStdString()));
                QMetaObject::invokeMethod(qApp, [guard, sources, key = settingKey(each), run = std::move(run)]() mutable {
                    if (!guard || guard->m_sources != sources)
                        return;
                    guard->take(key, std::move(run));
                    guard->showRuns();
                }, Qt::QueuedConnection);
            }
            return tr("%1 ways to reuse features compared on %2 frames").arg(count).arg(sources->files.size());
        },
        [this, sources = m_sources](const Job& job) {
            m_compareJob = 0;
            if (m_sources == sources && job.state != JobState::Finished)
                m_restores = false;
            if (m_result)
                showRuns();
            showSettings();
            emit availabilityChanged();
        });
    showSettings();
    if (m_result)
        showRuns();
    emit availabilityChanged();
}

void ReuseController::stop()
{
    m_lane.cancel();
    m_asked.reset(); // may be asked for again
    showStale();
    m_opens.stop();
    m_jobs.stop();
    m_page.transport()->pause();
}

void ReuseController::togglePlay()
{
    auto* transport = m_page.transport();
    transport->isPlaying() ? transport->pause() : transport->play();
}

void ReuseController::step(int by) { m_page.transport()->step(by); }

} // namespace tamis::app

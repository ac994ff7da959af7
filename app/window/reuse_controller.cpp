// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/reuse_controller.h"

#include "core/reuse/method.h"
#include "views/common/number_format.h"
#include "views/reuse/frame_timeline.h"
#include "views/reuse/frames_page.h"
#include "views/reuse/reuse_settings.h"
#include "views/reuse/transport_bar.h"

#include <QEvent>

#include <algorithm>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
constexpr int kAhead = 3; ///< pictures that are made ready while frames play
QString text(const std::string& s) { return QString::fromStdString(s); }

ReuseSetting known(const ReuseSetting& setting)
{
    const auto* of = reuse::findMethod(setting.method);
    ReuseSetting made{of ? of->declaration.id : reuse::methods().front().declaration.id, {}};
    for (const auto& [name, value] : setting.parameters.all()) // a session may know others
        if (of && of->declaration.schema.find(name))
            made.parameters.set(name, value);
    return made;
}

std::shared_ptr<const report::ReuseRun> notRunYet(const ReuseSetting& setting, const QString& why)
{
    report::ReuseRun run;
    const auto* of = reuse::findMethod(setting.method);
    run.method = setting.method;
    run.title = of ? of->declaration.title : setting.method;
    const QString title = reuseSettingTitle(setting);
    run.settings = title.mid(title.indexOf(QLatin1String(", ")) + 2).toStdString();
    if (!title.contains(QLatin1String(", ")))
        run.settings.clear();
    run.parameters = setting.parameters;
    run.failure = why.toStdString();
    return std::make_shared<const report::ReuseRun>(std::move(run));
}
} // namespace

ReuseController::ReuseController(const ReuseNeighbours& neighbours, views::FramesPage& page, QObject* parent)
    : QObject(parent), m_with(neighbours), m_page(page),
      m_opens(neighbours.jobs, {[](const QString&) {}, [](const QString&) {}, [this](const QString& sentence) { emit failed(sentence); }}), // what is opened is seen
      m_jobs(neighbours.jobs, {[](const QString&) {}, [this](const QString& sentence) { emit done(sentence); }, [this](const QString& sentence) { emit failed(sentence); }}),
      m_lane(
          [work = std::make_shared<ReuseWork>()](const ReuseRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& result, const ReuseRequest&, Level, bool) { show(result); }),
      m_pictureLane(
          [work = std::make_shared<FramePictureWork>()](const FramePictureRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const FramePictureRequest& of, Level, bool) {
              if (of.sources == m_sources)
                  m_page.setPhoto(of.frame, picture->image);
          })
{
    std::vector<views::OfferedMethod> offered;
    for (const auto& each : reuse::methods()) {
        const auto& d = each.declaration;
        offered.push_back({text(d.id), text(d.title), text(d.reference), false, {}, d.schema});
    }
    m_page.settings()->setMethods(offered);
    m_page.installEventFilter(this);
    connectPage();
    connectLanes();
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState& before, const SessionState& after) {
        if (before.reuse != after.reuse || before.plannedReuse != after.plannedReuse)
            showState();
        if (before.selection.reuseFrame != after.selection.reuseFrame && after.selection.reuseFrame != m_page.frame()) {
            m_page.setFrame(static_cast<int>(after.selection.reuseFrame));
            requestPicture(m_page.frame(), false);
        }
    });
    showState();
}

void ReuseController::connectPage()
{
    using views::FramesPage;
    using views::ReuseSettings;
    connect(&m_page, &FramesPage::openRequested, this, &ReuseController::askAndOpen);
    connect(&m_page, &FramesPage::frameShown, this, [this](int frame, bool playing) {
        requestPicture(frame, playing);
        if (!playing)
            m_with.document.select([&](Selection& selection) { selection.reuseFrame = frame; });
    });
    connect(m_page.transport(), &views::TransportBar::playingChanged, this, [this](bool playing) {
        if (!playing && m_sources)
            m_with.document.select([&](Selection& selection) { selection.reuseFrame = m_page.frame(); });
        emit availabilityChanged();
    });
    connect(&m_page, &FramesPage::runTaken, this, &ReuseController::takeRun);
    connect(&m_page, &FramesPage::runForgotten, this, &ReuseController::forgetRun);
    connect(&m_page, &FramesPage::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.write(*figure, format, QStringLiteral("frames-") + name);
    });
    auto* settings = m_page.settings();
    connect(settings, &ReuseSettings::methodEdited, this, [this](const QString& id) {
        edit(tr("Reuse method"), {}, true, [&](ReuseChoice& choice) { choice.setting = {id.toStdString(), {}}; });
    });
    connect(settings, &ReuseSettings::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Set %1").arg(name), QStringLiteral("reuse-parameter:") + name, finished, [&](ReuseChoice& choice) { choice.setting.parameters.set(name.toStdString(), value); });
    });
    connect(settings, &ReuseSettings::openRequested, this, &ReuseController::askAndOpen);
    connect(settings, &ReuseSettings::bundledRequested, this, &ReuseController::openBundled);
    connect(settings, &ReuseSettings::keepRequested, this, &ReuseController::keep);
    connect(settings, &ReuseSettings::forgetRequested, this, &ReuseController::forgetAll);
    connect(settings, &ReuseSettings::compareRequested, this, &ReuseController::compare);
    connect(settings, &ReuseSettings::sweepRequested, this, &ReuseController::sweepKey);
    connect(settings, &ReuseSettings::stopRequested, this, [this] { m_jobs.stop(); });
    connect(settings, &ReuseSettings::planRequested, this, &ReuseController::putIntoPlan);
    connect(settings, &ReuseSettings::unplanRequested, this, &ReuseController::takeOutOfPlan);
}

void ReuseController::connectLanes()
{
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_failed = true;
        m_repaints.release();
        showStale();
        m_page.setProblem(m_page.settings()->setProblem(sentence) ? QString() : sentence);
        emit failed(sentence);
    });
    connect(&m_lane, &LaneCore::busyChanged, this, [this] {
        showStale();
        showSettings();
        emit availabilityChanged();
    });
    connect(&m_pictureLane, &LaneCore::failed, this, &ReuseController::failed);
}

bool ReuseController::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == &m_page && event->type() == QEvent::Show)
        QMetaObject::invokeMethod(this, &ReuseController::showState, Qt::QueuedConnection); // once it is in sight
    return QObject::eventFilter(watched, event);
}

// The session --------------------------------------------------------------------------------------------------------------

void ReuseController::edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(ReuseChoice&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) {
        if (state.reuse.setting.method.empty())
            state.reuse.setting.method = setting().method;
        change(state.reuse);
    });
    if (finished)
        m_with.document.endMerge();
}

ReuseSetting ReuseController::setting() const { return known(m_with.document.state().reuse.setting); }

void ReuseController::keep()
{
    if (const QString reason = keepDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("This run cannot be kept: %1.").arg(reason));
        return;
    }
    const ReuseSetting now = setting();
    edit(tr("Keep %1").arg(reuseSettingTitle(now)), {}, true, [&](ReuseChoice& choice) { choice.kept.push_back(now); });
}

void ReuseController::forgetAll()
{
    edit(tr("Forget kept runs"), {}, true, [](ReuseChoice& choice) { choice.kept.clear(); });
}

/// Rows of the report: the asked run, those that are kept, the trivial ones.
void ReuseController::forgetRun(int index)
{
    const auto at = static_cast<std::size_t>(index - 1);
    const auto& kept = m_with.document.state().reuse.kept;
    if (index < 1 || at >= kept.size() || makesFrames(setting().method))
        return;
    edit(tr("Forget %1").arg(reuseSettingTitle(kept[at])), {}, true, [&](ReuseChoice& choice) { choice.kept.erase(choice.kept.begin() + static_cast<std::ptrdiff_t>(at)); });
}

void ReuseController::takeRun(int index)
{
    const auto at = static_cast<std::size_t>(index - 1);
    const auto& kept = m_with.document.state().reuse.kept;
    if (index < 1 || at >= kept.size() || makesFrames(setting().method))
        return;
    const ReuseSetting taken = kept[at];
    edit(tr("Take %1").arg(reuseSettingTitle(taken)), {}, true, [&](ReuseChoice& choice) { choice.setting = taken; });
    m_page.setShownRun(0);
}

void ReuseController::putIntoPlan()
{
    if (const QString reason = planDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be put into the plan: %1.").arg(reason));
        return;
    }
    const ReuseSetting now = setting();
    plan::PlannedReuse planned{now.method, completeParameters(now), m_sources ? m_sources->sequence.name : std::string(), 0};
    if (const auto found = m_done.find(settingKey(now)); found && found->macsShare > 0)
        planned.macsShare = found->macsShare;
    m_with.document.change(tr("Put %1 into the plan").arg(reuseSettingTitle(now)), {}, [&](SessionState& state) { state.plannedReuse = planned; });
}

void ReuseController::takeOutOfPlan()
{
    m_with.document.change(tr("Take feature reuse out of the plan"), {}, [](SessionState& state) { state.plannedReuse.reset(); });
}

// What can be done ---------------------------------------------------------------------------------------------------------

bool ReuseController::inSight() const { return m_page.isVisible(); }

QString ReuseController::disabledReason() const
{
    if (!m_model || m_reads == Reads::Unknown)
        return tr("no model is open");
    if (!isVision())
        return tr("this model reads no images");
    return !m_sources ? tr("no frames are open") : QString();
}

QString ReuseController::keepDisabledReason() const
{
    if (const QString reason = disabledReason(); !reason.isEmpty())
        return reason;
    const ReuseSetting now = setting();
    if (makesFrames(now.method))
        return tr("this method makes frames of its own, which no other run can be held against");
    const auto& kept = m_with.document.state().reuse.kept;
    if (std::ranges::any_of(kept, [&](const ReuseSetting& each) { return settingKey(each) == settingKey(now); }))
        return tr("it is kept already");
    return m_done.find(settingKey(now)) ? QString() : tr("it is not run on all frames yet");
}

QString ReuseController::forgetDisabledReason() const { return m_with.document.state().reuse.kept.empty() ? tr("nothing is kept") : QString(); }

QString ReuseController::compareDisabledReason() const
{
    const QString reason = disabledReason();
    return !reason.isEmpty() ? reason : m_compareJob != 0 ? tr("a comparison runs") : QString();
}

QString ReuseController::sweepDisabledReason() const
{
    return sweptParameter(setting()).empty() ? tr("the method has no key") : compareDisabledReason();
}

QString ReuseController::planDisabledReason() const
{
    if (const QString reason = disabledReason(); !reason.isEmpty())
        return reason;
    const auto& planned = m_with.document.state().plannedReuse;
    return planned && settingKey({planned->method, planned->parameters}) == settingKey(setting()) ? tr("the plan has this already") : QString();
}

QString ReuseController::unplanDisabledReason() const { return m_with.document.state().plannedReuse ? QString() : tr("the plan reuses no features"); }

bool ReuseController::isUpToDate() const { return m_result && m_result->whole && m_result->request.sources == m_sources && m_result->request.setting == setting(); }

// The sequence -------------------------------------------------------------------------------------------------------------

void ReuseController::takeSources(const std::shared_ptr<const ReuseSources>& sources)
{
    if (sources == m_sources)
        return;
    m_lane.cancel();
    m_pictureLane.cancel();
    m_sources = sources;
    m_result.reset();
    m_asked.reset();
    m_done.clear();
    m_trivial.clear();
    m_restores = true;
    m_failed = false;
    m_shown.reset();
    m_page.setRuns(nullptr);
    m_page.setProblem({});
    m_page.setFrameCount(sources ? static_cast<int>(sources->files.size()) : 0, sources ? sources->sceneCuts : std::vector<int>());
    if (sources) {
        m_page.setFrame(static_cast<int>(m_with.document.state().selection.reuseFrame));
        requestPicture(m_page.frame(), false);
    }
    showState();
}

// Runs ---------------------------------------------------------------------------------------------------------------------

void ReuseController::request()
{
    if (!m_sources || !inSight())
        return;
    const ReuseSetting now = setting();
    if (m_asked == now)
        return;
    m_asked = now;
    m_failed = false;
    m_page.setProblem({});
    m_page.settings()->setProblem({});
    m_repaints.await(&m_page);
    m_lane.request({m_sources, now, m_page.frame()});
}

void ReuseController::requestPicture(int frame, bool playing)
{
    if (!m_sources)
        return;
    const bool own = m_result && m_result->own && m_result->request.sources == m_sources;
    const auto count = static_cast<int>(own ? m_result->own->frames.size() : m_sources->files.size());
    if (frame >= 0 && frame < count)
        m_pictureLane.request({m_sources, own ? m_result->own : nullptr, frame, playing ? kAhead : 0});
}

void ReuseController::show(const std::shared_ptr<const ReuseResult>& result)
{
    if (!result || result->request.sources != m_sources)
        return;
    const bool otherFrames = (m_result ? m_result->own : nullptr) != result->own;
    m_result = result;
    if (otherFrames) {
        m_page.setFrameCount(result->report->frameCount, result->own ? std::vector<int>() : m_sources->sceneCuts);
        requestPicture(m_page.frame(), false);
    }
    if (result->whole) {
        const auto& runs = result->report->runs;
        m_trivial.clear();
        for (std::size_t i = 0; i < runs.size(); ++i)
            if (runs[i].trivial)
                m_trivial.push_back(views::sharedRun(result->report, i));
        if (!result->own && runs.front().failure.empty())
            take(settingKey(result->request.setting), runs.front());
    }
    showRuns();
    showStale();
    showSettings();
    m_repaints.release();
    if (result->whole)
        restore();
    emit pictureShown(result->whole);
    emit availabilityChanged();
}

/// A run of its own, not one that holds on to a whole report.
void ReuseController::take(const std::string& key, report::ReuseRun run)
{
    std::vector<std::string> kept;
    for (const ReuseSetting& each : m_with.document.state().reuse.kept)
        kept.push_back(settingKey(each));
    m_done.add(key, std::make_shared<const report::ReuseRun>(std::move(run)), kept);
}

/// What is shown of the asked run is about to be replaced: not where it failed or was stopped.
void ReuseController::showStale() { m_page.setStale(m_asked && !m_failed && !isUpToDate()); }

/// The asked run, what is kept, the trivial ones: those of the last complete result until there are newer ones.
void ReuseController::showRuns()
{
    if (!m_result) {
        m_shown.reset();
        m_page.setRuns(nullptr);
        return;
    }
    auto made = std::make_shared<views::ShownRuns>();
    made->of = m_result->report;
    made->runs.push_back(views::sharedRun(m_result->report, 0));
    const QString why = m_compareJob != 0 ? tr("not run on these frames yet: it is about to be") : tr("not run on these frames yet: press Compare methods");
    if (!m_result->own)
        for (const ReuseSetting& each : m_with.document.state().reuse.kept) {
            auto found = m_done.find(settingKey(each));
            made->runs.push_back(found ? std::move(found) : notRunYet(each, why));
        }
    for (const auto& run : m_trivial)
        if (run->frames.size() == static_cast<std::size_t>(made->of->frameCount))
            made->runs.push_back(run);
    m_shown = std::move(made);
    m_page.setRuns(m_shown);
    m_page.setCaption(caption());
}

// What is shown ------------------------------------------------------------------------------------------------------------

void ReuseController::showState()
{
    const auto now = wanted();
    if (m_sources && (!now || m_sources->runnable != now->model || m_sources->folder != now->folder)) {
        takeSources(nullptr);
        return; // comes back here
    }
    if (now && !m_sources && inSight() && m_opening != now)
        open(*now);
    showSettings();
    showEmpty();
    if (m_result)
        showRuns();
    request();
    restore();
    showStale();
    emit availabilityChanged();
}

void ReuseController::showSettings()
{
    auto* settings = m_page.settings();
    const ReuseSetting now = setting();
    settings->setChoice(text(now.method), now.parameters);
    const auto& state = m_with.document.state();
    QString about;
    if (m_sources)
        about = tr("%1 frames, %2 scenes").arg(m_sources->files.size()).arg(m_sources->sceneCuts.size() + 1);
    settings->setSequence(text(folder().string()), about, state.reuse.frames.empty());
    settings->setDisabledReason(compareDisabledReason());
    settings->setKeepReason(keepDisabledReason());
    settings->setRunning(m_compareJob != 0);
    settings->setSweep(text(sweptParameter(now)), sweepDisabledReason());
    const auto& planned = state.plannedReuse;
    const bool same = planned && settingKey({planned->method, planned->parameters}) == settingKey(now);
    settings->setPlanned(planned ? reuseSettingTitle({planned->method, planned->parameters}) : QString(), same, disabledReason());
}

void ReuseController::showEmpty()
{
    if (m_sources)
        return m_page.setEmptyState({}, {}, {});
    const QString choose = tr("Open frames…");
    if (!m_model)
        m_page.setEmptyState(tr("No vision model is open"), tr("Open a vision transformer to see which patches of a video have to be computed again."), {});
    else if (m_reads == Reads::Unknown)
        m_page.setEmptyState(tr("Nothing to play yet"), tr("The model has not been read yet, or cannot be run."), {});
    else if (!isVision())
        m_page.setEmptyState(tr("This model reads no images"), tr("Features are reused between the frames of a video: open a vision transformer."), {});
    else if (folder().empty())
        m_page.setEmptyState(tr("No frames are open"), tr("Open a folder of pictures that follow one another."), choose);
    else if (!m_problem.isEmpty())
        m_page.setEmptyState(tr("These frames cannot be played"), m_problem, choose);
    else
        m_page.setEmptyState(tr("Reading frames"), text(folder().string()), {});
}

QString ReuseController::caption() const
{
    if (!m_sources || !m_result)
        return {};
    QString line = tr("%1 on %2: %3").arg(text(fs::path(m_sources->runnable->workspace()->outline.modelPath).filename().string()), text(m_sources->sequence.name), text(reuse::findMethod(m_result->request.setting.method)->declaration.title));
    const Parameters complete = completeParameters(m_result->request.setting);
    for (const auto& [name, value] : complete.all())
        line += QStringLiteral(", %1 %2").arg(text(name), text(toText(value)));
    return line;
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/hierarchy_controller.h"

#include "app/window/export_controller.h"
#include "app/window/model_controller.h"
#include "core/hierarchy/feature_types.h"
#include "views/common/number_format.h"
#include "views/hierarchy/levels_page.h"
#include "views/hierarchy/levels_settings.h"
#include "views/hierarchy/time_words.h"

#include <algorithm>
#include <array>

namespace tamis::app {
namespace {
using views::LevelsPage;
using views::LevelsSettings;
constexpr const char* kCursor = "cursor"; ///< among the session's parameters, beside the method's

/// The level that the cursor sets, "none" where it sets nothing.
std::string cursorOf(const Parameters& parameters)
{
    const auto& all = parameters.all();
    const auto found = all.find(kCursor);
    const std::string level = found == all.end() ? std::string("l1") : toText(found->second);
    return level == "l1" || level == "l2" || level == "l3" ? level : "none";
}
/// A level below the cursor's that nobody set and that would be no larger becomes kStep times as large as the one above it; one above it that would be no smaller, as much smaller.
void makeRoomAround(const std::string& cursor, Parameters& made)
{
    constexpr double kMost = 1e13, kStep = 16; // of a capacity; between the levels of the defaults
    const std::array<std::string, 3> names{"l1-capacity", "l2-capacity", "l3-capacity"};
    const Parameters whole = hierarchy::methods().front().declaration.schema.complete(made);
    const auto at = static_cast<std::size_t>(std::ranges::find(names, cursor + "-capacity") - names.begin());
    double before = whole.real(names[at]);
    for (std::size_t level = at + 1; level < names.size(); ++level) {
        if (!made.contains(names[level]) && whole.real(names[level]) <= before)
            made.set(names[level], static_cast<std::int64_t>(std::min(kStep * before, kMost)));
        before = made.contains(names[level]) ? made.real(names[level]) : whole.real(names[level]);
    }
    before = whole.real(names[at]);
    for (std::size_t level = at; level-- > 0;) {
        if (!made.contains(names[level]) && whole.real(names[level]) >= before)
            made.set(names[level], static_cast<std::int64_t>(std::max(before / kStep, 1.0)));
        before = made.contains(names[level]) ? made.real(names[level]) : whole.real(names[level]);
    }
}

QString text(const std::string& s) { return QString::fromStdString(s); }
} // namespace

HierarchyController::HierarchyController(const HierarchyNeighbours& neighbours, LevelsPage& page, LevelsSettings& settings, QObject* parent)
    : QObject(parent), m_with(neighbours), m_page(page), m_settings(settings),
      m_lane(
          [work = std::make_shared<HierarchyWork>()](const HierarchyRequest& request, Level level, const RunContext& context, const auto&) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context);
          },
          [this](const auto& picture, const HierarchyRequest&, Level level, bool) { show(picture, level == Level::Final); })
{
    const auto& declaration = hierarchy::methods().front().declaration;
    m_settings.setMethods({{text(declaration.id), text(declaration.title), text(declaration.reference), false, {}, declaration.schema}});
    connectViews();
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState& before, const SessionState& after) {
        if (before.hierarchy != after.hierarchy || !before.cache.readsAs(after.cache))
            showState();
    });
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_page.setProblem(sentence);
        m_shownOf.reset(); // what is there is of other settings
        emit briefChanged();
    });
    showState();
}

void HierarchyController::connectViews()
{
    connect(&m_page, &LevelsPage::shown, this, &HierarchyController::ask);
    connect(&m_page, &LevelsPage::exportRequested, this,
            [this](views::Figure* figure, views::FigureFormat format, const QString& name) { m_with.exports.exportFigure(*figure, format, QStringLiteral("levels-") + name); });
    connect(&m_settings, &LevelsSettings::framesRequested, this, &HierarchyController::askFrames);
    connect(&m_settings, &LevelsSettings::traceRequested, this, [this] { setFrames({}); });
    connect(&m_settings, &LevelsSettings::cursorLevelEdited, this, &HierarchyController::setCursorLevel);
    connect(&m_settings, &LevelsSettings::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        m_with.document.change(tr("Set %1").arg(name), "hierarchy-parameter:" + name, [&](SessionState& state) {
            state.hierarchy.parameters.set(name.toStdString(), value);
            if (name.toStdString() == cursorOf(state.hierarchy.parameters) + "-capacity") // by hand, not by the cursor
                state.hierarchy.parameters.set(kCursor, std::string("none"));
        });
        if (finished)
            m_with.document.endMerge();
    });
}

void HierarchyController::askFrames()
{
    if (const QString folder = m_with.ask.openDirectory(tr("Frames whose features are asked for")); !folder.isEmpty())
        setFrames(folder);
}

void HierarchyController::setFrames(const QString& folder)
{
    m_with.document.change(folder.isEmpty() ? tr("Levels on the trace") : tr("Levels on frames"), {}, [&](SessionState& state) { state.hierarchy.frames = folder.toStdString(); });
}

void HierarchyController::sourcesChanged() { showState(); }

void HierarchyController::setCursor(quint64 size, bool bytes)
{
    if (m_cursor == size && m_cursorIsBytes == bytes)
        return;
    m_cursor = size;
    m_cursorIsBytes = bytes;
    showState();
}

void HierarchyController::setSeenElsewhere(bool seen)
{
    m_seenElsewhere = seen;
    ask();
}

QString HierarchyController::brief() const
{
    const std::string level = cursorOf(m_with.document.state().hierarchy.parameters);
    if (!m_report || !m_shownOf || m_report->reads == 0 || level == "none" || !m_with.document.state().hierarchy.frames.empty())
        return {};
    const auto share = [&](std::uint64_t reads) { return views::formatPercent(static_cast<double>(reads) / static_cast<double>(m_report->reads), 1); };
    QStringList hits;
    for (const report::HierarchyLevel& each : m_report->levels)
        hits << tr("%1 %2").arg(text(each.name), share(each.hits));
    hits << tr("recomputed %1").arg(share(m_report->misses));
    const QString average = tr("average access %1").arg(views::formatNanoseconds(m_report->amat));
    const QString whose = isUpToDate() ? tr("%1 of this size") : tr("%1, being computed");
    return QStringLiteral("%1: %2 · %3").arg(whose.arg(text(level).toUpper()), hits.join(QStringLiteral(" · ")), average);
}

void HierarchyController::setCursorLevel(const QString& level)
{
    m_with.document.change(tr("Size cursor sets %1").arg(level), {}, [&](SessionState& state) { state.hierarchy.parameters.set(kCursor, level.toStdString()); });
}

Parameters HierarchyController::parameters() const
{
    const HierarchyChoice& choice = m_with.document.state().hierarchy;
    const std::string level = cursorOf(choice.parameters);
    Parameters made;
    for (const auto& [name, value] : choice.parameters.all())
        if (name != kCursor)
            made.set(name, value);
    if (!choice.frames.empty() || level == "none" || m_cursor == 0)
        return made;
    // A trace without sizes asks for features: a cache of so many objects has the bytes of so many.
    constexpr double kMost = 1e13; // of a capacity
    double bytes = static_cast<double>(m_cursor);
    if (!m_cursorIsBytes) {
        const Parameters whole = hierarchy::methods().front().declaration.schema.complete(made);
        bytes *= static_cast<double>(hierarchy::storedBytes(hierarchy::storedTypeNamed(whole.text("type")), whole.integer("features")));
    }
    made.set(level + "-capacity", static_cast<std::int64_t>(std::min(bytes, kMost)));
    makeRoomAround(level, made);
    return made;
}

QString HierarchyController::disabledReason() const
{
    const SessionState& state = m_with.document.state();
    if (state.hierarchy.frames.empty())
        return state.cache.trace.empty() ? tr("neither a trace nor frames are open") : QString();
    if (!m_with.model.runnable())
        return tr("frames need a vision model, and none is open");
    return {};
}

std::optional<HierarchyRequest> HierarchyController::request() const
{
    if (!disabledReason().isEmpty())
        return {};
    const SessionState& state = m_with.document.state();
    HierarchyRequest made{.model = {}, .frames = state.hierarchy.frames, .trace = {}, .parameters = parameters()};
    if (made.frames.empty()) {
        made.trace = state.cache.trace;
        made.format = state.cache.format;
        made.columns = state.cache.columns;
    } else {
        made.model = m_with.model.runnable();
    }
    return made;
}

bool HierarchyController::isUpToDate() const { return m_report && m_whole && m_shownOf == request(); }

void HierarchyController::showState()
{
    const SessionState& state = m_with.document.state();
    m_settings.setChoice(text(hierarchy::methods().front().declaration.id), parameters());
    m_settings.setCursorLevel(text(cursorOf(state.hierarchy.parameters)));
    m_settings.setTrace(text(state.cache.trace));
    m_settings.setFrames(text(state.hierarchy.frames));
    ask();
    emit briefChanged();
    emit availabilityChanged();
}

/// Nothing is computed while neither the page nor the brief is in sight.
void HierarchyController::ask()
{
    const auto now = request();
    if (!now) {
        m_lane.cancel();
        m_asked.reset();
        m_shownOf.reset();
        m_report.reset();
        m_page.setReport(nullptr);
        m_page.setProblem({});
        emit briefChanged();
        return;
    }
    m_page.setStale(m_report && m_shownOf != now);
    if (!(m_page.isVisible() || m_seenElsewhere) || m_asked == now)
        return;
    m_page.setProblem({});
    m_asked = now;
    m_lane.request(*now);
}

void HierarchyController::show(const HierarchyWork::Picture& picture, bool whole)
{
    const auto now = request();
    if (!picture || !now || !picture->request.sameSource(*now))
        return;
    m_report = picture->report;
    m_shownOf = picture->request;
    m_whole = whole;
    m_page.setReport(m_report);
    m_page.setCaption(caption());
    m_page.setProblem({});
    m_page.setStale(m_shownOf != now);
    emit briefChanged();
    emit availabilityChanged();
}

QString HierarchyController::caption() const
{
    QString line = tr("%1: %2").arg(text(m_report->source), text(m_report->method));
    for (const auto& [name, value] : m_shownOf->parameters.all())
        line += QStringLiteral(", %1 %2").arg(text(name), text(toText(value)));
    return line;
}

} // namespace tamis::app

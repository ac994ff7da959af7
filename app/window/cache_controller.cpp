// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/cache_controller.h"

#include "app/window/cache_plan.h"
#include "core/base/atomic_file.h"
#include "core/cache/method.h"
#include "core/cache/rule_settings.h"
#include "core/cache/trace_shape.h"
#include "views/cache/cache_panel.h"
#include "views/cache/cache_settings.h"
#include "views/cache/cache_words.h"
#include "views/cache/curves_page.h"
#include "views/cache/steps_page.h"
#include "views/cache/trace_columns.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/plan/cost_header.h"

#include <algorithm>
#include <cmath>

namespace tamis::app {
namespace {
using views::CurvesPage;
using views::StepsPage;

constexpr const char* kLimit = "cache.belady";
constexpr const char* kSlow = "cache.belady-size"; ///< looks at all that is held for each that leaves
constexpr int kColumns = 48;                       ///< of the reuse distances over time

QString text(const std::string& s) { return QString::fromStdString(s); }

/// What most comparisons begin with.
std::vector<std::string> usualPolicies()
{
    std::vector<std::string> usual;
    for (const char* id : {"cache.lru", "cache.lru-k", "cache.arc", "cache.s3-fifo", "cache.w-tinylfu", kLimit})
        if (cache::findMethod(id))
            usual.emplace_back(id);
    return usual;
}

std::vector<views::OfferedPolicy> offeredPolicies()
{
    std::vector<views::OfferedPolicy> offered;
    for (const auto& each : cache::methods()) {
        const auto& d = each.declaration;
        const bool limit = d.id == kLimit; // is always drawn
        offered.push_back({text(d.id), limit ? CacheController::tr("Belady's MIN (limit for unit sizes only)") : text(d.title), text(d.reference), limit,
                           d.id == kSlow ? CacheController::tr("Looks at all that is held for each that leaves: minutes on long traces") : QString()});
    }
    return offered;
}
} // namespace

CacheController::CacheController(const CacheNeighbours& neighbours, views::CachePanel& panel, QObject* parent)
    : QObject(parent), m_with(neighbours), m_panel(panel), m_page(new CurvesPage), m_stepsPage(new StepsPage), m_settings(new views::CacheSettings),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_panel.setRunning(sentence); }, [this](const QString& sentence) { emit done(sentence); },
                               [this](const QString& sentence) { emit failed(sentence); }}),
      m_memory(std::make_shared<CurveMemory>()),
      m_curves([](const CurveRequest& request, Level level, const RunContext& context, const auto& publish) { return curvesOf(request, level, context, publish); },
               [this](const auto& picture, const CurveRequest& of, Level level, bool partial) { showCurves(*picture, of, level == Level::Final && !partial); }),
      m_sizes([](const SizeRequest& request, Level level, const RunContext& context, const auto&) { return sizeOf(request, level, context); },
              [this](const auto& report, const SizeRequest& of, Level level, bool) {
                  if (of.sources != m_sources)
                      return;
                  m_page->setSizeReport(report, level == Level::Coarse);
                  m_repaints.release();
                  emit sizeShown(level == Level::Final);
              }),
      m_steps([](const StepRequest& request, Level level, const RunContext& context, const auto&) { return level == Level::Coarse ? nullptr : stepsOf(request, context); },
              [this](const auto& picture, const StepRequest& of, Level, bool) {
                  if (of.sources != m_sources)
                      return;
                  m_stepsPage->setSteps(picture->steps, picture->beside);
                  m_stepsPage->setPosition(static_cast<int>(m_with.document.state().selection.cacheStep));
                  m_stepsPage->setStale(false);
              }),
      m_shape([](const std::shared_ptr<const CacheSources>& sources, Level level, const RunContext& context, const auto&) {
                  return level == Level::Coarse ? nullptr : std::make_shared<const report::TraceReport>(cache::traceShape(sources->trace, kColumns, context));
              },
              [this](const auto& report, const std::shared_ptr<const CacheSources>& of, Level, bool) {
                  if (of == m_sources)
                      m_page->setTraceReport(report);
              })
{
    build(panel);
    connectViews(panel);
    connectSettings();
    for (LaneCore* lane : std::initializer_list<LaneCore*>{&m_curves, &m_sizes, &m_steps, &m_shape})
        connect(lane, &LaneCore::failed, this, &CacheController::showFailure);
    connect(&m_curves, &LaneCore::failed, this, [this] {
        m_page->setRefining(m_sources ? tr("not computed: see the settings") : QString());
        m_panel.setRunning({});
    });
    connect(&m_curves, &LaneCore::progressed, this, [this](double fraction) { m_panel.setRunning(tr("Simulating, %1").arg(views::formatPercent(fraction, 0))); });
    connect(&m_with.document, &SessionDocument::stateChanged, this, &CacheController::takeState);
    showNothing();
    showChoices();
}

CacheController::~CacheController() { m_jobs.stop(); }

void CacheController::build(views::CachePanel& panel)
{
    panel.addPage(m_page, QStringLiteral("curves"), tr("Curves"), m_settings);
    panel.addPage(m_stepsPage, QStringLiteral("steps"), tr("Steps"));
    std::map<QString, ParameterSchema> schemas;
    for (const auto& each : cache::methods())
        schemas[text(each.declaration.id)] = each.declaration.schema;
    m_settings->setPolicies(offeredPolicies(), schemas);
    std::vector<views::OfferedPolicy> played;
    for (const auto& each : offeredPolicies())
        if (each.id != QLatin1String(kSlow) && !cache::findMethod(each.id.toStdString())->bound)
            played.push_back(each);
    m_stepsPage->setPolicies(played);
}

void CacheController::connectViews(views::CachePanel& panel)
{
    connect(&panel, &views::CachePanel::stopRequested, this, &CacheController::stop);
    QStringList formats;
    for (const std::string_view name : io::traceFormatNames())
        formats << QString::fromUtf8(name);
    panel.columns()->setFormats(formats);
    connect(panel.columns(), &views::TraceColumns::applied, this, [this](const views::TraceColumns::Names& names) {
        CacheChoice wanted = choice();
        if (!m_refused.empty() || wanted.trace.empty())
            wanted.trace = m_refused.empty() ? wanted.trace : m_refused;
        wanted.columns = {.time = names.time.toStdString(), .id = names.id.toStdString(), .size = names.size.toStdString(), .cost = names.cost.toStdString(), .uniqueness = names.uniqueness.toStdString(), .operation = names.operation.toStdString()};
        wanted.format = names.format.toStdString();
        load(wanted, true);
    });
    connect(m_page, &CurvesPage::openRequested, this, &CacheController::askAndOpen);
    connect(m_stepsPage, &StepsPage::openRequested, this, &CacheController::askAndOpen);
    connect(m_page, &CurvesPage::bundledRequested, this, &CacheController::openBundled);
    connect(m_page, &CurvesPage::sizeEdited, this, &CacheController::setSize);
    connect(m_page, &CurvesPage::removeRequested, this, &CacheController::removeKept);
    connect(m_page, &CurvesPage::jsonRequested, this, &CacheController::exportJson);
    connect(m_page, &CurvesPage::measureEdited, this, [this] { m_page->setCaption(caption()); });
    const auto exported = [this](views::Figure* figure, views::FigureFormat format, const QString& name) { m_with.exports.exportFigure(*figure, format, name); };
    connect(m_page, &CurvesPage::exportRequested, this, exported);
    connect(m_stepsPage, &StepsPage::exportRequested, this, exported);
    connect(m_stepsPage, &StepsPage::policyEdited, this, &CacheController::setFocused);
    connect(m_stepsPage, &StepsPage::besideEdited, this, [this](const QString& id) { change(tr("Play beside"), {}, true, [&](CacheChoice& c) { c.beside = id.toStdString(); }); });
    connect(m_stepsPage, &StepsPage::cellsEdited, this, [this](int cells) { change(tr("Cells"), QStringLiteral("cache.cells"), true, [&](CacheChoice& c) { c.cells = cells; }); });
    connect(m_stepsPage, &StepsPage::firstEdited, this, [this](qint64 first) { change(tr("First request"), QStringLiteral("cache.first"), true, [&](CacheChoice& c) { c.firstStep = first; }); });
    connect(m_stepsPage, &StepsPage::positionEdited, this, [this](int position) { m_with.document.select([&](Selection& selection) { selection.cacheStep = position; }); });
}

void CacheController::connectSettings()
{
    using views::CacheSettings;
    connect(m_settings, &CacheSettings::tickedEdited, this, &CacheController::setTicked);
    connect(m_settings, &CacheSettings::focusedEdited, this, &CacheController::setFocused);
    connect(m_settings, &CacheSettings::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        const std::string policy = configuration().method;
        change(tr("Set %1").arg(name), QStringLiteral("cache.%1.%2").arg(text(policy), name), finished, [&](CacheChoice& c) { c.parameters[policy].set(name.toStdString(), value); });
    });
    connect(m_settings, &CacheSettings::ruleEdited, this, &CacheController::setRule);
    connect(m_settings, &CacheSettings::warmUpEdited, this, [this](double share, bool finished) { change(tr("Warm-up"), QStringLiteral("cache.warm-up"), finished, [&](CacheChoice& c) { c.warmUp = share; }); });
    connect(m_settings, &CacheSettings::keepRequested, this, &CacheController::keep);
    connect(m_settings, &CacheSettings::planRequested, this, &CacheController::putIntoPlan);
    connect(m_settings, &CacheSettings::unplanRequested, this, &CacheController::removeFromPlan);
    connect(&m_with.header, &views::CostHeader::partRemoved, this, [this](const QString& part) {
        if (part == QLatin1String("cache"))
            removeFromPlan();
    });
}

// The session's choices -----------------------------------------------------------------------------------------------------

const CacheChoice& CacheController::choice() const { return m_with.document.state().cache; }

/// Edits in a row with the same key are one step until one of them is finished.
void CacheController::change(const QString& label, const QString& mergeKey, bool finished, const std::function<void(CacheChoice&)>& edit)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) { edit(state.cache); });
    if (finished)
        m_with.document.endMerge();
}

void CacheController::setTicked(const QStringList& policies)
{
    change(tr("Tick policies"), {}, true, [&](CacheChoice& c) {
        c.policies.emplace();
        for (const QString& each : policies)
            c.policies->push_back(each.toStdString());
    });
}

void CacheController::setFocused(const QString& policy)
{
    change(tr("Choose a policy"), {}, true, [&](CacheChoice& c) {
        c.policy = policy.toStdString();
        std::vector<std::string> drawn = ticked();
        if (std::ranges::find(drawn, c.policy) == drawn.end()) { // whose parameters are moved is seen
            drawn.push_back(c.policy);
            c.policies = drawn;
        }
    });
}

void CacheController::setRule(const QString& name, const ParameterValue& value, bool finished)
{
    change(tr("Set %1").arg(name), QStringLiteral("cache.rules.%1").arg(name), finished, [&](CacheChoice& c) {
        c.rules.set(name.toStdString(), value);
        c.rules = cache::changedRules(c.rules);
    });
}

void CacheController::setSize(quint64 size, bool finished)
{
    if (!m_sources || size == 0)
        return;
    m_dragged = finished ? std::nullopt : std::optional<std::uint64_t>(size);
    if (finished)
        change(tr("Cache size"), QStringLiteral("cache.size"), true, [&](CacheChoice& c) { c.size = size; });
    m_page->setSize(this->size());
    requestSize();
    emit sizeChanged(this->size());
}

void CacheController::keep()
{
    if (!disabledReason().isEmpty())
        return;
    const cache::Configuration now = configuration();
    change(tr("Keep %1").arg(text(now.method)), {}, true, [&](CacheChoice& c) {
        const KeptCache kept{now.method, now.parameters, rulesOf(now.method, c.rules)};
        if (std::ranges::find(c.kept, kept) == c.kept.end())
            c.kept.push_back(kept);
    });
}

void CacheController::removeKept(int place)
{
    change(tr("Remove a kept policy"), {}, true, [&](CacheChoice& c) {
        if (place >= 0 && place < static_cast<int>(c.kept.size()))
            c.kept.erase(c.kept.begin() + place);
    });
}

void CacheController::putIntoPlan()
{
    if (const QString reason = planDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be put into the plan: %1.").arg(reason));
        return;
    }
    const cache::Configuration now = configuration();
    const plan::PlannedCache planned{now.method, now.parameters, size(), m_sources->trace.sized(), warmUp(), m_sources->trace.name, rulesOf(now.method, choice().rules)};
    m_with.document.change(tr("Put %1 into the plan").arg(plannedCacheTitle(planned)), {}, [&](SessionState& state) { state.plannedCache = planned; });
}

void CacheController::removeFromPlan()
{
    m_with.document.change(tr("Take the cache out of the plan"), {}, [](SessionState& state) { state.plannedCache.reset(); });
}

QString CacheController::removeDisabledReason() const { return m_with.document.state().plannedCache ? QString() : tr("the plan has no cache"); }

Parameters CacheController::completeOf(const std::string& policy) const
{
    const auto* method = cache::findMethod(policy);
    if (!method)
        return {};
    Parameters complete = method->declaration.schema.defaults();
    if (const auto own = choice().parameters.find(policy); own != choice().parameters.end())
        for (const auto& [name, value] : own->second.all()) {
            Parameters one;
            one.set(name, value);
            try {
                method->declaration.schema.validate(name, value); // a session may have been written by hand
                complete.set(name, value);
            } catch (const std::exception&) {
                continue;
            }
        }
    return complete;
}

std::vector<std::string> CacheController::ticked() const
{
    std::vector<std::string> drawn;
    for (const std::string& id : choice().policies ? *choice().policies : usualPolicies())
        if (cache::findMethod(id) && id != kLimit)
            drawn.push_back(id);
    drawn.emplace_back(kLimit); // always
    return drawn;
}

cache::Configuration CacheController::configuration() const
{
    const std::string id = cache::findMethod(choice().policy) ? choice().policy : ticked().front();
    return {id, completeOf(id)};
}

QString CacheController::planDisabledReason() const
{
    const auto* method = cache::findMethod(configuration().method);
    return method->bound ? tr("a bound is no cache that could be built") : disabledReason();
}

quint64 CacheController::size() const
{
    if (!m_sources)
        return 0;
    const std::uint64_t most = std::max<std::uint64_t>(m_sources->workingSet, 1);
    if (m_dragged)
        return std::clamp<std::uint64_t>(*m_dragged, 1, most);
    return choice().size > 0 ? std::clamp<std::uint64_t>(choice().size, 1, most) : std::max<std::uint64_t>(1, most / 10);
}

double CacheController::warmUp() const { return choice().warmUp; }
const std::vector<views::ShownCurve>& CacheController::curves() const { return m_page->model()->curves(); }
QString CacheController::disabledReason() const { return m_sources ? QString() : m_job != 0 ? tr("the trace is being read") : tr("no trace is open"); }

// What is shown -------------------------------------------------------------------------------------------------------------

void CacheController::showChoices()
{
    QStringList drawn;
    for (const auto& id : ticked())
        drawn << text(id);
    const cache::Configuration now = configuration();
    m_settings->setTicked(drawn);
    m_settings->setFocused(text(now.method), now.parameters);
    m_settings->setRules(cache::ruleSchema(), choice().rules);
    m_settings->setWarmUp(choice().warmUp);
    m_settings->setProblem({});
    m_stepsPage->setChoice(text(now.method), text(choice().beside), static_cast<int>(choice().cells), choice().firstStep, m_sources ? static_cast<qint64>(m_sources->trace.requests()) : 1);
    m_page->setCaption(caption());
    m_stepsPage->setCaption(caption());
    showPlan();
}

void CacheController::showPlan()
{
    const auto& planned = m_with.document.state().plannedCache;
    const cache::Configuration now = configuration();
    const bool same = planned && m_sources && planned->policy == now.method && planned->parameters == now.parameters && planned->size == size() && planned->warmUp == warmUp() && planned->rules == rulesOf(now.method, choice().rules);
    const QString title = planned ? plannedCacheTitle(*planned) : QString();
    m_settings->setPlanned(title, same, planDisabledReason());
    m_with.header.setPart(QStringLiteral("cache"), tr("Cache"), title, planned ? tr("%1\nChosen on %2").arg(title, text(planned->trace)) : QString());
}

QString CacheController::caption() const
{
    if (!m_sources)
        return {};
    const cache::Configuration now = configuration();
    const auto* method = cache::findMethod(now.method);
    QString line = tr("%1: %2 requests, %3 objects; warm-up %4").arg(text(m_sources->trace.name)).arg(m_sources->trace.requests()).arg(m_sources->trace.ids.size()).arg(views::formatPercent(warmUp(), 0));
    line += tr("; cursor at %1: %2").arg(views::cacheSizeText(size(), m_sources->trace.sized()), text(method->declaration.title));
    for (const auto& [name, value] : now.parameters.all())
        line += QStringLiteral(", %1 %2").arg(text(name), text(toText(value)));
    const Parameters rules = rulesOf(now.method, choice().rules);
    for (const auto& [name, value] : rules.all())
        line += QStringLiteral("%1 %2 %3").arg(name == rules.all().begin()->first ? tr("; rules:") : QStringLiteral(","), text(name), text(toText(value)));
    return line;
}

void CacheController::exportJson()
{
    if (!m_sources)
        return;
    const QString file = m_with.ask.save(tr("Save curves"), tr("JSON (*.json)"), QStringLiteral("curves.json"));
    if (file.isEmpty())
        return;
    std::vector<report::PolicyCurve> all;
    for (const auto& shown : curves())
        all.push_back(shown.curve);
    report::CacheReport about = m_page->about();
    m_with.jobs.add(
        tr("Save curves"),
        [about = std::move(about), all = std::move(all), file](const RunContext&) {
            writeFileAtomically(file.toStdString(), curvesToJson(about, all));
            return tr("Curves written to %1").arg(file);
        },
        [this](const Job& job) { job.state == JobState::Finished ? emit done(job.message) : emit failed(job.message); });
}

} // namespace tamis::app

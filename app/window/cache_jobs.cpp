// SPDX-License-Identifier: GPL-3.0-or-later
// What the cache lab does in the background: opening traces, and the requests on its lanes.
#include "app/bundled/bundled.h"
#include "app/window/cache_controller.h"
#include "core/base/error.h"
#include "core/cache/method.h"
#include "views/cache/cache_panel.h"
#include "views/cache/cache_settings.h"
#include "views/cache/cache_words.h"
#include "views/cache/curves_page.h"
#include "views/cache/steps_page.h"
#include "views/cache/trace_columns.h"
#include "views/common/line_chart.h"
#include "views/workspace/workspace_tree.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>
#include <utility>

namespace tamis::app {
namespace {
QString text(const std::string& s) { return QString::fromStdString(s); }

/// Of what decides how a file is read, in one text.
std::string keyOf(const CacheChoice& choice)
{
    if (choice.trace.empty())
        return {};
    std::string key = choice.trace + '\n' + choice.format;
    const io::TraceColumns& c = choice.columns;
    for (const std::string* column : {&c.id, &c.time, &c.size, &c.cost, &c.uniqueness, &c.operation})
        key += '\n' + *column;
    return key;
}

views::TraceColumns::Names shown(const io::TraceColumns& c, const std::string& format) { return {text(c.id), text(c.time), text(c.size), text(c.cost), text(c.uniqueness), text(c.operation), text(format)}; }

/// Rules that protect may refuse newcomers, which MIN must take in: it is no limit of such caches.
bool protects(const Parameters& rules) { return rules.contains("protect") || rules.contains("protect-most"); }

QString titleOf(const cache::Method& method, bool limit)
{
    if (!method.limit || method.bound)
        return text(method.declaration.title);
    return limit ? CacheController::tr("MIN (limit)") : CacheController::tr("MIN (unit size only)");
}

bool isTable(const std::string& file) { return file.find(".csv") != std::string::npos || file.find(".CSV") != std::string::npos; }
} // namespace

void CacheController::askAndOpen()
{
    const QString file = m_with.ask.open(tr("Open a trace of requests"), tr("Traces (*.txt *.csv *.trace *.trc *.lis *.bin *.oracleGeneral *.vscsi *.be64 *.be32 *.le64 *.le32 *.gz *.xz *.zst);;All files (*)"));
    if (!file.isEmpty())
        open(file);
}

void CacheController::open(const QString& trace)
{
    CacheChoice wanted = choice();
    wanted.trace = QFileInfo(trace).absoluteFilePath().toStdString();
    if (wanted.trace != choice().trace) { // another file has columns of its own
        wanted.format = "automatic";
        wanted.columns = {};
    }
    load(wanted, true);
}

void CacheController::openBundled()
{
    try {
        open(text((bundledDatasets() / "traces" / "sotu-words.txt.gz").string()));
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
    }
}

void CacheController::close()
{
    m_refused.clear();
    change(tr("Close the trace"), {}, true, [](CacheChoice& c) { c.trace.clear(); });
}

void CacheController::stop()
{
    m_jobs.stop();
    for (LaneCore* lane : std::initializer_list<LaneCore*>{&m_curves, &m_sizes, &m_steps, &m_shape})
        lane->cancel();
    m_page->setRefining(m_sources ? tr("stopped: what was finished is shown") : QString());
    m_panel.setRunning({});
}

/// `asked`: the session is to hold it once it is read; otherwise it does already.
void CacheController::load(const CacheChoice& wanted, bool asked)
{
    m_jobs.stop();
    m_loading = keyOf(wanted);
    m_refused.clear();
    const QString name = QFileInfo(text(wanted.trace)).fileName();
    m_job = m_jobs.start(
        tr("Open %1").arg(name), tr("Reading %1").arg(name),
        [wanted, asked, guard = QPointer<CacheController>(this)](const RunContext& context) {
            auto sources = openTrace(wanted.trace, traceOptions(wanted), context);
            const auto requests = sources->trace.requests();
            QMetaObject::invokeMethod(qApp, [guard, sources = std::move(sources), wanted, asked] {
                if (guard && guard->m_loading == keyOf(wanted))
                    guard->takeLoaded(sources, wanted, asked);
            }, Qt::QueuedConnection);
            return tr("%1 requests").arg(requests);
        },
        [this, wanted](const Job& job) {
            m_job = 0;
            if (job.state == JobState::Failed || job.state == JobState::Cancelled) {
                m_loading.clear();
                m_refused = wanted.trace;
                m_panel.columns()->setColumns(shown(wanted.columns, wanted.format), isTable(wanted.trace));
                m_panel.columns()->setWord(job.state == JobState::Failed ? tr("Not read:") : QString());
                m_panel.columns()->show();
            }
            emit availabilityChanged();
        });
    emit availabilityChanged();
}

void CacheController::takeLoaded(const std::shared_ptr<const CacheSources>& sources, const CacheChoice& wanted, bool asked)
{
    m_loading.clear();
    m_sources = sources;
    m_memory = std::make_shared<CurveMemory>();
    m_shownOf = {};
    m_dragged.reset();
    m_page->setSizeReport(nullptr, false);
    m_page->setTraceReport(nullptr);
    m_stepsPage->setSteps(nullptr, nullptr);
    m_page->setCurves({}, {});
    if (asked) {
        const bool other = wanted.trace != choice().trace;
        m_with.recent.add(text(wanted.trace));
        change(tr("Open %1").arg(QFileInfo(text(wanted.trace)).fileName()), {}, true, [&](CacheChoice& c) {
            const CacheChoice before = c;
            c.trace = wanted.trace;
            c.format = wanted.format;
            c.columns = wanted.columns;
            if (other && !before.trace.empty()) { // sizes and places are of the trace
                c.size = 0;
                c.firstStep = 0;
            }
        });
        if (other)
            m_with.document.select([](Selection& selection) { selection.cacheStep = 0; });
    }
    showNothing();
    takeState();
    m_shape.request(m_sources);
    emit traceChanged();
    emit sizeChanged(size());
    if (asked)
        emit opened();
}

/// A session that was opened, an undo: the trace is read, or forgotten; what has changed is asked for.
void CacheController::takeState()
{
    const std::string wanted = keyOf(choice());
    const std::string have = m_sources ? keyOf([&] {
        CacheChoice c;
        c.trace = m_sources->file.string();
        c.format = std::string(io::traceFormatName(m_sources->options.format));
        c.columns = m_sources->options.columns;
        return c;
    }()) : std::string();
    if (wanted.empty() && m_sources) {
        m_sources.reset();
        for (LaneCore* lane : std::initializer_list<LaneCore*>{&m_curves, &m_sizes, &m_steps, &m_shape})
            lane->cancel();
        m_page->setCurves({}, {});
        showNothing();
        emit traceChanged();
    } else if (wanted != have && wanted != m_loading && !wanted.empty() && m_refused != choice().trace) {
        load(choice(), false);
    }
    showChoices();
    if (m_sources && wanted == have) {
        const CacheChoice now = choice(), before = std::exchange(m_shownOf, now);
        const bool policies = before.policies != now.policies || before.policy != now.policy || before.parameters != now.parameters || before.kept != now.kept || before.rules != now.rules;
        const bool first = before.trace.empty();
        if (first || policies || before.warmUp != now.warmUp)
            requestCurves();
        if (first || policies || before.warmUp != now.warmUp || before.size != now.size) {
            m_page->setSize(size());
            requestSize();
            if (before.size != now.size)
                emit sizeChanged(size());
            emit configurationChanged();
        }
        if (first || policies || before.beside != now.beside || before.cells != now.cells || before.firstStep != now.firstStep)
            requestSteps();
        else if (m_stepsPage->position() != static_cast<int>(m_with.document.state().selection.cacheStep))
            m_stepsPage->setPosition(static_cast<int>(m_with.document.state().selection.cacheStep));
    }
    emit availabilityChanged();
}

void CacheController::showNothing()
{
    m_page->setNothing(!m_sources);
    m_stepsPage->setNothing(!m_sources);
    m_panel.columns()->setVisible(m_sources && (m_sources->table || m_sources->options.format != io::TraceFormat::Automatic));
    if (!m_sources) {
        m_panel.setSummary({});
        m_with.tree.setTrace({}, {});
        return;
    }
    const auto& trace = m_sources->trace;
    m_panel.columns()->setWord({});
    m_panel.columns()->setColumns(shown(m_sources->options.columns, std::string(io::traceFormatName(m_sources->options.format))), m_sources->table);
    const QString shape = tr("%1 requests, %2 objects").arg(QString::number(trace.requests()), QString::number(trace.ids.size()));
    m_panel.setSummary(tr("%1: %2, working set %3").arg(text(trace.name), shape, views::cacheSizeText(m_sources->workingSet, trace.sized())));
    m_with.tree.setTrace(text(m_sources->file.string()), shape);
}

// The lanes -----------------------------------------------------------------------------------------------------------------

void CacheController::requestCurves()
{
    CurveRequest request{m_sources, m_memory, {}, {}, 0, warmUp()};
    const cache::Configuration focused = configuration();
    for (const std::string& id : ticked()) {
        if (id == focused.method)
            request.first = request.configurations.size();
        request.configurations.push_back({id, completeOf(id)});
        request.rules.push_back(rulesOf(id, choice().rules));
    }
    for (const KeptCache& kept : choice().kept)
        if (const auto* method = cache::findMethod(kept.policy)) {
            Parameters complete = method->declaration.schema.defaults();
            for (const auto& [name, value] : kept.parameters.all())
                if (method->declaration.schema.find(name))
                    complete.set(name, value);
            request.configurations.push_back({kept.policy, complete});
            request.rules.push_back(rulesOf(kept.policy, kept.rules));
        }
    m_page->setRefining(tr("computing…"));
    m_page->chart()->setStale(true);
    m_panel.setRunning(tr("Simulating"));
    m_repaints.await(m_page);
    m_curves.request(std::move(request));
}

void CacheController::requestSize()
{
    m_page->setSize(size());
    const cache::Configuration now = configuration();
    if (!cache::findMethod(now.method)->bound) {
        m_repaints.await(m_page);
        m_sizes.request({m_sources, now, size(), warmUp(), rulesOf(now.method, choice().rules)});
        return;
    }
    m_sizes.cancel(); // a number, and no cache to look into
    m_page->setSizeReport(nullptr, false);
}

void CacheController::requestSteps()
{
    StepRequest request{m_sources, configuration(), {}, static_cast<std::uint64_t>(choice().cells), static_cast<std::uint64_t>(choice().firstStep), choice().rules};
    if (cache::findMethod(choice().beside))
        request.beside = cache::Configuration{choice().beside, completeOf(choice().beside)};
    if (cache::findMethod(request.configuration.method)->bound) {
        m_steps.cancel();
        m_stepsPage->setSteps(nullptr, nullptr);
        return;
    }
    m_stepsPage->setStale(true);
    m_steps.request(std::move(request));
}

/// What is shown stays, marked as older than the settings.
void CacheController::showFailure(const QString& sentence)
{
    m_settings->setProblem(sentence);
    emit failed(sentence);
}

/// Where a curve is not there yet, the one on show of the same policy stays until it is.
void CacheController::showCurves(const CurvePicture& picture, const CurveRequest& of, bool complete)
{
    if (of.sources != m_sources)
        return;
    const std::vector<views::ShownCurve> before = curves();
    const std::size_t first = of.configurations.size() - std::min(of.configurations.size(), choice().kept.size());
    std::vector<views::ShownCurve> shown;
    for (std::size_t i = 0; i < of.configurations.size(); ++i) {
        const auto* method = cache::findMethod(of.configurations[i].method);
        views::ShownCurve one{picture.curves[i], {}, i >= first ? static_cast<int>(i - first) : -1, static_cast<int>(i)};
        const bool limit = method->bound || (method->limit && !of.sources->trace.sized() && !protects(choice().rules));
        one.title = views::configurationTitle(titleOf(*method, limit), of.configurations[i].parameters, method->declaration.schema.defaults());
        if (method->limit)
            one.curve.limit = limit;
        if (i >= first)
            one.title = views::configurationTitle(one.title, of.rules[i], {});
        if (one.curve.points.empty() && one.curve.failure.empty()) {
            const auto same = std::ranges::find_if(before, [&](const views::ShownCurve& each) { return each.curve.policy == of.configurations[i].method && (each.kept < 0) == (one.kept < 0); });
            if (same != before.end() && !complete)
                one.curve = same->curve;
            one.curve.policy = of.configurations[i].method;
            one.curve.parameters = of.configurations[i].parameters;
            one.curve.knowsFuture = method->knowsFuture;
            one.curve.limit = limit;
        }
        shown.push_back(std::move(one));
    }
    m_page->setCurves(shown, picture.about);
    m_page->setSize(size());
    m_page->setCaption(caption());
    m_page->chart()->setStale(false);
    m_page->setRefining(complete ? QString() : picture.sampled ? tr("sampled: exact curves follow") : tr("computing…"));
    if (complete)
        m_panel.setRunning({});
    QStringList failures;
    for (const auto& each : shown)
        if (!each.curve.failure.empty())
            failures << tr("%1: %2.").arg(each.title, text(each.curve.failure));
    m_panel.setProblem(failures.join(QLatin1Char(' ')));
    m_repaints.release();
    emit curvesShown(complete, picture.sampled);
}

} // namespace tamis::app

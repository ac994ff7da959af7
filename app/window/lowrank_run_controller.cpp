// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_run_controller.h"

#include "core/lowrank/local.h"
#include "core/lowrank/optional_samples.h"
#include "views/common/notice_bar.h"
#include "views/lowrank/figure_view.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/lowrank/preconditioner_page.h"
#include "views/lowrank/run_page.h"
#include "views/lowrank/run_settings.h"

#include <QApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>

namespace tamis::app {
namespace {
QString text(std::string_view s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }
} // namespace

LowRankRunController::LowRankRunController(const LowRankNeighbours& neighbours, const LowRankViews& views, LowRankController& lab)
    : QObject(&lab), m_with(neighbours), m_views(views), m_lab(lab), m_page(new views::RunPage), m_settings(new views::RunSettings), m_chartPage(new views::PreconditionerPage),
      m_lane(
          [work = std::make_shared<RunWork>()](const RunRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const RunRequest&, Level, bool) { show(picture); }),
      m_ridgeLane(
          [](const RidgeRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? std::shared_ptr<const views::RidgeSweep>() : sweepRidge(request, context, publish);
          },
          [this](const std::shared_ptr<const views::RidgeSweep>& sweep, const RidgeRequest&, Level, bool partial) {
              m_page->ridge()->setSweep(sweep);
              m_page->ridge()->setStale(partial);
          }),
      m_chartLane(
          [](const ChartRequest& request, Level level, const RunContext& context, const auto&) {
              return level == Level::Coarse ? std::shared_ptr<const report::MethodFigure>()
                                            : std::make_shared<const report::MethodFigure>(chartPreconditioners(request, context));
          },
          [this](const auto& figure, const ChartRequest& request, Level, bool) {
              m_chartPage->setFigure(*figure, text(request.matrix));
              m_chartPage->setStale(false);
          })
{
    m_views.panel->addPage(m_page, tr("Run"), QStringLiteral("run"), m_settings);
    m_views.panel->addPage(m_chartPage, tr("Preconditioners"), QStringLiteral("preconditioners"), m_chartPage->settings());
    m_settings->setBudgetNames(m_lab.budgetNames());
    connectSettings();
    connectPages();
}

template <class Edit> void LowRankRunController::edit(const QString& label, const QString& mergeKey, bool finished, Edit&& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) {
        if (state.lowRank.run.method.empty() && method())
            state.lowRank.run.method = method()->declaration.id;
        change(state.lowRank.run);
    });
    if (finished)
        m_with.document.endMerge();
}

void LowRankRunController::connectSettings()
{
    connect(m_settings, &views::RunSettings::methodEdited, this, [this](const QString& id) {
        edit(tr("Low-rank method"), {}, true, [&](Settings& run) {
            run.method = id.toStdString();
            run.parameters = {};
        });
    });
    connect(m_settings, &views::RunSettings::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Set %1").arg(name), "lowrank-parameter:" + name, finished, [&](Settings& run) { run.parameters.set(name.toStdString(), value); });
    });
    connect(m_settings, &views::RunSettings::keepEdited, this, [this](double keep, bool finished) {
        edit(tr("Keep of the low-rank method"), QStringLiteral("lowrank-keep"), finished, [&](Settings& run) { run.budget.keep = keep; });
    });
    connect(m_settings, &views::RunSettings::budgetEdited, this, [this](const views::BudgetChoice& choice) {
        edit(tr("Budget of the low-rank method"), {}, true, [&](Settings& run) {
            run.budget.allocation = plan::parseAllocation(choice.allocation.toStdString());
            run.budget.accounting = plan::parseAccounting(choice.accounting.toStdString());
            run.budget.alignment = choice.alignment;
        });
    });
    connect(m_settings, &views::RunSettings::trainingRequested, this, [this] { m_lab.chooseSamples(false); });
    connect(m_settings, &views::RunSettings::runRequested, this, &LowRankRunController::run);
    connect(m_settings, &views::RunSettings::storeRequested, this, &LowRankRunController::store);
    connect(m_settings, &views::RunSettings::compareRequested, this, &LowRankRunController::addToComparison);
}

void LowRankRunController::connectPages()
{
    const auto exported = [this](views::Figure* figure, views::FigureFormat format, const QString& name) { m_with.exports.exportFigure(*figure, format, name); };
    connect(m_page, &views::RunPage::exportRequested, this, exported);
    connect(m_page, &views::RunPage::runRequested, this, &LowRankRunController::run);
    connect(m_page, &views::RunPage::selectionChanged, &m_lab, &LowRankController::selectMatrices);
    connect(m_page->ridge(), &views::RidgeMeter::ridgeChosen, this,
            [this](double ridge) { edit(tr("Set ridge"), {}, true, [&](Settings& run) { run.parameters.set("ridge", ridge); }); });
    connect(m_chartPage, &views::PreconditionerPage::exportRequested, this, exported);
    connect(m_chartPage, &views::PreconditionerPage::matrixChosen, this, [this](const QString& name) { m_lab.selectMatrices({name}); });
    connect(m_views.panel, &views::LowRankPanel::cameIntoSight, this, &LowRankRunController::request);
    connect(&m_lane, &LaneCore::failed, this, &LowRankRunController::showFailure);
    connect(&m_ridgeLane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_page->ridge()->setSweep(nullptr);
        m_page->ridge()->setEmptyText(sentence);
    });
    connect(&m_chartLane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_chartPage->setFigure(std::nullopt, {});
        m_chartPage->setEmptyText(sentence);
    });
    connect(&m_ridgeLane, &LaneCore::busyChanged, this, [this](bool busy) {
        if (!busy)
            m_page->ridge()->setStale(false);
    });
}

const lowrank::Method* LowRankRunController::method() const
{
    const auto* chosen = lowrank::findMethod(m_with.document.state().lowRank.run.method);
    return chosen || lowrank::methods().empty() ? chosen : &lowrank::methods().front();
}

bool LowRankRunController::isLive() const
{
    return method() && !method()->trains && !method()->needsSamples && !plan::needsEvidence(m_with.document.state().lowRank.run.budget.allocation);
}

bool LowRankRunController::isInSight(const char* page) const { return m_views.panel->isVisible() && m_views.panel->page() == QLatin1String(page); }
bool LowRankRunController::isBusy() const { return m_lane.isBusy() || m_ridgeLane.isBusy() || m_chartLane.isBusy(); }

void LowRankRunController::setWorkspace(std::shared_ptr<const Workspace> workspace)
{
    m_lane.cancel();
    m_ridgeLane.cancel();
    m_chartLane.cancel();
    m_asked.reset();
    m_ridgeAsked.reset();
    m_chartAsked.reset();
    m_workspace = std::move(workspace);
    m_picture.reset();
    m_page->setReport(nullptr);
    m_page->ridge()->setSweep(nullptr);
    m_chartPage->setFigure(std::nullopt, {});
    QStringList names;
    if (m_workspace && m_workspace->calibration)
        for (const auto& matrix : m_workspace->outline.matrices)
            if (matrix.calibrated)
                names << text(matrix.name);
    m_chartPage->setMatrices(names);
    m_chartPage->setEmptyText(names.isEmpty() ? tr("The preconditioners are made from a calibration set: open one, or capture it in the Model tab.") : tr("Decomposing"));
}

std::string LowRankRunController::focus() const
{
    const auto& state = m_with.document.state();
    if (!m_workspace)
        return {};
    const auto& matrices = m_workspace->outline.matrices;
    const auto usable = [&](const auto& m) { return m.calibrated || !m_workspace->calibration; };
    const auto current = std::find_if(matrices.begin(), matrices.end(), [&](const auto& m) { return m.name == state.selection.current && usable(m); });
    const auto first = current != matrices.end() ? current : std::find_if(matrices.begin(), matrices.end(), usable);
    return first == matrices.end() ? std::string() : first->name;
}

RunRequest LowRankRunController::runRequest() const
{
    Settings run = m_with.document.state().lowRank.run;
    run.method = method() ? method()->declaration.id : std::string();
    return requestOf(run);
}

RunRequest LowRankRunController::requestOf(const Settings& run) const
{
    RunRequest request;
    const auto* of = lowrank::findMethod(run.method);
    const bool samples = of && (lowrank::takesSamples(*of) || plan::needsEvidence(run.budget.allocation));
    request.inputs = {m_with.model.runnable(), samples ? m_lab.training() : std::filesystem::path(), {}};
    request.method = run.method;
    request.parameters = run.parameters;
    request.budget = run.budget;
    request.current = focus();
    return request;
}

QString LowRankRunController::runDisabledReason() const
{
    if (!m_workspace)
        return tr("nothing is open");
    if (!m_with.model.report())
        return tr("this checkpoint cannot be run");
    if (!method())
        return tr("the lab has no method");
    if (m_jobRuns)
        return tr("a method runs");
    if (plan::needsEvidence(m_with.document.state().lowRank.run.budget.allocation) && m_lab.training().empty())
        return tr("its allocation needs samples to calibrate on");
    return m_lab.unavailable(*method());
}

QString LowRankRunController::storeDisabledReason() const
{
    if (!m_workspace)
        return tr("nothing is open");
    if (!m_picture || !m_picture->complete)
        return tr("no method has run");
    if (!m_picture->request.sameResult(runRequest()))
        return tr("the settings have changed since the last run");
    return m_picture->compression->operators.empty() ? tr("the method replaced nothing") : QString();
}

void LowRankRunController::showMethods(const std::vector<views::LabMethod>& methods) { m_settings->setMethods(methods); }

void LowRankRunController::showState(const SessionState& state)
{
    const auto& run = state.lowRank.run;
    const auto* of = method();
    m_settings->setChoice(of ? text(of->declaration.id) : QString(), run.parameters,
                          {run.budget.keep, text(plan::allocationName(run.budget.allocation)), text(plan::accountingName(run.budget.accounting)), static_cast<int>(run.budget.alignment)});
    m_settings->setTraining(QFileInfo(text(m_lab.training().string())).fileName());
    QStringList names;
    for (const auto& name : state.selection.overlay)
        names << text(name);
    if (m_page->selection() != names)
        m_page->setSelection(names);
    m_chartPage->setMatrix(text(focus()));
    showStale();
    request();
}

void LowRankRunController::showStale()
{
    const QString reason = runDisabledReason();
    m_settings->setRunReason(reason);
    m_settings->setStoreReason(storeDisabledReason());
    m_page->setStale(m_picture && (!m_picture->complete || !m_picture->request.sameResult(runRequest())));
    const auto* of = method();
    if (!m_picture)
        m_page->setEmptyState(of ? text(of->declaration.title) : tr("The lab has no method"),
                              !reason.isEmpty()     ? tr("It cannot run now: %1.").arg(reason)
                              : !of || isLive() ? tr("Decomposing the first matrices")
                              : of->trains          ? tr("It trains on samples, which takes minutes; what is finished is shown as it comes.")
                                                    : tr("It runs samples through the model block after block; what is finished is shown as it comes."),
                              reason.isEmpty() && of && !isLive() ? tr("Run") : QString());
    std::optional<double> rank;
    if (m_picture)
        for (const auto& matrix : m_picture->report->matrices)
            if (matrix.name == focus() && matrix.layout != "dense")
                rank = static_cast<double>(matrix.rank);
    m_chartPage->setRank(rank);
    if (const auto now = std::pair(reason, storeDisabledReason()); now != m_reasons) {
        m_reasons = now;
        emit m_lab.availabilityChanged();
    }
}

void LowRankRunController::request()
{
    if (!m_workspace)
        return;
    if (isInSight("run")) {
        const RunRequest wanted = runRequest();
        if (isLive() && runDisabledReason().isEmpty() && !(m_asked && m_asked->sameResult(wanted))) {
            m_asked = wanted;
            m_repaints.await(m_page);
            m_lane.request(wanted); // the meter follows once the picture is whole
        } else if (!m_lane.isBusy()) {
            requestRidge();
        }
    }
    if (isInSight("preconditioners"))
        requestChart();
}

void LowRankRunController::requestRidge()
{
    const auto* of = method();
    RidgeRequest wanted{runRequest()};
    if (isLive())
        wanted.run.inputs.training.clear(); // a matrix by itself
    if (m_ridgeAsked && *m_ridgeAsked == wanted)
        return;
    m_ridgeAsked = wanted;
    if (!of || !of->declaration.schema.find("ridge") || !isLive() || !runDisabledReason().isEmpty()) {
        m_ridgeLane.cancel();
        m_page->ridge()->setSweep(nullptr);
        m_page->ridge()->setEmptyText(of && !of->declaration.schema.find("ridge") ? tr("This method has no ridge.") : tr("The meter follows methods that compress a matrix by itself."));
        return;
    }
    m_page->ridge()->setStale(true);
    m_ridgeLane.request(wanted);
}

void LowRankRunController::requestChart()
{
    if (!m_workspace->calibration || focus().empty() || !m_with.model.report())
        return;
    ChartRequest wanted{{m_with.model.runnable(), {}, {}}, focus(), lowrank::localMethod().declaration.schema.defaults()};
    for (const auto& [name, value] : m_with.document.state().lowRank.run.parameters.all())
        if (name == "alpha" || name == "ridge")
            wanted.parameters.set(name, value);
    if (m_chartAsked && *m_chartAsked == wanted)
        return;
    m_chartAsked = wanted;
    m_chartPage->setStale(true);
    m_chartLane.request(wanted);
}

void LowRankRunController::show(const std::shared_ptr<const RunPicture>& picture)
{
    if (!m_workspace || picture->request.inputs.model != m_with.model.runnable())
        return; // another model was opened meanwhile
    m_picture = picture;
    m_page->setReport(picture->report);
    if (picture->complete) {
        m_views.panel->notices()->clear();
        if (isInSight("run"))
            requestRidge();
    }
    showStale();
    m_page->planes()->setStale(!picture->complete);
    m_repaints.release();
    emit pictureShown(picture->complete);
}

void LowRankRunController::showFailure(const QString& sentence)
{
    m_asked.reset(); // the same may be asked for again
    m_views.panel->notices()->showNotice(views::NoticeBar::Severity::Error, sentence);
    showStale();
}

void LowRankRunController::run()
{
    if (const QString reason = runDisabledReason(); !reason.isEmpty()) {
        emit m_lab.failed(tr("The method cannot run: %1.").arg(reason));
        return;
    }
    m_views.panel->showPage(QStringLiteral("run"));
    const RunRequest wanted = runRequest();
    if (!isLive()) {
        runAsJob(wanted);
        return;
    }
    m_asked = wanted;
    m_lane.request(wanted);
}

void LowRankRunController::runAsJob(const RunRequest& wanted)
{
    m_jobRuns = true;
    m_lane.cancel();
    m_asked.reset();
    m_picture.reset();
    m_page->setReport(nullptr);
    const auto result = std::make_shared<std::shared_ptr<const RunPicture>>();
    const QPointer<LowRankRunController> guard(this);
    const QString title = text(method()->declaration.title);
    m_lab.jobs().start(
        title, method()->trains ? tr("Training") : tr("Compressing"),
        [wanted, result, guard](const RunContext& context) {
            RunWork work; // of its own: the lane's is the lane's
            *result = work.refine(wanted, context, [guard](const RunWork::Picture& partial) {
                QMetaObject::invokeMethod(qApp, [guard, partial] {
                    if (guard && guard->m_jobRuns)
                        guard->show(partial);
                }, Qt::QueuedConnection);
            });
            return tr("%n operators replaced", nullptr, static_cast<int>((*result)->compression->operators.size()));
        },
        [this, result](const Job& job) {
            m_jobRuns = false;
            if (job.state == JobState::Finished && *result)
                show(*result);
            showStale();
        });
    showStale();
}

void LowRankRunController::store()
{
    if (const QString reason = storeDisabledReason(); !reason.isEmpty()) {
        emit m_lab.failed(tr("Nothing can be stored: %1.").arg(reason));
        return;
    }
    const QString directory = m_with.ask.newDirectory(tr("Store the compressed operators in a new directory"), QStringLiteral("low-rank"));
    if (directory.isEmpty())
        return;
    m_lab.jobs().start(
        tr("Store in %1").arg(QFileInfo(directory).fileName()), tr("Storing"),
        [picture = m_picture, tokens = m_with.document.state().plannedTokens, path = directory.toStdString()](const RunContext& context) { return text(storeRun(*picture, tokens, path, context)); }, [](const Job&) {});
}

void LowRankRunController::openPlan(const plan::Plan& plan)
{
    m_views.panel->showPage(QStringLiteral("run"));
    m_jobRuns = true; // what is stored is shown, not what the method makes anew
    m_lane.cancel();
    m_asked.reset();
    const Settings run{plan.method, plan.parameters, plan.budget};
    const RunRequest request = requestOf(run);
    const auto result = std::make_shared<std::shared_ptr<const RunPicture>>();
    m_lab.jobs().start(
        tr("Open the plan of %1").arg(text(plan.method)), tr("Opening"),
        [request, plan, result](const RunContext& context) {
            *result = openRun(request, plan, context);
            return tr("%n operators of the plan", nullptr, static_cast<int>((*result)->compression->operators.size()));
        },
        [this, run, result](const Job& job) {
            m_jobRuns = false;
            if (job.state == JobState::Finished && (*result)->request.inputs.model == m_with.model.runnable()) {
                m_asked = (*result)->request; // shown: the lane has nothing to do
                m_with.document.change(tr("Open a plan of the low-rank lab"), {}, [&](SessionState& state) { state.lowRank.run = run; });
                m_with.document.select([](Selection& selection) { selection.lowRankPage = "run"; });
                show(*result);
            }
            showStale();
            this->request();
        });
    showStale();
}

void LowRankRunController::addToComparison()
{
    const auto* of = method();
    if (!of)
        return;
    const auto& lab = m_with.document.state().lowRank;
    lowrank::OwnBudget budget; // what is not the comparison's own
    if (lab.run.budget.allocation != lab.comparedAllocation)
        budget.allocation = lab.run.budget.allocation;
    if (lab.run.budget.accounting != lab.comparedAccounting)
        budget.accounting = lab.run.budget.accounting;
    const std::string id = configurationId(*of, lab.run.parameters, budget);
    auto compared = m_lab.comparedIds();
    const auto& chosen = lab.compared;
    if (chosen)
        compared = *chosen;
    if (std::find(compared.begin(), compared.end(), id) == compared.end())
        compared.push_back(id);
    m_with.document.change(tr("Add to the comparison"), {}, [&](SessionState& state) { state.lowRank.compared = compared; });
    m_views.panel->showPage(QStringLiteral("compare"));
    m_with.document.select([](Selection& selection) { selection.lowRankPage = "compare"; });
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_controller.h"

#include "app/window/lowrank_run_controller.h"
#include "core/lowrank/optional_samples.h"
#include "views/lowrank/compare_page.h"
#include "views/lowrank/compare_settings.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/lowrank/sensitivity_page.h"

#include <QFileInfo>

#include <algorithm>

namespace tamis::app {
namespace {
QString text(std::string_view s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

QStringList texts(const std::vector<std::string>& all)
{
    QStringList list;
    for (const auto& one : all)
        list << text(one);
    return list;
}

std::vector<std::string> strings(const QStringList& all)
{
    std::vector<std::string> list;
    for (const auto& one : all)
        list.push_back(one.toStdString());
    return list;
}
} // namespace

views::BudgetNames LowRankController::budgetNames()
{
    views::BudgetNames names;
    for (const auto allocation : plan::allAllocations())
        names.allocations << text(plan::allocationName(allocation));
    for (const auto accounting : {plan::Accounting::Factors, plan::Accounting::BlockIdentity, plan::Accounting::Remapped})
        names.accountings << text(plan::accountingName(accounting));
    return names;
}

LowRankController::LowRankController(const LowRankNeighbours& neighbours, const LowRankViews& views, QObject* parent)
    : QObject(parent), m_with(neighbours), m_views(views),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_views.panel->setRunning(sentence); }, [this](const QString& sentence) { emit done(sentence); },
                               [this](const QString& sentence) { emit failed(sentence); }})
{
    buildPages();
    m_runs = std::make_unique<LowRankRunController>(m_with, m_views, *this);
    m_sensitivity = new views::SensitivityPage;
    m_views.panel->addPage(m_sensitivity, tr("Sensitivity"), QStringLiteral("sensitivity"));
    connect(m_sensitivity, &views::SensitivityPage::measureRequested, this, &LowRankController::measureSensitivity);
    connect(m_sensitivity, &views::SensitivityPage::selectionChanged, this, &LowRankController::selectMatrices);
    connect(m_sensitivity, &views::SensitivityPage::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
    connect(m_views.panel, &views::LowRankPanel::stopRequested, this, &LowRankController::stop);
    connect(m_views.panel, &views::LowRankPanel::pageShown, this,
            [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.lowRankPage = name.toStdString(); }); });
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState& after) { showState(after); });
    connect(&m_with.model, &ModelController::reportShown, this, [this] { showState(m_with.document.state()); }); // the model's kind is known
    connectCompare();
    showState(m_with.document.state());
}

LowRankController::~LowRankController() = default;

void LowRankController::buildPages()
{
    m_compare = new views::ComparePage;
    m_compareSettings = new views::CompareSettings;
    m_compareSettings->setBudgetNames(budgetNames());
    m_views.panel->addPage(m_compare, tr("Compare"), QStringLiteral("compare"), m_compareSettings);
}

void LowRankController::connectCompare()
{
    connect(m_compare, &views::ComparePage::compareRequested, this, &LowRankController::compare);
    connect(m_compare, &views::ComparePage::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
    connect(m_compareSettings, &views::CompareSettings::compareRequested, this, &LowRankController::compare);
    connect(m_compareSettings, &views::CompareSettings::curvesRequested, this, &LowRankController::compareCurves);
    connect(m_compareSettings, &views::CompareSettings::heldOutRequested, this, [this] { chooseSamples(true); });
    connect(m_compareSettings, &views::CompareSettings::trainingRequested, this, [this] { chooseSamples(false); });
    connect(m_compareSettings, &views::CompareSettings::choiceEdited, this, [this](const views::CompareChoice& choice) {
        m_with.document.change(tr("What is compared"), QStringLiteral("lowrank-compare"), [&](SessionState& state) {
            auto& lab = state.lowRank;
            if (const auto methods = strings(choice.methods); lab.compared || methods != comparedIds())
                lab.compared = methods;
            lab.keeps.assign(choice.keeps.begin(), choice.keeps.end());
            lab.comparedAllocation = plan::parseAllocation(choice.allocation.toStdString());
            lab.comparedAccounting = plan::parseAccounting(choice.accounting.toStdString());
            lab.samples = choice.samples;
            lab.latency = choice.latency;
        });
    });
}

void LowRankController::setWorkspace(std::shared_ptr<const Workspace> workspace)
{
    const bool sameModel = m_workspace && workspace && m_workspace->outline.modelPath == workspace->outline.modelPath;
    m_workspace = std::move(workspace);
    if (!sameModel) {
        m_comparison.reset();
        m_compared.reset();
        m_compare->setComparison(nullptr);
        m_sensitivity->setReport(nullptr);
    }
    m_runs->setWorkspace(m_workspace);
    m_views.panel->setModelOpen(m_workspace != nullptr);
    QString summary;
    if (m_workspace) {
        const auto& outline = m_workspace->outline;
        summary = QFileInfo(text(outline.modelPath)).fileName();
        summary += outline.calibrationPath.empty() ? tr(" · no calibration set: only methods that need none can run")
                                                   : tr(" · calibrated on %1").arg(text(outline.calibrationInputs));
    }
    m_views.panel->setSummary(summary);
    showState(m_with.document.state());
}

void LowRankController::showState(const SessionState& state)
{
    if (!state.selection.lowRankPage.empty())
        m_views.panel->showPage(text(state.selection.lowRankPage));
    showMethods();
    showCompare(state);
    m_runs->showState(state);
    m_sensitivity->setDisabledReason(sensitivityDisabledReason());
    if (m_sensitivity->selection() != texts(state.selection.overlay))
        m_sensitivity->setSelection(texts(state.selection.overlay));
}

void LowRankController::selectMatrices(const QStringList& names)
{
    m_with.document.select([&](Selection& selection) {
        selection.overlay = strings(names);
        if (!selection.overlay.empty() && std::find(selection.overlay.begin(), selection.overlay.end(), selection.current) == selection.overlay.end())
            selection.current = selection.overlay.front();
    });
}

// Methods and samples --------------------------------------------------------------------------------------------------

bool LowRankController::isVision() const { return m_with.model.report() && m_with.model.report()->task.rfind("image", 0) == 0; }

std::filesystem::path LowRankController::besideModel(const char* name) const
{
    if (!m_workspace)
        return {};
    std::error_code ignored;
    const std::filesystem::path model = m_workspace->outline.modelPath;
    const auto file = (std::filesystem::is_directory(model, ignored) ? model : model.parent_path()) / name;
    return std::filesystem::is_regular_file(file, ignored) ? file : std::filesystem::path();
}

std::filesystem::path LowRankController::heldOut() const
{
    const auto& state = m_with.document.state();
    if (!state.lowRank.heldOut.empty())
        return state.lowRank.heldOut;
    return isVision() ? std::filesystem::path(state.selection.photos) : besideModel("heldout.npy");
}

std::filesystem::path LowRankController::training() const
{
    const auto& chosen = m_with.document.state().lowRank.training;
    return !chosen.empty() ? std::filesystem::path(chosen) : isVision() ? std::filesystem::path() : besideModel("calibration.npy");
}

QString LowRankController::unavailable(const lowrank::Method& method) const
{
    if (!m_workspace)
        return tr("nothing is open");
    if (method.needsCalibration && !m_workspace->calibration)
        return tr("it needs a calibration set");
    if (method.needsSamples && training().empty())
        return tr("it needs samples to calibrate on");
    return {};
}

std::vector<Configuration> LowRankController::knownConfigurations() const
{
    auto all = offeredConfigurations();
    for (const std::string& id : m_with.document.state().lowRank.compared.value_or(std::vector<std::string>())) {
        if (std::any_of(all.begin(), all.end(), [&](const Configuration& known) { return known.id == id; }))
            continue;
        try {
            all.push_back(configuration(id));
        } catch (const std::exception&) {
            continue; // of a session of another version: not offered
        }
    }
    return all;
}

std::vector<Configuration> LowRankController::comparedConfigurations() const
{
    const auto& chosen = m_with.document.state().lowRank.compared;
    std::vector<Configuration> all;
    for (auto& known : knownConfigurations()) {
        const bool wanted = chosen ? std::find(chosen->begin(), chosen->end(), known.id) != chosen->end() : known.usual;
        if (wanted && unavailable(*known.method).isEmpty())
            all.push_back(std::move(known));
    }
    return all;
}

std::vector<std::string> LowRankController::comparedIds() const
{
    std::vector<std::string> ids;
    for (const auto& each : comparedConfigurations())
        ids.push_back(each.id);
    return ids;
}

void LowRankController::showMethods()
{
    std::vector<views::LabMethod> offered;
    for (const auto& each : knownConfigurations())
        offered.push_back({text(each.id), text(each.title), text(each.method->declaration.reference), each.method->trains, false, unavailable(*each.method), {}});
    m_compareSettings->setMethods(offered);
    const bool evidence = plan::needsEvidence(m_with.document.state().lowRank.run.budget.allocation); // runs samples, too
    std::vector<views::LabMethod> methods;
    for (const auto& method : lowrank::methods()) {
        const auto& d = method.declaration;
        methods.push_back({text(d.id), text(d.title), text(d.reference), method.trains, !method.trains && !method.needsSamples && !evidence, unavailable(method), d.schema, lowrank::takesSamples(method) || evidence});
    }
    m_runs->showMethods(methods);
}

void LowRankController::showCompare(const SessionState& state)
{
    const auto& lab = state.lowRank;
    views::CompareChoice choice;
    choice.methods = lab.compared ? texts(*lab.compared) : texts(comparedIds());
    choice.keeps = QList<double>(lab.keeps.begin(), lab.keeps.end());
    choice.allocation = text(plan::allocationName(lab.comparedAllocation));
    choice.accounting = text(plan::accountingName(lab.comparedAccounting));
    choice.samples = static_cast<int>(lab.samples);
    choice.latency = lab.latency;
    m_compareSettings->setChoice(choice);
    m_compareSettings->setHeldOut(QFileInfo(text(heldOut().string())).fileName());
    m_compareSettings->setTraining(QFileInfo(text(training().string())).fileName());
    m_compareSettings->setDisabledReason(compareDisabledReason());
    const Compared now = comparedNow();
    m_compare->setStale(m_compared && (m_compared->heldOut != now.heldOut || m_compared->training != now.training || m_compared->choice.compared != now.choice.compared ||
                                       m_compared->choice.comparedAllocation != now.choice.comparedAllocation ||
                                       m_compared->choice.comparedAccounting != now.choice.comparedAccounting || m_compared->choice.samples != now.choice.samples));
}

void LowRankController::chooseSamples(bool judged)
{
    const QString title = judged ? tr("Held-out samples") : tr("Samples to calibrate on");
    const QString path = isVision() ? m_with.ask.openDirectory(title + tr(": a folder of photos"))
                                    : m_with.ask.open(title + tr(": a text, or token ids"), tr("Text (*.txt *.md);;Token ids (*.npy *.ids);;All files (*)"));
    if (path.isEmpty())
        return;
    m_with.document.change(title, {}, [&](SessionState& state) { (judged ? state.lowRank.heldOut : state.lowRank.training) = path.toStdString(); });
}

} // namespace tamis::app

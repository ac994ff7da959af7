// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/spectrum_controller.h"

#include "core/spectrum/method.h"
#include "views/common/line_chart.h"
#include "views/common/parameter_editor.h"
#include "views/plan/cost_header.h"
#include "views/plan/operating_points.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/spectrum/spectrum_table.h"
#include "views/workspace/workspace_tree.h"

#include <QComboBox>

#include <algorithm>
#include <cmath>

namespace tamis::app {
namespace {
QString text(std::string_view s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

QStringList names(const std::vector<std::string>& all)
{
    QStringList list;
    for (const auto& name : all)
        list << text(name);
    return list;
}

bool samePicture(const SpectrumRequest& a, const SpectrumRequest& b)
{
    return a.checkpoint == b.checkpoint && a.calibration == b.calibration && a.method == b.method && a.parameters == b.parameters &&
           a.budget == b.budget && a.overlay == b.overlay && a.series == b.series;
}
} // namespace

SpectrumController::SpectrumController(SessionDocument& document, const SpectrumViews& views, QObject* parent)
    : QObject(parent), m_document(document), m_views(views),
      m_work(std::make_shared<SpectrumWork>(std::make_shared<plan::LatencyCache>())),
      m_lane([work = m_work](const SpectrumRequest& request, Level level, const RunContext& context, const auto& publish) {
          return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
      },
             [this](const auto& picture, const SpectrumRequest&, Level, bool) { show(picture); })
{
    for (const auto& method : spectrum::methods())
        m_views.method->addItem(text(method.declaration.title), text(method.declaration.id));
    connect(&m_document, &SessionDocument::stateChanged, this, &SpectrumController::stateChanged);
    connect(&m_lane, &LaneCore::failed, this, &SpectrumController::failed);
    connectViews();
    connectPointViews();
    showState(m_document.state());
}

void SpectrumController::connectViews()
{
    connect(m_views.method, &QComboBox::activated, this, [this](int index) {
        const auto id = m_views.method->itemData(index).toString().toStdString();
        m_document.change(tr("Method"), {}, [&](SessionState& state) {
            state.settings.method = id;
            if (const auto* method = spectrum::findMethod(id))
                state.settings.parameters = method->declaration.schema.defaults();
        });
    });
    connect(m_views.parameters, &views::ParameterEditor::valueEdited, this,
            [this](const QString& name, const ParameterValue& value, bool finished) {
                m_document.change(tr("Set %1").arg(name), "parameter:" + name,
                                  [&](SessionState& state) { state.settings.parameters.set(name.toStdString(), value); });
                if (finished)
                    m_document.endMerge();
            });
    auto* header = m_views.header;
    connect(header, &views::CostHeader::keepEdited, this, [this](double keep, bool finished) {
        m_document.change(tr("Keep"), QStringLiteral("keep"), [&](SessionState& state) { state.settings.budget.keep = keep; });
        if (finished)
            m_document.endMerge();
    });
    connect(header, &views::CostHeader::allocationEdited, this, [this](const QString& name) {
        m_document.change(tr("Allocation"), {}, [&](SessionState& s) { s.settings.budget.allocation = plan::parseAllocation(name.toStdString()); });
    });
    connect(header, &views::CostHeader::accountingEdited, this, [this](const QString& name) {
        m_document.change(tr("Accounting"), {}, [&](SessionState& s) { s.settings.budget.accounting = plan::parseAccounting(name.toStdString()); });
    });
    connect(header, &views::CostHeader::alignmentEdited, this, [this](int alignment) {
        m_document.change(tr("Rank alignment"), {}, [&](SessionState& s) { s.settings.budget.alignment = alignment; });
    });
    auto* panel = m_views.panel;
    connect(panel, &views::SpectrumPanel::rankDragged, this, [this](const QString& name, qlonglong rank, bool finished) {
        setRank(name, rank, "rank:" + name);
        if (finished)
            m_document.endMerge();
    });
    connect(panel, &views::SpectrumPanel::rankEdited, this, [this](const QString& name, qlonglong rank) { setRank(name, rank, {}); });
    connect(panel, &views::SpectrumPanel::rankCleared, this, [this](const QString& name) {
        m_document.change(tr("Free the rank of %1").arg(name), {},
                          [&](SessionState& state) { state.settings.budget.overrides.erase(name.toStdString()); });
    });
    connect(panel, &views::SpectrumPanel::lockToggled, this, [this](const QString& name, bool locked) {
        m_document.change(locked ? tr("Lock %1").arg(name) : tr("Unlock %1").arg(name), {}, [&](SessionState& state) {
            auto& overrides = state.settings.budget.overrides;
            auto& entry = overrides[name.toStdString()];
            entry.locked = locked;
            if (!locked && !entry.rank)
                overrides.erase(name.toStdString());
        });
    });
    connect(panel, &views::SpectrumPanel::selectionChanged, this, &SpectrumController::selectMatrices);
    connect(panel, &views::SpectrumPanel::currentChanged, this,
            [this](const QString& name) { m_document.select([&](Selection& s) { s.current = name.toStdString(); }); });
    connect(panel, &views::SpectrumPanel::seriesRequested, this, [this](const QStringList& wanted, const report::SeriesOptions&) {
        if (!wanted.isEmpty() && names(m_document.state().selection.overlay) != wanted)
            selectMatrices(wanted); // asks for the curves as it changes the state
    });
    connect(panel, &views::SpectrumPanel::optionsChanged, this, [this](const report::SeriesOptions& options, bool logX, bool logY) {
        m_document.change(tr("Chart"), {}, [&](SessionState& state) { state.chart = {options, logX, logY}; });
    });
    connect(m_views.tree, &views::WorkspaceTree::matricesSelected, this, &SpectrumController::selectMatrices);
}

void SpectrumController::connectPointViews()
{
    auto* points = m_views.points;
    connect(points, &views::OperatingPoints::addRequested, this, &SpectrumController::keepPoint);
    connect(points, &views::OperatingPoints::removeRequested, this, [this](const QList<int>& indices) {
        m_document.change(tr("Remove points"), {}, [&](SessionState& state) {
            for (auto index = indices.rbegin(); index != indices.rend(); ++index)
                if (*index >= 0 && *index < static_cast<int>(state.points.size()))
                    state.points.erase(state.points.begin() + *index);
        });
    });
    connect(points, &views::OperatingPoints::restoreRequested, this, [this](int index) {
        m_document.change(tr("Go back to a point"), {}, [&](SessionState& state) {
            if (index >= 0 && index < static_cast<int>(state.points.size()))
                state.settings = state.points[static_cast<std::size_t>(index)].settings;
        });
    });
    connect(points, &views::OperatingPoints::labelEdited, this, [this](int index, const QString& label) {
        m_document.change(tr("Name a point"), {}, [&](SessionState& state) {
            if (index >= 0 && index < static_cast<int>(state.points.size()))
                state.points[static_cast<std::size_t>(index)].label = label.toStdString();
        });
    });
}

void SpectrumController::setRank(const QString& name, qlonglong rank, const QString& mergeKey)
{
    m_document.change(tr("Rank of %1").arg(name), mergeKey,
                      [&](SessionState& state) { state.settings.budget.overrides[name.toStdString()].rank = rank; });
}

void SpectrumController::selectMatrices(const QStringList& selected)
{
    m_document.select([&](Selection& selection) {
        selection.overlay.clear();
        for (const auto& name : selected)
            selection.overlay.push_back(name.toStdString());
        if (!selection.overlay.empty() &&
            std::find(selection.overlay.begin(), selection.overlay.end(), selection.current) == selection.overlay.end())
            selection.current = selection.overlay.front();
    });
}

void SpectrumController::setWorkspace(WorkspacePointer workspace)
{
    m_lane.cancel();
    m_workspace = std::move(workspace);
    m_picture.reset();
    m_views.tree->setOutline(m_workspace ? m_workspace->outline : report::WorkspaceOutline());
    if (!m_workspace) {
        m_views.panel->setReport(nullptr);
        m_views.panel->setBudget(nullptr);
        m_views.panel->setLandscape(nullptr);
        m_views.header->setBudget(nullptr);
    }
    showState(m_document.state());
    request();
}

SpectrumRequest SpectrumController::requestFor(const SessionState& state) const
{
    SpectrumRequest r;
    r.checkpoint = m_workspace->checkpoint;
    r.calibration = m_workspace->calibration;
    r.method = state.settings.method;
    r.parameters = state.settings.parameters;
    if (const auto* method = spectrum::findMethod(r.method)) {
        if (method->needsCalibration && !r.calibration)
            r.method = "spectrum.plain"; // said in the header's warnings; the session keeps the user's choice
        r.parameters = spectrum::findMethod(r.method)->declaration.schema.complete(r.method == state.settings.method ? r.parameters : Parameters());
    }
    r.budget = state.settings.budget;
    r.current = state.selection.current;
    r.overlay = state.selection.overlay;
    r.series = state.chart.series;
    return r;
}

bool SpectrumController::isUpToDate() const { return m_upToDate; }

void SpectrumController::request()
{
    if (!m_workspace)
        return;
    try {
        m_lane.request(requestFor(m_document.state()));
    } catch (const std::exception& error) {
        emit failed(QString::fromUtf8(error.what()));
        return;
    }
    m_views.header->setStale(true);
    m_views.panel->setStale(true);
    if (std::exchange(m_upToDate, false))
        emit upToDateChanged(false);
}

void SpectrumController::stateChanged(const SessionState& before, const SessionState& after)
{
    showState(after);
    const bool redraw = !(before.settings == after.settings) || !(before.selection.overlay == after.selection.overlay) ||
                        !(before.chart == after.chart);
    if (redraw)
        request();
}

void SpectrumController::showMethod(const SessionState& state)
{
    const auto* method = spectrum::findMethod(state.settings.method);
    if (method && m_shownMethod != state.settings.method) {
        m_shownMethod = state.settings.method;
        m_views.method->setCurrentIndex(m_views.method->findData(text(m_shownMethod)));
        m_views.parameters->setSchema(method->declaration.schema);
    }
    if (method) {
        Parameters complete = method->declaration.schema.defaults();
        for (const auto& [name, value] : state.settings.parameters.all())
            complete.set(name, value);
        m_views.parameters->setValues(complete);
    }
}

void SpectrumController::showState(const SessionState& state)
{
    showMethod(state);
    const auto& budget = state.settings.budget;
    m_views.header->setSettings(budget.keep, text(plan::allocationName(budget.allocation)), text(plan::accountingName(budget.accounting)),
                                static_cast<int>(budget.alignment));
    m_views.panel->setOptions(state.chart.series, state.chart.logX, state.chart.logY);
    m_views.panel->setSelection(names(state.selection.overlay));
    m_views.tree->setSelection(names(state.selection.overlay));
    m_views.points->setPoints(operatingPoints(state.points));
    setCaptions();
}

void SpectrumController::setCaptions()
{
    const QString caption = text(m_workspace ? m_workspace->outline.modelPath + ": " : std::string()) + text(settingsLine(m_document.state().settings));
    m_views.panel->setCaption(caption);
    m_views.points->setCaption(caption);
}

void SpectrumController::show(const std::shared_ptr<const SpectrumPicture>& picture)
{
    const bool newSpectra = !m_picture || m_picture->spectra != picture->spectra;
    m_picture = picture;
    const std::shared_ptr<const report::BudgetReport> budget(picture, &picture->budget);
    auto* panel = m_views.panel;
    if (newSpectra) {
        panel->setReport(picture->spectra);
        panel->setLandscape(picture->landscape);
    }
    panel->setBudget(budget);
    panel->setSeries(picture->series, picture->request.series);
    m_views.header->setBudget(budget);
    if (const auto point = presentPoint())
        m_views.points->setCurrent(operatingPoints({*point}).front());

    const bool upToDate = picture->complete && m_workspace && samePicture(picture->request, requestFor(m_document.state()));
    panel->setStale(!upToDate);
    m_views.header->setStale(!upToDate);
    if (std::exchange(m_upToDate, upToDate) != upToDate)
        emit upToDateChanged(upToDate);
    if (m_document.state().selection.overlay.empty() && !panel->selection().isEmpty())
        selectMatrices(panel->selection());
    emit pictureShown();
}

std::optional<KeptPoint> SpectrumController::presentPoint() const
{
    if (!m_picture)
        return {};
    KeptPoint point;
    point.settings = m_document.state().settings;
    point.settings.method = m_picture->request.method;
    point.settings.parameters = m_picture->request.parameters;
    point.settings.budget = m_picture->request.budget;
    point.keep = m_picture->budget.achievedKeep;
    point.relativeLoss = m_picture->budget.predictedRelativeLoss;
    point.cost = m_picture->budget.after;
    point.label = "keep " + toText(std::round(point.settings.budget.keep * 1000) / 10) + " %, " +
                  std::string(plan::allocationName(point.settings.budget.allocation));
    return point;
}

void SpectrumController::keepPoint()
{
    if (const auto point = presentPoint())
        m_document.change(tr("Keep this point"), {}, [&](SessionState& state) { state.points.push_back(*point); });
}

void SpectrumController::keepBaseline()
{
    if (!m_picture || !m_picture->baseline)
        return;
    KeptPoint point;
    point.settings.method = "spectrum.plain";
    if (const auto* plain = spectrum::findMethod(point.settings.method))
        point.settings.parameters = plain->declaration.schema.defaults();
    point.settings.budget = m_picture->request.budget;
    point.settings.budget.allocation = plan::Allocation::Uniform;
    point.settings.budget.overrides.clear();
    point.keep = m_picture->baseline->keep;
    point.relativeLoss = m_picture->baseline->relativeLoss;
    point.cost = m_picture->baseline->cost;
    point.baseline = true;
    point.label = "plain SVD, keep " + toText(std::round(point.settings.budget.keep * 1000) / 10) + " %, uniform";
    m_document.change(tr("Keep the baseline"), {}, [&](SessionState& state) { state.points.push_back(point); });
}

void SpectrumController::lockCurrent(bool locked)
{
    const auto current = m_views.panel->current();
    if (!current.isEmpty())
        emit m_views.panel->lockToggled(current, locked);
}

void SpectrumController::clearOverrides()
{
    m_document.change(tr("Free all ranks"), {}, [](SessionState& state) { state.settings.budget.overrides.clear(); });
}

} // namespace tamis::app

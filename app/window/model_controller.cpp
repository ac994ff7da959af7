// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/model_controller.h"

#include "core/base/error.h"
#include "core/cost/ceilings.h"
#include "views/model/model_panel.h"
#include "views/photos/photo_grid.h"
#include "views/workspace/workspace_tree.h"

#include <QFileInfo>
#include <QSettings>

#include <algorithm>

namespace tamis::app {
namespace {
const QString kMachineKey = QStringLiteral("ceilings/machine"); ///< measured here
const QString kCeilingsKey = QStringLiteral("ceilings/chosen");
constexpr int kMostTokens = 1 << 20;

std::optional<report::Ceilings> storedCeilings(const QString& key)
{
    const QByteArray json = QSettings().value(key).toByteArray();
    if (json.isEmpty())
        return std::nullopt;
    try {
        return cost::ceilingsFromJson(json.toStdString(), key.toStdString());
    } catch (const Error&) {
        return std::nullopt; // of another version: measure again
    }
}

void store(const QString& key, const report::Ceilings& ceilings)
{
    QSettings().setValue(key, QByteArray::fromStdString(cost::ceilingsToJson(ceilings)));
}

std::vector<report::Ceilings> knownCeilings()
{
    std::vector<report::Ceilings> all;
    if (const auto machine = storedCeilings(kMachineKey))
        all.push_back(*machine);
    for (const auto& preset : cost::ceilingPresets())
        all.push_back(preset.ceilings);
    return all;
}
} // namespace

ModelController::ModelController(const ModelNeighbours& neighbours, const ModelViews& views, QObject* parent)
    : QObject(parent), m_with(neighbours), m_views(views),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_views.panel->setRunning(sentence); }, [this](const QString& sentence) { emit done(sentence); },
                               [this](const QString& sentence) { emit failed(sentence); }}), m_presets(knownCeilings()),
      m_costLane(
          [work = std::make_shared<CostWork>()](const CostRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const CostRequest&, Level, bool) { show(picture); }),
      m_photoLane(
          [work = std::make_shared<PhotoWork>()](const PhotosRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? PhotoWork::Picture() : work->refine(request, context, publish);
          },
          [this](const auto& picture, const PhotosRequest&, Level, bool) { showPhotos(picture); }),
      m_thumbnailLane(
          [](const ThumbnailRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? std::shared_ptr<const Thumbnails>() : makeThumbnails(request, context, publish);
          },
          [this](const std::shared_ptr<const Thumbnails>& made, const ThumbnailRequest&, Level, bool) {
              for (const auto& one : *made) {
                  const auto wanted = std::find_if(m_wanted.begin(), m_wanted.end(), [&](const auto& w) { return w.name == one.name; });
                  if (wanted == m_wanted.end())
                      continue; // shown before
                  m_wanted.erase(wanted);
                  one.failure.isEmpty() ? m_views.photoModel->setThumbnail(one.name, one.image) : m_views.photoModel->setThumbnailFailure(one.name, one.failure);
              }
          })
{
    m_ceilings = storedCeilings(kCeilingsKey).value_or(m_presets.empty() ? report::Ceilings() : m_presets.front());
    m_views.panel->setPresets(m_presets);
    connectViews();
    connectLanes();
    showActions();
}

void ModelController::connectViews()
{
    auto* panel = m_views.panel;
    connect(panel, &views::ModelPanel::evaluateRequested, this, &ModelController::evaluate);
    connect(panel, &views::ModelPanel::captureRequested, this, &ModelController::capture);
    connect(panel, &views::ModelPanel::measureRequested, this, &ModelController::measureLayers);
    connect(panel, &views::ModelPanel::measureMachineRequested, this, &ModelController::measureMachine);
    connect(panel, &views::ModelPanel::stopRequested, this, &ModelController::stop);
    connect(panel, &views::ModelPanel::ceilingsEdited, this, [this](const report::Ceilings& ceilings) { setCeilings(ceilings); });
    connect(panel, &views::ModelPanel::shapeEdited, this, [this](int tokens, int batch) {
        m_tokens = isVision() ? 0 : tokens;
        m_batch = batch;
        requestCosts();
    });
    connect(panel, &views::ModelPanel::selectionChanged, this, &ModelController::selectLayers);
    connect(panel, &views::ModelPanel::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
    connect(m_views.photos, &views::PhotoGrid::openFolderRequested, this, &ModelController::askAndOpenPhotos);
    connect(m_views.photoModel, &views::PhotoModel::thumbnailsRequested, this, &ModelController::requestThumbnails);
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState& before, const SessionState& after) {
        if (m_selecting || before.selection == after.selection)
            return;
        QStringList names;
        for (const auto& name : after.selection.overlay)
            names << QString::fromStdString(name);
        m_views.panel->setSelection(names);
    });
    connect(&m_with.spectrum, &SpectrumController::upToDateChanged, this, [this](bool upToDate) {
        showActions();
        if (upToDate) {
            requestCosts();
            requestPhotos();
        }
        m_views.panel->setStale(m_evaluation && m_evaluated != wholePicture());
    });
}

void ModelController::connectLanes()
{
    connect(&m_costLane, &LaneCore::failed, this, [this](const QString& sentence) {
        if (m_report) {
            emit failed(sentence);
            return;
        }
        m_views.panel->setEmptyState(tr("This checkpoint cannot be run"), sentence);
        m_views.panel->setReport(nullptr);
        showActions();
    });
    connect(&m_photoLane, &LaneCore::failed, this, [this](const QString& sentence) {
        if (!m_photos)
            closePhotos(); // the folder itself was refused
        emit failed(sentence);
    });
}

bool ModelController::isBusy() const { return m_costLane.isBusy() || m_photoLane.isBusy() || m_thumbnailLane.isBusy(); }
bool ModelController::isVision() const { return m_report && m_report->task.rfind("image", 0) == 0; }

void ModelController::setWorkspace(std::shared_ptr<const Workspace> workspace)
{
    m_costLane.cancel();
    const bool sameModel = m_model && workspace && m_model->workspace()->outline.modelPath == workspace->outline.modelPath;
    if (!sameModel) {
        m_report.reset();
        m_measured.reset();
        m_tokens = 0;
        m_views.panel->setReport(nullptr);
        m_views.panel->setEmptyState(workspace ? tr("Counting what the model costs") : tr("No model is open"),
                                     workspace ? QString() : tr("Open a directory with config.json and weights to see its layers and what they cost."));
        m_evaluation.reset();
        m_evaluated.reset();
        m_views.panel->setEvaluation(nullptr);
    }
    m_views.panel->setActivations({}, {});
    m_model = workspace ? std::make_shared<RunnableModel>(workspace) : nullptr;
    if (!workspace && m_photos)
        m_views.photoModel->setReport(nullptr);
    requestCosts();
    requestPhotos();
    showActions();
}

PicturePointer ModelController::wholePicture() const
{
    const auto& picture = m_with.spectrum.picture();
    const bool whole = m_model && picture && picture->complete && m_with.spectrum.isUpToDate() &&
                       picture->request.checkpoint == m_model->workspace()->checkpoint && replacesOperators(*picture);
    return whole ? picture : nullptr;
}

CostRequest ModelController::costRequest() const
{
    return {.workspace = m_model->workspace(), .tokens = m_tokens, .batch = m_batch, .ceilings = m_ceilings, .picture = wholePicture()};
}

void ModelController::requestCosts()
{
    if (m_model)
        m_costLane.request(costRequest());
}

void ModelController::show(const std::shared_ptr<const CostPicture>& picture)
{
    if (!m_model || picture->request.workspace != m_model->workspace())
        return;
    auto report = std::make_shared<report::ModelCostReport>(*picture->cost);
    CostRequest asked = picture->request;
    if (m_measured) {
        asked.ceilings = m_measured->request.ceilings; // they change predictions alone
        if (asked == m_measured->request) {
            report->measuredMs = m_measured->report->measuredMs;
            for (std::size_t i = 0; i < report->layers.size(); ++i)
                for (const auto& layer : m_measured->report->layers)
                    if (layer.name == report->layers[i].name)
                        report->layers[i].measuredMs = layer.measuredMs;
        }
    }
    const bool first = !m_report;
    m_report = std::move(report);
    m_views.panel->setReport(m_report);
    if (first) {
        const int tokens = static_cast<int>(std::clamp<std::int64_t>(m_report->tokens, 1, kMostTokens));
        m_views.panel->setTokensRange(isVision() ? tokens : 1, isVision() ? tokens : kMostTokens, tokens);
        QStringList names;
        for (const auto& name : m_with.document.state().selection.overlay)
            names << QString::fromStdString(name);
        m_views.panel->setSelection(names);
    }
    const auto& calibration = m_model->workspace()->calibration;
    if (!picture->activations.empty() || !calibration)
        m_views.panel->setActivations(picture->activations, calibration ? QString::fromStdString(calibration->inputs()) : QString());
    showActions();
    emit reportShown();
}

QString ModelController::disabledReason() const
{
    if (!m_model)
        return tr("nothing is open");
    if (!m_report)
        return tr("this checkpoint cannot be run");
    if (!m_with.spectrum.isUpToDate())
        return tr("the spectra are still being computed");
    return {};
}

void ModelController::showActions()
{
    const QString reason = disabledReason();
    m_views.panel->setDisabledReasons(reason, reason, reason);
}

void ModelController::selectLayers(const QStringList& names)
{
    if (!m_model)
        return;
    const auto& matrices = m_model->workspace()->outline.matrices;
    std::vector<std::string> chosen;
    for (const auto& name : names)
        if (std::any_of(matrices.begin(), matrices.end(), [&](const auto& m) { return m.name == name.toStdString(); }))
            chosen.push_back(name.toStdString());
    if (chosen.empty())
        return; // norms and attentions have no spectrum: the other labs keep theirs
    m_selecting = true;
    m_with.document.select([&](Selection& selection) {
        selection.overlay = chosen;
        if (std::find(chosen.begin(), chosen.end(), selection.current) == chosen.end())
            selection.current = chosen.front();
    });
    m_selecting = false;
}

void ModelController::setCeilings(const report::Ceilings& ceilings)
{
    m_ceilings = ceilings;
    store(kCeilingsKey, ceilings);
    requestCosts();
}

void ModelController::rememberMachine(const report::Ceilings& measured)
{
    store(kMachineKey, measured);
    m_presets = knownCeilings();
    m_views.panel->setPresets(m_presets);
    setCeilings(measured);
}

// Photos --------------------------------------------------------------------------------------------------------------

QString ModelController::photoFolder() const { return QString::fromStdString(m_folder.string()); }

void ModelController::askAndOpenPhotos()
{
    if (const QString folder = m_with.ask.openDirectory(tr("Open a folder of photos")); !folder.isEmpty())
        openPhotos(folder);
}

void ModelController::openPhotos(const QString& folder)
{
    m_photos.reset();
    m_folder = folder.toStdString();
    m_views.photos->setFolder(QFileInfo(folder).fileName());
    requestPhotos();
    emit photoFolderChanged(folder);
}

void ModelController::closePhotos()
{
    m_photoLane.cancel();
    m_thumbnailLane.cancel();
    m_folder.clear();
    m_photos.reset();
    m_wanted.clear();
    m_views.photoModel->setPhotos({});
    m_views.photoModel->setReport(nullptr);
    m_views.photos->setFolder({});
    m_views.tree->setPhotos({}, 0);
    emit photoFolderChanged({});
}

void ModelController::requestPhotos()
{
    if (!m_folder.empty())
        m_photoLane.request({.folder = m_folder, .model = m_model, .picture = wholePicture()});
}

void ModelController::showPhotos(const std::shared_ptr<const PhotosPicture>& picture)
{
    if (picture->request.folder != m_folder)
        return;
    if (m_photos != picture->photos) {
        m_photos = picture->photos;
        m_wanted.clear();
        m_views.photoModel->setPhotos(*m_photos);
        m_views.tree->setPhotos(photoFolder(), static_cast<int>(m_photos->size()));
    }
    if (picture->report)
        m_views.photoModel->setReport(picture->report);
    else if (picture->request.model == nullptr || !picture->problem.isEmpty())
        m_views.photoModel->setReport(nullptr);
    m_views.photos->setProblem(picture->problem);
    emit photosShown(picture->report || !picture->problem.isEmpty() || !picture->request.model);
}

void ModelController::requestThumbnails(const QStringList& names)
{
    if (!m_photos)
        return;
    std::vector<ThumbnailRequest::Wanted> wanted;
    for (const auto& name : names)
        if (const auto* entry = m_views.photoModel->photo(m_views.photoModel->rowOf(name)))
            wanted.push_back({name, std::filesystem::path(entry->path.toStdString())});
    m_wanted.insert(m_wanted.begin(), wanted.begin(), wanted.end()); // what is in sight now comes first
    m_thumbnailLane.request({m_wanted});
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/attention_map_controller.h"

#include "views/lowrank/attention_panel.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/photos/photo_model.h"

#include <algorithm>

namespace tamis::app {

AttentionMapController::AttentionMapController(const AttentionMapNeighbours& neighbours, views::LowRankPanel& lab, views::PhotoModel& photos, QObject* parent)
    : QObject(parent), m_with(neighbours), m_panel(new views::AttentionPanel(photos)),
      m_lane(
          [work = std::make_shared<AttentionMapWork>()](const AttentionRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const AttentionRequest&, Level, bool) { show(picture); })
{
    lab.addPage(m_panel, tr("Attention maps"), QStringLiteral("attention"), m_panel->settings());
    connectPanel();
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) {
        if (m_picture)
            m_panel->setProblem(sentence);
        else
            m_panel->setEmptyState(tr("No attention maps"), sentence, isVision() ? tr("Open photos…") : tr("Open a text…"));
        emit failed(sentence);
    });
    connect(&m_lane, &LaneCore::busyChanged, m_panel, &views::AttentionPanel::setStale);
    connect(&m_with.model, &ModelController::photoFolderChanged, this, [this] {
        if (isVision())
            startOver();
    });
    connect(&m_with.model, &ModelController::reportShown, this, [this] { // the model's kind is known
        if (!m_picture)
            request();
    });
    connect(&m_with.spectrum, &SpectrumController::upToDateChanged, this, [this](bool upToDate) {
        if (upToDate && m_sources)
            request();
    });
    showEmpty();
}

void AttentionMapController::connectPanel()
{
    connect(m_panel, &views::AttentionPanel::valueEdited, this, [this](const QString& name, const ParameterValue& value, bool) {
        m_asked.parameters.set(name.toStdString(), value);
        m_panel->setValues(m_sources ? m_sources->schema.complete(m_asked.parameters) : m_asked.parameters);
        request();
    });
    connect(m_panel, &views::AttentionPanel::headChosen, this, [this](int layer, int head) {
        m_asked.layer = layer;
        m_asked.head = head;
        request();
    });
    connect(m_panel, &views::AttentionPanel::mapChosen, this, [this](int map) {
        m_asked.map = map;
        request();
    });
    connect(m_panel, &views::AttentionPanel::sourceChosen, this, [this](report::MapSource source) {
        m_asked.source = source;
        request();
    });
    connect(m_panel, &views::AttentionPanel::sampleChosen, this, [this](int index) {
        if (m_asked.sample == static_cast<std::size_t>(index))
            return;
        m_asked.sample = static_cast<std::size_t>(index);
        request();
    });
    connect(m_panel, &views::AttentionPanel::openRequested, this, &AttentionMapController::askAndOpen);
    connect(m_panel, &views::AttentionPanel::shown, this, [this] {
        if (m_waiting)
            request();
    });
    connect(m_panel, &views::AttentionPanel::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
}

bool AttentionMapController::isVision() const { return m_with.model.report() && m_with.model.report()->task.rfind("image", 0) == 0; }

std::filesystem::path AttentionMapController::samples() const
{
    return isVision() ? std::filesystem::path(m_with.model.photoFolder().toStdString()) : m_text;
}

void AttentionMapController::setWorkspace(const std::shared_ptr<const Workspace>& workspace)
{
    m_lane.cancel();
    const bool sameModel = m_workspace && workspace && m_workspace->outline.modelPath == workspace->outline.modelPath;
    m_workspace = workspace;
    if (!sameModel) {
        m_asked = {};
        m_text = workspace ? textBeside(workspace->outline.modelPath) : std::filesystem::path();
    }
    m_picture.reset();
    m_sources.reset();
    m_panel->setReport(nullptr);
    request();
}

void AttentionMapController::askAndOpen()
{
    if (isVision())
        m_with.model.askAndOpenPhotos();
    else if (const QString file = m_with.ask.open(tr("Text or tokens to look at"), tr("Texts and tokens (*.txt *.md *.npy *.ids);;All files (*)")); !file.isEmpty())
        openText(file);
}

void AttentionMapController::openText(const QString& file)
{
    m_text = file.toStdString();
    startOver();
}

void AttentionMapController::startOver()
{
    m_asked.sample = 0;
    Parameters kept; // how many to average over depends on the samples
    for (const auto& [name, value] : m_asked.parameters.all())
        if (name != "average")
            kept.set(name, value);
    m_asked.parameters = kept;
    request();
}

void AttentionMapController::showEmpty()
{
    const QString open = isVision() ? tr("Open photos…") : tr("Open a text…");
    if (!m_workspace)
        m_panel->setEmptyState(tr("No model is open"), tr("Open a directory with config.json and weights to see what its heads look at."), {});
    else if (!m_with.model.report())
        m_panel->setEmptyState(tr("No attention maps yet"), tr("The model has not been read yet, or cannot be run."), {});
    else if (samples().empty())
        m_panel->setEmptyState(isVision() ? tr("No photos are open") : tr("No text is open"),
                               tr("Open some to see what each head looks at, exactly and through fewer parameters."), open);
    else
        m_panel->setEmptyState(tr("Reading the samples"), {}, {});
    m_panel->setOpenAction(m_with.model.report() ? open : QString());
}

void AttentionMapController::request()
{
    m_waiting = !m_panel->isVisible();
    if (!m_workspace || !m_with.model.report() || !m_with.model.runnable() || samples().empty()) {
        m_lane.cancel();
        m_picture.reset();
        m_sources.reset();
        m_panel->setReport(nullptr);
        showEmpty();
        return;
    }
    if (!m_picture)
        showEmpty();
    if (m_waiting)
        return;
    const auto& picture = m_with.spectrum.picture();
    const bool plan = picture && picture->complete && m_with.spectrum.isUpToDate() && picture->request.checkpoint == m_workspace->checkpoint && replacesOperators(*picture);
    m_panel->setPlanOffered(plan);
    if (!plan && m_asked.source == report::MapSource::Plan)
        m_asked.source = report::MapSource::Joint;
    m_repaints.await(m_panel);
    m_lane.request({.model = m_with.model.runnable(), .samples = samples(), .picture = plan ? picture : nullptr, .map = m_asked});
}

void AttentionMapController::show(const std::shared_ptr<const AttentionPicture>& picture)
{
    if (!m_workspace || picture->request.model != m_with.model.runnable() || picture->request.samples != samples())
        return;
    m_picture = picture;
    if (m_sources != picture->sources) {
        m_sources = picture->sources;
        m_panel->setSchema(m_sources->schema);
        m_panel->setValues(m_sources->schema.complete(m_asked.parameters));
        if (m_sources->photos) {
            m_panel->setPhotos();
        } else {
            std::vector<views::ListedText> texts;
            for (std::size_t i = 0; i < m_sources->names.size(); ++i)
                texts.push_back({QString::fromStdString(m_sources->names[i]), QString::fromStdString(m_sources->beginnings[i])});
            m_panel->setTexts(texts);
        }
        m_panel->setShownSample(static_cast<int>(picture->report->sampleIndex));
    }
    if (m_sources->photos)
        m_panel->setPhoto(picture->photo);
    m_panel->setReport(picture->report);
    m_repaints.release();
    emit pictureShown(picture->report->complete);
}

} // namespace tamis::app

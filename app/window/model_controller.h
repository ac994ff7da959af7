// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/samples/sample_request.h"
#include "app/session/session_document.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/model_work.h"
#include "app/window/photo_work.h"
#include "app/window/spectrum_controller.h"
#include "app/window/workspace_controller.h"

#include <QObject>

#include <functional>
#include <memory>
#include <optional>

namespace tamis::views {
class ModelPanel;
class PhotoGrid;
} // namespace tamis::views

namespace tamis::app {

/// The views that a runnable model is shown in. Not owned.
struct ModelViews {
    views::ModelPanel* panel = nullptr;
    views::PhotoModel* photoModel = nullptr;
    views::PhotoGrid* photos = nullptr;
    views::WorkspaceTree* tree = nullptr;
};

/// What the controller shares with the others. Not owned.
struct ModelNeighbours {
    SessionDocument& document;
    SpectrumController& spectrum;
    WorkspaceController& workspaces;
    ExportController& exports;
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// Between the workspace, the budget and the model tab: costs follow both on a lane; evaluation, capture and measurements are
/// jobs; photos and their thumbnails have lanes of their own. Nothing here is undoable.
class ModelController : public QObject
{
    Q_OBJECT
public:
    ModelController(const ModelNeighbours& neighbours, const ModelViews& views, QObject* parent = nullptr);

    void setWorkspace(std::shared_ptr<const Workspace> workspace); ///< null: nothing is open
    void evaluate();       ///< asks for photos or text
    void capture();        ///< asks for photos or text and for a file
    void measureLayers();
    void measureMachine();
    void stop() { m_jobs.stop(); }           ///< the jobs started here
    void askAndOpenPhotos();
    void openPhotos(const QString& folder);
    void closePhotos();
    QString photoFolder() const; ///< empty: none
    /// Why model jobs cannot start now; empty: they can.
    QString disabledReason() const;
    const std::shared_ptr<const report::ModelCostReport>& report() const noexcept { return m_report; }
    const std::shared_ptr<const report::EvaluationReport>& evaluation() const noexcept { return m_evaluation; }
    /// What is open, to run; null: nothing. Shared with the low-rank lab, so that weights are loaded once.
    const std::shared_ptr<RunnableModel>& runnable() const noexcept { return m_model; }
    bool isBusy() const; ///< a lane computes

signals:
    void photoFolderChanged(const QString& folder); ///< empty: closed
    void reportShown();
    void photosShown(bool complete); ///< complete: with the model's classes
    void evaluated();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    struct Measurement {
        std::shared_ptr<const report::ModelCostReport> report;
        CostRequest request;
    };
    void connectViews();
    void connectLanes();
    CostRequest costRequest() const;
    PicturePointer wholePicture() const; ///< null: none, or still being computed
    void requestCosts();
    void requestPhotos();
    void requestThumbnails(const QStringList& names);
    void show(const std::shared_ptr<const CostPicture>& picture);
    void showPhotos(const std::shared_ptr<const PhotosPicture>& picture);
    void showActions();
    void setCeilings(const report::Ceilings& ceilings);
    void rememberMachine(const report::Ceilings& measured); ///< among the presets, in the settings, and chosen
    void selectLayers(const QStringList& names);
    std::optional<SampleRequest> askSamples(const QString& title);
    bool isVision() const;

    ModelNeighbours m_with;
    ModelViews m_views;
    JobGroup m_jobs;
    std::shared_ptr<RunnableModel> m_model;
    std::shared_ptr<const report::ModelCostReport> m_report;
    std::shared_ptr<const report::EvaluationReport> m_evaluation;
    PicturePointer m_evaluated; ///< what m_evaluation compared
    std::optional<Measurement> m_measured;
    report::Ceilings m_ceilings;
    std::vector<report::Ceilings> m_presets;
    std::int64_t m_tokens = 0, m_batch = 1;
    std::filesystem::path m_folder;
    std::shared_ptr<const std::vector<views::PhotoEntry>> m_photos;
    std::vector<ThumbnailRequest::Wanted> m_wanted;
    bool m_selecting = false;
    Lane<CostRequest, CostPicture> m_costLane;
    Lane<PhotosRequest, PhotosPicture> m_photoLane;
    Lane<ThumbnailRequest, Thumbnails> m_thumbnailLane;
};

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/lane.h"
#include "app/window/attention_map_work.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/model_controller.h"
#include "app/window/repaint_delay.h"
#include "app/window/spectrum_controller.h"

#include <QObject>

#include <memory>

namespace tamis::views {
class AttentionPanel;
class LowRankPanel;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct AttentionMapNeighbours {
    ModelController& model;
    SpectrumController& spectrum;
    ExportController& exports;
    const FileQuestions& ask;
};

/// Between the model, its photos or texts and the attention-map page: every edit is a request on a lane, the shown head comes first, all
/// heads and the output later. Nothing is computed while the page is out of sight. Nothing here is undoable.
class AttentionMapController : public QObject
{
    Q_OBJECT
public:
    /// Adds the page "Attention maps" to `lab`.
    AttentionMapController(const AttentionMapNeighbours& neighbours, views::LowRankPanel& lab, views::PhotoModel& photos, QObject* parent = nullptr);

    void setWorkspace(const std::shared_ptr<const Workspace>& workspace); ///< null: nothing is open; after the model controller's
    void openText(const QString& file); ///< tokens (.npy, .ids) or UTF-8 text; a language model's samples
    views::AttentionPanel& panel() const noexcept { return *m_panel; }
    const std::shared_ptr<const AttentionPicture>& picture() const noexcept { return m_picture; }
    bool isBusy() const { return m_lane.isBusy(); }
    const LaneCore& lane() const noexcept { return m_lane; }

signals:
    void pictureShown(bool complete);
    void failed(const QString& sentence);

private:
    void connectPanel();
    bool isVision() const;
    std::filesystem::path samples() const; ///< empty: none are open
    void askAndOpen();
    void startOver(); ///< with other samples
    void request();  ///< where the page is in sight; else when it comes
    void showEmpty();
    void show(const std::shared_ptr<const AttentionPicture>& picture);

    AttentionMapNeighbours m_with;
    views::AttentionPanel* m_panel; ///< the lab owns it
    std::shared_ptr<const Workspace> m_workspace;
    std::filesystem::path m_text;
    lowrank::AttentionMapRequest m_asked;
    std::shared_ptr<const AttentionSources> m_sources; ///< that the page shows
    std::shared_ptr<const AttentionPicture> m_picture;
    bool m_waiting = false; ///< for the page to come into sight
    RepaintDelay m_repaints; ///< of an edit, until its first picture
    Lane<AttentionRequest, AttentionPicture> m_lane;
};

} // namespace tamis::app

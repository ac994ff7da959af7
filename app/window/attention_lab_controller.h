// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "app/window/attention_lab_work.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/model_controller.h"
#include "app/window/repaint_delay.h"
#include "core/attention/suited_methods.h"
#include "core/plan/plan.h"
#include "core/report/attention_report.h"
#include "views/attention/attention_settings.h"

#include <QObject>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace tamis::views {
class AttentionLabPanel;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct AttentionLabNeighbours {
    SessionDocument& document;
    ModelController& model;
    ExportController& exports;
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// Between the session, the open model, its photos or texts and the attention lab's tab. Methods, parameters and what is chosen for heads and
/// blocks alone are undoable; every edit is a request on a lane that shows the viewed head first, all heads and the output later. Comparisons,
/// lengths, effects of single heads and the search for suited methods are jobs. Nothing is computed while the tab is out of sight.
class AttentionLabController : public QObject
{
    Q_OBJECT
public:
    AttentionLabController(const AttentionLabNeighbours& neighbours, views::AttentionLabPanel& panel, QObject* parent = nullptr);

    void setWorkspace(const std::shared_ptr<const Workspace>& workspace); ///< after the model controller's; null: nothing is open
    void openText(const QString& file); ///< tokens (.npy, .ids) or UTF-8 text; a language model's samples
    void askAndOpen();                  ///< photos or a text, as the model reads
    void compare();        ///< every method at several settings, in the general method's blocks
    void measureLengths(); ///< exact attention and what stands in the viewed block, from 64 to 16384 tokens
    void measureEffects(); ///< each head alone, replaced
    void findSuited();     ///< every method at several settings on every head
    void stop();           ///< the jobs started here
    void askFitted();      ///< what fitted methods are fitted to
    void setFitted(const std::filesystem::path& path); ///< empty: the first of the samples
    /// A model that was trained: its weights may be looked at in place of the checkpoint's. Null: there is none (any more).
    void offerTrained(const std::shared_ptr<const attention::TunedModel>& trained);
    void lookAtTrained(bool trained); ///< where there is one: maps, heads, comparisons are of its weights
    const std::shared_ptr<const attention::TunedModel>& trainedWeights() const noexcept { return m_looked; } ///< that are looked at; null: the checkpoint's
    void showWorth(const report::AttentionComparison& worth); ///< of a training: beside the methods that were compared on the same samples, else alone
    void useHere(const views::HeadPlace& place);    ///< the general method
    void exactHere(const views::HeadPlace& place);
    void forget(const views::HeadPlace& place);
    void forgetAll();
    void takeSuited(const views::HeadPlace& place); ///< what was found for the head
    void takeAllSuited();                           ///< under the asked share of all heads' multiply-adds
    std::vector<plan::PlannedAttention> planned() const; ///< what was chosen, for a plan; nothing where nobody chose
    void showWorst();      ///< the head with the largest output error
    void chooseHead(int layer, std::int64_t head);
    views::HeadPlace viewed() const; ///< head that is seen closely

    QString disabledReason() const;       ///< why there is nothing to look at; empty: there is
    QString effectsDisabledReason() const;
    QString suitedDisabledReason() const; ///< of the search
    QString takeDisabledReason() const;   ///< of taking what was found
    QString forgetDisabledReason() const;
    QString compareDisabledReason() const;
    QString lengthsDisabledReason() const;

    const std::shared_ptr<const AttentionLabPicture>& picture() const noexcept { return m_picture; }
    const std::shared_ptr<const AttentionLabSources>& sources() const noexcept { return m_sources; } ///< null: none
    const std::optional<attention::HeadCandidates>& candidates() const noexcept { return m_candidates; }
    const std::shared_ptr<const report::AttentionComparison>& comparison() const noexcept { return m_comparison; }
    const LaneCore& lane() const noexcept { return m_lane; }
    bool isBusy() const { return m_lane.isBusy(); }
    bool isUpToDate() const; ///< all of the picture is of the present choices

signals:
    void pictureShown(bool complete);
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    using HeadKey = std::pair<int, std::int64_t>;
    void connectPanel();
    void connectSettings();
    void connectLane();
    void edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(AttentionChoice&)>& change);
    void editMethod(const QString& id);
    void editParameter(const QString& name, const ParameterValue& value, bool finished);
    AttentionPlace shownPlace() const; ///< what the form shows: of the scope
    bool isVision() const;
    std::filesystem::path samplePath() const; ///< empty: none are open
    std::optional<AttentionLabRequest> request() const;
    void ask(); ///< the lane, where the panel is in sight; else when it comes
    void show(const std::shared_ptr<const AttentionLabPicture>& picture, bool final);
    void takeSources(const std::shared_ptr<const AttentionLabSources>& sources);
    void showReport();
    void showState();
    void showMethods();
    void showChoices();
    void showEmpty();
    void showComparison(const std::shared_ptr<const report::AttentionComparison>& comparison);
    void takePoint(int index);
    void weightsChanged(); ///< what jobs measured is of other ones
    QString caption() const;
    /// `work` is given the sources and the captured samples, none of them one that the choices, or `tried`, are fitted to; it runs on a worker.
    struct Studied {
        std::shared_ptr<const AttentionLabSources> sources;
        attention::AttentionRequest request;
        std::vector<std::shared_ptr<const attention::AttentionCapture>> samples;
        attention::AssignmentInputs with;
        std::shared_ptr<const nn::Model> model; ///< the looked-at weights with exact attention
        attention::BlockOperators made;         ///< of the choices
    };
    using StudiedWork = std::function<QString(const Studied&, const RunContext&)>;
    void startStudied(const QString& title, const QString& running, int& job, StudiedWork work, const std::vector<attention::HeadChoice>& tried = {});
    void ended(int& job);

    AttentionLabNeighbours m_with;
    views::AttentionLabPanel& m_panel;
    JobGroup m_jobs;
    std::shared_ptr<const Workspace> m_workspace;
    std::filesystem::path m_text;
    views::AttentionScope m_scope = views::AttentionScope::General;
    std::shared_ptr<const AttentionLabSources> m_sources; ///< that the panel shows; null: none
    std::string m_fittedOf;                               ///< AttentionChoice::fitted of m_sources
    std::shared_ptr<const AttentionLabPicture> m_picture;
    std::optional<AttentionLabRequest> m_asked;           ///< last
    bool m_final = false;                                 ///< m_picture is all there is to say
    std::shared_ptr<const attention::TunedModel> m_trained, m_looked; ///< that there is; that is looked at (the same, or null)
    std::map<HeadKey, double> m_effects;                  ///< measured with m_effectsOf
    AttentionChoice m_effectsOf;
    std::optional<attention::HeadCandidates> m_candidates;
    std::shared_ptr<const report::AttentionComparison> m_comparison;
    int m_comparing = 0, m_measuringLengths = 0, m_measuringEffects = 0, m_searching = 0; ///< jobs; 0: none
    bool m_waiting = false;  ///< for the panel to come into sight
    RepaintDelay m_repaints; ///< of an edit, until its first picture
    Lane<AttentionLabRequest, AttentionLabPicture> m_lane;
};

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/workspace_controller.h"

#include "app/session/session_file.h"
#include "app/window/attention_lab_work.h"
#include "app/window/cache_plan.h"
#include "app/window/reuse_plan.h"
#include "app/window/token_plan_controller.h"
#include "core/base/error.h"
#include "core/io/sae_checkpoint.h"
#include "core/lowrank/method.h"
#include "core/plan/plan.h"
#include "core/spectrum/method.h"

#include <QFileInfo>

namespace tamis::app {
namespace {
const QString kModelFilter = QStringLiteral(
    "Checkpoints, sessions and plans (*.safetensors *.index.json *.npy *.npz *.pt *.pth *.tamis *.json *.h5);;All files (*)");
const QString kSessionFilter = QStringLiteral("Tamis session (*.tamis)");
/// A plan that says nothing of the attention leaves it as it is.
void takeAttention(SessionState& state, const plan::Plan& plan)
{
    std::vector<attention::HeadChoice> choices;
    for (const auto& each : plan.attention)
        choices.push_back({each.block, each.head, each.method, each.parameters});
    if (choices.empty())
        return;
    state.attention = attentionChoice(choices);
    state.attention.seed = plan.attentionSeed;
}
} // namespace

WorkspaceController::WorkspaceController(SessionDocument& document, JobQueue& jobs, RecentFiles& recent, const FileQuestions& ask, QObject* parent)
    : QObject(parent), m_document(document), m_jobs(jobs), m_recent(recent), m_ask(ask)
{
}

void WorkspaceController::open(const QString& path)
{
    const QFileInfo file(path);
    if (io::looksLikeSparseAutoencoder(path.toStdString()))
        emit autoencoderRequested(file.absoluteFilePath());
    else if (file.suffix() == QLatin1String(kSessionSuffix))
        openSession(path);
    else if (file.suffix() == QLatin1String("h5") || file.suffix() == QLatin1String("hdf5"))
        openModel(QString::fromStdString(m_document.state().modelPath), path);
    else if (file.suffix() == QLatin1String("json") && !file.fileName().endsWith(QLatin1String(".index.json")) && file.fileName() != QLatin1String("config.json"))
        openPlan(path);
    else
        openModel(path);
}

void WorkspaceController::openModel(const QString& model, const QString& calibration)
{
    if (model.isEmpty()) {
        emit failed(tr("Open a checkpoint first: a calibration set belongs to one."));
        return;
    }
    SessionState state;
    if (m_workspace && QString::fromStdString(m_document.state().modelPath) == model)
        state = m_document.state(); // another calibration set for the same model: settings stay
    state.selection.photos = m_document.state().selection.photos; // photos are looked at with any model
    keepOpened(state, m_document.state());
    state.modelPath = QFileInfo(model).absoluteFilePath().toStdString();
    state.calibrationPath = calibration.isEmpty() ? std::string() : QFileInfo(calibration).absoluteFilePath().toStdString();
    load(std::move(state), {}, false);
}

void WorkspaceController::load(SessionState state, const QString& sessionFile, bool markChanged, std::function<void()> whenOpen)
{
    if (state.modelPath.empty() && standsAlone(state)) { // a session of labs that need no model
        m_workspace.reset();
        m_sessionFile = sessionFile;
        m_document.reset(state);
        if (markChanged)
            m_document.undoStack().resetClean();
        if (!sessionFile.isEmpty())
            m_recent.add(sessionFile);
        emit workspaceChanged();
        emit sessionFileChanged();
        return;
    }
    auto opened = std::make_shared<std::shared_ptr<const Workspace>>();
    const QString name = QFileInfo(QString::fromStdString(state.modelPath)).fileName();
    JobQueue::Work work = [opened, model = state.modelPath, calibration = state.calibrationPath](const RunContext& context) {
        *opened = openWorkspace(model, calibration, context);
        return tr("%1 matrices").arg((*opened)->outline.matrices.size());
    };
    m_jobs.add(
        tr("Open %1").arg(name), std::move(work),
        [this, opened, state = std::move(state), sessionFile, markChanged, whenOpen = std::move(whenOpen)](const Job& job) mutable {
            if (job.state != JobState::Finished) {
                if (job.state == JobState::Failed)
                    emit failed(job.message);
                return;
            }
            m_workspace = *opened;
            m_sessionFile = sessionFile;
            state.calibrationPath = m_workspace->outline.calibrationPath;
            if (state.settings.parameters.all().empty())
                if (const auto* method = spectrum::findMethod(state.settings.method))
                    state.settings.parameters = method->declaration.schema.defaults();
            if (sessionFile.isEmpty() && !markChanged)
                keepOpened(state, m_document.state()); // may have been opened while the model was read
            if (sessionFile.isEmpty() && state.selection.photos.empty())
                state.selection.photos = m_document.state().selection.photos; // opened while the model was read
            m_document.reset(state);
            if (markChanged)
                m_document.undoStack().resetClean();
            m_recent.add(sessionFile.isEmpty() ? QString::fromStdString(state.modelPath) : sessionFile);
            for (const auto& warning : m_workspace->warnings)
                emit warned(QString::fromStdString(warning));
            emit workspaceChanged();
            emit sessionFileChanged();
            if (whenOpen)
                whenOpen();
        });
}

void WorkspaceController::openSession(const QString& file)
{
    try {
        load(readSession(file.toStdString()), QFileInfo(file).absoluteFilePath(), false);
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
    }
}

void WorkspaceController::recoverSession(const QString& autosave)
{
    try {
        load(readSession(autosave.toStdString()), {}, true);
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
    }
}

void WorkspaceController::openPlan(const QString& file)
{
    try {
        const plan::Plan plan = plan::readPlan(file.toStdString());
        const auto tokens = plannedTokensOf(plan, file.toStdString());
        const auto reuse = plannedReuseOf(plan, file.toStdString());
        const auto cache = plannedCacheOf(plan, file.toStdString());
        if (lowrank::findMethod(plan.method)) {
            openLowRankPlan(plan, tokens);
            return;
        }
        const bool linearAsTheyAre = plan.method.empty() && plan.operators.empty() && (tokens || cache || reuse || !plan.attention.empty());
        if (!spectrum::findMethod(plan.method) && !linearAsTheyAre)
            throw Error(ErrorCode::InvalidParameter, "found the method \"" + plan.method + "\", expected one of the spectrum or the low-rank lab", file.toStdString());
        const auto take = [&](SessionState& state) {
            if (linearAsTheyAre)
                state.settings.budget = plan.budget; // its keep is 1: all operators as they are
            else
                state.settings = {plan.method, plan.parameters, plan.budget};
            takePlannedTokens(state, tokens);
            takePlannedReuse(state, reuse);
            takePlannedCache(state, cache);
            takeAttention(state, plan);
        };
        if (!m_workspace && plan.modelPath.empty() && cache) { // a plan of a cache alone: what is open stays
            m_document.change(tr("Open plan %1").arg(QFileInfo(file).fileName()), {}, [&](SessionState& state) { takePlannedCache(state, cache); });
            return;
        }
        if (!m_workspace) {
            SessionState state;
            keepOpened(state, m_document.state());
            state.modelPath = plan.modelPath;
            state.calibrationPath = plan.calibrationPath;
            take(state);
            load(std::move(state), {}, true, [this, tokens] { tellTokens(tokens); });
            return;
        }
        m_document.change(tr("Open plan %1").arg(QFileInfo(file).fileName()), {}, take);
        tellTokens(tokens);
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
    }
}

void WorkspaceController::tellTokens(const std::optional<plan::PlannedTokens>& tokens)
{
    if (tokens)
        emit told(tr("The plan reduces tokens: the token lab is set to %1.").arg(plannedTokensTitle(*tokens, 0)));
}

void WorkspaceController::openLowRankPlan(const plan::Plan& plan, const std::optional<plan::PlannedTokens>& tokens)
{
    if (m_workspace) {
        m_document.change(tr("Take the plan's tokens and attention"), {}, [&](SessionState& state) {
            takePlannedTokens(state, tokens);
            takePlannedReuse(state, plannedReuseOf(plan, {}));
            takePlannedCache(state, plannedCacheOf(plan, {}));
            takeAttention(state, plan);
        });
        emit lowRankPlanOpened(plan);
        tellTokens(tokens);
        return;
    }
    SessionState state; // the spectrum lab's own settings are not the plan's
    state.modelPath = plan.modelPath;
    state.calibrationPath = plan.calibrationPath;
    state.lowRank.run = {plan.method, plan.parameters, plan.budget};
    takePlannedTokens(state, tokens);
    takePlannedReuse(state, plannedReuseOf(plan, {}));
    takePlannedCache(state, plannedCacheOf(plan, {}));
    takeAttention(state, plan);
    load(std::move(state), {}, true, [this, plan, tokens] {
        emit lowRankPlanOpened(plan);
        tellTokens(tokens);
    });
}

void WorkspaceController::askAndOpenFile()
{
    if (const QString path = m_ask.open(tr("Open"), kModelFilter); !path.isEmpty())
        open(path);
}

void WorkspaceController::askAndOpenDirectory()
{
    if (const QString path = m_ask.openDirectory(tr("Open a checkpoint's directory")); !path.isEmpty())
        open(path);
}

void WorkspaceController::askAndOpenCalibration()
{
    if (const QString path = m_ask.open(tr("Open a calibration set"), tr("Calibration sets (*.h5 *.hdf5)")); !path.isEmpty())
        openModel(QString::fromStdString(m_document.state().modelPath), path);
}

void WorkspaceController::saveTo(const QString& file)
{
    writeSession(file.toStdString(), m_document.state());
    m_sessionFile = file;
    m_document.markSaved();
    m_recent.add(file);
    emit sessionFileChanged();
}

bool WorkspaceController::save()
{
    if (m_sessionFile.isEmpty())
        return saveAs();
    try {
        saveTo(m_sessionFile);
        return true;
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
        return false;
    }
}

bool WorkspaceController::saveAs()
{
    QString file = m_ask.save(tr("Save session"), kSessionFilter, QStringLiteral("session.tamis"));
    if (file.isEmpty())
        return false;
    if (QFileInfo(file).suffix().isEmpty())
        file += QStringLiteral(".tamis");
    try {
        saveTo(file);
        return true;
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
        return false;
    }
}

void WorkspaceController::closeWorkspace()
{
    if (!mayClose())
        return;
    SessionState left;
    if (m_workspace) // what was opened by itself stays; with no model open it is what is closed
        keepOpened(left, m_document.state());
    m_workspace.reset();
    m_sessionFile.clear();
    m_document.reset(left);
    emit workspaceChanged();
    emit sessionFileChanged();
}

bool WorkspaceController::mayClose()
{
    if (!m_document.isModified() || m_sessionFile.isEmpty())
        return true; // a session that was never named is kept by recovery only; nothing on disk is behind it
    if (m_ask.confirm(tr("Save the session?"), tr("%1 has changed since it was saved. Save it?").arg(QFileInfo(m_sessionFile).fileName())))
        return save();
    return true;
}

} // namespace tamis::app

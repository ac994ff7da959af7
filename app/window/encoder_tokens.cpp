// SPDX-License-Identifier: GPL-3.0-or-later
// Where the encoder lab's tokens come from: files, the calibration set, the model that is open.
#include "app/bundled/bundled.h"
#include "app/window/encoder_controller.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_settings.h"
#include "views/encoder/sample_page.h"
#include "views/encoder/token_source_box.h"

#include <QFileInfo>

#include <system_error>

namespace tamis::app {
namespace {
const QString kRows = QStringLiteral("Activations (*.npy)");
const QString kTexts = QStringLiteral("Texts and token ids (*.txt *.md *.npy *.ids);;All files (*)");
constexpr const char* kBundledText = "text/heldout.txt";

QString text(const std::string& s) { return QString::fromStdString(s); }
QString folderName(const std::filesystem::path& path) { return QFileInfo(text(path.string())).fileName(); }

/// A text that comes with the program; empty: there is none.
std::filesystem::path bundledText()
{
    try {
        const auto file = bundledDatasets() / kBundledText;
        std::error_code error;
        return std::filesystem::is_regular_file(file, error) ? file : std::filesystem::path();
    } catch (const std::exception&) {
        return {};
    }
}
} // namespace

TokenSurroundings EncoderController::surroundings() const
{
    TokenSurroundings around;
    around.model = m_with.model.runnable();
    const QString folder = m_with.model.photoFolder();
    around.photos = folder.toStdString();
    around.text = bundledText();
    return around;
}

bool EncoderController::awaitsModel(const EncoderPaths& paths) const
{
    const auto& model = m_with.model.runnable();
    return readsModel(paths.origin) && m_with.workspaces.workspace() && !(model && model->workspace() == m_with.workspaces.workspace());
}

void EncoderController::setWorkspace()
{
    if (m_failed && readsModel(m_failed->origin))
        m_failed.reset(); // what was not there may be there now
    showState(m_with.document.state());
}

void EncoderController::openTokens(const QString& file)
{
    if (!m_sources)
        return;
    EncoderPaths paths = m_sources->paths;
    paths.tokens = file.toStdString();
    openSources(paths, true);
}

void EncoderController::askAndOpenTokens()
{
    if (!m_sources)
        return;
    QString path;
    switch (m_sources->paths.origin) {
    case TokenOrigin::Rows: return askAndOpenRows();
    case TokenOrigin::Calibration: return m_with.workspaces.askAndOpenCalibration();
    case TokenOrigin::Photos: path = m_with.ask.openDirectory(tr("Photos to take tokens from")); break;
    case TokenOrigin::Text: path = m_with.ask.open(tr("Text or token ids to take tokens from"), kTexts); break;
    }
    if (!path.isEmpty())
        openTokens(path);
}

void EncoderController::askAndOpenRows()
{
    const QString path = m_sources ? m_with.ask.open(tr("Activations to measure on"), kRows) : QString();
    if (path.isEmpty())
        return;
    EncoderPaths paths;
    paths.autoencoder = m_sources->paths.autoencoder;
    paths.assumed = m_sources->paths.assumed;
    paths.tokens = path.toStdString();
    paths.calibration = m_sources->paths.calibration;
    openSources(paths, true);
}

void EncoderController::takeTokensFrom(TokenOrigin origin)
{
    if (!m_sources)
        return;
    EncoderPaths paths;
    paths.autoencoder = m_sources->paths.autoencoder;
    paths.assumed = m_sources->paths.assumed;
    paths.calibration = m_sources->paths.calibration;
    paths.origin = origin;
    const auto around = surroundings();
    QString chosen;
    if (origin == TokenOrigin::Photos && around.photos.empty())
        chosen = m_with.ask.openDirectory(tr("Photos to take tokens from"));
    else if (origin == TokenOrigin::Text && around.text.empty())
        chosen = m_with.ask.open(tr("Text or token ids to take tokens from"), kTexts);
    else if (origin == TokenOrigin::Rows || origin == TokenOrigin::Calibration || !originReason(origin).isEmpty())
        return openSources(paths, true);
    else
        chosen = text((origin == TokenOrigin::Photos ? around.photos : around.text).string());
    paths.tokens = chosen.toStdString();
    chosen.isEmpty() ? showSources() : openSources(paths, true); // shown again: the choice goes back
}

void EncoderController::takeTokensFromModel()
{
    for (const TokenOrigin origin : {TokenOrigin::Photos, TokenOrigin::Text})
        if (originReason(origin).isEmpty())
            return takeTokensFrom(origin);
    m_with.workspaces.askAndOpenDirectory(); // a model first
}

void EncoderController::chooseSite(const QString& site)
{
    if (!m_sources)
        return;
    EncoderPaths paths = m_sources->paths;
    paths.site = site.toStdString();
    openSources(paths, true);
}

void EncoderController::chooseBlock(int block)
{
    if (!m_sources)
        return;
    EncoderPaths paths = m_sources->paths;
    paths.block = block;
    openSources(paths, true);
}

void EncoderController::askAndOpenCalibration()
{
    if (!m_sources)
        return;
    const QString path = m_with.ask.open(tr("Activations to fit to"), kRows);
    if (path.isEmpty())
        return showSources();
    EncoderPaths paths = m_sources->paths;
    paths.calibration = path.toStdString();
    openSources(paths, true);
}

void EncoderController::fitToHalf()
{
    if (!m_sources)
        return;
    EncoderPaths paths = m_sources->paths;
    paths.calibration.clear();
    openSources(paths, true);
}

void EncoderController::openSources(const EncoderPaths& paths, bool byUser)
{
    if (m_opening != 0)
        m_with.jobs.cancel(m_opening);
    m_openingPaths = paths;
    auto read = std::make_shared<SourcesPointer>();
    const QString name = text(paths.autoencoder.filename().string());
    const auto id = std::make_shared<int>(0);
    JobQueue::Work work = [read, paths, around = surroundings()](const RunContext& context) {
        *read = openEncoderSources(paths, context, around);
        const auto& sources = **read;
        return sources.model.empty() ? tr("%1 latents of width %2").arg(sources.autoencoder->latents()).arg(sources.autoencoder->width())
                                     : tr("%1 tokens from %2").arg(sources.measured.rows()).arg(text(sources.measuredOn));
    };
    JobQueue::Done done = [this, read, id, paths, byUser](const Job& job) {
        if (m_opening != *id)
            return; // another one was asked for since
        m_opening = 0;
        sourcesRead(paths, *read, job, byUser);
    };
    if (readsModel(paths.origin) && paths.origin != TokenOrigin::Calibration) // takes its time: the tab says so and can stop it
        *id = m_jobs.start(tr("Tokens from %1").arg(folderName(paths.tokens)), tr("Running the model"), std::move(work), std::move(done));
    else
        *id = m_with.jobs.add(tr("Open %1").arg(name), std::move(work), [this, done = std::move(done), id](const Job& job) {
            const bool current = m_opening == *id;
            done(job);
            if (current && job.state == JobState::Failed)
                emit failed(job.message);
        });
    m_opening = *id;
    showSources();
}

void EncoderController::sourcesRead(const EncoderPaths& paths, const SourcesPointer& sources, const Job& job, bool byUser)
{
    if (job.state != JobState::Finished) {
        if (!byUser)
            m_failed = paths;
        showSources();
        return;
    }
    m_failed.reset();
    takeSources(sources);
    const EncoderPaths& found = sources->paths;
    if (pathsOf(m_with.document.state().encoder) == found)
        showState(m_with.document.state());
    else
        m_with.document.change(tr("Open %1").arg(text(found.autoencoder.filename().string())), {}, [&](SessionState& state) {
            const bool same = state.encoder.autoencoder == found.autoencoder.string();
            state.selection.encoderToken = sources->places && sources->places->photos() ? sources->places->patchToken(0, sources->places->gridHeight / 2, sources->places->gridWidth / 2) : 0;
            state.encoder.autoencoder = found.autoencoder.string();
            state.encoder.tokens = found.tokens.string();
            state.encoder.calibration = found.calibration.string();
            state.encoder.origin = found.origin;
            state.encoder.site = found.site;
            state.encoder.block = found.block;
            state.encoder.assumed = found.assumed;
            if (!same)
                state.encoder.k = state.encoder.cut = 0;
        });
    if (byUser || !m_with.workspaces.workspace()) // there is nothing else to look at
        emit opened();
}

void EncoderController::close()
{
    if (m_opening != 0)
        m_with.jobs.cancel(m_opening);
    m_opening = 0;
    m_with.document.change(tr("Close the autoencoder"), {}, [](SessionState& state) {
        state.encoder.autoencoder.clear();
        state.encoder.tokens.clear();
        state.encoder.calibration.clear();
        state.encoder.origin = TokenOrigin::Rows;
        state.encoder.site.clear();
        state.encoder.block = -1;
        state.encoder.assumed.clear();
    });
}

QString EncoderController::originReason(TokenOrigin origin) const
{
    if (origin == TokenOrigin::Rows)
        return {};
    const auto& workspace = m_with.workspaces.workspace();
    if (!workspace)
        return tr("no model is open");
    if (origin == TokenOrigin::Calibration)
        return workspace->calibration ? QString() : tr("no calibration set is open");
    const auto& report = m_with.model.report();
    if (!report)
        return tr("the model has not been read yet, or cannot be run");
    const bool vision = report->task.rfind("image", 0) == 0;
    if (vision != (origin == TokenOrigin::Photos))
        return vision ? tr("the model reads images") : tr("the model reads text");
    return {};
}

void EncoderController::connectOrigins()
{
    using views::TokenSourceBox;
    auto* box = m_views.panel->settings()->tokens();
    connect(box, &TokenSourceBox::sourceChosen, this, [this](views::TokenSource source) { takeTokensFrom(static_cast<TokenOrigin>(source)); });
    connect(box, &TokenSourceBox::siteChosen, this, &EncoderController::chooseSite);
    connect(box, &TokenSourceBox::blockChosen, this, &EncoderController::chooseBlock);
    connect(box, &TokenSourceBox::openRequested, this, &EncoderController::askAndOpenTokens);
    connect(box, &TokenSourceBox::ownRowsRequested, this, &EncoderController::askAndOpenCalibration);
    connect(box, &TokenSourceBox::halfRequested, this, &EncoderController::fitToHalf);
    connect(&m_with.model, &ModelController::reportShown, this, &EncoderController::showOrigins); // what kind of model it is
}

void EncoderController::showOrigins()
{
    views::TokenSourceState state;
    for (const TokenOrigin origin : {TokenOrigin::Rows, TokenOrigin::Calibration, TokenOrigin::Photos, TokenOrigin::Text})
        state.reasons[static_cast<std::size_t>(origin)] = originReason(origin);
    if (m_sources) {
        const auto& s = *m_sources;
        state.open = true;
        state.source = static_cast<views::TokenSource>(s.paths.origin);
        state.measured = tr("%1: %2 tokens").arg(text(s.measuredOn)).arg(s.measured.rows());
        if (!s.fitted.empty())
            state.fitted = tr("%1: %2 tokens").arg(text(s.fittedTo)).arg(s.fitted.rows());
        state.note = modelNote();
        for (const auto& site : s.sites)
            state.sites << text(site);
        state.site = text(s.paths.site);
        state.blocks = s.blocks;
        state.block = s.paths.block;
        state.named = blockNamed(s.autoencoder->config.site, s.paths.autoencoder).value_or(-1);
        state.ownRows = !s.paths.calibration.empty();
    }
    m_views.panel->settings()->tokens()->setState(state);
    auto* page = m_views.panel->sample();
    const QString rows = tr("Nothing says what they were taken from. ");
    if (originReason(TokenOrigin::Photos).isEmpty())
        page->setEmptyState(rows + tr("Run the model that is open on photos to see which patch fires which latent."), tr("Take tokens from photos"));
    else if (originReason(TokenOrigin::Text).isEmpty())
        page->setEmptyState(rows + tr("Run the model that is open on text to see which word fires which latent."), tr("Take tokens from text"));
    else
        page->setEmptyState(rows + tr("Open the model that the autoencoder reads to take tokens from photos or text."), tr("Open a model…"));
}

QString EncoderController::tokensInWords() const
{
    const auto& s = *m_sources;
    const QString name = text(s.tokens.filename().string());
    if (s.paths.origin == TokenOrigin::Rows)
        return s.halved ? tr(" · fitted to the first %1 rows of %2, measured on %3 others").arg(s.rows / 2).arg(name).arg(s.measured.rows())
                        : tr(" · measured on %1 of %2 rows of %3, fitted to %4").arg(s.measured.rows()).arg(s.rows).arg(name, text(s.fittedTo));
    QString words = tr(" · measured on %1 tokens: %2").arg(s.measured.rows()).arg(text(s.measuredOn));
    if (!s.fitted.empty())
        words += tr(" · fitted to %1 tokens: %2").arg(s.fitted.rows()).arg(text(s.fittedTo));
    const QString note = modelNote();
    return note.isEmpty() ? words : words + QStringLiteral(" · ") + note;
}

QString EncoderController::modelNote() const
{
    if (!m_sources || m_sources->model.empty())
        return {};
    const auto& workspace = m_with.workspaces.workspace();
    const QString name = folderName(m_sources->model);
    if (!workspace)
        return tr("%1 is closed; its tokens stay until others are chosen").arg(name);
    const std::filesystem::path open = workspace->outline.modelPath;
    return open == m_sources->model ? QString() : tr("%1 is open now; these tokens are still of %2").arg(folderName(open), name);
}

} // namespace tamis::app

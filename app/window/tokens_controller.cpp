// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/tokens_controller.h"

#include "views/common/number_format.h"
#include "views/tokens/layers_page.h"
#include "views/tokens/overlay_page.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_pareto_page.h"
#include "views/tokens/token_photo_model.h"
#include "views/tokens/token_settings.h"
#include "views/tokens/token_strip.h"

#include <QFileInfo>

#include <algorithm>
#include <cmath>

namespace tamis::app {
namespace {
constexpr int kRestMs = 150; ///< without an edit, before the folder follows: until then the photo has the machine to itself

QString text(std::string_view s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

/// With counts no larger than this model has any use for, so that a slider is as fine as it can be.
ParameterSchema schemaFor(const ParameterSchema& schema, const nn::ModelSpec& spec)
{
    std::vector<ParameterSpec> specs = schema.specs();
    const double patches = static_cast<double>(spec.patch.gridHeight * spec.patch.gridWidth), blocks = static_cast<double>(spec.blocks.size());
    for (auto& each : specs)
        if (each.type == ParameterType::Integer) {
            const double most = each.name == "r" ? std::floor(patches / 2) : each.name == "block" ? blocks - 1 : each.name == "most" || each.name == "least" ? patches : each.maximum;
            each.maximum = std::max({each.minimum, std::min(each.maximum, most), static_cast<double>(std::get<std::int64_t>(each.defaultValue))});
        }
    return ParameterSchema(std::move(specs));
}

void put(std::vector<std::int64_t>& list, std::int64_t token, bool in)
{
    const auto at = std::ranges::lower_bound(list, token);
    const bool there = at != list.end() && *at == token;
    if (in && !there)
        list.insert(at, token);
    else if (!in && there)
        list.erase(at);
}
} // namespace

TokensController::TokensController(const TokensNeighbours& neighbours, views::TokenPanel& panel, QObject* parent)
    : QObject(parent), m_with(neighbours), m_panel(panel),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) {
                                   m_jobRunning = sentence;
                                   showRunning();
                               },
                               [this](const QString& sentence) { emit done(sentence); }, [this](const QString& sentence) { emit failed(sentence); }}),
      m_training({*this, neighbours.jobs, m_jobs, neighbours.ask, m_chains}, *panel.training()),
      m_lane(
          [work = std::make_shared<TokenWork>(m_chains)](const TokenRequest& request, Level level, const RunContext& context, const auto&) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context);
          },
          [this](const auto& result, const TokenRequest&, Level, bool) { show(result); }),
      m_folderLane(
          [work = std::make_shared<TokenFolderWork>(m_chains)](const TokenFolderRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? nullptr : work->run(request, context, publish);
          },
          [this](const auto& result, const TokenFolderRequest&, Level, bool partial) { showFolder(result, !partial); })
{
    m_rest.setSingleShot(true);
    m_rest.setInterval(kRestMs);
    connect(&m_rest, &QTimer::timeout, this, &TokensController::askFolder);
    connectPanel();
    connectSettings();
    connectLanes();
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState&) { showState(); });
    connect(&m_with.model, &ModelController::photoFolderChanged, this, &TokensController::showState);
    connect(&m_with.model, &ModelController::reportShown, this, &TokensController::showState); // the model's kind is known
    showState();
}

void TokensController::connectPanel()
{
    using views::TokenPanel;
    connect(&m_panel, &TokenPanel::pageShown, this, [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.tokenPage = name.toStdString(); }); });
    connect(&m_panel, &TokenPanel::photoChosen, this, [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.tokenPhoto = name.toStdString(); }); });
    connect(&m_panel, &TokenPanel::openRequested, this, [this] {
        if (isVision())
            m_with.model.askAndOpenPhotos();
    });
    connect(&m_panel, &TokenPanel::openPhotosRequested, &m_with.model, &ModelController::askAndOpenPhotos);
    connect(&m_panel, &TokenPanel::stopRequested, this, &TokensController::stop);
    connect(&m_panel, &TokenPanel::shown, this, [this] {
        if (m_waiting)
            ask();
    });
    connect(&m_panel, &TokenPanel::wishRequested, this, &TokensController::setWish);
    connect(&m_panel, &TokenPanel::pinRequested, this, &TokensController::pin);
    connect(&m_panel, &TokenPanel::jsonRequested, this, &TokensController::writeJson);
    connect(m_panel.compare(), &views::TokenParetoPage::compareRequested, this, &TokensController::compare);
    connect(m_panel.compare(), &views::TokenParetoPage::pointActivated, this, &TokensController::takePoint);
    connect(&m_panel, &TokenPanel::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
}

void TokensController::connectSettings()
{
    auto* settings = m_panel.settings();
    connect(settings, &views::TokenSettings::methodEdited, this, [this](const QString& id) {
        edit(tr("Token method"), {}, true, [&](TokenChoice& choice) { choice.setting = {id.toStdString(), {}}; });
    });
    connect(settings, &views::TokenSettings::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Set %1").arg(name), "token-parameter:" + name, finished, [&](TokenChoice& choice) { choice.setting.parameters.set(name.toStdString(), value); });
    });
    connect(settings, &views::TokenSettings::clearWishesRequested, this, &TokensController::clearHands);
    connect(settings, &views::TokenSettings::trainRequested, &m_training, &TokenTrainingController::train);
    connect(this, &TokensController::availabilityChanged, this, [this, settings] {
        settings->setTrainReason(m_training.trainDisabledReason());
        m_training.showState();
    });
}

void TokensController::connectLanes()
{
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_repaints.release();
        m_panel.setProblem(m_panel.settings()->setProblem(sentence) ? QString() : sentence); // once in this lab
        if (!m_result)
            m_panel.setNothing(tr("No tokens to show"), sentence, isVision() ? tr("Open photos…") : QString());
        emit failed(sentence);
    });
    connect(&m_lane, &LaneCore::busyChanged, this, [this] {
        m_panel.setStale(!isUpToDate());
        emit availabilityChanged();
    });
    connect(&m_folderLane, &LaneCore::busyChanged, this, &TokensController::showRunning);
    connect(&m_folderLane, &LaneCore::progressed, this, &TokensController::showRunning);
    connect(&m_folderLane, &LaneCore::failed, this, &TokensController::failed);
}

void TokensController::edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(TokenChoice&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) {
        if (state.tokens.setting.method.empty())
            state.tokens.setting.method = method().declaration.id;
        change(state.tokens);
    });
    if (finished)
        m_with.document.endMerge();
}

// What is asked for by hand ------------------------------------------------------------------------------------------------

void TokensController::setWish(int sourceToken, report::TokenWish wish)
{
    const std::string photo = shownPhoto();
    if (photo.empty())
        return;
    const QString label = wish == report::TokenWish::Keep ? tr("Keep a patch") : wish == report::TokenWish::Drop ? tr("Drop a patch") : tr("Leave a patch to the method");
    edit(label, {}, true, [&](TokenChoice& choice) {
        TokenHand& hand = choice.hands[photo];
        put(hand.kept, sourceToken, wish == report::TokenWish::Keep);
        put(hand.dropped, sourceToken, wish == report::TokenWish::Drop);
        if (hand.empty())
            choice.hands.erase(photo);
    });
}

void TokensController::clearHands()
{
    edit(tr("Forget what was asked by hand"), {}, true, [photo = shownPhoto()](TokenChoice& choice) { choice.hands.erase(photo); });
}

void TokensController::pin()
{
    edit(tr("Pin %1").arg(tokenSettingTitle(known(m_with.document.state().tokens.setting))), {}, true, [this](TokenChoice& choice) { choice.pinned = known(choice.setting); });
    if (m_result && !m_result->reduced.isEmpty()) { // is what the lane will say, too, but for what was asked for by hand
        m_panel.setPinned(m_result->reduced, tokenSettingTitle(known(m_with.document.state().tokens.setting)));
        m_panel.overlays()->setBeside(views::Beside::Pinned);
    }
}

// The request --------------------------------------------------------------------------------------------------------------

const tokens::Method& TokensController::method() const
{
    const auto* chosen = tokens::findMethod(m_with.document.state().tokens.setting.method);
    return chosen ? *chosen : tokens::methods().front();
}

TokenSetting TokensController::known(const TokenSetting& setting) const
{
    const auto* of = tokens::findMethod(setting.method);
    TokenSetting made{of ? of->declaration.id : tokens::methods().front().declaration.id, {}};
    for (const auto& [name, value] : setting.parameters.all()) // a session may know others
        if (of && of->declaration.schema.find(name))
            made.parameters.set(name, value);
    return made;
}

bool TokensController::isVision() const { return m_with.model.report() && m_with.model.report()->task.rfind("image", 0) == 0; }

std::optional<TokenRequest> TokensController::request() const
{
    const QString folder = m_with.model.photoFolder();
    if (!m_with.model.runnable() || !isVision() || folder.isEmpty())
        return {};
    const auto& state = m_with.document.state();
    TokenRequest made{m_with.model.runnable(), folder.toStdString(), state.selection.tokenPhoto, known(state.tokens.setting), {}, state.tokens.hands};
    if (state.tokens.pinned)
        made.pinned = known(*state.tokens.pinned);
    return made;
}

std::string TokensController::shownPhoto() const { return m_result ? m_result->photo : std::string(); }

bool TokensController::isUpToDate() const
{
    const auto now = request();
    return now && m_result && m_result->request == *now;
}

bool TokensController::isFolderUpToDate() const
{
    const auto now = request();
    return now && m_folderShown && m_sources && m_folderShown->sources == m_sources && m_folderShown->setting == now->setting && m_folderShown->hands == now->hands;
}

QString TokensController::disabledReason() const
{
    if (!m_with.model.runnable() || !m_with.model.report())
        return tr("no model is open");
    if (!isVision())
        return tr("this model reads no images");
    return m_with.model.photoFolder().isEmpty() ? tr("no photos are open") : !m_sources ? tr("the photos are not read yet") : QString();
}

QString TokensController::compareDisabledReason() const
{
    const QString reason = disabledReason();
    return !reason.isEmpty() ? reason : m_comparing != 0 ? tr("a comparison runs") : QString();
}

void TokensController::setWorkspace(const std::shared_ptr<const Workspace>&)
{
    m_lane.cancel();
    takeSources(nullptr);
    showState();
}

void TokensController::ask()
{
    const auto now = request();
    m_waiting = now && !m_panel.isVisible();
    if (!now || m_waiting)
        return;
    if (m_asked && *m_asked == *now)
        return; // is shown, under way, or was refused
    m_asked = now;
    m_panel.setProblem({});
    m_panel.settings()->setProblem({});
    m_repaints.await(&m_panel);
    m_lane.request(*now);
    if (!m_folderAsked || m_folderAsked->setting != now->setting || m_folderAsked->hands != now->hands)
        m_folderLane.cancel(); // of older settings, and the photo comes first
    m_rest.start();
}

void TokensController::askFolder()
{
    const auto now = request();
    if (!now || !m_sources || m_lane.isBusy() || !m_panel.isVisible()) {
        if (now && (m_lane.isBusy() || !m_sources))
            m_rest.start();
        return;
    }
    const bool running = m_folderLane.isBusy() && m_folderAsked && m_folderAsked->setting == now->setting && m_folderAsked->hands == now->hands;
    if (running || isFolderUpToDate())
        return;
    m_folderAsked = TokenFolderRequest{m_sources, now->setting, now->hands};
    m_taken = 0;
    m_panel.photos().setOutdated();
    m_folderLane.request(*m_folderAsked);
}

// What is shown ------------------------------------------------------------------------------------------------------------

void TokensController::takeSources(const TokenSourcesPointer& sources)
{
    if (!sources) {
        m_asked.reset();
        m_result.reset();
        m_panel.setPictures({}, {}, {});
        m_panel.layers()->setAttention(nullptr);
        m_panel.setPinned({}, {});
    }
    m_folderLane.cancel();
    m_folderAsked.reset();
    m_folderShown.reset();
    m_sources = sources;
    m_comparison.reset();
    m_panel.compare()->setComparison(nullptr);
    m_panel.compare()->setDisabledReason(compareDisabledReason());
    QStringList names;
    if (sources)
        for (const auto& name : sources->names)
            names << text(name);
    m_panel.photos().setNames(names);
    m_panel.refreshKept();
    showMethods();
    m_panel.strip()->setFolder(sources ? text(sources->samples->description()) : QString());
    emit availabilityChanged();
}

void TokensController::show(const std::shared_ptr<const TokenResult>& result)
{
    const auto now = request();
    if (!result || !now || result->request.model != now->model || result->request.folder != now->folder)
        return;
    if (m_sources != result->sources)
        takeSources(result->sources);
    m_result = result;
    const auto& setting = result->request.setting;
    m_panel.setProblem(result->reduced.isEmpty() ? tr("%1 is trained on request: press Train.").arg(text(method().declaration.title)) : QString());
    m_panel.setPinned(result->pinned, result->request.pinned ? tokenSettingTitle(*result->request.pinned) : QString());
    m_panel.setPictures(result->whole, result->reduced, tokenSettingTitle(setting));
    showWishable();
    m_panel.layers()->setAttention(&result->attention);
    m_panel.strip()->setCurrent(text(result->photo));
    m_panel.setCaption(caption());
    m_panel.setStale(!isUpToDate());
    showEmpty();
    showHands();
    m_repaints.release();
    emit pictureShown(isUpToDate());
}

void TokensController::showFolder(const std::shared_ptr<const TokenFolderResult>& result, bool complete)
{
    if (!result || !m_folderAsked || result->request.sources != m_sources || result->request.setting != m_folderAsked->setting || result->request.hands != m_folderAsked->hands)
        return;
    auto& photos = m_panel.photos();
    for (; m_taken < result->entries.size(); ++m_taken) {
        const auto& entry = result->entries[m_taken];
        const int row = static_cast<int>(entry.photo);
        entry.failure.isEmpty() ? photos.setResult(row, entry.picture) : photos.setFailure(row, entry.failure);
    }
    if (complete)
        m_folderShown = m_folderAsked;
    m_panel.refreshKept();
}

void TokensController::showState()
{
    const auto& state = m_with.document.state();
    if (!state.selection.tokenPage.empty())
        m_panel.showPage(text(state.selection.tokenPage));
    showMethods();
    const auto now = request();
    if (!now || (m_sources && (m_sources->runnable != now->model || m_sources->folder != now->folder)))
        takeSources(nullptr);
    showEmpty();
    showHands();
    m_panel.setCaption(caption());
    ask();
    m_panel.setStale(!isUpToDate());
}

/// A form is made anew where the model has another use for it: with its sources, never while something in it is edited.
void TokensController::showMethods()
{
    std::vector<views::OfferedMethod> offered;
    for (const auto& each : tokens::methods()) {
        const auto& d = each.declaration;
        offered.push_back({text(d.id), text(d.title), text(d.reference), each.trains(), {}, m_sources ? schemaFor(d.schema, m_sources->model->spec()) : d.schema});
    }
    auto* settings = m_panel.settings();
    settings->setMethods(offered);
    settings->setChoice(text(method().declaration.id), m_with.document.state().tokens.setting.parameters);
    settings->setTrainReason(m_training.trainDisabledReason());
    m_training.showState();
    m_panel.compare()->setDisabledReason(compareDisabledReason());
}

void TokensController::showHands()
{
    TokenHand hand;
    const auto& hands = m_with.document.state().tokens.hands;
    if (const auto found = hands.find(shownPhoto()); found != hands.end())
        hand = found->second;
    m_panel.setWishes(m_sources ? shownWishesOf(hand, m_sources->sourceTokens()) : std::vector<report::TokenWish>());
    m_panel.settings()->setWishes(static_cast<int>(hand.kept.size()), static_cast<int>(hand.dropped.size()));
}

void TokensController::showWishable()
{
    const bool wishable = m_result->takesWishes;
    const QString reason = wishable ? QString() : tr("%1 has its own way through the model: patches cannot be kept or dropped by hand.").arg(text(method().declaration.title));
    m_panel.overlays()->setWishable(wishable, reason);
    m_panel.settings()->setWishable(wishable, reason);
}

void TokensController::showEmpty()
{
    if (m_result) {
        const auto& spec = m_result->sources->model->spec();
        return m_panel.setSummary(tr("%1 · %2 blocks · %3 patches a photo and a prefix of %4 · %5")
                                      .arg(QFileInfo(text(m_result->sources->modelPath.string())).fileName())
                                      .arg(spec.blocks.size())
                                      .arg(spec.patch.gridHeight * spec.patch.gridWidth)
                                      .arg(spec.patch.prefixTokens)
                                      .arg(text(m_result->photo)));
    }
    m_panel.setSummary({});
    if (!m_with.model.runnable())
        m_panel.setNothing(tr("No vision model is open"), tr("Open a vision transformer and a folder of photos to prune and merge its tokens on them."), {});
    else if (!m_with.model.report())
        m_panel.setNothing(tr("No tokens yet"), tr("The model has not been read yet, or cannot be run."), {});
    else if (!isVision())
        m_panel.setNothing(tr("This model reads no images"), tr("The token lab prunes and merges the tokens of photos: open a vision transformer."), {});
    else if (m_with.model.photoFolder().isEmpty())
        m_panel.setNothing(tr("No photos are open"), tr("Open a folder of photos to see which of their tokens are kept, and what fewer cost."), tr("Open photos…"));
    else
        m_panel.setNothing(tr("Reading the photos"), {}, {});
}

void TokensController::showRunning()
{
    if (!m_jobRunning.isEmpty())
        return m_panel.setRunning(m_jobRunning);
    const int count = m_panel.photos().count();
    m_panel.setRunning(m_folderLane.isBusy() && count > 0 ? tr("%1 of %2 photos").arg(m_taken).arg(count) : QString());
}

QString TokensController::caption() const
{
    if (!m_result)
        return {};
    const auto& request = m_result->request;
    QString line = QFileInfo(text(m_result->sources->modelPath.string())).fileName() + QStringLiteral(": ") + text(request.setting.method);
    const auto* of = tokens::findMethod(request.setting.method);
    Parameters complete = of ? of->declaration.schema.defaults() : Parameters();
    for (const auto& [name, value] : request.setting.parameters.all())
        complete.set(name, value);
    for (const auto& [name, value] : complete.all())
        line += QStringLiteral(", ") + text(name) + QLatin1Char(' ') + text(toText(value));
    if (const auto hand = request.hands.find(m_result->photo); hand != request.hands.end() && m_result->takesWishes)
        line += tr(", by hand %1 kept and %2 dropped").arg(hand->second.kept.size()).arg(hand->second.dropped.size());
    return line;
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/attention_lab_controller.h"

#include "views/attention/attention_compare_page.h"
#include "views/attention/attention_lab_panel.h"
#include "views/attention/heads_page.h"
#include "views/attention/length_page.h"
#include "views/attention/sample_picker.h"

#include <QFileInfo>

#include <algorithm>
#include <cmath>

namespace tamis::app {
namespace {
using views::AttentionLabPanel;
using views::AttentionScope;
using views::HeadPlace;

QString text(std::string_view s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }
} // namespace

AttentionLabController::AttentionLabController(const AttentionLabNeighbours& neighbours, views::AttentionLabPanel& panel, QObject* parent)
    : QObject(parent), m_with(neighbours), m_panel(panel),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_panel.setRunning(sentence); }, [this](const QString& sentence) { emit done(sentence); },
                               [this](const QString& sentence) { emit failed(sentence); }}),
      m_lane(
          [work = std::make_shared<AttentionLabWork>()](const AttentionLabRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const AttentionLabRequest&, Level level, bool partial) { show(picture, level == Level::Final && !partial); })
{
    connectPanel();
    connectSettings();
    connectLane();
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState&) { showState(); });
    connect(&m_with.model, &ModelController::photoFolderChanged, this, &AttentionLabController::showState);
    connect(&m_with.model, &ModelController::reportShown, this, &AttentionLabController::showState); // the model's kind is known
    showState();
}

void AttentionLabController::connectPanel()
{
    connect(&m_panel, &AttentionLabPanel::pageShown, this, [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.attentionPage = name.toStdString(); }); });
    connect(&m_panel, &AttentionLabPanel::headChosen, this, [this](int layer, int head) { chooseHead(layer, head); });
    connect(&m_panel, &AttentionLabPanel::openRequested, this, &AttentionLabController::askAndOpen);
    connect(&m_panel, &AttentionLabPanel::stopRequested, this, &AttentionLabController::stop);
    connect(&m_panel, &AttentionLabPanel::shown, this, [this] {
        if (m_waiting)
            ask();
    });
    connect(&m_panel, &AttentionLabPanel::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
    auto* heads = m_panel.heads();
    connect(heads, &views::HeadsPage::useRequested, this, &AttentionLabController::useHere);
    connect(heads, &views::HeadsPage::exactRequested, this, &AttentionLabController::exactHere);
    connect(heads, &views::HeadsPage::forgetRequested, this, &AttentionLabController::forget);
    connect(heads, &views::HeadsPage::suitedRequested, this, &AttentionLabController::takeSuited);
    connect(heads, &views::HeadsPage::allSuitedRequested, this, &AttentionLabController::takeAllSuited);
    connect(heads, &views::HeadsPage::effectsRequested, this, &AttentionLabController::measureEffects);
    connect(heads, &views::HeadsPage::searchRequested, this, &AttentionLabController::findSuited);
    connect(heads, &views::HeadsPage::shareChanged, this, &AttentionLabController::showReport);
    connect(m_panel.compare(), &views::AttentionComparePage::compareRequested, this, &AttentionLabController::compare);
    connect(m_panel.compare(), &views::AttentionComparePage::pointTaken, this, &AttentionLabController::takePoint);
    connect(m_panel.length(), &views::LengthPage::measureRequested, this, &AttentionLabController::measureLengths);
}

void AttentionLabController::connectSettings()
{
    using views::AttentionSettings;
    auto* settings = m_panel.settings();
    connect(settings, &AttentionSettings::methodEdited, this, &AttentionLabController::editMethod);
    connect(settings, &AttentionSettings::parameterEdited, this, &AttentionLabController::editParameter);
    connect(settings, &AttentionSettings::scopeChosen, this, [this](AttentionScope scope) {
        m_scope = scope;
        showMethods();
    });
    connect(settings, &AttentionSettings::blocksEdited, this, [this](const std::vector<int>& blocks) {
        const bool all = m_sources && blocks.size() == m_sources->model->spec().blocks.size();
        edit(tr("Blocks of the attention method"), {}, true, [&](AttentionChoice& choice) { choice.blocks = all ? std::nullopt : std::optional(blocks); });
    });
    connect(settings, &AttentionSettings::forgetRequested, this, &AttentionLabController::forget);
    connect(settings, &AttentionSettings::forgetAllRequested, this, &AttentionLabController::forgetAll);
    connect(settings, &AttentionSettings::fittedRequested, this, &AttentionLabController::askFitted);
    connect(settings, &AttentionSettings::fittedForgotten, this, [this] { setFitted({}); });
    connect(settings, &AttentionSettings::weightsChosen, this, &AttentionLabController::lookAtTrained);
    connect(settings->samples(), &views::SamplePicker::openRequested, this, &AttentionLabController::askAndOpen);
    connect(settings->samples(), &views::SamplePicker::chosen, this, [this](int index) {
        m_with.document.select([&](Selection& selection) { selection.attentionSample = index; });
    });
}

void AttentionLabController::connectLane()
{
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_repaints.release();
        m_panel.setProblem(m_panel.settings()->setProblem(sentence) ? QString() : sentence);
        if (!m_picture)
            m_panel.setNothing(tr("No attention to show"), sentence, m_with.model.report() ? isVision() ? tr("Open photos…") : tr("Open a text…") : QString());
        emit failed(sentence);
    });
    connect(&m_lane, &LaneCore::busyChanged, this, [this] {
        m_panel.setStale(!isUpToDate());
        emit availabilityChanged();
    });
}

// Edits ---------------------------------------------------------------------------------------------------------------------

void AttentionLabController::edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(AttentionChoice&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) {
        if (state.attention.method.empty())
            state.attention.method = attentionMethodOf(state.attention);
        change(state.attention);
    });
    if (finished)
        m_with.document.endMerge();
}

HeadPlace AttentionLabController::viewed() const
{
    const auto& selection = m_with.document.state().selection;
    return {selection.attentionLayer, selection.attentionHead};
}

AttentionPlace AttentionLabController::shownPlace() const
{
    const auto& choice = m_with.document.state().attention;
    const HeadPlace at = viewed();
    AttentionPlace made{at.layer, m_scope == AttentionScope::Head ? at.head : -1, attentionMethodOf(choice), knownParameters(attentionMethodOf(choice), choice.parameters)};
    if (m_scope != AttentionScope::General)
        if (const auto* own = findPlace(choice, at.layer, made.head)) {
            made.method = own->method;
            made.parameters = knownParameters(own->method, own->parameters);
        }
    return made;
}

void AttentionLabController::editMethod(const QString& id)
{
    if (m_scope == AttentionScope::General)
        return edit(tr("Attention method"), {}, true, [&](AttentionChoice& choice) {
            choice.method = id.toStdString();
            choice.parameters = {};
        });
    AttentionPlace place = shownPlace();
    place.method = id.toStdString();
    place.parameters = {};
    edit(tr("Attention of %1").arg(place.head < 0 ? tr("block %1").arg(place.block) : tr("head %1 of block %2").arg(place.head).arg(place.block)), {}, true,
         [&](AttentionChoice& choice) { setPlace(choice, place); });
}

void AttentionLabController::editParameter(const QString& name, const ParameterValue& value, bool finished)
{
    AttentionPlace place = shownPlace();
    place.parameters.set(name.toStdString(), value);
    const QString key = QStringLiteral("attention-parameter:%1:%2:%3").arg(m_scope == AttentionScope::General ? QString() : QString::number(place.block)).arg(place.head).arg(name);
    edit(tr("Set %1").arg(name), key, finished, [&](AttentionChoice& choice) {
        if (m_scope == AttentionScope::General)
            choice.parameters = place.parameters;
        else
            setPlace(choice, place);
    });
}

void AttentionLabController::useHere(const HeadPlace& place)
{
    edit(tr("Use the method for %1").arg(place.head < 0 ? tr("block %1").arg(place.layer) : tr("head %1 of block %2").arg(place.head).arg(place.layer)), {}, true,
         [&](AttentionChoice& choice) { setPlace(choice, {place.layer, place.head, choice.method, knownParameters(choice.method, choice.parameters)}); });
}

void AttentionLabController::exactHere(const HeadPlace& place)
{
    edit(place.head < 0 ? tr("Exact attention in block %1").arg(place.layer) : tr("Exact head %1 of block %2").arg(place.head).arg(place.layer), {}, true,
         [&](AttentionChoice& choice) { setPlace(choice, {place.layer, place.head, kExactAttention, {}}); });
}

void AttentionLabController::forget(const HeadPlace& place)
{
    edit(tr("Head as the others"), {}, true, [&](AttentionChoice& choice) { forgetPlace(choice, place.layer, place.head); });
}

void AttentionLabController::forgetAll()
{
    edit(tr("Forget choices for heads and blocks"), {}, true, [](AttentionChoice& choice) { choice.places.clear(); });
}

void AttentionLabController::chooseHead(int layer, std::int64_t head)
{
    m_with.document.select([&](Selection& selection) {
        selection.attentionLayer = layer;
        selection.attentionHead = head;
    });
}

void AttentionLabController::showWorst()
{
    if (!m_picture)
        return;
    const report::HeadComparison* worst = nullptr;
    for (const auto& each : m_picture->report->heads)
        if (std::isfinite(each.output) && (!worst || each.output > worst->output))
            worst = &each;
    if (worst)
        chooseHead(worst->layer, worst->head);
}

// The request --------------------------------------------------------------------------------------------------------------

bool AttentionLabController::isVision() const { return m_with.model.report() && m_with.model.report()->task.rfind("image", 0) == 0; }

std::filesystem::path AttentionLabController::samplePath() const { return isVision() ? std::filesystem::path(m_with.model.photoFolder().toStdString()) : m_text; }

std::optional<AttentionLabRequest> AttentionLabController::request() const
{
    if (!m_workspace || !m_with.model.report() || !m_with.model.runnable() || samplePath().empty())
        return {};
    const auto& state = m_with.document.state();
    return AttentionLabRequest{m_with.model.runnable(), samplePath(), state.attention, static_cast<std::size_t>(state.selection.attentionSample), state.selection.attentionLayer, state.selection.attentionHead, m_looked};
}

bool AttentionLabController::isUpToDate() const
{
    const auto now = request();
    return now && m_picture && m_final && m_picture->request == *now;
}

QString AttentionLabController::disabledReason() const
{
    if (!m_with.model.runnable() || !m_with.model.report())
        return tr("no model is open");
    return samplePath().empty() ? isVision() ? tr("no photos are open") : tr("no text is open") : !m_sources ? tr("the samples are not read yet") : QString();
}

void AttentionLabController::setWorkspace(const std::shared_ptr<const Workspace>& workspace)
{
    m_lane.cancel();
    const bool sameModel = m_workspace && workspace && m_workspace->outline.modelPath == workspace->outline.modelPath;
    m_workspace = workspace;
    if (!sameModel)
        m_text = workspace ? textBeside(workspace->outline.modelPath) : std::filesystem::path();
    takeSources(nullptr);
    showState();
}

void AttentionLabController::askAndOpen()
{
    if (isVision())
        m_with.model.askAndOpenPhotos();
    else if (const QString file = m_with.ask.open(tr("Text or tokens to look at"), tr("Texts and tokens (*.txt *.md *.npy *.ids);;All files (*)")); !file.isEmpty())
        openText(file);
}

void AttentionLabController::askFitted()
{
    const QString path = isVision() ? m_with.ask.openDirectory(tr("Photos to fit to")) : m_with.ask.open(tr("Tokens or text to fit to"), tr("Texts and tokens (*.txt *.md *.npy *.ids);;All files (*)"));
    if (!path.isEmpty())
        setFitted(path.toStdString());
}

void AttentionLabController::offerTrained(const std::shared_ptr<const attention::TunedModel>& trained)
{
    if (m_trained == trained)
        return;
    m_trained = trained;
    if (m_looked) {
        m_looked = trained;
        weightsChanged();
    }
    showState();
}

void AttentionLabController::lookAtTrained(bool trained)
{
    const auto wanted = trained ? m_trained : nullptr;
    if (m_looked != wanted) {
        m_looked = wanted;
        weightsChanged();
    }
    showState();
}

void AttentionLabController::weightsChanged()
{
    m_jobs.stop();
    m_effects.clear();
    m_candidates.reset();
    if (m_comparing != 0)
        showComparison(nullptr);
    showReport();
}

void AttentionLabController::setFitted(const std::filesystem::path& path)
{
    edit(tr("Samples to fit to"), {}, true, [&](AttentionChoice& choice) { choice.fitted = path.string(); });
}

void AttentionLabController::openText(const QString& file)
{
    m_text = file.toStdString();
    m_with.document.select([](Selection& selection) { selection.attentionSample = 0; });
    showState();
}

void AttentionLabController::ask()
{
    const auto now = request();
    m_waiting = now && !m_panel.isVisible();
    if (!now || m_waiting || (m_asked && *m_asked == *now))
        return; // it is shown, under way, or was refused
    m_asked = now;
    m_panel.setProblem({});
    m_panel.settings()->setProblem({});
    m_repaints.await(&m_panel);
    m_lane.request(*now);
}

// What is shown ------------------------------------------------------------------------------------------------------------

void AttentionLabController::takeSources(const std::shared_ptr<const AttentionLabSources>& sources)
{
    m_sources = sources;
    m_fittedOf = m_with.document.state().attention.fitted;
    m_effects.clear();
    m_candidates.reset();
    m_panel.length()->setCurves(nullptr);
    showComparison(nullptr);
    if (!sources) {
        m_asked.reset();
        m_picture.reset();
        m_final = false;
        m_panel.setReport(nullptr);
    } else if (sources->samples->photos) {
        m_panel.settings()->samples()->setPhotos();
    } else {
        std::vector<views::ListedText> texts;
        for (std::size_t i = 0; i < sources->samples->names.size(); ++i)
            texts.push_back({text(sources->samples->names[i]), text(sources->samples->beginnings[i])});
        m_panel.settings()->samples()->setTexts(texts);
    }
    emit availabilityChanged();
}

void AttentionLabController::show(const std::shared_ptr<const AttentionLabPicture>& picture, bool final)
{
    const auto now = request();
    if (!picture || !now || picture->request.model != now->model || picture->request.samples != now->samples || picture->request.choice.fitted != now->choice.fitted || picture->request.tuned != now->tuned)
        return;
    if (m_sources != picture->sources)
        takeSources(picture->sources);
    m_picture = picture;
    m_final = final;
    if (m_effectsOf != picture->request.choice)
        m_effects.clear(); // of other choices
    if (m_sources->samples->photos)
        m_panel.setPhoto(picture->photo);
    m_panel.setCaption(caption());
    showReport();
    showMethods();
    showEmpty();
    m_panel.settings()->samples()->setShown(static_cast<int>(picture->report->view.sampleIndex));
    m_panel.setStale(!isUpToDate());
    m_repaints.release();
    emit pictureShown(isUpToDate());
    if (isUpToDate())
        emit availabilityChanged();
}

/// With what jobs found of the heads.
void AttentionLabController::showReport()
{
    if (!m_picture)
        return;
    if ((m_effects.empty() && !m_candidates) || m_picture->report->heads.empty())
        return m_panel.setReport(m_picture->report);
    auto made = std::make_shared<report::AttentionReport>(*m_picture->report);
    for (auto& head : made->heads)
        if (const auto found = m_effects.find({head.layer, head.head}); found != m_effects.end())
            head.logits = found->second;
    if (m_candidates)
        attention::fillSuited(made->heads, *m_candidates, m_panel.heads()->share());
    m_panel.setReport(std::move(made));
}

void AttentionLabController::showState()
{
    const auto& state = m_with.document.state();
    if (!state.selection.attentionPage.empty())
        m_panel.showPage(text(state.selection.attentionPage));
    const auto now = request();
    if (!now || (m_sources && (m_sources->runnable != now->model || m_sources->samples->path != now->samples || m_fittedOf != now->choice.fitted)))
        takeSources(nullptr);
    showMethods();
    showChoices();
    showEmpty();
    ask();
    m_panel.setStale(!isUpToDate());
    emit availabilityChanged();
}

void AttentionLabController::showMethods()
{
    std::vector<views::OfferedMethod> offered{{kExactAttention, tr("Exact"), tr("The model's own attention"), false, {}, ParameterSchema()}};
    for (const auto& each : attention::methods()) {
        const auto& d = each.declaration;
        QString unavailable;
        if (m_sources)
            if (const auto found = m_sources->unavailable.find(d.id); found != m_sources->unavailable.end())
                unavailable = found->second;
        offered.push_back({text(d.id), text(d.title), text(d.reference), false, unavailable, d.schema});
    }
    auto* settings = m_panel.settings();
    settings->setMethods(offered);
    m_panel.heads()->setMethods(offered);
    const HeadPlace at = viewed();
    settings->setPlace(at.layer, at.head);
    settings->setScope(m_scope);
    const AttentionPlace place = shownPlace();
    settings->setChoice(text(place.method), place.parameters);
    settings->setBlocks(m_sources ? static_cast<int>(m_sources->model->spec().blocks.size()) : 0, m_with.document.state().attention.blocks);
    settings->setWeights(m_trained != nullptr, m_looked != nullptr);
    settings->setFitted(text(m_with.document.state().attention.fitted));
    settings->samples()->setOpenAction(m_with.model.report() ? isVision() ? tr("Open photos…") : tr("Open a text…") : QString());
    m_panel.heads()->setEffectReason(effectsDisabledReason());
    m_panel.heads()->setSuitedReason(suitedDisabledReason());
    m_panel.length()->setDisabledReason(lengthsDisabledReason());
    m_panel.compare()->setDisabledReason(compareDisabledReason());
}

void AttentionLabController::showChoices()
{
    const auto& choice = m_with.document.state().attention;
    const std::string general = attentionMethodOf(choice);
    std::vector<views::OwnChoice> own;
    for (const auto& place : choice.places)
        own.push_back({place.block, place.head, attentionTitle(place.method, place.parameters)});
    m_panel.setChoices({attentionTitle(general, choice.parameters), choice.blocks}, own);
}

void AttentionLabController::showEmpty()
{
    if (m_picture && m_sources) {
        const auto& spec = m_sources->model->spec();
        return m_panel.setSummary(tr("%1 · %2 blocks · %3 · %4")
                                      .arg(QFileInfo(text(m_workspace->outline.modelPath)).fileName())
                                      .arg(spec.blocks.size())
                                      .arg(text(m_sources->samples->source->description()), text(m_picture->report->view.sample))
                                  + (m_picture->request.tuned ? tr(" · trained weights") : QString()));
    }
    m_panel.setSummary({});
    const QString open = isVision() ? tr("Open photos…") : tr("Open a text…");
    if (!m_workspace)
        m_panel.setNothing(tr("No model is open"), tr("Open a directory with config.json and weights to put cheaper attention in place of its own."), {});
    else if (!m_with.model.report())
        m_panel.setNothing(tr("No attention yet"), tr("The model has not been read yet, or cannot be run."), {});
    else if (samplePath().empty())
        m_panel.setNothing(isVision() ? tr("No photos are open") : tr("No text is open"), tr("Open some to see what each head looks at, exactly and through cheaper attention."), open);
    else if (!m_asked || m_lane.isBusy())
        m_panel.setNothing(tr("Reading the samples"), {}, {});
}

QString AttentionLabController::caption() const
{
    if (!m_picture)
        return {};
    const auto& request = m_picture->request;
    const auto& view = m_picture->report->view;
    const std::string general = attentionMethodOf(request.choice);
    QString line = tr("%1, %2, layer %3, head %4: %5").arg(QFileInfo(text(m_workspace->outline.modelPath)).fileName(), text(view.sample)).arg(view.layer).arg(view.head).arg(text(general));
    Parameters complete;
    if (const auto* of = attention::findMethod(general))
        complete = of->declaration.schema.complete(knownParameters(general, request.choice.parameters));
    for (const auto& [name, value] : complete.all())
        line += QStringLiteral(", %1 %2").arg(text(name), text(toText(value)));
    if (request.tuned)
        line += tr(", trained weights");
    if (request.choice.blocks) {
        QStringList blocks;
        for (const int block : *request.choice.blocks)
            blocks << QString::number(block);
        line += tr(", in blocks %1").arg(blocks.join(QLatin1Char(' ')));
    }
    for (const auto& place : request.choice.places)
        line += place.head < 0 ? tr("; block %1: %2").arg(place.block).arg(attentionTitle(place.method, place.parameters))
                               : tr("; block %1 head %2: %3").arg(place.block).arg(place.head).arg(attentionTitle(place.method, place.parameters));
    return line;
}

} // namespace tamis::app

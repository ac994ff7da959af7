// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/encoder_controller.h"

#include "app/window/loss_controller.h"
#include "app/window/surface_controller.h"
#include "app/window/training_controller.h"
#include "views/common/number_format.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_settings.h"
#include "views/encoder/pareto_page.h"
#include "views/encoder/reader_switches.h"
#include "views/encoder/sample_page.h"
#include "views/workspace/workspace_tree.h"

#include <QFileInfo>

#include <algorithm>

namespace tamis::app {
namespace {
constexpr const char* kFirstMethod = "encoder.low-rank"; ///< where the session names none
constexpr const char* kCutNames[] = {"candidates", "coarse"}; ///< parameters that count the candidates that are re-ranked

QString text(std::string_view s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

/// The method's own parameter that is the cut; nullptr where it re-ranks nothing.
const ParameterSpec* cutParameter(const encoder::Method& method)
{
    for (const char* name : kCutNames)
        if (const auto* spec = method.declaration.schema.find(name); spec && spec->type == ParameterType::Integer)
            return spec;
    return nullptr;
}

QString shortName(const std::filesystem::path& path) { return text((path.parent_path().filename() / path.filename()).string()); }
} // namespace

EncoderController::EncoderController(const EncoderNeighbours& neighbours, const EncoderViews& views, QObject* parent)
    : QObject(parent), m_with(neighbours), m_views(views),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_views.panel->setRunning(sentence); }, [this](const QString& sentence) { emit done(sentence); },
                               [this](const QString& sentence) { emit failed(sentence); }}),
      m_lane(
          [work = std::make_shared<EncoderWork>(m_trained)](const EncoderRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const EncoderRequest&, Level, bool) { show(picture); })
{
    m_surface = std::make_unique<SurfaceController>(*this, *m_views.panel->surface());
    m_training = std::make_unique<TrainingController>(TrainingNeighbours{*this, m_with.jobs, m_jobs, m_with.ask, m_trained}, *m_views.panel->training());
    m_losses = std::make_unique<LossController>(*this, m_with.model, m_jobs, m_trained, *m_views.panel->compare());
    connect(m_losses.get(), &LossController::availabilityChanged, this, &EncoderController::availabilityChanged);
    connect(m_training.get(), &TrainingController::availabilityChanged, this, &EncoderController::availabilityChanged);
    connectPanel();
    connectSettings();
    connect(&m_with.workspaces, &WorkspaceController::autoencoderRequested, this, &EncoderController::open);
    connect(m_views.tree, &views::WorkspaceTree::autoencoderSelected, this, &EncoderController::opened);
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState& after) { showState(after); });
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) {
        m_refused = true;
        m_views.panel->setProblem(sentence);
        emit failed(sentence);
    });
    connect(&m_lane, &LaneCore::busyChanged, this, [this] {
        m_views.panel->setStale(!isUpToDate());
        emit availabilityChanged();
    });
    showState(m_with.document.state());
}

EncoderController::~EncoderController() = default;

void EncoderController::edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(EncoderChoice&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) {
        if (state.encoder.method.empty())
            state.encoder.method = method().declaration.id;
        change(state.encoder);
    });
    if (finished)
        m_with.document.endMerge();
}

void EncoderController::connectPanel()
{
    auto* panel = m_views.panel;
    connect(panel, &views::EncoderPanel::openRequested, this, &EncoderController::askAndOpen);
    connect(panel->sample(), &views::SamplePage::actionRequested, this, &EncoderController::takeTokensFromModel);
    connect(panel, &views::EncoderPanel::stopRequested, this, &EncoderController::stop);
    connect(panel, &views::EncoderPanel::pageShown, this, [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.encoderPage = name.toStdString(); }); });
    connect(panel, &views::EncoderPanel::tokenChosen, this, [this](qlonglong token) { m_with.document.select([&](Selection& selection) { selection.encoderToken = token; }); });
    connect(panel, &views::EncoderPanel::cutMoved, this, [this](qlonglong cut, bool finished) { setCut(cut, finished); });
    connect(panel, &views::EncoderPanel::shown, this, [this] {
        if (m_waiting)
            ask();
    });
    connect(panel, &views::EncoderPanel::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) {
        m_with.exports.exportFigure(*figure, format, name);
    });
    connect(panel->compare(), &views::ParetoPage::compareRequested, this, &EncoderController::compare);
    connect(panel->compare(), &views::ParetoPage::pointActivated, this, &EncoderController::takePoint);
}

void EncoderController::connectSettings()
{
    auto* settings = m_views.panel->settings();
    connect(settings, &views::EncoderSettings::methodEdited, this, [this](const QString& id) {
        edit(tr("Encoder method"), {}, true, [&](EncoderChoice& choice) {
            choice.method = id.toStdString();
            choice.parameters = {};
        });
    });
    connect(settings, &views::EncoderSettings::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Set %1").arg(name), "encoder-parameter:" + name, finished, [&](EncoderChoice& choice) { choice.parameters.set(name.toStdString(), value); });
    });
    connect(settings, &views::EncoderSettings::kEdited, this, [this](qlonglong k) {
        edit(tr("Latents of a token"), QStringLiteral("encoder-k"), true, [&](EncoderChoice& choice) { choice.k = m_sources && k == m_sources->ownK ? 0 : k; });
    });
    connect(settings, &views::EncoderSettings::autoencoderRequested, this, &EncoderController::askAndOpen);
    connectOrigins();
    connect(settings->switches(), &views::ReaderSwitches::switched, this, &EncoderController::assume);
    connect(settings, &views::EncoderSettings::trainRequested, m_training.get(), &TrainingController::train);
}

// The method and its request -----------------------------------------------------------------------------------------------

const encoder::Method& EncoderController::method() const
{
    if (const auto* chosen = encoder::findMethod(m_with.document.state().encoder.method))
        return *chosen;
    const auto* first = encoder::findMethod(kFirstMethod);
    return first ? *first : encoder::methods().front();
}

QString EncoderController::unavailable(const encoder::Method& method) const
{
    return method.needsCalibration && m_sources && m_sources->fitted.empty() ? tr("it needs tokens to be fitted to") : QString();
}

std::optional<EncoderRequest> EncoderController::request() const
{
    if (!m_sources)
        return {};
    const auto& state = m_with.document.state();
    EncoderRequest made{m_sources, state.encoder.k, method().declaration.id, {}, state.selection.encoderToken};
    made.sample = m_sources->places && m_views.panel->page() == QLatin1String("sample");
    for (const auto& [name, value] : state.encoder.parameters.all()) // a session may know others
        if (method().declaration.schema.find(name))
            made.parameters.set(name, value);
    if (method().trains)
        if (const auto trained = m_trained->find(made))
            made.trained = trained->number;
    return made;
}

void EncoderController::showPage(const std::string& name)
{
    m_with.document.select([&](Selection& selection) { selection.encoderPage = name; });
}

void EncoderController::refresh() { showState(m_with.document.state()); }

std::int64_t EncoderController::cut() const
{
    const auto& choice = m_with.document.state().encoder;
    if (const auto* spec = cutParameter(method())) {
        const auto& value = choice.parameters.contains(spec->name) ? choice.parameters.value(spec->name) : spec->defaultValue;
        if (const auto* whole = std::get_if<std::int64_t>(&value))
            return *whole;
    }
    if (choice.cut > 0)
        return choice.cut;
    return choice.k > 0 ? choice.k : m_sources ? m_sources->ownK : 1;
}

void EncoderController::setCut(std::int64_t cut, bool finished)
{
    m_dragging = !finished;
    edit(tr("Cut of the coarse order"), QStringLiteral("encoder-cut"), finished, [&](EncoderChoice& choice) {
        if (const auto* spec = cutParameter(method()))
            choice.parameters.set(spec->name, std::clamp<std::int64_t>(cut, static_cast<std::int64_t>(spec->minimum), static_cast<std::int64_t>(spec->maximum)));
        else
            choice.cut = cut;
    });
    if (finished)
        ask(); // what the drag left out
}

bool EncoderController::isUpToDate() const
{
    const auto now = request();
    return now && m_picture && m_picture->complete && m_picture->answers(*now);
}

void EncoderController::ask()
{
    const auto now = request();
    m_waiting = now && !m_views.panel->isVisible();
    if (!now || m_waiting || (m_dragging && m_picture))
        return;
    if (m_asked && m_asked->sameEncoder(*now) && m_asked->token == now->token && m_asked->sample == now->sample && (m_lane.isBusy() || m_refused || isUpToDate()))
        return;
    m_asked = now;
    m_refused = false;
    showNotice();
    m_lane.request(*now);
}

// What is shown --------------------------------------------------------------------------------------------------------------

void EncoderController::showState(const SessionState& state)
{
    const EncoderPaths paths = pathsOf(state.encoder);
    if (paths.autoencoder.empty()) {
        if (m_sources)
            takeSources(nullptr);
        m_failed.reset();
    } else if (!(m_sources && m_sources->paths == paths) && !(m_opening != 0 && m_openingPaths == paths) && m_failed != paths && !awaitsModel(paths)) {
        openSources(paths, false); // undo, or a session
    }
    if (!state.selection.encoderPage.empty())
        m_views.panel->showPage(text(state.selection.encoderPage));
    if (m_sources)
        m_views.panel->setToken(std::clamp<std::int64_t>(state.selection.encoderToken, 0, m_sources->measured.rows() - 1), m_sources->measured.rows());
    showMethods();
    showSources();
    m_views.panel->setCut(cut(), cutParameter(method()) != nullptr);
    m_views.panel->setCaption(caption());
    ask();
    showNotice();
    m_views.panel->setStale(!isUpToDate());
    m_surface->showState();
    m_training->showState();
    refreshPoints();
}

void EncoderController::showMethods()
{
    std::vector<views::OfferedMethod> offered;
    for (const auto& each : encoder::methods()) {
        const auto& d = each.declaration;
        offered.push_back({text(d.id), text(d.title), text(d.reference), each.trains, unavailable(each), d.schema});
    }
    auto* settings = m_views.panel->settings();
    settings->setMethods(offered);
    settings->setChoice(text(method().declaration.id), m_with.document.state().encoder.parameters);
    settings->setTrainReason(m_training->trainDisabledReason());
    m_views.panel->compare()->setDisabledReason(compareDisabledReason());
}

void EncoderController::showSources()
{
    showSwitches();
    auto* settings = m_views.panel->settings();
    showOrigins();
    if (!m_sources) {
        settings->setSources({}, 0, 0);
        m_views.panel->setSummary(m_opening != 0 ? tr("Reading %1").arg(shortName(m_openingPaths.autoencoder)) : QString());
        return;
    }
    const auto& s = *m_sources;
    const auto& state = m_with.document.state().encoder;
    const std::int64_t k = state.k > 0 ? state.k : s.ownK;
    settings->setSources(shortName(s.paths.autoencoder), k, s.autoencoder->latents());
    QString summary = tr("%1 · %2, %3 · %4 latents of width %5, k = %6")
                          .arg(shortName(s.paths.autoencoder), text(io::saeFormatName(s.autoencoder->format)), text(io::saeActivationName(s.autoencoder->config.activation)))
                          .arg(s.autoencoder->latents())
                          .arg(s.autoencoder->width())
                          .arg(k);
    summary += tokensInWords();
    m_views.panel->setSummary(summary);
}

QString EncoderController::caption() const
{
    if (!m_sources)
        return {};
    QString line = shortName(m_sources->paths.autoencoder) + QStringLiteral(": ") + text(method().declaration.id);
    Parameters complete = method().declaration.schema.defaults(); // what a session holds may be out of range: the lane says so
    const auto now = request();
    for (const auto& [name, value] : now->parameters.all())
        complete.set(name, value);
    for (const auto& [name, value] : complete.all())
        line += QStringLiteral(", ") + text(name) + QLatin1Char(' ') + text(toText(value));
    return line;
}

/// Why there is no picture of the present settings, where nothing failed.
void EncoderController::showNotice()
{
    const auto now = request();
    if (!m_refused)
        m_views.panel->setProblem(now && method().trains && now->trained == 0 && !m_training->isTraining() ? tr("%1 is trained on request: press Train.").arg(text(method().declaration.title))
                                                                                                           : QString());
}

void EncoderController::show(const std::shared_ptr<const EncoderPicture>& picture)
{
    if (!picture || picture->request.sources != m_sources)
        return;
    const bool newReport = !m_picture || m_picture->report != picture->report;
    m_picture = picture;
    auto* panel = m_views.panel;
    if (newReport) {
        panel->setProblem({});
        panel->setReport(picture->report, picture->complete, m_sources->measured.rows());
        m_training->showPicture(*picture);
        showCurrent();
        refreshPoints();
    }
    panel->setRanking(picture->ranking);
    if (picture->latents || !picture->request.sample)
        panel->sample()->setLatents(picture->latents);
    panel->setStale(!isUpToDate());
    emit pictureShown(picture->complete);
}

/// The ring in the chart of the comparison.
void EncoderController::showCurrent()
{
    if (!m_picture || !m_picture->complete) {
        m_views.panel->compare()->setCurrent({});
        return;
    }
    report::EncoderPoint point;
    point.method = m_picture->request.method;
    point.quality = m_picture->report->quality;
    point.cost = m_picture->report->cost;
    point.latency = m_picture->report->latency;
    m_views.panel->compare()->setCurrent(point);
}

void EncoderController::showWorstToken()
{
    if (!m_picture || !m_picture->complete || m_picture->report->outcomes.empty())
        return;
    const auto worst = std::ranges::min_element(m_picture->report->outcomes, {}, &report::TokenOutcome::recall);
    m_with.document.select([&](Selection& selection) {
        selection.encoderToken = worst - m_picture->report->outcomes.begin();
        selection.encoderPage = "token";
    });
}

} // namespace tamis::app

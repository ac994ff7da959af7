// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/attention_training_controller.h"

#include "app/window/looked_samples.h"
#include "app/window/photo_work.h"
#include "core/attention/comparison.h"
#include "views/attention/attention_training_page.h"
#include "views/common/number_format.h"
#include "views/common/training_view.h"

#include <QFileInfo>

#include <algorithm>
#include <cmath>
#include <system_error>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
using attention::HeadChoice;
using views::AttentionTrainingPage;
const QString kFiles = QStringLiteral("Models trained around attention (*.safetensors)");
constexpr std::size_t kScored = 32; ///< samples of what is looked at, evenly spread

QString text(const std::string& s) { return QString::fromStdString(s); }

/// Text to train on that stands beside a model without being asked for. Empty: none.
fs::path trainingBeside(const fs::path& model)
{
    std::error_code error;
    const fs::path file = (fs::is_directory(model, error) ? model : model.parent_path()) / "calibration.npy";
    return fs::is_regular_file(file, error) ? file : fs::path();
}

Parameters knownTraining(const Parameters& parameters)
{
    const ParameterSchema schema(attention::tuningParameters());
    Parameters known; // a session may have others
    for (const auto& [name, value] : parameters.all())
        if (schema.find(name))
            known.set(name, value);
    return known;
}

/// What the whole model, the operators around its own weights, and the trained model are worth on the same samples.
report::AttentionComparison worthOf(const AttentionLabSources& sources, const attention::Tuned& tuned, const nn::Model& trained, const attention::AssignmentInputs& with,
                                    const measure::SampleSource& scored, const RunContext& context)
{
    context.setParts(3);
    report::AttentionComparison worth;
    worth.model = fs::path(sources.runnable->workspace()->outline.modelPath).filename().string();
    worth.samples = scored.description();
    worth.planned = 3;
    const auto add = [&](report::AttentionPoint point, const nn::Model* changed, const char* label) {
        attention::measurePoint(point, *sources.model, changed, scored, 0, context.part(1, label));
        worth.points.push_back(std::move(point));
    };
    report::AttentionPoint exact;
    exact.title = QObject::tr("Exact").toStdString();
    add(exact, nullptr, "the whole model");
    report::AttentionPoint around = attention::pointOf(tuned.choices);
    if (!around.method.empty())
        add(around, attention::replaced(sources.model, attention::operatorsFor(*sources.model, tuned.choices, with)).get(), "the operators alone");
    else
        around.title = exact.title;
    around.tuned = true;
    add(around, &trained, "what was trained");
    return worth;
}

QString outcomeOf(const report::AttentionComparison& worth)
{
    QStringList lines;
    for (const auto& point : worth.points) {
        QStringList parts;
        if (std::isfinite(point.perplexity))
            parts << QObject::tr("perplexity %1").arg(views::formatNumber(point.perplexity, 4));
        if (std::isfinite(point.top1))
            parts << QObject::tr("top-1 %1").arg(views::formatPercent(point.top1));
        if (std::isfinite(point.agreement))
            parts << QObject::tr("agreement %1").arg(views::formatPercent(point.agreement));
        if (std::isfinite(point.kl))
            parts << QObject::tr("KL %1").arg(views::formatNumber(point.kl, 3));
        lines << (point.tuned ? QObject::tr("%1, trained: %2") : QStringLiteral("%1: %2")).arg(text(point.title), parts.join(QStringLiteral(" · ")));
    }
    return lines.join(QLatin1Char('\n')) + QStringLiteral("\n") + QObject::tr("on %1").arg(text(worth.samples));
}

/// What both a training and a file need: samples that are fitted to and samples that are scored, and what is made of `tuned`.
struct Grounds {
    std::shared_ptr<const AttentionLabSources> sources;
    std::shared_ptr<const measure::SampleSource> scored;
    attention::AssignmentInputs with;

    Grounds(std::shared_ptr<const AttentionLabSources> of, std::span<const HeadChoice> choices, std::uint64_t seed, const RunContext& context) : sources(std::move(of))
    {
        SampleRequest asked = lookedRequest(sources->samples->path, *sources->model);
        asked.limit = kScored;
        if (sources->samples->photos)
            asked.labels = labelsOf(sources->samples->path);
        const bool fits = attention::needsSamples(choices);
        const std::shared_ptr<const measure::SampleSource> all = openSamples(asked, sources->runnable->workspace()->outline.modelPath, *sources->model, context);
        const auto split = attention::splitForFitting(all, sources->fitting, fits);
        scored = split.scored;
        with = {.seed = seed, .samples = {}, .context = RunContext(context.stopToken())};
        if (fits && split.fitted)
            with.samples = attention::collectSamples(*sources->model, *split.fitted, attention::kFittedSamples, attention::blocksOf(choices), context);
    }
    std::shared_ptr<const TrainedAttention> measured(attention::Tuned tuned, const RunContext& context) const
    {
        auto made = std::make_shared<const attention::TunedModel>(tuned.parts(*sources->runnable->workspace()->checkpoint, with, context));
        auto worth = worthOf(*sources, tuned, *attention::replaced(made->exact, made->operators), with, *scored, context);
        return std::make_shared<const TrainedAttention>(TrainedAttention{sources, std::move(tuned), std::move(made), std::move(worth)});
    }
};
} // namespace

AttentionTrainingController::AttentionTrainingController(const AttentionTrainingNeighbours& neighbours, AttentionTrainingPage& page, QObject* parent)
    : QObject(parent), m_with(neighbours), m_page(page),
      m_jobs(neighbours.jobs, {[](const QString&) {}, [this](const QString& sentence) { emit done(sentence); }, [this](const QString& sentence) { emit failed(sentence); }}),
      m_run(neighbours.jobs, m_jobs, *page.training())
{
    m_page.setSchema(ParameterSchema(attention::tuningParameters()));
    connectPage();
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState&) { showState(); });
    connect(&m_with.lab, &AttentionLabController::availabilityChanged, this, &AttentionTrainingController::showState);
    showState();
}

void AttentionTrainingController::connectPage()
{
    connect(&m_page, &AttentionTrainingPage::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Set %1").arg(name), QStringLiteral("attention-training:") + name, finished, [&](AttentionTraining& training) { training.parameters.set(name.toStdString(), value); });
    });
    connect(&m_page, &AttentionTrainingPage::samplesRequested, this, &AttentionTrainingController::askSamples);
    connect(&m_page, &AttentionTrainingPage::trainRequested, this, &AttentionTrainingController::train);
    connect(&m_page, &AttentionTrainingPage::finishRequested, this, &AttentionTrainingController::finish);
    connect(&m_page, &AttentionTrainingPage::cancelRequested, this, &AttentionTrainingController::cancel);
    connect(&m_page, &AttentionTrainingPage::saveRequested, this, &AttentionTrainingController::askAndSave);
    connect(&m_page, &AttentionTrainingPage::openRequested, this, &AttentionTrainingController::askAndOpen);
}

void AttentionTrainingController::edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(AttentionTraining&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) { change(state.attentionTraining); });
    if (finished)
        m_with.document.endMerge();
}

fs::path AttentionTrainingController::samples() const
{
    if (const auto& chosen = m_with.document.state().attentionTraining.samples; !chosen.empty())
        return chosen;
    return m_sources && !m_sources->model->spec().vision() ? trainingBeside(m_sources->runnable->workspace()->outline.modelPath) : fs::path();
}

std::vector<HeadChoice> AttentionTrainingController::choices() const
{
    return m_sources ? headChoices(m_with.document.state().attention, headsOf(m_sources->model->spec())) : std::vector<HeadChoice>();
}

void AttentionTrainingController::askSamples()
{
    const bool photos = m_sources && m_sources->model->spec().vision();
    const QString path = photos ? m_with.ask.openDirectory(tr("Photos to train on")) : m_with.ask.open(tr("Tokens or text to train on"), tr("Texts and tokens (*.txt *.md *.npy *.ids);;All files (*)"));
    if (!path.isEmpty())
        setSamples(path.toStdString());
}

void AttentionTrainingController::setSamples(const fs::path& path)
{
    edit(tr("Samples to train on"), {}, true, [&](AttentionTraining& training) { training.samples = path.string(); });
}

QString AttentionTrainingController::openDisabledReason() const
{
    const QString reason = m_with.lab.disabledReason();
    return !reason.isEmpty() ? reason : isTraining() ? tr("the model is being trained") : m_opening != 0 ? tr("a file is being opened") : QString();
}

QString AttentionTrainingController::trainDisabledReason() const
{
    if (const QString reason = openDisabledReason(); !reason.isEmpty())
        return reason;
    if (samples().empty())
        return tr("nothing to train on is chosen");
    for (const HeadChoice& choice : choices())
        if (const auto* method = attention::findMethod(choice.method); method && !method->onTape)
            return tr("%1 cannot be trained around").arg(text(method->declaration.title));
    return {};
}

QString AttentionTrainingController::saveDisabledReason() const
{
    return !m_with.lab.disabledReason().isEmpty() ? m_with.lab.disabledReason() : m_trained ? QString() : tr("nothing was trained");
}

void AttentionTrainingController::ended(const Job& job, const Result& result)
{
    if (job.state == JobState::Finished && *result && (*result)->sources == m_sources)
        take(*result);
    else
        take(m_trained); // the losses of the one that was not finished go
    emit availabilityChanged();
}

void AttentionTrainingController::train()
{
    if (const QString reason = trainDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("The model cannot be trained: %1.").arg(reason));
        return;
    }
    m_page.setOutcome({});
    m_with.document.select([](Selection& selection) { selection.attentionPage = "training"; });
    const auto& state = m_with.document.state();
    const attention::TuningSettings settings(ParameterSchema(attention::tuningParameters()).complete(knownTraining(state.attentionTraining.parameters)));
    const auto result = std::make_shared<std::shared_ptr<const TrainedAttention>>();
    m_run.start(
        {tr("Train around attention"), tr("Training"), tr("the model around its attention")},
        [sources = m_sources, chosen = choices(), path = samples(), settings, result, seed = static_cast<std::uint64_t>(state.attention.seed)](const RunContext& context, const TrainingRun::Talk& talk) -> TrainingRun::Keep {
            context.setParts(20);
            const auto& model = *sources->model;
            const Grounds grounds(sources, chosen, seed, context.part(1, "samples"));
            SampleRequest asked = lookedRequest(path, model);
            asked.limit = 0;
            if (sources->samples->photos)
                asked.labels = labelsOf(path);
            const auto trainedOn = openSamples(asked, sources->runnable->workspace()->outline.modelPath, model, context.part(1, "samples to train on"));
            attention::Tuned tuned = attention::fineTune(*sources->runnable->workspace()->checkpoint, chosen, grounds.with, *trainedOn, settings, context.part(14, "training"), {.seen = talk.seen, .enough = talk.enough});
            for (const auto& warning : tuned.warnings)
                context.log(LogLevel::Warning, warning);
            return [result, made = grounds.measured(std::move(tuned), context.part(4, "measuring"))] {
                *result = made;
                return tr("Trained around attention");
            };
        },
        [this, result](const Job& job) { ended(job, result); });
    showState();
    emit availabilityChanged();
}

void AttentionTrainingController::cancel() { m_jobs.stop(); }

void AttentionTrainingController::askAndSave()
{
    if (const QString reason = saveDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be saved: %1.").arg(reason));
        return;
    }
    QString file = m_with.ask.save(tr("Save what was trained"), kFiles, QStringLiteral("attention.safetensors"));
    if (file.isEmpty())
        return;
    if (QFileInfo(file).suffix().isEmpty())
        file += QStringLiteral(".safetensors");
    m_jobs.start(
        tr("Save %1").arg(QFileInfo(file).fileName()), {},
        [trained = m_trained, path = fs::path(file.toStdString())](const RunContext& context) {
            trained->tuned.write(path, context);
            return tr("Written to %1").arg(text(path.string()));
        },
        [](const Job&) {});
}

void AttentionTrainingController::askAndOpen()
{
    if (const QString reason = openDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be opened: %1.").arg(reason));
        return;
    }
    if (const QString file = m_with.ask.open(tr("Open what was trained"), kFiles); !file.isEmpty())
        open(file);
}

void AttentionTrainingController::open(const QString& file)
{
    if (!m_sources)
        return;
    const auto result = std::make_shared<std::shared_ptr<const TrainedAttention>>();
    m_opening = m_jobs.start(
        tr("Open %1").arg(QFileInfo(file).fileName()), tr("Opening"),
        [sources = m_sources, result, path = fs::path(file.toStdString())](const RunContext& context) {
            context.setParts(4);
            attention::Tuned tuned = attention::Tuned::read(path, context.part(1, "reading"));
            const Grounds grounds(sources, tuned.choices, tuned.seed, context.part(1, "samples"));
            auto made = grounds.measured(std::move(tuned), context.part(2, "measuring"));
            context.throwIfStopped(); // cancelled in its last moment: nothing is kept
            *result = std::move(made);
            return tr("%1 opened").arg(text(path.filename().string()));
        },
        [this, result](const Job& job) {
            m_opening = 0;
            ended(job, result);
        });
    showState();
    emit availabilityChanged();
}

void AttentionTrainingController::take(const std::shared_ptr<const TrainedAttention>& trained)
{
    const bool news = trained && trained != m_trained;
    m_trained = trained;
    m_page.training()->setLosses(trained ? trained->tuned.losses : std::vector<report::Series>());
    m_page.setOutcome(trained ? outcomeOf(trained->worth) : QString());
    m_with.lab.offerTrained(trained ? trained->model : nullptr);
    if (news)
        m_with.lab.showWorth(trained->worth);
    showState();
}

/// Of another model, or other samples, what was trained is not shown.
void AttentionTrainingController::showState()
{
    if (m_sources != m_with.lab.sources()) {
        m_sources = m_with.lab.sources();
        m_jobs.stop();
        return take(nullptr);
    }
    m_page.setParameters(ParameterSchema(attention::tuningParameters()).complete(knownTraining(m_with.document.state().attentionTraining.parameters)));
    m_page.setSamples(text(samples().string()));
    m_page.training()->setTrainReason(trainDisabledReason());
    m_page.setSaveReason(saveDisabledReason());
    m_page.setOpenReason(openDisabledReason());
}

} // namespace tamis::app

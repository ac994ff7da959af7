// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/training_controller.h"

#include "app/window/encoder_controller.h"
#include "app/window/trained_match.h"
#include "views/encoder/training_page.h"

#include <QApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>
#include <limits>

namespace tamis::app {
namespace {
const QString kFiles = QStringLiteral("Trained encoders (*.safetensors)");

QString text(const std::string& s) { return QString::fromStdString(s); }

const report::Series* heldOutOf(const std::vector<report::Series>& losses)
{
    const auto found = std::ranges::find_if(losses, [](const report::Series& series) { return series.dashed && !series.points.empty(); });
    return found == losses.end() ? nullptr : &*found;
}
} // namespace

TrainingController::TrainingController(const TrainingNeighbours& neighbours, views::TrainingPage& page, QObject* parent) : QObject(parent), m_with(neighbours), m_page(page)
{
    connect(&m_page, &views::TrainingPage::trainRequested, this, &TrainingController::train);
    connect(&m_page, &views::TrainingPage::finishRequested, this, &TrainingController::finish);
    connect(&m_page, &views::TrainingPage::cancelRequested, this, &TrainingController::cancel);
    connect(&m_page, &views::TrainingPage::openRequested, this, &TrainingController::askAndOpen);
    connect(&m_page, &views::TrainingPage::saveRequested, this, &TrainingController::save);
    connect(&m_page, &views::TrainingPage::takeRequested, this, &TrainingController::take);
    connect(&m_page, &views::TrainingPage::forgetRequested, this, &TrainingController::forget);
    connect(&m_with.queue, &JobQueue::jobChanged, this, [this](int row) {
        const auto& jobs = m_with.queue.jobs();
        if (m_job != 0 && row >= 0 && row < static_cast<int>(jobs.size()) && jobs[static_cast<std::size_t>(row)].id == m_job)
            m_page.setProgress(jobs[static_cast<std::size_t>(row)].fraction, jobs[static_cast<std::size_t>(row)].remainingSeconds);
    });
}

int TrainingController::current() const
{
    const auto now = m_with.lab.request();
    return now ? now->trained : 0;
}

// Training -------------------------------------------------------------------------------------------------------------------

QString TrainingController::trainDisabledReason() const
{
    const auto now = m_with.lab.request();
    if (!now)
        return tr("no autoencoder is open");
    if (isTraining())
        return tr("an encoder is being trained");
    const auto& method = methodOf(*now);
    if (!method.trains)
        return tr("%1 trains nothing").arg(text(method.declaration.title));
    return method.needsCalibration && now->sources->fitted.empty() ? tr("it needs tokens to be trained on") : QString();
}

void TrainingController::train()
{
    if (const QString reason = trainDisabledReason(); !reason.isEmpty()) {
        m_with.lab.fail(tr("Nothing can be trained: %1.").arg(reason));
        return;
    }
    const auto request = *m_with.lab.request();
    const QString title = text(methodOf(request).declaration.title);
    m_enough = std::make_shared<std::atomic<bool>>(false);
    m_page.setLosses({});
    m_page.setRunning(tr("%1, %2").arg(title, text(settingsLine(methodOf(request), request.parameters))));
    m_with.lab.showPage("training");
    const auto number = std::make_shared<int>(0);
    TrainingTalk talk;
    talk.enough = [enough = m_enough] { return enough->load(); };
    talk.seen = [guard = QPointer<TrainingController>(this), run = m_enough](const std::vector<report::Series>& losses) {
        QMetaObject::invokeMethod(qApp, [guard, run, losses] {
            if (guard && guard->m_enough == run) // not over yet
                guard->m_page.setLosses(losses);
        }, Qt::QueuedConnection);
    };
    m_job = m_with.jobs.start(
        tr("Train %1").arg(title), tr("Training"),
        [request, trained = m_with.trained, title, talk, number](const RunContext& context) {
            auto entry = buildEncoder(request, context, talk);
            context.throwIfStopped(); // cancelled in its last moment: nothing is kept
            const QString sentence = tr("%1: %2 s of training").arg(title).arg(entry.seconds, 0, 'f', 1);
            *number = trained->keep(std::move(entry));
            return sentence;
        },
        [this, number, sources = request.sources](const Job& job) {
            m_job = 0;
            m_enough.reset();
            m_page.setRunning({});
            if (job.state == JobState::Finished && m_with.lab.sources() == sources) // another autoencoder's settings are its own
                take(*number);
            m_with.lab.refresh();
            emit availabilityChanged();
        });
    m_with.lab.refresh();
    emit availabilityChanged();
}

void TrainingController::finish()
{
    if (!m_enough)
        return;
    m_enough->store(true);
    m_page.setFinishing();
}

void TrainingController::cancel()
{
    if (m_job != 0)
        m_with.queue.cancel(m_job);
}

// What there is ----------------------------------------------------------------------------------------------------------------

void TrainingController::take(int number)
{
    const auto entry = m_with.trained->at(number);
    const auto now = m_with.lab.request();
    if (!entry || !now)
        return;
    const auto measured = m_measured.find(number);
    if (!serves(*entry, *now))
        m_with.lab.edit(tr("Take the trained %1").arg(text(methodOf(entry->request).declaration.title)), {}, true, [&](EncoderChoice& choice) {
            choice.method = entry->request.method;
            choice.parameters = measured == m_measured.end() ? entry->request.parameters : measured->second.point.parameters; // as in its row
            choice.k = entry->request.k;
        });
    m_with.lab.refresh();
}

void TrainingController::forget(int number)
{
    m_with.trained->forget(number);
    m_measured.erase(number);
    m_with.lab.refresh();
    emit availabilityChanged();
}

QString TrainingController::saveDisabledReason() const
{
    return m_page.selected() || current() != 0 ? QString() : tr("no trained encoder is chosen");
}

void TrainingController::askAndSave() { save(m_page.selected().value_or(current())); }

void TrainingController::save(int number)
{
    const auto entry = m_with.trained->at(number);
    if (!entry)
        return;
    const QString suggested = entry->file.empty() ? text(entry->request.method).section(QLatin1Char('.'), 1) + QStringLiteral(".safetensors") : text(entry->file.string());
    QString file = m_with.ask.save(tr("Save the trained encoder"), kFiles, suggested);
    if (file.isEmpty())
        return;
    if (QFileInfo(file).suffix().isEmpty())
        file += QStringLiteral(".safetensors");
    m_with.jobs.start(
        tr("Save %1").arg(QFileInfo(file).fileName()), {},
        [entry, now = number == current() ? m_with.lab.request() : std::nullopt, path = std::filesystem::path(file.toStdString())](const RunContext& context) {
            auto written = *entry; // the current one as it is set
            if (now)
                written.built = builtFor(*entry, methodOf(*now).declaration.schema.complete(now->parameters), dictionaryOf(*now), context);
            saveTrained(written, path, context);
            return tr("Written to %1").arg(text(path.string()));
        },
        [this, number, path = std::filesystem::path(file.toStdString())](const Job& job) {
            if (job.state == JobState::Finished)
                m_with.trained->setFile(number, path);
            showList();
        });
}

void TrainingController::askAndOpen()
{
    if (!m_with.lab.sources())
        return;
    if (const QString file = m_with.ask.open(tr("Open a trained encoder"), kFiles); !file.isEmpty())
        open(file);
}

void TrainingController::open(const QString& file)
{
    const auto now = m_with.lab.request();
    if (!now)
        return;
    const auto number = std::make_shared<int>(0);
    m_with.jobs.start(
        tr("Open %1").arg(QFileInfo(file).fileName()), {},
        [path = std::filesystem::path(file.toStdString()), sources = now->sources, trained = m_with.trained, number](const RunContext& context) {
            auto entry = openTrained(path, sources, context);
            const QString sentence = tr("%1 opened").arg(text(path.filename().string()));
            *number = trained->keep(std::move(entry));
            return sentence;
        },
        [this, number, sources = now->sources](const Job& job) {
            if (job.state != JobState::Finished)
                return;
            if (m_with.lab.sources() == sources) {
                m_with.lab.showPage("training");
                take(*number);
            }
            emit availabilityChanged();
        });
}

// What is shown ----------------------------------------------------------------------------------------------------------------

void TrainingController::showState()
{
    m_page.setTrainReason(trainDisabledReason());
    m_page.setOpenReason(m_with.lab.sources() ? QString() : tr("no autoencoder is open"));
    m_page.setCaption(m_with.lab.caption());
    if (!isTraining()) {
        const auto entry = m_with.trained->at(current());
        m_page.setLosses(entry ? entry->built.training : std::vector<report::Series>());
    }
    showList();
}

void TrainingController::showList()
{
    std::vector<views::TrainedRow> rows;
    const auto now = m_with.lab.request();
    // On tokens that were closed, or of one that gave way: what they hold is let go.
    std::erase_if(m_measured, [&](const auto& each) { return !now || each.second.sources != now->sources || !m_with.trained->at(each.first); });
    for (const auto& entry : m_with.trained->entries()) {
        if (!now || entry.request.sources->paths.autoencoder != now->sources->paths.autoencoder || entry.request.sources->paths.assumed != now->sources->paths.assumed)
            continue; // of another autoencoder, or of one read otherwise: it comes back with that
        const auto& method = methodOf(entry.request);
        views::TrainedRow row;
        row.number = entry.number;
        row.method = text(method.declaration.title);
        row.settings = text(settingsLine(method, entry.request.parameters));
        row.seconds = entry.seconds;
        row.file = text(entry.file.string());
        row.current = entry.number == now->trained;
        for (const auto& series : entry.built.training)
            if (!series.points.empty())
                row.steps = std::max(row.steps, static_cast<qlonglong>(series.points.back().x));
        if (const auto* heldOut = heldOutOf(entry.built.training))
            row.heldOut = std::ranges::min_element(heldOut->points, {}, &report::Point::y)->y;
        if (const auto measured = m_measured.find(entry.number); measured != m_measured.end()) {
            row.recall = measured->second.point.quality.recallMean;
            row.macs = measured->second.macs;
            row.settings = text(measured->second.point.settings); // the cut may have moved since it was trained
        }
        rows.push_back(row);
    }
    m_page.setTrained(std::move(rows));
}

void TrainingController::showPicture(const EncoderPicture& picture)
{
    if (!picture.complete || picture.request.trained == 0)
        return;
    const auto entry = m_with.trained->at(picture.request.trained);
    if (!entry)
        return;
    const auto& method = methodOf(entry->request);
    auto& measured = m_measured[entry->number];
    measured.sources = picture.request.sources;
    measured.macs = picture.report->cost.macs / picture.report->exactCost.macs;
    auto& point = measured.point;
    point.method = entry->request.method;
    point.title = method.declaration.title;
    point.parameters = method.declaration.schema.complete(picture.request.parameters);
    point.settings = settingsLine(method, point.parameters);
    point.quality = picture.report->quality;
    point.cost = picture.report->cost;
    point.latency = picture.report->latency;
    point.buildSeconds = entry->seconds;
    showList();
}

std::vector<report::EncoderPoint> TrainingController::points() const
{
    std::vector<report::EncoderPoint> found;
    const auto now = m_with.lab.request();
    for (const auto& entry : m_with.trained->entries())
        if (const auto measured = m_measured.find(entry.number); now && measured != m_measured.end() && measured->second.sources == now->sources && sameDictionary(entry.request, *now))
            found.push_back(measured->second.point);
    return found;
}

} // namespace tamis::app

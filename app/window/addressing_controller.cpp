// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/addressing_controller.h"

#include "core/addressing/method.h"
#include "views/addressing/addressing_bench.h"
#include "views/addressing/addressing_page.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QPointer>

#include <system_error>

namespace tamis::app {
namespace {
using views::AddressingBench;
namespace fs = std::filesystem;

QString text(const std::string& s) { return QString::fromStdString(s); }

/// Tokens to fit to that stand beside a model without being asked for. Empty: none.
fs::path calibrationBeside(const fs::path& model)
{
    std::error_code error;
    const fs::path file = (fs::is_directory(model, error) ? model : model.parent_path()) / "calibration.npy";
    return fs::is_regular_file(file, error) ? file : fs::path();
}

bool reads(const nn::Model& model) { return !model.spec().vision(); }
} // namespace

AddressingController::AddressingController(const AddressingNeighbours& neighbours, AddressingBench& bench, QObject* parent)
    : QObject(parent), m_with(neighbours), m_bench(bench),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_bench.setRunning(!sentence.isEmpty()); }, [this](const QString& sentence) { emit done(sentence); },
                               [this](const QString& sentence) { emit failed(sentence); }})
{
    std::vector<views::OfferedMethod> offered;
    for (const auto& each : addressing::methods()) {
        const auto& d = each.declaration;
        offered.push_back({text(d.id), text(d.title), text(d.reference), false, {}, d.schema});
    }
    m_bench.setMethods(offered);
    connectBench();
    connect(&m_with.lab, &AttentionLabController::availabilityChanged, this, &AddressingController::takeSources);
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState& before, const SessionState& after) {
        if (before.addressing != after.addressing)
            showSettings();
    });
    showSettings();
}

void AddressingController::connectBench()
{
    connect(&m_bench, &AddressingBench::methodEdited, this, [this](const QString& id) { setMethod(id.toStdString()); });
    connect(&m_bench, &AddressingBench::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Set %1").arg(name), QStringLiteral("addressing-parameter:%1:%2").arg(text(method()), name), finished,
             [&, method = method()](AddressingChoice& choice) { choice.parameters[method].set(name.toStdString(), value); });
    });
    connect(&m_bench, &AddressingBench::readersToggled, this, [this](bool timed) {
        edit(tr("Time readers"), {}, true, [timed](AddressingChoice& choice) { choice.readers = timed; });
    });
    connect(&m_bench, &AddressingBench::calibrationRequested, this, &AddressingController::askCalibration);
    connect(&m_bench, &AddressingBench::measureRequested, this, &AddressingController::measure);
    connect(&m_bench, &AddressingBench::stopRequested, this, &AddressingController::stop);
}

// Settings -------------------------------------------------------------------------------------------------------------------

void AddressingController::setMethod(const std::string& id)
{
    edit(tr("Method of addressing"), {}, true, [&](AddressingChoice& choice) { choice.method = id; });
}

void AddressingController::edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(AddressingChoice&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) { change(state.addressing); });
    if (finished)
        m_with.document.endMerge();
}

std::string AddressingController::method() const
{
    const std::string& chosen = m_with.document.state().addressing.method;
    return addressing::findMethod(chosen) ? chosen : addressing::methods().front().declaration.id;
}

fs::path AddressingController::calibration() const
{
    if (const auto& chosen = m_with.document.state().addressing.calibration; !chosen.empty())
        return chosen;
    return m_sources && reads(*m_sources->model) ? calibrationBeside(m_sources->runnable->workspace()->outline.modelPath) : fs::path();
}

void AddressingController::askCalibration()
{
    if (const QString file = m_with.ask.open(tr("Tokens or text to fit to"), tr("Texts and tokens (*.txt *.md *.npy *.ids);;All files (*)")); !file.isEmpty())
        setCalibration(file.toStdString());
}

void AddressingController::setCalibration(const fs::path& file)
{
    edit(tr("Tokens to fit to"), {}, true, [&](AddressingChoice& choice) { choice.calibration = file.string(); });
}

/// Another model and another text forget what was measured.
void AddressingController::takeSources()
{
    const auto& now = m_with.lab.sources();
    if (now != m_sources) {
        m_sources = now;
        m_jobs.stop();
        show({}, nullptr);
        showSettings();
    }
    showState();
}

AddressingController::Asked AddressingController::asked() const
{
    const auto& choice = m_with.document.state().addressing;
    const std::string of = method();
    Parameters known; // a session may have others
    if (const auto found = choice.parameters.find(of); found != choice.parameters.end())
        for (const auto& [name, value] : found->second.all())
            if (addressing::findMethod(of)->declaration.schema.find(name))
                known.set(name, value);
    return {m_sources, of, known, calibration(), choice.readers};
}

QString AddressingController::disabledReason() const
{
    if (const QString reason = m_with.lab.disabledReason(); !reason.isEmpty())
        return reason;
    if (!m_sources || !reads(*m_sources->model))
        return tr("the model reads images, and rows are addressed by tokens of a text");
    return calibration().empty() ? tr("no tokens to fit to are chosen") : m_job != 0 ? tr("reads are being measured") : QString();
}

bool AddressingController::isUpToDate() const { return m_report && m_shownOf && *m_shownOf == asked(); }

// The job --------------------------------------------------------------------------------------------------------------------

void AddressingController::stop() { m_jobs.stop(); }

void AddressingController::measure()
{
    if (const QString reason = disabledReason(); !reason.isEmpty()) {
        emit failed(tr("Reads cannot be measured: %1.").arg(reason));
        return;
    }
    m_with.document.select([](Selection& selection) { selection.attentionPage = "addressing"; });
    const Asked now = asked();
    const QString title = text(addressing::findMethod(now.method)->declaration.title);
    m_job = m_jobs.start(
        tr("Reads of %1").arg(title), tr("Measuring reads"),
        [now, title, guard = QPointer<AddressingController>(this)](const RunContext& context) {
            context.setParts(20);
            const auto& path = now.sources->runnable->workspace()->outline.modelPath;
            addressing::Inputs inputs;
            inputs.model = now.sources->model;
            inputs.samples = now.sources->samples->source;
            SampleRequest calibration = lookedRequest(now.calibration, *now.sources->model);
            calibration.limit = 0; // all of them: what a table cannot have seen is part of the result
            inputs.calibration = openSamples(calibration, path, *now.sources->model, context.part(1, "tokens to fit to"));
            inputs.latency = now.readers;
            report::AddressingReport report = addressing::findMethod(now.method)->run(inputs, now.parameters, context.part(19, "reads"));
            report.model = fs::path(path).filename().string();
            for (const auto& warning : report.warnings)
                context.log(LogLevel::Warning, warning);
            const auto tokens = report.traceTokens;
            QMetaObject::invokeMethod(qApp, [guard, now, made = std::make_shared<const report::AddressingReport>(std::move(report))] {
                if (guard && guard->m_sources == now.sources)
                    guard->show(now, made);
            }, Qt::QueuedConnection);
            return tr("%1 measured on %2 tokens").arg(title).arg(tokens);
        },
        [this](const Job&) {
            m_job = 0;
            showState();
        });
    showState();
}

// What is shown --------------------------------------------------------------------------------------------------------------

void AddressingController::showSettings()
{
    m_bench.setChoice(text(method()), asked().parameters);
    m_bench.setCalibration(text(calibration().string()));
    m_bench.setTimesReaders(m_with.document.state().addressing.readers);
    showState();
}

void AddressingController::showState()
{
    m_bench.setDisabledReason(disabledReason());
    m_bench.page()->setStale(m_report && !isUpToDate());
    emit availabilityChanged();
}

void AddressingController::show(const Asked& of, const std::shared_ptr<const report::AddressingReport>& report)
{
    m_report = report;
    m_shownOf = report ? std::optional(of) : std::nullopt;
    m_bench.page()->setReport(report);
    m_bench.page()->setCaption(caption());
    showState();
}

QString AddressingController::caption() const
{
    if (!m_report)
        return {};
    QString line = tr("%1, %2: %3 fitted to %4").arg(text(m_report->model), text(m_report->samples), text(m_report->method), text(m_shownOf->calibration.filename().string()));
    for (const auto& [name, value] : m_report->parameters.all())
        line += QStringLiteral(", %1 %2").arg(text(name), text(toText(value)));
    return line;
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/fleet_controller.h"

#include "app/bundled/bundled.h"
#include "app/samples/sample_request.h"
#include "core/base/error.h"
#include "core/cache/load_trace.h"
#include "core/fleet/edge_cloud.h"
#include "core/fleet/method.h"
#include "core/io/checkpoint.h"
#include "views/cache/cache_panel.h"
#include "views/fleet/devices_page.h"

#include <QCoreApplication>
#include <QPointer>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <tuple>

namespace tamis::app {
namespace {
using views::DevicesPage;
namespace fs = std::filesystem;
constexpr const char* kPage = "devices";
constexpr const char* kEdge = "fleet.edge-cloud";

QString text(const std::string& s) { return QString::fromStdString(s); }

/// Read once while the file and how it is read stay the same. One thread.
class TraceShelf {
public:
    std::shared_ptr<const cache::Trace> get(const FleetRequest& request, const RunContext& context)
    {
        if (m_trace && m_of.trace == request.trace && m_of.format == request.format && m_of.columns == request.columns)
            return m_trace;
        m_trace = load(request, context);
        m_of = request;
        return m_trace;
    }
    static std::shared_ptr<const cache::Trace> load(const FleetRequest& request, const RunContext& context)
    {
        const io::TraceOptions options{io::traceFormatNamed(request.format).value_or(io::TraceFormat::Automatic), request.columns};
        const fs::path file = request.trace.empty() ? bundledDatasets() / "traces" / "sotu-words.txt.gz" : fs::path(request.trace);
        return std::make_shared<const cache::Trace>(cache::loadTrace(file, options, context));
    }

private:
    FleetRequest m_of;
    std::shared_ptr<const cache::Trace> m_trace;
};

/// What a job that measures a server is given. Without a model that reads the photos, its latency alone.
fleet::Inputs serverInputs(const FleetRequest& request, const std::string& server, const fs::path& model, const fs::path& photos, const RunContext& context)
{
    fleet::Inputs inputs;
    inputs.store.emplace();
    inputs.store->connection.server = remote::parseServer(server);
    if (const char* const password = std::getenv("TAMIS_REDIS_PASSWORD"))
        inputs.store->connection.password = password;
    if (!model.empty() && !photos.empty()) {
        const auto checkpoint = io::Checkpoint::open(model, context);
        auto runnable = nn::Model::load(*checkpoint, context);
        if (runnable->spec().vision()) {
            SampleRequest samples;
            samples.images = photos;
            samples.squash = true;
            samples.limit = 64;
            inputs.modelHash = fleet::featureVersion(*checkpoint, context);
            inputs.samples = openSamples(samples, model, *runnable, context);
            inputs.model = std::move(runnable);
            return inputs;
        }
    }
    inputs.trace = TraceShelf::load(request, context);
    return inputs;
}
} // namespace

FleetController::FleetController(const FleetNeighbours& neighbours, views::CachePanel& panel, QObject* parent)
    : QObject(parent), m_with(neighbours), m_page(new DevicesPage),
      m_jobs(neighbours.jobs, {[this](const QString& sentence) { m_page->setRunning(!sentence.isEmpty()); }, [this](const QString& sentence) { emit done(sentence); }, [this](const QString& sentence) { emit failed(sentence); }})
{
    std::vector<views::OfferedMethod> offered;
    for (const auto& each : fleet::methods())
        if (each.server != fleet::Need::Required) // that one is the button's
            offered.push_back({text(each.declaration.id), text(each.declaration.title), text(each.declaration.reference), false, {}, each.declaration.schema});
    m_page->setMethods(offered);
    panel.addPage(m_page, QLatin1String(kPage), tr("Devices"), m_page->settings());
    m_lane = std::make_unique<FleetLane>(
        [shelf = std::make_shared<TraceShelf>()](const FleetRequest& request, Level level, const RunContext& context, const auto&) -> std::shared_ptr<const report::FleetReport> {
            if (level == Level::Coarse)
                return nullptr;
            const fleet::Method& method = *fleet::findMethod(request.method);
            fleet::Inputs inputs;
            context.setParts(10);
            if (method.trace != fleet::Need::None)
                inputs.trace = shelf->get(request, context.part(2, "reading the trace"));
            return std::make_shared<const report::FleetReport>(method.run(inputs, request.parameters, context.part(8, method.declaration.title)));
        },
        [this](const std::shared_ptr<const report::FleetReport>& report, const FleetRequest& of, Level, bool) { take(report, of); });
    connect(m_lane.get(), &LaneCore::failed, this, [this](const QString& sentence) {
        m_failedOf = asked(); // not tried again until something is changed
        emit failed(sentence);
    });
    connect(m_lane.get(), &LaneCore::busyChanged, this, &FleetController::availabilityChanged);
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState& before, const SessionState& after) {
        if (before.fleet != after.fleet)
            showSettings();
        if (before.fleet != after.fleet || !before.cache.readsAs(after.cache))
            refresh();
        if (before.fleet.server != after.fleet.server)
            emit availabilityChanged();
    });
    connectPage();
    showSettings();
}

FleetController::~FleetController() = default;

void FleetController::connectPage()
{
    connect(m_page, &DevicesPage::shown, this, &FleetController::refresh);
    connect(m_page, &DevicesPage::methodEdited, this, [this](const QString& id) { edit(tr("Devices: method"), {}, [&](FleetChoice& choice) { choice.method = id.toStdString(); }); });
    connect(m_page, &DevicesPage::parameterEdited, this, [this](const QString& name, const ParameterValue& value, bool finished) {
        edit(tr("Devices: %1").arg(name), QStringLiteral("fleet.%1").arg(name), [&, of = method()](FleetChoice& choice) { choice.parameters[of].set(name.toStdString(), value); });
        if (finished)
            m_with.document.endMerge();
    });
    connect(m_page, &DevicesPage::serverEdited, this, [this](const QString& server) { edit(tr("Devices: server"), {}, [&](FleetChoice& choice) { choice.server = server.toStdString(); }); });
    connect(m_page, &DevicesPage::measureRequested, this, &FleetController::measure);
    connect(m_page, &DevicesPage::stopRequested, this, &FleetController::stop);
    connect(m_page, &DevicesPage::useMeasuredRequested, this, &FleetController::useMeasured);
    connect(m_page, &DevicesPage::exportRequested, this, [this](views::Figure* figure, views::FigureFormat format, const QString& name) { m_with.exportFigure(*figure, format, name); });
}

// Settings -------------------------------------------------------------------------------------------------------------------

void FleetController::edit(const QString& label, const QString& mergeKey, const std::function<void(FleetChoice&)>& change)
{
    m_with.document.change(label, mergeKey, [&](SessionState& state) { change(state.fleet); });
}

std::string FleetController::method() const
{
    const fleet::Method* found = fleet::findMethod(m_with.document.state().fleet.method);
    return found && found->server != fleet::Need::Required ? found->declaration.id : fleet::methods().front().declaration.id;
}

Parameters FleetController::parameters(const std::string& method) const
{
    const auto& all = m_with.document.state().fleet.parameters;
    const auto found = all.find(method);
    return found == all.end() ? Parameters() : found->second;
}

FleetRequest FleetController::asked() const
{
    const CacheChoice& cache = m_with.document.state().cache;
    const std::string of = method();
    return {of, parameters(of), cache.trace, cache.format, cache.columns};
}

void FleetController::showSettings()
{
    const std::string of = method();
    m_page->setChoice(text(of), parameters(of));
    try {
        m_page->setTiers(std::make_shared<const report::EdgeCloudReport>(fleet::assumedTiers(parameters(kEdge))));
    } catch (const Error&) {
        m_page->setTiers(nullptr); // settings of a session that are none: said when that method is chosen
    }
    m_page->setServer(text(m_with.document.state().fleet.server));
    m_page->setDisabledReason(disabledReason());
}

bool FleetController::isUpToDate() const { return m_report && m_shownOf && *m_shownOf == asked(); }

/// Computes nothing for a page that nobody sees.
void FleetController::refresh()
{
    const bool stale = !isUpToDate();
    m_page->setStale(m_report && stale);
    if (stale && m_page->isVisible() && (!m_failedOf || *m_failedOf != asked()))
        m_lane->request(asked());
}

void FleetController::take(const std::shared_ptr<const report::FleetReport>& report, const FleetRequest& of)
{
    m_report = report;
    m_shownOf = of;
    m_failedOf.reset();
    m_page->setReport(report);
    m_page->setCaption(caption());
    m_page->setStale(!isUpToDate());
    emit availabilityChanged();
}

QString FleetController::caption() const
{
    QString line = tr("%1 on %2").arg(text(m_report->method), m_report->trace.empty() ? tr("no trace") : text(m_report->trace));
    for (const auto& [name, value] : m_report->parameters.all())
        line += QStringLiteral(", %1 %2").arg(text(name), text(toText(value)));
    return line + tr("; a model for planning");
}

// The server -----------------------------------------------------------------------------------------------------------------

QString FleetController::disabledReason() const
{
    if (m_job != 0)
        return tr("a server is being measured");
    try {
        remote::parseServer(m_with.document.state().fleet.server);
    } catch (const Error& error) {
        return text(error.what());
    }
    return {};
}

QString FleetController::useDisabledReason() const
{
    if (!m_measured || !std::isfinite(m_measured->get.seconds))
        return tr("no server is measured");
    return m_measured->get.secondsPerByte > 0 ? QString() : tr("the latency that was measured does not grow with the bytes");
}

void FleetController::stop() { m_jobs.stop(); }

void FleetController::measure()
{
    if (const QString reason = disabledReason(); !reason.isEmpty()) {
        emit failed(tr("The server cannot be measured: %1.").arg(reason));
        return;
    }
    const SessionState& state = m_with.document.state();
    m_page->setDegraded({});
    m_job = m_jobs.start(
        tr("Redis at %1").arg(text(state.fleet.server)), tr("Measuring the server"),
        [request = asked(), server = state.fleet.server, model = fs::path(state.modelPath), photos = fs::path(state.selection.photos), guard = QPointer<FleetController>(this)](const RunContext& context) {
            context.setParts(10);
            fleet::Inputs inputs = serverInputs(request, server, model, photos, context.part(2, "opening"));
            inputs.listener = [guard](const remote::StoreNotice& notice) { // any thread
                QMetaObject::invokeMethod(qApp, [guard, text = notice.degraded ? text(notice.text) : QString()] {
                    if (guard)
                        guard->m_page->setDegraded(text);
                }, Qt::QueuedConnection);
            };
            const auto made = std::make_shared<const report::FleetReport>(fleet::findMethod(inputs.model ? "fleet.remote" : kEdge)->run(inputs, {}, context.part(8, "measuring")));
            QMetaObject::invokeMethod(qApp, [guard, made] {
                if (guard)
                    guard->takeMeasured(*made);
            }, Qt::QueuedConnection);
            return made->remote.degraded ? tr("%1 does not answer: features were computed here").arg(text(server)) : tr("%1 is measured").arg(text(server));
        },
        [this](const Job&) {
            m_job = 0;
            m_page->setMeasured(m_measured); // the banner of a job that was stopped goes with it
            m_page->setDisabledReason(disabledReason());
            emit availabilityChanged();
        });
    m_page->setDisabledReason({});
    emit availabilityChanged();
}

void FleetController::takeMeasured(const report::FleetReport& report)
{
    m_measured = std::make_shared<const report::RemoteReport>(report.remote);
    m_page->setMeasured(m_measured);
    emit availabilityChanged();
}

void FleetController::useMeasured()
{
    if (const QString reason = useDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("There is nothing to use: %1.").arg(reason));
        return;
    }
    const ParameterSchema& schema = fleet::findMethod(kEdge)->declaration.schema;
    const auto within = [&](const char* name, double value) {
        const ParameterSpec& spec = *schema.find(name);
        return std::clamp(value, spec.minimum, spec.maximum);
    };
    edit(tr("Edge as measured"), {}, [&](FleetChoice& choice) {
        choice.method = kEdge;
        choice.parameters[kEdge].set("edge-latency", within("edge-latency", 1000 * m_measured->get.seconds));
        if (std::isfinite(m_measured->encodeP50))
            choice.parameters[kEdge].set("encode", within("encode", 1000 * m_measured->encodeP50));
        choice.parameters[kEdge].set("edge-bandwidth", within("edge-bandwidth", 1e-6 / m_measured->get.secondsPerByte));
    });
}

} // namespace tamis::app

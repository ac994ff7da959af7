// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/attention_map_work.h"

#include "core/base/error.h"
#include "core/measure/capture.h"
#include "core/measure/even_subset.h"

#include <QTemporaryDir>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
constexpr std::size_t kCalibrating = 16; ///< samples that stand in for a calibration set
} // namespace

struct AttentionMapWork::Opened {
    std::shared_ptr<RunnableModel> model;
    fs::path samples;
    std::shared_ptr<const LookedSamples> looked;
    std::shared_ptr<const AttentionSources> sources;
    std::unique_ptr<QTemporaryDir> directory; ///< of a calibration set made here
    std::optional<lowrank::AttentionPreview> preview;
    std::string warning;
    std::size_t photoOf = 0; ///< sample that `photo` is of
    QImage photo;

    bool is(const AttentionRequest& request) const { return preview && model == request.model && samples == request.samples; }
    std::shared_ptr<const io::CalibrationSet> calibrateOn(std::unique_ptr<measure::SampleSource> from, const nn::Model& dense, const RunContext& context);
};

std::shared_ptr<const io::CalibrationSet> AttentionMapWork::Opened::calibrateOn(std::unique_ptr<measure::SampleSource> from, const nn::Model& dense,
                                                                                const RunContext& context)
{
    const auto some = measure::evenSubset(std::move(from), kCalibrating);
    directory = std::make_unique<QTemporaryDir>();
    if (!directory->isValid())
        throw Error(ErrorCode::IoFailure, "no temporary directory can be made: " + directory->errorString().toStdString());
    measure::CaptureOptions options;
    options.out = fs::path(directory->filePath(QStringLiteral("moments.h5")).toStdString());
    options.modelSha256 = model->workspace()->checkpoint->sha256(context);
    options.stateSeconds = -1;
    measure::captureCalibration(dense, *some, options, context);
    warning = "No calibration set is open: second moments come from " + std::to_string(some->count()) + " of these samples themselves.";
    return io::CalibrationSet::open(options.out, context);
}

AttentionMapWork::AttentionMapWork() = default;
AttentionMapWork::~AttentionMapWork() = default;

void AttentionMapWork::open(const AttentionRequest& request, const RunContext& context)
{
    m_opened.reset();
    auto opened = std::make_unique<Opened>();
    opened->model = request.model;
    opened->samples = request.samples;
    const fs::path modelPath = request.model->workspace()->outline.modelPath;
    const auto dense = request.model->dense(context);
    opened->looked = openLookedSamples(request.samples, modelPath, *dense, context);
    auto listed = std::make_shared<AttentionSources>();
    listed->photos = opened->looked->photos;
    listed->description = opened->looked->source->description();
    listed->names = opened->looked->names;
    listed->beginnings = opened->looked->beginnings;
    const auto& workspace = *request.model->workspace();
    lowrank::Inputs inputs{.checkpoint = workspace.checkpoint, .model = dense, .calibration = workspace.calibration, .samples = opened->looked->source, .matrices = {}};
    if (!inputs.calibration)
        inputs.calibration = opened->calibrateOn(openSamples(lookedRequest(request.samples, *dense), modelPath, *dense, context), *dense, context);
    opened->preview.emplace(std::move(inputs));
    listed->schema = opened->preview->schema();
    opened->sources = std::move(listed);
    m_opened = std::move(opened);
}

AttentionMapWork::Picture AttentionMapWork::pictureOf(const AttentionRequest& request, report::AttentionMapReport report)
{
    Opened& o = *m_opened;
    if (o.sources->photos) {
        if (o.photo.isNull() || o.photoOf != report.sampleIndex) {
            o.photo = o.looked->photo(report.sampleIndex);
            o.photoOf = report.sampleIndex;
        }
    } else if (report.tokens > 0) {
        report.tokenLabels = o.looked->tokenNames(report.sampleIndex);
    }
    for (auto& effect : report.effects)
        for (auto* guesses : {&effect.before, &effect.after})
            o.looked->name(*guesses);
    if (!o.warning.empty())
        report.warnings.push_back(o.warning);
    return std::make_shared<const AttentionPicture>(AttentionPicture{request, o.sources, std::make_shared<const report::AttentionMapReport>(std::move(report)), o.photo});
}

AttentionMapWork::Picture AttentionMapWork::coarse(const AttentionRequest& request)
{
    if (!m_opened || !m_opened->is(request) || request.map.source == report::MapSource::Plan)
        return nullptr;
    const auto first = m_opened->preview->first(request.map);
    if (!first)
        return nullptr;
    m_shown = request;
    return pictureOf(request, *first);
}

AttentionMapWork::Picture AttentionMapWork::refine(const AttentionRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    context.setParts(10);
    if (!m_opened || !m_opened->is(request))
        open(request, context.part(4, "samples"));
    lowrank::AttentionMapRequest map = request.map;
    map.plan = request.model->compressed(request.picture, context.part(2, "plan"));
    const auto partial = [&](const report::AttentionMapReport& report) {
        if (publish)
            publish(pictureOf(request, report));
    };
    // What the coarse picture showed is not computed again, unless samples are averaged over and tell of themselves.
    const bool quiet = m_shown == request && (!map.parameters.contains("average") || map.parameters.integer("average") == 1);
    return pictureOf(request, m_opened->preview->whole(map, context.part(4, "maps"), quiet ? lowrank::AttentionPreview::Publish() : partial));
}

} // namespace tamis::app

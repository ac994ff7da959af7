// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/attention_map_work.h"

#include "app/samples/sample_request.h"
#include "app/window/photo_work.h"
#include "app/window/sample_pictures.h"
#include "core/base/error.h"
#include "core/inputs/image_preprocess.h"
#include "core/inputs/image_preprocess_config.h"
#include "core/inputs/tokenizer.h"
#include "core/measure/capture.h"
#include "core/measure/even_subset.h"

#include <QTemporaryDir>

#include <algorithm>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
constexpr std::int64_t kContext = 256;      ///< tokens a text: maps that can be looked at
constexpr std::size_t kMostTexts = 500;     ///< offered
constexpr std::size_t kCalibrating = 16;    ///< samples that stand in for a calibration set
constexpr std::size_t kBeginning = 24;      ///< tokens of a text in the list
constexpr std::int64_t kPhotoSide = 384;    ///< pixels of the shown photo, about

/// A token as people read it: without the space before it; what is nothing else is named.
std::string readable(std::string text)
{
    std::string shown;
    for (const char c : text)
        shown += c == '\n' ? "↵" : c == '\t' ? "⇥" : std::string(1, c);
    const auto first = shown.find_first_not_of(' ');
    return first == std::string::npos ? "␣" : shown.substr(first);
}

SampleRequest sampleRequest(const AttentionRequest& request, const nn::Model& model)
{
    SampleRequest asked;
    if (model.spec().vision()) {
        asked.images = request.samples;
        return asked;
    }
    const std::string suffix = request.samples.extension().string();
    (suffix == ".npy" || suffix == ".ids" ? asked.tokens : asked.text) = request.samples;
    const std::int64_t positions = model.spec().text.maxPositions;
    asked.windows.context = positions > 0 ? std::min(kContext, positions) : kContext;
    asked.limit = kMostTexts;
    return asked;
}
} // namespace

struct AttentionMapWork::Opened {
    std::shared_ptr<RunnableModel> model;
    fs::path samples;
    std::shared_ptr<const AttentionSources> sources;
    std::unique_ptr<QTemporaryDir> directory; ///< of a calibration set made here
    std::optional<lowrank::AttentionPreview> preview;
    std::shared_ptr<const inputs::Tokenizer> tokenizer;
    std::vector<std::string> classNames;
    inputs::ImagePreprocess preprocess;
    std::string warning;
    std::size_t photoOf = 0; ///< sample that `photo` is of
    QImage photo;

    bool is(const AttentionRequest& request) const { return preview && model == request.model && samples == request.samples; }
    std::string name(std::int32_t id) const { return tokenizer ? readable(tokenizer->decode(std::span(&id, 1), true)) : std::to_string(id); }
    void listTexts(AttentionSources& sources, const measure::SampleSource& from, const RunContext& context) const;
    std::shared_ptr<const io::CalibrationSet> calibrateOn(std::unique_ptr<measure::SampleSource> from, const nn::Model& dense, const RunContext& context);
};

void AttentionMapWork::Opened::listTexts(AttentionSources& listed, const measure::SampleSource& from, const RunContext& context) const
{
    measure::LoadedSample sample;
    for (std::size_t i = 0; i < from.count(); ++i) {
        context.throwIfStopped();
        from.load(i, sample);
        std::string text;
        const auto beginning = std::span(sample.tokens).first(std::min(kBeginning, sample.tokens.size()));
        if (tokenizer)
            text = tokenizer->decode(beginning);
        else
            for (const std::int32_t id : beginning)
                text += std::to_string(id) + ' ';
        std::ranges::replace(text, '\n', ' ');
        listed.beginnings.push_back(std::move(text));
    }
}

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

fs::path textBeside(const fs::path& model)
{
    std::error_code error;
    const fs::path file = (fs::is_directory(model, error) ? model : model.parent_path()) / "heldout.npy";
    return fs::is_regular_file(file, error) ? file : fs::path();
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
    const SampleRequest asked = sampleRequest(request, *dense);
    std::shared_ptr<const measure::SampleSource> source = openSamples(asked, modelPath, *dense, context);
    auto listed = std::make_shared<AttentionSources>();
    listed->photos = dense->spec().vision();
    listed->description = source->description();
    for (std::size_t i = 0; i < source->count(); ++i)
        listed->names.push_back(source->name(i));
    if (listed->photos) {
        opened->classNames = classNamesOf(modelPath);
        opened->preprocess = inputs::readImagePreprocess(modelPath);
    } else {
        opened->tokenizer = tokenizerBeside(modelPath);
        opened->listTexts(*listed, *source, context);
    }
    const auto& workspace = *request.model->workspace();
    lowrank::Inputs inputs{.checkpoint = workspace.checkpoint, .model = dense, .calibration = workspace.calibration, .samples = source, .matrices = {}};
    if (!inputs.calibration)
        inputs.calibration = opened->calibrateOn(openSamples(asked, modelPath, *dense, context), *dense, context);
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
            const fs::path folder = o.samples;
            std::error_code error;
            o.photo = photoAsRead(fs::is_directory(folder, error) ? folder / o.sources->names[report.sampleIndex] : folder, o.preprocess);
            o.photoOf = report.sampleIndex;
        }
    } else if (report.tokens > 0) {
        measure::LoadedSample sample;
        o.preview->inputs().samples->load(report.sampleIndex, sample);
        for (const std::int32_t id : sample.tokens)
            report.tokenLabels.push_back(o.name(id));
    }
    for (auto& effect : report.effects)
        for (auto* guesses : {&effect.before, &effect.after})
            for (report::Guess& guess : *guesses)
                guess.name = !o.sources->photos ? o.name(guess.index)
                             : guess.index >= 0 && static_cast<std::size_t>(guess.index) < o.classNames.size() ? o.classNames[static_cast<std::size_t>(guess.index)]
                                                                                                             : "class " + std::to_string(guess.index);
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

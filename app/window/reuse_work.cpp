// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/reuse_work.h"

#include "app/images/image_loading.h"
#include "app/images/shown_photo.h"
#include "app/jobs/deadline.h"
#include "app/samples/frame_folder.h"
#include "app/window/photo_work.h"
#include "app/window/reuse_plan.h"
#include "core/base/error.h"
#include "core/reuse/decisions.h"
#include "core/reuse/key_frames.h"
#include "core/reuse/method.h"
#include "core/reuse/run_reuse.h"
#include "core/reuse/run_totals.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr double kCut = 0.3;        ///< share of the pixels that fall on another grey level
constexpr double kPublishMs = 40;   ///< between partial results
constexpr std::chrono::milliseconds kDecideMost(20); ///< each of two attempts at decisions
constexpr qsizetype kKeptBytes = 256 << 20;

double millisecondsSince(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

reuse::Configuration configurationOf(const ReuseSetting& setting) { return {setting.method, setting.parameters}; }
} // namespace

std::vector<int> sceneCutsOf(const reuse::FrameSequence& sequence, const RunContext& context)
{
    std::vector<int> cuts;
    tensor::Matrix<float> before;
    for (std::size_t i = 0; i < sequence.frames.size(); ++i) {
        context.throwIfStopped();
        context.setFraction(static_cast<double>(i) / static_cast<double>(sequence.frames.size()));
        auto now = reuse::greyOf(sequence.frames[i].image, sequence.preprocess);
        if (i > 0 && reuse::histogramChange(now, before) > kCut)
            cuts.push_back(static_cast<int>(i));
        before = std::move(now);
    }
    return cuts;
}

std::shared_ptr<const ReuseSources> openReuseSources(std::shared_ptr<RunnableModel> runnable, const fs::path& folder, const RunContext& context)
{
    context.setParts(10);
    auto made = std::make_shared<ReuseSources>();
    const fs::path modelPath = runnable->workspace()->outline.modelPath;
    made->model = runnable->dense(context.part(3, "model"));
    made->runnable = std::move(runnable);
    const reuse::TokenModel suited(made->model); // or says why not
    made->folder = folder;
    made->sequence = openFrames({.folder = folder}, modelPath, *made->model, context.part(6, "frames"));
    std::error_code error;
    for (const auto& frame : made->sequence.frames)
        made->files.push_back(fs::is_directory(folder, error) ? folder / frame.file : folder);
    made->classNames = classNamesOf(modelPath);
    made->sceneCuts = sceneCutsOf(made->sequence, context.part(1, "scenes"));
    return made;
}

bool makesFrames(const std::string& method)
{
    const auto* of = reuse::findMethod(method);
    return of && of->frames;
}

report::ReuseRun runOne(const ReuseSources& sources, const ReuseSetting& setting, std::shared_ptr<const reuse::WholeAnswers> whole, const RunContext& context)
{
    try {
        const std::vector configurations{configurationOf(setting)};
        return reuse::runReuse(sources.model, sources.sequence, configurations, {.baselines = false, .whole = std::move(whole)}, context).runs.front();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        report::ReuseRun run;
        const auto* of = reuse::findMethod(setting.method);
        run.method = setting.method;
        run.title = of ? of->declaration.title : setting.method;
        run.parameters = setting.parameters;
        run.failure = error.what();
        return run;
    }
}

// A run, frame by frame ----------------------------------------------------------------------------------------------------

namespace {
report::ReuseReport beginning(const ReuseRequest& request, const reuse::FrameSequence& sequence)
{
    const auto& method = *reuse::findMethod(request.setting.method);
    const auto& patch = request.sources->model->spec().patch;
    report::ReuseReport made;
    made.sequence = sequence.name;
    made.gridRows = static_cast<int>(patch.gridHeight);
    made.gridColumns = static_cast<int>(patch.gridWidth);
    made.frameCount = static_cast<int>(sequence.frames.size());
    made.labels = request.sources->classNames;
    report::ReuseRun run;
    run.method = method.declaration.id;
    run.title = method.declaration.title;
    run.parameters = method.declaration.schema.complete(request.setting.parameters);
    for (const auto& [name, value] : request.setting.parameters.all())
        if (!(method.declaration.schema.find(name)->defaultValue == value))
            run.settings += (run.settings.empty() ? "" : ", ") + name + "=" + toText(value);
    made.runs.push_back(std::move(run));
    return made;
}
} // namespace

namespace {
/// Frames first .. last, told from `first` on, before them nothing; fewer than asked once the time is over.
std::vector<report::FrameResult> decided(const ReuseRequest& request, std::size_t first, std::size_t last)
{
    std::vector<report::FrameResult> frames(first);
    const Deadline deadline(kDecideMost);
    try {
        reuse::decide(request.sources->model, request.sources->sequence, configurationOf(request.setting), first, last - first + 1, [&](std::size_t, report::FrameResult result) { frames.push_back(std::move(result)); }, deadline.context());
    } catch (const Error&) { // out of time, or what refine() will say
    }
    return frames;
}

std::size_t lookedAt(const ReuseRequest& request) { return std::min(static_cast<std::size_t>(std::max(request.frame, 0)), request.sources->sequence.frames.size() - 1); }

ReuseWork::Result partialResult(const ReuseRequest& request, report::ReuseReport report, std::shared_ptr<const reuse::FrameSequence> own)
{
    return std::make_shared<const ReuseResult>(ReuseResult{request, std::make_shared<const report::ReuseReport>(std::move(report)), std::move(own), false});
}
} // namespace

ReuseWork::Result ReuseWork::coarse(const ReuseRequest& request)
{
    m_coarse.reset();
    if (makesFrames(request.setting.method))
        return nullptr;
    const std::size_t at = lookedAt(request);
    auto frames = decided(request, 0, at);
    if (frames.size() <= at && at > 1)
        frames = decided(request, at - 1, at);
    if (frames.size() <= at)
        return nullptr;
    auto made = beginning(request, request.sources->sequence);
    made.runs.front().frames = std::move(frames);
    return m_coarse = partialResult(request, std::move(made), nullptr);
}

/// What was decided, and in it the frame that is looked at with its answer, as if the one before were the sequence's first.
ReuseWork::Result ReuseWork::looked(const ReuseRequest& request, const RunContext& context) const
{
    const auto& all = request.sources->sequence;
    const std::size_t at = lookedAt(request), first = at - std::min<std::size_t>(at, 1), last = std::max(at, first + 1); // a sequence has two frames at least
    const reuse::FrameSequence some{all.name, all.preprocess, {all.frames.begin() + static_cast<std::ptrdiff_t>(first), all.frames.begin() + static_cast<std::ptrdiff_t>(last) + 1}, {}};
    reuse::ReuseSettings settings;
    settings.baselines = false;
    if (m_whole && m_of.lock() == request.sources)
        settings.whole = reuse::partOf(*m_whole, first, some.frames.size());
    const std::vector configurations{configurationOf(request.setting)};
    auto found = reuse::runReuse(request.sources->model, some, configurations, settings, context).runs.front().frames;
    auto made = beginning(request, all);
    auto& frames = made.runs.front().frames;
    if (m_coarse && m_coarse->request.sources == request.sources && m_coarse->request.setting == request.setting)
        frames = m_coarse->report->runs.front().frames;
    frames.resize(std::max(frames.size(), last + 1));
    std::ranges::move(found, frames.begin() + static_cast<std::ptrdiff_t>(first));
    return partialResult(request, std::move(made), nullptr);
}

ReuseWork::Result ReuseWork::refine(const ReuseRequest& request, const RunContext& context, const std::function<void(Result)>& publish)
{
    const auto& method = *reuse::findMethod(request.setting.method);
    context.setParts(4);
    std::shared_ptr<const reuse::FrameSequence> own;
    Result first;
    if (method.frames) {
        const RunContext making = context.part(1, "making the windows");
        own = std::make_shared<const reuse::FrameSequence>(
            method.frames(reuse::TokenModel(request.sources->model), request.sources->sequence, method.declaration.schema.complete(request.setting.parameters), making));
        making.finish();
    } else {
        first = looked(request, context.part(1, "the frame that is looked at"));
        if (publish)
            publish(first);
    }
    const auto& sequence = own ? *own : request.sources->sequence;
    auto partial = beginning(request, sequence);
    auto told = Clock::now();
    const auto onFrame = [&](std::size_t run, std::size_t frame, const report::FrameResult& result) {
        if (run != 0 || !publish)
            return;
        partial.runs.front().frames.push_back(result);
        if (millisecondsSince(told) < kPublishMs && frame + 1 < sequence.frames.size())
            return;
        told = Clock::now();
        auto now = partial;
        reuse::sumUp(now.runs.front());
        if (first) { // what the first look was at, until it is reached
            const auto& frames = first->report->runs.front().frames;
            now.runs.front().frames.insert(now.runs.front().frames.end(), frames.begin() + static_cast<std::ptrdiff_t>(std::min(frame + 1, frames.size())), frames.end());
        }
        publish(partialResult(request, std::move(now), own));
    };
    const std::vector configurations{configurationOf(request.setting)};
    reuse::ReuseSettings settings;
    settings.made = own;
    if (!own) { // edits of settings leave the whole model's answers as they are
        if (!m_whole || m_of.lock() != request.sources) {
            m_whole = reuse::runWhole(request.sources->model, sequence, 1, context.part(1, "running every frame whole"));
            m_of = request.sources;
        }
        settings.whole = m_whole;
    }
    auto made = reuse::runReuse(request.sources->model, request.sources->sequence, configurations, settings, context.part(2, "reuse"), onFrame);
    made.labels = request.sources->classNames;
    return std::make_shared<const ReuseResult>(ReuseResult{request, std::make_shared<const report::ReuseReport>(std::move(made)), own, true});
}

// Pictures -----------------------------------------------------------------------------------------------------------------

QImage imageOf(const reuse::Frame& frame, const inputs::ImagePreprocess& preprocess)
{
    const auto width = static_cast<std::size_t>(preprocess.width), height = static_cast<std::size_t>(preprocess.height);
    QImage image(static_cast<int>(width), static_cast<int>(height), QImage::Format_RGB888);
    for (std::size_t y = 0; y < height; ++y) {
        uchar* line = image.scanLine(static_cast<int>(y));
        for (std::size_t x = 0; x < width; ++x)
            for (std::size_t channel = 0; channel < 3; ++channel) {
                const double value = static_cast<double>(frame.image[(channel * height + y) * width + x]) * static_cast<double>(preprocess.std[channel]) + static_cast<double>(preprocess.mean[channel]);
                line[3 * x + channel] = static_cast<uchar>(std::clamp(std::lround(value / preprocess.rescaleFactor), 0L, 255L));
            }
    }
    return image;
}

const QImage* FramePictureWork::find(const FramePictureRequest& request, int frame)
{
    if (m_sources != request.sources || m_own != request.own) {
        m_kept.clear();
        m_sources = request.sources;
        m_own = request.own;
    }
    const auto at = std::ranges::find(m_kept, frame, &Kept::frame);
    if (at == m_kept.end())
        return nullptr;
    std::rotate(at, at + 1, m_kept.end());
    return &m_kept.back().image;
}

void FramePictureWork::keep(int frame, QImage image)
{
    m_kept.push_back({frame, std::move(image)});
    qsizetype bytes = 0;
    for (const Kept& each : m_kept)
        bytes += each.image.sizeInBytes();
    while (bytes > kKeptBytes && m_kept.size() > 1) {
        bytes -= m_kept.front().image.sizeInBytes();
        m_kept.erase(m_kept.begin());
    }
}

FramePictureWork::Result FramePictureWork::coarse(const FramePictureRequest& request)
{
    const QImage* kept = find(request, request.frame);
    return kept ? std::make_shared<const FramePicture>(FramePicture{request, *kept}) : nullptr;
}

FramePictureWork::Result FramePictureWork::refine(const FramePictureRequest& request, const RunContext& context, const std::function<void(Result)>& publish)
{
    const auto& sequence = request.own ? *request.own : request.sources->sequence;
    Result made;
    for (int step = 0; step <= request.ahead; ++step) {
        context.throwIfStopped();
        const int frame = (request.frame + step) % static_cast<int>(sequence.frames.size());
        const auto at = static_cast<std::size_t>(frame);
        if (!find(request, frame))
            keep(frame, request.own ? imageOf(sequence.frames[at], sequence.preprocess) : shownPhoto(loadImage(request.sources->files[at]), sequence.preprocess));
        if (step == 0) {
            made = std::make_shared<const FramePicture>(FramePicture{request, *find(request, frame)});
            if (publish && request.ahead > 0)
                publish(made);
        }
    }
    return made;
}

} // namespace tamis::app

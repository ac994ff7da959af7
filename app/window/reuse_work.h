// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the frame player asks of core: a sequence opened, a way to reuse features run over it, pictures of its frames. Runs on workers, never on
// the window's thread.
#include "app/session/reuse_choice.h"
#include "app/window/model_work.h"
#include "core/base/run_context.h"
#include "core/report/reuse_report.h"
#include "core/reuse/frame_sequence.h"
#include "core/reuse/whole_answers.h"

#include <QImage>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

/// A sequence of frames as a model reads it. Immutable.
struct ReuseSources {
    std::shared_ptr<RunnableModel> runnable;
    std::shared_ptr<const nn::Model> model;
    std::filesystem::path folder;
    std::vector<std::filesystem::path> files; ///< [frames]
    reuse::FrameSequence sequence;
    std::vector<std::string> classNames;      ///< may be empty
    std::vector<int> sceneCuts;               ///< first frames of scenes but the first, ascending
};

/// Frames of which more than 0.3 of the pixels fall on another of 64 grey levels than in the frame before (reuse::histogramChange).
std::vector<int> sceneCutsOf(const reuse::FrameSequence& sequence, const RunContext& context);
/// Every picture of the folder, or one. Throws what openFrames() throws, and Error{UnsupportedFeature} for a model that reuses nothing.
std::shared_ptr<const ReuseSources> openReuseSources(std::shared_ptr<RunnableModel> runnable, const std::filesystem::path& folder, const RunContext& context);

struct ReuseRequest {
    std::shared_ptr<const ReuseSources> sources;
    ReuseSetting setting; ///< of a method that there is
    int frame = 0;        ///< that is looked at: it comes first
};

struct ReuseResult {
    ReuseRequest request;
    std::shared_ptr<const report::ReuseReport> report; ///< the asked run, whose frames may still be few; once whole, the trivial ones after it
    std::shared_ptr<const reuse::FrameSequence> own;   ///< what a method makes of the first picture, where it does; else null
    bool whole = false;                                ///< all is there
};

/// Remembers what the whole model says of the frames. One thread at a time.
class ReuseWork {
public:
    using Result = std::shared_ptr<const ReuseResult>;
    /// What is decided of the frames up to the one that is looked at (reuse::decide()), answers to come: from the first frame on, those that are within some
    /// 20 ms; where the frame that is looked at is not among them, of it and the one before as if that were the first. Null after some 40 ms at the latest, and
    /// for methods that make frames of their own. Does not throw: what cannot be run says so in refine().
    Result coarse(const ReuseRequest& request);
    /// The frame that is looked at with its answer, then frame by frame; what is only decided stands until it is reached. Throws what runReuse() throws.
    Result refine(const ReuseRequest& request, const RunContext& context, const std::function<void(Result)>& publish);

private:
    Result looked(const ReuseRequest& request, const RunContext& context) const;
    std::weak_ptr<const ReuseSources> m_of;             ///< that m_whole is of
    std::shared_ptr<const reuse::WholeAnswers> m_whole; ///< null: not run yet
    Result m_coarse;
};

/// One configuration with its defaults completed, on all frames, without baselines, against what the whole model said of them. A run that cannot be is one
/// with a failure.
report::ReuseRun runOne(const ReuseSources& sources, const ReuseSetting& setting, std::shared_ptr<const reuse::WholeAnswers> whole, const RunContext& context);
/// Whether the method makes frames of its own: its runs stand alone.
bool makesFrames(const std::string& method);

struct FramePictureRequest {
    std::shared_ptr<const ReuseSources> sources;
    std::shared_ptr<const reuse::FrameSequence> own; ///< whose images are shown, as the model reads them, in place of the files' pictures; may be null
    int frame = 0;
    int ahead = 0; ///< frames after it to be made ready
};

struct FramePicture {
    FramePictureRequest request;
    QImage image;
};

/// Keeps the last pictures, up to 256 MB. One thread at a time.
class FramePictureWork {
public:
    using Result = std::shared_ptr<const FramePicture>;
    Result coarse(const FramePictureRequest& request); ///< null: not kept
    /// Throws what decoding throws.
    Result refine(const FramePictureRequest& request, const RunContext& context, const std::function<void(Result)>& publish);

private:
    const QImage* find(const FramePictureRequest& request, int frame);
    void keep(int frame, QImage image);
    struct Kept {
        int frame = 0;
        QImage image;
    };
    std::shared_ptr<const ReuseSources> m_sources;
    std::shared_ptr<const reuse::FrameSequence> m_own;
    std::vector<Kept> m_kept; ///< the last used at the end
};

/// A normalised image [3, height, width] as people see it.
QImage imageOf(const reuse::Frame& frame, const inputs::ImagePreprocess& preprocess);

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a way to reuse features between frames is: declared once, used by the command line, the window and the tests alike.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/report/reuse_report.h"
#include "core/reuse/frame_sequence.h"
#include "core/reuse/token_model.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace tamis::reuse {

/// What a frame was answered with. Reused from frame to frame.
struct FrameAnswer {
    Answer answer;
    bool keyFrame = false;
    std::vector<report::PatchSource> patches; ///< [gridRows * gridColumns]
    std::vector<float> change;                ///< likewise, or empty
    std::vector<std::int32_t> movedFrom;      ///< likewise, or empty
    double macs = 0, overheadMacs = 0;        ///< all of it; of these gates, motion, warping, keys
    std::uint64_t hits = 0, misses = 0, falseHits = 0; ///< of content keys; false ones that the reuser can tell itself
    std::vector<std::int32_t> foundIn;        ///< frames (of this run, from 0) whose features were found by a key, one a hit
};

/// Takes the frames of a sequence one after another. Keeps what it needs; what is decided is decided on pixels or embedded patches, against what was computed
/// last, not against the last frame. Not thread-safe.
class FrameReuser {
public:
    virtual ~FrameReuser() = default;
    /// `answer` is filled whole. Throws Error{Cancelled, NonFinite}.
    virtual void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) = 0;
    /// As if no frame had been.
    virtual void restart() = 0;
    /// The next frame is computed whole.
    virtual void requireWhole() {}
};

struct ReuserInputs {
    std::shared_ptr<const TokenModel> model;
    const FrameSequence* sequence = nullptr; ///< the frames to come: settings of their making, not their content; alive as long as the reuser
};

/// Makes the frames that a method is for; none: it is for those given.
struct FramesMaker {
    std::function<FrameSequence(const TokenModel&, const FrameSequence&, const Parameters&, const RunContext&)> make;
    explicit operator bool() const noexcept { return static_cast<bool>(make); }
    /// Throws Error{InvalidParameter, LimitExceeded, OutOfMemory, Cancelled}.
    FrameSequence operator()(const TokenModel& model, const FrameSequence& given, const Parameters& parameters, const RunContext& context = {}) const { return make(model, given, parameters, context); }
};

struct Method {
    MethodDeclaration declaration;
    /// Throws Error{InvalidParameter, UnsupportedFeature, LimitExceeded}.
    std::function<std::unique_ptr<FrameReuser>(const ReuserInputs&, const Parameters&)> make;
    FramesMaker frames{}; ///< windows of the first picture
};

/// Every method, in menu order.
const std::vector<Method>& methods();
/// nullptr when there is none of that id.
const Method* findMethod(std::string_view id);

} // namespace tamis::reuse

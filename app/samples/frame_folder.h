// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A folder of pictures as the frames of a sequence.
#include "core/base/run_context.h"
#include "core/nn/model.h"
#include "core/reuse/frame_sequence.h"

#include <cstddef>
#include <filesystem>

namespace tamis::app {

struct FrameRequest {
    std::filesystem::path folder; ///< without its subfolders; or one picture, for methods that cut windows from it
    std::size_t limit = 0;        ///< the first so many; 0: all
    bool squash = false;          ///< resize straight to the model's size instead of as its files say
};

/// The pictures of the folder in natural order, as `model` (whose files are at `modelPath`) reads them; the first is kept as it is. Throws
/// Error{InvalidParameter (no picture, a picture of another size than the first, a model that reads no images), LimitExceeded, UnsupportedFeature (a build
/// without image plugins), Cancelled}, and what decoding throws, naming the file.
reuse::FrameSequence openFrames(const FrameRequest& request, const std::filesystem::path& modelPath, const nn::Model& model, const RunContext& context);

} // namespace tamis::app

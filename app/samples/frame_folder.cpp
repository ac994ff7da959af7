// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/samples/frame_folder.h"

#include "app/images/image_loading.h"
#include "app/samples/photo_source.h"
#include "core/base/error.h"

#include <algorithm>
#include <utility>

namespace tamis::app {

namespace fs = std::filesystem;

reuse::FrameSequence openFrames(const FrameRequest& request, const fs::path& modelPath, const nn::Model& model, const RunContext& context)
{
    reuse::FrameSequence sequence;
    sequence.preprocess = photoSettings(request.squash, modelPath, model);
    auto files = listImages(request.folder);
    if (files.empty())
        throw Error(ErrorCode::InvalidParameter, "holds no picture, expected the frames of a sequence", request.folder.string());
    if (request.limit > 0 && files.size() > request.limit)
        files.resize(request.limit);
    const std::size_t bytes = sequence.preprocess.values() * sizeof(float);
    if (files.size() > reuse::kMaximumFrames || files.size() > reuse::kMaximumSequenceBytes / std::max<std::size_t>(bytes, 1))
        throw Error(ErrorCode::LimitExceeded, "holds " + std::to_string(files.size()) + " frames of " + std::to_string(bytes) + " bytes, expected at most " + std::to_string(reuse::kMaximumFrames) + " frames and " +
                                                  std::to_string(reuse::kMaximumSequenceBytes >> 20U) + " MiB", request.folder.string());
    for (std::size_t i = 0; i < files.size(); ++i) {
        context.throwIfStopped();
        context.setFraction(static_cast<double>(i) / static_cast<double>(files.size()));
        inputs::Image picture = loadImage(files[i]);
        if (i > 0 && (picture.width != sequence.picture.width || picture.height != sequence.picture.height))
            throw Error(ErrorCode::InvalidParameter, "found a picture of " + std::to_string(picture.width) + " x " + std::to_string(picture.height) + " pixels, expected " + std::to_string(sequence.picture.width) +
                                                         " x " + std::to_string(sequence.picture.height) + " as in " + files.front().filename().string(), files[i].string());
        reuse::Frame frame{files[i].filename().string(), std::vector<float>(sequence.preprocess.values()), {}};
        inputs::preprocess(picture, sequence.preprocess, frame.image);
        sequence.frames.push_back(std::move(frame));
        if (i == 0)
            sequence.picture = std::move(picture);
    }
    fs::path folder = fs::absolute(request.folder).lexically_normal();
    sequence.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
    return sequence;
}

} // namespace tamis::app

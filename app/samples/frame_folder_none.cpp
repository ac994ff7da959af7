// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/samples/frame_folder.h"

#include "core/base/error.h"

namespace tamis::app {

reuse::FrameSequence openFrames(const FrameRequest& request, const std::filesystem::path&, const nn::Model&, const RunContext&)
{
    throw Error(ErrorCode::UnsupportedFeature, "frames cannot be read: this program was built without Qt's image plugins", request.folder.string());
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/samples/photo_source.h"

#include "core/base/error.h"

namespace tamis::app {

std::unique_ptr<measure::SampleSource> openPhotos(const PhotoRequest& request, const std::filesystem::path&, const nn::Model&, const RunContext&)
{
    throw Error(ErrorCode::UnsupportedFeature, "photos cannot be read: this program was built without Qt's image plugins", request.folder.string());
}

} // namespace tamis::app

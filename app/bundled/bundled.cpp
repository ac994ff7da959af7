// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/bundled/bundled.h"

#include "core/base/error.h"

#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

namespace tamis::app {
namespace {
bool holdsWorkspace(const std::filesystem::path& directory)
{
    std::error_code failure;
    return std::filesystem::is_regular_file(directory / "vit20" / "model.safetensors", failure);
}

[[noreturn]] void refuse(const std::string& places)
{
    throw Error(ErrorCode::IoFailure, "found no bundled workspace (vit20/model.safetensors) in " + places, "datasets");
}
} // namespace

std::filesystem::path bundledDatasets()
{
    if (const char* chosen = std::getenv("TAMIS_DATASETS"); chosen && *chosen) {
        if (!holdsWorkspace(chosen))
            refuse(std::string("TAMIS_DATASETS=") + chosen);
        return chosen;
    }
    std::vector<std::filesystem::path> places;
    std::error_code failure;
    if (const auto program = std::filesystem::read_symlink("/proc/self/exe", failure); !failure)
        places.push_back(program.parent_path().parent_path() / "share" / "tamis" / "datasets");
    places.emplace_back(TAMIS_SOURCE_DATASETS);
    std::string tried;
    for (const auto& place : places) {
        if (holdsWorkspace(place))
            return place;
        tried += (tried.empty() ? "" : " or ") + place.string();
    }
    refuse(tried);
}

std::filesystem::path bundledModel() { return bundledDatasets() / "vit20"; }
std::filesystem::path bundledCalibration() { return bundledModel() / "calibration.h5"; }
std::filesystem::path bundledPhotos() { return bundledDatasets() / "photos"; }

} // namespace tamis::app

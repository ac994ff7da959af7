// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/workspace.h"

#include <algorithm>

namespace tamis::app {
namespace {
constexpr std::uint64_t kHashedBytes = 1u << 30;

std::filesystem::path besideModel(const std::filesystem::path& model)
{
    std::error_code ignored;
    const auto directory = std::filesystem::is_directory(model, ignored) ? model : model.parent_path();
    const auto file = directory / "calibration.h5";
    return std::filesystem::is_regular_file(file, ignored) ? file : std::filesystem::path();
}

report::WorkspaceOutline outlineOf(const Workspace& workspace)
{
    const auto& checkpoint = *workspace.checkpoint;
    report::WorkspaceOutline outline;
    outline.modelPath = checkpoint.path().string();
    outline.modelFormat = checkpoint.format();
    outline.modelFamily = io::familyName(checkpoint.layout().family);
    outline.layers = checkpoint.layout().layers;
    outline.parameters = checkpoint.parameters();
    outline.bytes = checkpoint.bytes();
    for (const auto& matrix : checkpoint.layout().matrices) {
        const auto* entry = checkpoint.find(matrix.tensor);
        report::OutlineMatrix row{matrix.name, std::string(io::roleName(matrix.role)), {}, matrix.layer, matrix.rows, matrix.cols, 0, false};
        if (entry) {
            row.dtype = tensor::dtypeName(entry->dtype);
            row.bytes = entry->bytes;
        }
        row.calibrated = workspace.calibration && workspace.calibration->features(matrix.name).has_value();
        outline.matrices.push_back(std::move(row));
    }
    if (const auto& calibration = workspace.calibration) {
        outline.calibrationPath = calibration->path().string();
        outline.calibrationInputs = calibration->inputs();
        outline.calibrationTokens = calibration->tokens();
        for (const auto& site : calibration->siteNames())
            outline.sites.push_back({site, calibration->features(site).value_or(0)});
    }
    return outline;
}
} // namespace

std::shared_ptr<const Workspace> openWorkspace(const std::filesystem::path& model, const std::filesystem::path& calibration,
                                               const RunContext& context)
{
    auto workspace = std::make_shared<Workspace>();
    context.setParts(3);
    workspace->checkpoint = io::Checkpoint::open(model, context.part(1, "model"));
    const auto calibrationFile = calibration.empty() ? besideModel(model) : calibration;
    if (!calibrationFile.empty())
        workspace->calibration = io::CalibrationSet::open(calibrationFile, context.part(1, "calibration set"));
    if (workspace->calibration && !workspace->calibration->modelSha256().empty()) {
        if (workspace->checkpoint->bytes() > kHashedBytes)
            workspace->warnings.push_back("The model is over 1 GB: whether the calibration set was made for it was not checked.");
        else if (workspace->checkpoint->sha256(context.part(1, "checking")) != workspace->calibration->modelSha256())
            workspace->warnings.push_back("The calibration set was made for other weights than these: losses will not be exact.");
    }
    workspace->outline = outlineOf(*workspace);
    return workspace;
}

} // namespace tamis::app

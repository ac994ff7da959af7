// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/preconditioner_chart.h"

#include "core/base/error.h"
#include "core/lowrank/decomposition.h"
#include "core/lowrank/local.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
constexpr std::size_t kPoints = 300; // a curve

report::Series curve(const std::vector<double>& loss, std::string name, int group, bool dashed)
{
    std::vector<double> relative(loss);
    for (double& value : relative)
        value /= loss.front();
    report::Series series{.name = std::move(name), .points = report::decimate(relative, 0.0, kPoints), .dashed = dashed, .group = group};
    return series;
}

const io::MatrixRef& matrixOf(const Inputs& inputs, const std::string& name)
{
    const auto& matrices = inputs.checkpoint->layout().matrices;
    const auto found = std::ranges::find(matrices, name, &io::MatrixRef::name);
    if (found == matrices.end())
        throw Error(ErrorCode::InvalidParameter, "there is no matrix of that name in " + inputs.checkpoint->path().string(), name);
    return *found;
}
} // namespace

report::MethodFigure preconditionerChart(const Inputs& inputs, const std::string& name, const Parameters& given, const RunContext& context)
{
    const io::MatrixRef& matrix = matrixOf(inputs, name);
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a calibration set, found none", name);
    PreconditionerSettings settings{.alpha = given.contains("alpha") ? given.real("alpha") : PreconditionerSettings{}.alpha,
                                    .ridge = given.contains("ridge") ? given.real("ridge") : PreconditionerSettings{}.ridge};
    const io::CalibrationSite site = inputs.calibration->read(name);
    report::MethodFigure figure{.id = "preconditioners", .title = "Preconditioners, " + name, .xTitle = "rank", .yTitle = "relative loss", .logY = true};
    context.setParts(static_cast<double>(preconditioners().size()));
    int group = 0;
    for (const Preconditioner preconditioner : preconditioners()) {
        const RunContext part = context.part(1, preconditionerTitle(preconditioner));
        const bool gradients = needsGradients(preconditioner) && site.outputGradSq.empty();
        const bool rows = needsSampleRows(preconditioner) && site.samples.empty();
        if (!gradients && !rows) {
            settings.preconditioner = preconditioner;
            const auto decomposition = decompositionOf(inputs, matrix, settings, part);
            const std::string title(preconditionerTitle(preconditioner));
            if (decomposition->energy() > 0)
                figure.series.push_back(curve(decomposition->loss, title, group, false));
            if (decomposition->heldOutEnergy() > 0)
                figure.series.push_back(curve(decomposition->heldOut, title + ", held-out", group, true));
            ++group;
        }
        part.finish();
    }
    context.finish();
    return figure;
}

} // namespace tamis::lowrank

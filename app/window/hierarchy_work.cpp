// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/hierarchy_work.h"

#include "app/samples/sample_request.h"
#include "core/base/error.h"

namespace tamis::app {
namespace {
HierarchyWork::Picture run(const HierarchyRequest& request, const hierarchy::Inputs& inputs, const RunContext& context)
{
    auto report = std::make_shared<report::HierarchyReport>(hierarchy::methods().front().run(inputs, request.parameters, context));
    if (request.model)
        report->model = std::filesystem::path(request.model->workspace()->outline.modelPath).filename().string();
    return std::make_shared<const HierarchyPicture>(HierarchyPicture{request, std::move(report)});
}
} // namespace

bool HierarchyRequest::sameSource(const HierarchyRequest& other) const
{
    return model == other.model && frames == other.frames && trace == other.trace && format == other.format && columns == other.columns;
}

hierarchy::Inputs HierarchyWork::kept(const HierarchyRequest& request)
{
    const std::scoped_lock lock(m_mutex);
    return m_of.sameSource(request) ? m_inputs : hierarchy::Inputs();
}

HierarchyWork::Picture HierarchyWork::coarse(const HierarchyRequest& request)
{
    hierarchy::Inputs inputs = kept(request);
    if (!inputs.trace && !inputs.features)
        return nullptr;
    inputs.limit = kCoarseRequests;
    return run(request, inputs, {});
}

hierarchy::Inputs HierarchyWork::read(const HierarchyRequest& request, const RunContext& context)
{
    hierarchy::Inputs inputs;
    if (request.frames.empty()) {
        const auto format = io::traceFormatNamed(request.format);
        if (!format)
            throw Error(ErrorCode::InvalidParameter, "found '" + request.format + "', expected a format of traces", "cache.format");
        const io::TraceOptions options{.format = *format, .columns = request.columns};
        inputs.trace = std::make_shared<const hierarchy::RequestStream>(hierarchy::loadRequests(request.trace, options, context));
    } else {
        context.setParts(5);
        const auto model = request.model->dense(context.part(1, "loading"));
        const auto samples = openSamples({.images = request.frames}, request.model->workspace()->outline.modelPath, *model, context.part(0.5, "opening the frames"));
        inputs.features = std::make_shared<const hierarchy::FeatureSource>(hierarchy::computeFrames(*model, *samples, context.part(3.5, "features of the frames")));
    }
    const std::scoped_lock lock(m_mutex);
    m_of = request;
    m_inputs = inputs;
    return inputs;
}

HierarchyWork::Picture HierarchyWork::refine(const HierarchyRequest& request, const RunContext& context)
{
    context.setParts(10);
    hierarchy::Inputs inputs = kept(request);
    if (!inputs.trace && !inputs.features)
        inputs = read(request, context.part(9, "requests"));
    return run(request, inputs, context.part(1, "levels"));
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/window/model_work.h"
#include "core/base/run_context.h"
#include "core/hierarchy/method.h"
#include "core/io/trace_reader.h"

#include <filesystem>
#include <memory>
#include <mutex>

namespace tamis::app {

/// What a picture of levels is asked for: frames with a model, or a trace.
struct HierarchyRequest {
    std::shared_ptr<RunnableModel> model;  ///< with `frames`; null: none
    std::filesystem::path frames, trace;   ///< one of them
    std::string format = "automatic";      ///< of the trace, as io::traceFormatNamed() takes it
    io::TraceColumns columns;              ///< likewise
    Parameters parameters;
    bool sameSource(const HierarchyRequest& other) const;
    bool operator==(const HierarchyRequest& other) const { return sameSource(other) && parameters == other.parameters; }
};

struct HierarchyPicture {
    HierarchyRequest request;
    std::shared_ptr<const report::HierarchyReport> report;
};

/// Keeps what was read last: features of frames, or a trace. Thread-safe.
class HierarchyWork {
public:
    using Picture = std::shared_ptr<const HierarchyPicture>;
    static constexpr std::size_t kCoarseRequests = 20'000;
    Picture coarse(const HierarchyRequest& request); ///< of the first requests; null: they are not read yet. Throws tamis::Error
    Picture refine(const HierarchyRequest& request, const RunContext& context);

private:
    hierarchy::Inputs kept(const HierarchyRequest& request);
    hierarchy::Inputs read(const HierarchyRequest& request, const RunContext& context);
    std::mutex m_mutex; ///< guards the next two
    HierarchyRequest m_of;
    hierarchy::Inputs m_inputs;
};

} // namespace tamis::app

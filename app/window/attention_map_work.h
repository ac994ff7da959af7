// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the attention-map page asks of core. Everything here runs on a worker, never on the window's thread.
#include "app/window/looked_samples.h"
#include "app/window/model_work.h"
#include "core/lowrank/attention_preview.h"
#include "core/report/attention_map_report.h"

#include <QImage>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

struct AttentionRequest {
    std::shared_ptr<RunnableModel> model;
    std::filesystem::path samples;    ///< a folder of photos, or a file of tokens or text
    PicturePointer picture;           ///< whose plan is compared too; may be null
    lowrank::AttentionMapRequest map; ///< its plan is the work's to fill in
    bool operator==(const AttentionRequest&) const = default;
};

/// What was opened for a model and its samples: the same object while they are the same.
struct AttentionSources {
    bool photos = false;
    ParameterSchema schema;
    std::vector<std::string> names;      ///< of the samples
    std::vector<std::string> beginnings; ///< of texts: their first words
    std::string description;
};

struct AttentionPicture {
    AttentionRequest request;
    std::shared_ptr<const AttentionSources> sources;
    std::shared_ptr<const report::AttentionMapReport> report;
    QImage photo; ///< what the model sees; null for texts
};

/// Keeps the layers' problems and the samples' runs of the last model. One thread at a time.
class AttentionMapWork {
public:
    using Picture = std::shared_ptr<const AttentionPicture>;
    AttentionMapWork();
    ~AttentionMapWork();
    Picture coarse(const AttentionRequest& request); ///< null: nothing that quick
    /// Throws tamis::Error for samples that cannot be read and layers that cannot be prepared.
    Picture refine(const AttentionRequest& request, const RunContext& context, const std::function<void(Picture)>& publish);

private:
    struct Opened;
    void open(const AttentionRequest& request, const RunContext& context);
    Picture pictureOf(const AttentionRequest& request, report::AttentionMapReport report);
    std::unique_ptr<Opened> m_opened;
    std::optional<AttentionRequest> m_shown; ///< of the last coarse picture
};

} // namespace tamis::app

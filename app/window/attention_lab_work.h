// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the attention tab asks of core: one head at once, then all heads and the output under the present choices. Runs on workers, never on
// the window's thread.
#include "app/session/session_state.h"
#include "app/window/looked_samples.h"
#include "app/window/model_work.h"
#include "core/attention/attention_study.h"
#include "core/report/attention_report.h"

#include <QImage>
#include <QString>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

/// The choices as core takes them: the general method in its blocks, then blocks and heads with choices of their own. Methods that there are not,
/// and what lies beyond the model, are left out; parameters are those that a method has. `heads`: of each block.
std::vector<attention::HeadChoice> headChoices(const AttentionChoice& choice, const std::vector<std::int64_t>& heads);
std::vector<std::int64_t> headsOf(const nn::ModelSpec& spec);
/// The other way: choices as a plan has them. A method that stands in whole blocks most often becomes the general one.
AttentionChoice attentionChoice(const std::vector<attention::HeadChoice>& choices);
/// The lab's own where none is chosen. kExactAttention stays.
std::string attentionMethodOf(const AttentionChoice& choice);
/// Its title and those parameters that have not their defaults: "Nyström, landmarks 16"; "exact".
QString attentionTitle(const std::string& method, const Parameters& parameters);
/// Those parameters that the method has.
Parameters knownParameters(const std::string& method, const Parameters& parameters);

/// What was opened for a model and its samples: the same object while they are the same.
struct AttentionLabSources {
    std::shared_ptr<RunnableModel> runnable;
    std::shared_ptr<const nn::Model> model;
    std::shared_ptr<const LookedSamples> samples;
    std::shared_ptr<const measure::SampleSource> fitting; ///< what is fitted is fitted to; null: the first of the samples
    std::map<std::string, QString> unavailable; ///< methods that this model's attention refuses, and why
};

struct AttentionLabRequest {
    std::shared_ptr<RunnableModel> model;
    std::filesystem::path samples; ///< a folder of photos, or a file of tokens or text
    AttentionChoice choice;
    std::size_t sample = 0;
    int layer = 0;
    std::int64_t head = 0;
    std::shared_ptr<const attention::TunedModel> tuned = {}; ///< whose weights are looked at; null: the checkpoint's
    bool operator==(const AttentionLabRequest&) const = default;
};

struct AttentionLabPicture {
    AttentionLabRequest request;
    std::shared_ptr<const AttentionLabSources> sources;
    std::shared_ptr<const report::AttentionReport> report;
    QImage photo; ///< what the model sees; null for texts
};

/// Keeps the study of the last model and samples. One thread at a time.
class AttentionLabWork {
public:
    using Picture = std::shared_ptr<const AttentionLabPicture>;
    AttentionLabWork();
    ~AttentionLabWork();
    Picture coarse(const AttentionLabRequest& request); ///< the viewed head; null: nothing that quick
    /// Throws tamis::Error for samples, a model or choices that will not do.
    Picture refine(const AttentionLabRequest& request, const RunContext& context, const std::function<void(Picture)>& publish);

private:
    struct Opened;
    void open(const AttentionLabRequest& request, const RunContext& context);
    Picture pictureOf(const AttentionLabRequest& request, report::AttentionReport report);
    std::unique_ptr<Opened> m_opened;
    double m_firstMs = 0; ///< of the last first picture, less what was forgotten since
};

} // namespace tamis::app

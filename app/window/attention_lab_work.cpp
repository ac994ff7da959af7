// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/attention_lab_work.h"

#include "core/attention/usual_settings.h"
#include "core/base/error.h"

#include <QObject>

#include <algorithm>
#include <chrono>
#include <set>

namespace tamis::app {
namespace {
using attention::HeadChoice;
using Clock = std::chrono::steady_clock;
constexpr const char* kUsualMethod = "attention.band"; ///< for any attention, photos and texts alike
constexpr double kQuickMs = 60; ///< longer first pictures are left to the refinement, which can be stopped
constexpr double kForgotten = 0.7; ///< of a slow one, at each request: it is tried again after some

QString text(const std::string& s) { return QString::fromStdString(s); }

/// Core's name of what a session calls by `method`.
std::string coreMethod(const std::string& method) { return method == kExactAttention ? std::string() : method; }

bool isKnown(const std::string& method) { return method == kExactAttention || attention::findMethod(method); }

/// Why this model's attention refuses a method at its defaults; empty: it does not, or nobody knows before there are samples.
QString refusal(const nn::Model& model, const attention::Method& method)
{
    if (method.fits)
        return {};
    try {
        for (std::size_t block = 0; block < model.blocks().size(); ++block)
            method.op(attention::inputsFor(model, static_cast<int>(block), attention::kAllHeads, {}), method.declaration.schema.defaults());
    } catch (const Error& error) {
        return text(error.message());
    }
    return {};
}
} // namespace

std::string attentionMethodOf(const AttentionChoice& choice)
{
    return !choice.method.empty() && isKnown(choice.method) ? choice.method : kUsualMethod;
}

Parameters knownParameters(const std::string& method, const Parameters& parameters)
{
    Parameters made;
    const auto* of = attention::findMethod(method);
    for (const auto& [name, value] : parameters.all()) // a session may know others
        if (of && of->declaration.schema.find(name))
            made.set(name, value);
    return made;
}

QString attentionTitle(const std::string& method, const Parameters& parameters)
{
    const auto* of = attention::findMethod(method);
    if (!of)
        return method == kExactAttention || method.empty() ? QObject::tr("exact") : text(method);
    const std::string rest = attention::settingsText(of->declaration.schema, knownParameters(method, parameters));
    return text(rest.empty() ? of->declaration.title : of->declaration.title + ", " + rest);
}

std::vector<std::int64_t> headsOf(const nn::ModelSpec& spec)
{
    std::vector<std::int64_t> heads;
    for (const auto& block : spec.blocks)
        heads.push_back(block.attention.heads);
    return heads;
}

std::vector<HeadChoice> headChoices(const AttentionChoice& choice, const std::vector<std::int64_t>& heads)
{
    std::vector<HeadChoice> made;
    const std::string general = attentionMethodOf(choice);
    for (int block = 0; block < static_cast<int>(heads.size()) && general != kExactAttention; ++block)
        if (!choice.blocks || std::ranges::find(*choice.blocks, block) != choice.blocks->end())
            made.push_back({block, attention::kAllHeads, general, knownParameters(general, choice.parameters)});
    for (const AttentionPlace& place : choice.places) {
        if (place.block >= static_cast<int>(heads.size()) || !isKnown(place.method) || place.head >= heads[static_cast<std::size_t>(place.block)])
            continue;
        const bool stands = std::ranges::find(made, place.block, &HeadChoice::block) != made.end();
        if (place.method == kExactAttention && place.head < 0)
            std::erase_if(made, [&](const HeadChoice& each) { return each.block == place.block; });
        else if (place.method != kExactAttention || stands)
            made.push_back({place.block, place.head, coreMethod(place.method), knownParameters(place.method, place.parameters)});
    }
    std::ranges::stable_sort(made, {}, &HeadChoice::block);
    return made;
}

AttentionChoice attentionChoice(const std::vector<HeadChoice>& choices)
{
    AttentionChoice made;
    made.method = kExactAttention;
    std::size_t most = 0;
    for (const HeadChoice& each : choices)
        if (each.head < 0 && !each.method.empty())
            if (const auto same = static_cast<std::size_t>(std::ranges::count_if(choices, [&](const HeadChoice& other) { return other.head < 0 && other.method == each.method && other.parameters == each.parameters; })); same > most) {
                most = same;
                made.method = each.method;
                made.parameters = each.parameters;
            }
    std::set<int> blocks;
    for (const HeadChoice& each : choices)
        if (each.head < 0 && each.method == made.method && each.parameters == made.parameters)
            blocks.insert(each.block);
        else
            setPlace(made, {each.block, each.head, each.method.empty() ? kExactAttention : each.method, each.parameters});
    made.blocks = std::vector<int>(blocks.begin(), blocks.end());
    return made;
}

struct AttentionLabWork::Opened {
    std::shared_ptr<RunnableModel> model;
    std::filesystem::path path;
    std::string fitted; ///< as AttentionChoice's
    std::shared_ptr<const attention::TunedModel> tuned; ///< that `study` is of
    std::shared_ptr<const AttentionLabSources> sources;
    std::optional<attention::AttentionStudy> study;
    std::size_t namedOf = 0, photoOf = 0; ///< samples that `names` and `photo` are of
    std::vector<std::string> names;
    QImage photo;

    bool is(const AttentionLabRequest& request) const { return study && model == request.model && path == request.samples && fitted == request.choice.fitted; }
    /// The study of these weights; the samples stay open.
    void look(const std::shared_ptr<const attention::TunedModel>& at)
    {
        if (study && tuned == at)
            return;
        tuned = at;
        study.emplace(sources->model, sources->samples->source, sources->fitting, at);
    }
    attention::AttentionRequest studied(const AttentionLabRequest& request) const
    {
        return {.choices = headChoices(request.choice, headsOf(sources->model->spec())), .sample = request.sample, .layer = request.layer, .head = request.head, .seed = static_cast<std::uint64_t>(request.choice.seed)};
    }
};

AttentionLabWork::AttentionLabWork() = default;
AttentionLabWork::~AttentionLabWork() = default;

void AttentionLabWork::open(const AttentionLabRequest& request, const RunContext& context)
{
    m_opened.reset();
    context.setParts(4);
    auto opened = std::make_unique<Opened>();
    opened->model = request.model;
    opened->path = request.samples;
    opened->fitted = request.choice.fitted;
    auto sources = std::make_shared<AttentionLabSources>();
    sources->runnable = request.model;
    sources->model = request.model->dense(context.part(3, "model"));
    attention::requireAttentionOverAllTokens(*sources->model);
    sources->samples = openLookedSamples(request.samples, request.model->workspace()->outline.modelPath, *sources->model, context.part(1, "samples"));
    if (!opened->fitted.empty())
        sources->fitting = openSamples(lookedRequest(opened->fitted, *sources->model), request.model->workspace()->outline.modelPath, *sources->model, context);
    for (const auto& method : attention::methods())
        if (const QString reason = refusal(*sources->model, method); !reason.isEmpty())
            sources->unavailable[method.declaration.id] = reason;
    opened->sources = std::move(sources);
    opened->look(request.tuned);
    m_opened = std::move(opened);
}

AttentionLabWork::Picture AttentionLabWork::pictureOf(const AttentionLabRequest& request, report::AttentionReport report)
{
    Opened& o = *m_opened;
    auto& view = report.view;
    if (o.sources->samples->photos) {
        if (o.photo.isNull() || o.photoOf != view.sampleIndex) {
            o.photo = o.sources->samples->photo(view.sampleIndex);
            o.photoOf = view.sampleIndex;
        }
    } else {
        if (o.names.empty() || o.namedOf != view.sampleIndex) {
            o.names = o.sources->samples->tokenNames(view.sampleIndex);
            o.namedOf = view.sampleIndex;
        }
        view.tokenLabels = o.names;
    }
    for (auto* guesses : {&report.effect.before, &report.effect.after})
        o.sources->samples->name(*guesses);
    report.model = o.model->workspace()->outline.modelPath.empty() ? report.model : std::filesystem::path(o.model->workspace()->outline.modelPath).filename().string();
    return std::make_shared<const AttentionLabPicture>(AttentionLabPicture{request, o.sources, std::make_shared<const report::AttentionReport>(std::move(report)), o.photo});
}

AttentionLabWork::Picture AttentionLabWork::coarse(const AttentionLabRequest& request)
{
    if (!m_opened || !m_opened->is(request) || m_opened->tuned != request.tuned)
        return nullptr;
    if (m_firstMs > kQuickMs) {
        m_firstMs *= kForgotten;
        return nullptr;
    }
    const auto start = Clock::now();
    auto first = m_opened->study->first(m_opened->studied(request));
    m_firstMs = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    return first ? pictureOf(request, std::move(*first)) : nullptr;
}

AttentionLabWork::Picture AttentionLabWork::refine(const AttentionLabRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    context.setParts(10);
    if (!m_opened || !m_opened->is(request)) {
        m_firstMs = 0;
        open(request, context.part(4, "model and samples"));
    }
    m_opened->look(request.tuned);
    const auto partial = [&](const report::AttentionReport& report) {
        if (publish)
            publish(pictureOf(request, report));
    };
    return pictureOf(request, m_opened->study->whole(m_opened->studied(request), context.part(6, "heads"), partial));
}

} // namespace tamis::app

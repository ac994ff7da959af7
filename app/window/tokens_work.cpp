// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/tokens_work.h"

#include "app/images/image_loading.h"
#include "app/images/shown_photo.h"
#include "app/jobs/failure_sentence.h"
#include "app/samples/photo_source.h"
#include "app/window/photo_work.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/inputs/image_preprocess_config.h"
#include "core/tokens/comparison.h"
#include "core/tokens/row_sums.h"

#include <algorithm>
#include <chrono>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr int kThumbnailSide = 192;            ///< pixels: sharp on screens of twice the density
constexpr double kQuickMs = 250; ///< longer runs are no first pictures, which nothing stops; a photo cannot be run in part, so that of a large model takes longer than what is quick elsewhere
constexpr std::size_t kSampleBytes = 256 << 20; ///< of pictures as the model reads them
constexpr std::size_t kAtOnce = 8;             ///< photos between two looks at the clock
constexpr auto kPublishEvery = std::chrono::milliseconds(60);

double millisecondsSince(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }
QString text(const std::string& s) { return QString::fromStdString(s); }

std::vector<float> sampleOf(const inputs::Image& image, const inputs::ImagePreprocess& settings)
{
    std::vector<float> chw(settings.values());
    inputs::preprocess(image, settings, chw);
    return chw;
}

views::TokenPicture pictureOf(const TokenSetting* setting, const std::string& photo, const QImage& shown, report::TokenOverlay overlay)
{
    overlay.file = photo;
    if (setting) {
        overlay.method = setting->method;
        overlay.title = methodOf(setting->method).declaration.title;
        overlay.settings = tokenSettingTitle(*setting).toStdString();
    }
    return {std::make_shared<const report::TokenOverlay>(std::move(overlay)), shown};
}
} // namespace

// What is opened -----------------------------------------------------------------------------------------------------------

fs::path TokenSources::file(std::size_t photo) const
{
    std::error_code error;
    return fs::is_directory(folder, error) ? folder / names[photo] : folder;
}

std::int64_t TokenSources::sourceTokens() const
{
    const auto& patch = model->spec().patch;
    return patch.prefixTokens + patch.gridHeight * patch.gridWidth;
}

TokenSourcesPointer openTokenSources(std::shared_ptr<RunnableModel> runnable, const fs::path& folder, const RunContext& context)
{
    context.setParts(4);
    auto made = std::make_shared<TokenSources>();
    made->modelPath = runnable->workspace()->outline.modelPath;
    made->folder = folder;
    made->model = runnable->dense(context.part(3, "model"));
    made->runnable = std::move(runnable);
    tokens::requireReducible(*made->model, {});
    made->samples = openPhotos({.folder = folder, .labels = {}, .squash = false}, made->modelPath, *made->model, context.part(1, "photos"));
    for (std::size_t i = 0; i < made->samples->count(); ++i)
        made->names.push_back(made->samples->name(i));
    made->preprocess = inputs::readImagePreprocess(made->modelPath);
    made->classNames = classNamesOf(made->modelPath);
    return made;
}

QString tokenSettingTitle(const TokenSetting& setting)
{
    const auto& declaration = methodOf(setting.method).declaration;
    const std::string rest = tokens::settingsText(declaration.schema, setting.parameters);
    return text(rest.empty() ? declaration.title : declaration.title + ", " + rest);
}

namespace {
template <class Wish> std::vector<Wish> wishesFrom(const TokenHand& hand, std::int64_t sourceTokens)
{
    if (hand.empty())
        return {};
    std::vector<Wish> wishes(static_cast<std::size_t>(sourceTokens), Wish::None);
    for (const auto& [list, wish] : {std::pair(&hand.dropped, Wish::Drop), std::pair(&hand.kept, Wish::Keep)})
        for (const std::int64_t token : *list)
            if (token >= 0 && token < sourceTokens)
                wishes[static_cast<std::size_t>(token)] = wish;
    return wishes;
}

TokenHand handOf(const std::map<std::string, TokenHand>& hands, const std::string& photo)
{
    const auto found = hands.find(photo);
    return found == hands.end() ? TokenHand() : found->second;
}
} // namespace

std::vector<tokens::Wish> wishesOf(const TokenHand& hand, std::int64_t sourceTokens) { return wishesFrom<tokens::Wish>(hand, sourceTokens); }
std::vector<report::TokenWish> shownWishesOf(const TokenHand& hand, std::int64_t sourceTokens) { return wishesFrom<report::TokenWish>(hand, sourceTokens); }

// One photo ----------------------------------------------------------------------------------------------------------------

struct TokenWork::Photo {
    std::size_t index = 0;
    QImage shown;
    std::vector<float> sample;
    tokens::WholeResult whole;
    report::AttentionRange attention;
    views::TokenPicture picture; ///< through the whole model
};

TokenWork::TokenWork(std::shared_ptr<TokenChains> chains) : m_chains(std::move(chains)) {}
TokenWork::~TokenWork() = default;

std::size_t TokenWork::indexOf(const TokenRequest& request) const
{
    const auto found = std::ranges::find(m_sources->names, request.photo);
    return found == m_sources->names.end() ? 0 : static_cast<std::size_t>(found - m_sources->names.begin());
}

TokenWork::Result TokenWork::resultOf(const TokenRequest& request, const RunContext& context)
{
    const auto& model = *m_sources->model;
    nn::Scratch scratch(true, context);
    auto made = std::make_shared<TokenResult>();
    made->request = request;
    made->sources = m_sources;
    made->photo = m_sources->names[m_photo->index];
    made->whole = m_photo->picture;
    made->attention = m_photo->attention;
    const auto reduce = [&](const TokenSetting& setting, const TokenHand& hand, bool& takesWishes) -> views::TokenPicture {
        const auto chain = m_chains->chain(m_sources, setting, context);
        if (!chain)
            return {};
        takesWishes = tokens::takesWishes(*chain);
        const auto wishes = takesWishes ? wishesOf(hand, m_sources->sourceTokens()) : std::vector<tokens::Wish>();
        const nn::Sample sample{m_photo->sample, {}, {}};
        return pictureOf(&setting, made->photo, m_photo->shown, tokens::overlay(model, *chain, sample, wishes, m_photo->whole, m_sources->classNames, scratch));
    };
    const auto start = Clock::now();
    made->reduced = reduce(request.setting, handOf(request.hands, made->photo), made->takesWishes);
    m_runMs = millisecondsSince(start);
    if (bool unused = true; request.pinned)
        made->pinned = reduce(*request.pinned, {}, unused);
    m_last = made;
    return made;
}

TokenWork::Result TokenWork::coarse(const TokenRequest& request)
{
    if (!m_sources || m_sources->runnable != request.model || m_sources->folder != request.folder || !m_photo || m_photo->index != indexOf(request) || m_runMs > kQuickMs)
        return nullptr;
    for (const auto* setting : {&request.setting, request.pinned ? &*request.pinned : nullptr})
        if (setting && !m_chains->isQuick(m_sources, *setting))
            return nullptr; // making it may take long
    return resultOf(request, {});
}

TokenWork::Result TokenWork::refine(const TokenRequest& request, const RunContext& context)
{
    if (m_last && m_last->request == request)
        return m_last;
    context.setParts(10);
    if (!m_sources || m_sources->runnable != request.model || m_sources->folder != request.folder) {
        m_photo.reset();
        m_sources.reset();
        m_sources = openTokenSources(request.model, request.folder, context.part(5, "model and photos"));
    }
    if (const std::size_t index = indexOf(request); !m_photo || m_photo->index != index) {
        m_photo.reset();
        auto photo = std::make_unique<Photo>();
        photo->index = index;
        const inputs::Image image = loadImage(m_sources->file(index));
        context.throwIfStopped();
        photo->shown = shownPhoto(image, m_sources->preprocess);
        photo->sample = sampleOf(image, m_sources->preprocess);
        nn::Scratch scratch(true, context);
        const nn::Sample sample{photo->sample, {}, {}};
        photo->whole = tokens::wholeResult(*m_sources->model, sample, scratch);
        photo->attention = tokens::rangeOf(tokens::attentionSums(*m_sources->model, sample, scratch));
        photo->picture = pictureOf(nullptr, m_sources->names[index], photo->shown,
                                   tokens::overlay(*m_sources->model, {}, sample, {}, photo->whole, m_sources->classNames, scratch));
        m_photo = std::move(photo);
    }
    return resultOf(request, context.part(5, "tokens"));
}

// All photos ---------------------------------------------------------------------------------------------------------------

struct TokenFolderWork::Known {
    bool tried = false;
    QString failure;
    QImage thumbnail;
    std::vector<float> sample; ///< empty: not kept
    tokens::WholeResult whole;
};

TokenFolderWork::TokenFolderWork(std::shared_ptr<TokenChains> chains) : m_chains(std::move(chains)) {}
TokenFolderWork::~TokenFolderWork() = default;

void TokenFolderWork::prepare(Known& known, const TokenSources& sources, std::size_t photo, nn::Scratch& scratch) const
{
    const inputs::Image image = loadImage(sources.file(photo));
    std::vector<float> sample = sampleOf(image, sources.preprocess);
    if (!known.tried) {
        const QImage shown = shownPhoto(image, sources.preprocess);
        known.thumbnail = shown.scaled(kThumbnailSide, kThumbnailSide, Qt::KeepAspectRatio, Qt::SmoothTransformation);
        known.whole = tokens::wholeResult(*sources.model, {sample, {}, {}}, scratch);
        known.whole.rows = {}; // thumbnails say nothing of them
    }
    known.sample = std::move(sample);
    known.tried = true;
}

TokenFolderWork::Result TokenFolderWork::run(const TokenFolderRequest& request, const RunContext& context, const std::function<void(Result)>& publish)
{
    if (m_sources != request.sources) {
        m_sources = request.sources;
        m_known.clear();
        m_known.resize(m_sources->names.size());
    }
    const auto& sources = *m_sources;
    auto made = std::make_shared<TokenFolderResult>();
    made->request = request;
    const auto chain = m_chains->chain(m_sources, request.setting, context);
    if (!chain)
        return made; // to be trained first
    const std::size_t count = sources.names.size(), kept = kSampleBytes / (sources.preprocess.values() * sizeof(float));
    auto published = Clock::now();
    for (std::size_t first = 0; first < count; first += kAtOnce) {
        const std::size_t some = std::min(kAtOnce, count - first);
        made->entries.resize(first + some);
        parallelFor(context, some, [&](std::size_t i) {
            const std::size_t photo = first + i;
            Known& known = m_known[photo];
            auto& entry = made->entries[photo];
            entry.photo = photo;
            if (!known.failure.isEmpty()) {
                entry.failure = known.failure;
                return;
            }
            try {
                nn::Scratch scratch(false, context);
                if (known.sample.empty())
                    prepare(known, sources, photo, scratch);
                const auto wishes = tokens::takesWishes(*chain) ? wishesOf(handOf(request.hands, sources.names[photo]), sources.sourceTokens()) : std::vector<tokens::Wish>();
                entry.picture = pictureOf(&request.setting, sources.names[photo], known.thumbnail,
                                          tokens::overlay(*sources.model, *chain, {known.sample, {}, {}}, wishes, known.whole, sources.classNames, scratch));
                if (photo >= kept)
                    known.sample = {};
            } catch (...) {
                if (isCancellation(std::current_exception()))
                    throw;
                entry.failure = failureSentence(std::current_exception());
                if (!known.tried) // the photo itself: it stays unreadable
                    known.failure = entry.failure;
            }
        });
        context.setFraction(static_cast<double>(first + some) / static_cast<double>(count));
        if (publish && Clock::now() - published > kPublishEvery) {
            publish(std::make_shared<const TokenFolderResult>(*made));
            published = Clock::now();
        }
    }
    return made;
}

} // namespace tamis::app

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/encoder_sources.h"

#include "app/samples/photo_source.h"
#include "app/samples/sample_request.h"
#include "app/window/lowrank_work.h"
#include "app/window/sample_pictures.h"
#include "core/base/error.h"
#include "core/encoder/activation_rows.h"
#include "core/encoder/model_site.h"
#include "core/inputs/image_preprocess_config.h"
#include "core/inputs/token_words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string_view>
#include <system_error>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
using tensor::Matrix;
constexpr std::int64_t kHalvedAtLeast = 4;      ///< tokens
constexpr std::int64_t kContext = 256;          ///< tokens of a piece of text: what can be looked at
constexpr std::int64_t kAllRows = std::int64_t{1} << 40;

std::string counted(std::size_t count, const std::string& one, const std::string& many) { return std::to_string(count) + " " + (count == 1 ? one : many); }

/// Some samples of another source, in the order given.
class ChosenSamples : public measure::SampleSource {
public:
    ChosenSamples(std::shared_ptr<const measure::SampleSource> source, std::vector<std::size_t> chosen) : m_source(std::move(source)), m_chosen(std::move(chosen)) {}
    std::size_t count() const noexcept override { return m_chosen.size(); }
    std::string name(std::size_t index) const override { return m_source->name(m_chosen.at(index)); }
    void load(std::size_t index, measure::LoadedSample& sample) const override { m_source->load(m_chosen.at(index), sample); }
    std::string description() const override { return m_source->description(); }
    std::string sha256(const RunContext& context) const override { return m_source->sha256(context); }

private:
    std::shared_ptr<const measure::SampleSource> m_source;
    std::vector<std::size_t> m_chosen;
};

/// At most `most` of them, evenly spread.
std::vector<std::size_t> some(const std::vector<std::size_t>& all, std::size_t most)
{
    most = std::min(most, all.size());
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < most; ++i)
        kept.push_back(all[i * all.size() / most]);
    return kept;
}

bool isSame(const fs::path& a, const fs::path& b)
{
    std::error_code ignored;
    return a == b || fs::equivalent(a, b, ignored);
}

std::string folderName(const fs::path& path)
{
    const fs::path whole = path.lexically_normal();
    return (whole.has_filename() ? whole.filename() : whole.parent_path().filename()).string();
}

void takeFitted(EncoderSources& sources, const RunContext& context)
{
    const fs::path& file = sources.paths.calibration;
    if (isSame(file, sources.tokens))
        throw Error(ErrorCode::InvalidParameter, "is measured on already, expected other rows to fit to", file.string());
    const auto fitted = encoder::openActivations(file, sources.autoencoder->width());
    sources.fitted = encoder::evenRows(*fitted, 0, fitted->rows(), EncoderSources::kMostFitted, context);
    sources.fittedTo = file.filename().string();
}

void halve(EncoderSources& sources, const encoder::ActivationRows& all, const std::string& name, const RunContext& context)
{
    if (all.rows() < kHalvedAtLeast)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(all.rows()) + " tokens, expected at least " + std::to_string(kHalvedAtLeast) +
                                                     ": one half is fitted to, the other measured", sources.tokens.string());
    sources.halved = true;
    sources.fitted = encoder::evenRows(all, 0, all.rows() / 2, EncoderSources::kMostFitted, context);
    sources.measured = encoder::evenRows(all, all.rows() / 2, all.rows(), EncoderSources::kMostTokens, context);
    sources.measuredOn = name + ", the second half";
    sources.fittedTo = name + ", the first half";
}

// Rows of files ------------------------------------------------------------------------------------------------------------

void takeRows(EncoderSources& sources, const RunContext& context)
{
    const EncoderPaths& paths = sources.paths;
    sources.tokens = paths.tokens.empty() ? tokensBeside(paths.autoencoder) : paths.tokens;
    if (sources.tokens.empty())
        throw Error(ErrorCode::InvalidParameter, "found no heldout.npy beside the autoencoder, expected an .npy of activations to measure on: open one, or the model that it reads",
                    paths.autoencoder.string());
    const auto all = encoder::openActivations(sources.tokens, sources.autoencoder->width());
    sources.rows = all->rows();
    if (paths.calibration.empty())
        return halve(sources, *all, sources.tokens.filename().string(), context);
    takeFitted(sources, context);
    sources.measured = encoder::evenRows(*all, 0, all->rows(), EncoderSources::kMostTokens, context);
    sources.measuredOn = sources.tokens.filename().string();
}

// Sites of a calibration set -------------------------------------------------------------------------------------------------

void takeSite(EncoderSources& sources, const TokenSurroundings& surroundings, const RunContext& context)
{
    const auto calibration = surroundings.model ? surroundings.model->workspace()->calibration : nullptr;
    if (!calibration)
        throw Error(ErrorCode::InvalidParameter, "found no calibration set, expected one that is open: its samples are to be the tokens");
    const std::int64_t width = sources.autoencoder->width();
    sources.tokens = sources.paths.tokens = calibration->path();
    for (const std::string& name : calibration->siteNames())
        if (calibration->features(name) == width)
            sources.sites.push_back(name);
    if (sources.sites.empty())
        throw Error(ErrorCode::InvalidParameter, "found no site of " + std::to_string(width) + " features, expected one as wide as the autoencoder reads", sources.tokens.string());
    std::string& site = sources.paths.site;
    if (site.empty()) {
        const auto block = blockNamed(sources.autoencoder->config.site, sources.paths.autoencoder);
        const std::string wanted = block ? "." + std::to_string(*block + 1) + "." : "."; // what the next block reads is nearest to it
        const auto near = std::ranges::find_if(sources.sites, [&](const std::string& name) { return name.find(wanted) != std::string::npos; });
        site = near == sources.sites.end() ? sources.sites.back() : *near;
    }
    if (std::ranges::find(sources.sites, site) == sources.sites.end())
        throw Error(ErrorCode::InvalidParameter, "found no site of " + std::to_string(width) + " features of that name, expected one of the calibration set", sources.tokens.string() + ": " + site);
    const auto read = calibration->read(site);
    if (read.samples.empty() && read.heldOut.empty())
        throw Error(ErrorCode::InvalidParameter, "found no sample rows, expected some to measure on (capture --rows keeps them)", sources.tokens.string() + ": " + site);
    context.throwIfStopped();
    sources.rows = read.samples.rows() + read.heldOut.rows();
    const std::string name = site + " of " + sources.tokens.filename().string();
    const bool both = !read.samples.empty() && !read.heldOut.empty();
    const Matrix<float>& measured = read.heldOut.empty() ? read.samples : read.heldOut;
    if (!both && sources.paths.calibration.empty())
        return halve(sources, *encoder::activationsOf(measured, sources.tokens.string()), name, context);
    sources.measured = someRows(measured, 0, measured.rows(), EncoderSources::kMostTokens);
    sources.measuredOn = name + (both ? ", its held-out samples" : "");
    if (!sources.paths.calibration.empty())
        return takeFitted(sources, context);
    sources.fitted = someRows(read.samples, 0, read.samples.rows(), EncoderSources::kMostFitted);
    sources.fittedTo = name + ", its calibration samples";
}

// The model on photos and text -----------------------------------------------------------------------------------------------

std::unique_ptr<measure::SampleSource> openSource(const EncoderPaths& paths, const fs::path& model, const nn::Model& dense, const RunContext& context)
{
    if (paths.origin == TokenOrigin::Photos)
        return openPhotos({.folder = paths.tokens, .labels = {}, .squash = false}, model, dense, context);
    SampleRequest request = samplesOf(paths.tokens);
    if (!request.images.empty())
        throw Error(ErrorCode::InvalidParameter, "is a folder, expected a text or a file of token ids", paths.tokens.string());
    const std::int64_t positions = dense.spec().text.maxPositions;
    request.windows.context = positions > 0 ? std::min(kContext, positions) : kContext;
    return openSamples(request, model, dense, context);
}

/// Which samples are measured and which are fitted to: of photos, that lie sorted by class, every other one; of a text its second half and its
/// first.
struct Parts {
    std::vector<std::size_t> measured, fitted;
};

Parts parted(std::size_t count, bool photos, bool ownFit, std::int64_t tokens)
{
    Parts parts;
    for (std::size_t i = 0; i < count; ++i)
        (ownFit || count == 1 || (photos ? i % 2 == 0 : i >= count / 2) ? parts.measured : parts.fitted).push_back(i);
    const auto most = [&](std::int64_t all) { return static_cast<std::size_t>(std::max<std::int64_t>(1, all / std::max<std::int64_t>(tokens, 1))); };
    parts.measured = some(parts.measured, most(EncoderSources::kMostTokens));
    parts.fitted = some(parts.fitted, most(EncoderSources::kMostFitted));
    return parts;
}

std::vector<std::string> prefixNames(const nn::PatchSpec& patch)
{
    std::vector<std::string> names;
    if (patch.classToken)
        names.emplace_back("class token");
    if (patch.distillationToken)
        names.emplace_back("distillation token");
    while (static_cast<std::int64_t>(names.size()) < patch.prefixTokens)
        names.push_back("register token " + std::to_string(names.size() + 1 - patch.classToken - patch.distillationToken));
    return names;
}

void placePhotos(EncoderSources& sources, const measure::SampleSource& measured, const nn::PatchSpec& patch, const fs::path& model, const RunContext& context)
{
    auto places = std::make_shared<report::TokenPlaces>();
    places->prefix = prefixNames(patch);
    places->gridHeight = patch.gridHeight;
    places->gridWidth = patch.gridWidth;
    const std::int64_t each = patch.prefixTokens + patch.gridHeight * patch.gridWidth;
    const auto settings = inputs::readImagePreprocess(model);
    std::error_code error;
    const bool folder = fs::is_directory(sources.tokens, error);
    for (std::size_t i = 0; i < measured.count(); ++i) {
        context.setFraction(static_cast<double>(i) / static_cast<double>(measured.count()));
        context.throwIfStopped();
        places->samples.push_back({measured.name(i), static_cast<std::int64_t>(i) * each, each, {}});
        sources.photos.push_back(photoAsRead(folder ? sources.tokens / measured.name(i) : sources.tokens, settings));
    }
    sources.places = std::move(places);
}

void placeTexts(EncoderSources& sources, const measure::SampleSource& measured, const fs::path& model, const RunContext& context)
{
    auto places = std::make_shared<report::TokenPlaces>();
    const auto tokenizer = tokenizerBeside(model);
    measure::LoadedSample sample;
    std::int64_t first = 0;
    for (std::size_t i = 0; i < measured.count(); ++i) {
        context.throwIfStopped();
        measured.load(i, sample);
        report::TokenSample placed{measured.name(i), first, static_cast<std::int64_t>(sample.tokens.size()), {}};
        for (const std::int32_t id : sample.tokens) {
            std::string word = tokenizer ? inputs::visibleToken(*tokenizer, id) : std::string();
            placed.words.push_back(word.empty() ? "#" + std::to_string(id) : std::move(word));
        }
        first += placed.count;
        places->samples.push_back(std::move(placed));
    }
    sources.places = std::move(places);
}

void takeModel(EncoderSources& sources, const TokenSurroundings& surroundings, const RunContext& context)
{
    context.setParts(10);
    EncoderPaths& paths = sources.paths;
    const bool photos = paths.origin == TokenOrigin::Photos;
    if (!surroundings.model)
        throw Error(ErrorCode::InvalidParameter, "found no model, expected the one that the autoencoder reads to be open: its activations are to be the tokens", paths.autoencoder.string());
    if (paths.tokens.empty())
        paths.tokens = photos ? surroundings.photos : surroundings.text;
    if (paths.tokens.empty())
        throw Error(ErrorCode::InvalidParameter, photos ? "found no photos, expected a folder of them" : "found no text, expected a file of text or token ids");
    sources.tokens = paths.tokens;
    const fs::path modelPath = surroundings.model->workspace()->outline.modelPath;
    const auto dense = surroundings.model->dense(context.part(3, "model"));
    if (photos != dense->spec().vision())
        throw Error(ErrorCode::InvalidParameter, dense->spec().vision() ? "reads images, expected a model that reads text" : "reads text, expected a model that reads images", modelPath.string());
    sources.blocks = static_cast<int>(dense->blocks().size());
    if (paths.block < 0)
        paths.block = std::min(blockNamed(sources.autoencoder->config.site, paths.autoencoder).value_or(sources.blocks / 2), sources.blocks - 1);
    encoder::requireSite(*dense, paths.block, sources.autoencoder->width());
    const std::shared_ptr<const measure::SampleSource> all = openSource(paths, modelPath, *dense, context.part(1, "samples"));
    const auto& patch = dense->spec().patch;
    const std::int64_t each = photos ? patch.prefixTokens + patch.gridHeight * patch.gridWidth : kContext;
    const Parts parts = parted(all->count(), photos, !paths.calibration.empty(), each);
    const ChosenSamples measured(all, parts.measured), fitted(all, parts.fitted);
    sources.measured = encoder::siteRows(*dense, paths.block, measured, kAllRows, context.part(2, photos ? "measured photos" : "measured text"));
    if (!paths.calibration.empty())
        takeFitted(sources, context);
    else if (fitted.count() > 0)
        sources.fitted = encoder::siteRows(*dense, paths.block, fitted, EncoderSources::kMostFitted, context.part(3, photos ? "photos to fit to" : "text to fit to"));
    sources.halved = !parts.fitted.empty();
    sources.rows = sources.measured.rows() + sources.fitted.rows();
    if (photos)
        placePhotos(sources, measured, patch, modelPath, context.part(1, "pictures"));
    else
        placeTexts(sources, measured, modelPath, context.part(1, "words"));
    sources.model = modelPath;
    const std::string where = ", after block " + std::to_string(paths.block) + " of " + folderName(modelPath), from = folderName(paths.tokens);
    const auto said = [&](std::size_t count) { return photos ? counted(count, "photo", "photos") + " of " + from : counted(count, "piece", "pieces") + " of " + from; };
    sources.measuredOn = said(measured.count()) + where;
    if (sources.halved)
        sources.fittedTo = counted(fitted.count(), photos ? "other photo" : "earlier piece", photos ? "other photos" : "earlier pieces") + " of it";
}

/// Whole number behind one of the words, nothing where there is none: "layers.3" and "block3", not "blocky".
std::optional<int> numberAfter(std::string_view text, std::string_view word)
{
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        std::size_t begin = at + word.size();
        if (begin < text.size() && text[begin] == 's')
            ++begin;
        if (begin < text.size() && (text[begin] == '.' || text[begin] == '_' || text[begin] == '-'))
            ++begin;
        int number = 0;
        if (const auto read = std::from_chars(text.data() + begin, text.data() + text.size(), number); read.ec == std::errc() && read.ptr != text.data() + begin && number >= 0)
            return number;
    }
    return {};
}
} // namespace

Matrix<float> someRows(const Matrix<float>& all, std::int64_t first, std::int64_t end, std::int64_t most)
{
    const std::int64_t count = std::min(end - first, most);
    Matrix<float> rows(count, all.cols());
    for (std::int64_t i = 0; i < count; ++i) // evenly spread
        std::copy_n(all.data() + (first + i * (end - first) / count) * all.cols(), all.cols(), rows.data() + i * all.cols());
    return rows;
}

EncoderPaths pathsOf(const EncoderChoice& choice)
{
    EncoderPaths paths{choice.autoencoder, choice.tokens, choice.calibration};
    paths.origin = choice.origin;
    paths.site = choice.site;
    paths.block = choice.block;
    paths.assumed = choice.assumed;
    return paths;
}

fs::path tokensBeside(const fs::path& autoencoder)
{
    std::error_code error;
    const fs::path whole = fs::absolute(autoencoder, error).lexically_normal();
    fs::path folder = fs::is_directory(whole, error) ? whole : whole.parent_path();
    if (!folder.has_filename())
        folder = folder.parent_path();
    const std::string own = folder.filename().string(), above = folder.parent_path().filename().string();
    constexpr std::string_view kSuffix = ".heldout.npy";
    for (int level = 0; level < 3 && !folder.empty(); ++level, folder = folder.parent_path()) {
        if (fs::is_regular_file(folder / "heldout.npy", error))
            return folder / "heldout.npy";
        std::vector<fs::path> found;
        for (fs::directory_iterator each(folder, error), end; !error && each != end; each.increment(error)) {
            const std::string name = each->path().filename().string();
            if (name.size() <= kSuffix.size() || !name.ends_with(kSuffix))
                continue;
            const std::string stem = name.substr(0, name.size() - kSuffix.size());
            if (own.starts_with(stem) || above.starts_with(stem))
                found.push_back(each->path());
        }
        if (!found.empty()) // the longest name says most
            return *std::ranges::max_element(found, {}, [](const fs::path& path) { return path.filename().string().size(); });
    }
    return {};
}

std::optional<int> blockNamed(const std::string& site, const fs::path& autoencoder)
{
    constexpr std::array<std::string_view, 3> kWords{"block", "layer", "h."};
    constexpr std::array<std::string_view, 6> kInside{"attn", "mlp", "hook_z", "hook_q", "ln", "norm"}; // reads within a block
    if (!site.empty()) {
        if (std::ranges::any_of(kInside, [&](std::string_view word) { return site.find(word) != std::string::npos; }))
            return {};
        for (const std::string_view word : kWords)
            if (const auto number = numberAfter(site, word)) {
                const int block = *number - (site.find("resid_pre") != std::string::npos);
                return block >= 0 ? std::optional<int>(block) : std::nullopt;
            }
    }
    fs::path folder = autoencoder.lexically_normal();
    for (int level = 0; level < 4 && folder.has_relative_path(); ++level, folder = folder.parent_path())
        for (const std::string_view word : kWords)
            if (const auto number = numberAfter(folder.filename().string(), word))
                return number;
    return {};
}

SourcesPointer openEncoderSources(const EncoderPaths& paths, const RunContext& context, const TokenSurroundings& surroundings)
{
    context.setParts(11);
    auto sources = std::make_shared<EncoderSources>();
    sources->paths = paths;
    io::SaeReadOptions switches;
    for (const std::string& each : paths.assumed)
        io::setSaeReadOption(switches, each);
    sources->autoencoder = std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(paths.autoencoder, switches, context.part(3, "autoencoder")));
    const auto& config = sources->autoencoder->config;
    sources->ownK = config.k > 0 ? config.k : std::min<std::int64_t>(32, sources->autoencoder->latents());
    const RunContext part = context.part(7, "tokens");
    EncoderPaths& wanted = sources->paths;
    if (wanted.origin == TokenOrigin::Rows && wanted.tokens.empty() && surroundings.model && tokensBeside(wanted.autoencoder).empty()) // the model that is open has some
        wanted.origin = surroundings.model->dense(context.part(1, "model"))->spec().vision() ? TokenOrigin::Photos : TokenOrigin::Text;
    switch (wanted.origin) {
    case TokenOrigin::Rows: takeRows(*sources, part); break;
    case TokenOrigin::Calibration: takeSite(*sources, surroundings, part); break;
    case TokenOrigin::Photos:
    case TokenOrigin::Text: takeModel(*sources, surroundings, part); break;
    }
    return sources;
}

} // namespace tamis::app

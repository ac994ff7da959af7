// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/looked_samples.h"

#include "app/window/photo_work.h"
#include "app/window/sample_pictures.h"
#include "core/inputs/image_preprocess_config.h"

#include <algorithm>
#include <span>
#include <system_error>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
constexpr std::int64_t kContext = 256; ///< tokens a text: maps that can be looked at
constexpr std::size_t kMostTexts = 500; ///< offered
constexpr std::size_t kBeginning = 24;  ///< tokens of a text in the list

std::string readable(std::string text)
{
    std::string shown;
    for (const char c : text)
        shown += c == '\n' ? "↵" : c == '\t' ? "⇥" : std::string(1, c);
    const auto first = shown.find_first_not_of(' ');
    return first == std::string::npos ? "␣" : shown.substr(first);
}

void listTexts(LookedSamples& listed, const RunContext& context)
{
    measure::LoadedSample sample;
    for (std::size_t i = 0; i < listed.source->count(); ++i) {
        context.throwIfStopped();
        listed.source->load(i, sample);
        std::string text;
        const auto beginning = std::span(sample.tokens).first(std::min(kBeginning, sample.tokens.size()));
        if (listed.tokenizer)
            text = listed.tokenizer->decode(beginning);
        else
            for (const std::int32_t id : beginning)
                text += std::to_string(id) + ' ';
        std::ranges::replace(text, '\n', ' ');
        listed.beginnings.push_back(std::move(text));
    }
}
} // namespace

fs::path textBeside(const fs::path& model)
{
    std::error_code error;
    const fs::path file = (fs::is_directory(model, error) ? model : model.parent_path()) / "heldout.npy";
    return fs::is_regular_file(file, error) ? file : fs::path();
}

SampleRequest lookedRequest(const fs::path& samples, const nn::Model& model)
{
    SampleRequest asked;
    if (model.spec().vision()) {
        asked.images = samples;
        return asked;
    }
    const std::string suffix = samples.extension().string();
    (suffix == ".npy" || suffix == ".ids" ? asked.tokens : asked.text) = samples;
    const std::int64_t positions = model.spec().text.maxPositions;
    asked.windows.context = positions > 0 ? std::min(kContext, positions) : kContext;
    asked.limit = kMostTexts;
    return asked;
}

std::shared_ptr<const LookedSamples> openLookedSamples(const fs::path& samples, const fs::path& modelPath, const nn::Model& model, const RunContext& context)
{
    auto made = std::make_shared<LookedSamples>();
    made->photos = model.spec().vision();
    made->path = samples;
    made->source = openSamples(lookedRequest(samples, model), modelPath, model, context);
    for (std::size_t i = 0; i < made->source->count(); ++i)
        made->names.push_back(made->source->name(i));
    if (made->photos) {
        made->classNames = classNamesOf(modelPath);
        made->preprocess = inputs::readImagePreprocess(modelPath);
    } else {
        made->tokenizer = tokenizerBeside(modelPath);
        listTexts(*made, context);
    }
    return made;
}

std::string LookedSamples::tokenName(std::int32_t id) const { return tokenizer ? readable(tokenizer->decode(std::span(&id, 1), true)) : std::to_string(id); }

std::vector<std::string> LookedSamples::tokenNames(std::size_t sample) const
{
    std::vector<std::string> made;
    if (photos)
        return made;
    measure::LoadedSample loaded;
    source->load(sample, loaded);
    for (const std::int32_t id : loaded.tokens)
        made.push_back(tokenName(id));
    return made;
}

void LookedSamples::name(std::vector<report::Guess>& guesses) const
{
    for (report::Guess& guess : guesses)
        guess.name = !photos ? tokenName(guess.index)
                     : guess.index >= 0 && static_cast<std::size_t>(guess.index) < classNames.size() ? classNames[static_cast<std::size_t>(guess.index)]
                                                                                                  : "class " + std::to_string(guess.index);
}

QImage LookedSamples::photo(std::size_t sample) const
{
    if (!photos)
        return {};
    std::error_code error;
    return photoAsRead(fs::is_directory(path, error) ? path / names[sample] : path, preprocess);
}

} // namespace tamis::app

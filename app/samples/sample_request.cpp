// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/samples/sample_request.h"

#include "app/samples/photo_source.h"
#include "core/base/error.h"
#include "core/inputs/token_file.h"
#include "core/inputs/tokenizer.h"
#include "core/measure/even_subset.h"

#include <algorithm>
#include <fstream>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
constexpr std::int64_t kUsualContext = 512;

measure::TokenWindows windowsFor(measure::TokenWindows windows, const nn::Model& model)
{
    const nn::TextSpec& text = model.spec().text;
    if (windows.context == 0)
        windows.context = text.maxPositions > 0 ? std::min(kUsualContext, text.maxPositions) : kUsualContext;
    return windows;
}

void requireText(const nn::Model& model, const fs::path& modelPath)
{
    if (model.spec().vision())
        throw Error(ErrorCode::InvalidParameter, "reads images, expected a model that reads text", modelPath.string());
}

std::unique_ptr<measure::SampleSource> openTokens(const SampleRequest& request, const nn::Model& model)
{
    auto sequences = inputs::readTokenFile(request.tokens, model.spec().text.vocabulary);
    return std::make_unique<measure::TokenSource>(std::move(sequences), windowsFor(request.windows, model), "tokens of " + request.tokens.filename().string());
}

std::string readText(const fs::path& file)
{
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    std::ifstream stream(file, std::ios::binary);
    if (error || !stream)
        throw Error(ErrorCode::IoFailure, "cannot be opened", file.string());
    if (size > inputs::kMaximumTextBytes)
        throw Error(ErrorCode::LimitExceeded, "has " + std::to_string(size) + " bytes, expected at most " + std::to_string(inputs::kMaximumTextBytes),
                    file.string());
    std::string text(static_cast<std::size_t>(size), '\0');
    if (!stream.read(text.data(), static_cast<std::streamsize>(text.size())))
        throw Error(ErrorCode::IoFailure, "reading failed", file.string());
    return text;
}

std::unique_ptr<measure::SampleSource> openText(const SampleRequest& request, const fs::path& modelPath, const nn::Model& model, const RunContext& context)
{
    const auto tokenizer = inputs::Tokenizer::read(fs::is_directory(modelPath) ? modelPath : modelPath.parent_path());
    auto tokens = tokenizer->encode(readText(request.text), true, context);
    const auto beyond = std::ranges::find_if(tokens, [&](std::int32_t id) { return id < 0 || id >= model.spec().text.vocabulary; });
    if (beyond != tokens.end())
        throw Error(ErrorCode::InvalidParameter, "the model's tokenizer gives the token id " + std::to_string(*beyond) + ", which is beyond the vocabulary of "
                                                     + std::to_string(model.spec().text.vocabulary), request.text.string());
    return std::make_unique<measure::TokenSource>(std::vector<std::vector<std::int32_t>>{std::move(tokens)}, windowsFor(request.windows, model),
                                                  "text of " + request.text.filename().string(),
                                                  [tokenizer](std::span<const std::int32_t> ids) { return tokenizer->decode(ids).size(); });
}

std::unique_ptr<measure::SampleSource> openAll(const SampleRequest& request, const fs::path& modelPath, const nn::Model& model, const RunContext& context)
{
    if (!request.images.empty())
        return openPhotos({request.images, request.labels, request.squash}, modelPath, model, context);
    requireText(model, modelPath);
    return request.tokens.empty() ? openText(request, modelPath, model, context) : openTokens(request, model);
}

} // namespace

std::unique_ptr<measure::SampleSource> openSamples(const SampleRequest& request, const fs::path& modelPath, const nn::Model& model, const RunContext& context)
{
    if (!request.images.empty() + !request.tokens.empty() + !request.text.empty() != 1)
        throw Error(ErrorCode::InvalidParameter, "found none or several inputs, expected exactly one of images, tokens and text");
    return measure::evenSubset(openAll(request, modelPath, model, context), request.limit);
}

} // namespace tamis::app

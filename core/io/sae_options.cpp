// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_options.h"

#include "core/base/error.h"

#include <charconv>
#include <cmath>

namespace tamis::io
{
namespace
{
[[noreturn]] void refuse(std::string_view assignment, const std::string& expected)
{
    throw Error(ErrorCode::InvalidParameter, "found \"" + std::string(assignment) + "\", expected " + expected,
                "autoencoder switch");
}

SaeChoice choiceOf(std::string_view value, std::string_view assignment)
{
    if (value != "yes" && value != "no" && value != "stated")
        refuse(assignment, "yes, no or stated");
    return value == "yes" ? SaeChoice::Yes : value == "no" ? SaeChoice::No : SaeChoice::AsStated;
}

bool flagOf(std::string_view value, std::string_view assignment)
{
    if (value != "yes" && value != "no")
        refuse(assignment, "yes or no");
    return value == "yes";
}

double scaleOf(std::string_view value, std::string_view assignment)
{
    double scale = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), scale);
    if (failure != std::errc() || end != value.data() + value.size() || !std::isfinite(scale) || scale <= 0)
        refuse(assignment, "a number above 0");
    return scale;
}
} // namespace

std::string_view saeFormatName(SaeFormat format) noexcept
{
    switch (format) {
    case SaeFormat::Sparsify:
        return "sparsify";
    case SaeFormat::SaeLens:
        return "saelens";
    case SaeFormat::OpenAi:
        return "openai";
    case SaeFormat::DictionaryLearning:
        return "dictionary-learning";
    case SaeFormat::GemmaScope:
        return "gemma-scope";
    case SaeFormat::LlamaScope:
        return "llama-scope";
    }
    return "sparsify";
}

void setSaeReadOption(SaeReadOptions& options, std::string_view assignment)
{
    const std::size_t sign = assignment.find('=');
    const std::string_view name = assignment.substr(0, sign);
    const std::string_view value = sign == std::string_view::npos ? "" : assignment.substr(sign + 1);
    if (name == "layer-norm")
        options.layerNorm = choiceOf(value, assignment);
    else if (name == "embedding")
        options.embedding = choiceOf(value, assignment);
    else if (name == "input-scaling")
        options.inputScaling = choiceOf(value, assignment);
    else if (name == "decoder-norms")
        options.decoderNorms = choiceOf(value, assignment);
    else if (name == "raw-threshold")
        options.thresholdOfRawInputs = flagOf(value, assignment);
    else if (name == "per-token-topk")
        options.perTokenTopK = flagOf(value, assignment);
    else if (name == "input-scale")
        options.inputScale = scaleOf(value, assignment);
    else
        refuse(assignment, "layer-norm, embedding, input-scaling, decoder-norms, raw-threshold, per-token-topk or "
                           "input-scale, each with =value");
}

} // namespace tamis::io

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_config.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <limits>

namespace tamis::io
{
namespace
{
using nlohmann::json;
constexpr JsonLimits kLimits{.bytes = 1u << 20, .depth = 32, .values = 100'000};
constexpr std::int64_t kMaximumSize = std::numeric_limits<std::int32_t>::max();

// The fields of one JSON object; a field that is null counts as absent.
class Fields
{
public:
    Fields(const json& object, const std::string& subject) : m_object(object), m_subject(subject) {}

    const json* find(const char* name) const
    {
        const auto field = m_object.find(name);
        return field == m_object.end() || field->is_null() ? nullptr : &*field;
    }
    std::optional<std::int64_t> whole(const char* name, std::int64_t least) const
    {
        const json* field = find(name);
        if (!field)
            return std::nullopt;
        if (!field->is_number_unsigned() || field->get<std::uint64_t>() > static_cast<std::uint64_t>(kMaximumSize) ||
            field->get<std::int64_t>() < least)
            refuse(name, *field,
                   "a whole number from " + std::to_string(least) + " to " + std::to_string(kMaximumSize));
        return field->get<std::int64_t>();
    }
    bool flag(const char* name, bool otherwise) const
    {
        const json* field = find(name);
        if (!field)
            return otherwise;
        if (!field->is_boolean())
            refuse(name, *field, "true or false");
        return field->get<bool>();
    }
    std::string text(const char* name, const std::string& otherwise = {}) const
    {
        const json* field = find(name);
        if (!field)
            return otherwise;
        if (!field->is_string())
            refuse(name, *field, "a text");
        return field->get<std::string>();
    }
    /// The object of that name, or an empty one.
    const json& object(const char* name) const
    {
        static const json none = json::object();
        const json* field = find(name);
        if (field && !field->is_object())
            refuse(name, *field, "an object");
        return field ? *field : none;
    }
    [[noreturn]] void lacks(const char* name) const
    {
        throw Error(ErrorCode::MalformedFile, std::string("lacks ") + name + ", expected a whole number of at least 1",
                    m_subject);
    }
    [[noreturn]] void tooMany(std::int64_t width, std::int64_t factor) const
    {
        throw Error(ErrorCode::MalformedFile,
                    "d_in " + std::to_string(width) + " times expansion_factor " + std::to_string(factor) +
                        " is more than " + std::to_string(kMaximumSize) + " latents",
                    m_subject);
    }
    [[noreturn]] void unsupported(const char* name, const std::string& found, const std::string& expected) const
    {
        throw Error(ErrorCode::UnsupportedFeature,
                    std::string(name) + " is " + quotedName(found) + ", expected " + expected, m_subject);
    }

private:
    [[noreturn]] void refuse(const char* name, const json& found, const std::string& expected) const
    {
        throw Error(ErrorCode::MalformedFile,
                    std::string(name) + " is " + quotedName(found.dump(-1, ' ', true, json::error_handler_t::replace)) +
                        ", expected " + expected,
                    m_subject);
    }
    const json& m_object;
    const std::string& m_subject;
};

SaeConfig readSparsify(const Fields& fields)
{
    SaeConfig config;
    config.layout = SaeLayout::Sparsify;
    const std::string activation = fields.text("activation", "topk");
    const bool isSigned = fields.flag("signed", false);
    if (activation == "groupmax")
        config.activation = SaeActivation::GroupMax;
    else if (activation == "topk")
        config.activation = isSigned ? SaeActivation::SignedTopK : SaeActivation::TopK;
    else
        fields.unsupported("activation", activation, "topk or groupmax");
    config.k = fields.whole("k", 1).value_or(32);
    config.width = fields.whole("d_in", 1);
    const std::int64_t latents = fields.whole("num_latents", 0).value_or(0); // 0: the expansion factor decides
    if (latents > 0)
        config.latents = latents;
    else if (const std::int64_t factor = fields.whole("expansion_factor", 1).value_or(32); config.width) {
        if (*config.width > kMaximumSize / factor)
            fields.tooMany(*config.width, factor);
        config.latents = *config.width * factor;
    }
    config.transcodes = fields.flag("transcode", false);
    config.skips = fields.flag("skip_connection", false);
    config.subtractDecoderBias = !config.transcodes;
    return config;
}

SaeNormalisation readNormalisation(const Fields& fields)
{
    const json* field = fields.find("normalize_activations");
    std::string name = "none";
    if (field && field->is_boolean()) // before version 3
        name = field->get<bool>() ? "expected_average_only_in" : "none";
    else if (field)
        name = fields.text("normalize_activations");
    if (name == "none")
        return SaeNormalisation::None;
    if (name == "constant_norm_rescale")
        return SaeNormalisation::ConstantNorm;
    if (name == "layer_norm")
        return SaeNormalisation::LayerNorm;
    if (name == "expected_average_only_in")
        fields.unsupported("normalize_activations", name,
                           "a scale that was folded into the weights (SAELens: fold_activation_norm_scaling_factor)");
    fields.unsupported("normalize_activations", name, "none, constant_norm_rescale or layer_norm");
}

void readSaeLensActivation(const Fields& fields, const std::string& subject, SaeConfig& config)
{
    const std::string architecture = fields.text("architecture", "standard");
    const std::string activation = fields.text("activation_fn_str", fields.text("activation_fn", "relu"));
    if (architecture == "jumprelu") {
        config.activation = SaeActivation::JumpRelu;
    } else if (architecture == "topk" || (architecture == "standard" && activation == "topk")) {
        config.activation = SaeActivation::TopK;
        const json& arguments = fields.object("activation_fn_kwargs");
        const std::optional<std::int64_t> k = fields.whole("k", 1), older = Fields(arguments, subject).whole("k", 1);
        if (!k && !older)
            fields.lacks("k");
        config.k = k ? *k : *older;
    } else if (architecture == "standard" && activation == "relu") {
        config.activation = SaeActivation::Relu;
    } else if (architecture == "standard") {
        fields.unsupported("activation_fn", activation, "relu or topk");
    } else {
        fields.unsupported("architecture", architecture, "standard, topk or jumprelu");
    }
}

SaeConfig readSaeLens(const Fields& fields, const std::string& subject)
{
    SaeConfig config;
    config.layout = SaeLayout::SaeLens;
    readSaeLensActivation(fields, subject, config);
    config.normalisation = readNormalisation(fields);
    config.width = fields.whole("d_in", 1);
    config.latents = fields.whole("d_sae", 1);
    config.subtractDecoderBias = fields.flag("apply_b_dec_to_input", true);
    config.rescaleByDecoderNorm = fields.flag("rescale_acts_by_decoder_norm", false);
    if (fields.flag("finetuning_scaling_factor", false))
        fields.unsupported("finetuning_scaling_factor", "true", "false");
    if (const std::string reshape = fields.text("reshape_activations", "none");
        reshape != "none" && reshape != "hook_z")
        fields.unsupported("reshape_activations", reshape, "none or hook_z"); // hook_z only joins the heads of a token
    const Fields metadata(fields.object("metadata"), subject);
    config.model = metadata.text("model_name", fields.text("model_name"));
    config.site = metadata.text("hook_name", fields.text("hook_name"));
    return config;
}

void requireSayable(const SaeConfig& config)
{
    const std::string layout(saeLayoutName(config.layout));
    const auto refuse = [&](const std::string& what) {
        throw Error(ErrorCode::InvalidParameter, "the layout " + layout + " cannot express " + what, layout);
    };
    const bool sparsify = config.layout == SaeLayout::Sparsify;
    const bool known =
        config.activation == SaeActivation::TopK ||
        (sparsify ? config.activation == SaeActivation::SignedTopK || config.activation == SaeActivation::GroupMax
                  : config.activation == SaeActivation::Relu || config.activation == SaeActivation::JumpRelu);
    if (!known)
        refuse("the activation " + std::string(saeActivationName(config.activation)));
    if (sparsify && config.normalisation != SaeNormalisation::None)
        refuse("a normalisation of the input");
    if (sparsify && config.rescaleByDecoderNorm)
        refuse("a selection by the length of decoder rows");
    if (sparsify && config.subtractDecoderBias == config.transcodes)
        refuse("an input from which b_dec is " +
               std::string(config.transcodes ? "subtracted in a transcoder" : "not subtracted"));
    if (!sparsify && (config.skips || config.transcodes))
        refuse("a transcoder or a skip connection");
    if (!config.width || !config.latents)
        refuse("an autoencoder of unknown size");
}
} // namespace

std::string_view saeLayoutName(SaeLayout layout) noexcept
{
    return layout == SaeLayout::Sparsify ? "sparsify" : "saelens";
}

std::string_view saeActivationName(SaeActivation activation) noexcept
{
    switch (activation) {
    case SaeActivation::TopK:
        return "topk";
    case SaeActivation::SignedTopK:
        return "signed topk";
    case SaeActivation::GroupMax:
        return "groupmax";
    case SaeActivation::Relu:
        return "relu";
    case SaeActivation::JumpRelu:
        return "jumprelu";
    }
    return "topk";
}

SaeConfig parseSaeConfig(std::string_view text, SaeLayout layout, const std::string& subject)
{
    const json document = parseJson(text, kLimits, subject);
    if (!document.is_object())
        throw Error(ErrorCode::MalformedFile, "is not the configuration of an autoencoder, expected a JSON object",
                    subject);
    const Fields fields(document, subject);
    return layout == SaeLayout::Sparsify ? readSparsify(fields) : readSaeLens(fields, subject);
}

std::string formatSaeConfig(const SaeConfig& config, std::string_view dtype)
{
    requireSayable(config);
    nlohmann::ordered_json document;
    if (config.layout == SaeLayout::Sparsify) {
        document["activation"] = config.activation == SaeActivation::GroupMax ? "groupmax" : "topk";
        document["expansion_factor"] = std::max<std::int64_t>(1, *config.latents / *config.width);
        document["normalize_decoder"] = true;
        document["num_latents"] = *config.latents;
        document["k"] = config.k;
        document["multi_topk"] = false;
        if (config.activation == SaeActivation::SignedTopK)
            document["signed"] = true;
        document["skip_connection"] = config.skips;
        document["transcode"] = config.transcodes;
        document["d_in"] = *config.width;
        return document.dump(1) + "\n";
    }
    document["architecture"] =
        config.activation == SaeActivation::Relu ? "standard" : saeActivationName(config.activation);
    document["d_in"] = *config.width;
    document["d_sae"] = *config.latents;
    if (config.activation == SaeActivation::TopK)
        document["k"] = config.k;
    document["dtype"] = dtype;
    document["device"] = "cpu";
    document["apply_b_dec_to_input"] = config.subtractDecoderBias;
    document["normalize_activations"] = config.normalisation == SaeNormalisation::None ? "none"
                                        : config.normalisation == SaeNormalisation::ConstantNorm
                                            ? "constant_norm_rescale"
                                            : "layer_norm";
    document["reshape_activations"] = "none";
    if (config.activation == SaeActivation::TopK)
        document["rescale_acts_by_decoder_norm"] = config.rescaleByDecoderNorm;
    document["metadata"] = {{"model_name", config.model}, {"hook_name", config.site}};
    return document.dump(1) + "\n";
}

} // namespace tamis::io

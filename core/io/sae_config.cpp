// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_config.h"

#include "core/base/error.h"
#include "core/io/sae_fields.h"

#include <nlohmann/json.hpp>

namespace tamis::io
{
namespace
{
using nlohmann::json;
SaeConfig readSparsify(const SaeFields& fields)
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
        if (*config.width > kMaximumSaeSize / factor)
            fields.malformed("d_in " + std::to_string(*config.width) + " times expansion_factor " +
                             std::to_string(factor) + " is more than " + std::to_string(kMaximumSaeSize) + " latents");
        config.latents = *config.width * factor;
    }
    config.transcodes = fields.flag("transcode", false);
    config.skips = fields.flag("skip_connection", false);
    config.subtractDecoderBias = !config.transcodes;
    config.unknownKeys =
        fields.others({"activation", "signed", "k", "d_in", "num_latents", "expansion_factor", "transcode",
                       "skip_connection", "normalize_decoder", "multi_topk", "hookpoint", "dtype", "device"});
    return config;
}

void readNormalisation(const SaeFields& fields, SaeConfig& config)
{
    const json* field = fields.find("normalize_activations");
    std::string name = "none";
    if (field && field->is_boolean()) // before version 3
        name = field->get<bool>() ? "expected_average_only_in" : "none";
    else if (field)
        name = fields.text("normalize_activations");
    if (name == "constant_norm_rescale")
        config.normalisation = SaeNormalisation::ConstantNorm;
    else if (name == "layer_norm")
        config.normalisation = SaeNormalisation::LayerNorm;
    else if (name == "expected_average_only_in")
        config.scalesInput = true;
    else if (name != "none")
        fields.unsupported("normalize_activations", name,
                           "none, constant_norm_rescale, layer_norm or expected_average_only_in");
}

void readSaeLensActivation(const SaeFields& fields, const std::string& subject, SaeConfig& config)
{
    const std::string architecture = fields.text("architecture", "standard");
    const std::string activation = fields.text("activation_fn_str", fields.text("activation_fn", "relu"));
    if (architecture == "jumprelu") {
        config.activation = SaeActivation::JumpRelu;
    } else if (architecture == "gated") {
        if (activation != "relu")
            fields.unsupported("activation_fn", activation, "relu in a gated autoencoder");
        config.activation = SaeActivation::Gated;
    } else if (architecture == "topk" || (architecture == "standard" && activation == "topk")) {
        config.activation = SaeActivation::TopK;
        const json& arguments = fields.object("activation_fn_kwargs");
        const std::optional<std::int64_t> k = fields.whole("k", 1), older = SaeFields(arguments, subject).whole("k", 1);
        if (!k && !older)
            fields.lacks("k", "a whole number of at least 1");
        config.k = k ? *k : *older;
    } else if (architecture == "standard" && activation == "relu") {
        config.activation = SaeActivation::Relu;
    } else if (architecture == "standard") {
        fields.unsupported("activation_fn", activation, "relu or topk");
    } else {
        fields.unsupported("architecture", architecture, "standard, topk, jumprelu or gated");
    }
}

SaeConfig readSaeLens(const SaeFields& fields, const std::string& subject)
{
    SaeConfig config;
    config.layout = SaeLayout::SaeLens;
    readSaeLensActivation(fields, subject, config);
    readNormalisation(fields, config);
    config.width = fields.whole("d_in", 1);
    config.latents = fields.whole("d_sae", 1);
    config.subtractDecoderBias = fields.flag("apply_b_dec_to_input", true);
    config.rescaleByDecoderNorm = fields.flag("rescale_acts_by_decoder_norm", false);
    config.scalesValues = fields.flag("finetuning_scaling_factor", false);
    if (const std::string reshape = fields.text("reshape_activations", "none");
        reshape != "none" && reshape != "hook_z")
        fields.unsupported("reshape_activations", reshape, "none or hook_z"); // hook_z only joins the heads of a token
    const SaeFields metadata(fields.object(fields.find("metadata") ? "metadata" : "meta"), subject);
    config.model = metadata.text("model_name", fields.text("model_name"));
    config.site = metadata.text("hook_name", fields.text("hook_name", fields.text("hook_point")));
    config.unknownKeys = fields.others({"architecture",
                                        "d_in",
                                        "d_sae",
                                        "k",
                                        "dtype",
                                        "device",
                                        "apply_b_dec_to_input",
                                        "normalize_activations",
                                        "reshape_activations",
                                        "rescale_acts_by_decoder_norm",
                                        "activation_fn",
                                        "activation_fn_str",
                                        "activation_fn_kwargs",
                                        "finetuning_scaling_factor",
                                        "metadata",
                                        "meta",
                                        "model_name",
                                        "hook_name",
                                        "hook_layer",
                                        "hook_head_index",
                                        "hook_point",
                                        "hook_point_layer",
                                        "hook_point_head_index",
                                        "prepend_bos",
                                        "dataset_path",
                                        "dataset_trust_remote_code",
                                        "context_size",
                                        "neuronpedia_id",
                                        "sae_lens_version",
                                        "sae_lens_training_version",
                                        "model_from_pretrained_kwargs",
                                        "seqpos_slice"});
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
    if (config.scalesInput || config.scalesValues)
        refuse("a scale that is still to be folded into the weights");
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
    case SaeActivation::Gated:
        return "gated";
    }
    return "topk";
}

SaeConfig parseSaeConfig(std::string_view text, SaeLayout layout, const std::string& subject)
{
    const json document = parseSaeDocument(text, subject);
    const SaeFields fields(document, subject);
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

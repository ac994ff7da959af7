// SPDX-License-Identifier: GPL-3.0-or-later
// Llama Scope and the library it comes from (OpenMOSS). Two namings of the tensors: encoder.weight [M, D],
// encoder.bias, decoder.weight [D, M], decoder.bias; or W_E [D, M], b_E, W_D [M, D], b_D. Two places of the
// configuration: hyperparams.json over checkpoints/final.safetensors, or config.json beside sae_weights.safetensors.
// Reference: He et al., "Llama Scope" (2024); src/llamascopium/models/{sae,sparse_dictionary}.py.
#include "core/base/error.h"
#include "core/io/sae_fields.h"
#include "core/io/sae_fold.h"
#include "core/io/sae_formats.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::io
{
namespace
{
constexpr const char* kAverage = "dataset_average_activation_norm";
constexpr std::string_view kThresholds[] = {"activation_function.log_jumprelu_threshold", "log_jumprelu_threshold"};

// What the configuration says beside SaeConfig.
struct Statements {
    bool byDecoderNorms = true;                     // the selection
    bool byDataSet = false;                         // the normalisation
    std::optional<double> threshold, input, output; // average norms
    std::int64_t topK = 0;
    bool hasDecoderBias = true;
};

std::string activationOf(const SaeFields& fields)
{
    std::string name = fields.text("act_fn", "relu");
    for (char& c : name)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; // the library does not care for case
    return name;
}

void readActivation(const SaeFields& fields, SaeConfig& config, Statements& stated)
{
    const std::string activation = activationOf(fields);
    stated.topK = fields.whole("top_k", 1).value_or(0);
    stated.threshold = fields.positive("jump_relu_threshold");
    if (activation == "relu")
        config.activation = SaeActivation::Relu;
    else if (activation == "jumprelu")
        config.activation = SaeActivation::JumpRelu;
    else if (activation == "topk" || activation == "batchtopk")
        config.activation = SaeActivation::TopK;
    else
        fields.unsupported("act_fn", activation, "relu, jumprelu, topk or batchtopk");
    if (config.activation == SaeActivation::TopK) {
        if (stated.topK == 0)
            fields.lacks("top_k", "a whole number of at least 1");
        config.k = stated.topK;
    }
}

void readNormalisation(const SaeFields& fields, const std::string& subject, SaeConfig& config, Statements& stated)
{
    const std::string normalisation = fields.text("norm_activation", "dataset-wise");
    if (normalisation == "token-wise")
        config.normalisation = SaeNormalisation::ConstantNorm;
    else if (normalisation == "dataset-wise")
        stated.byDataSet = true;
    else if (normalisation == "batch-wise")
        fields.unsupported("norm_activation", normalisation,
                           "token-wise, dataset-wise, inference or none: a batch would decide what a token means");
    else if (normalisation != "inference" && normalisation != "none")
        fields.unsupported("norm_activation", normalisation, "token-wise, dataset-wise, inference or none");
    const SaeFields average(fields.object(kAverage), subject);
    stated.input = average.positive("in");
    stated.output = average.positive("out");
    if (!stated.input)
        stated.input = average.positive(config.site);
    if (!stated.output)
        stated.output = average.positive(fields.text("hook_point_out", config.site));
}

Statements readStatements(const SaeFields& fields, const std::string& subject, SaeConfig& config)
{
    Statements stated;
    config.width = fields.whole("d_model", 1);
    config.latents = fields.whole("d_sae", 1);
    config.site = fields.text("hook_point_in");
    const std::string target = fields.text("hook_point_out", config.site);
    config.transcodes = target != config.site;
    readActivation(fields, config, stated);
    readNormalisation(fields, subject, config, stated);
    stated.byDecoderNorms = fields.flag("sparsity_include_decoder_norm", true);
    stated.hasDecoderBias = fields.flag("use_decoder_bias", true);
    config.subtractDecoderBias = stated.hasDecoderBias && fields.flag("apply_decoder_bias_to_pre_encoder", false);
    if (fields.flag("use_glu_encoder", false))
        fields.unsupported("use_glu_encoder", "true", "false");
    if (const std::string type = fields.text("sae_type", "sae"); type != "sae")
        fields.unsupported("sae_type", type, "sae");
    config.unknownKeys = fields.others({"d_model",
                                        "d_sae",
                                        "hook_point_in",
                                        "hook_point_out",
                                        "act_fn",
                                        "top_k",
                                        "jump_relu_threshold",
                                        "norm_activation",
                                        kAverage,
                                        "sparsity_include_decoder_norm",
                                        "use_decoder_bias",
                                        "apply_decoder_bias_to_pre_encoder",
                                        "use_glu_encoder",
                                        "sae_type",
                                        "expansion_factor",
                                        "device",
                                        "dtype",
                                        "use_triton_kernel",
                                        "sparsity_threshold_for_triton_spmm_kernel",
                                        "jumprelu_threshold_window",
                                        "sae_pretrained_name_or_path",
                                        "strict_loading",
                                        "use_ghost_grads",
                                        "tp_size",
                                        "ddp_size",
                                        "seed",
                                        "decoder_exactly_unit_norm",
                                        "init_decoder_norm",
                                        "init_encoder_norm",
                                        "use_batch_norm_mse",
                                        "lp",
                                        "init_encoder_with_decoder_transpose",
                                        "l1_coefficient",
                                        "force_unit_decoder_norm",
                                        "model_parallel_size_training",
                                        "model_parallel_size_running",
                                        "bias_init_method",
                                        "circuit_size",
                                        "jump_relu_window",
                                        "k_warmup_steps",
                                        "remove_gradient_parallel_to_decoder_directions"});
    return stated;
}

void readWeights(SparseAutoencoder& autoencoder, const SaeTensors& tensors, bool named, const Statements& stated)
{
    const std::int64_t m = *autoencoder.config.latents, d = *autoencoder.config.width;
    for (const char* gate : {"W_E_glu", "b_E_glu", "encoder_glu.weight"})
        if (tensors.has(gate))
            throw Error(ErrorCode::UnsupportedFeature, "is a gated linear unit, expected an encoder without one",
                        tensors.subject(gate));
    if (named) {
        autoencoder.encoder = tensors.matrix("W_E", m, d, true);
        autoencoder.decoder = tensors.matrix("W_D", m, d, false);
    } else {
        autoencoder.encoder = tensors.matrix("encoder.weight", m, d, false);
        autoencoder.decoder = tensors.matrix("decoder.weight", m, d, true);
    }
    autoencoder.encoderBias = tensors.vectorOf(named ? "b_E" : "encoder.bias", m);
    autoencoder.decoderBias = stated.hasDecoderBias ? tensors.vectorOf(named ? "b_D" : "decoder.bias", d)
                                                    : std::vector<float>(static_cast<std::size_t>(d));
}

void readThreshold(SparseAutoencoder& autoencoder, const SaeTensors& tensors, const Statements& stated,
                   const std::string& configFile)
{
    const auto m = static_cast<std::size_t>(*autoencoder.config.latents);
    for (const std::string_view name : kThresholds)
        if (tensors.has(name)) {
            autoencoder.threshold = tensors.vectorOf(name, *autoencoder.config.latents);
            for (float& value : autoencoder.threshold)
                if (value = std::exp(value); !std::isfinite(value))
                    throw Error(ErrorCode::NonFinite,
                                "has an exponential that is too large, expected finite thresholds",
                                tensors.subject(name));
            return;
        }
    if (!stated.threshold)
        throw Error(ErrorCode::MalformedFile,
                    "lacks jump_relu_threshold and the weights lack log_jumprelu_threshold, expected one of them",
                    configFile);
    autoencoder.threshold.assign(m, static_cast<float>(*stated.threshold));
    autoencoder.notes.push_back("One threshold of " + std::to_string(*stated.threshold) + " counts for all latents.");
}

std::string averageOf(const std::string& site)
{
    return std::string(kAverage) + "." + site;
}

// The average norms that weights may hold: dataset_average_activation_norm.<site>, or .in and .out.
void readAverages(const SaeTensors& tensors, const SaeFields& fields, const SaeConfig& config, Statements& stated)
{
    const auto find = [&](const std::string& site, const char* otherwise, std::optional<double>& norm) {
        for (const std::string& name : {averageOf(site), averageOf(otherwise)})
            if (!norm && tensors.has(name)) {
                norm = tensors.scalar(name);
                if (!(*norm > 0))
                    throw Error(ErrorCode::MalformedFile, "is " + std::to_string(*norm) + ", expected a number above 0",
                                tensors.subject(name));
            }
    };
    find(config.site, "in", stated.input);
    find(fields.text("hook_point_out", config.site), "out", stated.output);
    if (stated.input && !stated.output && !config.transcodes)
        stated.output = stated.input;
}

struct Scales {
    double input = 1, output = 1;
};

Scales scalesOf(SparseAutoencoder& autoencoder, const Statements& stated, const SaeReadOptions& options,
                const std::string& configFile)
{
    if (!chosen(options.inputScaling, true)) {
        autoencoder.notes.push_back("norm_activation is dataset-wise, inputs are taken as they are (switch "
                                    "input-scaling).");
        return {};
    }
    Scales scales;
    const double root = std::sqrt(static_cast<double>(*autoencoder.config.width));
    if (options.inputScale)
        scales = {*options.inputScale, *options.inputScale};
    else if (stated.input && stated.output)
        scales = {root / *stated.input, root / *stated.output};
    else
        throw Error(ErrorCode::UnsupportedFeature,
                    std::string("norm_activation is \"dataset-wise\" but ") + kAverage +
                        " is not stated: expected it, or the switch input-scale (1 where it was folded into the "
                        "weights)",
                    configFile);
    autoencoder.notes.push_back(
        "norm_activation is dataset-wise: inputs are multiplied by " + std::to_string(scales.input) +
        " and reconstructions divided by " + std::to_string(scales.output) +
        (options.inputScale ? ", given by hand (switch input-scale)." : " (switch input-scaling)."));
    return scales;
}

void noteChoices(SparseAutoencoder& autoencoder, const SaeFields& fields, const SaeReadOptions& options, bool byNorms)
{
    const bool silent = !fields.find("sparsity_include_decoder_norm");
    if (options.decoderNorms == SaeChoice::AsStated)
        autoencoder.notes.push_back(std::string(silent ? "sparsity_include_decoder_norm is not stated: " : "") +
                                    (byNorms ? "Latents are selected by their value times the length of their decoder "
                                               "row (switch decoder-norms)."
                                             : "Latents are selected by their value alone (switch decoder-norms)."));
    if (activationOf(fields) == "batchtopk")
        autoencoder.notes.push_back(
            "act_fn is batchtopk: the k largest of every token are taken, not those of a batch.");
}
} // namespace

SparseAutoencoder readLlamaScope(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context)
{
    const std::string configFile = files.config.string();
    const nlohmann::json document = readSaeDocument(files.config);
    const SaeFields fields(document, configFile);
    const SaeTensors tensors = SaeTensors::ofSafetensors(files.weights, context);
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    Statements stated = readStatements(fields, configFile, config);
    if (options.perTokenTopK && config.activation == SaeActivation::JumpRelu) {
        if (stated.topK == 0)
            fields.lacks("top_k", "a whole number of at least 1 for the switch per-token-topk");
        config.activation = SaeActivation::TopK;
        config.k = stated.topK;
        autoencoder.notes.push_back("act_fn is jumprelu, the k largest of every token are taken (switch "
                                    "per-token-topk).");
    }
    const bool named = tensors.has("W_E");
    settleSizes(tensors, named ? "W_E" : "encoder.weight", !named, config, configFile);
    readWeights(autoencoder, tensors, named, stated);
    if (config.activation == SaeActivation::JumpRelu)
        readThreshold(autoencoder, tensors, stated, configFile);

    if (stated.byDataSet) // elsewhere these tensors were never set
        readAverages(tensors, fields, config, stated);
    const Scales scales = stated.byDataSet ? scalesOf(autoencoder, stated, options, configFile) : Scales{};
    const bool byNorms = chosen(options.decoderNorms, stated.byDecoderNorms);
    const bool raw = options.thresholdOfRawInputs && stated.byDataSet && !config.subtractDecoderBias;
    if (raw)
        foldInputScaleIntoBiases(autoencoder, scales.input, scales.output, context);
    if (byNorms)
        selectByDecoderNorms(autoencoder, context);
    if (!raw)
        foldInputScale(autoencoder, scales.input, scales.output, context);
    if (stated.byDataSet && config.activation == SaeActivation::JumpRelu)
        autoencoder.notes.push_back(raw ? "Thresholds and values count in the units of the inputs as they are (switch "
                                          "raw-threshold)."
                                        : "Thresholds and values count in the units of the scaled inputs (switch "
                                          "raw-threshold).");
    noteChoices(autoencoder, fields, options, byNorms);
    noteUnknownKeys(autoencoder, config.unknownKeys, files.config.filename().string());
    const std::string in = averageOf("in"), out = averageOf("out"), site = averageOf(config.site),
                      target = averageOf(fields.text("hook_point_out", config.site));
    noteUnusedTensors(autoencoder, tensors, {in, out, site, target});
    return autoencoder;
}

} // namespace tamis::io

// SPDX-License-Identifier: GPL-3.0-or-later
// openai/sparse_autoencoder: the state of the module in one PyTorch file. pre_bias [D], encoder.weight [M, D],
// latent_bias [M], decoder.weight [D, M] (tied: decoder.linear.weight [M, D]), "activation" (ReLU where it is absent)
// and "activation_state_dict" with k. Reference: sparse_autoencoder/model.py.
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/sae_formats.h"

namespace tamis::io
{
namespace
{
constexpr const char *kEncoder = "encoder.weight", *kDecoder = "decoder.weight", *kTied = "decoder.linear.weight";

struct Reading {
    const Pickle& pickle;
    const std::string& file;

    [[noreturn]] void malformed(const std::string& message) const
    {
        throw Error(ErrorCode::MalformedFile, message, file);
    }
    std::string text(const PickleValue& dictionary, const char* key, const std::string& otherwise) const
    {
        const PickleValue* value = pickle.find(dictionary, key);
        if (!value)
            return otherwise;
        if (value->kind != PickleKind::Text)
            malformed(std::string(key) + " is not a text");
        return value->text;
    }
};

SaeConfig configOf(const Reading& reading)
{
    SaeConfig config;
    const std::string activation = reading.text(reading.pickle.top(), "activation", "ReLU");
    if (activation == "ReLU") {
        config.activation = SaeActivation::Relu;
        return config;
    }
    if (activation != "TopK")
        throw Error(ErrorCode::UnsupportedFeature,
                    "activation is " + quotedName(activation) + ", expected \"TopK\" or \"ReLU\"", reading.file);
    const PickleValue* state = reading.pickle.find(reading.pickle.top(), "activation_state_dict");
    if (!state || state->kind != PickleKind::Dictionary)
        reading.malformed("lacks activation_state_dict, expected a dictionary with k");
    if (const std::string after = reading.text(*state, "postact_fn", "ReLU"); after != "ReLU")
        throw Error(ErrorCode::UnsupportedFeature, "postact_fn is " + quotedName(after) + ", expected \"ReLU\"",
                    reading.file);
    const PickleValue* k = reading.pickle.find(*state, "k");
    if (!k || k->kind != PickleKind::Whole || k->whole < 1)
        reading.malformed("lacks k in activation_state_dict, expected a whole number of at least 1");
    config.activation = SaeActivation::TopK;
    config.k = k->whole;
    return config;
}
} // namespace

SparseAutoencoder readOpenAi(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context)
{
    const std::shared_ptr<const TorchFile> torch = TorchFile::open(files.weights);
    const std::string file = files.weights.string();
    const Reading reading{torch->pickle(), file};
    if (reading.pickle.top().kind != PickleKind::Dictionary)
        reading.malformed("holds no dictionary of tensors, expected the state of an autoencoder");
    const SaeTensors tensors = SaeTensors::ofTorch(files.weights, torch, reading.pickle.top(), context);
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    config = configOf(reading);
    settleSizes(tensors, kEncoder, true, config, file);

    const bool topK = config.activation == SaeActivation::TopK;
    if (chosen(options.layerNorm, topK))
        config.normalisation = SaeNormalisation::LayerNorm;
    if (options.layerNorm == SaeChoice::AsStated)
        autoencoder.notes.push_back(
            topK ? "The file does not say whether inputs pass a layer norm: they do, as the library has it with TopK "
                   "(switch layer-norm)."
                 : "The file does not say whether inputs pass a layer norm: they do not, as the library has it with "
                   "ReLU (switch layer-norm).");
    const std::int64_t m = *config.latents, d = *config.width;
    const bool tied = !tensors.has(kDecoder) && tensors.has(kTied);
    autoencoder.encoder = tensors.matrix(kEncoder, m, d, false);
    autoencoder.decoder = tied ? tensors.matrix(kTied, m, d, false) : tensors.matrix(kDecoder, m, d, true);
    autoencoder.encoderBias = tensors.vectorOf("latent_bias", m);
    autoencoder.decoderBias = tensors.vectorOf("pre_bias", d);
    noteUnusedTensors(autoencoder, tensors,
                      {"stats_last_nonzero", "latents_activation_frequency", "latents_mean_square"});
    return autoencoder;
}

} // namespace tamis::io

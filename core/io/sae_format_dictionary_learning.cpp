// SPDX-License-Identifier: GPL-3.0-or-later
// saprmarks/dictionary_learning: config.json names the class in trainer.dict_class, ae.pt holds the state of the
// module. Reference: dictionary_learning/dictionary.py and trainers/{top_k,batch_top_k,matryoshka_batch_top_k}.py.
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/sae_fields.h"
#include "core/io/sae_fold.h"
#include "core/io/sae_formats.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace tamis::io
{
namespace
{
// What the tensors of a class are called, and what it does with them. "" for what it does not have.
struct DictionaryClass {
    std::string_view name;
    SaeActivation activation;
    bool batchTopK;  // trained so; encodes by its one threshold
    bool transposed; // W_enc [D, M], W_dec [M, D] instead of encoder.weight [M, D], decoder.weight [D, M]
    bool subtracts;  // the decoder's bias, from the input
    std::string_view encoderBias, decoderBias;
};
constexpr std::array<DictionaryClass, 7> kClasses = {{
    {"AutoEncoder", SaeActivation::Relu, false, false, true, "encoder.bias", "bias"},
    {"AutoEncoderNew", SaeActivation::Relu, false, false, false, "encoder.bias", "decoder.bias"},
    {"AutoEncoderTopK", SaeActivation::TopK, false, false, true, "encoder.bias", "b_dec"},
    {"BatchTopKSAE", SaeActivation::JumpRelu, true, false, true, "encoder.bias", "b_dec"},
    {"MatryoshkaBatchTopKSAE", SaeActivation::JumpRelu, true, true, true, "b_enc", "b_dec"},
    {"GatedAutoEncoder", SaeActivation::Gated, false, false, true, "gate_bias", "decoder_bias"},
    {"JumpReluAutoEncoder", SaeActivation::JumpRelu, false, true, false, "b_enc", "b_dec"},
}};

const DictionaryClass& classOf(const SaeFields& trainer)
{
    const std::string name = trainer.text("dict_class");
    if (name.empty())
        trainer.lacks("trainer.dict_class", "the name of a class");
    const auto* found = std::ranges::find(kClasses, name, &DictionaryClass::name);
    if (found == kClasses.end())
        trainer.unsupported("trainer.dict_class", name,
                            "AutoEncoder, AutoEncoderNew, AutoEncoderTopK, BatchTopKSAE, MatryoshkaBatchTopKSAE, "
                            "GatedAutoEncoder or JumpReluAutoEncoder");
    return *found;
}

// k as the weights have it; as configurations are written at the start of a training that lowers k, they may differ.
std::int64_t settleK(SparseAutoencoder& autoencoder, const SaeTensors& tensors, std::optional<std::int64_t> stated,
                     const std::string& configFile)
{
    if (!tensors.has("k")) {
        if (!stated)
            throw Error(ErrorCode::MalformedFile, "lacks k, expected a whole number of at least 1", configFile);
        return *stated;
    }
    const double k = tensors.scalar("k");
    if (!(k >= 1) || k > static_cast<double>(kMaximumSaeSize) || k != std::floor(k))
        throw Error(ErrorCode::MalformedFile,
                    "is " + std::to_string(k) + ", expected a whole number from 1 to " +
                        std::to_string(kMaximumSaeSize),
                    tensors.subject("k"));
    if (stated && *stated != static_cast<std::int64_t>(k))
        autoencoder.notes.push_back("config.json states k = " + std::to_string(*stated) + ", the weights have k = " +
                                    std::to_string(static_cast<std::int64_t>(k)) + ": that is taken.");
    return static_cast<std::int64_t>(k);
}

// One threshold for all latents; below 0 it was never set.
void settleBatchTopK(SparseAutoencoder& autoencoder, const SaeTensors& tensors, const SaeReadOptions& options,
                     std::optional<std::int64_t> stated, const std::string& configFile)
{
    SaeConfig& config = autoencoder.config;
    const std::int64_t k = settleK(autoencoder, tensors, stated, configFile);
    const bool hasThreshold = tensors.has("threshold");
    const double threshold = hasThreshold ? tensors.scalar("threshold") : -1;
    if (options.perTokenTopK || !hasThreshold) {
        config.activation = SaeActivation::TopK;
        config.k = k;
        autoencoder.notes.push_back(hasThreshold
                                        ? "Trained with BatchTopK: the k largest of every token are taken instead "
                                          "of those above its threshold (switch per-token-topk)."
                                        : "Trained with BatchTopK and without a threshold: the k largest of "
                                          "every token are taken.");
        return;
    }
    if (threshold < 0) {
        config.activation = SaeActivation::Relu;
        autoencoder.notes.push_back("The threshold of BatchTopK was never set: all positive latents are taken, as the "
                                    "library does (switch per-token-topk).");
        return;
    }
    config.activation = SaeActivation::JumpRelu;
    autoencoder.threshold.assign(static_cast<std::size_t>(*config.latents), static_cast<float>(threshold));
    autoencoder.notes.push_back("Trained with BatchTopK: latents above its threshold " + std::to_string(threshold) +
                                " are taken, as the library does (switch per-token-topk).");
}

void readMatrices(SparseAutoencoder& autoencoder, const SaeTensors& tensors, const DictionaryClass& kind)
{
    const std::int64_t m = *autoencoder.config.latents, d = *autoencoder.config.width;
    if (kind.transposed) {
        autoencoder.encoder = tensors.matrix("W_enc", m, d, true);
        autoencoder.decoder = tensors.matrix("W_dec", m, d, false);
    } else {
        autoencoder.encoder = tensors.matrix("encoder.weight", m, d, false);
        autoencoder.decoder = tensors.matrix("decoder.weight", m, d, true);
    }
    autoencoder.encoderBias = tensors.vectorOf(kind.encoderBias, m);
    autoencoder.decoderBias = tensors.vectorOf(kind.decoderBias, d);
    if (kind.activation == SaeActivation::Gated)
        setGate(autoencoder, tensors.vectorOf("r_mag", m), tensors.vectorOf("mag_bias", m), tensors.subject("r_mag"));
    else if (kind.activation == SaeActivation::JumpRelu && !kind.batchTopK)
        autoencoder.threshold = tensors.vectorOf("threshold", m);
}

// Versions of the library differ in whether values are shown times the length of the decoder's rows.
void settleDecoderNorms(SparseAutoencoder& autoencoder, const DictionaryClass& kind, SaeChoice choice,
                        const RunContext& context)
{
    if (kind.activation == SaeActivation::TopK || kind.batchTopK)
        return; // their decoder rows have length 1
    const bool stated = kind.name == "AutoEncoder";
    if (chosen(choice, stated))
        countByDecoderNorms(autoencoder, context);
    if (choice == SaeChoice::AsStated)
        autoencoder.notes.push_back(
            stated
                ? "Values are multiplied by the lengths of the decoder's rows, as the library does on loading; "
                  "reconstructions are the same (switch decoder-norms)."
                : "Values are not multiplied by the lengths of the decoder's rows, as some versions of the library do; "
                  "reconstructions are the same (switch decoder-norms).");
}
} // namespace

SparseAutoencoder readDictionaryLearning(const SaeFiles& files, const SaeReadOptions& options,
                                         const RunContext& context)
{
    const std::string configFile = files.config.string();
    const nlohmann::json document = readSaeDocument(files.config);
    const SaeFields fields(document, configFile), trainer(fields.object("trainer"), configFile);
    const DictionaryClass& kind = classOf(trainer);
    const std::shared_ptr<const TorchFile> torch = TorchFile::open(files.weights);
    if (torch->pickle().top().kind != PickleKind::Dictionary)
        throw Error(ErrorCode::MalformedFile, "holds no dictionary of tensors, expected the state of a dictionary",
                    files.weights.string());
    const SaeTensors tensors = SaeTensors::ofTorch(files.weights, torch, torch->pickle().top(), context);

    if (constexpr const char* kRoot = "normalize_to_sqrt_d"; tensors.has(kRoot) && tensors.scalar(kRoot) != 0)
        throw Error(ErrorCode::UnsupportedFeature, "is true, expected inputs that are not normalised",
                    tensors.subject(kRoot));
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    config.activation = kind.activation;
    config.subtractDecoderBias = kind.subtracts;
    config.width = trainer.whole("activation_dim", 1);
    config.latents = trainer.whole("dict_size", 1);
    config.model = trainer.text("lm_name");
    config.site = trainer.text("submodule_name");
    const std::optional<std::int64_t> k = trainer.whole("k", 1);
    if (kind.activation == SaeActivation::TopK)
        config.k = settleK(autoencoder, tensors, k, configFile);
    settleSizes(tensors, kind.transposed ? "W_enc" : "encoder.weight", !kind.transposed, config, configFile);
    readMatrices(autoencoder, tensors, kind);
    if (kind.batchTopK) {
        settleBatchTopK(autoencoder, tensors, options, k, configFile);
        if (config.k > *config.latents)
            throw Error(ErrorCode::MalformedFile,
                        "k is " + std::to_string(config.k) + ", expected at most the " +
                            std::to_string(*config.latents) + " latents",
                        configFile);
    }
    settleDecoderNorms(autoencoder, kind, options.decoderNorms, context);
    noteUnusedTensors(autoencoder, tensors, {"k", "threshold", "group_sizes"});
    return autoencoder;
}

} // namespace tamis::io

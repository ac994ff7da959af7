// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_checkpoint.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/npz.h"
#include "core/io/sae_formats.h"
#include "core/io/sae_tensors.h"
#include "core/io/safetensors.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <optional>

namespace tamis::io
{
namespace
{
namespace fs = std::filesystem;
constexpr const char *kConfigFile = "cfg.json", *kOtherConfig = "config.json", *kHyperparameters = "hyperparams.json";
constexpr const char *kDictionary = "ae.pt", *kParameters = "params.npz";
constexpr std::size_t kBlock = 1u << 20; // elements encoded between two looks at the stop token

const char* weightFile(SaeLayout layout)
{
    return layout == SaeLayout::Sparsify ? "sae.safetensors" : "sae_weights.safetensors";
}

bool isFile(const fs::path& path)
{
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

bool isTorch(const fs::path& path)
{
    return path.extension() == ".pt" || path.extension() == ".pth";
}

// The weight file of a directory, by the names of the formats.
fs::path weightsIn(const fs::path& directory)
{
    std::vector<fs::path> found;
    for (const char* name : {weightFile(SaeLayout::Sparsify), weightFile(SaeLayout::SaeLens), kDictionary, kParameters})
        if (isFile(directory / name))
            found.push_back(directory / name);
    if (const fs::path old = directory / "checkpoints" / "final.safetensors";
        isFile(old) && isFile(directory / kHyperparameters))
        found.push_back(old);
    if (found.size() > 1)
        throw Error(ErrorCode::UnsupportedFeature,
                    "holds both " + found[0].filename().string() + " and " + found[1].filename().string() +
                        ", open one of them",
                    directory.string());
    if (found.empty())
        throw Error(ErrorCode::IoFailure,
                    "holds no sparse autoencoder, expected sae.safetensors or sae_weights.safetensors with its "
                    "configuration, ae.pt with config.json, params.npz, or hyperparams.json over "
                    "checkpoints/final.safetensors",
                    directory.string());
    return found[0];
}

fs::path hyperparametersOf(const fs::path& weights)
{
    return weights.parent_path().parent_path() / kHyperparameters;
}

// Which of the safetensors formats the tensors and the configuration beside them belong to.
SaeFiles recogniseSafetensors(const fs::path& weights, const RunContext& context)
{
    const SaeTensors tensors = SaeTensors::ofSafetensors(weights, context);
    const fs::path directory = weights.parent_path();
    const bool encoder = tensors.has("encoder.weight"), saeLens = tensors.has("W_enc");
    if (tensors.has("W_E") || (encoder && tensors.has("decoder.weight")))
        return {SaeFormat::LlamaScope, weights,
                isFile(directory / kOtherConfig) || !isFile(hyperparametersOf(weights)) ? directory / kOtherConfig
                                                                                        : hyperparametersOf(weights)};
    if (encoder == saeLens)
        throw Error(ErrorCode::UnsupportedFeature,
                    std::string(encoder ? "holds both" : "holds neither") +
                        " \"encoder.weight\" (sparsify) and \"W_enc\" (SAELens), expected one of them",
                    weights.string());
    return {encoder ? SaeFormat::Sparsify : SaeFormat::SaeLens, weights, directory / kConfigFile};
}

// ae.pt is a dictionary's; of another name the tensors tell.
SaeFiles recogniseTorch(const fs::path& weights)
{
    const fs::path config = weights.parent_path() / kOtherConfig;
    if (weights.filename() == kDictionary)
        return {SaeFormat::DictionaryLearning, weights, config};
    const std::shared_ptr<const TorchFile> torch = TorchFile::open(weights);
    const bool openAi = torch->pickle().find(torch->pickle().top(), "latent_bias") != nullptr;
    if (!openAi && isFile(config))
        return {SaeFormat::DictionaryLearning, weights, config};
    return {SaeFormat::OpenAi, weights, {}};
}

// For the probe: params.npz is a common name.
bool holdsAnEncoder(const fs::path& archive)
{
    try {
        const auto opened = NpzArchive::open(archive);
        return opened->find("W_enc") || opened->find("w_enc");
    } catch (const Error&) {
        return false;
    }
}

SaeFiles locate(const fs::path& path, const RunContext& context)
{
    std::error_code ignored;
    const fs::path weights = fs::is_directory(path, ignored) ? weightsIn(path) : path;
    if (isTorch(weights))
        return recogniseTorch(weights);
    if (weights.extension() == ".npz")
        return {SaeFormat::GemmaScope, weights, {}};
    return recogniseSafetensors(weights, context);
}

void requireAgreement(const SparseAutoencoder& a, const std::string& subject)
{
    const std::size_t m = static_cast<std::size_t>(a.latents()), d = static_cast<std::size_t>(a.width());
    const bool agrees = m > 0 && d > 0 && a.decoder.rows() == a.latents() && a.decoder.cols() == a.width() &&
                        a.encoderBias.size() == m && a.decoderBias.size() == d &&
                        a.threshold.size() == (a.config.activation == SaeActivation::JumpRelu ? m : 0) &&
                        a.skip.size() == (a.config.skips ? d * d : 0);
    if (!a.valueScale.empty() || !a.valueBias.empty())
        throw Error(ErrorCode::InvalidParameter,
                    "the autoencoder has values apart from its scores, which the layouts that are written do not hold",
                    subject);
    if (!agrees)
        throw Error(ErrorCode::InvalidParameter, "the matrices of the autoencoder do not agree in shape", subject);
}

SparseAutoencoder read(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context)
{
    switch (files.format) {
    case SaeFormat::Sparsify:
        return readSparsify(files, options, context);
    case SaeFormat::SaeLens:
        return readSaeLens(files, options, context);
    case SaeFormat::OpenAi:
        return readOpenAi(files, options, context);
    case SaeFormat::DictionaryLearning:
        return readDictionaryLearning(files, options, context);
    case SaeFormat::GemmaScope:
        return readGemmaScope(files, options, context);
    case SaeFormat::LlamaScope:
        return readLlamaScope(files, options, context);
    }
    return {};
}

// What was read was finite; scales that are folded in may be too large for it.
void requireFinite(const SparseAutoencoder& a, const RunContext& context)
{
    const auto check = [&](std::span<const float> values) {
        for (std::size_t at = 0; at < values.size(); at += kBlock) {
            context.throwIfStopped();
            if (tensor::countNonFinite(values.subspan(at, std::min(kBlock, values.size() - at))).total() > 0)
                throw Error(ErrorCode::NonFinite, "its scales make NaN or infinity of its weights", a.file.string());
        }
    };
    check(a.encoder.values());
    check(a.decoder.values());
    for (const std::vector<float>* values : {&a.encoderBias, &a.decoderBias, &a.threshold, &a.valueScale, &a.valueBias})
        check(*values);
}
} // namespace

SparseAutoencoder readSparseAutoencoder(const fs::path& path, const SaeReadOptions& options, const RunContext& context)
{
    const SaeFiles files = locate(path, context);
    SparseAutoencoder autoencoder = read(files, options, context);
    autoencoder.format = files.format;
    autoencoder.file = files.weights;
    requireFinite(autoencoder, context);
    return autoencoder;
}

SparseAutoencoder readSparseAutoencoder(const fs::path& path, const RunContext& context)
{
    return readSparseAutoencoder(path, SaeReadOptions{}, context);
}

bool looksLikeSparseAutoencoder(const fs::path& path)
{
    const auto isWeightFile = [](const fs::path& file) {
        const fs::path name = file.filename(), directory = file.parent_path();
        if (!isFile(file))
            return false;
        if (name == weightFile(SaeLayout::Sparsify))
            return isFile(directory / kConfigFile);
        if (name == weightFile(SaeLayout::SaeLens))
            return isFile(directory / kConfigFile) || isFile(directory / kOtherConfig);
        if (name == kDictionary)
            return isFile(directory / kOtherConfig);
        return (name == kParameters && holdsAnEncoder(file)) || (isTorch(file) && looksLikeTorchZip(file)) ||
               (name == "final.safetensors" && isFile(hyperparametersOf(file)));
    };
    return isWeightFile(path) || isWeightFile(path / weightFile(SaeLayout::Sparsify)) ||
           isWeightFile(path / weightFile(SaeLayout::SaeLens)) || isWeightFile(path / kDictionary) ||
           isWeightFile(path / kParameters) || isWeightFile(path / "checkpoints" / "final.safetensors");
}

void writeSparseAutoencoder(const fs::path& directory, const SparseAutoencoder& autoencoder, SaeLayout layout,
                            tensor::DType dtype, const RunContext& context)
{
    requireAgreement(autoencoder, directory.string());
    if (dtype != tensor::DType::F32 && dtype != tensor::DType::F16 && dtype != tensor::DType::BF16)
        throw Error(ErrorCode::InvalidParameter,
                    "an autoencoder is written as F32, F16 or BF16, not as " + std::string(tensor::dtypeName(dtype)),
                    directory.string());
    SaeConfig config = autoencoder.config;
    config.layout = layout;
    config.width = autoencoder.width();
    config.latents = autoencoder.latents();
    const std::string text = formatSaeConfig(config, dtype == tensor::DType::F32   ? "float32"
                                                     : dtype == tensor::DType::F16 ? "float16"
                                                                                   : "bfloat16");
    std::error_code failure;
    fs::create_directories(directory, failure);
    if (failure)
        throw Error(ErrorCode::IoFailure, "cannot be made: " + failure.message(), directory.string());

    const std::int64_t m = autoencoder.latents(), d = autoencoder.width();
    const bool sparsify = layout == SaeLayout::Sparsify;
    tensor::Matrix<float> turned;
    if (layout == SaeLayout::SaeLens) {
        turned = tensor::Matrix<float>(d, m);
        transpose(autoencoder.encoder.data(), m, d, turned.data(), context);
    }
    const tensor::Matrix<float>& encoder = layout == SaeLayout::SaeLens ? turned : autoencoder.encoder;
    std::vector<TensorDeclaration> declared = {
        {sparsify ? "encoder.weight" : "W_enc", dtype, {encoder.rows(), encoder.cols()}},
        {sparsify ? "encoder.bias" : "b_enc", dtype, {m}},
        {"W_dec", dtype, {m, d}},
        {"b_dec", dtype, {d}}};
    std::vector<std::span<const float>> values = {encoder.values(), autoencoder.encoderBias,
                                                  autoencoder.decoder.values(), autoencoder.decoderBias};
    if (!autoencoder.threshold.empty()) {
        declared.push_back({"threshold", dtype, {m}});
        values.emplace_back(autoencoder.threshold);
    }
    if (!autoencoder.skip.empty()) {
        declared.push_back({"W_skip", dtype, {d, d}});
        values.emplace_back(autoencoder.skip.values());
    }
    SafetensorsWriter writer(directory / weightFile(layout), declared);
    for (std::size_t i = 0; i < values.size(); ++i)
        for (std::size_t at = 0; at < values[i].size(); at += kBlock) {
            context.throwIfStopped();
            writer.appendValues(declared[i].name, values[i].subspan(at, std::min(kBlock, values[i].size() - at)));
        }
    writer.commit();
    writeFileAtomically(directory / kConfigFile, text);
}

} // namespace tamis::io

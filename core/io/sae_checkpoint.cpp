// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_checkpoint.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/json_limits.h"
#include "core/io/mapped_file.h"
#include "core/io/safetensors.h"
#include "core/io/weight_files.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::io
{
namespace
{
namespace fs = std::filesystem;
constexpr const char* kConfigFile = "cfg.json";
constexpr std::size_t kConfigBytes = 1u << 20;
constexpr std::size_t kBlock = 1u << 20; // elements decoded between two looks at the stop token
constexpr std::int64_t kTile = 64;       // of a transposition, elements a side

const char* weightFile(SaeLayout layout)
{
    return layout == SaeLayout::Sparsify ? "sae.safetensors" : "sae_weights.safetensors";
}

bool isFile(const fs::path& path)
{
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

fs::path locate(const fs::path& path)
{
    std::error_code ignored;
    if (!fs::is_directory(path, ignored))
        return path;
    const fs::path sparsify = path / weightFile(SaeLayout::Sparsify), saeLens = path / weightFile(SaeLayout::SaeLens);
    if (isFile(sparsify) && isFile(saeLens))
        throw Error(ErrorCode::UnsupportedFeature,
                    "holds both sae.safetensors and sae_weights.safetensors, open one of them", path.string());
    if (!isFile(sparsify) && !isFile(saeLens))
        throw Error(ErrorCode::IoFailure,
                    "holds no sparse autoencoder, expected sae.safetensors or sae_weights.safetensors", path.string());
    return isFile(sparsify) ? sparsify : saeLens;
}

void transpose(const float* source, std::int64_t rows, std::int64_t cols, float* target)
{
    for (std::int64_t i0 = 0; i0 < rows; i0 += kTile)
        for (std::int64_t j0 = 0; j0 < cols; j0 += kTile)
            for (std::int64_t i = i0; i < std::min(rows, i0 + kTile); ++i)
                for (std::int64_t j = j0; j < std::min(cols, j0 + kTile); ++j)
                    target[j * rows + i] = source[i * cols + j];
}

// The tensors of one weight file, decoded on demand.
class Weights
{
public:
    Weights(const fs::path& path, const RunContext& context) : m_file(MappedFile::open(path)), m_context(context)
    {
        for (TensorEntry& entry : readSafetensorsHeader(*m_file, context).tensors) {
            std::string name = entry.name;
            m_entries.emplace(std::move(name), std::move(entry));
        }
    }
    bool has(const char* name) const { return m_entries.contains(name); }
    const std::vector<std::int64_t>& shape(const char* name) const { return find(name).shape; }
    std::string subject(const char* name) const { return tensorSubject(m_file->path(), find(name)); }
    std::string file() const { return m_file->path().string(); }

    void requireShape(const char* name, const std::vector<std::int64_t>& expected) const
    {
        const TensorEntry& entry = find(name);
        if (entry.shape != expected)
            throw Error(ErrorCode::MalformedFile,
                        "has the shape " + shapeText(entry.shape) + ", expected " + shapeText(expected), subject(name));
        if (!tensor::isFloating(entry.dtype))
            throw Error(ErrorCode::UnsupportedFeature,
                        "holds " + std::string(tensor::dtypeName(entry.dtype)) + ", expected a floating-point type",
                        subject(name));
    }
    void read(const char* name, std::span<float> target) const
    {
        const TensorEntry& entry = find(name);
        const std::size_t size = tensor::dtypeSize(entry.dtype);
        std::vector<std::byte> bytes(std::min<std::size_t>(target.size(), kBlock) * size);
        for (std::size_t at = 0; at < target.size(); at += kBlock) {
            m_context.throwIfStopped();
            const std::span<float> part = target.subspan(at, std::min(kBlock, target.size() - at));
            const std::span<std::byte> stored = std::span(bytes).first(part.size() * size);
            m_file->copy(entry.offset + at * size, stored, subject(name));
            tensor::decode(entry.dtype, stored, part);
            if (const auto bad = tensor::countNonFinite(part); bad.total() > 0)
                throw Error(ErrorCode::NonFinite, "holds NaN or infinity, expected finite numbers", subject(name));
        }
    }

private:
    const TensorEntry& find(const char* name) const
    {
        const auto found = m_entries.find(name);
        if (found == m_entries.end())
            throw Error(ErrorCode::MalformedFile, std::string("lacks the tensor \"") + name + '"',
                        m_file->path().string());
        return found->second;
    }
    std::shared_ptr<const MappedFile> m_file;
    std::map<std::string, TensorEntry, std::less<>> m_entries;
    const RunContext& m_context;
};

// What the tensors are called in each layout.
struct Names {
    const char *encoder, *encoderBias, *decoder = "W_dec", *decoderBias = "b_dec", *skip = "W_skip",
                                       *threshold = "threshold";
};
Names names(SaeLayout layout)
{
    return layout == SaeLayout::Sparsify ? Names{.encoder = "encoder.weight", .encoderBias = "encoder.bias"}
                                         : Names{.encoder = "W_enc", .encoderBias = "b_enc"};
}

SaeLayout recognise(const Weights& weights)
{
    const bool sparsify = weights.has("encoder.weight"), saeLens = weights.has("W_enc");
    if (sparsify == saeLens)
        throw Error(ErrorCode::UnsupportedFeature,
                    std::string(sparsify ? "holds both" : "holds neither") +
                        " \"encoder.weight\" (sparsify) and \"W_enc\" (SAELens), expected one of them",
                    weights.file());
    return sparsify ? SaeLayout::Sparsify : SaeLayout::SaeLens;
}

// Sizes from the encoder's shape, held against cfg.json; then k.
void settleSizes(const Weights& weights, const Names& name, SaeConfig& config, const std::string& configFile)
{
    const std::vector<std::int64_t>& shape = weights.shape(name.encoder);
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1)
        throw Error(ErrorCode::MalformedFile,
                    "has the shape " + shapeText(shape) + ", expected two dimensions of at least 1",
                    weights.subject(name.encoder));
    const bool sparsify = config.layout == SaeLayout::Sparsify;
    const std::int64_t latents = sparsify ? shape[0] : shape[1], width = sparsify ? shape[1] : shape[0];
    const auto agree = [&](const char* what, std::optional<std::int64_t>& stated, std::int64_t found) {
        if (stated && *stated != found)
            throw Error(ErrorCode::MalformedFile,
                        std::string("states ") + std::to_string(*stated) + ' ' + what + ", found " +
                            std::to_string(found) + " in the weights",
                        configFile);
        stated = found;
    };
    agree("input features", config.width, width);
    agree("latents", config.latents, latents);
    if (config.k > latents)
        throw Error(ErrorCode::MalformedFile,
                    "k is " + std::to_string(config.k) + ", expected at most the " + std::to_string(latents) +
                        " latents",
                    configFile);
    if (config.activation == SaeActivation::GroupMax && latents % config.k != 0)
        throw Error(ErrorCode::MalformedFile,
                    std::to_string(latents) + " latents cannot be parted into k = " + std::to_string(config.k) +
                        " equal groups",
                    configFile);
}

void requireShapes(const Weights& weights, const Names& name, const SaeConfig& config)
{
    const std::int64_t m = *config.latents, d = *config.width;
    const bool sparsify = config.layout == SaeLayout::Sparsify;
    weights.requireShape(name.encoder, sparsify ? std::vector{m, d} : std::vector{d, m});
    weights.requireShape(name.encoderBias, {m});
    weights.requireShape(name.decoder, {m, d});
    weights.requireShape(name.decoderBias, {d});
    if (config.activation == SaeActivation::JumpRelu)
        weights.requireShape(name.threshold, {m});
    if (config.skips)
        weights.requireShape(name.skip, {d, d});
}

// SAELens selects on h |d_i| and decodes z / |d_i|: the same with both folded into the weights.
void foldDecoderNorms(SparseAutoencoder& autoencoder)
{
    for (std::int64_t i = 0; i < autoencoder.latents(); ++i) {
        double squares = 0;
        for (const float value : autoencoder.decoder.view().row(i))
            squares += static_cast<double>(value) * value;
        const double length = std::sqrt(squares);
        for (float& value : autoencoder.encoder.view().row(i))
            value = static_cast<float>(value * length);
        float& bias = autoencoder.encoderBias[static_cast<std::size_t>(i)];
        bias = static_cast<float>(bias * length);
        if (length > 0) // a row of zeros is never selected: its pre-activation is 0
            for (float& value : autoencoder.decoder.view().row(i))
                value = static_cast<float>(value / length);
    }
    autoencoder.config.rescaleByDecoderNorm = false;
}

void requireAgreement(const SparseAutoencoder& a, const std::string& subject)
{
    const std::size_t m = static_cast<std::size_t>(a.latents()), d = static_cast<std::size_t>(a.width());
    const bool agrees = m > 0 && d > 0 && a.decoder.rows() == a.latents() && a.decoder.cols() == a.width() &&
                        a.encoderBias.size() == m && a.decoderBias.size() == d &&
                        a.threshold.size() == (a.config.activation == SaeActivation::JumpRelu ? m : 0) &&
                        a.skip.size() == (a.config.skips ? d * d : 0);
    if (!agrees)
        throw Error(ErrorCode::InvalidParameter, "the matrices of the autoencoder do not agree in shape", subject);
}
} // namespace

SparseAutoencoder readSparseAutoencoder(const fs::path& path, const RunContext& context)
{
    const fs::path weightPath = locate(path), configPath = weightPath.parent_path() / kConfigFile;
    const Weights weights(weightPath, context);
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    config = parseSaeConfig(readSmallFile(configPath, kConfigBytes), recognise(weights), configPath.string());
    const Names name = names(config.layout);
    settleSizes(weights, name, config, configPath.string());
    requireShapes(weights, name, config);

    const std::int64_t m = *config.latents, d = *config.width;
    const bool transposed = config.layout == SaeLayout::SaeLens;
    const std::uint64_t matrix = static_cast<std::uint64_t>(m) * static_cast<std::uint64_t>(d) * sizeof(float);
    if (matrix > kBlock)
        requireMemory(matrix * (transposed ? 3 : 2), weightPath.string());
    autoencoder.encoder = tensor::Matrix<float>(m, d);
    if (transposed) {
        std::vector<float> stored(autoencoder.encoder.size());
        weights.read(name.encoder, stored);
        transpose(stored.data(), d, m, autoencoder.encoder.data());
    } else {
        weights.read(name.encoder, autoencoder.encoder.values());
    }
    autoencoder.decoder = tensor::Matrix<float>(m, d);
    weights.read(name.decoder, autoencoder.decoder.values());
    const auto readVector = [&](const char* tensor, std::int64_t size, std::vector<float>& target) {
        target.resize(static_cast<std::size_t>(size));
        weights.read(tensor, target);
    };
    readVector(name.encoderBias, m, autoencoder.encoderBias);
    readVector(name.decoderBias, d, autoencoder.decoderBias);
    if (config.activation == SaeActivation::JumpRelu)
        readVector(name.threshold, m, autoencoder.threshold);
    if (config.skips) {
        autoencoder.skip = tensor::Matrix<float>(d, d);
        weights.read(name.skip, autoencoder.skip.values());
    }
    if (config.rescaleByDecoderNorm)
        foldDecoderNorms(autoencoder);
    return autoencoder;
}

bool looksLikeSparseAutoencoder(const fs::path& path)
{
    const auto isWeightFile = [](const fs::path& file) {
        return (file.filename() == weightFile(SaeLayout::Sparsify) ||
                file.filename() == weightFile(SaeLayout::SaeLens)) &&
               isFile(file) && isFile(file.parent_path() / kConfigFile);
    };
    return isWeightFile(path) || isWeightFile(path / weightFile(SaeLayout::Sparsify)) ||
           isWeightFile(path / weightFile(SaeLayout::SaeLens));
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
    const Names name = names(layout);
    tensor::Matrix<float> turned;
    if (layout == SaeLayout::SaeLens) {
        turned = tensor::Matrix<float>(d, m);
        transpose(autoencoder.encoder.data(), m, d, turned.data());
    }
    const tensor::Matrix<float>& encoder = layout == SaeLayout::SaeLens ? turned : autoencoder.encoder;
    std::vector<TensorDeclaration> declared = {{name.encoder, dtype, {encoder.rows(), encoder.cols()}},
                                               {name.encoderBias, dtype, {m}},
                                               {name.decoder, dtype, {m, d}},
                                               {name.decoderBias, dtype, {d}}};
    std::vector<std::span<const float>> values = {encoder.values(), autoencoder.encoderBias,
                                                  autoencoder.decoder.values(), autoencoder.decoderBias};
    if (!autoencoder.threshold.empty()) {
        declared.push_back({name.threshold, dtype, {m}});
        values.emplace_back(autoencoder.threshold);
    }
    if (!autoencoder.skip.empty()) {
        declared.push_back({name.skip, dtype, {d, d}});
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

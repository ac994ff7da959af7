// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/random_llama.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/calibration.h"
#include "core/io/safetensors.h"
#include "core/linalg/gemm.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace tamis::bench {
namespace {
struct Shape {
    std::string name;
    std::int64_t rows, cols;
};

std::vector<Shape> shapesOf(const RandomLlama& llama)
{
    std::vector<Shape> shapes;
    for (int layer = 0; layer < llama.layers; ++layer) {
        const std::string block = "model.layers." + std::to_string(layer) + ".";
        for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"})
            shapes.push_back({block + name, llama.width, llama.width});
        shapes.push_back({block + "mlp.gate_proj", llama.hidden, llama.width});
        shapes.push_back({block + "mlp.up_proj", llama.hidden, llama.width});
        shapes.push_back({block + "mlp.down_proj", llama.width, llama.hidden});
    }
    return shapes;
}

/// SplitMix64 of a counter: any element without those before it.
std::uint64_t scrambled(std::uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

std::uint64_t seedOf(const std::string& name, std::uint64_t seed)
{
    for (const char c : name)
        seed = scrambled(seed ^ static_cast<unsigned char>(c));
    return seed;
}

/// Uniform of variance `variance`.
void fill(std::uint64_t seed, double variance, std::span<float> values, const RunContext& context)
{
    constexpr std::size_t kPiece = 1u << 18;
    const double scale = std::sqrt(12 * variance) / 9007199254740992.0; // 2^53
    parallelFor(context, (values.size() + kPiece - 1) / kPiece, [&](std::size_t piece) {
        for (std::size_t i = piece * kPiece; i < std::min(values.size(), (piece + 1) * kPiece); ++i)
            values[i] = static_cast<float>((static_cast<double>(scrambled(seed + i) >> 11) - 4503599627370496.0) * scale);
    });
}

void requirePositive(const RandomLlama& llama)
{
    if (llama.layers < 1 || llama.width < 1 || llama.hidden < 1 || llama.matricesPerShard < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(llama.layers) + " layers of " + std::to_string(llama.width) + " and " + std::to_string(llama.hidden) +
                                                     " features, " + std::to_string(llama.matricesPerShard) + " matrices a shard; expected at least 1 of each");
}

tensor::Matrix<double> covariance(std::int64_t n, std::uint64_t seed, const RunContext& context)
{
    constexpr std::int64_t kDirections = 512;
    tensor::Matrix<float> rows(kDirections, n);
    fill(seed, 1, rows.values(), context);
    const auto strength = [n](std::int64_t j) { return 1.0 / (1.0 + 20.0 * static_cast<double>(j) / static_cast<double>(n)); };
    for (std::int64_t i = 0; i < kDirections; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            rows(i, j) = static_cast<float>(rows(i, j) * strength(j));
    tensor::Matrix<double> c = linalg::gram(rows.view(), linalg::Side::Columns, context);
    for (std::int64_t j = 0; j < n; ++j)
        c(j, j) += 50 * strength(j);
    return c;
}
} // namespace

void writeRandomLlama(const RandomLlama& llama, const std::filesystem::path& directory, const RunContext& context)
{
    requirePositive(llama);
    std::filesystem::create_directories(directory);
    const auto shapes = shapesOf(llama);
    const auto size = static_cast<std::size_t>(llama.matricesPerShard);
    const std::size_t shards = (shapes.size() + size - 1) / size;
    nlohmann::ordered_json map;
    std::uint64_t bytes = 0;
    std::vector<float> values;
    for (std::size_t shard = 0; shard < shards; ++shard) {
        char file[64];
        std::snprintf(file, sizeof file, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
        const std::span<const Shape> here(shapes.data() + shard * size, std::min(size, shapes.size() - shard * size));
        std::vector<io::TensorDeclaration> declarations;
        for (const Shape& shape : here)
            declarations.push_back({shape.name + ".weight", tensor::DType::F16, {shape.rows, shape.cols}});
        io::SafetensorsWriter writer(directory / file, declarations, {{"format", "pt"}});
        for (const Shape& shape : here) {
            values.resize(static_cast<std::size_t>(shape.rows * shape.cols));
            fill(seedOf(shape.name, llama.seed), 1.0 / static_cast<double>(shape.cols), values, context);
            constexpr std::size_t kPiece = 4u << 20; // stops are seen in between
            for (std::size_t at = 0; at < values.size(); at += kPiece) {
                context.throwIfStopped();
                writer.appendValues(shape.name + ".weight", std::span<const float>(values).subspan(at, std::min(kPiece, values.size() - at)));
            }
            map[shape.name + ".weight"] = file;
            bytes += 2 * values.size();
        }
        writer.commit();
        context.setFraction(static_cast<double>(shard + 1) / static_cast<double>(shards));
    }
    writeFileAtomically(directory / "model.safetensors.index.json", nlohmann::ordered_json{{"metadata", {{"total_size", bytes}}}, {"weight_map", map}}.dump(1));
}

void writeRandomCovariances(const RandomLlama& llama, const std::string& modelSha256, const std::filesystem::path& file, const RunContext& context)
{
    requirePositive(llama);
    std::vector<io::CalibrationSite> sites;
    std::vector<io::CalibrationLink> links;
    for (const Shape& shape : shapesOf(llama)) {
        const auto same = std::ranges::find(sites, shape.cols, [](const io::CalibrationSite& site) { return site.gram.cols(); });
        if (same != sites.end()) {
            links.push_back({shape.name, same->name, {}});
            continue;
        }
        io::CalibrationSite site;
        site.name = shape.name;
        site.count = 100'000;
        site.gram = covariance(shape.cols, seedOf(shape.name + " inputs", llama.seed), context); // not the numbers of the weight
        site.mean.assign(static_cast<std::size_t>(shape.cols), 0.0);
        sites.push_back(std::move(site));
    }
    io::writeCalibration(file, {modelSha256, "random covariances", {}, 100'000}, sites, links);
}

} // namespace tamis::bench

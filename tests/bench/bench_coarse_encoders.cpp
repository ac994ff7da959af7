// SPDX-License-Identifier: GPL-3.0-or-later
// What the coarse encoders reach and take on a synthetic dictionary of a real one's size: bench_coarse_encoders [D M k [TEXT]], by default
// 768 32768 32; only the lines that have TEXT in their name. Random unit features that fire by Zipf's law, 60 a token, log-normal row norms, noise, negative biases.
#include "core/base/blas_threads.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
constexpr std::int64_t kActive = 60;

io::SparseAutoencoder syntheticAutoencoder(std::int64_t width, std::int64_t latents, std::int64_t k)
{
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    io::SparseAutoencoder a;
    a.config.k = k;
    a.config.subtractDecoderBias = false;
    a.encoder = Matrix<float>(latents, width);
    a.decoder = Matrix<float>(latents, width);
    a.decoderBias.resize(static_cast<std::size_t>(width));
    for (std::int64_t i = 0; i < latents; ++i) {
        double squares = 0;
        for (std::int64_t j = 0; j < width; ++j) {
            const float value = normal(random);
            a.decoder(i, j) = value;
            squares += static_cast<double>(value) * static_cast<double>(value);
        }
        const float norm = std::exp(0.3F * normal(random)), unit = static_cast<float>(1 / std::sqrt(squares));
        for (std::int64_t j = 0; j < width; ++j) {
            a.decoder(i, j) *= unit;
            a.encoder(i, j) = norm * a.decoder(i, j);
            a.decoder(i, j) /= norm;
        }
        a.encoderBias.push_back(-0.3F + 0.1F * normal(random));
    }
    return a;
}

Matrix<float> syntheticTokens(const io::SparseAutoencoder& a, std::int64_t tokens, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<double> weights;
    for (std::int64_t i = 0; i < a.latents(); ++i)
        weights.push_back(1 / static_cast<double>(10 + i));
    std::discrete_distribution<std::int64_t> feature(weights.begin(), weights.end());
    Matrix<float> x(tokens, a.width());
    for (std::int64_t t = 0; t < tokens; ++t) {
        for (float& value : x.view().row(t))
            value = 0.05F * normal(random);
        for (std::int64_t n = 0; n < kActive; ++n) {
            const std::int64_t i = feature(random);
            const float strength = 1 + std::abs(normal(random));
            double norm = 0;
            for (const float value : a.decoder.view().row(i))
                norm += static_cast<double>(value) * static_cast<double>(value);
            for (std::int64_t j = 0; j < a.width(); ++j)
                x(t, j) += strength * a.decoder(i, j) / static_cast<float>(std::sqrt(norm));
        }
    }
    return x;
}

struct Entry {
    const char* method;
    std::vector<std::pair<std::string, ParameterValue>> settings;
};

std::vector<Entry> entries()
{
    const auto number = [](std::int64_t value) { return ParameterValue(value); };
    const auto text = [](const char* value) { return ParameterValue(std::string(value)); };
    std::vector<Entry> all;
    for (const std::int64_t rank : {32, 64, 128})
        all.push_back({"encoder.low-rank", {{"rank", number(rank)}}});
    for (const std::int64_t rank : {32, 64, 128, 256})
        for (const std::int64_t candidates : {256, 1024})
            all.push_back({"encoder.two-stage", {{"coarse", text("low-rank")}, {"rank", number(rank)}, {"candidates", number(candidates)}}});
    for (const char* coarse : {"int8", "int4"})
        all.push_back({"encoder.two-stage", {{"coarse", text(coarse)}, {"candidates", number(256)}}});
    for (const std::int64_t parts : {96, 192})
        all.push_back({"encoder.two-stage", {{"coarse", text("product")}, {"subvectors", number(parts)}, {"candidates", number(1024)}}});
    all.push_back({"encoder.two-stage", {{"coarse", text("product")}, {"subvectors", number(96)}, {"centroids", text("256")}, {"candidates", number(1024)}}});
    all.push_back({"encoder.two-stage", {{"coarse", text("random")}, {"rank", number(256)}, {"candidates", number(1024)}}});
    for (const std::int64_t tiles : {2, 4, 8})
        all.push_back({"encoder.tiled", {{"tiles", number(tiles)}}});
    for (const bool bias : {true, false})
        all.push_back({"encoder.mips", {{"index", text("flat")}, {"bias", bias}}});
    for (const std::int64_t search : {512, 2048})
        all.push_back({"encoder.mips", {{"index", text("hnsw")}, {"search", number(search)}}});
    for (const char* index : {"flat", "sq8"})
        all.push_back({"encoder.faiss", {{"index", text(index)}, {"reduction", text("inner-product")}}});
    for (const char* reduction : {"inner-product", "euclidean"})
        all.push_back({"encoder.faiss", {{"index", text("ivf-flat")}, {"reduction", text(reduction)}, {"lists", number(256)}, {"probes", number(32)}}});
    for (const std::int64_t probes : {8, 128})
        all.push_back({"encoder.faiss", {{"index", text("ivf-flat")}, {"lists", number(256)}, {"probes", number(probes)}}});
    all.push_back({"encoder.faiss", {{"index", text("ivf-pq")}, {"lists", number(256)}, {"probes", number(128)}, {"parts", number(96)}}});
    for (const auto& [candidates, refine] : {std::pair{256, 1}, {1024, 1}, {256, 16}})
        all.push_back({"encoder.faiss", {{"index", text("pq-fastscan")}, {"reduction", text("inner-product")}, {"parts", number(192)}, {"candidates", number(candidates)}, {"refine", number(refine)}}});
    return all;
}

std::string labelOf(const Entry& entry)
{
    std::string label = entry.method;
    for (const auto& [name, value] : entry.settings)
        label += " " + name + "=" + toText(value);
    return label;
}

void run(const Entry& entry, const Inputs& inputs, const ExactTokens& exact)
{
    const Method& method = *findMethod(entry.method);
    Parameters parameters;
    const std::string label = labelOf(entry);
    for (const auto& [name, value] : entry.settings)
        parameters.set(name, value);
    parameters = method.declaration.schema.complete(parameters);
    const auto start = std::chrono::steady_clock::now();
    const Built built = method.build(inputs, parameters, {});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    MeasureOptions options;
    options.latencyBatches = {1, 8, 64};
    const auto report = measureEncoder(exact, *built.encoder, entry.method, parameters, options);
    std::printf("%-72s recall %.4f p5 %.3f FVU %.4f (%.4f) MMAC %6.2f MB %6.2f", label.c_str(), report.quality.recallMean, report.quality.recallP5, report.quality.fvu,
                report.quality.fvuExact, report.cost.macs / 1e6, report.cost.bytesRead / 1e6);
    for (const auto& each : report.latency)
        std::printf(" | %3d: %7.3f ms, exact %7.3f, x%.2f", static_cast<int>(each.batch), each.p50, each.exactP50, each.exactP50 / each.p50);
    std::printf(" | built in %.1f s\n", seconds);
    std::fflush(stdout);
}
} // namespace

int main(int argc, char** argv)
{
    prepareBlas(argv);
    const auto argument = [&](int index, std::int64_t otherwise) { return argc > index ? std::atoll(argv[index]) : otherwise; };
    auto autoencoder = std::make_shared<const io::SparseAutoencoder>(syntheticAutoencoder(argument(1, 768), argument(2, 32768), argument(3, 32)));
    Inputs inputs;
    inputs.dictionary = Dictionary::of(autoencoder);
    inputs.calibration = inputs.dictionary->prepared(syntheticTokens(*autoencoder, 2048, 2).view());
    const auto exact = exactTokens(inputs.dictionary, syntheticTokens(*autoencoder, 256, 3));
    const std::string only = argc > 4 ? argv[4] : "";
    for (const Entry& entry : entries())
        if (labelOf(entry).find(only) != std::string::npos)
            run(entry, inputs, *exact);
    return 0;
}

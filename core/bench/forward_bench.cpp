// SPDX-License-Identifier: GPL-3.0-or-later
// Forward passes against PyTorch. The bound is arithmetic: 2 FLOP a MAC of the linear operators and attentions at the
// peak that the same run measures with multiply-adds in registers. Weights are read once a sample: for ViT-B/16 344 MB a
// pass, 17 ms at 20 GB/s against 90 ms of arithmetic, so that memory is not the limit at these sizes.
#include "core/bench/bench.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/torch_child.h"
#include "core/cost/ceilings.h"
#include "core/nn/model.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <sstream>

namespace tamis::bench {

namespace {
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

struct ForwardCase {
    std::string name;
    std::shared_ptr<const nn::Model> model;
    std::int64_t batch = 1, tokens = 0; ///< tokens: language models
    std::vector<std::string> torchArguments;
    int rounds = 5;
};

/// MACs of one sample: linear operators on the rows they see, and attentions.
double macsOf(const nn::Model& model, std::int64_t textTokens)
{
    const std::int64_t tokens = model.spec().tokens(textTokens);
    double macs = 0;
    for (const nn::LinearSlot* slot : model.linears()) {
        const bool pooledHead = slot->role == io::Role::Head && model.spec().vision();
        const std::int64_t rows = pooledHead ? 1 : slot->role == io::Role::Patch ? tokens - model.spec().patch.prefixTokens : tokens;
        macs += static_cast<double>(slot->op->cost().macsPerToken) * static_cast<double>(rows);
    }
    for (const nn::Block& block : model.blocks())
        macs += static_cast<double>(block.attention->cost(tokens).macs);
    return macs;
}

/// The best of `rounds` passes over the batch, in seconds.
double timeOurs(const ForwardCase& c, const RunContext& context)
{
    const nn::ModelSpec& spec = c.model->spec();
    std::vector<float> image;
    std::vector<std::int32_t> ids;
    if (spec.vision())
        image.resize(static_cast<std::size_t>(spec.patch.channels * spec.patch.imageHeight * spec.patch.imageWidth));
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i)));
    for (std::int64_t i = 0; i < c.tokens; ++i)
        ids.push_back(static_cast<std::int32_t>(i * 7919 % spec.text.vocabulary));
    const std::vector<nn::Sample> samples(static_cast<std::size_t>(c.batch), nn::Sample{image, ids, {}});
    nn::ForwardPass pass(*c.model);
    pass.run(samples, context);
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < c.rounds; ++i) {
        const auto start = std::chrono::steady_clock::now();
        pass.run(samples, context);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

struct Peer {
    double seconds = kNothing;
    std::string name;
};

/// The fastest of PyTorch's ways.
Peer timeTorch(const ForwardCase& c, const RunContext& context)
{
    std::string whyNot;
    std::vector<std::string> arguments = c.torchArguments;
    arguments.push_back(std::to_string(c.rounds));
    const auto output = runTorch(torchScript("bench_torch_forward.py"), arguments, context, whyNot);
    if (!output)
        return {kNothing, "none: " + whyNot};
    Peer best;
    std::istringstream lines(*output);
    for (std::string line; std::getline(lines, line);) {
        const auto entry = nlohmann::json::parse(line, nullptr, false);
        if (!entry.is_object() || !entry.contains("seconds") || !entry["seconds"].is_number())
            continue;
        const double seconds = entry["seconds"].get<double>();
        if (!(best.seconds <= seconds))
            best = {seconds, "PyTorch, " + entry.value("way", "") + ", " + std::to_string(threadCount()) + " threads"};
    }
    return best;
}

std::shared_ptr<const nn::Model> randomVit(const std::string& json)
{
    return nn::Model::load(io::parseModelConfig(json, "bench"), nn::RandomSource::timmVit(1));
}

std::vector<ForwardCase> cases()
{
    const auto small = randomVit(R"({"embed_dim": 128, "depth": 6, "num_heads": 4, "patch_size": 4, "image_size": [64, 64], "num_classes": 20})");
    const auto base = randomVit(R"({"embed_dim": 768, "depth": 12, "num_heads": 12, "patch_size": 16, "image_size": [224, 224], "num_classes": 1000})");
    const auto llama = nn::Model::load(io::parseModelConfig(R"({"model_type": "llama", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 32000, "max_position_embeddings": 2048, "tie_word_embeddings": false})", "bench"), nn::RandomSource::llama(1));
    const std::vector<std::string> smallShape{"vit", "128", "6", "4", "4", "64", "20"}, baseShape{"vit", "768", "12", "12", "16", "224", "1000"};
    const auto with = [](std::vector<std::string> shape, const char* batch) {
        shape.emplace_back(batch);
        return shape;
    };
    return {{"forward vit20 shape, batch 1", small, 1, 0, with(smallShape, "1"), 20},
            {"forward vit20 shape, batch 32", small, 32, 0, with(smallShape, "32"), 3},
            {"forward ViT-B/16 shape, batch 1", base, 1, 0, with(baseShape, "1"), 5},
            {"forward LLaMA-160M shape, 512 tokens", llama, 1, 512, {"llama", "768", "12", "12", "3072", "32000", "512"}, 3}};
}
} // namespace

std::vector<BenchResult> benchForward(const RunContext& context)
{
    context.setParts(5);
    const report::Ceilings ceilings = cost::machineCeilings(context.part(1, "measuring the peak"));
    std::vector<BenchResult> results;
    for (const ForwardCase& c : cases()) {
        const RunContext part = context.part(1, c.name);
        const double flop = 2 * macsOf(*c.model, c.tokens) * static_cast<double>(c.batch);
        BenchResult r;
        r.name = c.name;
        r.oursSeconds = timeOurs(c, part);
        const Peer peer = timeTorch(c, part);
        r.peerSeconds = peer.seconds;
        r.peerName = peer.name;
        r.oursSeconds = std::min(r.oursSeconds, timeOurs(c, part)); // once before and once after the peer: the machine is shared
        r.ratio = r.peerSeconds / r.oursSeconds;
        r.unit = "s";
        std::ostringstream bound;
        bound.precision(4);
        bound << flop * 1e-9 << " GFLOP at the measured peak of " << ceilings.gflops << " GFLOP/s; ours " << flop / r.oursSeconds * 1e-9 << " GFLOP/s";
        r.bound = bound.str();
        r.boundFraction = flop / (ceilings.gflops * 1e9) / r.oursSeconds;
        results.push_back(std::move(r));
        part.finish();
    }
    return results;
}

} // namespace tamis::bench

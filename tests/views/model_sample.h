// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reports of models as the model view sees them: shaped like vit20 (6 blocks), a LLaMA of 32 blocks and Swin-T. Costs follow
// from the shapes, so that tests can say what a cell must show; errors and statistics follow closed forms.
#include "core/report/evaluation_report.h"
#include "core/report/model_report.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace tamis::sample {

inline report::Ceilings machine() { return {.name = "This machine", .gflops = 300, .gigabytesPerSecond = 20, .measured = true}; }

/// Appends layers; float32 weights, activations read and written once.
class ModelSample {
public:
    ModelSample(std::string family, std::int64_t tokens, std::int64_t batch) : m_report(std::make_shared<report::ModelCostReport>())
    {
        m_report->family = std::move(family);
        m_report->tokens = tokens;
        m_report->batch = batch;
        m_report->ceilings = machine();
    }
    void linear(const std::string& name, const std::string& role, int block, std::int64_t in, std::int64_t out, std::int64_t tokens,
                std::int64_t rank = 0, const std::string& kind = "linear")
    {
        report::LayerCost l{.name = name, .kind = kind, .form = rank > 0 ? "factors" : "dense", .role = role, .rank = rank, .block = block};
        l.inputShape = {tokens, in};
        l.outputShape = {tokens, out};
        const std::int64_t weights = rank > 0 ? rank * (in + out) : in * out;
        l.parameters = static_cast<std::uint64_t>(weights + out);
        l.macs = static_cast<std::uint64_t>(tokens * weights);
        add(std::move(l), tokens * (in + out));
    }
    void norm(const std::string& name, int block, std::int64_t width, std::int64_t tokens)
    {
        report::LayerCost l{.name = name, .kind = "norm", .block = block};
        l.inputShape = l.outputShape = {tokens, width};
        l.parameters = static_cast<std::uint64_t>(2 * width);
        add(std::move(l), 2 * tokens * width);
    }
    void activation(const std::string& name, int block, std::int64_t width, std::int64_t tokens)
    {
        report::LayerCost l{.name = name, .kind = "activation", .block = block};
        l.inputShape = l.outputShape = {tokens, width};
        add(std::move(l), 2 * tokens * width);
    }
    void attention(const std::string& name, int block, std::int64_t width, std::int64_t tokens, std::int64_t keys, const std::string& form)
    {
        report::LayerCost l{.name = name, .kind = "attention", .form = form, .block = block};
        l.inputShape = l.outputShape = {tokens, width};
        l.macs = static_cast<std::uint64_t>(2 * tokens * keys * width);
        add(std::move(l), 4 * tokens * width);
    }
    std::shared_ptr<report::ModelCostReport> finish(bool measured)
    {
        auto& r = *m_report;
        r.predictedMs = 0;
        for (auto& l : r.layers) {
            const double batch = static_cast<double>(r.batch), flops = 2 * static_cast<double>(l.macs) * batch;
            const double bytes = static_cast<double>(l.weightBytes) + static_cast<double>(l.activationBytes) * batch;
            l.intensity = flops / bytes;
            l.predictedMs = std::max(flops / (r.ceilings.gflops * 1e6), bytes / (r.ceilings.gigabytesPerSecond * 1e6));
            r.predictedMs += l.predictedMs;
            if (measured)
                l.measuredMs = l.predictedMs * 1.7 + 0.002;
            r.parameters += l.parameters;
            r.weightBytes += l.weightBytes;
            r.macs += l.macs;
            (l.kind == "attention" ? r.attentionMacs : r.linearMacs) += l.macs;
            r.memory.push_back({.at = l.name, .liveBytes = l.activationBytes});
            if (l.activationBytes > r.peakActivationBytes) {
                r.peakActivationBytes = l.activationBytes;
                r.peakAt = l.name;
            }
        }
        if (measured) {
            r.measuredMs = 0;
            for (const auto& l : r.layers)
                r.measuredMs += l.measuredMs;
        }
        return m_report;
    }

private:
    void add(report::LayerCost layer, std::int64_t activationFloats)
    {
        layer.weightBytes = 4 * layer.parameters;
        layer.activationBytes = static_cast<std::uint64_t>(4 * activationFloats);
        m_report->layers.push_back(std::move(layer));
    }
    std::shared_ptr<report::ModelCostReport> m_report;
};

/// A pre-norm block with the names of timm's vision transformers.
inline void vitBlock(ModelSample& m, const std::string& prefix, int block, std::int64_t width, std::int64_t tokens, std::int64_t keys,
                     const std::string& form, std::int64_t rank)
{
    m.norm(prefix + ".norm1", block, width, tokens);
    m.linear(prefix + ".attn.qkv", "qkv", block, width, 3 * width, tokens, rank);
    m.attention(prefix + ".attention", block, width, tokens, keys, form);
    m.linear(prefix + ".attn.proj", "o", block, width, width, tokens);
    m.norm(prefix + ".norm2", block, width, tokens);
    m.linear(prefix + ".mlp.fc1", "up", block, width, 4 * width, tokens, rank);
    m.activation(prefix + ".mlp.act", block, 4 * width, tokens);
    m.linear(prefix + ".mlp.fc2", "down", block, 4 * width, width, tokens, rank);
}

/// 6 blocks of width 128 on 65 tokens. `rank` > 0: qkv, fc1 and fc2 of blocks 2 to 5 as factors of that rank.
inline std::shared_ptr<report::ModelCostReport> vit20(std::int64_t rank = 0, bool measured = true)
{
    ModelSample m("timm-vit", 65, 1);
    m.linear("patch_embed.proj", "patch", -1, 192, 128, 64, 0, "patch");
    for (int b = 0; b < 6; ++b)
        vitBlock(m, "blocks." + std::to_string(b), b, 128, 65, 65, "exact", b >= 2 ? rank : 0);
    m.norm("norm", -1, 128, 65);
    m.linear("head", "head", -1, 128, 20, 1, 0, "head");
    auto report = m.finish(measured);
    report->architecture = "6 blocks, width 128, 4 heads";
    report->task = "image classification";
    return report;
}

/// 32 blocks of width 4096 with grouped keys and values, 2,048 tokens, nothing measured.
inline std::shared_ptr<report::ModelCostReport> llama()
{
    ModelSample m("llama", 2048, 1);
    report::LayerCost embedding;
    m.linear("model.embed_tokens", "embedding", -1, 1, 4096, 2048, 0, "embedding");
    for (int b = 0; b < 32; ++b) {
        const std::string p = "model.layers." + std::to_string(b);
        m.norm(p + ".input_layernorm", b, 4096, 2048);
        m.linear(p + ".self_attn.q_proj", "q", b, 4096, 4096, 2048);
        m.linear(p + ".self_attn.k_proj", "k", b, 4096, 1024, 2048);
        m.linear(p + ".self_attn.v_proj", "v", b, 4096, 1024, 2048);
        m.attention(p + ".attention", b, 4096, 2048, 2048, "exact");
        m.linear(p + ".self_attn.o_proj", "o", b, 4096, 4096, 2048);
        m.norm(p + ".post_attention_layernorm", b, 4096, 2048);
        m.linear(p + ".mlp.gate_proj", "gate", b, 4096, 14336, 2048);
        m.linear(p + ".mlp.up_proj", "up", b, 4096, 14336, 2048);
        m.activation(p + ".mlp.act", b, 14336, 2048);
        m.linear(p + ".mlp.down_proj", "down", b, 14336, 4096, 2048);
    }
    m.norm("model.norm", -1, 4096, 2048);
    m.linear("lm_head", "head", -1, 4096, 32000, 2048, 0, "head");
    auto report = m.finish(false);
    report->keyValueCacheBytes = 2ull * 32 * 2048 * 1024 * 2;
    report->architecture = "32 blocks, width 4096, 32 heads over 8";
    report->task = "language model";
    return report;
}

/// 2, 2, 6, 2 blocks with merges between the stages.
inline std::shared_ptr<report::ModelCostReport> swin()
{
    ModelSample m("timm-swin", 3136, 1);
    m.linear("patch_embed.proj", "patch", -1, 48, 96, 3136, 0, "patch");
    constexpr int depths[] = {2, 2, 6, 2};
    std::int64_t width = 96, tokens = 3136;
    int block = 0;
    for (int stage = 0; stage < 4; ++stage) {
        for (int i = 0; i < depths[stage]; ++i, ++block)
            vitBlock(m, "layers." + std::to_string(stage) + ".blocks." + std::to_string(i), block, width, tokens, 49, "window", 0);
        if (stage == 3)
            break;
        const std::string merge = "layers." + std::to_string(stage + 1) + ".downsample";
        tokens /= 4;
        m.norm(merge + ".norm", block - 1, 4 * width, tokens);
        m.linear(merge + ".reduction", "merge", block - 1, 4 * width, 2 * width, tokens, 0, "merge");
        width *= 2;
    }
    m.norm("norm", -1, width, tokens);
    m.linear("head", "head", -1, width, 1000, 1, 0, "head");
    auto report = m.finish(false);
    report->architecture = "12 blocks in 4 stages";
    report->task = "image classification";
    return report;
}

/// Inputs of the linear operators of `cost`: a few features far above the others, more so in deeper blocks.
inline std::vector<report::ActivationStatistics> activations(const report::ModelCostReport& cost)
{
    std::vector<report::ActivationStatistics> all;
    for (const auto& l : cost.layers) {
        if (l.form.empty() || l.kind == "attention")
            continue;
        const auto features = static_cast<std::size_t>(l.inputShape.back());
        report::ActivationStatistics s{.name = l.name, .block = l.block, .tokens = 33'408};
        const double depth = 1 + 0.3 * std::max(l.block, 0);
        double energy = 0;
        for (std::size_t i = 0; i < features; ++i) {
            const bool outlier = l.block >= 0 && features > 100 && (i == 7 || i == 87);
            const double wave = 0.6 + 0.4 * std::sin(0.37 * static_cast<double>(i * i % 97));
            s.featureRms.push_back(static_cast<float>(outlier ? 14 * depth : depth * wave));
            energy += s.featureRms.back() * s.featureRms.back();
        }
        s.rms = std::sqrt(energy / static_cast<double>(features));
        s.meanAbsolute = 0.7 * s.rms;
        s.maximum = 9 * s.rms * depth;
        s.kurtosis = 3 + 6 * (depth - 1) * (depth - 1);
        s.outlierShare = 0.0004 * depth;
        s.topFeatureShare = 0.12 * depth;
        s.effectiveRank = 0.4 * static_cast<double>(features) / depth;
        all.push_back(std::move(s));
    }
    return all;
}

inline std::vector<std::string> classNames()
{
    return {"goldfish", "salamander", "bullfrog", "tailed frog", "alligator", "boa", "trilobite", "scorpion", "black widow", "tarantula",
            "centipede", "goose", "koala", "jellyfish", "brain coral", "snail", "slug", "sea slug", "lobster", "spiny lobster"};
}

/// `photos` pictures in 20 classes; each third is wrong, with a plan each fourth changes its first class.
inline std::vector<report::Prediction> predictions(int photos, bool compressed)
{
    std::vector<report::Prediction> all;
    for (int i = 0; i < photos; ++i) {
        const int first = (7 * i) % 20;
        report::Prediction p{.sample = "photo_" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".png"};
        p.label = i % 3 == 2 ? (first + 1) % 20 : first;
        const double top = 0.45 + 0.5 * ((i * 37) % 20) / 20.0;
        double left = 1 - top;
        p.classes = {first};
        p.probabilities = {static_cast<float>(top)};
        for (int k = 1; k < 5; ++k) {
            p.classes.push_back((first + k) % 20);
            p.probabilities.push_back(static_cast<float>(left * 0.6));
            left *= 0.4;
        }
        if (compressed) {
            p.compressedClasses = p.classes;
            p.compressedProbabilities = p.probabilities;
            if (i % 4 == 3) {
                std::swap(p.compressedClasses[0], p.compressedClasses[1]);
                p.compressedProbabilities[0] = static_cast<float>(0.5 * top + 0.1);
            }
        }
        all.push_back(std::move(p));
    }
    return all;
}

/// What vit20 still does at half its parameters; without a plan only the dense model's quality.
inline std::shared_ptr<report::EvaluationReport> evaluation(bool compressed)
{
    auto r = std::make_shared<report::EvaluationReport>();
    r->model = "vit20";
    r->inputs = "1,000 photos of 20 classes";
    r->quality = {.top1 = {0.713, 0.021}, .top5 = {0.942, 0.011}, .perplexity = {}, .bitsPerByte = {}, .samples = 1000, .correct = 713};
    r->baselineQuality = r->quality;
    r->batches = 32;
    r->seconds = 3.2;
    r->cost = r->baselineCost = {.parameters = 1'230'000, .bytes = 4'920'000, .macs = 1'180'000, .latencyMs = 1.92};
    r->classNames = classNames();
    r->predictions = predictions(20, compressed);
    if (!compressed)
        return r;
    r->plan = "whitened, keep 60 %";
    r->quality.top1 = {0.684, 0.026};
    r->quality.top5 = {0.931, 0.013};
    r->cost = {.parameters = 760'000, .bytes = 3'040'000, .macs = 720'000, .latencyMs = 1.31};
    r->seconds = 5.6;
    r->fidelity = {.agreement = {0.871, 0.018}, .kl = {0.114, 0.012}, .logitCosine = {0.982, 0.004}};
    for (int b = 0; b < 6; ++b) {
        r->layers.push_back({.block = b, .relativeError = 0.06 * std::sqrt(b + 1.0), .cosine = 1 - 0.002 * (b + 1), .ownError = 0.06 - 0.004 * b});
        for (int h = 0; h < 4; ++h)
            r->heads.push_back({.block = b, .head = h, .mapError = 0.02 + 0.01 * b + 0.05 * ((3 * b + h) % 4 == 0)});
    }
    return r;
}

} // namespace tamis::sample

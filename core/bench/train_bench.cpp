// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/bench.h"
#include "core/bench/torch_child.h"
#include "core/cost/ceilings.h"
#include "core/train/loss_ops.h"
#include "core/train/optimiser.h"
#include "core/train/vit_on_tape.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <sstream>

namespace tamis::bench {
namespace {
using train::Tape;
using train::VitOnTape;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kBatch = 32;
constexpr int kRounds = 6; // half of them before the peer, half after it

double median(std::vector<double> values)
{
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

/// The images that scripts/bench_torch_train.py draws: Knuth's multiplicative hash of the position, in [-0.5, 0.5).
std::vector<float> images(std::int64_t count)
{
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::uint32_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((i * 2654435761U) >> 8U) / 16777216.0F - 0.5F;
    return values;
}

/// What a step cannot do without. FLOP: three products a linear layer (two of them backward), two and five an attention
/// head (its probabilities are computed twice). Bytes: every activation written once and read twice, every gradient
/// written and read once, weights and moments left aside: they are a hundredth of it.
struct Bound {
    double flop = 0, bytes = 0;
};
Bound boundOf(const train::VitShape& s)
{
    const auto d = static_cast<double>(s.width), h = static_cast<double>(s.hidden), n = static_cast<double>(s.tokens());
    const double tokens = static_cast<double>(kBatch) * n, patchTokens = static_cast<double>(kBatch * s.patches()), depth = static_cast<double>(s.depth);
    const double linear = 6 * (tokens * depth * (4 * d * d + 2 * d * h) + patchTokens * static_cast<double>(s.patchValues()) * d);
    const double attention = 14 * tokens * n * d * depth;
    const double activations = 8 * d + 2 * h, gradients = 8 * d + h; // floats a token and block
    return {linear + attention, 4 * tokens * depth * (3 * activations + 2 * gradients)};
}

class Step {
public:
    Step(const std::filesystem::path& model, const RunContext& context)
        : m_model(VitOnTape<float>::load(*io::Checkpoint::open(model, context), context)), m_optimiser(m_model.parameters(), {}), m_tape(context)
    {
        const auto values = m_model.shape().imageValues();
        const std::vector<float> all = images(kBatch * values);
        m_rows.resize(all.size());
        for (std::int64_t i = 0; i < kBatch; ++i)
            m_model.cutPatches(std::span(all).subspan(static_cast<std::size_t>(i * values), static_cast<std::size_t>(values)), m_rows.data() + i * values);
        for (std::int64_t i = 0; i < kBatch; ++i)
            m_labels.push_back(static_cast<std::int32_t>(i % m_model.shape().classes));
    }
    const train::VitShape& shape() const { return m_model.shape(); }
    double firstLoss() const { return m_firstLoss; }

    double seconds()
    {
        const auto start = std::chrono::steady_clock::now();
        m_tape.reset();
        m_model.parameters().zeroGradients();
        const auto width = m_model.shape().patchValues();
        const auto rows = m_tape.constant({m_rows.data(), static_cast<std::int64_t>(m_rows.size()) / width, width, width});
        const auto loss = train::crossEntropy<float>(m_model.logits(m_tape, rows, kBatch), m_labels);
        m_tape.backward(loss);
        m_optimiser.step(1e-4, m_tape.context());
        if (std::isnan(m_firstLoss))
            m_firstLoss = static_cast<double>(m_tape.scalar(loss));
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }

private:
    VitOnTape<float> m_model;
    train::Optimiser<float> m_optimiser;
    Tape<float> m_tape;
    std::vector<float> m_rows;
    std::vector<std::int32_t> m_labels;
    double m_firstLoss = kNone;
};

struct Peer {
    double seconds = kNone, loss = kNone;
    std::string name, whyNot;
};

Peer measurePeer(const std::filesystem::path& model, std::int64_t heads, const RunContext& context)
{
    Peer peer;
    const auto weights = std::filesystem::is_directory(model) ? model / "model.safetensors" : model;
    const auto text = runTorch(torchScript("bench_torch_train.py"), {weights.string(), std::to_string(kBatch), std::to_string(heads), std::to_string(kRounds)},
                               context, peer.whyNot);
    if (!text)
        return peer;
    std::vector<double> rounds;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        const auto record = nlohmann::json::parse(line, nullptr, false);
        if (!record.is_object())
            throw Error(ErrorCode::MalformedFile, "the script printed \"" + line.substr(0, 80) + "\", expected one JSON object a line", "bench_torch_train.py");
        if (record.contains("torch"))
            peer.name = "PyTorch " + record.value("torch", std::string()) + ", " + std::to_string(record.value("threads", 0)) + " threads";
        if (record.contains("seconds"))
            rounds.push_back(record.value("seconds", kNone));
        peer.loss = record.value("loss", peer.loss);
    }
    if (rounds.empty() || std::isnan(peer.loss))
        throw Error(ErrorCode::MalformedFile, "the script printed no measurement, expected seconds and a loss", "bench_torch_train.py");
    peer.seconds = median(rounds);
    return peer;
}
} // namespace

std::vector<BenchResult> benchTrain(const RunContext& context, const std::filesystem::path& model)
{
    context.setParts(1);
    const report::Ceilings ceilings = cost::machineCeilings(context);
    Step step(model, context);
    std::vector<double> rounds;
    const auto measure = [&](int count) {
        for (int round = 0; round < count; ++round)
            rounds.push_back(step.seconds());
    };
    for (int round = 0; round < 2; ++round) // memory is found and laid out anew in the first two
        (void)step.seconds();
    measure(kRounds / 2);
    context.setFraction(0.3);
    const Peer peer = measurePeer(model, step.shape().heads, context);
    context.setFraction(0.8);
    measure(kRounds / 2);
    if (std::abs(step.firstLoss() - peer.loss) > 1e-4 * std::abs(peer.loss))
        throw Error(ErrorCode::InvalidParameter, "the first loss is " + std::to_string(step.firstLoss()) + ", PyTorch's " + std::to_string(peer.loss), "bench train");
    const Bound bound = boundOf(step.shape());
    const double compute = bound.flop / (ceilings.gflops * 1e9), traffic = bound.bytes / (ceilings.gigabytesPerSecond * 1e9);
    char text[300];
    std::snprintf(text, sizeof text, "%.1f GFLOP at the measured %.0f GFLOP/s: %.3f s; %.2f GB at %.1f GB/s: %.3f s; the larger of the two", bound.flop / 1e9,
                  ceilings.gflops, compute, bound.bytes / 1e9, ceilings.gigabytesPerSecond, traffic);
    BenchResult result;
    result.name = "training step, batch " + std::to_string(kBatch);
    result.oursSeconds = median(rounds);
    result.peerSeconds = peer.seconds;
    result.peerName = peer.name;
    result.ratio = peer.seconds / result.oursSeconds;
    result.unit = "s a step";
    result.bound = text;
    result.boundFraction = std::max(compute, traffic) / result.oursSeconds;
    result.note = peer.whyNot.empty() ? "first losses " + std::to_string(step.firstLoss()) + " and " + std::to_string(peer.loss) : "PyTorch is left out: " + peer.whyNot;
    context.finish();
    return {result};
}

} // namespace tamis::bench

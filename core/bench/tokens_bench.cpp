// SPDX-License-Identifier: GPL-3.0-or-later
// Choosing tokens, counted for ViT-B/16 (N = 197, d = 768, 12 heads of 64): reading the keys and adding them up over the heads, N d = 151 k
// additions and 605 KB from cache; normalising N rows of 64; A B^T, 99 x 98 x 64 = 621 k multiply-adds; 9.7 k comparisons; sorting 99 edges; moving
// N - r rows of 3 KB there and back, 2.3 MB. Together under 2 MFLOP against 1.3 GMAC of the block: what bounds it is the 3 MB that go through
// the second-level cache, some 0.1 ms at 30 GB/s against 12 to 24 ms.
#include "core/bench/tokens_bench.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/torch_child.h"
#include "core/io/model_config.h"
#include "core/nn/model.h"
#include "core/nn/tensor_source.h"
#include "core/tokens/method.h"
#include "core/tokens/reduced_forward.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <locale>
#include <sstream>

namespace tamis::bench {
namespace {
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::shared_ptr<const nn::Model> randomModel(const TokensBenchInputs& in)
{
    if (in.patch < 1 || in.image % in.patch != 0 || in.heads < 1 || in.width % in.heads != 0 || in.batch < 1 || in.rounds < 1 || in.merged < 0)
        throw Error(ErrorCode::InvalidParameter, "found an image of " + std::to_string(in.image) + " in patches of " + std::to_string(in.patch) + " and a width of " + std::to_string(in.width) + " in " +
                                                     std::to_string(in.heads) + " heads, expected sides that divide");
    const nlohmann::json config{{"architecture", "vit_bench"}, {"num_classes", 1000}, {"embed_dim", in.width}, {"depth", in.depth}, {"num_heads", in.heads}, {"mlp_ratio", 4},
                                {"patch_size", in.patch}, {"image_size", {in.image, in.image}}, {"in_chans", 3}, {"layer_norm_eps", 1e-6}, {"hidden_act", "gelu"}, {"qkv_bias", true},
                                {"class_token", true}, {"global_pool", "token"}};
    return nn::Model::load(io::parseModelConfig(config.dump(), "bench"), nn::RandomSource::timmVit(1));
}

template <class Function> double secondsOf(Function&& function)
{
    const auto start = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Best times of each, in turn, so that both see the same machine.
struct Ours {
    double whole = std::numeric_limits<double>::infinity(), reduced = whole, choosing = whole; ///< seconds; choosing: of one image in one block
};

Ours timeOurs(const nn::Model& model, const tokens::Chain& chain, std::span<const nn::Sample> samples, int rounds, const RunContext& context)
{
    nn::ForwardPass whole(model);
    tokens::ReducedPass reduced(model, chain);
    std::vector<tokens::Trace> traces;
    Ours best;
    for (int round = -1; round < rounds; ++round) { // the first takes the memory
        const double first = secondsOf([&] { whole.run(samples, context); }), second = secondsOf([&] { reduced.run(samples, context); });
        reduced.run(samples, context, &traces);
        context.setFraction(static_cast<double>(round + 2) / (rounds + 1));
        if (round < 0)
            continue;
        best.whole = std::min(best.whole, first);
        best.reduced = std::min(best.reduced, second);
        double choosing = 0;
        for (const tokens::Trace& trace : traces)
            choosing += 1e-3 * trace.reductionMs / static_cast<double>(traces.size() * std::max<std::size_t>(1, chain.steps.size()));
        best.choosing = std::min(best.choosing, choosing);
    }
    return best;
}

struct Torch {
    double whole = kNothing, reduced = kNothing;
    std::string name;
};

/// One way of PyTorch for both: the faster one of the whole model.
Torch timeTorch(const TokensBenchInputs& in, const RunContext& context)
{
    std::string whyNot;
    std::vector<std::string> arguments;
    for (const std::int64_t number : {in.width, in.depth, in.heads, in.patch, in.image, in.batch, in.merged, static_cast<std::int64_t>(in.rounds)})
        arguments.push_back(std::to_string(number));
    const auto output = runTorch(torchScript("bench_torch_tokens.py"), arguments, context, whyNot);
    if (!output)
        return {kNothing, kNothing, "none: " + whyNot};
    Torch best;
    std::istringstream lines(*output);
    for (std::string line; std::getline(lines, line);) {
        const auto entry = nlohmann::json::parse(line, nullptr, false);
        if (!entry.is_object() || !entry.contains("whole") || !entry["whole"].is_number() || !entry.contains("reduced") || !entry["reduced"].is_number())
            continue;
        if (const double reduced = entry["reduced"].get<double>(); !(best.reduced <= reduced))
            best = {entry["whole"].get<double>(), reduced, "PyTorch, " + entry.value("way", "") + ", " + std::to_string(threadCount()) + " threads"};
    }
    return best;
}

std::string fixedText(double value, int digits)
{
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text.setf(std::ios::fixed);
    text.precision(digits);
    text << value;
    return text.str();
}

BenchResult entry(const std::string& name, double ours, double peer, const std::string& peerName)
{
    BenchResult r;
    r.name = name;
    r.oursSeconds = ours;
    r.peerSeconds = peer;
    r.peerName = peerName;
    r.ratio = peer / ours;
    r.unit = "s";
    r.boundFraction = kNothing;
    return r;
}
} // namespace

std::vector<BenchResult> benchTokens(const RunContext& context, const TokensBenchInputs& in)
{
    context.setParts(3);
    const auto model = randomModel(in);
    std::vector<std::vector<float>> images(static_cast<std::size_t>(in.batch), std::vector<float>(static_cast<std::size_t>(3 * in.image * in.image)));
    std::vector<nn::Sample> samples;
    for (std::size_t image = 0; image < images.size(); ++image) {
        for (std::size_t i = 0; i < images[image].size(); ++i)
            images[image][i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i) + static_cast<double>(image) + 1e-5 * static_cast<double>(i) * static_cast<double>(i % 1009)));
        samples.push_back({images[image], {}, {}});
    }
    const tokens::Method& tome = *tokens::findMethod("tokens.tome");
    Parameters parameters = tome.declaration.schema.defaults();
    parameters.set("r", in.merged);
    const tokens::Chain chain = tome.chain({model, nullptr, nullptr}, parameters, context);
    Ours ours = timeOurs(*model, chain, samples, in.rounds, context.part(1, "ours"));
    const Torch torch = timeTorch(in, context.part(1, "PyTorch"));
    const Ours again = timeOurs(*model, chain, samples, in.rounds, context.part(1, "ours again")); // once before and once after the peer: the machine is shared
    ours = {std::min(ours.whole, again.whole), std::min(ours.reduced, again.reduced), std::min(ours.choosing, again.choosing)};
    std::vector<tokens::Trace> traces;
    tokens::runReducedBatch(*model, chain, {samples.data(), 1}, context, &traces);
    const double promised = static_cast<double>(tokens::modelMacs(model->spec(), tokens::wholeTokens(model->spec()))) / static_cast<double>(tokens::modelMacs(model->spec(), traces[0].tokens()));
    const double speedUp = ours.whole / ours.reduced;
    const std::string shape = "ViT, width " + std::to_string(in.width) + ", " + std::to_string(model->spec().tokens(0)) + " tokens, batch " + std::to_string(in.batch);
    std::vector<BenchResult> results{entry(shape + ", whole", ours.whole, torch.whole, torch.name),
                                     entry("ToMe, r = " + std::to_string(in.merged), ours.reduced, torch.reduced, torch.name),
                                     entry("choosing tokens, one image, one block", ours.choosing, kNothing, {})};
    results[1].bound = "the whole model's time over the " + fixedText(promised, 3) + " that the MACs promise";
    results[1].boundFraction = speedUp / promised;
    results[1].note = "speed-up " + fixedText(speedUp, 3) + ", promised " + fixedText(promised, 3) + ": " + fixedText(100 * speedUp / promised, 1) + " % kept";
    if (std::isfinite(torch.reduced))
        results[1].note += "; PyTorch's own speed-up " + fixedText(torch.whole / torch.reduced, 3);
    const int atOnce = samples.size() < static_cast<std::size_t>(threadCount()) ? 1 : threadCount();
    const double block = ours.whole * atOnce / static_cast<double>(in.batch * in.depth); // of one image, on the threads that one image has
    results[2].note = fixedText(100 * ours.choosing / block, 2) + " % of a block of the whole model (" + fixedText(1e3 * block, 2) + " ms); rows moved included";
    return results;
}

} // namespace tamis::bench

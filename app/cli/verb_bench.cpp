// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/bundled/bundled.h"
#include "app/cli/console.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "app/samples/frame_folder.h"
#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/addressing_bench.h"
#include "core/bench/attention_bench.h"
#include "core/bench/bench.h"
#include "core/bench/cache_bench.h"
#include "core/bench/encoder_bench.h"
#include "core/bench/encoder_recall_bench.h"
#include "core/bench/lowrank_bench.h"
#include "core/bench/native_sparse_bench.h"
#include "core/bench/reuse_bench.h"
#include "core/bench/tokens_bench.h"
#include "core/io/checkpoint.h"
#include "core/nn/model.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

std::string processorName()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name"))
            if (const auto colon = line.find(": "); colon != std::string::npos)
                return line.substr(colon + 2);
    return "unknown";
}

ordered_json machineJson()
{
    return {{"cpu", processorName()}, {"cores", std::thread::hardware_concurrency()}, {"blas", blasCoreName()},
            {"threads", threadCount()}};
}

ordered_json orNull(double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); }

/// The bundled model is measured where it is at hand; a bench of the kernels does not need it.
bench::SpectrumBenchInputs spectrumInputs(const RunContext& context)
{
    try {
        return {app::bundledModel(), app::bundledCalibration()};
    } catch (const Error& error) {
        context.warn(std::string("the bundled model is left out: ") + error.what());
        return {};
    }
}

/// What one bench lets one choose.
struct Settings {
    std::string name;
    std::int64_t layers = 4, width = 4096, hidden = 11008;
    std::string directory;
    std::int64_t size = 4096;
    std::int64_t latents = 131072;
    std::int64_t batch = 8, merged = 13;
    std::int64_t stream = 0;
};

/// The bundled language model, or nothing (and a warning) where it is not at hand.
std::filesystem::path bundledLanguageModel(const RunContext& context)
{
    try {
        return app::bundledDatasets() / "tinylm";
    } catch (const Error& error) {
        context.warn(std::string("the bundled model is left out: ") + error.what());
        return {};
    }
}

/// A bench by its name. Without a name all run, in this order, but those that take minutes and gigabytes.
struct NamedBench {
    std::string_view name;
    std::vector<bench::BenchResult> (*run)(const RunContext& context, const Settings& settings);
    bool onlyByName = false;
};

std::vector<bench::BenchResult> shards(const RunContext& context, const Settings& settings)
{
    return bench::benchShards(context, {.layers = static_cast<int>(settings.layers), .width = settings.width, .hidden = settings.hidden, .directory = settings.directory});
}

/// The bundled autoencoders with their tokens, or nothing (and a warning) where they are not at hand.
std::vector<bench::BundledAutoencoder> bundledAutoencoders(const RunContext& context)
{
    std::vector<bench::BundledAutoencoder> all;
    try {
        const auto directory = app::bundledDatasets() / "sae";
        for (const char* model : {"vit20", "tinylm"})
            for (const char* k : {"k16", "k32"}) {
                const auto folder = directory / (std::string(model) + ".block3." + k);
                const auto path = std::filesystem::exists(folder / "saelens") ? folder / "saelens" : folder / "sparsify";
                all.push_back({std::string(model) + " " + k, path, directory / (std::string(model) + ".block3.heldout.npy")});
            }
    } catch (const Error& error) {
        context.warn(std::string("the bundled autoencoders are left out: ") + error.what());
    }
    return all;
}

std::vector<bench::BenchResult> encoders(const RunContext& context, const Settings& settings)
{
    bench::EncoderBenchInputs inputs;
    for (bench::EncoderBenchShape& shape : inputs.shapes)
        shape.latents = std::min(shape.latents, settings.latents);
    context.setParts(4);
    auto results = bench::benchEncoder(context.part(3, "speed"), inputs);
    bench::EncoderRecallInputs recall;
    recall.autoencoders = bundledAutoencoders(context);
    recall.synthetic.latents = std::min(recall.synthetic.latents, settings.latents);
    for (auto& each : bench::benchEncoderRecall(context.part(1, "recall"), recall))
        results.push_back(std::move(each));
    return results;
}

std::vector<bench::BenchResult> attention(const RunContext& context, const Settings&)
{
    context.setParts(2);
    auto results = bench::benchAttention(context.part(1, "exact and in bytes"));
    for (auto& each : bench::benchNativeSparse(context.part(1, "native sparse decoding")))
        results.push_back(std::move(each));
    return results;
}

/// The bundled frames; the search for blocks alone (and a warning) where they are not at hand.
std::vector<bench::BenchResult> reuseBetweenFrames(const RunContext& context, const Settings&)
{
    bench::ReuseBenchInputs inputs;
    try {
        const auto path = app::bundledModel();
        inputs.model = nn::Model::load(*io::Checkpoint::open(path));
        inputs.sequence = app::openFrames({.folder = app::bundledDatasets() / "motion"}, path, *inputs.model, {});
    } catch (const Error& error) {
        context.warn(std::string("the bundled frames are left out: ") + error.what());
        inputs.sequence.reset();
    }
    return bench::benchReuse(context, inputs);
}

const std::vector<NamedBench>& benches()
{
    static const std::vector<NamedBench> all{
        {"spectrum", [](const RunContext& context, const Settings&) { return bench::benchSpectrum(context, spectrumInputs(context)); }},
        {"forward", [](const RunContext& context, const Settings&) { return bench::benchForward(context); }},
        {"train", [](const RunContext& context, const Settings&) { return bench::benchTrain(context, app::bundledModel()); }},
        {"lowrank", [](const RunContext& context, const Settings& settings) { return bench::benchLowRank(context, {settings.size, bundledLanguageModel(context)}); }},
        {"tokens", [](const RunContext& context, const Settings& settings) { return bench::benchTokens(context, {.batch = settings.batch, .merged = settings.merged}); }},
        {"reuse", reuseBetweenFrames, true},
        {"addressing", [](const RunContext& context, const Settings& settings) { return bench::benchAddressing(context, {.directory = settings.directory}); }, true},
        {"cache", [](const RunContext& context, const Settings& settings) {
             return bench::benchCache(context, {.streamed = static_cast<std::size_t>(settings.stream), .streamAlone = settings.stream > 0, .directory = settings.directory});
         }, true},
        {"encoder", encoders, true},
        {"attention", attention, true},
        {"lowrank-7b", shards, true}};
    return all;
}

std::string benchNames(std::string_view lastSeparator)
{
    std::string names;
    for (const auto& bench : benches())
        names += (names.empty() ? "" : &bench == &benches().back() ? std::string(lastSeparator) : ", ") + std::string(bench.name);
    return names;
}

std::vector<bench::BenchResult> measure(const RunContext& context, const Settings& settings)
{
    std::vector<bench::BenchResult> results;
    for (const auto& bench : benches())
        if (settings.name.empty() ? !bench.onlyByName : settings.name == bench.name) {
            const auto own = bench.run(context.part(1, bench.name), settings);
            results.insert(results.end(), own.begin(), own.end());
        }
    if (results.empty())
        throw UsageError("bench: found '" + settings.name + "', expected " + benchNames(" or "));
    return results;
}

void run(Console& console, const Settings& settings)
{
    const auto all = std::ranges::count(benches(), false, &NamedBench::onlyByName);
    console.context().setParts(settings.name.empty() ? static_cast<double>(all) : 1.0);
    const auto results = measure(console.context(), settings);
    ordered_json document{{"schema", "tamis.bench/1"}, {"machine", machineJson()}, {"results", ordered_json::array()}};
    Table table({"measurement", "ours", "peer", "ratio", "unit", "of bound"});
    std::string notes;
    for (const auto& result : results) {
        document["results"].push_back({{"name", result.name},
                                       {"ours", result.oursSeconds},
                                       {"peer", orNull(result.peerSeconds)},
                                       {"peerName", result.peerName},
                                       {"ratio", orNull(result.ratio)},
                                       {"unit", result.unit},
                                       {"bound", result.bound},
                                       {"boundFraction", orNull(result.boundFraction)},
                                       {"note", result.note}});
        table.add({result.name, significant(result.oursSeconds), significant(result.peerSeconds), significant(result.ratio, 3),
                   result.unit, percent(result.boundFraction, 0)});
        notes += result.name + ": " + (result.peerName.empty() ? "no peer" : "peer " + result.peerName) +
                 (result.bound.empty() ? "" : "; bound " + result.bound) + (result.note.empty() ? "" : "; " + result.note) + "\n";
    }
    const auto& machine = document["machine"];
    console.print(machine["cpu"].get<std::string>() + ", " + std::to_string(threadCount()) + " threads, OpenBLAS " + blasCoreName() +
                  "\n\n" + table.text() + "\n" + notes);
    console.finish(std::move(document));
}
} // namespace

Verb verbBench()
{
    const auto settings = std::make_shared<Settings>();
    return {"bench", "Measure this machine: ours against its peers, in one run",
            "  tamis-cli bench\n"
            "  tamis-cli bench train\n"
            "  tamis-cli bench spectrum --json bench.json\n"
            "  tamis-cli bench lowrank --size 1024\n"
            "  tamis-cli bench tokens --merged 16\n"
            "  tamis-cli bench attention\n"
            "  tamis-cli bench encoder --latents 8192\n"
            "  tamis-cli bench reuse\n"
            "  tamis-cli bench addressing\n"
            "  tamis-cli bench cache\n"
            "  tamis-cli bench cache --stream 100000000\n"
            "  tamis-cli bench lowrank-7b --layers 1 --width 1024 --hidden 2816",
            [settings](OptionSet& set) {
                set.positional("NAME", settings->name, "Which bench (" + benchNames(", ") + "); without it all but reuse, addressing, cache, encoder, attention and lowrank-7b, which take minutes, gigabytes or the disk", false);
                set.integer("--size", settings->size, 64, 8192, "lowrank: side of the matrix that is decomposed and of the largest operator");
                set.integer("--latents", settings->latents, 1024, 131072, "encoder: latents of a dictionary at most (131072 and 65536 without it)");
                set.integer("--batch", settings->batch, 1, 1024, "tokens: images a pass (8)");
                set.integer("--merged", settings->merged, 0, 1024, "tokens: r of the merging schedule (13)");
                set.integer("--layers", settings->layers, 1, 1000, "lowrank-7b: layers of the random model");
                set.integer("--width", settings->width, 16, 65536, "lowrank-7b: features of its residual stream");
                set.integer("--hidden", settings->hidden, 16, 65536, "lowrank-7b: features between up and down");
                set.integer("--stream", settings->stream, 0, 10'000'000'000, "cache: only a file of so many requests, 8 bytes each, that is streamed, with the memory that it takes (0: the whole bench)");
                set.text("--directory", settings->directory, "DIR", "lowrank-7b, addressing, cache: where files are written and removed again (9 GB at full size; 0.3 GB; 0.8 GB, 0.08 GB without it)");
            },
            [settings](Console& console) { run(console, *settings); }};
}

} // namespace tamis::cli

// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/bundled/bundled.h"
#include "app/cli/console.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/bench.h"

#include <nlohmann/json.hpp>

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

/// A bench by its name. Without a name all run, in this order.
struct NamedBench {
    std::string_view name;
    std::vector<bench::BenchResult> (*run)(const RunContext& context);
};
const std::vector<NamedBench>& benches()
{
    static const std::vector<NamedBench> all{
        {"spectrum", [](const RunContext& context) { return bench::benchSpectrum(context, spectrumInputs(context)); }},
        {"forward", bench::benchForward},
        {"train", [](const RunContext& context) { return bench::benchTrain(context, app::bundledModel()); }}};
    return all;
}

std::string benchNames(std::string_view lastSeparator)
{
    std::string names;
    for (const auto& bench : benches())
        names += (names.empty() ? "" : &bench == &benches().back() ? std::string(lastSeparator) : ", ") + std::string(bench.name);
    return names;
}

std::vector<bench::BenchResult> measure(const RunContext& context, const std::string& name)
{
    std::vector<bench::BenchResult> results;
    for (const auto& bench : benches())
        if (name.empty() || name == bench.name) {
            const auto own = bench.run(context.part(1, bench.name));
            results.insert(results.end(), own.begin(), own.end());
        }
    if (results.empty())
        throw UsageError("bench: found '" + name + "', expected " + benchNames(" or "));
    return results;
}

void run(Console& console, const std::string& name)
{
    console.context().setParts(name.empty() ? static_cast<double>(benches().size()) : 1.0);
    const auto results = measure(console.context(), name);
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
    const auto name = std::make_shared<std::string>();
    return {"bench", "Measure this machine: ours against its peers, in one run",
            "  tamis-cli bench\n"
            "  tamis-cli bench train\n"
            "  tamis-cli bench spectrum --json bench.json",
            [name](OptionSet& set) { set.positional("NAME", *name, "Which bench (" + benchNames(", ") + "); all without it", false); },
            [name](Console& console) { run(console, *name); }};
}

} // namespace tamis::cli

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/bench/bench.h"
#include "core/bench/random_llama.h"
#include "core/lowrank/shard_run.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <random>

namespace tamis::bench {
namespace {

/// Most memory that this process has had resident so far, mapped files included (VmHWM); NaN where the system does not say.
double peakGibibytes()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:"))
            return std::stod(line.substr(6)) / (1 << 20); // kB
    return std::numeric_limits<double>::quiet_NaN();
}

std::string inWords(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

/// A directory of this process's own, removed in the end.
class Workplace {
public:
    explicit Workplace(const std::filesystem::path& parent)
    {
        const auto base = parent.empty() ? std::filesystem::temp_directory_path() : parent;
        m_path = base / ("tamis-shard-bench-" + std::to_string(std::random_device{}()));
        if (!std::filesystem::create_directories(m_path))
            throw Error(ErrorCode::IoFailure, "is there already", m_path.string());
    }
    ~Workplace()
    {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }
    Workplace(const Workplace&) = delete;
    Workplace& operator=(const Workplace&) = delete;
    const std::filesystem::path& path() const noexcept { return m_path; }

private:
    std::filesystem::path m_path;
};

struct Timed {
    std::vector<double> layers; ///< seconds from the first matrix to the end of each layer
    double whole = 0;           ///< hashing and assembling included
    double relativeLoss = 0;
};

Timed timed(const RandomLlama& shape, double keep, const std::filesystem::path& directory, const RunContext& context)
{
    writeRandomLlama(shape, directory / "model", context.part(1, "writing weights"));
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(directory / "model");
    writeRandomCovariances(shape, inputs.checkpoint->sha256(context), directory / "calibration.h5", context.part(1, "writing statistics"));
    inputs.calibration = io::CalibrationSet::open(directory / "calibration.h5");
    lowrank::ShardRunOptions options{.out = directory / "out", .budget = {}};
    options.budget.keep = keep;
    options.budget.allocation = plan::Allocation::Uniform;
    Timed result;
    double sum = 0;
    const auto report = lowrank::compressShards(inputs, options, context.part(20, "compressing"), [&](const lowrank::ShardMatrix& done) {
        sum += done.seconds;
        const auto layer = static_cast<std::size_t>(done.matrix.layer);
        result.layers.resize(std::max(result.layers.size(), layer + 1), 0.0);
        result.layers[layer] = sum;
    });
    result.whole = report.seconds;
    result.relativeLoss = report.report.relativeLoss();
    std::filesystem::remove_all(directory);
    return result;
}

BenchResult figure(const std::string& name, double seconds, const std::string& note)
{
    BenchResult result;
    result.name = name;
    result.oursSeconds = seconds;
    result.peerSeconds = result.ratio = result.boundFraction = std::numeric_limits<double>::quiet_NaN();
    result.unit = "s";
    result.note = note;
    return result;
}
} // namespace

std::vector<BenchResult> benchShards(const RunContext& context, const ShardBenchInputs& inputs)
{
    context.setParts(inputs.layers + 2.0);
    const Workplace workplace(inputs.directory);
    RandomLlama shape{.layers = inputs.layers, .width = inputs.width, .hidden = inputs.hidden, .matricesPerShard = 2};
    const std::string what = "7 matrices a layer of " + std::to_string(shape.width) + " and " + std::to_string(shape.hidden) + " features, float16, keep " + inWords(inputs.keep);
    const Timed all = timed(shape, inputs.keep, workplace.path() / "layers", context.part(inputs.layers, "all layers"));
    std::vector<BenchResult> results;
    for (std::size_t count = 1; count <= all.layers.size(); count *= 2)
        results.push_back(figure("compress-" + std::to_string(count) + (count == 1 ? "-layer" : "-layers"), all.layers[count - 1],
                                 what + ", 2 matrices a shard: " + inWords(all.layers[count - 1] / static_cast<double>(count)) + " s a layer"));
    results.back().note += "; whole run with hashing and assembling " + inWords(all.whole) + " s, mean relative loss " + inWords(all.relativeLoss);
    shape.layers = 1;
    for (const int size : {1, 7}) {
        shape.matricesPerShard = size;
        const Timed one = timed(shape, inputs.keep, workplace.path() / "shards", context.part(1, "shard sizes"));
        results.push_back(figure("compress-1-layer-in-" + std::to_string(7 / size) + (size == 7 ? "-shard" : "-shards"), one.layers[0], what));
    }
    results.back().note += "; peak resident memory of all runs " + inWords(peakGibibytes()) + " GiB, mapped weights and the writing of statistics included";
    return results;
}

} // namespace tamis::bench

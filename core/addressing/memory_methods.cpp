// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/memory_methods.h"

#include "core/addressing/key_memory.h"
#include "core/addressing/mlp_rows.h"
#include "core/addressing/read_costs.h"
#include "core/addressing/reuse.h"
#include "core/addressing/routing_report.h"
#include "core/base/error.h"
#include "core/linalg/k_means.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace tamis::addressing {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr const char* kProductId = "addressing.product-key";
constexpr const char* kMixtureId = "addressing.mixture";

/// Rows of one block, what is fitted to and what is held out.
struct Rows {
    MlpSamples calibration, heldOut;
};

Rows rowsFrom(const Inputs& inputs, const Parameters& parameters, const char* id, const RunContext& context)
{
    if (!inputs.model || !inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "needs a model and samples, found none", id);
    if (!inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs tokens to fit to, found none", "calibration");
    const auto block = static_cast<int>(parameters.integer("block"));
    const auto rows = static_cast<std::size_t>(parameters.integer("rows"));
    context.setParts(2);
    Rows all{collectMlpRows(*inputs.model, *inputs.calibration, block, rows, context.part(1, "calibration rows")), collectMlpRows(*inputs.model, *inputs.samples, block, rows, context.part(1, "held-out rows"))};
    return all;
}

MatrixView<const float> columns(const Matrix<float>& rows, std::int64_t first, std::int64_t count) { return {rows.data() + first, rows.rows(), count, rows.cols()}; }

/// Mean over the rows of the squared distance to the nearest key, before the last update of k-means: the unit of temperatures.
double meanDistance(const linalg::KMeans& means, std::int64_t rows) { return means.errors.empty() ? 1 : std::max(means.errors.back() / static_cast<double>(rows), 1e-30); }

ValueFit valueFit(const Parameters& parameters) { return parameters.text("values") == "means" ? ValueFit::Means : ValueFit::LeastSquares; }

/// A memory with what it reads.
struct Measured {
    KeyMemory memory;
    std::vector<Reads> calibration, heldOut;
};

Measured measured(AddresserPtr addresser, const Rows& rows, const Parameters& parameters, const RunContext& context)
{
    auto calibration = addressAll(*addresser, rows.calibration.input.view(), context);
    auto heldOut = addressAll(*addresser, rows.heldOut.input.view(), context);
    KeyMemory memory(std::move(addresser), calibration, rows.calibration.output.view(), valueFit(parameters), parameters.real("ridge"), context);
    return {std::move(memory), std::move(calibration), std::move(heldOut)};
}

report::MemoryQuality qualityOf(const std::string& name, const Measured& of, const Rows& rows, tensor::DType type, const RunContext& context)
{
    double chosen = 0;
    for (const Reads& reads : of.heldOut)
        chosen += static_cast<double>(reads.cells.size());
    const double bytes = chosen / static_cast<double>(of.heldOut.size()) * static_cast<double>(of.memory.values().cols()) * static_cast<double>(tensor::dtypeSize(type));
    return {name, unexplained(of.memory, of.calibration, rows.calibration.output.view(), context), unexplained(of.memory, of.heldOut, rows.heldOut.output.view(), context), static_cast<std::uint64_t>(std::llround(bytes)),
            of.memory.addresser().macs()};
}

void addTrivial(report::AddressingReport& report, const Rows& rows, const std::vector<float>& mean, const RunContext& context)
{
    const auto x = rows.calibration.input.view(), y = rows.calibration.output.view(), x2 = rows.heldOut.input.view(), y2 = rows.heldOut.output.view();
    report.memories.push_back({"mean output", unexplainedBy(mean, y), unexplainedBy(mean, y2), 0, 0});
    report.memories.push_back({"affine map", unexplainedByAffine(x, y, x, y, context), unexplainedByAffine(x, y, x2, y2, context), 0, static_cast<std::uint64_t>(x.cols * y.cols)});
}

/// Values on disk, one row a cell, and what the held-out rows cost to read.
void addCosts(report::AddressingReport& report, const Inputs& inputs, const Parameters& parameters, const Measured& of, const RunContext& context)
{
    const Matrix<float>& values = of.memory.values();
    const ScratchDirectory scratch(inputs.directory);
    const std::filesystem::path file = inputs.save.empty() ? scratch.path() / "values.safetensors" : inputs.save;
    writeEmbedTable(file, {1, values.rows(), values.cols(), tableType(parameters), TableLayout::TokenMajor}, [&](std::int64_t, std::int64_t cell) { return values.view().row(cell); }, RunContext(context.stopToken()));
    const EmbedTable table = EmbedTable::open(file);
    const auto window = static_cast<std::size_t>(parameters.integer("window"));
    const auto trace = cellTrace(of.heldOut), before = cellTrace(of.calibration);
    report.traceTokens = of.heldOut.size();
    report.window = window;
    report.tables.push_back(tableReads(table.shape(), countReads(table, of.heldOut, 1), countReads(table, of.heldOut, window), window));
    if (trace.empty()) {
        report.warnings.push_back("No held-out row reads a cell.");
        return;
    }
    const auto each = static_cast<std::size_t>(std::max<std::int64_t>(1, std::llround(static_cast<double>(trace.size()) / static_cast<double>(of.heldOut.size()))));
    report.uniqueRows = uniqueRatio(trace, window * each);
    report.caches = cacheCurves(before, trace, table.shape().tokens, table.shape().tokenBytes(), context);
    if (!inputs.latency)
        return;
    LatencySettings settings = latencySettings(parameters);
    settings.batch = each; // the cells of one token
    report.latencies = measureReads(table, trace, settings, context);
    for (report::ReadLatency& latency : report.latencies) { // per token, not per cell
        latency.batch = 1;
        latency.deviceBytesPerToken *= static_cast<double>(each);
        latency.requestsPerToken *= static_cast<double>(each);
    }
}

/// What k-means found, and its temperature.
struct Keys {
    linalg::KMeans means;
    double distance = 1;
};

Keys keysOf(MatrixView<const float> rows, std::int64_t count, const Parameters& parameters, std::uint64_t seed, const RunContext& context)
{
    Keys keys{linalg::kMeans(rows, count, static_cast<int>(parameters.integer("iterations")), seed, context), 1};
    keys.distance = meanDistance(keys.means, rows.rows);
    return keys;
}

void runProductKeys(const Inputs& inputs, const Parameters& parameters, report::AddressingReport& report, const RunContext& context)
{
    context.setParts(10);
    const Rows rows = rowsFrom(inputs, parameters, kProductId, context.part(3, "rows"));
    const std::int64_t width = rows.calibration.input.cols(), half = width / 2, n = parameters.integer("sub-keys");
    if (half < 1)
        throw Error(ErrorCode::UnsupportedFeature, "found rows of width " + std::to_string(width) + ", expected at least 2", kProductId);
    const std::int64_t k = std::min(parameters.integer("k"), n * n);
    if (k != parameters.integer("k"))
        report.warnings.push_back("Each row reads all " + std::to_string(k) + " cells: there are no more.");
    const RunContext keyPart = context.part(2, "sub-keys");
    const Keys first = keysOf(columns(rows.calibration.input, 0, half), n, parameters, inputs.seed, RunContext(keyPart.stopToken()));
    const Keys second = keysOf(columns(rows.calibration.input, half, width - half), n, parameters, inputs.seed + 1, RunContext(keyPart.stopToken()));
    keyPart.finish();
    const double temperature = parameters.real("temperature") * (first.distance + second.distance);
    const auto memoryOf = [&](std::int64_t cells) { return measured(productAddresser(first.means.centroids, second.means.centroids, cells, temperature), rows, parameters, context); };
    const Measured chosen = memoryOf(k);
    addTrivial(report, rows, chosen.memory.mean(), context);
    if (k > 1)
        report.memories.push_back(qualityOf("product keys, nearest cell", memoryOf(1), rows, tableType(parameters), context));
    report.memories.push_back(qualityOf("product keys, k = " + std::to_string(k), chosen, rows, tableType(parameters), context));
    report.routers.push_back(routingReport("product keys", chosen.heldOut, chosen.memory.addresser().cells(), rows.heldOut.starts, static_cast<std::uint64_t>(width) * tensor::dtypeSize(tableType(parameters)), context));
    addCosts(report, inputs, parameters, chosen, context.part(5, "timing reads"));
}

/// The three routings over the same keys.
class MixtureRun {
public:
    MixtureRun(const Inputs& inputs, const Parameters& parameters, report::AddressingReport& report, const RunContext& context)
        : m_inputs(inputs), m_parameters(parameters), m_report(report), m_context(context), m_active(std::min(parameters.integer("active"), parameters.integer("experts")))
    {
        if (m_active != parameters.integer("active"))
            report.warnings.push_back("The active experts are " + std::to_string(m_active) + ", not " + std::to_string(parameters.integer("active")) + ": there are no more.");
    }
    void run()
    {
        m_context.setParts(10);
        m_rows = rowsFrom(m_inputs, m_parameters, kMixtureId, m_context.part(3, "rows"));
        const RunContext part = m_context.part(2, "experts");
        const Keys keys = keysOf(m_rows.calibration.input.view(), m_parameters.integer("experts"), m_parameters, m_inputs.seed, RunContext(part.stopToken()));
        part.finish();
        m_keys = keys.means.centroids;
        m_temperature = m_parameters.real("temperature") * keys.distance;
        const std::string& chosen = m_parameters.text("routing");
        const Measured top = measuredBy("top-e", {});
        addTrivial(m_report, m_rows, top.memory.mean(), m_context);
        std::vector<std::string> order{"top-e", "surprise", "relu"};
        std::ranges::stable_sort(order, {}, [&](const std::string& name) { return name != chosen; });
        for (const std::string& name : order) {
            const Measured found = measuredBy(name, name == "surprise" ? costs(top) : std::vector<double>());
            m_report.routers.push_back(routingReport(name, found.heldOut, m_keys.rows(), m_rows.heldOut.starts, valueBytes(), m_context));
            m_report.memories.push_back(qualityOf(name, found, m_rows, tableType(m_parameters), m_context));
            if (name == chosen)
                addCosts(m_report, m_inputs, m_parameters, found, m_context.part(5, "timing reads"));
        }
    }

private:
    std::uint64_t valueBytes() const { return static_cast<std::uint64_t>(m_keys.cols()) * tensor::dtypeSize(tableType(m_parameters)); }
    Measured measuredBy(const std::string& routing, std::vector<double> cost) const
    {
        const bool relu = routing == "relu";
        const double threshold = relu ? reluThreshold(m_keys.view(), m_temperature, m_active, m_rows.calibration.input.view(), m_context) : 0;
        return measured(mixtureAddresser(m_keys, relu ? Routing::Relu : Routing::TopExperts, m_active, m_temperature, std::move(cost), threshold), m_rows, m_parameters, m_context);
    }
    /// surprise * (cost_e / mean cost - 1)
    std::vector<double> costs(const Measured& top) const
    {
        std::vector<double> cost = fisherCosts(top.memory, top.calibration, m_rows.calibration.output.view(), m_context);
        const double mean = std::accumulate(cost.begin(), cost.end(), 0.0) / static_cast<double>(cost.size());
        for (double& each : cost)
            each = mean > 0 ? m_parameters.real("surprise") * (each / mean - 1) : 0;
        return cost;
    }
    const Inputs& m_inputs;
    const Parameters& m_parameters;
    report::AddressingReport& m_report;
    RunContext m_context;
    std::int64_t m_active;
    Rows m_rows;
    Matrix<float> m_keys;
    double m_temperature = 1;
};

std::vector<ParameterSpec> memoryParameters()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "block", .title = "Block", .type = Type::Integer, .defaultValue = std::int64_t{3}, .minimum = 0, .maximum = 4095, .step = 1, .help = "Whose feed-forward part the memory stands for"},
        {.name = "rows", .title = "Rows", .type = Type::Integer, .defaultValue = std::int64_t{32768}, .minimum = 2, .maximum = 1 << 20, .step = 1, .logarithmic = true, .help = "Rows at most that are fitted to, and that are held out"},
        {.name = "iterations", .title = "Iterations", .type = Type::Integer, .defaultValue = std::int64_t{12}, .minimum = 1, .maximum = 100, .step = 1, .help = "Rounds of k-means that place the keys"},
        {.name = "temperature", .title = "Temperature", .type = Type::Real, .defaultValue = 0.1, .minimum = 0.0001, .maximum = 100, .logarithmic = true, .help = "Of the weights, in mean squared distances of a row to its key"},
        {.name = "values", .title = "Values", .type = Type::Choice, .defaultValue = std::string("least-squares"), .help = "least-squares: of all cells together; means: of the outputs of each cell's rows", .choices = {"least-squares", "means"}},
        {.name = "ridge", .title = "Ridge", .type = Type::Real, .defaultValue = 4.0, .minimum = 0.0001, .maximum = 10000, .logarithmic = true, .help = "Rows of the mean output that weigh against a cell's own"}};
    std::ranges::move(readingParameters(), std::back_inserter(specs));
    return specs;
}

template <class Body> report::AddressingReport reported(const Method& method, const Inputs& inputs, const Parameters& given, Body body)
{
    const auto start = std::chrono::steady_clock::now();
    report::AddressingReport report;
    report.method = method.declaration.id;
    report.parameters = method.declaration.schema.complete(given);
    body(report.parameters, report);
    report.samples = inputs.samples->description();
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}
} // namespace

Method productKeyMethod()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{{.name = "sub-keys", .title = "Sub-keys", .type = Type::Integer, .defaultValue = std::int64_t{32}, .minimum = 1, .maximum = 1024, .step = 1, .logarithmic = true, .help = "Of each half, n: n n cells are scored by 2 n products"},
                                     {.name = "k", .title = "k", .type = Type::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 256, .step = 1, .logarithmic = true, .help = "Cells that a row reads"}};
    std::ranges::move(memoryParameters(), std::back_inserter(specs));
    return {.declaration = {.id = kProductId, .lab = "addressing", .title = "Product-key memory", .reference = "Lample, Sablayrolles, Ranzato, Denoyer, Jegou 2019, \"Large Memory Layers with Product Keys\", arXiv 1907.05242; keys by k-means, values by least squares",
                            .schema = ParameterSchema(std::move(specs))},
            .run = [](const Inputs& inputs, const Parameters& given, const RunContext& context) {
                return reported(productKeyMethod(), inputs, given, [&](const Parameters& parameters, report::AddressingReport& report) { runProductKeys(inputs, parameters, report, context); });
            }};
}

Method mixtureMethod()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "experts", .title = "Experts", .type = Type::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 4096, .step = 1, .logarithmic = true, .help = "E, each a key and a value"},
        {.name = "active", .title = "Active experts", .type = Type::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 256, .step = 1, .logarithmic = true, .help = "e that a row reads; relu: their mean number"},
        {.name = "routing", .title = "Routing", .type = Type::Choice, .defaultValue = std::string("top-e"), .help = "top-e: the largest of a softmax; surprise: the same less the Fisher cost of an expert; relu: every gate above 0. All three are reported, the reads are of this one",
         .choices = {"top-e", "surprise", "relu"}},
        {.name = "surprise", .title = "Weight of the cost", .type = Type::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 100, .help = "surprise: what an expert of twice the mean cost loses of its score"}};
    std::ranges::move(memoryParameters(), std::back_inserter(specs));
    return {.declaration = {.id = kMixtureId, .lab = "addressing", .title = "Mixture addressing", .reference = "Top-e of a softmax; ReLU gates: ReMoE (Wang, Chen, Zhu 2024, arXiv 2412.14711); surprise: the Fisher cost |sqrt(v_e)| of FARS (Tiny-ONN)",
                            .schema = ParameterSchema(std::move(specs))},
            .run = [](const Inputs& inputs, const Parameters& given, const RunContext& context) {
                return reported(mixtureMethod(), inputs, given, [&](const Parameters& parameters, report::AddressingReport& report) { MixtureRun(inputs, parameters, report, context).run(); });
            }};
}

} // namespace tamis::addressing

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/deep_embed.h"

#include "core/addressing/embed_fit.h"
#include "core/addressing/mlp_rows.h"
#include "core/addressing/read_costs.h"
#include "core/addressing/reuse.h"
#include "core/addressing/text_quality.h"
#include "core/base/error.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

namespace tamis::addressing {
namespace {
constexpr const char* kId = "addressing.deep-embed";

MlpCompression compressionFrom(const Parameters& parameters)
{
    const std::string& name = parameters.text("compression");
    return name == "pruned" ? MlpCompression::Pruned : name == "low-rank" ? MlpCompression::LowRank : MlpCompression::None;
}

ReaderKind readerFrom(const Parameters& parameters)
{
    const std::string& name = parameters.text("reader");
    return name == "pread" ? ReaderKind::Pread : name == "io_uring" ? ReaderKind::Ring : ReaderKind::Mapped;
}

TableLayout other(TableLayout layout) { return layout == TableLayout::LayerMajor ? TableLayout::TokenMajor : TableLayout::LayerMajor; }

/// One run: what its steps share.
class Running {
public:
    Running(const Inputs& inputs, const Parameters& parameters, const RunContext& context) : m_inputs(inputs), m_parameters(parameters), m_context(context), m_scratch(inputs.directory)
    {
        if (!inputs.model || !inputs.samples)
            throw Error(ErrorCode::InvalidParameter, "needs a model and samples, found none", kId);
        if (!inputs.calibration && (inputs.table.empty() || compressionFrom(parameters) == MlpCompression::Pruned))
            throw Error(ErrorCode::InvalidParameter, "needs tokens to fit to, found none", "calibration");
    }

    report::AddressingReport run()
    {
        m_context.setParts(20);
        m_report.method = kId;
        m_report.parameters = m_parameters;
        m_report.samples = m_inputs.samples->description();
        const measure::SampleSource& fitted = m_inputs.calibration ? *m_inputs.calibration : *m_inputs.samples;
        m_cheaper = compressedMlps(*m_inputs.model, compressionFrom(m_parameters), m_parameters.real("keep"), fitted, 0, m_context.part(2, "compressing"));
        const EmbedTable table = m_inputs.table.empty() ? fit() : given();
        requireTableFor(*m_cheaper, table);
        quality(table);
        costs(table);
        m_context.finish();
        return std::move(m_report);
    }

private:
    EmbedTable given()
    {
        const auto table = EmbedTable::open(m_inputs.table, layoutNamed(m_parameters.text("layout")));
        if (layoutName(table.shape().layout) != m_parameters.text("layout"))
            m_report.warnings.push_back("The table is " + std::string(layoutName(table.shape().layout)) + ", whatever the setting says.");
        return table;
    }
    EmbedTable fit()
    {
        m_fit = fitDeepEmbed(*m_inputs.model, *m_cheaper, *m_inputs.calibration, {m_parameters.real("ridge"), m_parameters.boolean("shared"), 0}, m_context.part(5, "fitting scales"));
        const TableLayout layout = layoutNamed(m_parameters.text("layout"));
        const std::filesystem::path file = m_inputs.save.empty() ? m_scratch.path() / "table.safetensors" : m_inputs.save;
        write(file, layout);
        if (m_inputs.latency)
            write(m_scratch.path() / "other.safetensors", other(layout));
        return EmbedTable::open(file);
    }
    void write(const std::filesystem::path& file, TableLayout layout) const
    {
        writeEmbedTable(file, {m_fit->layers(), m_fit->tokens(), m_fit->width(), tableType(m_parameters), layout}, [&](std::int64_t layer, std::int64_t token) { return m_fit->row(layer, token); },
                        RunContext(m_context.stopToken()));
    }
    void quality(const EmbedTable& table)
    {
        const auto scaled = withDeepEmbed(*m_cheaper);
        const auto reader = openReader(readerFrom(m_parameters), table.path(), {.direct = m_parameters.boolean("direct"), .depth = static_cast<unsigned>(m_parameters.integer("depth"))});
        std::mutex reading; // a reader has one queue
        const ScalesOf fromTable = [&](std::span<const std::int32_t> tokens) {
            const std::lock_guard lock(reading);
            return TokenScales(table, *reader, tokens);
        };
        m_report.wholePerplexity = textQuality(*m_inputs.model, *m_inputs.samples, {}, m_context.part(2, "the whole model")).perplexity;
        m_report.perplexity = textQuality(*m_cheaper, *m_inputs.samples, {}, m_context.part(2, "the cheaper model")).perplexity;
        m_report.tablePerplexity = textQuality(*scaled, *m_inputs.samples, fromTable, m_context.part(2, "with the table")).perplexity;
        if (!m_fit)
            return;
        const ScalesOf shared = [&](std::span<const std::int32_t> tokens) { return TokenScales(m_fit->layers(), m_fit->width(), tokens, [&](std::int64_t layer, std::int64_t) { return m_fit->shared(layer); }); };
        m_report.sharedPerplexity = textQuality(*scaled, *m_inputs.samples, shared, m_context.part(2, "with a scale a feature")).perplexity;
    }
    void costs(const EmbedTable& table)
    {
        const auto trace = tokenTrace(*m_inputs.samples, m_context);
        std::vector<std::int32_t> before;
        if (m_inputs.calibration)
            before = tokenTrace(*m_inputs.calibration, m_context);
        const auto window = static_cast<std::size_t>(m_parameters.integer("window"));
        m_report.traceTokens = trace.size();
        m_report.window = window;
        m_report.uniqueRows = uniqueRatio(trace, window);
        if (m_fit)
            m_report.unseenTokens = static_cast<std::uint64_t>(std::ranges::count_if(trace, [&](std::int32_t token) { return m_fit->seen()[static_cast<std::size_t>(token)] == 0; }));
        TableShape turned = table.shape();
        turned.layout = other(turned.layout);
        const EmbedTable twin(turned); // at the beginning of a page, as tables are written
        for (const EmbedTable* each : {&table, &twin})
            m_report.tables.push_back(tableReads(each->shape(), countPages(*each, trace, 1), countPages(*each, trace, window), window));
        m_report.caches = cacheCurves(before, trace, table.shape().tokens, table.shape().tokenBytes(), m_context);
        if (!m_inputs.latency)
            return;
        const RunContext part = m_context.part(5, "timing reads");
        part.setParts(2);
        m_report.latencies = measureReads(table, trace, latencySettings(m_parameters), part.part(1, "this layout"));
        if (m_fit)
            std::ranges::move(measureReads(EmbedTable::open(m_scratch.path() / "other.safetensors"), trace, latencySettings(m_parameters), part.part(1, "the other layout")), std::back_inserter(m_report.latencies));
    }

    const Inputs& m_inputs;
    const Parameters& m_parameters;
    RunContext m_context;
    ScratchDirectory m_scratch;
    std::shared_ptr<const nn::Model> m_cheaper;
    std::optional<EmbedFit> m_fit;
    report::AddressingReport m_report;
};

report::AddressingReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    const Parameters parameters = deepEmbedMethod().declaration.schema.complete(given);
    auto report = Running(inputs, parameters, context).run();
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

std::vector<ParameterSpec> parameterSpecs()
{
    using Type = ParameterType;
    std::vector<ParameterSpec> specs{
        {.name = "compression", .title = "Cheaper feed-forward", .type = Type::Choice, .defaultValue = std::string("pruned"),
         .help = "What the table repairs: hidden features left out by their output, truncated singular values, or nothing", .choices = {"pruned", "low-rank", "none"}},
        {.name = "keep", .title = "Keep", .type = Type::Real, .defaultValue = 0.5, .minimum = 0.01, .maximum = 1, .help = "Share of the feed-forward parameters that the cheaper one has"},
        {.name = "ridge", .title = "Ridge", .type = Type::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 10000, .logarithmic = true, .help = "Mean rows of calibration that the scale of all tokens weighs against a token's own"},
        {.name = "shared", .title = "Shrink to the feature's scale", .type = Type::Boolean, .defaultValue = true, .help = "Rare tokens take the scale of all tokens, feature by feature; otherwise 1"},
        {.name = "layout", .title = "Layout", .type = Type::Choice, .defaultValue = std::string("token-major"), .help = "layer-major: a token's rows lie apart; token-major: they are one piece", .choices = {"token-major", "layer-major"}},
        {.name = "reader", .title = "Reader", .type = Type::Choice, .defaultValue = std::string("mmap"), .help = "What the model reads its rows by; all readers are timed", .choices = {"mmap", "pread", "io_uring"}},
        {.name = "direct", .title = "Past the page cache", .type = Type::Boolean, .defaultValue = false, .help = "The model's reader opens the table with O_DIRECT (pread and io_uring)"}};
    std::ranges::move(readingParameters(), std::back_inserter(specs));
    return specs;
}
} // namespace

Method deepEmbedMethod()
{
    return {.declaration = {.id = kId, .lab = "addressing", .title = "DeepEmbed", .reference = "RWKV v8, first demonstration: the output of a feed-forward part is scaled by a row of a table, by layer and token (rwkv_v8_rc00_demo.py); here fitted by least squares",
                            .schema = ParameterSchema(parameterSpecs())},
            .takesTable = true,
            .run = run};
}

} // namespace tamis::addressing

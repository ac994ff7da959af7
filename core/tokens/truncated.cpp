// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/truncated.h"

#include "core/base/error.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/route.h"
#include "core/tokens/whole_trace.h"

#include <algorithm>

namespace tamis::tokens {
namespace {
class FirstBlocks final : public Route {
public:
    FirstBlocks(std::shared_ptr<const nn::Model> model, std::size_t blocks) : m_model(std::move(model)), m_blocks(blocks) {}
    void run(const nn::Sample& sample, std::span<const Wish>, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        const nn::ModelSpec& spec = m_model->spec();
        nn::Scratch::Frame frame(scratch);
        const kernels::Rows x = frame.take(spec.tokens(0), spec.width);
        m_model->embed(sample, x, scratch);
        for (std::size_t block = 0; block < m_blocks; ++block)
            m_model->runBlock(static_cast<int>(block), x, scratch);
        m_model->runTail(x, {}, output, scratch, 0, nullptr, trace ? &trace->features : nullptr);
        if (!trace)
            return;
        traceFirstBlocks(spec, m_blocks, *trace);
        keepRows(*trace, x);
        trace->macs += headMacs(spec);
    }

private:
    std::shared_ptr<const nn::Model> m_model;
    std::size_t m_blocks;
};

Chain truncatedChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = truncatedMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    const std::int64_t depth = static_cast<std::int64_t>(inputs.model->blocks().size()), asked = parameters.integer("blocks");
    if (asked > depth)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(asked) + ", expected at most the " + std::to_string(depth) + " blocks of the model", "blocks");
    Chain chain;
    chain.route = std::make_shared<FirstBlocks>(inputs.model, static_cast<std::size_t>(asked > 0 ? asked : (depth + 1) / 2));
    return chain;
}

/// From all blocks but one to the first alone: eight depths at most, evenly spaced.
std::vector<Parameters> truncatedSpread(const nn::ModelSpec& spec)
{
    const auto most = static_cast<std::int64_t>(spec.blocks.size()) - 1, count = std::min<std::int64_t>(most, 8);
    std::vector<ParameterValue> blocks;
    for (std::int64_t i = 0; i < count; ++i)
        blocks.emplace_back(count == 1 ? most : most - i * (most - 1) / (count - 1));
    return settingsOver("blocks", blocks);
}
} // namespace

Method truncatedMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.truncated",
        .lab = "tokens",
        .title = "First blocks alone (baseline)",
        .reference = "Trivial baseline: the first blocks and the model's own head behind them, whatever the picture shows",
        .schema = ParameterSchema({
            {.name = "blocks", .title = "Blocks", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1024, .step = 1,
             .help = "Blocks that are run; 0: half of them, rounded up"},
        })};
    method.baseline = true;
    method.spread = truncatedSpread;
    method.chain = truncatedChain;
    return method;
}

} // namespace tamis::tokens

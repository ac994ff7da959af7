// SPDX-License-Identifier: GPL-3.0-or-later
// A step reads, of every key-value head, s tokens exactly; sparsely (s - 32) / 16 + 1 compressed ones, 16 blocks of 64 of which the last is the query's
// own and may not be full, and the last 512. At s = 16,384: 2,559, 6.4 times fewer. With 8 query heads to a group 2 * 8 multiply-adds wait
// for every 4 bytes: 4 FLOP a byte, below what memory allows to compute; bytes are what bounds both.
#include "core/bench/native_sparse_bench.h"

#include "core/attention/native_sparse.h"
#include "core/attention/native_sparse_decoder.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/cost/ceilings.h"
#include "core/kernels/attention_kernel.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <locale>
#include <sstream>

namespace tamis::bench {
namespace {
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kRows = 509; ///< different rows that keys and values are taken from; a prime: blocks differ

/// Uniform within +-1.7: deviation 1. A function of the seed.
std::vector<float> uniform(std::int64_t count, std::uint64_t seed)
{
    std::vector<float> values(static_cast<std::size_t>(count));
    std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
    for (float& value : values) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        value = 3.4641F * (static_cast<float>(state >> 40U) / 16777216.0F - 0.5F);
    }
    return values;
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

/// Queries, keys and values that both decoders are given.
class Tokens {
public:
    explicit Tokens(const NativeSparseBenchInputs& in)
        : m_query(in.heads * in.headDim), m_key(in.keyValueHeads * in.headDim), m_q(uniform(kRows * m_query, 1)), m_k(uniform(kRows * m_key, 2)), m_v(uniform(kRows * m_key, 3))
    {
    }
    attention::DecoderToken at(std::int64_t layer, std::int64_t token) const
    {
        const std::int64_t row = (token + 37 * layer) % kRows;
        return {m_q.data() + row * m_query, m_k.data() + row * m_key, m_v.data() + row * m_key, nullptr};
    }
    kernels::ConstRows query(std::int64_t token) const { return {m_q.data() + token % kRows * m_query, 1, m_query, m_query}; }

private:
    std::int64_t m_query, m_key;
    std::vector<float> m_q, m_k, m_v;
};

template <class Decoder> void fill(std::vector<Decoder>& decoders, const Tokens& tokens, std::int64_t count, const RunContext& context)
{
    for (std::size_t layer = 0; layer < decoders.size(); ++layer)
        for (std::int64_t token = 0; token < count; ++token) {
            if (token % 256 == 0)
                context.throwIfStopped();
            const attention::DecoderToken row = tokens.at(static_cast<std::int64_t>(layer), token);
            decoders[layer].append(row.k, row.v);
        }
}

/// Seconds of one layer.
template <class Decoder> double stepSeconds(std::vector<Decoder>& decoders, const Tokens& tokens, std::vector<float>& out, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t layer = 0; layer < decoders.size(); ++layer) {
        context.throwIfStopped();
        decoders[layer].step(tokens.at(static_cast<std::int64_t>(layer), decoders[layer].tokens()), out.data(), true);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(decoders.size());
}

/// The forward pass's kernel with one query: it packs all keys anew.
double forwardKernelSeconds(const NativeSparseBenchInputs& in, const nn::AttentionSpec& spec, const RunContext& context)
{
    const std::int64_t width = in.keyValueHeads * in.headDim;
    const std::vector<float> k = uniform(in.context * width, 5), v = uniform(in.context * width, 6), q = uniform(in.heads * in.headDim, 7);
    std::vector<float> out(q.size());
    const kernels::AttentionShape shape{.heads = spec.heads, .keyValueHeads = spec.keyValueHeads, .headDim = spec.headDim, .scale = spec.scale, .causal = true};
    const kernels::ConstRows keys{k.data(), in.context, width, width}, values{v.data(), in.context, width, width};
    const std::int64_t columns = in.heads * in.headDim;
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < std::max(2, in.rounds); ++round) {
        context.throwIfStopped();
        const auto start = std::chrono::steady_clock::now();
        kernels::softmaxAttention(shape, {q.data(), 1, columns, columns}, keys, values, {out.data(), 1, columns, columns}, true);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

void requireBytes(std::uint64_t counted, std::int64_t tokens, const NativeSparseBenchInputs& in)
{
    const auto predicted = static_cast<std::uint64_t>(tokens * in.keyValueHeads * 2 * in.headDim) * sizeof(float);
    if (counted != predicted)
        throw Error(ErrorCode::InvalidParameter, "counted " + std::to_string(counted) + " bytes read in a step, the formula says " + std::to_string(predicted), "bench native sparse decoding");
}

BenchResult entry(const std::string& name, double ours, double peer, const std::string& peerName, double bytes, double gigabytesPerSecond)
{
    BenchResult r;
    r.name = name;
    r.oursSeconds = ours;
    r.peerSeconds = peer;
    r.peerName = peerName;
    r.ratio = peer / ours;
    r.unit = "s a layer";
    r.bound = fixedText(1e-6 * bytes, 1) + " MB of keys and values at the " + fixedText(gigabytesPerSecond, 1) + " GB/s that this run measured";
    r.boundFraction = bytes / (1e9 * gigabytesPerSecond) / ours;
    return r;
}
} // namespace

std::vector<BenchResult> benchNativeSparse(const RunContext& context, const NativeSparseBenchInputs& in)
{
    if (in.heads < 1 || in.keyValueHeads < 1 || in.heads % in.keyValueHeads != 0 || in.headDim < 1 || in.context < 1 || in.layers < 1 || in.rounds < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(in.heads) + " heads on " + std::to_string(in.keyValueHeads) + " key-value heads of " + std::to_string(in.headDim) + ", " + std::to_string(in.layers) +
                                                     " layers and " + std::to_string(in.context) + " tokens, expected numbers above 0 and heads that divide", "bench native sparse decoding");
    context.setParts(4);
    const nn::AttentionSpec spec{.heads = in.heads, .keyValueHeads = in.keyValueHeads, .headDim = in.headDim, .scale = 1 / std::sqrt(static_cast<float>(in.headDim)), .causal = true};
    const auto rule = attention::nativeSparseRule(spec, {});
    const Tokens tokens(in);
    std::vector<attention::NativeSparseDecoder> sparse;
    std::vector<attention::ExactDecoder> exact;
    for (std::int64_t layer = 0; layer < in.layers; ++layer) {
        sparse.emplace_back(rule);
        exact.emplace_back(spec);
    }
    fill(sparse, tokens, in.context - 1, context.part(1, "filling caches"));
    fill(exact, tokens, in.context - 1, context.part(1, "filling caches"));
    std::vector<float> out(static_cast<std::size_t>(in.heads * in.headDim));
    double bestSparse = std::numeric_limits<double>::infinity(), bestExact = bestSparse, bytesSparse = 0, bytesExact = 0;
    attention::NativeSparseReads reads;
    for (int round = 0; round < in.rounds; ++round) {
        bestExact = std::min(bestExact, stepSeconds(exact, tokens, out, context));
        bestSparse = std::min(bestSparse, stepSeconds(sparse, tokens, out, context));
        const attention::NativeSparseReads now = attention::predictedReads(*rule, sparse.front().tokens() - 1, sparse.front().tokens());
        requireBytes(sparse.back().lastBytes(), now.total(), in);
        requireBytes(exact.back().lastBytes(), exact.back().tokens(), in);
        if (round == 0) { // the context that was asked for
            reads = now;
            bytesSparse = static_cast<double>(sparse.back().lastBytes());
            bytesExact = static_cast<double>(exact.back().lastBytes());
        }
    }
    const double forward = forwardKernelSeconds(in, spec, context.part(1, "forward kernel"));
    const report::Ceilings ceilings = cost::machineCeilings(context.part(1, "bandwidth"));
    const std::string shape = std::to_string(in.heads) + " heads of " + std::to_string(in.headDim) + " on " + std::to_string(in.keyValueHeads) + ", " + std::to_string(in.context) + " tokens, " +
                              std::to_string(threadCount()) + " threads";
    std::vector<BenchResult> results{entry("native sparse decode, " + shape, bestSparse, bestExact, "exact decode, same tiles and cache", bytesSparse, ceilings.gigabytesPerSecond),
                                     entry("exact decode, " + shape, bestExact, forward, "the forward pass's attention with one query", bytesExact, ceilings.gigabytesPerSecond)};
    results[0].note = "reads " + std::to_string(reads.compressed) + " + " + std::to_string(reads.selected) + " + " + std::to_string(reads.window) + " of " + std::to_string(in.context) +
                      " tokens, counted as predicted: " + fixedText(bytesExact / bytesSparse, 2) + " times fewer; a layer's cache holds " +
                      fixedText(1e-6 * static_cast<double>(sparse.front().cacheBytes()), 0) + " MB";
    results[1].note = "caches of " + std::to_string(in.layers) + " layers in turn, " + fixedText(1e-6 * bytesExact * static_cast<double>(in.layers), 0) + " MB";
    return results;
}

} // namespace tamis::bench

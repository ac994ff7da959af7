// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/matching.h"

#include "core/base/split_mix.h"
#include "core/kernels/packed_matrix.h"
#include "core/linalg/assignment.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace tamis::tokens {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using Tokens = std::span<const std::int32_t>;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// [planes, dim] standard normal numbers (Box and Muller 1958): directions alike in all senses.
tensor::Matrix<float> randomNormals(std::int64_t planes, std::int64_t dim, std::uint64_t seed)
{
    tensor::Matrix<float> normals(planes, dim);
    std::uint64_t state = seed;
    for (float& value : normals.values()) {
        const double radius = std::sqrt(-2 * std::log(static_cast<double>((nextBits(state) >> 11U) + 1) * 0x1.0p-53));
        value = static_cast<float>(radius * std::cos(2 * std::numbers::pi * static_cast<double>(nextBits(state) >> 11U) * 0x1.0p-53));
    }
    return normals;
}

/// Row and column on the grid, mean over the sources that each token holds; NaN for one that holds no patch.
std::vector<std::array<double, 2>> meanPositions(const TokenSet& set)
{
    std::vector<std::array<double, 2>> positions(set.sizes.size());
    std::vector<double> held(set.sizes.size());
    for (std::int64_t source = set.prefix; source < static_cast<std::int64_t>(set.row.size()); ++source)
        if (const std::int32_t token = set.row[at(source)]; token >= 0) {
            positions[at(token)][0] += static_cast<double>((source - set.prefix) / set.gridCols);
            positions[at(token)][1] += static_cast<double>((source - set.prefix) % set.gridCols);
            held[at(token)] += 1;
        }
    for (std::size_t token = 0; token < positions.size(); ++token)
        for (double& coordinate : positions[token])
            coordinate = held[token] > 0 ? coordinate / held[token] : std::numeric_limits<double>::quiet_NaN();
    return positions;
}

/// [tokens, tokens] 1: the column is among the row's most similar.
tensor::Matrix<std::uint8_t> neighbourhoods(const Look& look, std::span<const std::uint8_t> isProtected, std::int64_t neighbours)
{
    const std::int64_t tokens = look.x.rows;
    std::vector<std::int32_t> free;
    for (std::int64_t token = 0; token < tokens; ++token)
        if (!isProtected[at(token)])
            free.push_back(static_cast<std::int32_t>(token));
    nn::Scratch::Frame frame(look.scratch);
    const auto count = static_cast<std::int64_t>(free.size());
    const Rows similarity = frame.take(count, count);
    keyCosines(look, free, free, similarity);
    tensor::Matrix<std::uint8_t> near(tokens, tokens);
    std::vector<std::int64_t> others;
    for (std::int64_t i = 0; i < count; ++i) {
        others.clear();
        for (std::int64_t j = 0; j < count; ++j)
            if (j != i)
                others.push_back(j);
        const auto end = others.begin() + static_cast<std::ptrdiff_t>(std::min<std::int64_t>(neighbours, count - 1));
        std::ranges::partial_sort(others, end, [&](std::int64_t one, std::int64_t other) {
            return similarity(i, one) != similarity(i, other) ? similarity(i, one) > similarity(i, other) : one < other;
        });
        for (auto it = others.begin(); it != end; ++it)
            near(free[at(i)], free[at(*it)]) = 1;
    }
    return near;
}

/// [tables, tokens]: one bit for every hyperplane of the table.
tensor::Matrix<std::uint32_t> buckets(const Look& look, int hyperplanes, int tables, std::uint64_t seed)
{
    const std::int64_t tokens = look.x.rows, dim = look.layer.spec.attention.headDim;
    nn::Scratch::Frame frame(look.scratch);
    const Rows metric = frame.take(tokens, dim);
    matchingMetric(look, metric, [](std::int64_t i) { return i; });
    std::vector<double> mean(at(dim));
    for (std::int64_t i = look.set.prefix; i < tokens; ++i)
        for (std::int64_t j = 0; j < dim; ++j)
            mean[at(j)] += static_cast<double>(metric(i, j)) / static_cast<double>(tokens - look.set.prefix);
    const auto normals = randomNormals(static_cast<std::int64_t>(tables) * hyperplanes, dim, seed ^ (0xD1342543DE82EF95ULL * static_cast<std::uint64_t>(look.block + 1)));
    tensor::Matrix<std::uint32_t> codes(tables, tokens);
    for (std::int64_t plane = 0; plane < normals.rows(); ++plane)
        for (std::int64_t i = 0; i < tokens; ++i) {
            double side = 0;
            for (std::int64_t j = 0; j < dim; ++j)
                side += static_cast<double>(normals(plane, j)) * (static_cast<double>(metric(i, j)) - mean[at(j)]);
            std::uint32_t& code = codes(plane / hyperplanes, i);
            code = code << 1U | (side > 0 ? 1U : 0U);
        }
    return codes;
}

template <class IsAllowed> void forbidUnless(Tokens rows, Tokens columns, Rows similarity, IsAllowed isAllowed)
{
    for (std::int64_t i = 0; i < similarity.rows; ++i)
        for (std::int64_t j = 0; j < similarity.cols; ++j)
            if (!isAllowed(rows[at(i)], columns[at(j)]))
                similarity(i, j) = kMinusInfinity;
}
} // namespace

Halves alternateHalves(std::int64_t tokens)
{
    Halves halves;
    for (std::int64_t token = 0; token < tokens; ++token)
        (token % 2 == 0 ? halves.first : halves.second).push_back(static_cast<std::int32_t>(token));
    return halves;
}

Halves randomHalves(const Look& look, std::uint64_t seed)
{
    const std::vector<float> numbers = scoreTokens(Score::Random, look, seed);
    std::vector<std::int32_t> patches(at(look.x.rows - look.set.prefix));
    std::iota(patches.begin(), patches.end(), static_cast<std::int32_t>(look.set.prefix));
    std::ranges::stable_sort(patches, [&](std::int32_t one, std::int32_t other) { return numbers[at(one)] < numbers[at(other)]; });
    const auto middle = patches.begin() + static_cast<std::ptrdiff_t>((patches.size() + 1) / 2);
    Halves halves{std::vector<std::int32_t>(at(look.set.prefix)), {middle, patches.end()}};
    std::iota(halves.first.begin(), halves.first.end(), 0);
    halves.first.insert(halves.first.end(), patches.begin(), middle);
    std::ranges::sort(halves.first);
    std::ranges::sort(halves.second);
    return halves;
}

void keyCosines(const Look& look, Tokens rows, Tokens columns, Rows similarity)
{
    const auto count = static_cast<std::int64_t>(columns.size()), dim = look.layer.spec.attention.headDim;
    nn::Scratch::Frame frame(look.scratch);
    const Rows left = frame.take(static_cast<std::int64_t>(rows.size()), dim), right = frame.take(count, dim);
    for (std::int64_t i = 0; i < left.rows; ++i)
        matchingRow(look, rows[at(i)], left.data + i * left.stride, dim);
    for (std::int64_t i = 0; i < count; ++i)
        matchingRow(look, columns[at(i)], right.data + i * right.stride, dim);
    kernels::multiply(left, kernels::PackedMatrix(right), {}, similarity, look.scratch.parallel());
}

void forbidProtected(std::span<const std::uint8_t> isProtected, Tokens rows, Tokens columns, Rows similarity)
{
    for (std::int64_t i = 0; i < similarity.rows; ++i)
        if (isProtected[at(rows[at(i)])])
            std::ranges::fill(similarity.row(i), kMinusInfinity);
    for (std::int64_t j = 0; j < similarity.cols; ++j)
        if (isProtected[at(columns[at(j)])])
            for (std::int64_t i = 0; i < similarity.rows; ++i)
                similarity(i, j) = kMinusInfinity;
}

void forbidDistant(const TokenSet& set, double radius, Tokens rows, Tokens columns, Rows similarity)
{
    if (!(radius > 0))
        return;
    const auto positions = meanPositions(set);
    const double most = radius * radius * (1 + 1e-12); // means of whole numbers are rounded
    forbidUnless(rows, columns, similarity, [&](std::int32_t one, std::int32_t other) {
        const double down = positions[at(one)][0] - positions[at(other)][0], right = positions[at(one)][1] - positions[at(other)][1];
        return down * down + right * right <= most;
    });
}

void forbidBeyondNeighbours(const Look& look, std::span<const std::uint8_t> isProtected, std::int64_t neighbours, bool mutual, const Halves& halves, Rows similarity)
{
    const auto near = neighbourhoods(look, isProtected, neighbours);
    forbidUnless(halves.first, halves.second, similarity, [&](std::int32_t one, std::int32_t other) { return near(one, other) != 0 && (!mutual || near(other, one) != 0); });
}

void forbidOtherBuckets(const Look& look, int hyperplanes, int tables, std::uint64_t seed, const Halves& halves, Rows similarity)
{
    if (hyperplanes == 0)
        return;
    const auto codes = buckets(look, hyperplanes, tables, seed);
    forbidUnless(halves.first, halves.second, similarity, [&](std::int32_t one, std::int32_t other) {
        for (std::int64_t table = 0; table < codes.rows(); ++table)
            if (codes(table, one) == codes(table, other))
                return true;
        return false;
    });
}

std::vector<Edge> bestPartners(const Halves& halves, ConstRows similarity)
{
    std::vector<Edge> edges;
    edges.reserve(halves.first.size());
    for (std::int64_t i = 0; i < similarity.rows; ++i) {
        Edge edge{halves.first[at(i)], 0, kMinusInfinity};
        for (std::int64_t j = 0; j < similarity.cols; ++j)
            if (similarity(i, j) > edge.similarity)
                edge = {edge.first, halves.second[at(j)], similarity(i, j)};
        edges.push_back(edge);
    }
    return edges;
}

std::vector<Edge> optimalPartners(const Halves& halves, ConstRows similarity, std::int64_t pairs, const RunContext& context)
{
    tensor::Matrix<double> values(similarity.rows, similarity.cols);
    for (std::int64_t i = 0; i < similarity.rows; ++i)
        for (std::int64_t j = 0; j < similarity.cols; ++j) // what is no number is no partner
            values(i, j) = similarity(i, j) > kMinusInfinity ? static_cast<double>(similarity(i, j)) : -std::numeric_limits<double>::infinity();
    const linalg::Assigned best = linalg::bestAssignment(values.view(), pairs, context);
    std::vector<Edge> edges;
    for (std::int64_t i = 0; i < similarity.rows; ++i) {
        const std::int64_t j = best.columnOf[at(i)];
        edges.push_back(j < 0 ? Edge{halves.first[at(i)], 0, kMinusInfinity} : Edge{halves.first[at(i)], halves.second[at(j)], similarity(i, j)});
    }
    return edges;
}

std::vector<Edge> greedyPairs(ConstRows similarity, std::int64_t pairs, const RunContext& context)
{
    const std::int64_t count = similarity.rows;
    std::vector<std::uint8_t> taken(at(count));
    std::vector<Edge> best(at(count)); // of each row the best column right of the diagonal that is not taken
    const auto search = [&](std::int64_t i) {
        Edge& edge = best[at(i)];
        edge = {-1, static_cast<std::int32_t>(i), kMinusInfinity};
        for (std::int64_t j = i + 1; j < count; ++j)
            if (!taken[at(j)] && similarity(i, j) > edge.similarity)
                edge = {static_cast<std::int32_t>(j), static_cast<std::int32_t>(i), similarity(i, j)};
    };
    for (std::int64_t i = 0; i < count; ++i)
        search(i);
    std::vector<Edge> found;
    while (static_cast<std::int64_t>(found.size()) < pairs) {
        context.throwIfStopped();
        const auto next = std::ranges::max_element(best, {}, &Edge::similarity); // the first of equal ones
        if (next == best.end() || !(next->similarity > kMinusInfinity))
            break;
        found.push_back(*next);
        for (const std::int32_t token : {found.back().first, found.back().second}) {
            taken[at(token)] = 1;
            best[at(token)].similarity = kMinusInfinity;
        }
        for (std::int64_t i = 0; i < count; ++i)
            if (!taken[at(i)] && best[at(i)].first >= 0 && taken[at(best[at(i)].first)])
                search(i);
    }
    return found;
}

Assignment mergeHalves(const Halves& halves, std::vector<Edge> edges, std::int64_t tokens, std::int64_t prefix, std::int64_t r)
{
    std::ranges::stable_sort(edges, [](const Edge& one, const Edge& other) { return one.similarity > other.similarity; });
    r = std::min<std::int64_t>(r, std::ranges::count_if(edges, [](const Edge& edge) { return edge.similarity > kMinusInfinity; }));
    Assignment a;
    a.to.assign(at(tokens), -1);
    if (r <= 0) {
        std::iota(a.to.begin(), a.to.end(), 0);
        a.count = tokens;
        return a;
    }
    std::vector<std::int32_t> left;
    for (std::size_t i = at(r); i < edges.size(); ++i)
        left.push_back(edges[i].first);
    if (prefix > 0)
        std::ranges::sort(left);
    for (std::int64_t i = 0; i < prefix; ++i)
        a.to[at(i)] = static_cast<std::int32_t>(a.count++);
    for (const std::int32_t token : left)
        if (token >= prefix)
            a.to[at(token)] = static_cast<std::int32_t>(a.count++);
    for (const std::int32_t token : halves.second)
        if (token >= prefix)
            a.to[at(token)] = static_cast<std::int32_t>(a.count++);
    for (std::int64_t i = 0; i < r; ++i)
        a.to[at(edges[at(i)].first)] = a.to[at(edges[at(i)].second)];
    return a;
}

} // namespace tamis::tokens

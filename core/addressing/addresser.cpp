// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/addresser.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace tamis::addressing {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kRowsATask = 64, kThresholdRows = 4096;

[[noreturn]] void invalid(const std::string& sentence, const std::string& subject) { throw Error(ErrorCode::InvalidParameter, sentence, subject); }

void requireFinite(std::span<const float> scores)
{
    if (!std::ranges::all_of(scores, [](float score) { return std::isfinite(score); }))
        throw Error(ErrorCode::NonFinite, "a score of a key is NaN or infinite", "addressing");
}

void requireTemperature(double temperature)
{
    if (!(temperature > 0) || !std::isfinite(temperature))
        invalid("found " + std::to_string(temperature) + ", expected more than 0", "temperature");
}

/// Places of the k largest, of equal ones the first.
std::vector<std::int32_t> bestPlaces(std::span<const float> scores, std::int64_t k)
{
    std::vector<std::int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(static_cast<std::size_t>(k), scores.size()));
    std::ranges::partial_sort(order, order.begin() + count, [&](std::int32_t a, std::int32_t b) {
        const float x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
        return x != y ? x > y : a < b;
    });
    order.resize(static_cast<std::size_t>(count));
    return order;
}

class ProductAddresser final : public Addresser {
public:
    ProductAddresser(Matrix<float> first, Matrix<float> second, std::int64_t k, double temperature)
        : m_first(std::move(first)), m_second(std::move(second)), m_firstHalves(halfSquares(m_first.view())), m_secondHalves(halfSquares(m_second.view())), m_k(k), m_temperature(temperature)
    {
    }
    std::int64_t width() const noexcept override { return m_first.cols() + m_second.cols(); }
    std::int64_t cells() const noexcept override { return m_first.rows() * m_second.rows(); }
    std::uint64_t macs() const noexcept override { return m_first.size() + m_second.size(); }
    void address(std::span<const float> x, Reads& reads) const override
    {
        std::vector<float> first, second, scores;
        const auto split = static_cast<std::size_t>(m_first.cols());
        nearnessScores(m_first.view(), m_firstHalves, x.first(split), first);
        nearnessScores(m_second.view(), m_secondHalves, x.subspan(split), second);
        requireFinite(first);
        requireFinite(second);
        reads.cells.clear();
        for (const ScoredCell& cell : bestProducts(first, second, m_k)) {
            reads.cells.push_back(static_cast<std::int32_t>(cell.first * m_second.rows() + cell.second));
            scores.push_back(cell.score);
        }
        softmaxWeights(scores, m_temperature, reads.weights);
    }

private:
    Matrix<float> m_first, m_second;
    std::vector<double> m_firstHalves, m_secondHalves;
    std::int64_t m_k;
    double m_temperature;
};

class MixtureAddresser final : public Addresser {
public:
    MixtureAddresser(Matrix<float> keys, Routing routing, std::int64_t active, double temperature, std::vector<double> cost, double threshold)
        : m_keys(std::move(keys)), m_halves(halfSquares(m_keys.view())), m_routing(routing), m_active(active), m_temperature(temperature), m_cost(std::move(cost)), m_threshold(threshold)
    {
        m_cost.resize(m_halves.size());
    }
    std::int64_t width() const noexcept override { return m_keys.cols(); }
    std::int64_t cells() const noexcept override { return m_keys.rows(); }
    std::uint64_t macs() const noexcept override { return m_keys.size(); }
    void address(std::span<const float> x, Reads& reads) const override
    {
        std::vector<float> z;
        nearnessScores(m_keys.view(), m_halves, x, z);
        for (std::size_t e = 0; e < z.size(); ++e)
            z[e] = static_cast<float>(static_cast<double>(z[e]) / m_temperature - m_cost[e]);
        requireFinite(z);
        reads.weights.clear();
        if (m_routing == Routing::TopExperts) {
            reads.cells = bestPlaces(z, m_active);
            std::vector<float> chosen;
            for (const std::int32_t cell : reads.cells)
                chosen.push_back(z[static_cast<std::size_t>(cell)]);
            softmaxWeights(chosen, 1, reads.weights);
            return;
        }
        reads.cells = bestPlaces(z, static_cast<std::int64_t>(z.size()));
        std::erase_if(reads.cells, [&](std::int32_t cell) { return !(static_cast<double>(z[static_cast<std::size_t>(cell)]) > m_threshold); });
        double sum = 0;
        for (const std::int32_t cell : reads.cells)
            sum += static_cast<double>(z[static_cast<std::size_t>(cell)]) - m_threshold;
        for (const std::int32_t cell : reads.cells)
            reads.weights.push_back(static_cast<float>((static_cast<double>(z[static_cast<std::size_t>(cell)]) - m_threshold) / sum));
    }

private:
    Matrix<float> m_keys;
    std::vector<double> m_halves;
    Routing m_routing;
    std::int64_t m_active;
    double m_temperature;
    std::vector<double> m_cost;
    double m_threshold;
};
} // namespace

std::vector<Reads> addressAll(const Addresser& addresser, MatrixView<const float> rows, const RunContext& context)
{
    if (rows.cols != addresser.width())
        invalid("found rows of width " + std::to_string(rows.cols) + ", expected " + std::to_string(addresser.width()), "addressing");
    std::vector<Reads> all(static_cast<std::size_t>(rows.rows));
    parallelFor(context, static_cast<std::size_t>((rows.rows + kRowsATask - 1) / kRowsATask), [&](std::size_t task) {
        const auto first = static_cast<std::int64_t>(task) * kRowsATask;
        for (std::int64_t t = first; t < std::min(first + kRowsATask, rows.rows); ++t)
            addresser.address(rows.row(t), all[static_cast<std::size_t>(t)]);
    });
    return all;
}

void softmaxWeights(std::span<const float> scores, double temperature, std::vector<float>& weights)
{
    weights.resize(scores.size());
    if (scores.empty())
        return;
    const auto most = static_cast<double>(*std::ranges::max_element(scores));
    double sum = 0;
    for (const float score : scores)
        sum += std::exp((static_cast<double>(score) - most) / temperature);
    for (std::size_t i = 0; i < scores.size(); ++i)
        weights[i] = static_cast<float>(std::exp((static_cast<double>(scores[i]) - most) / temperature) / sum);
}

std::vector<double> halfSquares(MatrixView<const float> keys)
{
    std::vector<double> halves(static_cast<std::size_t>(keys.rows));
    for (std::int64_t i = 0; i < keys.rows; ++i)
        for (const float value : keys.row(i))
            halves[static_cast<std::size_t>(i)] += 0.5 * static_cast<double>(value) * static_cast<double>(value);
    return halves;
}

void nearnessScores(MatrixView<const float> keys, std::span<const double> halves, std::span<const float> x, std::vector<float>& scores)
{
    scores.resize(static_cast<std::size_t>(keys.rows));
    for (std::int64_t i = 0; i < keys.rows; ++i) {
        const float* const key = keys.data + i * keys.stride;
        double sum = 0;
        for (std::size_t j = 0; j < x.size(); ++j)
            sum += static_cast<double>(x[j]) * static_cast<double>(key[j]);
        scores[static_cast<std::size_t>(i)] = static_cast<float>(sum - halves[static_cast<std::size_t>(i)]);
    }
}

std::vector<ScoredCell> bestProducts(std::span<const float> first, std::span<const float> second, std::int64_t k)
{
    if (k < 1 || static_cast<std::uint64_t>(k) > static_cast<std::uint64_t>(first.size()) * second.size())
        invalid("found " + std::to_string(k) + ", expected 1 to all " + std::to_string(first.size() * second.size()) + " products", "k");
    const auto a = bestPlaces(first, k), b = bestPlaces(second, k);
    std::vector<ScoredCell> cells;
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t j = 0; j < b.size() && static_cast<std::int64_t>((i + 1) * (j + 1)) <= k; ++j)
            cells.push_back({a[i], b[j], first[static_cast<std::size_t>(a[i])] + second[static_cast<std::size_t>(b[j])]});
    const auto before = [&](const ScoredCell& x, const ScoredCell& y) {
        if (x.score != y.score)
            return x.score > y.score;
        if (x.first != y.first) {
            const float p = first[static_cast<std::size_t>(x.first)], q = first[static_cast<std::size_t>(y.first)];
            return p != q ? p > q : x.first < y.first;
        }
        const float p = second[static_cast<std::size_t>(x.second)], q = second[static_cast<std::size_t>(y.second)];
        return p != q ? p > q : x.second < y.second;
    };
    std::ranges::partial_sort(cells, cells.begin() + static_cast<std::ptrdiff_t>(k), before);
    cells.resize(static_cast<std::size_t>(k));
    return cells;
}

AddresserPtr productAddresser(Matrix<float> first, Matrix<float> second, std::int64_t k, double temperature)
{
    requireTemperature(temperature);
    if (first.rows() < 1 || second.rows() < 1 || k < 1 || k > first.rows() * second.rows())
        invalid("found " + std::to_string(k) + " cells of " + std::to_string(first.rows()) + " x " + std::to_string(second.rows()) + ", expected at least one sub-key of each half and 1 to all cells", "k");
    return std::make_shared<ProductAddresser>(std::move(first), std::move(second), k, temperature);
}

AddresserPtr mixtureAddresser(Matrix<float> keys, Routing routing, std::int64_t active, double temperature, std::vector<double> cost, double threshold)
{
    requireTemperature(temperature);
    if (keys.rows() < 1 || active < 1 || active > keys.rows() || (!cost.empty() && static_cast<std::int64_t>(cost.size()) != keys.rows()) || !std::isfinite(threshold))
        invalid("found " + std::to_string(active) + " of " + std::to_string(keys.rows()) + " experts with " + std::to_string(cost.size()) + " costs, expected 1 to all active and a cost each or none", "active");
    return std::make_shared<MixtureAddresser>(std::move(keys), routing, active, temperature, std::move(cost), threshold);
}

double reluThreshold(MatrixView<const float> keys, double temperature, std::int64_t active, MatrixView<const float> rows, const RunContext& context)
{
    requireTemperature(temperature);
    if (rows.rows < 1 || active < 1 || active > keys.rows)
        invalid("found " + std::to_string(active) + " of " + std::to_string(keys.rows) + " experts over " + std::to_string(rows.rows) + " rows, expected 1 to all over at least one", "active");
    const auto halves = halfSquares(keys);
    const std::int64_t count = std::min(kThresholdRows, rows.rows);
    std::vector<float> all, z;
    for (std::int64_t t = 0; t < count; ++t) {
        context.throwIfStopped();
        nearnessScores(keys, halves, rows.row(t * rows.rows / count), z);
        for (const float score : z)
            all.push_back(static_cast<float>(static_cast<double>(score) / temperature));
    }
    requireFinite(all);
    if (active == keys.rows) // below the least of them
        return static_cast<double>(*std::ranges::min_element(all)) - 1;
    const auto cut = all.begin() + static_cast<std::ptrdiff_t>(count * active); // the first that is left out
    std::ranges::nth_element(all, cut, std::greater<>());
    return static_cast<double>(*cut);
}

} // namespace tamis::addressing

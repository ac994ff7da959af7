// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/exit_rule.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::tokens {
namespace {
void requireTable(const ExitTable& table, std::size_t exits, std::size_t costs)
{
    const auto columns = static_cast<std::size_t>(table.confidence.cols());
    if (table.confidence.rows() < 1 || table.agrees.rows() != table.confidence.rows() || table.agrees.cols() != table.confidence.cols())
        throw Error(ErrorCode::InvalidParameter, "found exits of " + std::to_string(table.confidence.rows()) + " photos with agreements of " + std::to_string(table.agrees.rows()) +
                                                     ", expected one photo at least and as many of both");
    if (exits != columns || costs != columns + 1)
        throw Error(ErrorCode::InvalidParameter, "found thresholds for " + std::to_string(exits) + " exits and " + std::to_string(costs) + " costs, expected " + std::to_string(columns) + " and one more");
}

/// Thresholds of the first exits, and who is still there.
struct Partial {
    std::vector<double> thresholds;
    std::vector<std::int32_t> left; ///< photos
    std::int64_t disagreements = 0;
    double cost = 0;  ///< sum over the photos gone
    double bound = 0; ///< cost if all that are left went at the next exit
};

/// The candidate's photos gone from `from`; empty thresholds where they are too many to disagree.
Partial extended(const Partial& from, const ExitTable& table, std::int64_t exit, double threshold, double cost, double nextCost, std::int64_t budget)
{
    Partial to;
    to.disagreements = from.disagreements;
    to.cost = from.cost;
    to.left.reserve(from.left.size());
    for (const std::int32_t photo : from.left) {
        if (static_cast<double>(table.confidence(photo, exit)) < threshold) {
            to.left.push_back(photo);
            continue;
        }
        to.cost += cost;
        to.disagreements += table.agrees(photo, exit) ? 0 : 1;
        if (to.disagreements > budget)
            return to;
    }
    to.thresholds = from.thresholds;
    to.thresholds.push_back(threshold);
    to.bound = to.cost + nextCost * static_cast<double>(to.left.size());
    return to;
}

/// The kWidth of the least bound in each band of disagreements.
void thinOut(std::vector<Partial>& partials, std::int64_t budget)
{
    std::ranges::stable_sort(partials, [](const Partial& a, const Partial& b) { return a.bound != b.bound ? a.bound < b.bound : a.disagreements < b.disagreements; });
    std::vector<std::size_t> kept(kBands);
    std::erase_if(partials, [&](const Partial& partial) {
        const auto band = static_cast<std::size_t>(partial.disagreements) * kBands / static_cast<std::size_t>(budget + 1);
        return ++kept[band] > kWidth;
    });
}
} // namespace

ExitRule parseExitRule(std::string_view name)
{
    if (name == "max-probability")
        return ExitRule::MaxProbability;
    if (name == "entropy")
        return ExitRule::Entropy;
    throw Error(ErrorCode::InvalidParameter, "found \"" + std::string(name) + "\", expected max-probability or entropy", "rule");
}

ParameterSpec exitRuleParameter()
{
    return {.name = "rule", .title = "Confidence", .type = ParameterType::Choice, .defaultValue = std::string("max-probability"),
            .help = "max-probability: of the best class; entropy: 1 - entropy of the classes, in parts of the largest that it can be", .choices = {"max-probability", "entropy"}};
}

double confidenceOf(ExitRule rule, std::span<const float> logits)
{
    double largest = -std::numeric_limits<double>::infinity();
    for (const float value : logits) {
        if (!std::isfinite(value))
            throw Error(ErrorCode::NonFinite, "found NaN or infinity in the logits of an exit, expected numbers");
        largest = std::max(largest, static_cast<double>(value));
    }
    double sum = 0, weighted = 0; // weighted: sum of e^(l - max) (l - max)
    for (const float value : logits) {
        const double shifted = static_cast<double>(value) - largest;
        sum += std::exp(shifted);
        weighted += std::exp(shifted) * shifted;
    }
    if (rule == ExitRule::MaxProbability || logits.size() < 2)
        return 1 / sum;
    const double entropy = std::log(sum) - weighted / sum;
    return std::clamp(1 - entropy / std::log(static_cast<double>(logits.size())), 0.0, 1.0);
}

std::vector<double> fallingThresholds(double start, double slope, std::size_t exits)
{
    std::vector<double> thresholds;
    for (std::size_t i = 0; i < exits; ++i)
        thresholds.push_back(std::max(0.0, start - slope * static_cast<double>(i)));
    return thresholds;
}

ExitOutcome outcomeOf(const ExitTable& table, std::span<const double> thresholds, std::span<const double> costs)
{
    requireTable(table, thresholds.size(), costs.size());
    ExitOutcome outcome;
    outcome.histogram.assign(costs.size(), 0);
    std::int64_t agree = 0;
    for (std::int64_t photo = 0; photo < table.confidence.rows(); ++photo) {
        std::size_t exit = 0;
        while (exit < thresholds.size() && static_cast<double>(table.confidence(photo, static_cast<std::int64_t>(exit))) < thresholds[exit])
            ++exit;
        ++outcome.histogram[exit];
        agree += exit == thresholds.size() || table.agrees(photo, static_cast<std::int64_t>(exit)) ? 1 : 0;
    }
    const auto photos = static_cast<double>(table.confidence.rows());
    for (std::size_t i = 0; i < costs.size(); ++i)
        outcome.cost += costs[i] * static_cast<double>(outcome.histogram[i]) / photos;
    outcome.agreement = static_cast<double>(agree) / photos;
    return outcome;
}

std::vector<std::vector<double>> candidateThresholds(const ExitTable& table, std::size_t count)
{
    std::vector<std::vector<double>> candidates;
    const auto photos = static_cast<std::size_t>(table.confidence.rows());
    for (std::int64_t exit = 0; exit < table.confidence.cols(); ++exit) {
        std::vector<double> values;
        for (std::int64_t photo = 0; photo < table.confidence.rows(); ++photo)
            values.push_back(static_cast<double>(table.confidence(photo, exit)));
        std::ranges::sort(values, std::greater{});
        std::vector<double> chosen{kNever};
        for (std::size_t i = 1; i <= count && photos > 0; ++i)
            if (const double value = values[std::max<std::size_t>(1, i * photos / count) - 1]; value < chosen.back())
                chosen.push_back(value);
        candidates.push_back(std::move(chosen));
    }
    return candidates;
}

std::vector<double> tuneThresholds(const ExitTable& table, std::span<const double> costs, double target, const std::vector<std::vector<double>>& candidates, const RunContext& context)
{
    requireTable(table, candidates.size(), costs.size());
    const std::int64_t photos = table.confidence.rows();
    // a share of photos that is met but for the rounding of the target is met
    const auto budget = static_cast<std::int64_t>(std::floor(static_cast<double>(photos) * (1 - std::clamp(target, 0.0, 1.0)) + 1e-9));
    Partial start;
    for (std::int64_t photo = 0; photo < photos; ++photo)
        start.left.push_back(static_cast<std::int32_t>(photo));
    std::vector<Partial> partials{std::move(start)};
    for (std::size_t exit = 0; exit < candidates.size(); ++exit) {
        std::vector<double> values = candidates[exit];
        if (std::ranges::find(values, kNever) == values.end())
            values.push_back(kNever); // leaving nowhere always meets the target
        std::vector<Partial> next;
        for (const Partial& partial : partials) {
            context.throwIfStopped();
            for (const double threshold : values)
                if (Partial to = extended(partial, table, static_cast<std::int64_t>(exit), threshold, costs[exit], costs[exit + 1], budget); !to.thresholds.empty())
                    next.push_back(std::move(to));
        }
        thinOut(next, budget);
        partials = std::move(next);
    }
    const auto best = std::ranges::min_element(partials, [](const Partial& a, const Partial& b) { return a.bound != b.bound ? a.bound < b.bound : a.disagreements < b.disagreements; });
    return candidates.empty() ? std::vector<double>{} : best->thresholds;
}

} // namespace tamis::tokens

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/ar_gap.h"

#include "core/cache/online_regression.h"
#include "core/cache/sampled_policy.h"

#include <array>
#include <cmath>

namespace tamis::cache {
namespace {
constexpr std::size_t kMostGaps = 3;
constexpr double kSlowly = 1.0 / 256; ///< at which the error's mean square follows

struct Past {
    std::uint64_t last = 0; ///< counted from 1; 0: never
    std::array<double, kMostGaps> gaps{}; ///< log2, newest first
    std::uint32_t known = 0;
    float expected = 0, latest = 0; ///< predicted gap; beyond this age the prediction has failed
};

struct Entry {
    std::uint32_t object = 0, size = 1;
};

/// Of objects with as many gaps known.
struct Model {
    RecursiveLeastSquares regression;
    double error = 1; ///< mean square, of log2
    double entered = 2, returned = 1; ///< objects that came to be of this kind; those of them that came again
};

class ArGap final : public RememberingPolicy<ArGap, Entry, Past> {
public:
    ArGap(std::uint64_t capacity, std::size_t sample, double forgetting, std::uint64_t seed) : RememberingPolicy(capacity, sample, seed)
    {
        for (std::size_t known = 0; known <= kMostGaps; ++known)
            m_models.push_back({RecursiveLeastSquares(known + 1, forgetting)});
    }
    bool touch(const Request& request)
    {
        ++m_now;
        Past& past = this->past(request.object);
        if (past.last > 0) {
            const double gap = std::log2(static_cast<double>(m_now - past.last));
            Model& model = m_models[past.known];
            const auto x = regressors(past);
            const double off = gap - model.regression.predict(x);
            model.error += kSlowly * (off * off - model.error);
            model.regression.learn(x, gap);
            ++model.returned;
            std::shift_right(past.gaps.begin(), past.gaps.end(), 1);
            past.gaps[0] = gap;
            past.known = std::min<std::uint32_t>(past.known + 1, kMostGaps);
        }
        Model& model = m_models[past.known];
        ++model.entered;
        past.last = m_now;
        const double expected = std::clamp(model.regression.predict(regressors(past)), 0.0, 48.0);
        past.expected = static_cast<float>(std::exp2(expected));
        past.latest = static_cast<float>(std::exp2(expected + 2 * std::sqrt(model.error)));
        return find(request.object) != nullptr;
    }
    void insert(const Request& request) { put({request.object, request.size}); }
    /// The farther, the less; distances count for more where few of a kind come again. Who is overdue by two deviations is as far away as it is old.
    double worth(const Entry& entry) const noexcept
    {
        const Past& past = this->past(entry.object);
        const Model& model = m_models[past.known];
        const auto age = static_cast<double>(m_now - past.last);
        const double left = age <= static_cast<double>(past.latest) ? std::max(1.0, static_cast<double>(past.expected) - age) : age;
        return -left * model.entered / model.returned;
    }
    std::vector<PolicyFigure> figures() const override
    {
        const Model& model = m_models[kMostGaps];
        std::vector<PolicyFigure> figures{{"constant", model.regression.weights()[0]}};
        for (std::size_t i = 1; i <= kMostGaps; ++i)
            figures.push_back({"weight of gap " + std::to_string(i), model.regression.weights()[i]});
        figures.push_back({"error, doublings", std::sqrt(model.error)});
        return figures;
    }

private:
    struct Regressors {
        std::array<double, kMostGaps + 1> values{1};
        std::size_t count = 1;
        operator std::span<const double>() const noexcept { return {values.data(), count}; }
    };
    static Regressors regressors(const Past& past) noexcept
    {
        Regressors x;
        std::copy_n(past.gaps.begin(), past.known, x.values.begin() + 1);
        x.count = past.known + 1;
        return x;
    }
    std::vector<Model> m_models; ///< [gaps known]
    std::uint64_t m_now = 0;
};
} // namespace

Method arGapMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.ar-gap",
        .lab = "cache",
        .title = "Next request by autoregression",
        .reference = "log gap = a + b1 x last log gap + ... (three of them), by recursive least squares while running; the farthest predicted request of a sample leaves",
        .schema = ParameterSchema({
            {.name = "sample", .title = "Sample", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .unit = "objects", .help = "Looked at for each that leaves"},
            {.name = "forgetting", .title = "Forgetting", .type = ParameterType::Real, .defaultValue = 0.9999, .minimum = 0.9, .maximum = 1, .help = "What a gap counts for each one seen since; 1: all alike"},
        })};
    method.random = true;
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        const Parameters parameters = arGapMethod().declaration.schema.complete(given);
        return std::make_unique<ArGap>(inputs.capacity, static_cast<std::size_t>(parameters.integer("sample")), parameters.real("forgetting"), inputs.seed);
    };
    return method;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Policies that learn whether an object comes back soon, as LRB (Song, Berger, Li, Lloyd 2020): held objects are looked at now and then, labelled by
// whether they are requested within a horizon (the relaxed Belady boundary), and a model of the latest labels ranks a sample of what is held. Private
// to the lab.
#include "core/cache/method.h"
#include "core/cache/reuse_past.h"
#include "core/cache/sampled_policy.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace tamis::cache {

struct ReuseSettings {
    std::size_t sample = 64;    ///< candidates for each that leaves
    std::size_t window = 8192;  ///< labels that a model is fitted to
    std::size_t retrain = 4096; ///< new labels between fits; less at first
    std::uint64_t horizon = 0;  ///< requests; 0: twice what an object stays for
    std::uint64_t every = 4;    ///< requests between looks at a held object
    bool bySize = false;        ///< what a byte brings instead of what an object brings
};
/// Of the methods that use it.
ParameterSchema reuseSchema();
ReuseSettings reuseSettings(const Parameters& complete);

struct ReuseEntry {
    std::uint32_t object = 0, size = 1;
};

/// The latest labelled rows.
class LabelWindow {
public:
    explicit LabelWindow(std::size_t most) : m_most(most) {}
    void add(const std::array<float, kReuseFeatures>& x, bool label)
    {
        if (m_labels.size() < m_most) {
            m_rows.insert(m_rows.end(), x.begin(), x.end());
            m_labels.push_back(label ? 1 : 0);
        } else {
            std::ranges::copy(x, m_rows.begin() + static_cast<std::ptrdiff_t>(m_at * kReuseFeatures));
            m_labels[m_at] = label ? 1 : 0;
            m_at = (m_at + 1) % m_most;
        }
        ++m_fresh;
    }
    std::size_t fresh() const noexcept { return m_fresh; }
    void used() noexcept { m_fresh = 0; }
    std::span<const float> rows() const noexcept { return m_rows; }
    std::span<const std::uint8_t> labels() const noexcept { return m_labels; }
    std::size_t bytesHeld() const noexcept { return m_rows.capacity() * sizeof(float) + m_labels.capacity(); }

private:
    std::size_t m_most, m_at = 0, m_fresh = 0;
    std::vector<float> m_rows;
    std::vector<std::uint8_t> m_labels;
};

/// Model has void learn(rows, labels), bool fitted(), double score(span<const float>) in log odds, figures(std::vector<PolicyFigure>&).
template <class Model> class ReuseLearning final : public RememberingPolicy<ReuseLearning<Model>, ReuseEntry, ReusePast> {
    using Base = RememberingPolicy<ReuseLearning<Model>, ReuseEntry, ReusePast>;

public:
    ReuseLearning(std::uint64_t capacity, const ReuseSettings& settings, Model model, std::uint64_t seed)
        : Base(capacity, settings.sample, seed), m_settings(settings), m_model(std::move(model)), m_labels(settings.window), m_state(mixedBits(seed + kSplitMixStep)) {}
    void know(std::size_t objects) override
    {
        Base::know(objects);
        if (objects > m_lookOf.size())
            m_lookOf.resize(objects, 0);
    }
    bool touch(const Request& request)
    {
        ++m_now;
        settle(request.object);
        this->past(request.object).note(m_now, request.size);
        const bool hit = this->find(request.object) != nullptr;
        ++m_requests;
        m_misses += hit ? 0U : 1U;
        if (m_now % m_settings.every == 0 && m_now >= m_nextLook && !this->held().empty())
            look(this->held()[static_cast<std::size_t>(nextBits(m_state) % this->held().size())].object);
        if (m_labels.fresh() >= m_next)
            fit();
        return hit;
    }
    void insert(const Request& request) { this->put({request.object, request.size}); }
    /// Before anything is learned, and where scores are alike: who was requested last stays.
    double worth(const ReuseEntry& entry) const
    {
        const ReusePast& past = this->past(entry.object);
        if (!m_model.fitted())
            return -static_cast<double>(m_now - past.last);
        const std::array<float, kReuseFeatures> x = past.features(m_now);
        const double soon = 1 / (1 + std::exp(-m_model.score(x))) - 1e-9 * static_cast<double>(x[0]);
        return m_settings.bySize ? soon / static_cast<double>(entry.size) : soon;
    }
    std::size_t stateBytes() const noexcept override
    {
        return Base::stateBytes() + m_lookOf.capacity() * sizeof(std::uint64_t) + m_looks.size() * sizeof(Look) + m_labels.bytesHeld();
    }
    std::vector<PolicyFigure> figures() const override
    {
        std::vector<PolicyFigure> figures{{"fits", static_cast<double>(m_fits)}, {"horizon", static_cast<double>(horizon())}};
        if (m_model.fitted())
            m_model.figures(figures);
        return figures;
    }

private:
    static constexpr std::size_t kFirstFit = 256; ///< labels
    static constexpr std::size_t kMostLooks = 131072; ///< that wait for their label, or lie between such: 9 MiB
    struct Look {
        std::uint32_t object = 0;
        bool settled = false;
        std::uint64_t at = 0, horizon = 0;
        std::array<float, kReuseFeatures> x{};
    };
    /// An object that is held stays for as many misses as there are objects.
    std::uint64_t horizon() const noexcept
    {
        if (m_settings.horizon > 0)
            return m_settings.horizon;
        const double stay = static_cast<double>(this->held().size()) * static_cast<double>(m_requests) / static_cast<double>(std::max<std::uint64_t>(m_misses, 1));
        return static_cast<std::uint64_t>(std::clamp(2 * stay, 16.0, 1e9));
    }
    void look(std::uint32_t object)
    {
        const std::uint64_t within = horizon();
        m_nextLook = m_now + within / kMostLooks; // no more than that many wait at a time
        if (m_lookOf[object] != 0)
            return; // its last look is not settled yet
        if (m_looks.size() == kMostLooks) { // horizons became shorter: the oldest is not waited for
            if (!m_looks.front().settled)
                m_lookOf[m_looks.front().object] = 0;
            m_looks.pop_front();
            ++m_first;
        }
        m_looks.push_back({object, false, m_now, within, this->past(object).features(m_now)});
        m_lookOf[object] = m_first + m_looks.size();
    }
    /// The requested object came back; those that did not within their horizon are labelled so.
    void settle(std::uint32_t requested)
    {
        if (m_lookOf[requested] != 0) {
            Look& look = m_looks[static_cast<std::size_t>(m_lookOf[requested] - 1 - m_first)];
            m_labels.add(look.x, m_now - look.at <= look.horizon);
            look.settled = true;
            m_lookOf[requested] = 0;
        }
        for (; !m_looks.empty() && (m_looks.front().settled || m_now - m_looks.front().at > m_looks.front().horizon); m_looks.pop_front(), ++m_first)
            if (!m_looks.front().settled) {
                m_labels.add(m_looks.front().x, false);
                m_lookOf[m_looks.front().object] = 0;
            }
    }
    void fit()
    {
        m_model.learn(m_labels.rows(), m_labels.labels());
        m_labels.used();
        ++m_fits;
        m_next = std::min(m_settings.retrain, std::max(kFirstFit, m_labels.labels().size() / 2));
        m_requests /= 2;
        m_misses /= 2;
    }
    ReuseSettings m_settings;
    Model m_model;
    LabelWindow m_labels;
    std::uint64_t m_state, m_now = 0, m_requests = 0, m_misses = 0, m_first = 0, m_fits = 0, m_nextLook = 0;
    std::size_t m_next = kFirstFit;
    std::vector<std::uint64_t> m_lookOf;   ///< [objects] 1 + number of the look that is not settled; 0: none
    std::deque<Look> m_looks;              ///< the first is number m_first
};

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/run_context.h"

#include "core/base/error.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace tamis {

class Progress {
public:
    std::shared_ptr<Progress> add(double weight, std::string_view label)
    {
        auto child = std::make_shared<Progress>();
        child->m_label = label;
        const std::lock_guard lock(m_mutex);
        m_active = child;
        m_children.push_back({weight, child});
        return child;
    }
    void setTotal(double total)
    {
        const std::lock_guard lock(m_mutex);
        m_total = total;
    }
    void setFraction(double fraction)
    {
        const std::lock_guard lock(m_mutex);
        m_own = std::clamp(fraction, 0.0, 1.0);
    }
    double fraction() const
    {
        const std::lock_guard lock(m_mutex);
        if (m_own >= 1.0 || m_children.empty())
            return m_own;
        double sum = 0, done = 0;
        for (const auto& [weight, child] : m_children) {
            sum += weight;
            done += weight * child->fraction();
        }
        const double total = std::max(sum, m_total);
        return total > 0 ? std::min(1.0, done / total) : 0.0;
    }
    std::string label() const
    {
        std::shared_ptr<Progress> active;
        {
            const std::lock_guard lock(m_mutex);
            active = m_active.lock();
            if (!active)
                return m_label;
        }
        return active->label();
    }

private:
    mutable std::mutex m_mutex; // taken parent before child, never the other way round
    std::string m_label;
    double m_own = 0, m_total = 0;
    std::vector<std::pair<double, std::shared_ptr<Progress>>> m_children;
    std::weak_ptr<Progress> m_active;
};

RunContext::RunContext() : m_progress(std::make_shared<Progress>()) {}

RunContext::RunContext(std::stop_token stop, LogSink log)
    : m_stop(std::move(stop)), m_log(std::move(log)), m_progress(std::make_shared<Progress>())
{
}

RunContext::RunContext(std::stop_token stop, LogSink log, std::shared_ptr<Progress> node)
    : m_stop(std::move(stop)), m_log(std::move(log)), m_progress(std::move(node))
{
}

void RunContext::throwIfStopped() const
{
    if (m_stop.stop_requested())
        throw Error(ErrorCode::Cancelled, "stopped on request");
}

RunContext RunContext::part(double weight, std::string_view label) const
{
    return RunContext(m_stop, m_log, m_progress->add(weight, label));
}

void RunContext::setParts(double totalWeight) const { m_progress->setTotal(totalWeight); }
void RunContext::setFraction(double fraction) const { m_progress->setFraction(fraction); }
double RunContext::fraction() const { return m_progress->fraction(); }
std::string RunContext::label() const { return m_progress->label(); }

void RunContext::log(LogLevel level, const std::string& text) const
{
    if (m_log)
        m_log(level, text);
}

} // namespace tamis

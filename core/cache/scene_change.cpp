// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/scene_change.h"

#include <algorithm>
#include <cmath>

namespace tamis::cache {
namespace {
constexpr std::uint32_t kMemory = 8;        ///< windows after which an object is new again
constexpr std::uint64_t kLearnedFirst = 4;  ///< windows
constexpr int kUnlearned = 3;               ///< windows in which most is new because the scene is: in a mean they would hide a change
constexpr double kMeanOver = 16;            ///< windows
constexpr double kSlack = 0.5;              ///< deviations
} // namespace

void SceneDetector::know(std::size_t objects)
{
    if (m_settings.signal == SceneSignal::NewObjects && objects > m_lastWindow.size())
        m_lastWindow.resize(objects, 0);
}

bool SceneDetector::after(std::uint32_t object, bool hit)
{
    if (m_settings.signal == SceneSignal::NewObjects) {
        std::uint32_t& last = m_lastWindow[object];
        m_counted += last == 0 || m_window - last > kMemory ? 1U : 0U;
        last = m_window;
    } else {
        m_counted += hit ? 1U : 0U;
    }
    if (++m_requests < m_settings.window)
        return false;
    const double share = static_cast<double>(m_counted) / static_cast<double>(m_requests);
    m_requests = m_counted = 0;
    ++m_window;
    return judged(share);
}

bool SceneDetector::judged(double share)
{
    if (m_settings.signal == SceneSignal::NewObjects && m_passed < kUnlearned) {
        ++m_passed;
        return false;
    }
    if (m_learned >= kLearnedFirst) {
        const auto draws = static_cast<double>(m_settings.window);
        const double deviation = std::sqrt(std::max({m_variance, m_mean * (1 - m_mean) / draws, 1 / (draws * draws)}));
        const double off = m_settings.signal == SceneSignal::HitRatio ? m_mean - share : share - m_mean;
        m_sum = std::max(0.0, m_sum + off / deviation - kSlack);
        if (m_sum > m_settings.threshold) {
            m_learned = 0;
            m_passed = 0;
            m_mean = m_variance = m_sum = 0;
            return true;
        }
    }
    ++m_learned;
    const double weight = 1 / std::min(static_cast<double>(m_learned), kMeanOver), off = share - m_mean;
    m_mean += weight * off;
    m_variance = (1 - weight) * (m_variance + weight * off * off);
    return false;
}

} // namespace tamis::cache

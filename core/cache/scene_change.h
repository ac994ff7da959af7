// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// When the requests are no longer what they were: a one-sided cumulative sum (Page 1954) over windows of requests.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis::cache {

enum class SceneSignal {
    Off,
    HitRatio,   ///< of a window, falling below its running mean
    NewObjects, ///< share of a window's requests whose object did not come in the eight windows before, rising above its running mean
};

struct SceneSettings {
    SceneSignal signal = SceneSignal::Off;
    std::uint64_t window = 1000; ///< requests, 1 at least
    double threshold = 5;        ///< deviations that the sum must pass
    bool operator==(const SceneSettings&) const = default;
};

/// The running mean and deviation are of about the last 16 windows, the deviation never less than that of as many draws; a window adds what it lies
/// off, less half a deviation. Four windows are learned from before any is judged, at the start and behind a change; of new objects not the first three,
/// in which nearly all are. Not thread-safe.
class SceneDetector {
public:
    explicit SceneDetector(const SceneSettings& settings) : m_settings(settings) {}
    void know(std::size_t objects);
    /// True: with this request a window ended that shows a change.
    bool after(std::uint32_t object, bool hit);
    std::size_t bytesHeld() const noexcept { return m_lastWindow.capacity() * sizeof(std::uint32_t); }

private:
    bool judged(double share);
    SceneSettings m_settings;
    std::vector<std::uint32_t> m_lastWindow; ///< [objects] window of the last request, from 1; 0: none
    std::uint32_t m_window = 1;
    std::uint64_t m_requests = 0, m_counted = 0;
    std::uint64_t m_learned = 0; ///< windows
    int m_passed = 0;            ///< windows not learned from
    double m_mean = 0, m_variance = 0, m_sum = 0;
};

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How long a run goes on after it was asked to stop, whoever else uses the machine.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <stop_token>

namespace tamis::test {

/// The contract of a run is to leave within 0.1 s on a machine of its own. A slower machine is given five times that, code under the
/// address sanitizer five times more.
#ifdef __SANITIZE_ADDRESS__
inline constexpr double kSoonSeconds = 2.5;
#else
inline constexpr double kSoonSeconds = 0.5;
#endif

class StopClock {
public:
    /// Once, by any thread. Whoever has seen the stop may call seconds().
    void ask(std::stop_source& source)
    {
        m_asked = Clock::now();
        m_worked = worked();
        source.request_stop();
    }
    /// Since ask(): the clock's seconds, or this process's processor time where that is less. A run that computes on spends it, one
    /// whose processor other programs hold does not. Ten seconds by the clock are a hang, whatever they were spent on.
    double seconds() const
    {
        const double clock = std::chrono::duration<double>(Clock::now() - m_asked).count();
        return clock < 10 ? std::min(clock, worked() - m_worked) : clock;
    }

private:
    using Clock = std::chrono::steady_clock;
    static double worked()
    {
        timespec time{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    }
    Clock::time_point m_asked;
    double m_worked = 0;
};

} // namespace tamis::test

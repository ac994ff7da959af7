// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace tamis::app {

/// Stops what runs with its context once the time is over: for coarse pictures, which nobody else stops.
class Deadline {
public:
    explicit Deadline(std::chrono::milliseconds after)
        : m_clock([this, after](const std::stop_token& done) {
              std::unique_lock lock(m_mutex);
              m_wake.wait_for(lock, done, after, [] { return false; });
              if (!done.stop_requested())
                  m_stop.request_stop();
          })
    {
    }
    RunContext context() const { return RunContext(m_stop.get_token()); }

private:
    std::stop_source m_stop;
    std::mutex m_mutex;
    std::condition_variable_any m_wake;
    std::jthread m_clock; ///< last: ends first
};

} // namespace tamis::app

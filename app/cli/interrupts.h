// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace tamis::cli {

/// SIGINT and SIGTERM, seen by a thread of its own. The first asks the run to stop. A run that has not left after 80 ms (a
/// LAPACK call cannot be interrupted) is ended there and then with status 130, unless it is writing files: it is then
/// waited for, because it removes what is half-written. What was finished before the stop is kept first (onStop). A second signal
/// ends the program at once. One object a program.
class Interrupts {
public:
    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    std::stop_token token() const noexcept { return m_stop.get_token(); }
    /// Files are about to be written. Throws Error{Cancelled} when a stop was requested before.
    void beginWriting();
    /// `keep` saves what is finished, in some milliseconds; called at most once, when a stop ends the run, by whichever thread ends
    /// it. Empty: nothing to keep; returns once a call that runs is over.
    void onStop(std::function<void()> keep);
    /// The run has left its work because it was stopped: keeps what is finished. Returns only where the program is to end on its own.
    void endStopped();

private:
    void watch();
    void keepResults();
    std::mutex m_mutex; ///< guards m_keep
    std::function<void()> m_keep;
    std::atomic<bool> m_ending = false; ///< one thread ends a stopped program, and says so
    std::stop_source m_stop;
    std::atomic<bool> m_closing = false, m_writing = false;
    std::thread m_watcher;
};

} // namespace tamis::cli

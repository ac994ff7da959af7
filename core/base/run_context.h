// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every long computation is given: a way to be stopped, a place to report progress, a log.
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace tamis {

enum class LogLevel { Information, Warning };
using LogSink = std::function<void(LogLevel, const std::string&)>;

/// A node of the weighted progress tree. All members are thread-safe; readers poll.
class Progress;

/// Cheap to copy; copies share state. A default-constructed one never stops, and keeps its progress to itself.
class RunContext {
public:
    RunContext();
    explicit RunContext(std::stop_token stop, LogSink log = {});

    bool stopRequested() const noexcept { return m_stop.stop_requested(); }
    /// Throws Error{Cancelled} once a stop was requested. Call it at least every 20 ms of work.
    void throwIfStopped() const;
    const std::stop_token& stopToken() const noexcept { return m_stop; }

    /// A part of this run that counts `weight` parts of the whole (weights of siblings are relative; the whole is the sum
    /// of `totalWeight` declared by setParts, or of the children so far). The label shows while it is the newest active.
    RunContext part(double weight, std::string_view label) const;
    /// Declares the sum of the weights of the parts to come, so that the fraction never runs backwards.
    void setParts(double totalWeight) const;
    /// This part's own fraction, 0..1 (used by leaves).
    void setFraction(double fraction) const;
    void finish() const { setFraction(1.0); }

    double fraction() const;   ///< of this node, 0..1, children included
    std::string label() const; ///< of the newest active part, "" if none

    void log(LogLevel level, const std::string& text) const;
    void warn(const std::string& text) const { log(LogLevel::Warning, text); }

private:
    RunContext(std::stop_token stop, LogSink log, std::shared_ptr<Progress> node);
    std::stop_token m_stop;
    LogSink m_log;
    std::shared_ptr<Progress> m_progress;
};

} // namespace tamis

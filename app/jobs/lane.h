// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Latest request wins: the bridge between one interactive panel and core.
#include "core/base/run_context.h"

#include <QObject>
#include <QTimer>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace tamis::app {

enum class Level {
    Coarse, ///< must take some 30 ms at most; never cancelled, so that pictures keep coming while the user drags
    Final   ///< cancelled as soon as a newer request comes
};

/// The untyped part of Lane: one worker with its own TBB arena and one pending slot.
///
/// A request replaces the pending one and cancels a running refinement. The worker takes the pending request, makes its
/// coarse result, hands it over, and goes on to the final one only while nothing newer is pending. Results reach the thread
/// that owns the lane in order: none older than what was handed over before; where that thread is slow, only the newest. A
/// failure comes after the last picture of its request. All public members: that thread only.
class LaneCore : public QObject
{
    Q_OBJECT
public:
    using Any = std::shared_ptr<const void>;
    using Publish = std::function<void(Any)>;
    /// May return null at Level::Coarse: no coarse picture. `publish` hands over partial results of a long refinement.
    using Work = std::function<Any(const Any& request, Level level, const RunContext& context, const Publish& publish)>;

    explicit LaneCore(Work work, QObject* parent = nullptr);
    ~LaneCore() override; ///< stops and joins the worker

    bool isBusy() const noexcept { return m_busy; }
    double fraction() const; ///< of the running refinement
    QString label() const;
    /// Stops the refinement that runs or would come next and forgets what is pending; nothing more is handed over for older
    /// requests.
    void cancel();

    struct Counts {
        int requests = 0, coarse = 0, partial = 0, finals = 0, failures = 0;
    };
    Counts counts() const; ///< of results handed over

protected:
    quint64 submit(Any request);
    /// Called on the owner's thread with the newest result.
    virtual void receive(const Any& result, const Any& request, Level level, bool partial) = 0;

signals:
    void busyChanged(bool busy);
    void progressed(double fraction, const QString& label); ///< ten times a second while a refinement runs
    void failed(const QString& sentence);

private:
    struct Slot {
        quint64 sequence = 0;
        Any request;
    };
    struct Picture {
        quint64 sequence = 0;
        Any request, result;
        Level level = Level::Coarse;
        bool partial = false;
    };
    struct End {
        quint64 sequence = 0;
        QString failure; ///< empty: it went well
    };
    void run(const std::stop_token& stop);
    void serve(const Slot& slot);
    std::optional<QString> attempt(const std::function<void()>& body) const;
    void handOver(std::optional<Picture> picture, std::optional<End> end);
    void deliver();
    void setBusy(bool busy);

    Work m_work;
    mutable std::mutex m_mutex; ///< guards the next nine
    std::condition_variable_any m_wake;
    std::optional<Slot> m_pending;
    std::optional<Picture> m_picture; ///< newest that is not handed over yet
    std::optional<End> m_end;         ///< beside it, so that a failure does not take the place of a picture
    std::optional<std::stop_source> m_refining;
    std::optional<RunContext> m_progress;
    std::chrono::steady_clock::duration m_lastFinal{}; ///< that the last final picture took, or until it was stopped
    bool m_posted = false;
    quint64 m_forgetBelow = 0;
    quint64 m_sequence = 0, m_delivered = 0; ///< owner's thread
    bool m_busy = false;
    Counts m_counts;
    QTimer m_poll;
    std::jthread m_worker; ///< last: starts when all else is there, joins first
};

template <class Request, class Result> class Lane : public LaneCore
{
public:
    using ResultPointer = std::shared_ptr<const Result>;
    using TypedWork = std::function<ResultPointer(const Request&, Level, const RunContext&, const std::function<void(ResultPointer)>&)>;
    using Receiver = std::function<void(const ResultPointer&, const Request&, Level level, bool partial)>;

    Lane(TypedWork work, Receiver receiver, QObject* parent = nullptr)
        : LaneCore(
              [work = std::move(work)](const Any& request, Level level, const RunContext& context, const Publish& publish) -> Any {
                  return work(*std::static_pointer_cast<const Request>(request), level, context,
                              [&publish](ResultPointer partial) { publish(std::move(partial)); });
              },
              parent),
          m_receiver(std::move(receiver))
    {
    }
    void request(Request request) { submit(std::make_shared<const Request>(std::move(request))); }

protected:
    void receive(const Any& result, const Any& request, Level level, bool partial) override
    {
        m_receiver(std::static_pointer_cast<const Result>(result), *std::static_pointer_cast<const Request>(request), level, partial);
    }

private:
    Receiver m_receiver;
};

} // namespace tamis::app

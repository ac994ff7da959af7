// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features that were computed before, by this machine or another, in a Redis server. The server may be slow, gone or wrong: then a get is a miss
// and a put waits in a bounded journal; nobody waits longer than the connection's settings say.
#include "core/base/run_context.h"
#include "core/remote/connection.h"
#include "core/remote/feature_journal.h"
#include "core/remote/feature_value.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace tamis::remote {

struct StoreSettings {
    ConnectionSettings connection;
    std::string prefix = "tamis";
    double ttlSeconds = 7 * 86400.0;                       ///< after a put; 0: for good
    std::uint64_t mostValueBytes = std::uint64_t{64} << 20U; ///< a longer one is not put, and not read
    std::uint64_t journalBytes = std::uint64_t{256} << 20U;  ///< of what waits for the server, and of what it may lose
    double forgetSeconds = 30;                               ///< of one attempt to remove a model, in all: what is left is removed by the next
    double firstRetrySeconds = 0.05, mostRetrySeconds = 5;   ///< between looks whether it is back: doubled from the first, times 0.8 to 1.2
};

/// A change of state.
struct StoreNotice {
    bool degraded = false; ///< false: the server is back, and all that waited is delivered
    std::string text;      ///< one sentence
};

struct StoreCounters {
    std::uint64_t hits = 0, localHits = 0, misses = 0; ///< gets: from the server, from the journal while it was gone, neither
    std::uint64_t refused = 0;                         ///< misses whose value was there, but of another type, length, checksum, format or shape
    std::uint64_t puts = 0, delivered = 0, redelivered = 0; ///< delivered: the server said so; redelivered: again, to a server that had started anew
    std::uint64_t dropped = 0, droppedBytes = 0;            ///< puts that no longer fitted the journal, or were too long
    std::uint64_t waiting = 0;                              ///< now
    std::uint64_t degradations = 0, recoveries = 0;
    std::string lastRefusal;                                ///< of a value, in one sentence
};

/// All members may be called from several threads at once. Every wait hears the context's stop within 100 ms.
class FeatureStore {
public:
    using Listener = std::function<void(const StoreNotice&)>;
    /// Tries to connect. A server that is not there is a notice, not an error; one that refuses the password is. `listener` hears of every change
    /// once, from the thread that sees it, and must not call back. Throws Error{InvalidParameter (settings, password), Cancelled}.
    FeatureStore(StoreSettings settings, Listener listener, const RunContext& context = {});
    /// Does not wait for what is not delivered: flush() does.
    ~FeatureStore();
    FeatureStore(const FeatureStore&) = delete;
    FeatureStore& operator=(const FeatureStore&) = delete;

    /// Nothing: a miss. Throws Error{InvalidParameter (a key), Cancelled}.
    std::optional<Features> get(const FeatureKey& key, const RunContext& context = {});
    /// A value of another form than can be used is a miss and counts as refused.
    std::optional<Features> get(const FeatureKey& key, const FeatureForm& form, const RunContext& context = {});
    /// In the order of the keys; pipelined, 16 at a time.
    std::vector<std::optional<Features>> getMany(std::span<const FeatureKey> keys, const RunContext& context = {});
    /// True: the server has it. False: it waits, or was dropped. Throws Error{InvalidParameter (a key; bytes that contradict the shape), Cancelled}.
    bool put(const FeatureKey& key, const Features& features, const RunContext& context = {});
    bool putMany(std::span<const FeatureKey> keys, std::span<const Features> features, const RunContext& context = {});
    /// Removes these, here and there. False: the server does not say that they are gone; what it has ends with its time to live.
    bool remove(std::span<const FeatureKey> keys, const RunContext& context = {});
    /// Removes all of a model, here and there; while the server is gone, once it is back and before anything else is read from it. A server that refuses to remove is one that is gone.
    void invalidate(const std::string& model, const RunContext& context = {});
    /// Waits until nothing waits, `seconds` at most; what does still.
    std::uint64_t flush(double seconds, const RunContext& context = {});

    bool degraded() const;
    StoreCounters counters() const;
    const StoreSettings& settings() const noexcept { return m_settings; }

private:
    using Lock = std::unique_lock<std::timed_mutex>;
    Lock lockConnection(const RunContext& context);
    bool connected(const RunContext& context);
    void degrade(const std::string& why);
    void tell(bool degraded, const std::string& text) const;
    struct Invalidation {
        std::uint64_t generation = 0; ///< another whenever it is asked for again
        std::string cursor = "0";     ///< of the server's keys: those before it are gone through
    };
    std::vector<std::optional<Features>> getAll(std::span<const FeatureKey> keys, const FeatureForm* form, const RunContext& context);
    std::vector<std::optional<Features>> fetch(std::span<const std::string> keys, const FeatureForm* form, const RunContext& context);
    std::optional<Features> read(const std::string& key, std::string_view value, const FeatureForm* form);
    std::optional<Features> readLocally(const std::string& key, const FeatureForm* form);
    void deliver(Connection& connection, std::vector<FeatureJournal::Entry>& entries, bool fresh, std::stop_token stop);
    void keepUndelivered(const std::vector<FeatureJournal::Entry>& entries);
    void removeKeys(Connection& connection, std::span<const std::string_view> keys, std::stop_token stop) const;
    void removeModel(Connection& connection, const std::string& prefix, std::string& cursor, std::stop_token stop) const;
    bool forgetModel(Connection& connection, const std::string& prefix, std::stop_token stop);
    bool forgetModels(Connection& connection, std::stop_token stop);
    void keep(std::stop_token stop);
    bool recover(std::stop_token stop);
    bool finishRecovery(std::unique_ptr<Connection>& connection);

    const StoreSettings m_settings;
    const Listener m_listener;
    std::timed_mutex m_connectionMutex; ///< locked before m_mutex where both are
    std::unique_ptr<Connection> m_connection;
    mutable std::mutex m_mutex;         ///< guards what follows
    std::condition_variable_any m_changed;
    FeatureJournal m_journal;
    StoreCounters m_counters;
    std::map<std::string, Invalidation> m_invalidations; ///< by prefix: what the server has still to forget
    std::uint64_t m_generation = 0;
    std::string m_runId;
    bool m_degraded = false;
    std::jthread m_keeper; ///< last: it uses all of the above
};

} // namespace tamis::remote

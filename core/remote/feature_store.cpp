// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/feature_store.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/remote/socket.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::remote {
namespace {
constexpr std::size_t kBatch = 16; ///< commands a round trip
using Seconds = std::chrono::duration<double>;

ConnectionSettings connectionOf(const StoreSettings& settings)
{
    ConnectionSettings connection = settings.connection;
    connection.mostReplyBytes = settings.mostValueBytes + 4096;
    return connection;
}

void requirePositive(double value, const char* what)
{
    if (!(value > 0) || !std::isfinite(value) || value > 86400)
        throw Error(ErrorCode::InvalidParameter, "expected more than 0 seconds and a day at most", what);
}
} // namespace

FeatureStore::FeatureStore(StoreSettings settings, Listener listener, const RunContext& context)
    : m_settings(std::move(settings)), m_listener(std::move(listener)), m_connection(std::make_unique<Connection>(connectionOf(m_settings))), m_journal(m_settings.journalBytes)
{
    requirePositive(m_settings.connection.connectSeconds, "connect seconds");
    requirePositive(m_settings.connection.commandSeconds, "command seconds");
    requirePositive(m_settings.firstRetrySeconds, "retry seconds");
    requirePositive(m_settings.mostRetrySeconds, "retry seconds");
    if (!(m_settings.ttlSeconds >= 0) || m_settings.ttlSeconds > 1e9)
        throw Error(ErrorCode::InvalidParameter, "expected 0 to 1e9 seconds", "ttl");
    modelPrefix(m_settings.prefix, "model"); // refuses a prefix that is none
    try {
        m_connection->open(context.stopToken());
        m_runId = m_connection->runId();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled || error.code() == ErrorCode::InvalidParameter)
            throw;
        degrade(error.what());
    }
    m_keeper = std::jthread([this](std::stop_token stop) { keep(std::move(stop)); });
}

FeatureStore::~FeatureStore()
{
    m_keeper.request_stop();
    m_changed.notify_all();
}

FeatureStore::Lock FeatureStore::lockConnection(const RunContext& context)
{
    Lock lock(m_connectionMutex, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(20)))
        context.throwIfStopped();
    return lock;
}

/// With m_connectionMutex. A connection that a stop closed is opened again.
bool FeatureStore::connected(const RunContext& context)
{
    if (degraded())
        return false;
    if (m_connection->isOpen())
        return true;
    m_connection->open(context.stopToken());
    const std::lock_guard lock(m_mutex);
    if (m_connection->runId() != m_runId) { // it had started anew meanwhile: what it lost is delivered by the keeper
        m_connection->close();
        throw Error(ErrorCode::IoFailure, "has started anew", m_settings.connection.server.text());
    }
    return true;
}

void FeatureStore::tell(bool degraded, const std::string& text) const
{
    if (m_listener)
        m_listener({degraded, text});
}

void FeatureStore::degrade(const std::string& why)
{
    {
        const std::lock_guard lock(m_mutex);
        if (m_degraded)
            return;
        m_degraded = true;
        ++m_counters.degradations;
    }
    m_changed.notify_all();
    tell(true, "The remote store does not answer; features are computed here, and kept to be delivered when it is back: " + why + ".");
}

std::optional<Features> FeatureStore::read(const std::string& key, std::string_view value)
{
    try {
        return decodeValue(key, value);
    } catch (const Error& error) {
        const std::lock_guard lock(m_mutex);
        ++m_counters.refused;
        m_counters.lastRefusal = error.what();
        return {};
    }
}

std::optional<Features> FeatureStore::readLocally(const std::string& key)
{
    FeatureJournal::Value value;
    {
        const std::lock_guard lock(m_mutex);
        value = m_journal.find(key);
        ++(value ? m_counters.localHits : m_counters.misses);
    }
    if (!value)
        return {};
    return decodeValue(key, *value);
}

/// One round trip. With m_connectionMutex; throws what the connection throws.
std::vector<std::optional<Features>> FeatureStore::fetch(std::span<const std::string> keys, const RunContext& context)
{
    // GETRANGE, not GET: a value beyond the limit is cut by the server instead of being sent.
    const std::string last = std::to_string(m_settings.mostValueBytes);
    std::vector<Command> commands;
    for (const std::string& key : keys)
        commands.push_back({"GETRANGE", key, "0", last});
    const std::vector<Reply> replies = m_connection->run(commands, context.stopToken());
    std::vector<std::optional<Features>> found(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const Reply& reply = replies[i];
        const bool text = reply.kind == Reply::Kind::Text;
        if (reply.kind == Reply::Kind::Failure && !reply.text.starts_with("WRONGTYPE"))
            throw Error(ErrorCode::IoFailure, "refuses to read: " + reply.text.substr(0, 200), m_settings.connection.server.text());
        if (text && reply.text.size() <= m_settings.mostValueBytes) {
            if (!reply.text.empty())
                found[i] = read(keys[i], reply.text);
        } else {
            const std::lock_guard lock(m_mutex);
            ++m_counters.refused;
            m_counters.lastRefusal = keys[i] + ": " + (text ? "found more than " + last + " bytes, expected fewer" : "found another type of value, expected a string");
        }
        const std::lock_guard lock(m_mutex);
        ++(found[i] ? m_counters.hits : m_counters.misses);
    }
    return found;
}

std::optional<Features> FeatureStore::get(const FeatureKey& key, const RunContext& context) { return std::move(getMany(std::span(&key, 1), context).front()); }

std::vector<std::optional<Features>> FeatureStore::getMany(std::span<const FeatureKey> keys, const RunContext& context)
{
    std::vector<std::string> texts;
    for (const FeatureKey& key : keys)
        texts.push_back(keyText(m_settings.prefix, key));
    std::vector<std::optional<Features>> all;
    while (all.size() < texts.size()) {
        context.throwIfStopped();
        const auto some = std::span(texts).subspan(all.size(), std::min(kBatch, texts.size() - all.size()));
        try {
            const Lock lock = lockConnection(context);
            if (connected(context)) {
                std::ranges::move(fetch(some, context), std::back_inserter(all));
                continue;
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            degrade(error.what());
        }
        for (const std::string& key : some)
            all.push_back(readLocally(key));
    }
    return all;
}

/// Throws where the server refuses one; what it took is no longer waiting.
void FeatureStore::deliver(Connection& connection, const std::vector<FeatureJournal::Entry>& entries, std::stop_token stop)
{
    const std::string ttl = std::to_string(std::llround(std::max(m_settings.ttlSeconds * 1000, 1.0)));
    for (std::size_t first = 0; first < entries.size(); first += kBatch) {
        const auto some = std::span(entries).subspan(first, std::min(kBatch, entries.size() - first));
        std::vector<Command> commands;
        for (const auto& entry : some) {
            commands.push_back({"SET", entry.key, *entry.value});
            if (m_settings.ttlSeconds > 0)
                commands.back().insert(commands.back().end(), {"PX", ttl});
        }
        const std::vector<Reply> replies = connection.run(commands, stop);
        std::string refusal;
        {
            const std::lock_guard lock(m_mutex);
            for (std::size_t i = 0; i < some.size(); ++i) {
                if (replies[i].kind != Reply::Kind::Text || replies[i].text != "OK") {
                    refusal = replies[i].text.empty() ? "another answer than OK" : replies[i].text.substr(0, 200);
                    continue;
                }
                m_journal.delivered(some[i].key, some[i].value);
                ++m_counters.delivered;
            }
        }
        m_changed.notify_all();
        if (!refusal.empty())
            throw Error(ErrorCode::IoFailure, "refuses to store: " + refusal, m_settings.connection.server.text());
    }
}

bool FeatureStore::put(const FeatureKey& key, const Features& features, const RunContext& context) { return putMany(std::span(&key, 1), std::span(&features, 1), context); }

bool FeatureStore::putMany(std::span<const FeatureKey> keys, std::span<const Features> features, const RunContext& context)
{
    if (keys.size() != features.size())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(features.size()) + " features, expected one a key", "features");
    std::vector<FeatureJournal::Entry> entries;
    std::uint64_t lost = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::string key = keyText(m_settings.prefix, keys[i]);
        const auto value = std::make_shared<const std::string>(encodeValue(key, features[i]));
        const std::lock_guard lock(m_mutex);
        ++m_counters.puts;
        const bool tooLong = value->size() > m_settings.mostValueBytes;
        const auto dropped = tooLong ? FeatureJournal::Dropped{1, value->size()} : m_journal.add(key, value);
        m_counters.dropped += dropped.values;
        m_counters.droppedBytes += dropped.bytes;
        lost += dropped.values;
        if (!tooLong)
            entries.push_back({key, value, true});
    }
    try {
        const Lock lock = lockConnection(context);
        if (connected(context)) {
            deliver(*m_connection, entries, context.stopToken());
            return lost == 0;
        }
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        degrade(error.what());
    }
    return false;
}

void FeatureStore::removeModel(Connection& connection, const std::string& prefix, std::stop_token stop)
{
    std::string cursor = "0";
    const std::string pattern = prefix + "*"; // names of keys hold no character that a pattern knows
    do {
        const std::array<Command, 1> scan{Command{"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}};
        const Reply reply = connection.run(scan, stop).front();
        if (reply.kind != Reply::Kind::List || reply.list.size() != 2 || reply.list[1].kind != Reply::Kind::List)
            throw Error(ErrorCode::MalformedFile, "found another answer to SCAN than a cursor and keys", prefix);
        Command remove{"UNLINK"};
        for (const Reply& key : reply.list[1].list)
            if (key.text.starts_with(prefix)) // whatever the server says
                remove.push_back(key.text);
        if (remove.size() > 1)
            connection.run(std::span(&remove, 1), stop);
        cursor = reply.list[0].text.substr(0, 32);
    } while (cursor != "0" && !cursor.empty());
}

void FeatureStore::invalidate(const std::string& model, const RunContext& context)
{
    const std::string prefix = modelPrefix(m_settings.prefix, model);
    {
        const std::lock_guard lock(m_mutex);
        m_journal.removeWithPrefix(prefix);
        m_invalidations.insert(prefix);
    }
    try {
        const Lock lock = lockConnection(context);
        if (connected(context)) {
            removeModel(*m_connection, prefix, context.stopToken());
            const std::lock_guard both(m_mutex);
            m_invalidations.erase(prefix);
        }
    } catch (const Error& error) {
        degrade(error.what()); // also when stopped: what is still to be forgotten must be, before anything is read
        if (error.code() == ErrorCode::Cancelled)
            throw;
    }
}

std::uint64_t FeatureStore::flush(double seconds, const RunContext& context)
{
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    {
        const Lock lock = lockConnection(context);
        std::vector<FeatureJournal::Entry> entries;
        {
            const std::lock_guard both(m_mutex);
            if (!m_degraded)
                entries = m_journal.waiting(m_journal.waitingCount()); // left over from a put that was stopped
        }
        try {
            if (!entries.empty() && connected(context))
                deliver(*m_connection, entries, context.stopToken());
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            degrade(error.what());
        }
    }
    std::unique_lock lock(m_mutex);
    while ((m_degraded || m_journal.waitingCount() > 0) && Clock::now() < end) {
        context.throwIfStopped();
        m_changed.wait_for(lock, std::chrono::milliseconds(20));
    }
    return m_journal.waitingCount();
}

bool FeatureStore::degraded() const
{
    const std::lock_guard lock(m_mutex);
    return m_degraded;
}

StoreCounters FeatureStore::counters() const
{
    const std::lock_guard lock(m_mutex);
    StoreCounters counters = m_counters;
    counters.waiting = m_journal.waitingCount();
    return counters;
}

/// The keeper's thread: looks whether the server is back, ever less often.
void FeatureStore::keep(std::stop_token stop)
{
    std::uint64_t draws = reinterpret_cast<std::uintptr_t>(this);
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(m_mutex);
            m_changed.wait(lock, stop, [this] { return m_degraded; });
        }
        for (double wait = m_settings.firstRetrySeconds; !stop.stop_requested(); wait = std::min(2 * wait, m_settings.mostRetrySeconds)) {
            const double jitter = 0.8 + 0.4 * static_cast<double>(nextBits(draws) >> 11U) * 0x1p-53;
            std::unique_lock lock(m_mutex);
            m_changed.wait_for(lock, stop, Seconds(wait * jitter), [] { return false; });
            lock.unlock();
            if (recover(stop))
                break;
        }
    }
}

bool FeatureStore::recover(std::stop_token stop)
{
    try {
        auto connection = std::make_unique<Connection>(connectionOf(m_settings));
        connection->open(stop);
        std::set<std::string> forget;
        {
            const std::lock_guard lock(m_mutex);
            if (connection->runId() != m_runId)
                m_counters.redelivered += m_journal.forgetDeliveries();
            m_runId = connection->runId();
        }
        do {
            std::vector<FeatureJournal::Entry> entries;
            {
                const std::lock_guard lock(m_mutex);
                forget = m_invalidations;
                entries = m_journal.waiting(kBatch);
            }
            for (const std::string& prefix : forget) {
                removeModel(*connection, prefix, stop);
                const std::lock_guard lock(m_mutex);
                m_invalidations.erase(prefix);
            }
            deliver(*connection, entries, stop);
        } while (!finishRecovery(connection));
        return true;
    } catch (const Error&) {
        return false; // it was said once that the server is gone
    } catch (const std::bad_alloc&) {
        return false;
    }
}

/// Nothing may begin to wait between the look and the change.
bool FeatureStore::finishRecovery(std::unique_ptr<Connection>& connection)
{
    {
        const std::lock_guard first(m_connectionMutex);
        const std::lock_guard lock(m_mutex);
        if (m_journal.waitingCount() > 0 || !m_invalidations.empty())
            return false;
        m_connection = std::move(connection);
        m_degraded = false;
        ++m_counters.recoveries;
    }
    m_changed.notify_all();
    tell(false, "The remote store is back; all that waited for it is delivered.");
    return true;
}

} // namespace tamis::remote

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/feature_store.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/remote/socket.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace tamis::remote {
namespace {
constexpr std::size_t kBatch = 16;                           ///< commands a round trip
constexpr std::uint64_t kBatchBytes = std::uint64_t{256} << 10U; ///< of values put in one, unless the first alone has more
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

std::string formText(tensor::DType type, const std::vector<std::int64_t>& shape, bool scaled)
{
    std::string text(tensor::dtypeName(type));
    for (std::size_t i = 0; i < shape.size(); ++i)
        text += (i == 0 ? " [" : ", ") + std::to_string(shape[i]);
    return text + (shape.empty() ? " []" : "]") + (scaled ? " with scales" : "");
}

/// Throws Error{MalformedFile} where it is not of that form.
Features decodeAs(const std::string& key, std::string_view value, const FeatureForm* form)
{
    Features features = decodeValue(key, value);
    if (form && !form->fits(features))
        throw Error(ErrorCode::MalformedFile, "found " + formText(features.type, features.shape, !features.scales.empty()) + ", expected " + formText(form->type, form->shape, form->scaled), key);
    return features;
}
} // namespace

FeatureStore::FeatureStore(StoreSettings settings, Listener listener, const RunContext& context)
    : m_settings(std::move(settings)), m_listener(std::move(listener)), m_connection(std::make_unique<Connection>(connectionOf(m_settings))), m_journal(m_settings.journalBytes)
{
    requirePositive(m_settings.connection.connectSeconds, "connect seconds");
    requirePositive(m_settings.connection.commandSeconds, "command seconds");
    requirePositive(m_settings.forgetSeconds, "forget seconds");
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

std::optional<Features> FeatureStore::read(const std::string& key, std::string_view value, const FeatureForm* form)
{
    try {
        return decodeAs(key, value, form);
    } catch (const Error& error) {
        const std::lock_guard lock(m_mutex);
        ++m_counters.refused;
        m_counters.lastRefusal = error.what();
        return {};
    }
}

std::optional<Features> FeatureStore::readLocally(const std::string& key, const FeatureForm* form)
{
    FeatureJournal::Value value;
    {
        const std::lock_guard lock(m_mutex);
        value = m_journal.find(key);
    }
    std::optional<Features> found = value ? read(key, *value, form) : std::nullopt;
    const std::lock_guard lock(m_mutex);
    ++(found ? m_counters.localHits : m_counters.misses);
    return found;
}

/// One round trip. With m_connectionMutex; throws what the connection throws.
std::vector<std::optional<Features>> FeatureStore::fetch(std::span<const std::string> keys, const FeatureForm* form, const RunContext& context)
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
                found[i] = read(keys[i], reply.text, form);
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

std::optional<Features> FeatureStore::get(const FeatureKey& key, const RunContext& context) { return std::move(getAll(std::span(&key, 1), nullptr, context).front()); }
std::optional<Features> FeatureStore::get(const FeatureKey& key, const FeatureForm& form, const RunContext& context) { return std::move(getAll(std::span(&key, 1), &form, context).front()); }
std::vector<std::optional<Features>> FeatureStore::getMany(std::span<const FeatureKey> keys, const RunContext& context) { return getAll(keys, nullptr, context); }

std::vector<std::optional<Features>> FeatureStore::getAll(std::span<const FeatureKey> keys, const FeatureForm* form, const RunContext& context)
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
                std::ranges::move(fetch(some, form, context), std::back_inserter(all));
                continue;
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            degrade(error.what());
        }
        for (const std::string& key : some)
            all.push_back(readLocally(key, form));
    }
    return all;
}

/// Entries that the server takes no longer wait, each as soon as it says so. `fresh`: the journal does not have them yet. Throws where it refuses one,
/// and what the connection throws.
void FeatureStore::deliver(Connection& connection, std::vector<FeatureJournal::Entry>& entries, bool fresh, std::stop_token stop)
{
    const std::string ttl = std::to_string(std::llround(std::max(m_settings.ttlSeconds * 1000, 1.0)));
    for (std::size_t first = 0; first < entries.size();) {
        std::vector<Command> commands;
        std::uint64_t bytes = 0;
        for (std::size_t i = first; i < entries.size() && commands.size() < kBatch; ++i) {
            bytes += entries[i].value->size();
            if (i > first && bytes > kBatchBytes)
                break;
            commands.push_back({"SET", entries[i].key, *entries[i].value});
            if (m_settings.ttlSeconds > 0)
                commands.back().insert(commands.back().end(), {"PX", ttl});
        }
        std::string refusal;
        connection.run(commands, stop, [&](std::size_t i, const Reply& reply) {
            if (reply.kind != Reply::Kind::Text || reply.text != "OK") {
                refusal = reply.text.empty() ? "another answer than OK" : reply.text.substr(0, 200);
                return;
            }
            FeatureJournal::Entry& entry = entries[first + i];
            entry.waiting = false;
            const std::lock_guard lock(m_mutex);
            if (fresh)
                m_journal.hold(entry.key, entry.value);
            else
                m_journal.delivered(entry.key, entry.value);
            ++m_counters.delivered;
        });
        first += commands.size();
        m_changed.notify_all();
        if (!refusal.empty())
            throw Error(ErrorCode::IoFailure, "refuses to store: " + refusal, m_settings.connection.server.text());
    }
}

/// Before the connection is let go: nothing may begin to wait while the keeper says that all is delivered.
void FeatureStore::keepUndelivered(const std::vector<FeatureJournal::Entry>& entries)
{
    const std::lock_guard lock(m_mutex);
    for (const auto& entry : entries) {
        if (!entry.waiting)
            continue;
        const auto dropped = m_journal.add(entry.key, entry.value);
        m_counters.dropped += dropped.values;
        m_counters.droppedBytes += dropped.bytes;
    }
}

bool FeatureStore::put(const FeatureKey& key, const Features& features, const RunContext& context) { return putMany(std::span(&key, 1), std::span(&features, 1), context); }

bool FeatureStore::putMany(std::span<const FeatureKey> keys, std::span<const Features> features, const RunContext& context)
{
    if (keys.size() != features.size())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(features.size()) + " features, expected one a key", "features");
    std::vector<FeatureJournal::Entry> entries;
    std::uint64_t tooLong = 0, tooLongBytes = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        context.throwIfStopped();
        const std::string key = keyText(m_settings.prefix, keys[i]);
        const auto value = std::make_shared<const std::string>(encodeValue(key, features[i]));
        if (value->size() <= m_settings.mostValueBytes) {
            entries.push_back({key, value, true});
        } else {
            ++tooLong;
            tooLongBytes += value->size();
        }
    }
    const Lock lock = lockConnection(context);
    {
        const std::lock_guard both(m_mutex);
        m_counters.puts += keys.size();
        m_counters.dropped += tooLong;
        m_counters.droppedBytes += tooLongBytes;
    }
    try {
        if (connected(context)) {
            deliver(*m_connection, entries, true, context.stopToken());
            return tooLong == 0;
        }
        keepUndelivered(entries);
    } catch (const Error& error) {
        keepUndelivered(entries);
        if (error.code() == ErrorCode::Cancelled)
            throw;
        degrade(error.what());
    }
    return false;
}

/// Throws Error{IoFailure} where the server does not say how many it has removed: UNLINK, or what servers without it and rules about commands leave.
void FeatureStore::removeKeys(Connection& connection, std::span<const std::string_view> keys, std::stop_token stop) const
{
    std::string refusal;
    for (const std::string_view word : {"UNLINK", "DEL"}) {
        Command remove{word};
        remove.insert(remove.end(), keys.begin(), keys.end());
        const Reply reply = connection.run(std::span(&remove, 1), stop).front();
        if (reply.kind == Reply::Kind::Number)
            return;
        refusal = reply.text.empty() ? "another answer than a number" : reply.text.substr(0, 200);
    }
    throw Error(ErrorCode::IoFailure, "refuses to remove: " + refusal, m_settings.connection.server.text());
}

/// From the cursor, which goes on. A server that names no end of its keys is left after forgetSeconds.
void FeatureStore::removeModel(Connection& connection, const std::string& prefix, std::string& cursor, std::stop_token stop) const
{
    const std::string pattern = prefix + "*"; // names of keys hold no character that a pattern knows
    const Patience patience = Patience::of(m_settings.forgetSeconds, stop);
    do {
        patience.slice(m_settings.connection.server.text(), "an end of its keys");
        const std::array<Command, 1> scan{Command{"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}};
        const Reply reply = connection.run(scan, stop).front();
        if (reply.kind != Reply::Kind::List || reply.list.size() != 2 || reply.list[1].kind != Reply::Kind::List)
            throw Error(ErrorCode::MalformedFile, "found another answer to SCAN than a cursor and keys: " + reply.text.substr(0, 200), m_settings.connection.server.text());
        std::vector<std::string_view> keys;
        for (const Reply& key : reply.list[1].list)
            if (key.text.starts_with(prefix)) // whatever the server says
                keys.push_back(key.text);
        if (!keys.empty())
            removeKeys(connection, keys, stop);
        cursor = reply.list[0].text.substr(0, 32);
    } while (cursor != "0" && !cursor.empty());
}

/// What is asked for meanwhile is still to be done. False: that is so.
bool FeatureStore::forgetModel(Connection& connection, const std::string& prefix, std::stop_token stop)
{
    Invalidation begun;
    {
        const std::lock_guard lock(m_mutex);
        const auto found = m_invalidations.find(prefix);
        if (found == m_invalidations.end())
            return true; // by another thread
        begun = found->second;
    }
    const auto settle = [&](bool whole) {
        const std::lock_guard lock(m_mutex);
        const auto found = m_invalidations.find(prefix);
        if (found == m_invalidations.end() || found->second.generation != begun.generation)
            return found == m_invalidations.end();
        if (whole)
            m_invalidations.erase(found);
        else
            found->second.cursor = begun.cursor;
        return whole;
    };
    try {
        removeModel(connection, prefix, begun.cursor, std::move(stop));
    } catch (...) {
        settle(false);
        throw;
    }
    return settle(true);
}

bool FeatureStore::forgetModels(Connection& connection, std::stop_token stop)
{
    std::vector<std::string> prefixes;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [prefix, invalidation] : m_invalidations)
            prefixes.push_back(prefix);
    }
    bool all = true;
    for (const std::string& prefix : prefixes)
        all &= forgetModel(connection, prefix, stop);
    return all;
}

bool FeatureStore::remove(std::span<const FeatureKey> keys, const RunContext& context)
{
    std::vector<std::string> texts;
    for (const FeatureKey& key : keys)
        texts.push_back(keyText(m_settings.prefix, key));
    const std::vector<std::string_view> words(texts.begin(), texts.end());
    const Lock lock = lockConnection(context);
    {
        const std::lock_guard both(m_mutex);
        for (const std::string& key : texts)
            m_journal.remove(key);
    }
    try {
        if (!connected(context))
            return false;
        for (std::size_t first = 0; first < words.size(); first += kBatch)
            removeKeys(*m_connection, std::span(words).subspan(first, std::min(kBatch, words.size() - first)), context.stopToken());
        return true;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        degrade(error.what());
        return false;
    }
}

void FeatureStore::invalidate(const std::string& model, const RunContext& context)
{
    const std::string prefix = modelPrefix(m_settings.prefix, model);
    const auto forgetHere = [&] {
        const std::lock_guard lock(m_mutex);
        m_journal.removeWithPrefix(prefix);
    };
    forgetHere();
    {
        const std::lock_guard lock(m_mutex);
        m_invalidations[prefix] = {++m_generation, "0"};
    }
    try {
        const Lock lock = lockConnection(context);
        forgetHere(); // also of what was put while the connection was waited for
        if (connected(context))
            forgetModel(*m_connection, prefix, context.stopToken());
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
                entries = m_journal.waiting(m_journal.waitingCount(), std::numeric_limits<std::uint64_t>::max()); // left over from a put that was stopped
        }
        try {
            if (!entries.empty() && connected(context))
                deliver(*m_connection, entries, false, context.stopToken());
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
        {
            const std::lock_guard lock(m_mutex);
            if (connection->runId() != m_runId) {
                m_counters.redelivered += m_journal.forgetDeliveries();
                for (auto& [prefix, invalidation] : m_invalidations)
                    invalidation.cursor = "0"; // of other keys
            }
            m_runId = connection->runId();
        }
        do {
            if (!forgetModels(*connection, stop))
                continue;
            std::vector<FeatureJournal::Entry> entries;
            {
                const std::lock_guard lock(m_mutex);
                if (m_invalidations.empty()) // else these might be of a model that is to be forgotten
                    entries = m_journal.waiting(kBatch, kBatchBytes);
            }
            deliver(*connection, entries, false, stop);
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

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What was put, as long as it fits: waiting for the server, or kept because a server may come back without it. Private to the folder.
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace tamis::remote {

/// Not thread-safe. Bytes are those of keys and values.
class FeatureJournal {
public:
    using Value = std::shared_ptr<const std::string>;
    struct Entry {
        std::string key;
        Value value;
        bool waiting = true; ///< false: the server has said that it has it
    };
    struct Dropped {
        std::uint64_t values = 0, bytes = 0;
    };

    explicit FeatureJournal(std::uint64_t mostBytes) : m_mostBytes(mostBytes) {}
    /// Makes room: what the server has goes first, then what has waited longest; a value larger than all room is dropped itself. Returns what was
    /// lost, that is, had been waiting.
    Dropped add(const std::string& key, Value value);
    /// What the server has taken at once: kept where there is room beside what waits, in place of an older value of the key.
    void hold(const std::string& key, Value value);
    void delivered(const std::string& key, const Value& value); ///< no effect where another value has taken its place
    /// All that the server had waits again.
    std::uint64_t forgetDeliveries();
    void remove(const std::string& key);
    std::uint64_t removeWithPrefix(const std::string& prefix);
    Value find(const std::string& key) const; ///< null: not there
    /// The oldest that wait: `most` at most, and no more than `mostBytes` together unless the first alone has them.
    std::vector<Entry> waiting(std::size_t most, std::uint64_t mostBytes) const;
    std::uint64_t waitingCount() const noexcept { return m_waiting.size(); }
    std::uint64_t bytes() const noexcept { return m_bytes; }

private:
    using Entries = std::list<Entry>;
    void erase(Entries& from, Entries::iterator entry);
    static std::uint64_t sizeOf(const Entry& entry) noexcept { return entry.key.size() + entry.value->size(); }
    std::uint64_t m_mostBytes, m_bytes = 0, m_waitingBytes = 0;
    Entries m_waiting, m_held; ///< oldest first
    std::unordered_map<std::string, Entries::iterator> m_places;
};

} // namespace tamis::remote

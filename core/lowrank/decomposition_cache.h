// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Results by the content that they are made from, so that a change of rank never makes one again.
#include "core/base/run_context.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tamis::lowrank {

/// Key text from the parts that decide a result, each with its length, so that no two lists of parts give one key.
std::string cacheKey(std::initializer_list<std::string_view> parts);

/// Least recently used results of any type within `limit` bytes, a key holds one type for ever. Thread-safe: of several threads
/// that ask for one key at once, one makes it and the others wait.
class DecompositionCache {
public:
    explicit DecompositionCache(std::uint64_t limit) : m_limit(limit) {}
    DecompositionCache(const DecompositionCache&) = delete;
    DecompositionCache& operator=(const DecompositionCache&) = delete;

    /// The value under `key`, or make()'s, which is kept when it fits into the limit. bytes(value) is its size. What make() throws
    /// passes through and leaves nothing behind: the next in line makes it then. Waiting sees a stop within 20 ms: Error{Cancelled}.
    template <class T>
    std::shared_ptr<const T> get(const std::string& key, const std::function<T()>& make, const RunContext& context = {})
    {
        const auto makeErased = [&make]() -> std::pair<std::shared_ptr<const void>, std::uint64_t> {
            auto made = std::make_shared<const T>(make());
            const std::uint64_t size = made->bytes();
            return {std::move(made), size};
        };
        return std::static_pointer_cast<const T>(find(key, makeErased, context));
    }

    struct Use {
        std::uint64_t bytes = 0, entries = 0, hits = 0, misses = 0;
    };
    Use use() const;
    void clear();

private:
    using Make = std::function<std::pair<std::shared_ptr<const void>, std::uint64_t>()>;
    std::shared_ptr<const void> find(const std::string& key, const Make& make, const RunContext& context);
    void keep(const std::string& key, const std::shared_ptr<const void>& value, std::uint64_t bytes);

    struct Entry {
        std::shared_ptr<const void> value; ///< null while a thread makes it
        std::uint64_t bytes = 0;
        std::list<std::string>::iterator place; ///< in m_order; only with a value
    };
    const std::uint64_t m_limit;
    mutable std::mutex m_mutex;
    std::condition_variable m_made;
    std::unordered_map<std::string, Entry> m_entries;
    std::list<std::string> m_order; ///< most recently used first
    Use m_use;
};

/// The process's own, of an eighth of the memory that was free at first use, at most 2 GiB.
DecompositionCache& sharedCache();

} // namespace tamis::lowrank

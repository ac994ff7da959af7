// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/lfu.h"

#include "core/cache/object_lists.h"

#include <algorithm>

namespace tamis::cache {
namespace {
constexpr std::uint32_t kNone = 0xFFFFFFFFU;

/// Buckets of one count each, ascending, each a queue of objects.
class Lfu final : public EvictingPolicy<Lfu> {
public:
    Lfu(std::uint64_t capacity, std::uint64_t halving) : EvictingPolicy(capacity), m_halving(halving) {}
    void know(std::size_t objects) override
    {
        if (objects > m_nodes.size())
            m_nodes.resize(objects);
    }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_nodes[object], 1); }
    bool touch(const Request& request)
    {
        if (m_halving > 0 && ++m_requests % m_halving == 0)
            halve();
        const std::uint32_t from = m_nodes[request.object].bucket;
        if (from == kNone)
            return false;
        const std::uint64_t count = m_buckets[from].count + 1;
        std::uint32_t to = m_buckets[from].next;
        if (to == kNone || m_buckets[to].count != count)
            to = bucketBehind(from, count);
        unlink(request.object);
        append(to, request.object);
        return true;
    }
    void evict()
    {
        const std::uint32_t object = m_buckets[m_first].front;
        tellEvicted(object);
        erase(object);
    }
    bool erase(std::uint32_t object) override
    {
        if (m_nodes[object].bucket == kNone)
            return false;
        m_bytes -= m_nodes[object].size;
        unlink(object);
        return true;
    }
    bool canErase() const noexcept override { return true; }
    void insert(const Request& request)
    {
        std::uint32_t to = m_first;
        if (to == kNone || m_buckets[to].count != 1)
            to = bucketBehind(kNone, 1);
        m_nodes[request.object].size = request.size;
        m_bytes += request.size;
        append(to, request.object);
    }
    std::uint64_t occupied() const noexcept override { return m_bytes; }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        for (std::uint32_t bucket = m_first; bucket != kNone; bucket = m_buckets[bucket].next)
            for (std::uint32_t object = m_buckets[bucket].front; object != kNoObject; object = m_nodes[object].next)
                held.push_back(object);
        std::ranges::reverse(held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_nodes.capacity() * sizeof(Node) + m_buckets.capacity() * sizeof(Bucket); }
    std::string standing(std::uint32_t object) const override
    {
        const std::uint32_t bucket = m_nodes[object].bucket;
        return bucket == kNone ? std::string() : std::string(bucket == m_first ? "the least count of all held, " : "a count of ") + std::to_string(m_buckets[bucket].count);
    }

private:
    struct Node {
        std::uint32_t previous = kNoObject, next = kNoObject, size = 0, bucket = kNone;
    };
    struct Bucket {
        std::uint64_t count = 0;
        std::uint32_t front = kNoObject, back = kNoObject, previous = kNone, next = kNone;
    };
    void append(std::uint32_t bucket, std::uint32_t object)
    {
        Bucket& in = m_buckets[bucket];
        Node& node = m_nodes[object];
        node.bucket = bucket;
        node.previous = in.back;
        node.next = kNoObject;
        (in.back == kNoObject ? in.front : m_nodes[in.back].next) = object;
        in.back = object;
    }
    void unlink(std::uint32_t object)
    {
        Node& node = m_nodes[object];
        Bucket& in = m_buckets[node.bucket];
        (node.previous == kNoObject ? in.front : m_nodes[node.previous].next) = node.next;
        (node.next == kNoObject ? in.back : m_nodes[node.next].previous) = node.previous;
        if (in.front == kNoObject)
            drop(node.bucket);
        node.bucket = kNone;
    }
    /// A new bucket behind `previous` (kNone: the first).
    std::uint32_t bucketBehind(std::uint32_t previous, std::uint64_t count)
    {
        std::uint32_t made = 0;
        if (m_free.empty()) {
            made = static_cast<std::uint32_t>(m_buckets.size());
            m_buckets.emplace_back();
        } else {
            made = m_free.back();
            m_free.pop_back();
        }
        const std::uint32_t next = previous == kNone ? m_first : m_buckets[previous].next;
        m_buckets[made] = {count, kNoObject, kNoObject, previous, next};
        (previous == kNone ? m_first : m_buckets[previous].next) = made;
        if (next != kNone)
            m_buckets[next].previous = made;
        return made;
    }
    void drop(std::uint32_t bucket)
    {
        const Bucket gone = m_buckets[bucket];
        (gone.previous == kNone ? m_first : m_buckets[gone.previous].next) = gone.next;
        if (gone.next != kNone)
            m_buckets[gone.next].previous = gone.previous;
        m_free.push_back(bucket);
    }
    /// Every count becomes half of it, 1 at least; the order stays.
    void halve()
    {
        std::vector<std::pair<std::uint64_t, std::uint32_t>> held;
        for (std::uint32_t bucket = m_first; bucket != kNone; bucket = m_buckets[bucket].next)
            for (std::uint32_t object = m_buckets[bucket].front; object != kNoObject; object = m_nodes[object].next)
                held.emplace_back(std::max<std::uint64_t>(1, m_buckets[bucket].count / 2), object);
        m_buckets.clear();
        m_free.clear();
        m_first = kNone;
        std::uint32_t last = kNone;
        for (const auto& [count, object] : held) {
            if (last == kNone || m_buckets[last].count != count)
                last = bucketBehind(last, count);
            append(last, object);
        }
    }
    std::vector<Node> m_nodes;
    std::vector<Bucket> m_buckets;
    std::vector<std::uint32_t> m_free;
    std::uint32_t m_first = kNone;
    std::uint64_t m_bytes = 0, m_halving = 0, m_requests = 0;
};
} // namespace

Method lfuMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.lfu",
        .lab = "cache",
        .title = "Least frequently used",
        .reference = "fewest requests since it came in; ties: who has had its count longest (Shah, Mitra, Matani 2010 for the lists)",
        .schema = ParameterSchema({{.name = "halve-every", .title = "Halve counts every", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e12, .logarithmic = true,
                                    .unit = "requests", .help = "So that old fame fades; 0: never"}})};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) {
        return std::make_unique<Lfu>(inputs.capacity, static_cast<std::uint64_t>(lfuMethod().declaration.schema.complete(given).integer("halve-every")));
    };
    return method;
}

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/lirs.h"

#include "core/cache/object_lists.h"
#include "core/cache/standing_text.h"

#include <algorithm>

namespace tamis::cache {
namespace {
constexpr std::size_t kStack = 1;             ///< of m_stack: S, by recency
constexpr std::size_t kQueue = 1, kGone = 2;  ///< of m_queue: resident HIR objects, and those of the stack that are not resident
enum Status : std::uint8_t { Gone, Hir, Lir }; ///< mark of m_stack

class Lirs final : public PolicyOf<Lirs> {
public:
    Lirs(std::uint64_t capacity, double hir)
        : m_capacity(capacity), m_hirLimit(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(hir * static_cast<double>(capacity)))), m_lirLimit(capacity - std::min(capacity, m_hirLimit)) {}
    void know(std::size_t objects) override
    {
        m_stack.know(objects);
        m_queue.know(objects);
    }
    void prefetch(std::uint32_t object) const noexcept
    {
        m_stack.prefetch(object);
        m_queue.prefetch(object);
    }
    bool access(const Request& request)
    {
        const bool hit = find(request.object);
        if (!hit && makeRoom(request))
            insert(request);
        limitStack();
        return hit;
    }
    std::uint64_t occupied() const noexcept override { return m_lir + m_queue.bytes(kQueue); }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> stack, held;
        m_stack.append(kStack, stack);
        for (const std::uint32_t object : stack)
            if (m_stack[object].mark == Lir)
                held.push_back(object);
        m_queue.append(kQueue, held);
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_stack.bytesHeld() + m_queue.bytesHeld(); }
    bool evictOne() override
    {
        const std::uint64_t before = occupied();
        while (before > 0 && occupied() == before)
            if (!evictHir())
                demote();
        return before > 0;
    }
    std::string standing(std::uint32_t object) const override
    {
        if (m_queue[object].list == kQueue)
            return std::string("queue of those that come back late, ") + placeText(m_queue, object);
        return inStack(object) && m_stack[object].mark == Lir ? "among those that come back soon" : "";
    }

private:
    bool inStack(std::uint32_t object) const noexcept { return m_stack[object].list == kStack; }
    bool find(std::uint32_t object)
    {
        const bool queued = m_queue[object].list == kQueue;
        if (queued)
            m_queue.moveToFront(object);
        if (!inStack(object)) {
            if (queued) { // resident, long not seen: back on the stack, still HIR
                while (m_lir + m_queue[object].size > m_lirLimit && m_lir > 0 && m_queue.back(kQueue) != object) // libCacheSim makes room so; never by its own place
                    demote();
                put(object, m_queue[object].size, Hir);
            }
            return queued;
        }
        m_stack.moveToFront(object);
        if (m_stack[object].mark == Lir) {
            prune();
            return true;
        }
        if (!queued)
            return false;
        if (m_stack[object].size > m_lirLimit)
            return true; // stays where it is
        m_queue.remove(object);
        promote(object);
        return true;
    }
    /// An object on top of the stack becomes LIR; those below make room.
    void promote(std::uint32_t object)
    {
        const std::uint64_t size = m_stack[object].size;
        while (m_lir + size > m_lirLimit && m_lir > 0)
            demote();
        m_stack[object].mark = Lir;
        m_lir += size;
    }
    bool makeRoom(const Request& request)
    {
        if (request.size > m_capacity)
            return false;
        if (inStack(request.object) && m_stack[request.object].size <= m_lirLimit) { // not resident, but remembered
            if (m_queue[request.object].list == kGone)
                m_queue.remove(request.object);
            const std::uint64_t size = m_stack[request.object].size;
            while (m_lir + size > m_lirLimit && m_lir > 0)
                demote();
            while (occupied() + request.size > m_capacity && evictHir()) {}
            while (occupied() + request.size > m_capacity && m_lir > 0)
                demote();
            return true;
        }
        if (m_lirLimit == 0) // a cache of one object has no room but the queue
            return makeRoomInQueue(request);
        if (request.size > m_lirLimit || request.size > m_hirLimit)
            return false;
        return m_lir + request.size <= m_lirLimit || makeRoomInQueue(request);
    }
    bool makeRoomInQueue(const Request& request)
    {
        while (m_queue.bytes(kQueue) + request.size > m_hirLimit && evictHir()) {}
        return m_queue.bytes(kQueue) + request.size <= m_hirLimit;
    }
    void insert(const Request& request)
    {
        if (inStack(request.object)) {
            if (m_queue[request.object].list == kGone)
                m_queue.remove(request.object);
            if (m_lir + m_stack[request.object].size <= m_lirLimit) {
                m_stack[request.object].mark = Lir;
                m_lir += m_stack[request.object].size;
                return;
            }
            m_stack.remove(request.object);
        }
        const bool lir = m_lir + request.size <= m_lirLimit;
        put(request.object, request.size, lir ? Lir : Hir);
        if (lir) {
            m_lir += request.size;
            return;
        }
        m_queue[request.object].size = request.size;
        m_queue.pushFront(kQueue, request.object);
    }
    void put(std::uint32_t object, std::uint32_t size, Status status)
    {
        m_stack[object].size = size;
        m_stack[object].mark = status;
        m_stack.pushFront(kStack, object);
    }
    /// The LIR object at the bottom of the stack goes to the queue.
    void demote()
    {
        const std::uint32_t object = m_stack.back(kStack);
        const std::uint32_t size = m_stack[object].size;
        if (size > m_hirLimit)
            tellEvicted(object);
        m_stack.remove(object);
        m_lir -= size;
        if (size <= m_hirLimit) {
            while (m_queue.bytes(kQueue) + size > m_hirLimit && evictHir()) {}
            m_queue[object].size = size;
            m_queue.pushFront(kQueue, object);
        }
        prune();
    }
    bool evictHir()
    {
        const std::uint32_t object = m_queue.back(kQueue);
        if (object == kNoObject)
            return false;
        tellEvicted(object);
        m_queue.remove(object);
        if (inStack(object)) {
            m_stack[object].mark = Gone;
            m_queue.pushFront(kGone, object);
        }
        return true;
    }
    /// The bottom of the stack is LIR.
    void prune()
    {
        for (std::uint32_t object = m_stack.back(kStack); object != m_stack.front(kStack) && m_stack[object].mark != Lir; object = m_stack.back(kStack)) {
            if (m_queue[object].list == kGone)
                m_queue.remove(object);
            m_stack.remove(object);
        }
    }
    void limitStack()
    {
        while (m_stack.bytes(kStack) > 2 * m_capacity && m_queue.back(kGone) != kNoObject) {
            const std::uint32_t object = m_queue.back(kGone);
            m_queue.remove(object);
            m_stack.remove(object);
        }
    }
    std::uint64_t m_capacity, m_hirLimit, m_lirLimit, m_lir = 0;
    ObjectLists m_stack{1}, m_queue{2};
};
} // namespace

Method lirsMethod()
{
    Method method;
    method.declaration = {
        .id = "cache.lirs",
        .lab = "cache",
        .title = "LIRS",
        .reference = "Jiang, Zhang 2002: who comes back soon stays, whatever its recency; the rest shares a small queue. As libCacheSim: a hit in the queue makes room among those that stay",
        .schema = ParameterSchema({{.name = "hir", .title = "Queue", .type = ParameterType::Real, .defaultValue = 0.01, .minimum = 0.001, .maximum = 0.9, .help = "Share of the cache for objects that come back late"}})};
    method.policy = [](const PolicyInputs& inputs, const Parameters& given) { return std::make_unique<Lirs>(inputs.capacity, lirsMethod().declaration.schema.complete(given).real("hir")); };
    return method;
}

} // namespace tamis::cache

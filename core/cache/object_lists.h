// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Lists of objects that are known by dense numbers: 16 bytes an object, no allocation but when the objects grow. Private to the lab.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis::cache {

inline constexpr std::uint32_t kNoObject = 0xFFFFFFFFU;

/// An object is in one list, or in none (0). Links run from the front to the back.
struct ObjectNode {
    std::uint32_t towardsFront = kNoObject, towardsBack = kNoObject;
    std::uint32_t size = 0;  ///< that it was put in with
    std::uint16_t count = 0; ///< the policy's own
    std::uint8_t list = 0, mark = 0;
};
static_assert(sizeof(ObjectNode) == 16);

struct ObjectList {
    std::uint32_t front = kNoObject, back = kNoObject;
    std::uint64_t objects = 0, bytes = 0;
};

class ObjectLists {
public:
    /// Lists 1 .. count.
    explicit ObjectLists(std::size_t count) : m_lists(count + 1) {}
    void know(std::size_t objects)
    {
        if (objects > m_nodes.size())
            m_nodes.resize(objects);
    }
    std::size_t known() const noexcept { return m_nodes.size(); }
    ObjectNode& operator[](std::uint32_t object) noexcept { return m_nodes[object]; }
    const ObjectNode& operator[](std::uint32_t object) const noexcept { return m_nodes[object]; }
    const ObjectList& list(std::size_t index) const noexcept { return m_lists[index]; }
    std::uint64_t bytes(std::size_t index) const noexcept { return m_lists[index].bytes; }
    std::uint32_t front(std::size_t index) const noexcept { return m_lists[index].front; }
    std::uint32_t back(std::size_t index) const noexcept { return m_lists[index].back; }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_nodes[object], 1); }

    void pushFront(std::size_t index, std::uint32_t object) noexcept
    {
        ObjectList& to = m_lists[index];
        ObjectNode& node = m_nodes[object];
        node.list = static_cast<std::uint8_t>(index);
        node.towardsFront = kNoObject;
        node.towardsBack = to.front;
        (to.front == kNoObject ? to.back : m_nodes[to.front].towardsFront) = object;
        to.front = object;
        ++to.objects;
        to.bytes += node.size;
    }
    /// From the list that it is in.
    void remove(std::uint32_t object) noexcept
    {
        ObjectNode& node = m_nodes[object];
        ObjectList& from = m_lists[node.list];
        unlink(from, node);
        --from.objects;
        from.bytes -= node.size;
        node.list = 0;
    }
    void moveToFront(std::uint32_t object) noexcept
    {
        ObjectNode& node = m_nodes[object];
        ObjectList& in = m_lists[node.list];
        if (in.front == object)
            return;
        unlink(in, node);
        node.towardsFront = kNoObject;
        node.towardsBack = in.front;
        m_nodes[in.front].towardsFront = object;
        in.front = object;
    }
    void moveTo(std::size_t index, std::uint32_t object) noexcept
    {
        remove(object);
        pushFront(index, object);
    }
    std::size_t bytesHeld() const noexcept { return m_nodes.capacity() * sizeof(ObjectNode); }
    /// From the front.
    void append(std::size_t index, std::vector<std::uint32_t>& to) const
    {
        for (std::uint32_t object = m_lists[index].front; object != kNoObject; object = m_nodes[object].towardsBack)
            to.push_back(object);
    }

private:
    void unlink(ObjectList& from, const ObjectNode& node) noexcept
    {
        (node.towardsFront == kNoObject ? from.front : m_nodes[node.towardsFront].towardsBack) = node.towardsBack;
        (node.towardsBack == kNoObject ? from.back : m_nodes[node.towardsBack].towardsFront) = node.towardsFront;
    }
    std::vector<ObjectNode> m_nodes;
    std::vector<ObjectList> m_lists;
};

} // namespace tamis::cache

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/capacity_rules.h"

#include "core/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

namespace tamis::cache {
namespace {
constexpr std::array<const char*, 3> kSignals{"off", "hit-ratio", "new-objects"}, kActions{"clear", "halve", "forget"};
constexpr std::uint8_t kById = 1, kByCount = 2;
constexpr std::uint64_t kLeastBetweenCounts = 64; ///< requests

template <class Enum> Enum named(const std::array<const char*, 3>& names, const std::string& name, const char* what)
{
    const auto found = std::ranges::find(names, name);
    if (found == names.end())
        throw Error(ErrorCode::InvalidParameter, "found '" + name + "', expected " + names[0] + ", " + names[1] + " or " + names[2], what);
    return static_cast<Enum>(found - names.begin());
}

std::uint64_t shareOf(double share, std::uint64_t capacity) { return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share * static_cast<double>(capacity))); }

class Ruled final : public PolicyOf<Ruled> {
public:
    Ruled(std::function<PolicyPtr()> make, std::uint64_t capacity, const CapacityRules& rules, std::vector<bool> byId)
        : m_make(std::move(make)), m_rules(rules), m_hard(shareOf(rules.hard, capacity)), m_soft(std::min(m_hard, shareOf(rules.soft, capacity))),
          m_mostProtected(static_cast<std::uint64_t>(rules.protectedShare * static_cast<double>(capacity))), m_byId(std::move(byId)), m_scene(rules.scene),
          m_leavesRoom(m_soft == m_hard && rules.batch == 1 && !rules.protects())
    {
        startAnew();
    }
    void know(std::size_t objects) override
    {
        m_inner->know(objects);
        m_scene.know(objects);
        for (std::size_t object = m_objects.size(); object < objects; ++object) {
            m_objects.emplace_back();
            if (object < m_byId.size() && m_byId[object])
                m_objects.back().protection = kById;
        }
    }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_objects[object], 1); }
    bool access(const Request& request)
    {
        const bool hit = serve(request);
        if (m_mostProtected > 0) {
            ++m_objects[request.object].requests;
            if (++m_sinceCount >= std::max<std::uint64_t>(m_held.size(), kLeastBetweenCounts))
                countAnew();
        }
        if (m_rules.scene.signal != SceneSignal::Off && m_scene.after(request.object, hit))
            changeScene();
        return hit;
    }
    std::uint64_t occupied() const noexcept override { return m_inner->occupied() + m_asideBytes; }
    std::vector<std::uint32_t> contents() const override
    {
        std::vector<std::uint32_t> held;
        for (const std::uint32_t object : m_held)
            if (m_objects[object].aside)
                held.push_back(object);
        const std::vector<std::uint32_t> inner = m_inner->contents();
        held.insert(held.end(), inner.begin(), inner.end());
        return held;
    }
    std::size_t stateBytes() const noexcept override { return m_inner->stateBytes() + m_objects.capacity() * sizeof(Object) + m_held.capacity() * sizeof(std::uint32_t) + m_scene.bytesHeld(); }
    std::string standing(std::uint32_t object) const override { return m_objects[object].aside ? "protected, kept aside" : m_inner->standing(object); }
    /// What is protected does not leave.
    bool evictOne() override
    {
        const std::uint64_t before = m_left;
        while (m_left == before && m_inner->evictOne()) {}
        return m_left > before;
    }
    std::vector<PolicyFigure> figures() const override
    {
        std::vector<PolicyFigure> figures = m_inner->figures();
        if (m_rules.scene.signal != SceneSignal::Off)
            figures.push_back({kSceneChanges, static_cast<double>(m_changes)});
        if (m_rules.protects())
            figures.push_back({"protected", static_cast<double>(m_protectedBytes)});
        return figures;
    }

private:
    struct Object {
        std::uint32_t size = 0, requests = 0, place = 0; ///< place: in m_held
        float cost = 1, uniqueness = 1;
        bool held = false, aside = false;
        std::uint8_t protection = 0;
    };
    bool serve(const Request& request)
    {
        Object& object = m_objects[request.object];
        if (object.aside)
            return true;
        if (!object.held && !makeRoom(request.size))
            return false;
        return ask(request);
    }
    /// Of the policy itself; notes what it took in and let go. m_passedBy: what was not held is not held now, and nobody was told.
    bool ask(const Request& request)
    {
        m_passedBy = false;
        const std::uint64_t before = m_inner->occupied();
        m_gone = 0;
        const bool was = m_objects[request.object].held;
        if (!was) { // until the policy tells otherwise
            Object& object = m_objects[request.object];
            object.size = request.size;
            object.cost = request.cost;
            object.uniqueness = request.uniqueness;
            hold(request.object, true);
        }
        const bool hit = m_inner->request(request);
        Object& object = m_objects[request.object];
        m_passedBy = !was && object.held && !object.aside && m_inner->occupied() + m_gone <= before;
        if (m_passedBy)
            hold(request.object, false);
        return hit;
    }
    void hold(std::uint32_t number, bool held)
    {
        Object& object = m_objects[number];
        object.held = held;
        if (held) {
            object.place = static_cast<std::uint32_t>(m_held.size());
            m_held.push_back(number);
            m_protectedBytes += object.protection != 0 ? object.size : 0;
            return;
        }
        m_protectedBytes -= object.protection != 0 ? object.size : 0;
        object.protection &= kById;
        m_objects[m_held.back()].place = object.place;
        m_held[object.place] = m_held.back();
        m_held.pop_back();
    }
    /// Told by the policy.
    void leaves(std::uint32_t number)
    {
        Object& object = m_objects[number];
        m_gone += object.size;
        if (object.protection != 0) {
            object.aside = true;
            m_asideBytes += object.size;
            return;
        }
        letGo(number);
    }
    void letGo(std::uint32_t number)
    {
        hold(number, false);
        ++m_left;
        tellEvicted(number);
    }
    bool makeRoom(std::uint64_t size)
    {
        if (m_leavesRoom || occupied() + size <= m_hard)
            return true; // the policy sees to it
        if (size > m_hard || m_protectedBytes + size > m_hard)
            return false;
        const std::uint64_t before = m_left;
        while (occupied() + size > std::max(m_soft, size) || m_left - before < m_rules.batch) {
            hearStop();
            if (!evictOne())
                break;
        }
        return occupied() + size <= m_hard;
    }
    /// Between evictions, of which one request may need as many as the cache holds objects.
    void hearStop() const
    {
        if (stopped())
            throw Error(ErrorCode::Cancelled, "stopped on request");
    }
    void startAnew()
    {
        m_inner = m_make();
        m_inner->know(m_objects.size());
        m_inner->watchEvictions([this](std::uint32_t object) { leaves(object); });
    }
    void changeScene()
    {
        ++m_changes;
        if (m_rules.action == SceneAction::Forget) {
            const std::vector<std::uint32_t> contents = m_inner->contents();
            startAnew();
            for (auto object = contents.rbegin(); object != contents.rend(); ++object) {
                hearStop();
                hold(*object, false);
                ask({*object, m_objects[*object].size, kNever, m_objects[*object].cost, m_objects[*object].uniqueness});
                if (m_passedBy)
                    tellEvicted(*object);
            }
            return;
        }
        const std::uint64_t target = m_rules.action == SceneAction::Halve ? m_hard / 2 : 0;
        do
            hearStop();
        while (occupied() > target && evictOne());
        if (m_rules.action == SceneAction::Clear)
            startAnew();
    }
    /// The most requested of what is held, up to their share; equal: the one that came first. Who no longer belongs to them and is aside leaves.
    void countAnew()
    {
        m_sinceCount = 0;
        std::vector<std::uint32_t> held = m_held;
        const std::size_t most = mostRequested(held);
        m_protectedBytes = 0;
        for (std::size_t i = 0; i < held.size(); ++i) {
            const std::uint32_t number = held[i];
            Object& object = m_objects[number];
            object.protection &= kById;
            if (i < most)
                object.protection |= kByCount;
            if (object.protection != 0) {
                m_protectedBytes += object.size;
            } else if (object.aside) {
                object.aside = false;
                m_asideBytes -= object.size;
                letGo(number);
            }
        }
    }
    /// Brings the most requested to the front, and says how many of them fit their share before the first that does not: halves are looked at as long as they hold that one, in time
    /// of the order of all that is held, where sorting would be longer than a request may take.
    std::size_t mostRequested(std::vector<std::uint32_t>& held) const
    {
        const auto more = [this](std::uint32_t a, std::uint32_t b) { return m_objects[a].requests != m_objects[b].requests ? m_objects[a].requests > m_objects[b].requests : a < b; };
        const auto at = [&](std::size_t i) { return held.begin() + static_cast<std::ptrdiff_t>(i); };
        std::uint64_t left = m_mostProtected;
        std::size_t first = 0, last = held.size();
        while (first < last) {
            const std::size_t middle = first + (last - first + 1) / 2; // one at least
            if (middle < last)
                std::nth_element(at(first), at(middle), at(last), more);
            std::uint64_t bytes = 0;
            for (std::size_t i = first; i < middle; ++i)
                bytes += m_objects[held[i]].size;
            if (bytes <= left) {
                left -= bytes;
                first = middle;
            } else if (middle - first == 1) {
                break;
            } else {
                last = middle;
            }
        }
        return first;
    }
    std::function<PolicyPtr()> m_make;
    CapacityRules m_rules;
    std::uint64_t m_hard, m_soft, m_mostProtected;
    std::vector<bool> m_byId;
    SceneDetector m_scene;
    bool m_passedBy = false;
    bool m_leavesRoom; ///< to the policy: nothing asks for more than it would do
    PolicyPtr m_inner;
    std::vector<Object> m_objects;
    std::vector<std::uint32_t> m_held; ///< objects, aside or not
    std::uint64_t m_asideBytes = 0, m_protectedBytes = 0; ///< of what is kept aside, of all that is held and protected
    std::uint64_t m_gone = 0, m_left = 0, m_sinceCount = 0, m_changes = 0;
};
} // namespace

SceneSignal sceneSignalNamed(const std::string& name) { return named<SceneSignal>(kSignals, name, "scene-change"); }
SceneAction sceneActionNamed(const std::string& name) { return named<SceneAction>(kActions, name, "scene-action"); }

void requireRules(const CapacityRules& rules)
{
    const auto require = [](bool right, const char* expected, const char* what) {
        if (!right)
            throw Error(ErrorCode::InvalidParameter, expected, what);
    };
    require(rules.hard > 0 && rules.hard <= 1, "expected a share of the capacity above 0, 1 at most", "hard");
    require(rules.soft > 0 && rules.soft <= rules.hard, "expected a share of the capacity above 0, no larger than the hard limit", "soft");
    require(rules.batch >= 1, "expected 1 object at least", "evict-batch");
    require(rules.protectedShare >= 0 && rules.protectedShare < rules.hard, "expected a share of the capacity, 0 at least and below the hard limit: nothing else could enter", "protect-most");
    require(rules.scene.signal == SceneSignal::Off || rules.scene.window >= 1, "expected a window of 1 request at least", "scene-window");
    require(rules.scene.signal == SceneSignal::Off || rules.scene.threshold > 0, "expected a threshold above 0", "scene-threshold");
}

std::string inWords(const CapacityRules& rules)
{
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    if (rules.hard < 1)
        add("hard " + toText(rules.hard));
    if (rules.soft < 1)
        add("soft " + toText(rules.soft));
    if (rules.batch > 1)
        add("batches of " + std::to_string(rules.batch));
    if (!rules.protectedIds.empty())
        add(std::to_string(rules.protectedIds.size()) + " protected");
    if (rules.protectedShare > 0)
        add("most requested " + toText(rules.protectedShare) + " protected");
    if (rules.scene.signal != SceneSignal::Off)
        add(std::string("scene change by ") + kSignals[static_cast<std::size_t>(rules.scene.signal)] + ": " + kActions[static_cast<std::size_t>(rules.action)]);
    return text;
}

CapacityRules scaledRules(const CapacityRules& rules, double rate)
{
    const auto scaled = [&](std::uint64_t count) { return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(count) * rate))); };
    CapacityRules smaller = rules;
    smaller.batch = scaled(rules.batch);
    smaller.scene.window = scaled(rules.scene.window);
    return smaller;
}

std::vector<bool> protectedObjects(const CapacityRules& rules, const Trace& trace)
{
    const std::unordered_set<std::uint64_t> ids(rules.protectedIds.begin(), rules.protectedIds.end());
    std::vector<bool> objects(trace.ids.size(), false);
    for (std::size_t object = 0; !ids.empty() && object < objects.size(); ++object)
        objects[object] = ids.contains(trace.ids[object]);
    return objects;
}

PolicyPtr ruledPolicy(const Method& method, const PolicyInputs& inputs, const Parameters& parameters, const CapacityRules& rules, std::vector<bool> protectedObjects)
{
    requireRules(rules);
    if (!rules.active())
        return method.policy(inputs, parameters);
    if (method.knowsFuture || method.bound)
        throw Error(ErrorCode::InvalidParameter, "found " + method.declaration.id + ", expected a policy that does not know the future: rules are for caches that can be built", "rules");
    PolicyInputs within = inputs;
    within.capacity = shareOf(rules.hard, inputs.capacity);
    return std::make_unique<Ruled>([&method, within, parameters] { return method.policy(within, parameters); }, inputs.capacity, rules, std::move(protectedObjects));
}

} // namespace tamis::cache

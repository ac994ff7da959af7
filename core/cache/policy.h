// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A cache that decides what to keep. Objects are known by dense numbers in the order of their first request.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace tamis::cache {

inline constexpr std::uint32_t kNever = 0xFFFFFFFFU;

struct Request {
    std::uint32_t object = 0;
    std::uint32_t size = 1;      ///< bytes, or 1 where all are alike
    std::uint32_t next = kNever; ///< the request at which this object comes again; for policies that know the future alone
    float cost = 1;              ///< of computing or fetching it anew, in the trace's unit
    float uniqueness = 1;        ///< 1 / number of similar objects: less where others could stand in for it
};

/// A stretch of a trace.
struct Requests {
    std::span<const std::uint32_t> objects;
    std::span<const std::uint32_t> sizes; ///< empty: all 1
    std::span<const std::uint32_t> next;  ///< empty: not known
    std::span<const float> costs{};       ///< empty: all 1
    std::span<const float> uniqueness{};  ///< empty: all 1
    Request at(std::size_t i) const noexcept
    {
        return {objects[i], sizes.empty() ? 1U : sizes[i], next.empty() ? kNever : next[i], costs.empty() ? 1.0F : costs[i], uniqueness.empty() ? 1.0F : uniqueness[i]};
    }
    /// [first, end).
    Requests stretch(std::size_t first, std::size_t end) const noexcept
    {
        const auto of = [&](auto all) { return all.empty() ? all : all.subspan(first, end - first); };
        return {of(objects), of(sizes), of(next), of(costs), of(uniqueness)};
    }
};

struct Counts {
    std::uint64_t requests = 0, hits = 0;
    std::uint64_t bytes = 0, hitBytes = 0;
    double cost = 0, hitCost = 0; ///< of all requests, of the hits: what was not to be paid; 0 where requests have no costs
};

/// Something that a policy has learned or chosen, in a number.
struct PolicyFigure {
    std::string name;
    double value = 0;
};

/// Not thread-safe: one simulation each. An object keeps the size that it was put in with; one larger than the cache (or than the part that it
/// would enter) passes by; what is in the way is evicted until the newcomer fits.
class Policy {
public:
    virtual ~Policy() = default;
    /// Objects 0 .. objects - 1 may come.
    virtual void know(std::size_t objects) = 0;
    /// True: it was there.
    virtual bool request(const Request& request) = 0;
    /// As request() one after another, faster. Adds to `counts`.
    virtual void run(const Requests& requests, Counts& counts) = 0;
    virtual std::uint64_t occupied() const noexcept = 0; ///< of the capacity
    /// What is held, the last to go first, where the policy has such an order.
    virtual std::vector<std::uint32_t> contents() const = 0;
    /// Takes an object out that is held, for caches of several levels; watchEvictions() does not hear of it. False: it is not held, or this policy
    /// cannot.
    virtual bool erase(std::uint32_t) { return false; }
    virtual bool canErase() const noexcept { return false; }
    virtual std::size_t stateBytes() const noexcept = 0; ///< that bookkeeping takes now, for all objects that are known
    /// Lets the object go that would leave next, as if room were needed. False: nothing is held.
    virtual bool evictOne() = 0;
    virtual std::vector<PolicyFigure> figures() const { return {}; } ///< as they are now; none: it learns nothing
    /// What the policy itself knows of an object that it holds, for people: "small queue, used once". "": nothing beyond what anybody can count.
    virtual std::string standing(std::uint32_t object) const;
    /// Told of every object that leaves, just before it does: standing() still knows it, occupied() and contents() may count it. The watch calls
    /// nothing that changes the policy. Empty: nobody.
    void watchEvictions(std::function<void(std::uint32_t object)> watch) { m_watch = std::move(watch); }
    /// A request that makes much room at once hears this stop, and throws Error{Cancelled}: the policy is of no use then.
    void heed(std::stop_token stop) { m_stop = std::move(stop); }

protected:
    bool stopped() const noexcept { return m_stop.stop_requested(); }
    void tellEvicted(std::uint32_t object) const
    {
        if (m_watch) [[unlikely]]
            m_watch(object);
    }

private:
    std::function<void(std::uint32_t)> m_watch;
    std::stop_token m_stop;
};
inline std::string Policy::standing(std::uint32_t) const { return {}; }
using PolicyPtr = std::unique_ptr<Policy>;

/// The loop over requests with the policy's own step in line: Derived has bool access(const Request&) and void prefetch(object).
template <class Derived> class PolicyOf : public Policy {
public:
    bool request(const Request& request) final { return self().access(request); }
    void run(const Requests& requests, Counts& counts) final
    {
        if (!requests.costs.empty() || !requests.uniqueness.empty()) [[unlikely]]
            return runWeighted(requests, counts);
        constexpr std::size_t kAhead = 12; ///< requests: about one miss of the last cache level
        const std::size_t count = requests.objects.size();
        Counts sum;
        for (std::size_t i = 0; i < count; ++i) {
            if (i + kAhead < count)
                self().prefetch(requests.objects[i + kAhead]);
            const Request one{requests.objects[i], requests.sizes.empty() ? 1U : requests.sizes[i], requests.next.empty() ? kNever : requests.next[i]};
            const bool hit = self().access(one);
            sum.hits += hit ? 1U : 0U;
            sum.bytes += one.size;
            sum.hitBytes += hit ? one.size : 0U;
        }
        counts.requests += count;
        counts.hits += sum.hits;
        counts.bytes += sum.bytes;
        counts.hitBytes += sum.hitBytes;
    }

private:
    Derived& self() noexcept { return static_cast<Derived&>(*this); }
    void runWeighted(const Requests& requests, Counts& counts)
    {
        for (std::size_t i = 0; i < requests.objects.size(); ++i) {
            const Request one = requests.at(i);
            const bool hit = self().access(one);
            ++counts.requests;
            counts.hits += hit ? 1U : 0U;
            counts.bytes += one.size;
            counts.hitBytes += hit ? one.size : 0U;
            const double cost = requests.costs.empty() ? 0.0 : static_cast<double>(one.cost);
            counts.cost += cost;
            counts.hitCost += hit ? cost : 0.0;
        }
    }
};

/// A policy that makes room one object at a time: Derived has bool touch(const Request&) (true: a hit), void evict() and void insert(const
/// Request&), and may narrow admits().
template <class Derived> class EvictingPolicy : public PolicyOf<Derived> {
public:
    explicit EvictingPolicy(std::uint64_t capacity) : m_capacity(capacity) {}
    bool access(const Request& request)
    {
        Derived& self = static_cast<Derived&>(*this);
        if (self.touch(request))
            return true;
        if (!self.admits(request))
            return false;
        while (self.occupied() + request.size > m_capacity)
            self.evict();
        self.insert(request);
        return false;
    }
    bool admits(const Request& request) const noexcept { return request.size <= m_capacity; }
    bool evictOne() final
    {
        Derived& self = static_cast<Derived&>(*this);
        const std::uint64_t before = self.occupied();
        while (before > 0 && self.occupied() == before) // some pass over objects first
            self.evict();
        return before > 0;
    }

protected:
    std::uint64_t capacity() const noexcept { return m_capacity; }

private:
    std::uint64_t m_capacity;
};

} // namespace tamis::cache

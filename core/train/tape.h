// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reverse-mode differentiation of matrices. Operations append nodes; backward() walks them in reverse and adds up
// gradients. Values are row-major [rows, features]. T is float (training) or double (gradient checks).
//
// A step: reset(); leaves; operations; backward(loss). From the second step of the same size on, nothing is allocated.
// A tape belongs to one thread; the operations themselves use all threads, over fixed tiles with sums in a fixed order:
// results do not depend on the number of threads. Any operation may throw Error{InvalidParameter} (shapes disagree, in one
// sentence), Error{Cancelled}, Error{OutOfMemory}; reset() makes the tape usable again.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"
#include "core/train/arena.h"
#include "core/train/parameter_set.h"

#include <cstdint>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tamis::train {

template <class T> using View = tensor::MatrixView<T>;
template <class T> class Tape;

/// A value on a tape. Light; valid until the tape's reset().
template <class T> class Variable {
public:
    Variable() = default;
    explicit operator bool() const noexcept { return m_tape != nullptr; }
    Tape<T>& tape() const noexcept { return *m_tape; }
    std::int32_t index() const noexcept { return m_index; }
    View<const T> value() const { return m_tape->value(*this); }
    std::int64_t rows() const { return value().rows; }
    std::int64_t cols() const { return value().cols; }

private:
    friend class Tape<T>;
    Variable(Tape<T>* tape, std::int32_t index) : m_tape(tape), m_index(index) {}
    Tape<T>* m_tape = nullptr;
    std::int32_t m_index = -1;
};

/// Where a backward step puts a gradient: it adds when `add` is set, otherwise it writes every element.
template <class T> struct GradientTarget {
    View<T> view;
    bool add = false;
    explicit operator bool() const noexcept { return view.data != nullptr; }
};

template <class T> class Tape {
public:
    explicit Tape(RunContext context = {});
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;

    /// Forgets all nodes; memory is kept.
    void reset();
    const RunContext& context() const noexcept { return m_context; }
    void setContext(RunContext context) { m_context = std::move(context); }

    // Leaves.
    /// Borrowed values without a gradient: they must stay until reset().
    Variable<T> constant(View<const T> values);
    /// Copied values with a gradient.
    Variable<T> input(View<const T> values);
    /// Borrowed values; backward() adds to parameter.gradient. One of rate 0 is a constant.
    Variable<T> parameter(Parameter<T>& parameter);

    View<const T> value(Variable<T> variable) const;
    /// The value of a [1, 1] variable.
    T scalar(Variable<T> variable) const;
    bool needsGradient(Variable<T> variable) const noexcept { return m_nodes[place(variable)].needsGradient; }
    /// gradient(variable) stays readable after backward(); call it before. Inputs keep theirs anyway.
    void keepGradient(Variable<T> variable);
    /// d loss / d variable after backward(); zero matrices are views with data == nullptr: the loss does not depend on it.
    View<const T> gradient(Variable<T> variable) const;
    /// `loss` is [1, 1]; gradients are those of seed * loss. Once a step.
    void backward(Variable<T> loss, T seed = T{1});
    std::size_t bytes() const noexcept { return m_arena.capacity(); } ///< memory held

    // For operations.
    /// A new node of uninitialised values; it needs a gradient when one of `sources` does.
    Variable<T> output(std::int64_t rows, std::int64_t cols, std::initializer_list<Variable<T>> sources);
    /// Columns [begin, begin + count) of a variable, without a copy.
    Variable<T> window(Variable<T> variable, std::int64_t begin, std::int64_t count);
    View<T> mutableValue(Variable<T> variable);
    /// Uninitialised memory until reset().
    template <class U> U* scratch(std::int64_t count)
    {
        static_assert(std::is_trivially_destructible_v<U>);
        return static_cast<U*>(m_arena.allocate(static_cast<std::size_t>(count) * sizeof(U)));
    }
    /// Memory that is given back with release() and used for gradients, too.
    T* borrow(std::int64_t count);
    void release(T* memory, std::int64_t count);
    /// `step(gradient)` is called once in backward(), with d loss / d variable, which it may overwrite. It is kept in the
    /// arena: captures must be trivially copyable (views, variables, numbers). Dropped when the variable needs no gradient.
    template <class Step> void onBackward(Variable<T> variable, Step step)
    {
        static_assert(std::is_trivially_destructible_v<Step> && std::is_trivially_copyable_v<Step>);
        Node& node = m_nodes[place(variable)];
        if (!node.needsGradient)
            return;
        node.closure = new (m_arena.allocate(sizeof(Step))) Step(step);
        node.step = [](const void* closure, View<T> gradient) { (*static_cast<const Step*>(closure))(gradient); };
    }
    /// Within backward(): where to put a gradient; empty when the variable needs none.
    GradientTarget<T> target(Variable<T> variable);
    /// Within backward(): `gradient`, that of `from`, whose step runs, is also that of `to`. Moves the memory when that is
    /// possible: call it last, and for one variable only.
    void passOn(Variable<T> from, View<T> gradient, Variable<T> to);
    /// The step of `variable` runs even when nothing has reached its own gradient (several outputs; its view is then empty).
    void runAlways(Variable<T> variable) { m_nodes[place(variable)].always = true; }

private:
    struct Node {
        View<T> value;
        View<T> gradient;            ///< data null until something arrives
        std::int32_t window = -1;    ///< the variable that this is a window of
        std::int64_t windowBegin = 0;
        bool needsGradient = false, keep = false, lent = false; ///< lent: gradient memory is the caller's
        bool always = false;
        const void* closure = nullptr;
        void (*step)(const void*, View<T>) = nullptr;
    };
    struct FreeList {
        std::int64_t count = 0;
        std::vector<T*> memory;
    };
    static std::size_t place(Variable<T> variable) noexcept { return static_cast<std::size_t>(variable.m_index); }
    Variable<T> append(Node node);
    bool wantsStep(const Node& node) const noexcept { return node.step && (node.gradient.data || node.always); }

    RunContext m_context;
    Arena m_arena;
    std::vector<Node> m_nodes;
    std::vector<FreeList> m_free;
};

extern template class Tape<float>;
extern template class Tape<double>;

/// Throws Error{InvalidParameter, message, operation} unless it holds.
void require(bool holds, const char* operation, const char* message);
/// "[3, 4]".
template <class T> std::string shapeOf(Variable<T> variable)
{
    return "[" + std::to_string(variable.rows()) + ", " + std::to_string(variable.cols()) + "]";
}
[[noreturn]] void refuseShapes(const char* operation, const std::string& found, const std::string& expected);

} // namespace tamis::train

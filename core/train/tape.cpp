// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/tape.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <limits>

namespace tamis::train {
namespace {
constexpr std::int64_t kBlock = 65536; // elements copied or added by one task

template <class Each> void forRows(const RunContext& context, std::int64_t rows, std::int64_t cols, const Each& each)
{
    const std::int64_t tile = std::max<std::int64_t>(1, kBlock / std::max<std::int64_t>(1, cols));
    const std::int64_t tiles = (rows + tile - 1) / tile;
    const auto body = [&](std::size_t index) {
        const auto begin = static_cast<std::int64_t>(index) * tile;
        for (std::int64_t i = begin; i < std::min(rows, begin + tile); ++i)
            each(i);
    };
    if (tiles <= 1) {
        context.throwIfStopped();
        for (std::int64_t i = 0; i < tiles; ++i)
            body(0);
        return;
    }
    parallelFor(context, static_cast<std::size_t>(tiles), body);
}
} // namespace

void require(bool holds, const char* operation, const char* message)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, message, operation);
}

void refuseShapes(const char* operation, const std::string& found, const std::string& expected)
{
    throw Error(ErrorCode::InvalidParameter, "found " + found + ", expected " + expected, operation);
}

template <class T> Tape<T>::Tape(RunContext context) : m_context(std::move(context)) {}

template <class T> void Tape<T>::reset()
{
    m_nodes.clear();
    for (FreeList& list : m_free)
        list.memory.clear();
    m_arena.rewind();
}

template <class T> Variable<T> Tape<T>::append(Node node)
{
    m_nodes.push_back(node);
    return {this, static_cast<std::int32_t>(m_nodes.size()) - 1};
}

template <class T> Variable<T> Tape<T>::constant(View<const T> values)
{
    Node node;
    node.value = {const_cast<T*>(values.data), values.rows, values.cols, values.stride}; // never written: no operation writes to its sources
    return append(node);
}

template <class T> Variable<T> Tape<T>::input(View<const T> values)
{
    const Variable<T> variable = output(values.rows, values.cols, {});
    Node& node = m_nodes[place(variable)];
    for (std::int64_t i = 0; i < values.rows; ++i)
        std::copy_n(values.data + i * values.stride, values.cols, node.value.data + i * values.cols);
    node.needsGradient = node.keep = true;
    return variable;
}

template <class T> Variable<T> Tape<T>::parameter(Parameter<T>& parameter)
{
    Node node;
    node.value = parameter.values.view();
    if (parameter.rate == 0.0)
        return append(node);
    node.gradient = parameter.gradient.view();
    node.needsGradient = node.lent = node.keep = true;
    return append(node);
}

template <class T> View<const T> Tape<T>::value(Variable<T> variable) const { return m_nodes[place(variable)].value; }
template <class T> View<T> Tape<T>::mutableValue(Variable<T> variable) { return m_nodes[place(variable)].value; }

template <class T> T Tape<T>::scalar(Variable<T> variable) const
{
    const View<const T> view = value(variable);
    if (view.rows != 1 || view.cols != 1)
        refuseShapes("scalar", shapeOf(variable), "[1, 1]");
    return view.data[0];
}

template <class T> void Tape<T>::keepGradient(Variable<T> variable)
{
    Node& node = m_nodes[place(variable)];
    node.keep = true;
    if (node.window >= 0)
        m_nodes[static_cast<std::size_t>(node.window)].keep = true;
}

template <class T> View<const T> Tape<T>::gradient(Variable<T> variable) const
{
    const Node& node = m_nodes[place(variable)];
    if (node.window < 0)
        return node.gradient;
    const Node& parent = m_nodes[static_cast<std::size_t>(node.window)];
    if (!parent.gradient.data)
        return {};
    return {parent.gradient.data + node.windowBegin, node.value.rows, node.value.cols, parent.gradient.stride};
}

template <class T>
Variable<T> Tape<T>::output(std::int64_t rows, std::int64_t cols, std::initializer_list<Variable<T>> sources)
{
    if (rows < 0 || cols < 0 || (cols > 0 && rows > std::numeric_limits<std::int64_t>::max() / cols / 64))
        throw Error(ErrorCode::LimitExceeded, "a matrix of " + std::to_string(rows) + " x " + std::to_string(cols) + " was asked for");
    Node node;
    node.value = {scratch<T>(rows * cols), rows, cols, cols};
    for (const Variable<T>& source : sources)
        node.needsGradient |= source && needsGradient(source);
    return append(node);
}

template <class T> Variable<T> Tape<T>::window(Variable<T> variable, std::int64_t begin, std::int64_t count)
{
    const Node& whole = m_nodes[place(variable)];
    if (begin < 0 || count < 0 || begin > whole.value.cols - count)
        refuseShapes("columns", "columns " + std::to_string(begin) + " to " + std::to_string(begin + count) + " of " + shapeOf(variable), "a part of them");
    Node node;
    node.value = {whole.value.data + begin, whole.value.rows, count, whole.value.stride};
    node.needsGradient = whole.needsGradient;
    node.window = whole.window >= 0 ? whole.window : variable.m_index;
    node.windowBegin = whole.windowBegin + begin;
    return append(node);
}

template <class T> T* Tape<T>::borrow(std::int64_t count)
{
    for (FreeList& list : m_free)
        if (list.count == count && !list.memory.empty()) {
            T* memory = list.memory.back();
            list.memory.pop_back();
            return memory;
        }
    return scratch<T>(count);
}

template <class T> void Tape<T>::release(T* memory, std::int64_t count)
{
    for (FreeList& list : m_free)
        if (list.count == count)
            return list.memory.push_back(memory);
    m_free.push_back({count, {memory}});
}

template <class T> GradientTarget<T> Tape<T>::target(Variable<T> variable)
{
    Node& node = m_nodes[place(variable)];
    if (!node.needsGradient)
        return {};
    if (node.window < 0) {
        const bool add = node.gradient.data != nullptr;
        if (!add)
            node.gradient = {borrow(node.value.rows * node.value.cols), node.value.rows, node.value.cols, node.value.cols};
        return {node.gradient, add};
    }
    Node& parent = m_nodes[static_cast<std::size_t>(node.window)];
    if (!parent.gradient.data) { // other columns may never be written
        const View<T> zeros{borrow(parent.value.rows * parent.value.cols), parent.value.rows, parent.value.cols, parent.value.cols};
        forRows(m_context, zeros.rows, zeros.cols, [&](std::int64_t i) { std::fill_n(zeros.data + i * zeros.stride, zeros.cols, T{0}); });
        parent.gradient = zeros;
    }
    return {{parent.gradient.data + node.windowBegin, node.value.rows, node.value.cols, parent.gradient.stride}, true};
}

template <class T> void Tape<T>::passOn(Variable<T> from, View<T> gradient, Variable<T> to)
{
    Node& source = m_nodes[place(from)];
    Node& node = m_nodes[place(to)];
    if (!node.needsGradient)
        return;
    const bool ownsIt = source.gradient.data == gradient.data && !source.keep && !source.lent;
    if (ownsIt && node.window < 0 && !node.gradient.data && node.value.rows == gradient.rows && node.value.cols == gradient.cols) {
        node.gradient = gradient;
        source.gradient = {};
        return;
    }
    const GradientTarget<T> destination = target(to);
    forRows(m_context, gradient.rows, gradient.cols, [&](std::int64_t i) {
        const T* read = gradient.data + i * gradient.stride;
        T* write = destination.view.data + i * destination.view.stride;
        for (std::int64_t j = 0; j < gradient.cols; ++j)
            write[j] = destination.add ? write[j] + read[j] : read[j];
    });
}

template <class T> void Tape<T>::backward(Variable<T> loss, T seed)
{
    (void)scalar(loss);
    const GradientTarget<T> start = target(loss);
    if (!start)
        return;
    start.view.data[0] = start.add ? start.view.data[0] + seed : seed;
    for (std::int32_t i = loss.m_index; i >= 0; --i) {
        Node& node = m_nodes[static_cast<std::size_t>(i)];
        if (!wantsStep(node))
            continue;
        m_context.throwIfStopped();
        if (node.keep && !node.lent && node.gradient.data) { // steps overwrite: what is kept must not be theirs
            const View<T> copy = node.gradient;
            const View<T> own{borrow(copy.rows * copy.cols), copy.rows, copy.cols, copy.cols};
            forRows(m_context, copy.rows, copy.cols, [&](std::int64_t r) { std::copy_n(copy.data + r * copy.stride, copy.cols, own.data + r * own.stride); });
            node.step(node.closure, own);
            release(own.data, own.rows * own.cols);
            continue;
        }
        node.step(node.closure, node.gradient);
        if (!node.lent && node.gradient.data) {
            release(node.gradient.data, node.gradient.rows * node.gradient.cols);
            node.gradient = {};
        }
    }
}

template class Tape<float>;
template class Tape<double>;

} // namespace tamis::train

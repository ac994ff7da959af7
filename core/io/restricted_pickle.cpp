// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/restricted_pickle.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/pickle_vocabulary.h"
#include "core/io/tensor_entry.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

namespace tamis::io
{
namespace
{
constexpr std::size_t kMaximumGlobal = 256; // bytes of a module's or a name's text

class Machine
{
public:
    Machine(std::span<const std::byte> bytes, const std::string& subject, const PickleLimits& limits)
        : m_bytes(bytes), m_subject(subject), m_limits(limits)
    {
    }

    Pickle run()
    {
        while (step()) {
        }
        if (m_stack.size() != 1 || !m_marks.empty())
            fail("the pickle ends with " + std::to_string(m_stack.size()) + " values, expected one");
        m_pickle.root = m_stack.back();
        if (m_at != m_bytes.size())
            fail("found " + std::to_string(m_bytes.size() - m_at) + " bytes after the end of the pickle");
        checkShape();
        return std::move(m_pickle);
    }

private:
    [[noreturn]] void fail(const std::string& message, ErrorCode code = ErrorCode::MalformedFile) const
    {
        throw Error(code, message, m_subject, m_instruction);
    }

    // The program's bytes.
    std::span<const std::byte> take(std::uint64_t count)
    {
        if (count > m_bytes.size() - m_at)
            fail("the pickle ends inside an instruction");
        const auto part = m_bytes.subspan(m_at, count);
        m_at += count;
        return part;
    }
    std::uint64_t number(std::size_t size)
    {
        std::uint64_t value = 0;
        const auto part = take(size);
        for (std::size_t i = size; i-- > 0;)
            value = value << 8 | std::to_integer<std::uint64_t>(part[i]);
        return value;
    }
    std::string characters(std::uint64_t count)
    {
        const auto part = take(count);
        return {reinterpret_cast<const char*>(part.data()), part.size()};
    }
    std::string line()
    {
        std::string text;
        for (;;) {
            const char c = std::to_integer<char>(take(1)[0]);
            if (c == '\n')
                return text;
            if (text.size() == kMaximumGlobal)
                fail("a name has more than " + std::to_string(kMaximumGlobal) + " bytes", ErrorCode::LimitExceeded);
            text += c;
        }
    }

    // The stack.
    void push(PickleValue value)
    {
        if (m_pickle.values.size() >= m_limits.values)
            fail("the pickle builds more than " + std::to_string(m_limits.values) + " values",
                 ErrorCode::LimitExceeded);
        m_stack.push_back(static_cast<std::uint32_t>(m_pickle.values.size()));
        m_pickle.values.push_back(std::move(value));
    }
    std::uint32_t pop()
    {
        if (m_stack.size() <= (m_marks.empty() ? 0 : m_marks.back()))
            fail("the pickle takes a value from an empty stack");
        const std::uint32_t value = m_stack.back();
        m_stack.pop_back();
        return value;
    }
    std::vector<std::uint32_t> popToMark()
    {
        if (m_marks.empty())
            fail("the pickle takes values without a mark");
        std::vector<std::uint32_t> values(m_stack.begin() + static_cast<std::ptrdiff_t>(m_marks.back()), m_stack.end());
        m_stack.resize(m_marks.back());
        m_marks.pop_back();
        return values;
    }
    PickleValue& below(PickleKind kind, const char* expected)
    {
        if (m_stack.size() <= (m_marks.empty() ? 0 : m_marks.back()))
            fail("the pickle takes a value from an empty stack");
        PickleValue& value = m_pickle.values[m_stack.back()];
        if (value.kind != kind || isTuple(m_stack.back()))
            fail(std::string("the pickle adds to something else, expected ") + expected);
        return value;
    }
    bool isTuple(std::uint32_t value) const { return m_tuples.contains(value); }

    void remember(std::uint64_t key)
    {
        if (m_stack.size() <= (m_marks.empty() ? 0 : m_marks.back()))
            fail("the pickle remembers a value from an empty stack");
        if (m_memo.size() >= m_limits.values)
            fail("the pickle remembers more than " + std::to_string(m_limits.values) + " values",
                 ErrorCode::LimitExceeded);
        m_memo[key] = m_stack.back();
    }
    void recall(std::uint64_t key)
    {
        const auto found = m_memo.find(key);
        if (found == m_memo.end())
            fail("the pickle recalls value " + std::to_string(key) + ", which it did not remember");
        m_recalled += 1; // the stack may not outgrow the limit either
        if (m_recalled > m_limits.values)
            fail("the pickle recalls more than " + std::to_string(m_limits.values) + " values",
                 ErrorCode::LimitExceeded);
        m_stack.push_back(found->second);
    }

    // Instructions.
    bool step()
    {
        m_instruction = m_at;
        const auto code = std::to_integer<std::uint8_t>(take(1)[0]);
        if (code == '.')
            return false;
        if (!scalar(code) && !container(code) && !object(code)) {
            const std::string_view name = refusedPickleInstruction(code);
            fail("holds the pickle instruction " + (name.empty() ? std::to_string(code) : std::string(name)) +
                     ", expected tensors only",
                 name.empty() ? ErrorCode::MalformedFile : ErrorCode::UnsupportedFeature);
        }
        return true;
    }

    bool scalar(std::uint8_t code)
    {
        switch (code) {
        case 'N':
            push({});
            return true;
        case 0x88:
        case 0x89:
            push({.kind = PickleKind::Truth, .whole = code == 0x88});
            return true;
        case 'J':
            pushWhole(static_cast<std::int32_t>(number(4)));
            return true;
        case 'K':
            pushWhole(static_cast<std::int64_t>(number(1)));
            return true;
        case 'M':
            pushWhole(static_cast<std::int64_t>(number(2)));
            return true;
        case 0x8a:
            longNumber();
            return true;
        case 'G': {
            std::uint64_t bits = 0;
            for (const std::byte byte : take(8)) // most significant first
                bits = bits << 8 | std::to_integer<std::uint64_t>(byte);
            push({.kind = PickleKind::Real, .real = std::bit_cast<double>(bits)});
            return true;
        }
        case 'X':
        case 0x8c:
        case 0x8d:
            pushText(characters(number(code == 'X' ? 4 : code == 0x8c ? 1 : 8)));
            return true;
        case 'B':
        case 'C':
        case 0x8e:
            push({.kind = PickleKind::Bytes, .text = characters(number(code == 'B' ? 4 : code == 'C' ? 1 : 8))});
            return true;
        default:
            return false;
        }
    }
    void pushWhole(std::int64_t value) { push({.kind = PickleKind::Whole, .whole = value}); }
    void longNumber()
    {
        const std::size_t size = number(1);
        if (size > 8)
            fail("the pickle holds a whole number of " + std::to_string(size) + " bytes, expected at most 8",
                 ErrorCode::LimitExceeded);
        std::uint64_t value = number(size);
        if (size > 0 && size < 8 && (value >> (8 * size - 1)) != 0) // two's complement
            value |= ~std::uint64_t{0} << (8 * size);
        pushWhole(static_cast<std::int64_t>(value));
    }
    void pushText(std::string text)
    {
        std::uint32_t point = 0;
        for (std::string_view rest = text; !rest.empty();) {
            const std::size_t length = utf8Sequence(rest, point);
            if (length == 0)
                fail("the pickle holds a text that is not UTF-8");
            rest.remove_prefix(length);
        }
        push({.kind = PickleKind::Text, .text = std::move(text)});
    }

    bool container(std::uint8_t code)
    {
        switch (code) {
        case '(':
            m_marks.push_back(m_stack.size());
            return true;
        case ']':
            push({.kind = PickleKind::Sequence});
            return true;
        case '}':
            push({.kind = PickleKind::Dictionary});
            return true;
        case ')':
            pushTuple({});
            return true;
        case 't':
            pushTuple(popToMark());
            return true;
        case 0x85:
        case 0x86:
        case 0x87: {
            std::vector<std::uint32_t> items(static_cast<std::size_t>(code - 0x84));
            for (std::size_t i = items.size(); i-- > 0;)
                items[i] = pop();
            pushTuple(std::move(items));
            return true;
        }
        case 'a':
            append({pop()});
            return true;
        case 'e':
            append(popToMark());
            return true;
        case 's': {
            const std::uint32_t value = pop(), key = pop();
            insert({key, value});
            return true;
        }
        case 'u':
            insert(popToMark());
            return true;
        default:
            return false;
        }
    }
    void pushTuple(std::vector<std::uint32_t> items)
    {
        push({.kind = PickleKind::Sequence, .items = std::move(items)});
        m_tuples.insert(m_stack.back());
    }
    void append(const std::vector<std::uint32_t>& items)
    {
        std::vector<std::uint32_t>& list = below(PickleKind::Sequence, "a list").items;
        list.insert(list.end(), items.begin(), items.end());
    }
    void insert(const std::vector<std::uint32_t>& items)
    {
        PickleValue& dictionary = below(PickleKind::Dictionary, "a dictionary");
        if (items.size() % 2 != 0)
            fail("the pickle adds a key without a value to a dictionary");
        std::unordered_set<std::string>& keys = m_keys[m_stack.back()];
        for (std::size_t i = 0; i < items.size(); i += 2) {
            const PickleValue& key = m_pickle.values[items[i]];
            if (key.kind != PickleKind::Text && key.kind != PickleKind::Whole)
                fail("the pickle holds a dictionary whose key is neither a text nor a whole number");
            const std::string text = key.kind == PickleKind::Text ? "t" + key.text : std::to_string(key.whole);
            if (!keys.insert(text).second)
                fail("the key " + quotedName(key.kind == PickleKind::Text ? key.text : text) +
                     " occurs twice in a dictionary of the pickle");
        }
        dictionary.items.insert(dictionary.items.end(), items.begin(), items.end());
    }

    bool object(std::uint8_t code)
    {
        switch (code) {
        case 0x80:
            if (const std::uint64_t protocol = number(1); protocol < 2 || protocol > 5)
                fail("the pickle has protocol " + std::to_string(protocol) + ", expected 2 to 5",
                     ErrorCode::UnsupportedFeature);
            return true;
        case 0x95: // a frame: its length only helps to read ahead
            number(8);
            return true;
        case 'q':
        case 'r':
            remember(number(code == 'q' ? 1 : 4));
            return true;
        case 0x94:
            remember(m_memo.size());
            return true;
        case 'h':
        case 'j':
            recall(number(code == 'h' ? 1 : 4));
            return true;
        case 'c': {
            const std::string module = line();
            global(module + "." + line());
            return true;
        }
        case 0x93: {
            const std::uint32_t name = pop(), module = pop();
            global(textOf(module) + "." + textOf(name));
            return true;
        }
        case 'Q':
            persistent(pop());
            return true;
        case 'R': {
            const std::uint32_t arguments = pop(), callable = pop();
            reduce(callable, arguments);
            return true;
        }
        case 'b':
            build();
            return true;
        default:
            return false;
        }
    }
    const std::string& textOf(std::uint32_t index) const
    {
        const PickleValue& value = m_pickle.values[index];
        if (value.kind != PickleKind::Text)
            fail("the pickle names an object by something that is not a text");
        return value.text;
    }
    void global(const std::string& name)
    {
        const PickleGlobal* known = findPickleGlobal(name);
        if (!known)
            fail("holds the pickle global " + quotedName(name) + ", expected tensors only",
                 ErrorCode::UnsupportedFeature);
        push({.kind = PickleKind::Other, .text = name});
        m_globals[m_stack.back()] = known;
    }
    const PickleGlobal* globalAt(std::uint32_t index) const
    {
        const auto found = m_globals.find(index);
        return found == m_globals.end() ? nullptr : found->second;
    }

    // ('storage', type, key, device, elements), and a last None in some versions.
    void persistent(std::uint32_t index)
    {
        const std::vector<std::uint32_t>& items = sequence(index, "a storage");
        const auto is = [&](std::size_t i, PickleKind kind) {
            return i < items.size() && m_pickle.values[items[i]].kind == kind;
        };
        const PickleGlobal* type = items.size() > 1 ? globalAt(items[1]) : nullptr;
        if ((items.size() != 5 && !(items.size() == 6 && is(5, PickleKind::None))) || !is(0, PickleKind::Text) ||
            m_pickle.values[items[0]].text != "storage" || !type || !type->storage || !is(2, PickleKind::Text) ||
            !is(3, PickleKind::Text) || !is(4, PickleKind::Whole) || m_pickle.values[items[4]].whole < 0)
            fail("the pickle refers to something that is not a storage of numbers");
        m_pickle.tensors.push_back({.storage = m_pickle.values[items[2]].text,
                                    .dtype = *type->storage,
                                    .storageElements = static_cast<std::uint64_t>(m_pickle.values[items[4]].whole)});
        push({.kind = PickleKind::Other,
              .text = "storage",
              .tensor = static_cast<std::uint32_t>(m_pickle.tensors.size() - 1)});
        m_storages.insert(m_stack.back());
    }
    const std::vector<std::uint32_t>& sequence(std::uint32_t index, const char* what) const
    {
        if (m_pickle.values[index].kind != PickleKind::Sequence)
            fail(std::string("the pickle describes ") + what + " by something that is not a sequence");
        return m_pickle.values[index].items;
    }

    void reduce(std::uint32_t callable, std::uint32_t argumentsIndex)
    {
        const PickleGlobal* known = globalAt(callable);
        const std::vector<std::uint32_t>& arguments = sequence(argumentsIndex, "arguments");
        const PickleCallable which = known ? known->callable : PickleCallable::None;
        switch (which) {
        case PickleCallable::None:
            fail("the pickle calls what cannot be called", ErrorCode::UnsupportedFeature);
        case PickleCallable::OrderedDict:
            if (!arguments.empty())
                fail("the pickle builds an OrderedDict from arguments, expected an empty one",
                     ErrorCode::UnsupportedFeature);
            push({.kind = PickleKind::Dictionary});
            return;
        case PickleCallable::Tensor:
            return rebuildTensor(arguments);
        case PickleCallable::Parameter:
            if (arguments.size() < 2 || m_pickle.values[arguments[0]].kind != PickleKind::Tensor)
                fail("the pickle builds a parameter from something that is not a tensor");
            m_stack.push_back(arguments[0]);
            return;
        case PickleCallable::Size:
            if (arguments.size() != 1)
                fail("the pickle builds a torch.Size from " + std::to_string(arguments.size()) +
                     " arguments, expected one");
            pushTuple(sequence(arguments[0], "a torch.Size"));
            return;
        case PickleCallable::Device:
            push({.kind = PickleKind::Other, .text = "torch.device"});
            return;
        case PickleCallable::Encode:
            return latin1(arguments);
        }
    }
    // Protocol 2 has no bytes of its own: they are written as a text of the same code points.
    void latin1(const std::vector<std::uint32_t>& arguments)
    {
        if (arguments.size() != 2 || textOf(arguments[1]) != "latin1")
            fail("the pickle encodes a text, expected the encoding latin1", ErrorCode::UnsupportedFeature);
        std::string bytes;
        std::uint32_t point = 0;
        for (std::string_view rest = textOf(arguments[0]); !rest.empty();) {
            rest.remove_prefix(utf8Sequence(rest, point)); // texts are valid
            if (point > 0xff)
                fail("the pickle holds bytes beyond 255");
            bytes += static_cast<char>(point);
        }
        push({.kind = PickleKind::Bytes, .text = std::move(bytes)});
    }
    // (storage, offset, shape, strides, requires_grad, hooks[, metadata])
    void rebuildTensor(const std::vector<std::uint32_t>& arguments)
    {
        if (arguments.size() < 6 || arguments.size() > 7 || !m_storages.contains(arguments[0]) ||
            m_pickle.values[arguments[1]].kind != PickleKind::Whole || m_pickle.values[arguments[1]].whole < 0)
            fail("the pickle builds a tensor from something that is not a storage and an offset");
        PickleTensor made = m_pickle.tensors[m_pickle.values[arguments[0]].tensor];
        made.offset = static_cast<std::uint64_t>(m_pickle.values[arguments[1]].whole);
        made.shape = sizes(arguments[2], "shape");
        made.strides = sizes(arguments[3], "strides");
        if (made.shape.size() != made.strides.size())
            fail("the pickle builds a tensor of " + std::to_string(made.shape.size()) + " dimensions with " +
                 std::to_string(made.strides.size()) + " strides");
        if (made.shape.size() > kMaximumRank)
            fail("the pickle builds a tensor of " + std::to_string(made.shape.size()) + " dimensions, at most " +
                     std::to_string(kMaximumRank) + " are read",
                 ErrorCode::LimitExceeded);
        m_pickle.tensors.push_back(std::move(made));
        push({.kind = PickleKind::Tensor, .tensor = static_cast<std::uint32_t>(m_pickle.tensors.size() - 1)});
    }
    std::vector<std::int64_t> sizes(std::uint32_t index, const char* what) const
    {
        std::vector<std::int64_t> result;
        for (const std::uint32_t item : sequence(index, what)) {
            const PickleValue& value = m_pickle.values[item];
            if (value.kind != PickleKind::Whole || value.whole < 0)
                fail(std::string("the pickle builds a tensor whose ") + what +
                     " hold something else than whole numbers of at least 0");
            result.push_back(value.whole);
        }
        return result;
    }
    // A state given to an OrderedDict is an attribute beside its entries (torch: _metadata), of no use here.
    void build()
    {
        pop();
        if (m_stack.size() <= (m_marks.empty() ? 0 : m_marks.back()) ||
            m_pickle.values[m_stack.back()].kind != PickleKind::Dictionary)
            fail("the pickle gives a state to something that is not a dictionary", ErrorCode::UnsupportedFeature);
    }

    // No container contains itself, none is nested deeper than allowed. Each value is looked at once.
    void checkShape()
    {
        m_heights.assign(m_pickle.values.size(), kUnseen);
        height(m_pickle.root, 0);
    }
    std::size_t height(std::uint32_t index, std::size_t depth)
    {
        if (m_heights[index] == kInside)
            fail("a container of the pickle contains itself");
        if (m_heights[index] == kUnseen) {
            if (depth > m_limits.depth)
                failDeep();
            m_heights[index] = kInside;
            std::size_t deepest = 0;
            for (const std::uint32_t item : m_pickle.values[index].items)
                deepest = std::max(deepest, 1 + height(item, depth + 1));
            m_heights[index] = deepest;
        }
        if (depth + m_heights[index] > m_limits.depth)
            failDeep();
        return m_heights[index];
    }
    [[noreturn]] void failDeep() const
    {
        fail("the pickle is nested deeper than " + std::to_string(m_limits.depth) + " levels",
             ErrorCode::LimitExceeded);
    }

    static constexpr std::size_t kUnseen = ~std::size_t{0}, kInside = kUnseen - 1;
    std::span<const std::byte> m_bytes;
    const std::string& m_subject;
    const PickleLimits& m_limits;
    std::uint64_t m_at = 0, m_instruction = 0;
    Pickle m_pickle;
    std::vector<std::uint32_t> m_stack;
    std::vector<std::size_t> m_marks;
    std::unordered_map<std::uint64_t, std::uint32_t> m_memo;
    std::size_t m_recalled = 0;
    std::unordered_map<std::uint32_t, const PickleGlobal*> m_globals;
    std::unordered_set<std::uint32_t> m_tuples, m_storages;
    std::unordered_map<std::uint32_t, std::unordered_set<std::string>> m_keys;
    std::vector<std::size_t> m_heights;
};
} // namespace

const PickleValue* Pickle::find(const PickleValue& dictionary, std::string_view key) const
{
    if (dictionary.kind == PickleKind::Dictionary)
        for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2)
            if (values[dictionary.items[i]].kind == PickleKind::Text && values[dictionary.items[i]].text == key)
                return &values[dictionary.items[i + 1]];
    return nullptr;
}

Pickle parsePickle(std::span<const std::byte> bytes, const std::string& subject, const PickleLimits& limits)
{
    if (bytes.size() > limits.bytes)
        throw Error(ErrorCode::LimitExceeded,
                    "the pickle has " + std::to_string(bytes.size()) + " bytes, at most " +
                        std::to_string(limits.bytes) + " are read",
                    subject);
    return Machine(bytes, subject, limits).run();
}

} // namespace tamis::io

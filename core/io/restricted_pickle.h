// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The pickles inside PyTorch files, read without running anything: a pickle is a program for a small stack machine, and
// this one knows only the instructions that build plain containers, numbers, texts, bytes and tensors. Every other
// instruction, and every Python object that is not on the list of these, is refused by name with its offset. Reference:
// Python's pickletools (protocols 2 to 5) and torch/serialization.py.
#include "core/tensor/dtype.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io
{

struct PickleLimits {
    std::size_t bytes = 16u << 20;
    std::size_t values = 1'000'000; ///< built, and remembered in the memo
    std::size_t depth = 64;         ///< containers inside containers
};

enum class PickleKind {
    None,
    Truth,
    Whole,
    Real,
    Text,
    Bytes,
    Sequence,   ///< list or tuple
    Dictionary, ///< dict or OrderedDict, keys are texts or whole numbers, each once
    Tensor,
    Other ///< a number format, a device, a storage: named in `text`, of no use alone
};

/// A view of a storage, as written: nothing is checked against the storage's bytes yet.
struct PickleTensor {
    std::string storage; ///< its key in the archive
    tensor::DType dtype = tensor::DType::F32;
    std::uint64_t storageElements = 0, offset = 0; ///< elements
    std::vector<std::int64_t> shape, strides;      ///< of equal length, none negative; strides count elements
};

struct PickleValue {
    PickleKind kind = PickleKind::None;
    std::int64_t whole = 0; ///< Whole, Truth (0 or 1)
    double real = 0;
    std::string text;                 ///< Text (valid UTF-8), Bytes, the name of Other
    std::vector<std::uint32_t> items; ///< into Pickle::values; of a Dictionary key, value, key, value ...
    std::uint32_t tensor = 0;         ///< of a Tensor, into Pickle::tensors
};

/// Containers may share values but never contain themselves.
struct Pickle {
    std::vector<PickleValue> values;
    std::vector<PickleTensor> tensors;
    std::uint32_t root = 0;

    const PickleValue& top() const { return values[root]; }
    /// The value under a text key, nullptr where there is none or `dictionary` is none.
    const PickleValue* find(const PickleValue& dictionary, std::string_view key) const;
};

/// Throws Error{UnsupportedFeature} for what is not on the list, Error{MalformedFile} for a program that contradicts
/// itself or a container that contains itself, Error{LimitExceeded}; each with the byte offset.
Pickle parsePickle(std::span<const std::byte> bytes, const std::string& subject, const PickleLimits& limits = {});

} // namespace tamis::io

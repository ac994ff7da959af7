// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Memory of one step, used again in the next: a pointer that moves forward and is set back. Private to train.
#include <cstddef>
#include <memory>
#include <vector>

namespace tamis::train {

class Arena {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    /// Uninitialised, aligned to 64 bytes; valid until rewind(). Throws Error{OutOfMemory} when the
    /// system has not got it, before it is touched.
    void* allocate(std::size_t bytes);
    /// Everything given out is free again. Memory that a step needed in several blocks becomes one block, so that the
    /// steps after the first of their size allocate nothing.
    void rewind();
    std::size_t capacity() const noexcept; ///< bytes held
    std::size_t used() const noexcept;     ///< bytes given out since rewind()

private:
    struct Free {
        void operator()(std::byte* memory) const noexcept;
    };
    struct Block {
        std::unique_ptr<std::byte, Free> memory;
        std::size_t size = 0, used = 0;
    };
    void grow(std::size_t bytes);
    std::vector<Block> m_blocks;
};

} // namespace tamis::train

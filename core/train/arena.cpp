// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/arena.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <sys/mman.h>

namespace tamis::train {
namespace {
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20; // fewer address translations on activations of many megabytes
constexpr std::size_t kFirstBlock = std::size_t{1} << 20;
std::size_t roundUp(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }
} // namespace

void Arena::Free::operator()(std::byte* memory) const noexcept { std::free(memory); }

void Arena::grow(std::size_t bytes)
{
    const std::size_t size = roundUp(std::max({bytes, kFirstBlock, capacity()}), kHugePage);
    if (size > kFirstBlock * 64) // not for every small tape: the system is asked through a file
        requireMemory(size, "a training step");
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(kHugePage, size));
    if (!memory)
        throw Error(ErrorCode::OutOfMemory, "a training step needs " + std::to_string(size) + " more bytes, the system has none");
    (void)::madvise(memory, size, MADV_HUGEPAGE); // a wish: without it everything works, a little slower
    m_blocks.push_back({std::unique_ptr<std::byte, Free>(memory), size, 0});
}

void* Arena::allocate(std::size_t bytes)
{
    bytes = roundUp(std::max<std::size_t>(bytes, 1), kAlignment);
    if (m_blocks.empty() || m_blocks.back().size - m_blocks.back().used < bytes)
        grow(bytes);
    Block& block = m_blocks.back();
    std::byte* place = block.memory.get() + block.used;
    block.used += bytes;
    return place;
}

void Arena::rewind()
{
    if (m_blocks.size() > 1) {
        const std::size_t total = used();
        m_blocks.clear();
        grow(total);
    }
    for (Block& block : m_blocks)
        block.used = 0;
}

std::size_t Arena::capacity() const noexcept
{
    std::size_t sum = 0;
    for (const Block& block : m_blocks)
        sum += block.size;
    return sum;
}

std::size_t Arena::used() const noexcept
{
    std::size_t sum = 0;
    for (const Block& block : m_blocks)
        sum += block.used;
    return sum;
}

} // namespace tamis::train

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Memory that the kernels pack into: one a thread, kept for the life of the thread, so that no call allocates twice.
#include <cstddef>
#include <memory>

namespace tamis::kernels {

class TileBuffer {
public:
    /// At least `count` floats, aligned to 64 bytes, uninitialised. The address is good until the next call.
    float* ensure(std::size_t count)
    {
        if (count > m_size) {
            m_memory = std::make_unique<float[]>(count + 16);
            m_size = count;
        }
        void* start = m_memory.get();
        std::size_t space = (m_size + 16) * sizeof(float);
        return static_cast<float*>(std::align(64, m_size * sizeof(float), start, space));
    }

private:
    std::unique_ptr<float[]> m_memory;
    std::size_t m_size = 0;
};

} // namespace tamis::kernels

// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/kernel_table.h"

#include "core/kernels/bound_table.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/scan_table.h"

#include <atomic>
#include <cpuid.h>

namespace tamis::kernels {

namespace {
const KernelTable& best() noexcept
{
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return wide ? avx512Kernels() : avx2Kernels();
}
std::atomic<const KernelTable*> chosen{nullptr};
} // namespace

const KernelTable& kernels() noexcept
{
    const KernelTable* table = chosen.load(std::memory_order_acquire);
    if (!table) {
        table = &best();
        chosen.store(table, std::memory_order_release);
    }
    return *table;
}

const ScanTable& scans() noexcept
{
    return &kernels() == &avx2Kernels() ? avx2Scans() : avx512Scans();
}

bool hasAvxVnni() noexcept
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 4)) != 0 && __builtin_cpu_supports("avx2");
}

const BoundTable& bounds() noexcept
{
    const bool narrow = &kernels() == &avx2Kernels();
    if (!narrow)
        return __builtin_cpu_supports("avx512vnni") ? avx512VnniBounds() : avx2Bounds();
    return hasAvxVnni() && !__builtin_cpu_supports("avx512f") ? avxVnniBounds() : avx2Bounds();
}

std::string_view instructionSet() noexcept
{
    return kernels().name;
}

void forcePortableKernels(bool portable) noexcept
{
    chosen.store(portable ? &avx2Kernels() : &best(), std::memory_order_release);
}

std::string_view activationName(Activation activation) noexcept
{
    switch (activation) {
    case Activation::None: return "none";
    case Activation::Gelu: return "gelu";
    case Activation::GeluTanh: return "gelu_tanh";
    case Activation::QuickGelu: return "quick_gelu";
    case Activation::Relu: return "relu";
    case Activation::Silu: return "silu";
    case Activation::Tanh: return "tanh";
    }
    return "none";
}

} // namespace tamis::kernels

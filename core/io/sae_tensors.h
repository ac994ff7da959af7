// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The named tensors of an autoencoder's weight file, whatever the container: safetensors, .npz or a PyTorch zip.
#include "core/base/run_context.h"
#include "core/io/torch_zip.h"
#include "core/tensor/dtype.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io
{

/// Decoded on demand; every value that is read must be finite and was stored as a floating-point number, else
/// Error{NonFinite, UnsupportedFeature}. The context must outlive it. A missing tensor or another shape than was asked
/// for is Error{MalformedFile} with the file and the tensor. For one thread at a time.
class SaeTensors
{
public:
    static SaeTensors ofSafetensors(const std::filesystem::path& file, const RunContext& context);
    static SaeTensors ofNpz(const std::filesystem::path& file, const RunContext& context);
    /// The tensors of a dictionary in a PyTorch file; its other entries are left out.
    static SaeTensors ofTorch(const std::filesystem::path& file, std::shared_ptr<const TorchFile> torch,
                              const PickleValue& dictionary, const RunContext& context);

    const std::string& file() const noexcept { return m_file; }
    std::vector<std::string> unread() const; ///< names of the tensors that nobody asked the values of, in order
    bool has(std::string_view name) const { return m_entries.contains(name); }
    const std::vector<std::int64_t>& shape(std::string_view name) const;
    std::string subject(std::string_view name) const; ///< file and tensor, for errors
    /// Error{MalformedFile} for another shape, Error{UnsupportedFeature} for a type that is not floating.
    void requireShape(std::string_view name, const std::vector<std::int64_t>& expected) const;

    void read(std::string_view name, std::span<float> target) const;
    std::vector<float> vectorOf(std::string_view name, std::int64_t size) const; ///< [size]
    /// [rows, cols], stored so, or with `transposed` stored [cols, rows].
    tensor::Matrix<float> matrix(std::string_view name, std::int64_t rows, std::int64_t cols, bool transposed) const;
    /// A tensor of one element, of any type: the k and threshold that some files keep as tensors.
    double scalar(std::string_view name) const;

private:
    struct Entry {
        tensor::DType dtype = tensor::DType::F32;
        std::vector<std::int64_t> shape;
        std::function<void(std::span<float>)> read;
        mutable bool wasRead = false;
    };
    SaeTensors(std::string file, const RunContext& context);
    const Entry& find(std::string_view name) const;
    std::string m_file;
    const RunContext* m_context;
    std::map<std::string, Entry, std::less<>> m_entries;
};

/// target [cols, rows] = source [rows, cols] turned over. Throws Error{Cancelled}.
void transpose(const float* source, std::int64_t rows, std::int64_t cols, float* target, const RunContext& context);

} // namespace tamis::io

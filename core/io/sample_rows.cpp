// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sample_rows.h"

#include "core/io/hdf5_dataset.h"
#include "core/io/printable_name.h"

#include <span>
#include <string_view>

namespace tamis::io {

namespace {
constexpr const char* kHeldOut = "heldout";
}

struct SampleRows::Content {
    std::string subject;
    Hdf5Handle file; ///< closed after the dataset, both under the lock
    FloatDataset samples;
    const char* name = "samples"; ///< of the dataset
};

SampleRows::SampleRows(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
SampleRows::~SampleRows() = default;

const std::string& SampleRows::subject() const noexcept { return m_content->subject; }
bool SampleRows::heldOut() const noexcept { return m_content->name == std::string_view(kHeldOut); }
std::int64_t SampleRows::rows() const noexcept { return static_cast<std::int64_t>(m_content->samples.shape[0]); }
std::int64_t SampleRows::cols() const noexcept { return static_cast<std::int64_t>(m_content->samples.shape[1]); }

std::shared_ptr<const SampleRows> SampleRows::open(const std::filesystem::path& file, const std::string& site, Rows rows)
{
    const std::string whole = file.string();
    auto content = std::make_unique<Content>();
    content->subject = whole + ", site '" + printableName(site) + "'";
    const Hdf5Lock lock;
    content->file = openHdf5(file, H5F_ACC_RDONLY);
    checkSchema(content->file, "tamis.calibration", 1, whole);
    const Hdf5Handle sites = openGroup(content->file, "sites", whole);
    if (site.empty() || !hasLink(sites, site, whole))
        throw Error(ErrorCode::InvalidParameter, "has no site '" + printableName(site) + "'", whole);
    const Hdf5Handle group = openGroup(sites, site, content->subject);
    const auto openRows = [&](const char* name) {
        content->name = name;
        if (hasLink(group, name, content->subject))
            content->samples = inspectFloats(openDataset(group, name, content->subject), 2, content->subject + ", " + name);
        return !content->samples.shape.empty() && content->samples.shape[0] > 0;
    };
    const bool found = (rows == Rows::HeldOutFirst && openRows(kHeldOut)) || openRows("samples");
    if (!found)
        throw Error(ErrorCode::InvalidParameter, "found no sample rows, expected some (capture --rows keeps them)", content->subject);
    return std::shared_ptr<const SampleRows>(new SampleRows(std::move(content)));
}

void SampleRows::read(std::int64_t first, tensor::MatrixView<float> destination) const
{
    if (first < 0 || destination.rows > rows() - first || destination.cols != cols() || destination.stride != cols())
        throw Error(ErrorCode::InvalidParameter,
                    "asked for " + std::to_string(destination.rows) + " rows of " + std::to_string(destination.cols) + " features from row " + std::to_string(first) + " on, found " +
                        std::to_string(rows()) + " of " + std::to_string(cols()),
                    m_content->subject);
    const Hdf5Lock lock;
    const std::size_t size = static_cast<std::size_t>(destination.rows) * static_cast<std::size_t>(destination.cols);
    readFloatRows(m_content->samples, static_cast<std::uint64_t>(first), {destination.data, size}, m_content->subject + ", " + m_content->name);
}

} // namespace tamis::io

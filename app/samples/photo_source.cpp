// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/samples/photo_source.h"

#include "app/images/image_loading.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/inputs/image_preprocess.h"
#include "core/inputs/image_preprocess_config.h"
#include "core/inputs/label_file.h"

#include <algorithm>
#include <span>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;

struct Photo {
    fs::path file;
    std::string name; ///< relative to the folder
    int label = -1;
};

class PhotoSource : public measure::SampleSource {
public:
    PhotoSource(std::vector<Photo> photos, inputs::ImagePreprocess settings, std::string description)
        : m_photos(std::move(photos)), m_settings(std::move(settings)), m_description(std::move(description))
    {
    }
    std::size_t count() const noexcept override { return m_photos.size(); }
    std::string name(std::size_t index) const override { return m_photos.at(index).name; }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        const Photo& photo = m_photos.at(index);
        sample.tokens.clear();
        sample.tokenTypes.clear();
        sample.image.resize(m_settings.values());
        sample.label = photo.label;
        inputs::preprocess(loadImage(photo.file), m_settings, sample.image);
    }
    std::string description() const override { return m_description; }
    std::string sha256(const RunContext& context) const override
    {
        std::string all = settingsText();
        for (std::size_t i = 0; i < m_photos.size(); ++i) {
            context.setFraction(static_cast<double>(i) / static_cast<double>(m_photos.size()));
            all += m_photos[i].name + '\0' + std::to_string(m_photos[i].label) + '\0' + sha256OfFiles({m_photos[i].file}, context);
        }
        return tamis::sha256(std::as_bytes(std::span(all)));
    }

private:
    std::string settingsText() const
    {
        std::string text;
        for (const std::int64_t value : {m_settings.height, m_settings.width, static_cast<std::int64_t>(m_settings.rule), m_settings.resizeHeight,
                                         m_settings.resizeWidth, static_cast<std::int64_t>(m_settings.crop), static_cast<std::int64_t>(m_settings.centring)})
            text += std::to_string(value) + ' ';
        text += inputs::interpolationName(m_settings.interpolation);
        for (std::size_t channel = 0; channel < 3; ++channel)
            for (const double value : {static_cast<double>(m_settings.mean[channel]), static_cast<double>(m_settings.std[channel]),
                                       static_cast<double>(m_settings.fill[channel]), m_settings.rescaleFactor})
                text += ' ' + std::to_string(value);
        return text + '\0';
    }
    std::vector<Photo> m_photos;
    inputs::ImagePreprocess m_settings;
    std::string m_description;
};

bool staysInside(const fs::path& relative)
{
    return relative.is_relative() && std::ranges::find(relative, fs::path("..")) == relative.end();
}

std::vector<Photo> labelledPhotos(const PhotoRequest& request, const nn::Model& model)
{
    const bool classifies = model.spec().task == nn::Task::ImageClassification;
    const auto labels = inputs::readImageLabels(request.labels, classifies ? model.outputWidth() : 0);
    std::vector<Photo> photos;
    for (const auto& entry : labels.entries) {
        const fs::path file = request.folder / entry.file;
        std::error_code error;
        if (!staysInside(entry.file) || !fs::is_regular_file(file, error))
            throw Error(ErrorCode::InvalidParameter, "names the photo '" + entry.file + "', which is not in " + request.folder.string(),
                        request.labels.string());
        photos.push_back({file, entry.file, entry.classIndex});
    }
    if (photos.empty())
        throw Error(ErrorCode::InvalidParameter, "names no photo, expected lines of file<TAB>class index", request.labels.string());
    return photos;
}

std::vector<Photo> allPhotos(const PhotoRequest& request)
{
    std::vector<Photo> photos;
    for (const fs::path& file : listImages(request.folder, true)) {
        const fs::path relative = file.lexically_relative(request.folder);
        photos.push_back({file, relative == "." || relative.empty() ? file.filename().string() : relative.string(), -1});
    }
    if (photos.empty())
        throw Error(ErrorCode::InvalidParameter, "holds no photo, expected at least one picture file", request.folder.string());
    return photos;
}

} // namespace

inputs::ImagePreprocess photoSettings(bool squash, const fs::path& modelPath, const nn::Model& model)
{
    if (!model.spec().vision())
        throw Error(ErrorCode::InvalidParameter, "reads text, expected a model that reads images", modelPath.string());
    const nn::PatchSpec& patch = model.spec().patch;
    inputs::ImagePreprocess settings = inputs::readImagePreprocess(modelPath);
    if (squash)
        settings = inputs::squashed(settings);
    if (settings.height != patch.imageHeight || settings.width != patch.imageWidth)
        throw Error(ErrorCode::InvalidParameter, "images are prepared at " + std::to_string(settings.width) + " x " + std::to_string(settings.height)
                                                     + " pixels, expected the model's " + std::to_string(patch.imageWidth) + " x "
                                                     + std::to_string(patch.imageHeight), modelPath.string());
    if (patch.channels != 3)
        throw Error(ErrorCode::UnsupportedFeature, "the model reads images of " + std::to_string(patch.channels) + " channels, expected 3",
                    modelPath.string());
    return settings;
}

std::unique_ptr<measure::SampleSource> openPhotos(const PhotoRequest& request, const fs::path& modelPath, const nn::Model& model, const RunContext& context)
{
    context.throwIfStopped();
    auto settings = photoSettings(request.squash, modelPath, model);
    auto photos = request.labels.empty() ? allPhotos(request) : labelledPhotos(request, model);
    fs::path folder = fs::absolute(request.folder).lexically_normal();
    if (!folder.has_filename())
        folder = folder.parent_path();
    std::string description = std::to_string(photos.size()) + (photos.size() == 1 ? " photo of " : " photos of ") + folder.filename().string() + " at "
                              + std::to_string(settings.width) + "x" + std::to_string(settings.height);
    return std::make_unique<PhotoSource>(std::move(photos), std::move(settings), std::move(description));
}

} // namespace tamis::app

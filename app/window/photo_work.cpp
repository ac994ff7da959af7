// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/photo_work.h"

#include "app/images/image_loading.h"
#include "app/jobs/failure_sentence.h"
#include "app/samples/photo_source.h"
#include "core/base/error.h"
#include "core/inputs/label_file.h"
#include "core/inputs/resize.h"
#include "core/measure/evaluate.h"

#include <QDirIterator>
#include <QElapsedTimer>
#include <QFile>
#include <QHash>

#include <algorithm>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
constexpr std::int64_t kThumbnailSide = 256;  ///< pixels: sharp on screens of twice the density
constexpr int kGlance = 400;                  ///< entries
constexpr int kPublishMs = 60;
constexpr qint64 kMostCreditBytes = 1 << 20;

QString text(const std::string& s) { return QString::fromStdString(s); }

/// File name -> licence, out of LICENCES.tsv in the folder: name, size, bytes, licence, source.
QHash<QString, QString> creditsOf(const fs::path& folder)
{
    QHash<QString, QString> credits;
    QFile file(text((folder / "LICENCES.tsv").string()));
    if (file.size() > kMostCreditBytes || !file.open(QIODevice::ReadOnly))
        return credits;
    for (const QString& line : QString::fromUtf8(file.readAll()).split(QLatin1Char('\n'), Qt::SkipEmptyParts)) {
        const QStringList fields = line.split(QLatin1Char('\t'));
        if (fields.size() >= 4)
            credits.insert(fields[0].trimmed(), fields[3].simplified().left(200));
    }
    return credits;
}

QImage toImage(const inputs::Image& picture)
{
    return QImage(picture.rgb.data(), static_cast<int>(picture.width), static_cast<int>(picture.height), static_cast<int>(3 * picture.width),
                  QImage::Format_RGB888)
        .copy();
}

QImage thumbnailOf(const fs::path& file)
{
    const QImage whole = toImage(loadImage(file));
    const int side = static_cast<int>(kThumbnailSide);
    return whole.width() <= side && whole.height() <= side ? whole : whole.scaled(side, side, Qt::KeepAspectRatio, Qt::SmoothTransformation);
}
} // namespace

bool looksLikePhotos(const QString& path)
{
    const QFileInfo given(path);
    if (given.isFile())
        return isImageName(fs::path(path.toStdString()));
    if (!given.isDir())
        return false;
    QDirIterator entries(path, QDir::Files);
    bool pictures = false;
    for (int i = 0; i < kGlance && entries.hasNext(); ++i) {
        const QString name = QFileInfo(entries.next()).fileName();
        if (name == QLatin1String("config.json") || name.endsWith(QLatin1String(".safetensors")) || name.endsWith(QLatin1String(".npz")))
            return false;
        pictures = pictures || isImageName(fs::path(name.toStdString()));
    }
    return pictures;
}

fs::path labelsOf(const fs::path& folder)
{
    std::error_code error;
    fs::path whole = fs::absolute(folder, error).lexically_normal();
    if (!whole.has_filename())
        whole = whole.parent_path();
    const std::string name = whole.filename().string();
    for (const fs::path& file : {whole / "labels.tsv", whole.parent_path() / (name + ".tsv"), whole.parent_path() / (name + "-labels.tsv")})
        if (fs::is_regular_file(file, error))
            return file;
    return {};
}

std::vector<std::string> classNamesOf(const fs::path& model)
{
    std::error_code error;
    const auto file = (fs::is_directory(model, error) ? model : model.parent_path()) / "labels.txt";
    if (!fs::is_regular_file(file, error))
        return {};
    try {
        return inputs::readClassNames(file);
    } catch (const Error&) {
        return {}; // numbers stand for the names
    }
}

void PhotoWork::list(const fs::path& folder, const RunContext& context)
{
    if (m_photos && m_folder == folder)
        return;
    auto all = std::make_shared<std::vector<views::PhotoEntry>>();
    const auto credits = creditsOf(folder);
    const auto labelFile = labelsOf(folder);
    inputs::ImageLabels labels;
    if (!labelFile.empty())
        labels = inputs::readImageLabels(labelFile, 0);
    for (const auto& file : listImages(folder, true)) {
        context.throwIfStopped();
        auto relative = file.lexically_relative(folder);
        if (relative.empty() || relative == ".")
            relative = file.filename();
        all->push_back({.name = text(relative.string()), .path = text(file.string()), .credit = credits.value(text(file.filename().string())),
                        .label = labels.find(relative).value_or(-1)});
    }
    if (all->empty())
        throw Error(ErrorCode::InvalidParameter, "holds no photo, expected at least one picture file", folder.string());
    m_photos = std::move(all);
    m_folder = folder;
}

PhotoWork::Picture PhotoWork::refine(const PhotosRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    list(request.folder, context);
    auto made = std::make_shared<PhotosPicture>();
    made->request = request;
    made->photos = m_photos;
    if (!request.model)
        return made;
    if (publish)
        publish(std::make_shared<const PhotosPicture>(*made));
    try {
        context.setParts(10);
        const auto dense = request.model->dense(context.part(1, "model"));
        const auto compressed = request.model->compressed(request.picture, context.part(2, "plan"));
        const fs::path modelPath = request.model->workspace()->outline.modelPath;
        const auto source = openPhotos({.folder = request.folder, .labels = {}, .squash = false}, modelPath, *dense, context);
        measure::EvaluateOptions options;
        options.mapSamples = 0;
        options.ownErrors = false;
        options.latencyRuns = 0;
        auto report = std::make_shared<report::EvaluationReport>(measure::evaluate(*dense, compressed.get(), *source, options, context.part(7, "photos")));
        report->classNames = classNamesOf(modelPath);
        report->model = modelPath.string();
        report->inputs = source->description();
        made->report = std::move(report);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        made->problem = QString::fromUtf8(error.what());
    }
    return made;
}

std::shared_ptr<const Thumbnails> makeThumbnails(const ThumbnailRequest& request, const RunContext& context,
                                                 const std::function<void(std::shared_ptr<const Thumbnails>)>& publish)
{
    auto all = std::make_shared<Thumbnails>();
    QElapsedTimer sincePublished;
    sincePublished.start();
    for (const auto& wanted : request.wanted) {
        context.throwIfStopped();
        Thumbnail one{.name = wanted.name};
        try {
            one.image = thumbnailOf(wanted.file);
        } catch (const std::exception& error) {
            one.failure = QString::fromUtf8(error.what());
        }
        all->push_back(std::move(one));
        if (publish && sincePublished.elapsed() > kPublishMs) {
            publish(std::make_shared<const Thumbnails>(*all));
            sincePublished.restart();
        }
    }
    return all;
}

} // namespace tamis::app

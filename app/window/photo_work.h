// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A folder of photos on workers: what is in it, thumbnails, what a model takes them for.
#include "app/window/model_work.h"
#include "core/report/evaluation_report.h"
#include "views/photos/photo_model.h"

#include <QImage>
#include <QString>

#include <filesystem>
#include <vector>

namespace tamis::app {

/// Whether a directory holds pictures and no checkpoint. A glance: at most some hundred entries are looked at.
bool looksLikePhotos(const QString& path);

/// Labels that belong to a folder of photos: labels.tsv in it, <folder>.tsv or <folder>-labels.tsv beside it; empty: none.
std::filesystem::path labelsOf(const std::filesystem::path& folder);
/// labels.txt beside the model, one name a class; empty where there is none or it cannot be read.
std::vector<std::string> classNamesOf(const std::filesystem::path& model);

struct PhotosRequest {
    std::filesystem::path folder;
    std::shared_ptr<RunnableModel> model; ///< null: no model is open; the photos are shown without classes
    PicturePointer picture;               ///< whose compressed model is asked too; may be null
};

struct PhotosPicture {
    PhotosRequest request;
    std::shared_ptr<const std::vector<views::PhotoEntry>> photos; ///< the same object while the folder is the same
    std::shared_ptr<const report::EvaluationReport> report;       ///< null: not yet
    QString problem; ///< why the model says nothing: it reads text, the picture sizes differ
};

/// Remembers the folder's list. One thread at a time.
class PhotoWork {
public:
    using Picture = std::shared_ptr<const PhotosPicture>;
    /// `publish` receives the list before the classes. Throws tamis::Error for the folder; what the model refuses is in `problem`.
    Picture refine(const PhotosRequest& request, const RunContext& context, const std::function<void(Picture)>& publish);

private:
    void list(const std::filesystem::path& folder, const RunContext& context);
    std::filesystem::path m_folder;
    std::shared_ptr<const std::vector<views::PhotoEntry>> m_photos;
};

/// What thumbnails are still to be made: names and files, most wanted first.
struct ThumbnailRequest {
    struct Wanted {
        QString name;
        std::filesystem::path file;
    };
    std::vector<Wanted> wanted;
};

struct Thumbnail {
    QString name;
    QImage image;
    QString failure; ///< empty: none
};

/// All thumbnails made for one request so far: a later picture holds those of the earlier ones.
using Thumbnails = std::vector<Thumbnail>;
std::shared_ptr<const Thumbnails> makeThumbnails(const ThumbnailRequest& request, const RunContext& context,
                                                 const std::function<void(std::shared_ptr<const Thumbnails>)>& publish);

} // namespace tamis::app

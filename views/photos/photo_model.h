// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/evaluation_report.h"

#include <QAbstractListModel>
#include <QHash>
#include <QImage>
#include <QSet>
#include <QStringList>

#include <memory>
#include <vector>

namespace tamis::views {

/// A photo of a folder as the program found it; the picture comes later.
struct PhotoEntry {
    QString name;      ///< unique in the folder: what predictions call it
    QString path;      ///< shown in the tool tip
    QString credit;    ///< author and licence, one line; empty: unknown
    int label = -1;    ///< class; -1: unknown
};

/// Photos with their thumbnails and what a model, and its compressed form, take them for. Photos, predictions and thumbnails come
/// apart and in any order. Thumbnails are asked for once, when a view shows the row.
class PhotoModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role : int {
        ThumbnailRole = Qt::UserRole + 200, ///< QImage; null: not yet, or it could not be read
        FailureRole,      ///< QString: why there is no picture; empty: none, or not yet tried
        CreditRole,       ///< QString
        LabelRole,        ///< QString: name of the right class; empty: unknown
        PredictionsRole,  ///< QVariantList of QVariantMap {name, probability, right}, best first, at most 5
        CompressedRole,   ///< the same of the compressed model; empty without a plan
        VerdictRole,      ///< int: 1 right, -1 wrong, 0 not known; of the compressed model where there is one
        ChangedRole,      ///< bool: the compressed model's first class is another
        ConfidenceRole,   ///< double: probability of the first class; NaN: no prediction
        ChangeRole        ///< double: total variation between the listed probabilities of both models; NaN: not compared
    };

    using QAbstractListModel::QAbstractListModel;

    /// Thumbnails of photos that are still there are kept.
    void setPhotos(std::vector<PhotoEntry> photos);
    /// Matched by name; null: no predictions. Labels of the predictions win over those of the photos.
    void setReport(std::shared_ptr<const report::EvaluationReport> report);
    void setThumbnail(const QString& name, const QImage& image);      ///< unknown names are ignored
    void setThumbnailFailure(const QString& name, const QString& why);
    /// Asks for pictures of these rows that are missing and have not been asked for.
    void requestThumbnails(const QList<int>& rows);
    /// Of those asked for: what no view needs any more. Answers that come nevertheless are taken.
    void forgetRequests();
    int rowOf(const QString& name) const; ///< -1: unknown
    const PhotoEntry* photo(int row) const; ///< nullptr outside
    const report::Prediction* prediction(int row) const; ///< nullptr: none
    bool compares() const; ///< there are predictions of a compressed model
    QString className(int index) const; ///< "class 7" where there is no name

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

signals:
    void thumbnailsRequested(const QStringList& names); ///< answer with setThumbnail or setThumbnailFailure

private:
    struct Picture {
        QImage image;
        QString failure;
    };
    QVariantList classes(const std::vector<int>& indices, const std::vector<float>& probabilities, int label) const;
    int labelOf(int row) const;
    double change(const report::Prediction& prediction) const;

    std::vector<PhotoEntry> m_photos;
    std::shared_ptr<const report::EvaluationReport> m_report;
    QHash<QString, int> m_rows;
    QHash<QString, int> m_predictions; ///< into the report
    QHash<QString, Picture> m_pictures;
    QSet<QString> m_asked;
};

} // namespace tamis::views

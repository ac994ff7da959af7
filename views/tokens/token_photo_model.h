// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/tokens/token_picture.h"

#include <QAbstractListModel>
#include <QString>

#include <memory>
#include <vector>

namespace tamis::views {

/// What the strip is ordered by.
enum class PhotoOrder {
    Folder,         ///< as it lies in the folder
    EmbeddingShift, ///< those first whose features moved most
    ClassChange,    ///< those first whose best class is another, then by what it lost
    TokensLeft      ///< those first that keep most tokens
};

/// Photos with their tokens, filled in as they are computed. Rows are in the folder's order.
class TokenPhotoModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { FailureRole = Qt::UserRole + 1, ChangedRole, ShiftRole, OrderRole };
    using QAbstractListModel::QAbstractListModel;

    void setNames(const QStringList& names); ///< forgets what was known
    void setResult(int row, const TokenPicture& picture); ///< `picture`: with a small photo
    void setFailure(int row, const QString& sentence);
    void setOutdated(); ///< of older settings: kept on screen until new ones come
    void setDepth(int depth);
    int depth() const noexcept { return m_depth; }
    void setOrder(PhotoOrder order); ///< what OrderRole answers
    PhotoOrder order() const noexcept { return m_order; }

    const TokenPicture& picture(int row) const { return m_photos[static_cast<std::size_t>(row)].picture; }
    QString name(int row) const { return m_photos[static_cast<std::size_t>(row)].name; }
    int rowOf(const QString& name) const; ///< -1: none
    int count() const noexcept { return static_cast<int>(m_photos.size()); }
    int known() const;   ///< with tokens of the present settings
    int failed() const;
    int changed() const; ///< whose best class is another

    int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : count(); }
    QVariant data(const QModelIndex& index, int role) const override;

private:
    struct Photo {
        QString name, failure;
        TokenPicture picture;
        bool fresh = false;
    };
    QVariant orderKey(const Photo& photo) const;

    std::vector<Photo> m_photos;
    PhotoOrder m_order = PhotoOrder::Folder;
    int m_depth = 0;
};

/// The best class of the whole model is not that of the reduced one.
bool classChanged(const report::TokenOverlay& overlay);
/// Probability that the whole model's best class lost; NaN where it is not known.
double classLoss(const report::TokenOverlay& overlay);

} // namespace tamis::views

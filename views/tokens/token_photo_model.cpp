// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_photo_model.h"

#include "views/common/number_format.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
std::int64_t leftOver(const report::TokenOverlay& overlay)
{
    const std::size_t run = blocksRun(overlay);
    return run == 0 ? overlay.prefix + overlay.gridRows * overlay.gridCols : overlay.layers[run - 1].after;
}

QString describe(const report::TokenOverlay& overlay)
{
    QStringList lines{TokenPhotoModel::tr("%1 of %2 tokens reach the head").arg(leftOver(overlay)).arg(overlay.prefix + overlay.gridRows * overlay.gridCols)};
    if (!overlay.remark.empty())
        lines << QString::fromStdString(overlay.remark);
    if (std::isfinite(overlay.embeddingShift))
        lines << TokenPhotoModel::tr("embedding shift %1").arg(formatNumber(overlay.embeddingShift, 3));
    const auto best = [](const std::vector<report::ClassProbability>& classes) {
        return QStringLiteral("%1 %2").arg(QString::fromStdString(classes.front().name), formatPercent(classes.front().probability));
    };
    if (!overlay.before.empty() && !overlay.after.empty())
        lines << TokenPhotoModel::tr("%1, whole %2").arg(best(overlay.after), best(overlay.before));
    return lines.join(QLatin1Char('\n'));
}
} // namespace

bool classChanged(const report::TokenOverlay& overlay)
{
    return !overlay.before.empty() && !overlay.after.empty() && overlay.before.front().index != overlay.after.front().index;
}

double classLoss(const report::TokenOverlay& overlay)
{
    if (overlay.before.empty() || overlay.after.empty())
        return report::kNotMeasured;
    const auto found = std::ranges::find(overlay.after, overlay.before.front().index, &report::ClassProbability::index);
    return overlay.before.front().probability - (found == overlay.after.end() ? 0 : found->probability);
}

void TokenPhotoModel::setNames(const QStringList& names)
{
    beginResetModel();
    m_photos.clear();
    for (const QString& name : names)
        m_photos.push_back({name, {}, {}, false});
    endResetModel();
}

void TokenPhotoModel::setResult(int row, const TokenPicture& picture)
{
    auto& photo = m_photos[static_cast<std::size_t>(row)];
    photo.picture = picture;
    photo.failure.clear();
    photo.fresh = true;
    emit dataChanged(index(row), index(row));
}

void TokenPhotoModel::setFailure(int row, const QString& sentence)
{
    auto& photo = m_photos[static_cast<std::size_t>(row)];
    photo.picture = {};
    photo.failure = sentence;
    photo.fresh = true;
    emit dataChanged(index(row), index(row));
}

void TokenPhotoModel::setOutdated()
{
    for (auto& photo : m_photos)
        photo.fresh = false;
    if (!m_photos.empty())
        emit dataChanged(index(0), index(count() - 1));
}

void TokenPhotoModel::setDepth(int depth)
{
    if (std::exchange(m_depth, depth) != depth && !m_photos.empty())
        emit dataChanged(index(0), index(count() - 1), {Qt::DecorationRole});
}

void TokenPhotoModel::setOrder(PhotoOrder order)
{
    if (std::exchange(m_order, order) != order && !m_photos.empty())
        emit dataChanged(index(0), index(count() - 1), {OrderRole});
}

int TokenPhotoModel::rowOf(const QString& name) const
{
    const auto found = std::ranges::find(m_photos, name, &Photo::name);
    return found == m_photos.end() ? -1 : static_cast<int>(found - m_photos.begin());
}

int TokenPhotoModel::known() const
{
    return static_cast<int>(std::ranges::count_if(m_photos, [](const Photo& photo) { return photo.fresh && !photo.picture.isEmpty(); }));
}

int TokenPhotoModel::failed() const
{
    return static_cast<int>(std::ranges::count_if(m_photos, [](const Photo& photo) { return !photo.failure.isEmpty(); }));
}

int TokenPhotoModel::changed() const
{
    return static_cast<int>(std::ranges::count_if(m_photos, [](const Photo& photo) { return !photo.picture.isEmpty() && classChanged(*photo.picture.overlay()); }));
}

/// Less comes first; photos that have no such figure come last.
QVariant TokenPhotoModel::orderKey(const Photo& photo) const
{
    const double last = HUGE_VAL;
    if (m_order == PhotoOrder::Folder)
        return static_cast<double>(&photo - m_photos.data());
    if (photo.picture.isEmpty())
        return last;
    const auto& overlay = *photo.picture.overlay();
    const double key = m_order == PhotoOrder::EmbeddingShift ? -overlay.embeddingShift
                       : m_order == PhotoOrder::ClassChange  ? -classLoss(overlay) - (classChanged(overlay) ? 10 : 0)
                                                             : -static_cast<double>(leftOver(overlay));
    return std::isfinite(key) ? key : last;
}

QVariant TokenPhotoModel::data(const QModelIndex& at, int role) const
{
    if (!checkIndex(at, CheckIndexOption::IndexIsValid))
        return {};
    const auto& photo = m_photos[static_cast<std::size_t>(at.row())];
    const bool known = !photo.picture.isEmpty();
    switch (role) {
    case Qt::DisplayRole: return photo.name;
    case Qt::ToolTipRole: return photo.name + QLatin1Char('\n') + (known ? describe(*photo.picture.overlay()) : photo.failure.isEmpty() ? tr("not computed yet") : photo.failure);
    case Qt::AccessibleDescriptionRole: return known ? describe(*photo.picture.overlay()) : photo.failure;
    case FailureRole: return photo.failure;
    case ChangedRole: return known && classChanged(*photo.picture.overlay());
    case ShiftRole: return known ? photo.picture.overlay()->embeddingShift : report::kNotMeasured;
    case OrderRole: return orderKey(photo);
    default: return {};
    }
}

} // namespace tamis::views

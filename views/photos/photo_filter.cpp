// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/photos/photo_filter.h"

#include "views/photos/photo_model.h"

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
/// Runs of digits as numbers, the rest without case: photo 2 before photo 10, the same in every locale.
int compareNaturally(const QString& a, const QString& b)
{
    qsizetype i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (a[i].isDigit() && b[j].isDigit()) {
            const auto number = [](const QString& text, qsizetype& at) {
                const qsizetype from = at;
                while (at < text.size() && text[at].isDigit())
                    ++at;
                qsizetype first = from;
                while (first + 1 < at && text[first] == QLatin1Char('0'))
                    ++first;
                return text.mid(first, at - first);
            };
            const QString x = number(a, i), y = number(b, j);
            if (x.size() != y.size())
                return x.size() < y.size() ? -1 : 1;
            if (const int order = x.compare(y); order != 0)
                return order;
        } else {
            const QChar x = a[i++].toCaseFolded(), y = b[j++].toCaseFolded();
            if (x != y)
                return x < y ? -1 : 1;
        }
    }
    return a.size() - i == b.size() - j ? 0 : i == a.size() ? -1 : 1;
}
} // namespace

PhotoFilter::PhotoFilter(QObject* parent) : QSortFilterProxyModel(parent)
{
    setDynamicSortFilter(true);
    sort(0);
}

void PhotoFilter::setText(const QString& text)
{
    m_words = text.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts);
    invalidateFilter();
}

void PhotoFilter::setShown(Show show)
{
    m_show = show;
    invalidateFilter();
}

void PhotoFilter::setOrder(Order order)
{
    m_order = order;
    invalidate();
}

bool PhotoFilter::filterAcceptsRow(int row, const QModelIndex& parent) const
{
    const QModelIndex at = sourceModel()->index(row, 0, parent);
    if (m_show == Show::Wrong && at.data(PhotoModel::VerdictRole).toInt() >= 0)
        return false;
    if (m_show == Show::Changed && !at.data(PhotoModel::ChangedRole).toBool())
        return false;
    if (m_words.isEmpty())
        return true;
    QStringList all{at.data().toString(), at.data(PhotoModel::LabelRole).toString()};
    for (const int role : {PhotoModel::PredictionsRole, PhotoModel::CompressedRole})
        if (const auto classes = at.data(role).toList(); !classes.isEmpty())
            all << classes.first().toMap().value(QStringLiteral("name")).toString();
    const QString text = all.join(QLatin1Char(' '));
    return std::all_of(m_words.begin(), m_words.end(), [&](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
}

bool PhotoFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const
{
    if (m_order != Order::Name) {
        const int role = m_order == Order::MostChanged ? PhotoModel::ChangeRole : PhotoModel::ConfidenceRole;
        const double a = left.data(role).toDouble(), b = right.data(role).toDouble();
        if (std::isnan(a) != std::isnan(b))
            return std::isnan(b);
        if (!std::isnan(a) && a != b)
            return m_order == Order::LeastConfidence ? a < b : a > b;
    }
    const int order = compareNaturally(left.data().toString(), right.data().toString());
    return order != 0 ? order < 0 : left.row() < right.row();
}

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/photos/photo_list.h"

#include "views/common/theme.h"
#include "views/photos/photo_model.h"

#include <QAbstractProxyModel>
#include <QPainter>
#include <QScrollBar>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kRestMs = 40;
}

PhotoList::PhotoList(PhotoModel& photos, QWidget* parent) : QListView(parent), m_photos(photos)
{
    setSelectionMode(ExtendedSelection);
    setUniformItemSizes(true);
    setResizeMode(Adjust);
    setMouseTracking(true);
    setVerticalScrollMode(ScrollPerPixel);
    setHorizontalScrollMode(ScrollPerPixel);
    setFrameShape(NoFrame);
    viewport()->setAttribute(Qt::WA_Hover);
    m_rest.setSingleShot(true);
    m_rest.setInterval(kRestMs);
    connect(&m_rest, &QTimer::timeout, this, [this] { m_photos.requestThumbnails(rowsInSight()); });
    connect(this, &QListView::activated, this, [this](const QModelIndex& at) { emit photoActivated(at.data().toString()); });
    connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void PhotoList::setPhotos(QAbstractItemModel* model)
{
    QListView::setModel(model);
    connect(model, &QAbstractItemModel::modelReset, this, &PhotoList::askSoon);
    connect(model, &QAbstractItemModel::layoutChanged, this, &PhotoList::askSoon);
    connect(model, &QAbstractItemModel::rowsInserted, this, &PhotoList::askSoon);
    connect(model, &QAbstractItemModel::rowsRemoved, this, &PhotoList::askSoon);
    connect(selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (!m_quiet)
            emit namesSelected(selectedNames());
    });
    askSoon();
}

void PhotoList::setEmptyText(const QString& text)
{
    m_emptyText = text;
    viewport()->update();
}

int PhotoList::sourceRow(const QModelIndex& index) const
{
    QModelIndex at = index;
    for (const auto* proxy = qobject_cast<const QAbstractProxyModel*>(at.model()); proxy; proxy = qobject_cast<const QAbstractProxyModel*>(at.model()))
        at = proxy->mapToSource(at);
    return at.row();
}

QList<int> PhotoList::rowsInSight() const
{
    QList<int> rows;
    if (!model() || !isVisible())
        return rows;
    QRect sight = viewport()->rect();
    const bool across = flow() == LeftToRight && !isWrapping();
    across ? sight.setRight(sight.right() + sight.width()) : sight.setBottom(sight.bottom() + sight.height());
    const int count = model()->rowCount();
    // Rows stand in order: the first in sight by bisection, then on until one lies beyond.
    const auto before = [&](int row) {
        const QRect place = visualRect(model()->index(row, 0));
        return across ? place.right() < sight.left() : place.bottom() < sight.top();
    };
    int low = 0, high = count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (before(middle))
            low = middle + 1;
        else
            high = middle;
    }
    for (int row = low; row < count; ++row) {
        const QModelIndex at = model()->index(row, 0);
        if (!visualRect(at).intersects(sight))
            break;
        rows.append(sourceRow(at));
    }
    return rows;
}

void PhotoList::askSoon()
{
    if (!m_rest.isActive())
        m_rest.start();
}

void PhotoList::resizeEvent(QResizeEvent* event)
{
    QListView::resizeEvent(event);
    askSoon();
}

void PhotoList::showEvent(QShowEvent* event)
{
    QListView::showEvent(event);
    askSoon();
}

void PhotoList::scrollContentsBy(int dx, int dy)
{
    QListView::scrollContentsBy(dx, dy);
    m_rest.start(); // anew: not while it moves
}

QStringList PhotoList::selectedNames() const
{
    QList<int> rows;
    for (const QModelIndex& at : selectionModel()->selectedIndexes())
        rows.append(at.row());
    std::sort(rows.begin(), rows.end());
    QStringList names;
    for (const int row : rows)
        names << model()->index(row, 0).data().toString();
    return names;
}

void PhotoList::selectNames(const QStringList& names)
{
    QItemSelection chosen;
    QModelIndex first;
    for (int row = 0; row < model()->rowCount(); ++row) {
        const QModelIndex at = model()->index(row, 0);
        if (!names.contains(at.data().toString()))
            continue;
        chosen.select(at, at);
        if (!first.isValid())
            first = at;
    }
    m_quiet = true;
    selectionModel()->select(chosen, QItemSelectionModel::ClearAndSelect);
    if (first.isValid() && !names.contains(currentIndex().data().toString())) {
        selectionModel()->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
        scrollTo(first);
    }
    m_quiet = false;
}

void PhotoList::paintEvent(QPaintEvent* event)
{
    QListView::paintEvent(event);
    if (model() && model()->rowCount() > 0)
        return;
    QPainter painter(viewport());
    painter.setPen(Theme::instance().color(Ink::MutedText));
    painter.drawText(viewport()->rect().adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
}

} // namespace tamis::views

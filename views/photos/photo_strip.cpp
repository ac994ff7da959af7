// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/photos/photo_strip.h"

#include "views/photos/photo_delegate.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"

#include <QScrollBar>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
constexpr int kSide = 88; ///< of a picture, device-independent pixels
}

PhotoStrip::PhotoStrip(PhotoModel& photos, QWidget* parent) : QWidget(parent), m_list(new PhotoList(photos, this))
{
    auto* delegate = new PhotoDelegate(true, m_list);
    delegate->setPictureSide(kSide);
    m_list->setObjectName(QStringLiteral("photoStrip"));
    m_list->setAccessibleName(tr("Photos"));
    m_list->setItemDelegate(delegate);
    m_list->setFlow(QListView::LeftToRight);
    m_list->setWrapping(false);
    m_list->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setEmptyText(tr("No photos are open."));
    m_list->setPhotos(&photos);
    QStyleOptionViewItem option;
    option.font = m_list->font();
    setFixedHeight(delegate->sizeHint(option, {}).height() + m_list->horizontalScrollBar()->sizeHint().height() + 4);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(m_list);
    connect(m_list, &PhotoList::namesSelected, this, &PhotoStrip::selectionChanged);
    connect(m_list, &PhotoList::photoActivated, this, &PhotoStrip::photoActivated);
}

void PhotoStrip::setSelection(const QStringList& names) { m_list->selectNames(names); }
QStringList PhotoStrip::selection() const { return m_list->selectedNames(); }

} // namespace tamis::views

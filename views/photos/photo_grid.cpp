// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/photos/photo_grid.h"

#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/photos/photo_delegate.h"
#include "views/photos/photo_filter.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

PhotoGrid::PhotoGrid(PhotoModel& photos, QWidget* parent)
    : QWidget(parent), m_photos(photos), m_filter(new PhotoFilter(this)), m_list(new PhotoList(photos, this)),
      m_delegate(new PhotoDelegate(false, m_list)), m_text(new QLineEdit(this)), m_order(new QComboBox(this)), m_show(new QComboBox(this)),
      m_folder(new QLabel(this)), m_count(new QLabel(this)), m_problem(new NoticeBar(this)), m_pages(new QStackedWidget(this))
{
    m_filter->setSourceModel(&m_photos);
    auto* page = new QWidget(m_pages);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    m_folder->setObjectName(QStringLiteral("photoFolder"));
    m_text->setObjectName(QStringLiteral("photoFilter"));
    m_text->setPlaceholderText(tr("Filter by name or class"));
    m_text->setAccessibleName(tr("Filter photos"));
    m_text->setClearButtonEnabled(true);
    m_order->setObjectName(QStringLiteral("photoOrder"));
    m_order->setAccessibleName(tr("Order"));
    m_order->addItem(tr("By name"), static_cast<int>(PhotoFilter::Order::Name));
    m_order->addItem(tr("Most confident first"), static_cast<int>(PhotoFilter::Order::Confidence));
    m_order->addItem(tr("Least confident first"), static_cast<int>(PhotoFilter::Order::LeastConfidence));
    m_order->addItem(tr("Most changed first"), static_cast<int>(PhotoFilter::Order::MostChanged));
    m_show->setObjectName(QStringLiteral("photoShow"));
    m_show->setAccessibleName(tr("Show"));
    m_show->addItem(tr("All photos"), static_cast<int>(PhotoFilter::Show::All));
    m_show->addItem(tr("Only wrong"), static_cast<int>(PhotoFilter::Show::Wrong));
    m_show->addItem(tr("Only changed"), static_cast<int>(PhotoFilter::Show::Changed));
    for (auto* box : {m_order, m_show})
        box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_count->setObjectName(QStringLiteral("photoCount"));
    row->addWidget(m_folder);
    row->addWidget(m_text, 1);
    row->addWidget(m_order);
    row->addWidget(m_show);
    row->addWidget(m_count);
    column->addLayout(row);
    m_problem->setObjectName(QStringLiteral("photoProblem"));
    column->addWidget(m_problem);
    m_list->setObjectName(QStringLiteral("photoGrid"));
    m_list->setAccessibleName(tr("Photos"));
    m_list->setItemDelegate(m_delegate);
    m_list->setFlow(QListView::LeftToRight);
    m_list->setWrapping(true);
    m_list->setEmptyText(tr("No photo matches."));
    m_list->setPhotos(m_filter);
    column->addWidget(m_list, 1);
    auto* empty = new PlaceholderPanel(QStringLiteral("photo"), tr("No photos are open"),
                                       tr("Open a folder of photos to see what the model takes each of them for."), m_pages);
    empty->setObjectName(QStringLiteral("photosEmpty"));
    empty->setAction(tr("Open photos…"));
    connect(empty, &PlaceholderPanel::actionTriggered, this, &PhotoGrid::openFolderRequested);
    m_pages->addWidget(empty);
    m_pages->addWidget(page);
    auto* whole = new QVBoxLayout(this);
    whole->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    whole->addWidget(m_pages);

    connect(m_text, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_filter->setText(text);
        update();
    });
    connect(m_order, &QComboBox::currentIndexChanged, this, [this] { m_filter->setOrder(static_cast<PhotoFilter::Order>(m_order->currentData().toInt())); });
    connect(m_show, &QComboBox::currentIndexChanged, this, [this] {
        m_filter->setShown(static_cast<PhotoFilter::Show>(m_show->currentData().toInt()));
        update();
    });
    connect(&m_photos, &QAbstractItemModel::modelReset, this, &PhotoGrid::update);
    connect(&m_photos, &QAbstractItemModel::dataChanged, this, &PhotoGrid::update);
    connect(m_list, &PhotoList::namesSelected, this, &PhotoGrid::selectionChanged);
    connect(m_list, &PhotoList::photoActivated, this, &PhotoGrid::photoActivated);
    update();
}

void PhotoGrid::update()
{
    m_pages->setCurrentIndex(m_photos.rowCount() > 0 ? 1 : 0);
    m_count->setText(tr("%1 of %2").arg(m_filter->rowCount()).arg(m_photos.rowCount()));
    const bool comparing = m_photos.compares();
    m_delegate->setComparing(comparing);
    QStyleOptionViewItem option;
    option.font = m_list->font();
    m_delegate->setCardWidth(0);
    QSize size = m_delegate->sizeHint(option, {});
    const int room = m_list->width() - m_list->verticalScrollBar()->sizeHint().width() - 2;
    size.setWidth(std::max(size.width(), room / std::max(1, room / size.width())));
    m_delegate->setCardWidth(size.width());
    if (size != m_list->gridSize())
        m_list->setGridSize(size);
}

void PhotoGrid::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    layout()->activate();
    update();
}

void PhotoGrid::setProblem(const QString& sentence)
{
    if (sentence.isEmpty())
        m_problem->clear();
    else
        m_problem->showNotice(NoticeBar::Severity::Warning, sentence);
}

void PhotoGrid::setFolder(const QString& title) { m_folder->setText(title); }
void PhotoGrid::setSelection(const QStringList& names) { m_list->selectNames(names); }
QStringList PhotoGrid::selection() const { return m_list->selectedNames(); }

} // namespace tamis::views

// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/sample_picker.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"
#include "views/photos/photo_strip.h"

#include <QHBoxLayout>
#include <QListWidget>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
constexpr int kListHeight = 150; ///< of the list of texts, device-independent pixels
constexpr int kListShare = 1000; ///< of the room, beside an empty end of 1: photos take no more than one row
} // namespace

SamplePicker::SamplePicker(PhotoModel& photos, const Names& names, QWidget* parent)
    : QWidget(parent), m_photos(photos), m_title(mutedLabel(this, names.title)), m_open(new QPushButton(themedIcon(QStringLiteral("open")), {}, this)), m_lists(new QStackedWidget(this)),
      m_strip(new PhotoStrip(photos, m_lists)), m_texts(new QListWidget(m_lists))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_open->setObjectName(names.open);
    m_open->hide(); // until there is something to open
    row->addWidget(m_title, 1);
    row->addWidget(m_open);
    column->addLayout(row);
    m_strip->list()->setSelectionMode(QAbstractItemView::SingleSelection);
    m_strip->list()->setObjectName(names.photos);
    m_texts->setObjectName(names.texts);
    m_texts->setAccessibleName(tr("Texts"));
    m_texts->setFrameShape(QFrame::NoFrame);
    m_texts->setUniformItemSizes(true);
    m_texts->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_texts->setMinimumHeight(kListHeight);
    m_lists->addWidget(m_strip);
    m_lists->addWidget(m_texts);
    column->addWidget(m_lists, kListShare);
    column->addStretch(1);
    connect(m_open, &QPushButton::clicked, this, &SamplePicker::openRequested);
    connect(m_strip, &PhotoStrip::selectionChanged, this, [this](const QStringList& chosenNames) {
        if (const int at = chosenNames.isEmpty() ? -1 : m_photos.rowOf(chosenNames.front()); at >= 0)
            emit chosen(at);
    });
    connect(m_texts, &QListWidget::currentRowChanged, this, [this](int at) {
        if (!m_quiet && at >= 0)
            emit chosen(at);
    });
}

void SamplePicker::setOpenAction(const QString& action)
{
    m_open->setText(action);
    m_open->setVisible(!action.isEmpty());
}

void SamplePicker::setPhotos()
{
    m_lists->setCurrentWidget(m_strip);
    m_lists->setMaximumHeight(m_strip->height());
    m_title->setText(tr("Photos"));
}

void SamplePicker::setTexts(const std::vector<ListedText>& texts)
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_texts->clear();
    for (const auto& text : texts) {
        const QString words = text.beginning.simplified();
        auto* item = new QListWidgetItem(words.isEmpty() ? text.name : words, m_texts);
        item->setToolTip(text.name);
    }
    m_lists->setCurrentWidget(m_texts);
    m_lists->setMaximumHeight(QWIDGETSIZE_MAX);
    m_title->setText(tr("Texts: %1").arg(texts.size()));
}

bool SamplePicker::showsTexts() const { return m_lists->currentWidget() == m_texts; }

void SamplePicker::setShown(int index)
{
    const QScopedValueRollback quiet(m_quiet, true);
    if (showsTexts())
        m_texts->setCurrentRow(index);
    else if (const auto* photo = m_photos.photo(index); photo && m_strip->selection() != QStringList{photo->name})
        m_strip->setSelection({photo->name});
}

} // namespace tamis::views

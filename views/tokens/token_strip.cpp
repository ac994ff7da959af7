// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_strip.h"

#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/tokens/token_photo_model.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QListView>
#include <QPainter>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QScrollBar>
#include <QSortFilterProxyModel>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
constexpr int kSide = 92; ///< of a thumbnail, device-independent pixels
constexpr double kPad = 6;

const TokenPicture& pictureAt(const QModelIndex& index)
{
    const auto* proxy = qobject_cast<const QSortFilterProxyModel*>(index.model());
    const QModelIndex at = proxy ? proxy->mapToSource(index) : index;
    return static_cast<const TokenPhotoModel*>(at.model())->picture(at.row());
}

const TokenPhotoModel& modelOf(const QModelIndex& index)
{
    const auto* proxy = qobject_cast<const QSortFilterProxyModel*>(index.model());
    return *static_cast<const TokenPhotoModel*>(proxy ? proxy->sourceModel() : index.model());
}

/// What a thumbnail says below its name.
QString figureOf(const TokenPhotoModel& model, const TokenPicture& picture)
{
    const auto& overlay = *picture.overlay();
    switch (model.order()) {
    case PhotoOrder::EmbeddingShift: return TokenPhotoDelegate::tr("shift %1").arg(formatNumber(overlay.embeddingShift, 2));
    case PhotoOrder::ClassChange: {
        const double lost = classLoss(overlay);
        return lost < 0 ? QStringLiteral("+%1").arg(formatPercent(-lost)) : QStringLiteral("−%1").arg(formatPercent(lost));
    }
    case PhotoOrder::Folder:
    case PhotoOrder::TokensLeft: break;
    }
    if (!overlay.remark.empty())
        return QString::fromStdString(overlay.remark);
    return TokenPhotoDelegate::tr("%1 tokens").arg(picture.tokens(model.depth()));
}
} // namespace

QSize TokenPhotoDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const
{
    const double line = std::ceil(QFontMetricsF(Theme::smallFont(option.font)).height());
    return QSizeF(kSide + 2 * kPad + 4, kSide + 2 * line + 3 * kPad).toSize();
}

void TokenPhotoDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto& theme = Theme::instance();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setFont(Theme::smallFont(option.font));
    const QFontMetricsF metrics(painter->font());
    const QRectF card = QRectF(option.rect).adjusted(2, 2, -2, -2);
    const bool selected = option.state.testFlag(QStyle::State_Selected), focused = option.state.testFlag(QStyle::State_HasFocus);
    painter->setPen(QPen(theme.color(selected || focused ? Ink::Accent : Ink::Border), selected ? 2 : 1));
    painter->setBrush(theme.color(selected ? Ink::Selection : option.state.testFlag(QStyle::State_MouseOver) ? Ink::Grid : Ink::Panel));
    painter->drawRoundedRect(card, 5, 5);
    const QRectF square(card.center().x() - kSide / 2.0, card.top() + kPad - 1, kSide, kSide);
    const TokenPicture& picture = pictureAt(index);
    const auto& model = modelOf(index);
    if (!picture.isEmpty()) {
        const double cell = std::min(square.width() / picture.columns(), square.height() / picture.rows());
        QRectF place(0, 0, cell * picture.columns(), cell * picture.rows());
        place.moveCenter(square.center());
        painter->save();
        painter->setClipRect(place, Qt::IntersectClip);
        picture.paint(*painter, place, model.depth(), TokenShade::Tokens);
        painter->restore();
    } else {
        const QString failure = index.data(TokenPhotoModel::FailureRole).toString();
        painter->fillRect(square, theme.color(Ink::Grid));
        painter->setPen(theme.color(failure.isEmpty() ? Ink::MutedText : Ink::Error));
        painter->drawText(square.adjusted(4, 4, -4, -4), Qt::AlignCenter | Qt::TextWordWrap, failure.isEmpty() ? QStringLiteral("…") : tr("failed"));
    }
    if (index.data(TokenPhotoModel::ChangedRole).toBool())
        drawTag(*painter, square.adjusted(2, 2, -2, -2), square.topRight(), tr("changed"), Ink::HeldOut);
    const QRectF name(card.left() + 4, square.bottom() + 3, card.width() - 8, metrics.height());
    painter->setPen(theme.color(Ink::Text));
    painter->drawText(name, Qt::AlignCenter, metrics.elidedText(index.data().toString(), Qt::ElideMiddle, name.width()));
    if (!picture.isEmpty()) {
        painter->setPen(theme.color(Ink::MutedText));
        painter->drawText(name.translated(0, metrics.height()), Qt::AlignCenter, metrics.elidedText(figureOf(model, picture), Qt::ElideRight, name.width()));
    }
    painter->restore();
}

TokenStrip::TokenStrip(TokenPhotoModel& photos, QWidget* parent)
    : QWidget(parent), m_photos(photos), m_sorted(new QSortFilterProxyModel(this)), m_list(new QListView(this)), m_folder(mutedLabel(this, QStringLiteral("tokenFolder"))),
      m_state(mutedLabel(this, QStringLiteral("tokenStripState")))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    m_order = labelledCombo(this, row, tr("&Order"), QStringLiteral("tokenPhotoOrder"), tr("Which photos come first: those that changed most are what a reduction costs"));
    m_order->addItem(tr("as in the folder"), static_cast<int>(PhotoOrder::Folder));
    m_order->addItem(tr("features moved most"), static_cast<int>(PhotoOrder::EmbeddingShift));
    m_order->addItem(tr("class changed most"), static_cast<int>(PhotoOrder::ClassChange));
    m_order->addItem(tr("most tokens left"), static_cast<int>(PhotoOrder::TokensLeft));
    row->addWidget(m_state, 1);
    row->addWidget(m_folder);
    auto* open = new QPushButton(tr("Open photos…"), this);
    open->setObjectName(QStringLiteral("openTokenPhotos"));
    row->addWidget(open);
    column->addLayout(row);
    m_sorted->setSourceModel(&m_photos);
    m_sorted->setSortRole(TokenPhotoModel::OrderRole);
    m_sorted->setDynamicSortFilter(true);
    m_sorted->sort(0);
    auto* delegate = new TokenPhotoDelegate(m_list);
    m_list->setObjectName(QStringLiteral("tokenPhotos"));
    m_list->setAccessibleName(tr("Photos with their tokens"));
    m_list->setItemDelegate(delegate);
    m_list->setModel(m_sorted);
    m_list->setFlow(QListView::LeftToRight);
    m_list->setWrapping(false);
    m_list->setUniformItemSizes(true);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setHorizontalScrollMode(QListView::ScrollPerPixel);
    m_list->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setMouseTracking(true);
    QStyleOptionViewItem option;
    option.font = m_list->font();
    m_list->setFixedHeight(delegate->sizeHint(option, {}).height() + m_list->horizontalScrollBar()->sizeHint().height() + 4);
    column->addWidget(m_list);
    connect(open, &QPushButton::clicked, this, &TokenStrip::openFolderRequested);
    connect(m_order, &QComboBox::currentIndexChanged, this, [this] {
        m_photos.setOrder(static_cast<PhotoOrder>(m_order->currentData().toInt()));
        m_list->scrollToTop();
    });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& now) {
        if (!m_quiet && now.isValid())
            emit photoChosen(now.data().toString());
    });
    connect(&m_photos, &QAbstractItemModel::modelReset, this, &TokenStrip::showState);
    connect(&m_photos, &QAbstractItemModel::dataChanged, this, &TokenStrip::showState);
    connect(&Theme::instance(), &Theme::changed, m_list->viewport(), qOverload<>(&QWidget::update));
    showState();
}

void TokenStrip::showState()
{
    const int all = m_photos.count(), known = m_photos.known(), failed = m_photos.failed();
    QStringList parts;
    if (all > 0) {
        parts << (known + failed < all ? tr("%1 of %2 photos").arg(known + failed).arg(all) : tr("%1 photos").arg(all));
        parts << tr("%1 changed class").arg(m_photos.changed());
        if (failed > 0)
            parts << tr("%1 failed").arg(failed);
    }
    m_state->setText(parts.join(QStringLiteral(" · ")));
}

void TokenStrip::setFolder(const QString& title)
{
    m_folder->setText(title.isEmpty() ? tr("No photos are open.") : title);
    m_folder->setToolTip(title);
}

void TokenStrip::setCurrent(const QString& name)
{
    const QScopedValueRollback quiet(m_quiet, true);
    const int row = m_photos.rowOf(name);
    const QModelIndex at = row < 0 ? QModelIndex() : m_sorted->mapFromSource(m_photos.index(row));
    if (at != m_list->currentIndex()) {
        m_list->setCurrentIndex(at);
        if (at.isValid())
            m_list->scrollTo(at);
    }
}

QString TokenStrip::current() const { return m_list->currentIndex().data().toString(); }

QStringList TokenStrip::namesInOrder() const
{
    QStringList names;
    for (int row = 0; row < m_sorted->rowCount(); ++row)
        names << m_sorted->index(row, 0).data().toString();
    return names;
}

} // namespace tamis::views
